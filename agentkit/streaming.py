"""The events of a run as an async iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

from agentkit.errors import AgentKitError
from agentkit.events import Event
from agentkit.results import RunResult


class RunStream:
    """Events of one run as they happen; `result` is there when the events are over."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._result: RunResult | None = None
        self._over = False

    @property
    def result(self) -> RunResult:
        """The run's result.

        Raises:
            AgentKitError: The run has not ended yet.
        """
        if self._result is None:
            raise AgentKitError("the run has not ended yet; iterate over its events first")
        return self._result

    def put(self, event: Event) -> None:
        """Add an event; this is the run's listener."""
        self._queue.put_nowait(event)

    async def fill(self, run: Awaitable[RunResult]) -> None:
        """Wait for the run and close the stream, whatever happens."""
        try:
            self._result = await run
        finally:
            self._queue.put_nowait(None)

    async def drain(self) -> None:
        """Go past the events that nobody has taken, to the end of the run."""
        async for _ in self:
            continue

    async def __aiter__(self) -> AsyncIterator[Event]:
        while not self._over:
            event = await self._queue.get()
            if event is None:
                self._over = True
                return
            yield event
