"""Scripted and function models."""

from __future__ import annotations

import pytest

from agentkit.errors import DefinitionError, ModelUnavailableError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta, Usage, user
from agentkit.testing import FunctionModel, ScriptedModel
from agentkit.testing.models import estimate_tokens, words
from tests.conformance.model import collect

ASK = ModelRequest((user("How many pounds are 40 kilograms?"),))


async def test_a_script_gives_its_replies_in_order_and_keeps_the_requests() -> None:
    whole = ModelResponse("second", finish="length", usage=Usage(1, 0, 1, 1), seconds=3.0, model="m")
    model = ScriptedModel(["first", whole])
    assert (await model.request(ASK)).text == "first"
    assert model.remaining == 1
    assert await model.request(ASK) == whole
    assert model.requests == [ASK, ASK]
    assert model.remaining == 0


async def test_a_script_raises_its_exceptions() -> None:
    model = ScriptedModel([ModelUnavailableError("down"), "up"])
    with pytest.raises(ModelUnavailableError, match="down"):
        await collect(model, ASK)
    assert (await model.request(ASK)).text == "up"


async def test_an_exhausted_script_says_so() -> None:
    model = ScriptedModel(["only"])
    await model.request(ASK)
    with pytest.raises(DefinitionError) as caught:
        await model.request(ASK)
    assert str(caught.value) == (
        "the script of ScriptedModel('test:scripted') is exhausted: it has length 1 and this is request 2, which ends "
        "with 'How many pounds are 40 kilograms?'. Add a reply to the script, or find out why the model is asked so "
        "often."
    )


async def test_a_function_sees_the_request_and_may_be_async() -> None:
    async def answer(request: ModelRequest) -> str:
        return request.messages[-1].content.upper()

    assert (await FunctionModel(answer).request(ASK)).text == "HOW MANY POUNDS ARE 40 KILOGRAMS?"
    assert (await FunctionModel(lambda request: str(len(request.messages))).request(ASK)).text == "1"


async def test_a_reply_of_another_type_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"was given the reply 3 \(int\); expected a str, a ModelResponse or an"):
        await FunctionModel(lambda request: 3).request(ASK)  # type: ignore[arg-type, return-value]


async def test_text_has_an_estimated_usage() -> None:
    assert (await ScriptedModel(["88.2 lb"]).request(ASK)).usage == Usage(7, 0, 4, model_calls=1)
    assert estimate_tokens("a b, c") == 4


async def test_streams_come_word_by_word() -> None:
    text = "  x = f(1)\nanswer(x) \n"
    *pieces, response = await collect(ScriptedModel([text]), ASK)
    assert pieces == [TextDelta(t) for t in ("  x", " =", " f(1)", "\nanswer(x)", " \n")]
    assert isinstance(response, ModelResponse)
    assert response.text == text
    assert list(words("")) == []


async def test_a_double_holds_requests_against_its_profile() -> None:
    with pytest.raises(DefinitionError, match="prefix=True"):
        await ScriptedModel(["x"], profile=ModelProfile()).request(ModelRequest(ASK.messages, prefix="a"))
