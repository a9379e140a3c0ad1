"""How fast a model may be asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agentkit.errors import DefinitionError, ModelUnavailableError
from agentkit.messages import ModelRequest, ModelResponse, Usage, user
from agentkit.models import RateLimitedModel
from agentkit.testing import FakeClock, FunctionModel
from agentkit.testing.models import Reply

ASK = ModelRequest((user("hello"),))


class Watched:
    """A model that notes when it was asked, and takes its time."""

    def __init__(self, clock: FakeClock, seconds: float = 0.0, usage: Usage | None = None) -> None:
        self.clock = clock
        self.at: list[float] = []
        self.busy = self.most = 0
        self._seconds = seconds
        self._usage = usage or Usage(input_tokens=9, output_tokens=1, model_calls=1)

    async def __call__(self, request: ModelRequest) -> Reply:
        self.at.append(self.clock.monotonic())
        self.busy += 1
        self.most = max(self.most, self.busy)
        await self.clock.sleep(self._seconds)
        self.busy -= 1
        return ModelResponse("hi", usage=self._usage)


async def test_requests_beyond_a_minute_s_worth_wait_in_the_order_of_their_arrival() -> None:
    clock = FakeClock()
    watched = Watched(clock)
    model = RateLimitedModel(FunctionModel(watched), requests_per_minute=2, clock=clock)
    await asyncio.gather(*(model.request(ASK) for _ in range(5)))
    assert watched.at == pytest.approx([0, 0, 30, 60, 90])


async def test_a_quiet_time_gives_at_most_a_minute_s_worth() -> None:
    clock = FakeClock()
    watched = Watched(clock)
    model = RateLimitedModel(FunctionModel(watched), requests_per_minute=2, clock=clock)
    await clock.advance(3600)
    await asyncio.gather(*(model.request(ASK) for _ in range(3)))
    assert watched.at == pytest.approx([3600, 3600, 3630])


async def test_tokens_are_put_right_once_they_are_known() -> None:
    """The prompt is estimated at 9 tokens and used 600, ten minutes' worth."""
    clock = FakeClock()
    watched = Watched(clock, usage=Usage(input_tokens=500, output_tokens=100, model_calls=1))
    model = RateLimitedModel(FunctionModel(watched), tokens_per_minute=60, clock=clock)
    await model.request(ASK)
    await model.request(ASK)
    assert watched.at == pytest.approx([0, 600 - 60 + 9])


async def test_a_prompt_larger_than_a_minute_s_worth_waits_and_is_sent() -> None:
    clock = FakeClock()
    watched = Watched(clock)
    model = RateLimitedModel(FunctionModel(watched), tokens_per_minute=3, clock=clock)
    await model.request(ASK)
    assert watched.at == pytest.approx([120])


async def test_only_so_many_calls_are_under_way() -> None:
    clock = FakeClock()
    watched = Watched(clock, seconds=1)
    model = RateLimitedModel(FunctionModel(watched), concurrency=2, clock=clock)
    await asyncio.gather(*(model.request(ASK) for _ in range(6)))
    assert (watched.most, clock.monotonic()) == (2, 3)


async def test_users_do_not_wait_for_each_other() -> None:
    clock = FakeClock()
    watched = Watched(clock)
    model = RateLimitedModel(FunctionModel(watched), requests_per_minute=1, by="user", clock=clock)
    await asyncio.gather(*(model.request(replace(ASK, user=name)) for name in ("anna", "ben", "anna")))
    assert watched.at == pytest.approx([0, 0, 60])


async def test_a_stream_is_under_way_until_it_ends() -> None:
    clock = FakeClock()
    model = RateLimitedModel(FunctionModel(Watched(clock)), concurrency=1, clock=clock)
    stream = model.stream(ASK)
    await anext(stream)
    waiting = asyncio.create_task(model.request(ASK))
    await asyncio.sleep(0)
    assert not waiting.done()
    await stream.aclose()
    assert (await waiting).text == "hi"


async def test_a_wait_that_is_too_long_fails_at_once_and_takes_nothing() -> None:
    clock = FakeClock()
    watched = Watched(clock)
    model = RateLimitedModel(FunctionModel(watched), requests_per_minute=1, by="user", longest_wait=10, clock=clock)
    anna = replace(ASK, user="anna")
    await model.request(anna)
    for _ in range(2):
        with pytest.raises(ModelUnavailableError) as caught:
            await model.request(anna)
        assert str(caught.value) == (
            "the rate limit of the user 'anna' has no room for 60 s, longer than longest_wait=10; "
            "come back later, or raise the limit"
        )
        assert (caught.value.retry_after, caught.value.usage) == (60, Usage())


async def test_a_request_that_is_cancelled_while_it_waits_gives_its_turn_back() -> None:
    clock = FakeClock(auto=False)
    watched = Watched(clock)
    model = RateLimitedModel(FunctionModel(watched), requests_per_minute=1, clock=clock)
    await model.request(ASK)
    waiting = asyncio.create_task(model.request(ASK))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    last = asyncio.create_task(model.request(ASK))
    await clock.advance(60)
    await last
    assert watched.at == pytest.approx([0, 60])


async def test_what_nobody_uses_any_more_is_forgotten() -> None:
    clock = FakeClock()
    model = RateLimitedModel(FunctionModel(lambda request: "hi"), requests_per_minute=60, by="user", clock=clock)
    for i in range(1000):
        await model.request(replace(ASK, user=str(i)))
    await clock.advance(60)
    await model.request(replace(ASK, user="new"))
    assert len(model._lanes) == 1


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            {},
            "RateLimitedModel was given no limit; expected one of requests_per_minute, tokens_per_minute, concurrency",
        ),
        ({"concurrency": 0}, "concurrency is 0; expected a number above 0, or None for no limit"),
        (
            {"concurrency": 1, "by": "colour"},
            "by is 'colour'; expected 'user', 'purpose', 'all' or a function of the request",
        ),
    ],
)
def test_a_limit_that_limits_nothing_is_a_mistake(limits: dict[str, object], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        RateLimitedModel(FunctionModel(lambda request: "hi"), **limits)  # type: ignore[arg-type]
    assert str(caught.value) == f"{message}."
