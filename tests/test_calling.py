"""Model calls of a run keep to its time, and none goes uncounted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agentkit import Agent, Limits, Run
from agentkit.errors import ModelUnavailableError
from agentkit.events import ModelCalled
from agentkit.limits import LimitReached
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, Price, TextDelta, user
from agentkit.models import FallbackModel
from agentkit.testing import FakeClock, ScriptedModel

ASK = ModelRequest((user("How much?"),))
SOON = Limits(seconds=0.05)


class Stuck:
    """A model that begins to answer and never ends."""

    name = "test:stuck"
    profile = ModelProfile()

    async def request(self, request: ModelRequest) -> ModelResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def stream(self, request: ModelRequest) -> AsyncIterator[TextDelta | ModelResponse]:
        yield TextDelta("ten")
        await asyncio.Event().wait()


def told(run: Run) -> list[str]:
    return [event.error for event in run.events if isinstance(event, ModelCalled)]


async def test_a_planner_whose_model_hangs_ends_with_the_run_s_time() -> None:
    result = await Agent(Stuck()).run("?", limits=SOON)
    assert (result.status, result.error) == ("stopped", "stopped: the limit seconds=0.05 is used up")
    assert result.usage.model_calls == 1
    assert [event.error for event in result.events if isinstance(event, ModelCalled)] == ["the run's time was over"]


async def test_a_stream_that_hangs_ends_with_the_run_s_time() -> None:
    run = Run(model=Stuck(), limits=SOON)
    assert run.model is not None
    stream = run.model.stream(ASK)
    assert await anext(stream) == TextDelta("ten")
    with pytest.raises(LimitReached, match=r"^the limit seconds=0\.05 is used up$"):
        await anext(stream)
    assert run.meter.usage.model_calls == 1


async def test_no_call_begins_when_the_time_is_over() -> None:
    clock = FakeClock()
    model = ScriptedModel(["ten"])
    run = Run(model=model, limits=Limits(seconds=5.0), clock=clock)
    await clock.advance(6.0)
    assert run.model is not None
    with pytest.raises(LimitReached):
        await run.model.request(ASK)
    assert (model.requests, told(run)) == ([], [])


async def test_a_wait_that_would_outlast_the_run_is_not_begun() -> None:
    clock = FakeClock()
    model = ScriptedModel([ModelUnavailableError("busy", retry_after=30.0), "ten"])
    run = Run(model=model, limits=Limits(seconds=20.0), clock=clock)
    assert run.model is not None
    with pytest.raises(LimitReached):
        await run.model.request(ASK)
    assert clock.slept == []


async def test_a_call_that_is_cancelled_is_counted_and_told() -> None:
    run = Run(model=Stuck())
    assert run.model is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run.model.request(ASK)
    assert (told(run), run.meter.usage.model_calls) == (["cancelled"], 1)


async def test_a_stopped_reply_of_one_of_several_models_counts_as_the_dearest_would() -> None:
    cheap, dear = (ModelProfile(price=Price(input=price, output=price)) for price in (1.0, 30.0))
    chain = FallbackModel(ScriptedModel(["a b c d"], profile=cheap), ScriptedModel([], profile=dear))
    run = Run(model=chain, limits=Limits(cost=1.0))
    assert run.model is not None
    stream = run.model.stream(ModelRequest((user("Count."),)))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    usage = run.meter.usage
    assert usage.total_tokens
    assert usage.cost == pytest.approx(usage.total_tokens * 30 / 1_000_000)
