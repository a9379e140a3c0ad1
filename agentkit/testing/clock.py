"""A clock that tests own: sleeping takes virtual time and no real time."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime
from itertools import count

_QUIET_ROUNDS = 50
"""Turns of the event loop granted to running tasks before time moves on: more than a chain of awaits and task groups
needs to settle, and a fixed number, so that tests are deterministic."""


class FakeClock:
    """Virtual time. When everybody sleeps, time jumps to the next waking, in order of time and then of falling asleep.

    Only `sleep` takes time: threads, subprocesses and the network are not waited for. Turn `auto` off and call
    `advance` to decide by yourself when time passes.

    Args:
        start: Unix time in seconds at the beginning; the default is 2026-01-01T00:00:00Z.
        auto: Move time forward by itself whenever all tasks wait.
    """

    def __init__(self, start: float = 1_767_225_600.0, *, auto: bool = True) -> None:
        self.slept: list[float] = []
        self._start = start
        self._elapsed = 0.0
        self._auto = auto
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._settling = False

    def time(self) -> float:
        """Unix time in seconds."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._elapsed

    def now(self) -> datetime:
        """The time as a date in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of virtual time; `slept` keeps every duration asked for."""
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waking = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), waking))
        self._settle()
        await waking

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, waking sleepers at their times, and wait until they have settled."""
        until = self._elapsed + seconds
        await self._settled()
        while (waking := self._next()) is not None and waking <= until:
            self._wake(waking)
            await self._settled()
        self._elapsed = until

    async def _settled(self) -> None:
        for _ in range(_QUIET_ROUNDS):
            await asyncio.sleep(0)

    def _settle(self) -> None:
        if self._auto and not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_soon(self._round, _QUIET_ROUNDS)

    def _round(self, left: int) -> None:
        if left:
            asyncio.get_running_loop().call_soon(self._round, left - 1)
            return
        self._settling = False
        waking = self._next()
        if waking is not None:
            self._wake(waking)
            self._settle()

    def _next(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():  # cancelled sleepers
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake(self, waking: float) -> None:
        self._elapsed = max(self._elapsed, waking)
        while self._next() is not None and self._sleepers[0][0] <= waking:
            heapq.heappop(self._sleepers)[2].set_result(None)
