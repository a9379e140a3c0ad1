"""Limits on how fast a model is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from agentkit.clock import SystemClock
from agentkit.errors import DefinitionError, ModelUnavailableError
from agentkit.messages import ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models._keys import By, key_function, shown
from agentkit.models._requests import estimated_tokens
from agentkit.models._wrapper import Wrapper, closing
from agentkit.protocols import Clock, Model

_MINUTE = 60.0
_LANES = 1000


class RateLimitedModel(Wrapper):
    """Lets requests wait until a model's rate limits have room for them, in the order of their arrival.

    Each limit is a bucket that refills evenly: a minute's worth may go at once. Tokens are estimated before a call and
    put right after it.

    Args:
        model: The model or its id.
        requests_per_minute: Calls a minute; None for any number.
        tokens_per_minute: Prompt and generated tokens a minute; None for any number.
        concurrency: Calls under way at once; None for any number.
        by: What the limits hold for: each ``user``, each ``purpose``, ``all`` requests together, or each result of a
            function of the request.
        longest_wait: Seconds that a request waits at most for the two rates; one that would have to wait longer fails
            at once. None waits as long as it takes.
        clock: Time, for tests.

    Raises:
        DefinitionError: A limit is not positive, or there is none.
    """

    def __init__(
        self,
        model: Model | str,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        concurrency: int | None = None,
        by: By = "all",
        longest_wait: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(model)
        limits = {
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
            "concurrency": concurrency,
        }
        for name, limit in limits.items():
            if limit is not None and limit <= 0:
                raise DefinitionError(f"{name} is {limit!r}; expected a number above 0, or None for no limit.")
        if all(limit is None for limit in limits.values()):
            raise DefinitionError(f"RateLimitedModel was given no limit; expected one of {', '.join(limits)}.")
        self._rates = (requests_per_minute, tokens_per_minute)
        self._concurrency = concurrency
        self._by = by
        self._key = key_function(by)
        self._longest_wait = longest_wait
        self._clock: Clock = clock or SystemClock()
        self._lanes: dict[str, _Lane] = {}

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` when its turn has come.

        Raises:
            ModelUnavailableError: It would have to wait longer than `longest_wait`.
        """
        async with self._turn(request) as turn:
            response = await self.model.request(request)
            turn.used(response.usage)
            return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece when its turn has come; it is under way until the stream ends."""
        async with self._turn(request) as turn, closing(self.model.stream(request)) as source:
            async for piece in source:
                if isinstance(piece, ModelResponse):
                    turn.used(piece.usage)
                yield piece

    @asynccontextmanager
    async def _turn(self, request: ModelRequest) -> AsyncIterator[_Turn]:
        key = self._key(request)
        lane = self._lane(key)
        lane.visitors += 1
        try:
            async with lane.gate():
                turn = _Turn(lane, estimated_tokens(request), self._clock.time())
                if self._longest_wait is not None and turn.wait > self._longest_wait:
                    turn.give_back()
                    raise self._full(key, turn.wait)
                try:
                    await self._clock.sleep(turn.wait)
                except BaseException:
                    turn.give_back()
                    raise
                yield turn
        finally:
            lane.visitors -= 1

    def _lane(self, key: str) -> _Lane:
        """The buckets of a key; those of keys that nobody uses are dropped when they are full again."""
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= _LANES:
                now = self._clock.time()
                self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle(now)}
            lane = self._lanes[key] = _Lane(*self._rates, self._concurrency, self._clock.time())
        return lane

    def _full(self, key: str, wait: float) -> ModelUnavailableError:
        error = ModelUnavailableError(
            f"the rate limit of {shown(self._by, key)} has no room for {wait:.3g} s, longer than "
            f"longest_wait={self._longest_wait:g}; come back later, or raise the limit",
            model=self.name,
            retry_after=wait,
        )
        error.usage = Usage()
        return error


class _Bucket:
    """So much a minute. Taking more than there is leaves a debt, and the wait until it is paid."""

    __slots__ = ("_at", "_level", "_most")

    def __init__(self, per_minute: float, now: float) -> None:
        self._most = self._level = per_minute
        self._at = now

    def take(self, amount: float, now: float) -> float:
        """Take it; the seconds until it has been there to take. A negative amount gives back."""
        self._level = min(self._level_at(now) - amount, self._most)
        self._at = max(now, self._at)
        return max(-self._level * _MINUTE / self._most, 0.0)

    def full(self, now: float) -> bool:
        return self._level_at(now) >= self._most

    def _level_at(self, now: float) -> float:
        return min(self._level + max(now - self._at, 0.0) * self._most / _MINUTE, self._most)


class _Lane:
    """The limits of one key."""

    __slots__ = ("_concurrency", "_gates", "requests", "tokens", "visitors")

    def __init__(self, requests: float | None, tokens: float | None, concurrency: int | None, now: float) -> None:
        self.requests = None if requests is None else _Bucket(requests, now)
        self.tokens = None if tokens is None else _Bucket(tokens, now)
        self.visitors = 0
        self._concurrency = concurrency
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def gate(self) -> asyncio.Semaphore:
        """What lets so many through at once, in the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._gates:
            self._gates[loop] = asyncio.Semaphore(self._concurrency or 2**31)
        return self._gates[loop]

    def idle(self, now: float) -> bool:
        """Whether a new lane would be just like it."""
        return not self.visitors and all(bucket is None or bucket.full(now) for bucket in (self.requests, self.tokens))


class _Turn:
    """What one request has taken, and how long it waits for it."""

    __slots__ = ("_estimate", "_lane", "_now", "wait")

    def __init__(self, lane: _Lane, estimate: int, now: float) -> None:
        self._lane = lane
        self._estimate = estimate
        self._now = now
        self.wait = max(
            lane.requests.take(1, now) if lane.requests else 0.0,
            lane.tokens.take(estimate, now) if lane.tokens else 0.0,
        )

    def used(self, usage: Usage) -> None:
        """Put the estimate right."""
        if self._lane.tokens is not None:
            self._lane.tokens.take(usage.total_tokens - self._estimate, self._now)

    def give_back(self) -> None:
        """It was not sent after all."""
        if self._lane.requests is not None:
            self._lane.requests.take(-1, self._now)
        if self._lane.tokens is not None:
            self._lane.tokens.take(-self._estimate, self._now)
