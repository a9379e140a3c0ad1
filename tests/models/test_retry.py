"""The transport retry budget."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, cast

import pytest

from agentkit.errors import (
    DefinitionError,
    ModelError,
    ModelOutputError,
    ModelRefusedError,
    ModelUnavailableError,
)
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta, user
from agentkit.models.openai import OpenAIModel
from agentkit.models.retry import RetryingModel
from agentkit.protocols import ModelStream
from agentkit.testing import FakeClock, ScriptedModel
from tests.conformance.model import collect
from tests.models.servers import Answer, Chat, ProviderServer, Reply, error_reply, reply

ASK = ModelRequest((user("hello"),))


def down(retry_after: float | None = None) -> ModelUnavailableError:
    return ModelUnavailableError("down", retry_after=retry_after)


async def test_an_unavailable_provider_is_tried_again_after_growing_waits() -> None:
    clock = FakeClock()
    inner = ScriptedModel([down(), down(), down(), "here"])
    model = RetryingModel(inner, attempts=4, first_wait=1.0, jitter=0.5, sleep=clock.sleep)
    assert (await model.request(ASK)).text == "here"
    for wait, base in zip(clock.slept, (1.0, 2.0, 4.0), strict=True):
        assert base <= wait <= base + 0.5


async def test_waits_do_not_grow_beyond_the_longest() -> None:
    clock = FakeClock()
    inner = ScriptedModel([*(down() for _ in range(8)), "here"])
    await RetryingModel(inner, attempts=9, first_wait=1.0, longest_wait=5.0, sleep=clock.sleep).request(ASK)
    assert max(clock.slept) == 5.0


async def test_the_last_error_is_raised() -> None:
    last = ModelUnavailableError("still down", status=503)
    inner = ScriptedModel([down(), last])
    with pytest.raises(ModelUnavailableError) as caught:
        await RetryingModel(inner, attempts=2, sleep=FakeClock().sleep).request(ASK)
    assert (str(caught.value), caught.value.status) == ("still down", 503)
    assert len(inner.requests) == 2


async def test_a_wait_is_never_shorter_than_what_the_provider_asks_for() -> None:
    clock = FakeClock()
    model = RetryingModel(ScriptedModel([down(retry_after=17.0), "here"]), first_wait=0.5, sleep=clock.sleep)
    await model.request(ASK)
    assert clock.slept == [17.0]


async def test_a_provider_that_asks_for_too_long_a_wait_is_not_tried_again() -> None:
    inner = ScriptedModel([down(retry_after=3600.0), "here"])
    with pytest.raises(ModelUnavailableError):
        await RetryingModel(inner, longest_wait=60.0, sleep=FakeClock().sleep).request(ASK)
    assert len(inner.requests) == 1


@pytest.mark.parametrize("error", [ModelRefusedError("no"), ModelOutputError("eh"), ValueError("bug")])
async def test_other_errors_are_not_tried_again(error: Exception) -> None:
    inner = ScriptedModel([error, "here"])
    with pytest.raises(type(error)):
        await RetryingModel(inner, sleep=FakeClock().sleep).request(ASK)
    assert len(inner.requests) == 1


async def test_a_stream_is_tried_again_until_its_first_piece() -> None:
    inner = ScriptedModel([down(), "here it is"])
    items = await collect(RetryingModel(inner, sleep=FakeClock().sleep), ASK)
    assert [item.text for item in items if isinstance(item, TextDelta)] == ["here", " it", " is"]
    assert len(inner.requests) == 2


class Breaking:
    """A model whose streams break after a piece."""

    name = "test:breaking"
    profile = ModelProfile()

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0

    async def request(self, request: ModelRequest) -> ModelResponse:
        raise NotImplementedError

    async def stream(self, request: ModelRequest) -> ModelStream:
        self.opened += 1
        try:
            yield TextDelta("one")
            raise down()
        finally:
            self.closed += 1


async def test_a_stream_that_breaks_later_raises_since_its_pieces_cannot_be_taken_back() -> None:
    inner = Breaking()
    stream = RetryingModel(cast("Any", inner), sleep=FakeClock().sleep).stream(ASK)
    assert await anext(stream) == TextDelta("one")
    with pytest.raises(ModelUnavailableError):
        await anext(stream)
    assert (inner.opened, inner.closed) == (1, 1)


async def test_a_stream_closed_early_closes_the_one_behind_it() -> None:
    inner = Breaking()
    async with aclosing(RetryingModel(cast("Any", inner)).stream(ASK)) as stream:
        await anext(stream)
    assert inner.closed == 1


def test_the_wrapper_is_known_by_the_name_and_profile_of_its_model() -> None:
    inner = ScriptedModel([])
    assert RetryingModel(inner).name == inner.name
    assert RetryingModel(inner).profile is inner.profile


def test_no_attempt_at_all_is_a_mistake() -> None:
    with pytest.raises(DefinitionError, match=r"attempts is 0; expected at least 1 \(one try, no retry\)\."):
        RetryingModel(ScriptedModel([]), attempts=0)


async def test_over_http_a_rate_limit_is_waited_out(server: ProviderServer) -> None:
    clock = FakeClock()
    server.replies.extend(
        [
            error_reply(Chat(), 429, "", "slow down", retry_after="3"),
            Reply(b"oops", status=502),
            reply(Chat(), Answer("here")),
        ]
    )
    model = RetryingModel(OpenAIModel("m", base_url=f"{server.url}/v1"), sleep=clock.sleep)
    assert (await model.request(ASK)).text == "here"
    assert clock.slept[0] == 3.0
    assert len(server.received) == 3


async def test_over_http_a_refusal_costs_one_request(server: ProviderServer) -> None:
    server.replies.append(error_reply(Chat(), 401, "", "who?"))
    with pytest.raises(ModelError):
        await RetryingModel(OpenAIModel("m", base_url=f"{server.url}/v1"), sleep=FakeClock().sleep).request(ASK)
    assert len(server.received) == 1


async def test_an_answer_accounts_for_the_tries_before_it() -> None:
    model = RetryingModel(ScriptedModel([down(), down(), "here"]), sleep=FakeClock().sleep)
    response = await model.request(ASK)
    assert (response.usage.model_calls, response.notes) == (3, ("retry: 2 tries failed before",))


async def test_the_last_error_accounts_for_all_tries() -> None:
    with pytest.raises(ModelUnavailableError) as caught:
        await RetryingModel(ScriptedModel([down(), down()]), attempts=2, sleep=FakeClock().sleep).request(ASK)
    assert caught.value.usage.model_calls == 2
