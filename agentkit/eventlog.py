"""The stream of one run's events: remembered in order, and handed to everyone who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agentkit.events import Event


class EventLog:
    """The append-only stream of one run: remembers every event and hands each to its listeners, in order."""

    __slots__ = ("_events", "_listeners")

    def __init__(self, *listeners: Callable[[Event], None]) -> None:
        self._events: list[Event] = []
        self._listeners = listeners

    def emit(self, event: Event) -> None:
        """Append `event` and tell the listeners."""
        self._events.append(event)
        for listener in self._listeners:
            listener(event)

    def since(self, position: int) -> list[Event]:
        """The events from `position` on, counted from 0."""
        return self._events[position:]

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def snapshot(self) -> tuple[Event, ...]:
        """All events so far."""
        return tuple(self._events)
