"""Waiting for work that may never end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

GRACE = 0.5
"""Seconds that work has to clean up after it was cancelled, before it is left behind."""

_abandoned: set[asyncio.Task[Any]] = set()


async def bounded(work: Coroutine[Any, Any, Result], seconds: float | None) -> Result:
    """The result of `work`, within `seconds` if given.

    `asyncio.timeout` waits for ever if the work swallows its cancellation; a tool must not be able to do that to a run.
    So the work has a task of its own, which is cancelled and, if it goes on regardless, left behind.

    Raises:
        TimeoutError: The time is over.
    """
    if seconds is None:
        return await work
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=max(seconds, 0.0))
    except asyncio.CancelledError:
        await _cancel(task)
        raise
    if not task.done():
        await _cancel(task)
        raise TimeoutError
    return task.result()


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=GRACE)
    if not task.done():
        _abandoned.add(task)
        task.add_done_callback(_forget)
        # A loop that is closed waits for all of its tasks: this one would keep `asyncio.run` from ever returning.
        asyncio.tasks._unregister_task(task)  # noqa: SLF001 - asyncio documents it for those who keep tasks themselves
    elif not task.cancelled():
        task.exception()


def _forget(task: asyncio.Task[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()
