"""A chain of models: who answers, who is out, and what it cost."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from agentkit.errors import DefinitionError, ModelError, ModelOutputError, ModelRefusedError, ModelUnavailableError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta, Usage, user
from agentkit.models import FallbackModel
from agentkit.protocols import ModelStream
from agentkit.testing import FakeClock, FunctionModel, ScriptedModel
from agentkit.testing.models import ABLE, Reply
from tests.conformance.model import collect

ASK = ModelRequest((user("hello"),))


def down(retry_after: float | None = None) -> ModelUnavailableError:
    return ModelUnavailableError("overloaded", retry_after=retry_after)


def named(name: str, *replies: Reply) -> ScriptedModel:
    return ScriptedModel(replies, name=name)


async def test_the_next_model_answers_for_one_that_is_unavailable() -> None:
    response = await FallbackModel(named("a", down()), named("b", "here")).request(ASK)
    assert response.text == "here"
    assert response.notes == ("fallback: 'b' answered instead of 'a'",)
    assert response.usage.model_calls == 2


async def test_the_first_model_answers_while_it_can_and_nothing_is_said_about_it() -> None:
    spare = named("b")
    response = await FallbackModel(named("a", "here"), spare).request(ASK)
    assert (response.text, response.notes, response.usage.model_calls) == ("here", (), 1)
    assert spare.requests == []


async def test_a_model_that_failed_is_out_for_a_cool_down_that_doubles_up_to_the_longest() -> None:
    clock = FakeClock()
    first = FunctionModel(lambda request: down(), name="a")
    chain = FallbackModel(first, named("b", *["b"] * 9), first_cool_down=10, longest_cool_down=30, clock=clock)
    waits = []
    for _ in range(4):
        await chain.request(ASK)
        out_until = chain.health()[0].out_until
        assert out_until is not None
        waits.append(out_until - clock.time())
        asked = len(first.requests)
        await chain.request(ASK)
        assert len(first.requests) == asked
        await clock.advance(waits[-1])
    assert waits == [10, 20, 30, 30]
    assert (chain.health()[0].failures, chain.health()[0].error) == (4, "overloaded")


async def test_a_cool_down_is_never_shorter_than_what_the_provider_asks_for() -> None:
    clock = FakeClock()
    chain = FallbackModel(named("a", down(retry_after=120)), named("b", "b"), clock=clock)
    await chain.request(ASK)
    assert chain.health()[0].out_until == clock.time() + 120


async def test_a_model_is_back_when_it_answers_after_its_cool_down() -> None:
    clock = FakeClock()
    chain = FallbackModel(named("a", down(), "a", "a"), named("b", "b"), clock=clock)
    assert (await chain.request(ASK)).text == "b"
    await clock.advance(10)
    assert [(await chain.request(ASK)).text for _ in range(2)] == ["a", "a"]
    assert (chain.health()[0].failures, chain.health()[0].out_until, chain.health()[0].error) == (0, None, "")


async def test_one_request_alone_finds_out_whether_a_model_is_back() -> None:
    clock = FakeClock()
    gate = asyncio.Event()
    calls = 0

    async def slow(request: ModelRequest) -> Reply:
        nonlocal calls
        calls += 1
        if calls == 1:
            return down()
        await gate.wait()
        return "a"

    chain = FallbackModel(FunctionModel(slow, name="a"), named("b", *["b"] * 9), clock=clock)
    await chain.request(ASK)
    await clock.advance(10)
    probe = asyncio.create_task(chain.request(ASK))
    await asyncio.sleep(0)
    assert [(await chain.request(ASK)).text for _ in range(3)] == ["b", "b", "b"]
    gate.set()
    assert (await probe).text == "a"
    assert calls == 2


async def test_a_probe_that_was_cancelled_leaves_the_next_request_to_probe() -> None:
    clock = FakeClock()
    replies: list[Reply] = [down()]

    async def function(request: ModelRequest) -> Reply:
        if replies:
            return replies.pop()
        await asyncio.sleep(0)
        return "a"

    chain = FallbackModel(FunctionModel(function, name="a"), named("b", "b"), clock=clock)
    await chain.request(ASK)
    await clock.advance(10)
    probe = asyncio.create_task(chain.request(ASK))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.wait([probe])
    assert (await chain.request(ASK)).text == "a"


async def test_when_all_fail_the_error_lists_each_and_says_when_to_come_back() -> None:
    clock = FakeClock()
    chain = FallbackModel(named("a", down(retry_after=40)), named("b", down()), clock=clock)
    with pytest.raises(ModelUnavailableError) as caught:
        await chain.request(ASK)
    assert str(caught.value) == "all 2 models of the chain failed: 'a': overloaded; 'b': overloaded"
    assert caught.value.usage == Usage(model_calls=2)
    with pytest.raises(ModelUnavailableError) as caught:
        await chain.request(ASK)
    assert str(caught.value) == (
        "all 2 models of the chain failed: 'a': out for another 40 s after: overloaded; "
        "'b': out for another 10 s after: overloaded"
    )
    assert caught.value.retry_after == 10
    assert caught.value.usage == Usage()


async def test_an_error_that_names_its_model_is_not_named_twice() -> None:
    with pytest.raises(ModelUnavailableError) as caught:
        await FallbackModel(named("a", ModelUnavailableError("'a': overloaded"))).request(ASK)
    assert str(caught.value) == "the only model of the chain failed: 'a': overloaded"


async def test_a_refusal_is_raised_unless_it_is_asked_to_go_on() -> None:
    refused = ModelRefusedError("content policy")
    with pytest.raises(ModelRefusedError):
        await FallbackModel(named("a", refused), named("b", "here")).request(ASK)
    chain = FallbackModel(named("a", refused), named("b", "here"), on=(ModelUnavailableError, ModelRefusedError))
    assert (await chain.request(ASK)).text == "here"
    assert chain.health()[0].out_until is None


async def test_a_refusal_after_a_failure_accounts_for_both() -> None:
    with pytest.raises(ModelRefusedError) as caught:
        await FallbackModel(named("a", down()), named("b", ModelRefusedError("no"))).request(ASK)
    assert caught.value.usage.model_calls == 2


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ((ModelRefusedError("x"), ModelRefusedError("y")), ModelRefusedError),
        ((ModelOutputError("x"), ModelOutputError("y")), ModelOutputError),
        ((ModelOutputError("x"), ModelUnavailableError("y")), ModelUnavailableError),
    ],
)
async def test_the_joint_error_is_of_the_kind_that_all_agree_on(
    errors: tuple[ModelError, ...], kind: type[ModelError]
) -> None:
    chain = FallbackModel(*(named(str(error), error) for error in errors), on=(ModelError,))
    with pytest.raises(kind) as caught:
        await chain.request(ASK)
    assert type(caught.value) is kind


async def test_a_bug_is_not_taken_for_an_outage() -> None:
    with pytest.raises(ValueError, match="bug"):
        await FallbackModel(named("a", ValueError("bug")), named("b", "here")).request(ASK)


class Breaking:
    """A model whose streams break after a piece."""

    name = "breaking"
    profile = ABLE
    closed = 0

    async def request(self, request: ModelRequest) -> ModelResponse:
        raise NotImplementedError

    async def stream(self, request: ModelRequest) -> ModelStream:
        try:
            yield TextDelta("one")
            raise down()
        finally:
            self.closed += 1


async def test_a_stream_falls_over_before_its_first_piece() -> None:
    *pieces, response = await collect(FallbackModel(named("a", down()), named("b", "here it is")), ASK)
    assert [piece.text for piece in pieces] == ["here", " it", " is"]
    assert isinstance(response, ModelResponse)
    assert response.usage.model_calls == 2


async def test_a_stream_that_breaks_later_is_raised_and_takes_the_model_out() -> None:
    broken, spare = Breaking(), named("b", "b")
    chain = FallbackModel(broken, spare)
    stream = chain.stream(ASK)
    assert await anext(stream) == TextDelta("one")
    with pytest.raises(ModelUnavailableError):
        await anext(stream)
    assert (broken.closed, spare.requests, chain.health()[0].failures) == (1, [], 1)


async def test_a_stream_closed_early_closes_the_one_behind_it() -> None:
    broken = Breaking()
    async with aclosing(FallbackModel(broken).stream(ASK)) as stream:
        await anext(stream)
    assert broken.closed == 1


def test_a_chain_can_do_what_all_of_its_models_can_do() -> None:
    able = ScriptedModel(
        [],
        name="a",
        profile=ModelProfile(9000, True, True, True, True, decoding="typed", kinds=frozenset({"call", "if"})),
    )
    poor = ScriptedModel(
        [], name="b", profile=ModelProfile(4000, True, False, settings=frozenset({"seed"}), kinds=frozenset({"call"}))
    )
    profile = FallbackModel(able, poor).profile
    assert profile == ModelProfile(4000, True, settings=frozenset({"seed"}), kinds=frozenset({"call"}))
    assert FallbackModel(able).profile == able.profile


def test_models_may_be_given_by_their_ids() -> None:
    chain = FallbackModel("openai:gpt-5", "anthropic:claude-sonnet-4-5")
    assert chain.name == "fallback(openai:gpt-5, anthropic:claude-sonnet-4-5)"


def test_a_chain_of_nothing_is_a_mistake() -> None:
    with pytest.raises(DefinitionError) as caught:
        FallbackModel()
    assert str(caught.value) == "FallbackModel was given no model; expected at least one, as a model id or a Model."


def test_a_cool_down_that_shrinks_is_a_mistake() -> None:
    with pytest.raises(DefinitionError, match=r"expected 0 < first_cool_down <= longest_cool_down, in seconds\."):
        FallbackModel(named("a"), first_cool_down=60, longest_cool_down=30)
