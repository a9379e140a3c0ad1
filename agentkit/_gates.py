"""How many calls of one tool may be under way at once, across all runs."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from agentkit.toolbox import Tool

_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakKeyDictionary[Tool, asyncio.Semaphore]] = WeakKeyDictionary()


def gate_of(tool: Tool) -> asyncio.Semaphore | None:
    """The tool's own limit on concurrent calls, shared by every run in this event loop."""
    if tool.max_concurrency is None:
        return None
    of_loop = _gates.setdefault(asyncio.get_running_loop(), WeakKeyDictionary())
    gate = of_loop.get(tool)
    if gate is None:
        gate = of_loop[tool] = asyncio.Semaphore(tool.max_concurrency)
    return gate
