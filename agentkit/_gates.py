"""How many calls of one tool may be under way at once, across all runs."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from weakref import WeakKeyDictionary

from agentkit.toolbox import Tool

_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakKeyDictionary[Tool, asyncio.Semaphore]] = WeakKeyDictionary()
_open: AbstractAsyncContextManager[None] = nullcontext()


def gate_of(tool: Tool) -> AbstractAsyncContextManager[None]:
    """The tool's own limit on concurrent calls, shared by the runs of this event loop; open where there is none."""
    if tool.max_concurrency is None:
        return _open
    of_loop = _gates.setdefault(asyncio.get_running_loop(), WeakKeyDictionary())
    gate = of_loop.get(tool)
    if gate is None:
        gate = of_loop[tool] = asyncio.Semaphore(tool.max_concurrency)
    return gate
