"""Virtual time passes in order and at no cost."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from agentkit.testing import FakeClock


async def test_sleeping_takes_virtual_time_only() -> None:
    clock = FakeClock()
    started, real = clock.time(), time.perf_counter()
    await clock.sleep(86_400)
    assert clock.time() - started == 86_400
    assert clock.monotonic() == 86_400
    assert clock.now() == datetime(2026, 1, 2, tzinfo=UTC)
    assert time.perf_counter() - real < 5


async def test_sleepers_wake_in_order_of_time_and_then_of_falling_asleep() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in [("c", 3), ("a", 1), ("b", 2), ("a2", 1), ("now", 0)]:
            group.create_task(sleeper(name, seconds))
    assert woken == [("now", 0), ("a", 1), ("a2", 1), ("b", 2), ("c", 3)]
    assert clock.slept == [3, 1, 2, 1, 0]


async def test_work_between_sleeps_is_done_before_time_moves_on() -> None:
    """Two chains of steps run side by side: the whole takes as long as the longer one."""
    clock = FakeClock()

    async def chain(steps: int) -> None:
        for _ in range(steps):
            await asyncio.gather(clock.sleep(1), asyncio.sleep(0))
            await asyncio.sleep(0)

    await asyncio.gather(chain(3), chain(5))
    assert clock.monotonic() == 5


async def test_a_cancelled_sleeper_does_not_hold_time_up() -> None:
    clock = FakeClock()
    long = asyncio.create_task(clock.sleep(1000))
    await clock.sleep(1)
    long.cancel()
    await clock.sleep(1)
    assert clock.monotonic() == 2
    with pytest.raises(asyncio.CancelledError):
        await long


async def test_time_may_be_moved_by_hand() -> None:
    clock = FakeClock(start=0.0, auto=False)
    woken: list[float] = []

    async def ticker() -> None:
        while True:
            await clock.sleep(10)
            woken.append(clock.time())

    task = asyncio.create_task(ticker())
    await clock.advance(35)
    assert woken == [10, 20, 30]
    assert clock.time() == 35
    task.cancel()
