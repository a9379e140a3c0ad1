"""Two calls for one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from agentkit.errors import DefinitionError, ModelOutputError, ModelUnavailableError
from agentkit.messages import (
    JsonOutput,
    ModelProfile,
    ModelRequest,
    ModelResponse,
    Price,
    TextDelta,
    Usage,
    user,
)
from agentkit.models import HedgedModel
from agentkit.protocols import Model
from agentkit.testing import FakeClock, FunctionModel, ScriptedModel
from agentkit.testing.models import ABLE, Reply
from tests.conformance.model import COLOUR, collect

ASK = ModelRequest((user("hello"),))
USED = Usage(input_tokens=10, output_tokens=5, model_calls=1)


class Timed:
    """A model that answers after some seconds; it notes when it was asked and whether it was stopped."""

    def __init__(self, clock: FakeClock, name: str, seconds: float, reply: Reply | None = None) -> None:
        self.name = name
        self.profile: ModelProfile = replace(ABLE, price=Price(1e6, 0))
        self.at: list[float] = []
        self.stopped = 0
        self._clock = clock
        self._seconds = seconds
        self._reply = ModelResponse(name, usage=USED) if reply is None else reply

    async def request(self, request: ModelRequest) -> ModelResponse:
        *_, response = [item async for item in self.stream(request)]
        assert isinstance(response, ModelResponse)
        return response

    async def stream(self, request: ModelRequest) -> AsyncIterator[TextDelta | ModelResponse]:
        self.at.append(self._clock.monotonic())
        try:
            await self._clock.sleep(self._seconds)
            if isinstance(self._reply, BaseException):
                raise self._reply
            assert isinstance(self._reply, ModelResponse)
            yield TextDelta(self._reply.text)
            await self._clock.sleep(self._seconds)
            yield self._reply
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped += 1
            raise


async def test_a_quick_first_call_needs_no_second() -> None:
    clock = FakeClock()
    first, second = Timed(clock, "a", 1), Timed(clock, "b", 1)
    response = await HedgedModel(first, second, after=5, clock=clock).request(ASK)
    assert (response.text, response.usage.model_calls, response.notes, second.at) == ("a", 1, (), [])


async def test_a_slow_first_call_is_overtaken_stopped_and_its_prompt_accounted_for() -> None:
    clock = FakeClock()
    first, second = Timed(clock, "a", 60), Timed(clock, "b", 1)
    response = await HedgedModel(first, second, after=5, clock=clock).request(ASK)
    assert (response.text, first.stopped, second.at, clock.monotonic()) == ("b", 1, [5], 7)
    assert response.notes == ("hedge: the second call, of 'b', won",)
    assert response.usage == Usage(input_tokens=20, output_tokens=5, model_calls=2, cost=20.0)


async def test_both_calls_at_once_on_demand() -> None:
    clock = FakeClock()
    first, second = Timed(clock, "a", 3), Timed(clock, "b", 2)
    response = await HedgedModel(first, second, clock=clock).request(ASK)
    assert (response.text, first.at, second.at, first.stopped) == ("b", [0], [0], 1)


async def test_one_model_may_be_asked_twice() -> None:
    clock = FakeClock()
    model = Timed(clock, "a", 3)
    hedged = HedgedModel(model, after=1, clock=clock)
    response = await hedged.request(ASK)
    assert (response.text, model.at, model.stopped, hedged.name) == ("a", [0, 1], 1, "a")


async def test_a_failed_first_call_starts_the_second_at_once() -> None:
    clock = FakeClock()
    first, second = Timed(clock, "a", 1, ModelUnavailableError("down")), Timed(clock, "b", 1)
    response = await HedgedModel(first, second, after=100, clock=clock).request(ASK)
    assert (response.text, second.at, response.usage.model_calls) == ("b", [1], 2)


async def test_the_first_valid_reply_wins_and_an_invalid_one_is_paid_for() -> None:
    asked = replace(ASK, output=JsonOutput(COLOUR))
    bad = ModelResponse('{"colour": "mauve"}', usage=USED)
    model = HedgedModel(ScriptedModel([bad], name="a"), ScriptedModel(['{"colour": "red"}'], name="b"), after=100)
    response = await model.request(asked)
    assert response.text == '{"colour": "red"}'
    assert response.usage.model_calls == 2
    assert response.usage.input_tokens >= 10


async def test_two_invalid_replies_are_an_error_with_both_reasons() -> None:
    asked = replace(ASK, output=JsonOutput(COLOUR))
    model = HedgedModel(ScriptedModel(["red"], name="a"), ScriptedModel([" "], name="b"))
    with pytest.raises(ModelOutputError) as caught:
        await model.request(asked)
    assert str(caught.value) == (
        "both calls failed: 'a': the reply is not valid: it is not JSON (Expecting value: line 1 column 1 (char 0)); "
        "'b': the reply is not valid: it is empty"
    )
    assert caught.value.usage.model_calls == 2


async def test_a_function_of_the_user_s_judges() -> None:
    def long_enough(request: ModelRequest, response: ModelResponse) -> str:
        return "" if len(response.text) > 3 else "it is too short"

    model = HedgedModel(ScriptedModel(["no"]), ScriptedModel(["longer"]), valid=long_enough)
    assert (await model.request(ASK)).text == "longer"


async def test_a_bug_ends_the_race() -> None:
    model = HedgedModel(ScriptedModel([ValueError("bug")]), ScriptedModel(["hi"]), after=100)
    with pytest.raises(ValueError, match="bug"):
        await model.request(ASK)


async def test_a_stream_is_won_by_its_first_piece() -> None:
    clock = FakeClock()
    first, second = Timed(clock, "a", 3), Timed(clock, "b", 1)
    piece, response = await collect(HedgedModel(first, second, after=1, clock=clock), ASK)
    assert piece == TextDelta("b")
    assert isinstance(response, ModelResponse)
    assert (response.usage.model_calls, first.stopped) == (2, 1)


async def test_a_stream_that_is_left_leaves_no_call_behind() -> None:
    clock = FakeClock()
    first, second = Timed(clock, "a", 3), Timed(clock, "b", 2)
    stream = HedgedModel(first, second, clock=clock).stream(ASK)
    await anext(stream)
    await stream.aclose()
    assert (first.stopped, second.stopped) == (1, 1)
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancelled_request_leaves_no_call_behind() -> None:
    clock = FakeClock(auto=False)
    first, second = Timed(clock, "a", 3), Timed(clock, "b", 3)
    task = asyncio.create_task(HedgedModel(first, second, clock=clock).request(ASK))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert (first.stopped, second.stopped) == (1, 1)
    assert len(asyncio.all_tasks()) == 1


class Ending:
    """A model whose streams end without a response, or that cancels itself."""

    name = "ending"
    profile = ABLE

    def __init__(self, cancels: bool) -> None:
        self._cancels = cancels

    async def request(self, request: ModelRequest) -> ModelResponse:
        raise NotImplementedError

    async def stream(self, request: ModelRequest) -> AsyncIterator[TextDelta | ModelResponse]:
        for error in [asyncio.CancelledError()] if self._cancels else []:
            raise error
        nothing: tuple[TextDelta, ...] = ()
        for piece in nothing:
            yield piece


@pytest.mark.parametrize(
    ("cancels", "message"), [(False, "the stream ended without a response"), (True, "the call cancelled itself")]
)
async def test_a_model_that_breaks_its_word_does_not_hang_the_race(cancels: bool, message: str) -> None:
    with pytest.raises((ModelOutputError, ModelUnavailableError), match=f"'ending': {message}; 'ending': {message}"):
        await collect(HedgedModel(Ending(cancels)), ASK)


def test_a_negative_wait_is_a_mistake() -> None:
    with pytest.raises(DefinitionError, match=r"after is -1; expected seconds from 0\."):
        HedgedModel(FunctionModel(lambda request: "hi"), after=-1)


def test_two_models_have_one_name() -> None:
    make: Callable[[str], Model] = lambda name: ScriptedModel([], name=name)  # noqa: E731
    assert HedgedModel(make("a"), make("b")).name == "hedged(a, b)"
