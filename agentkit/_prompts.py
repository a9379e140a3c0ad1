"""Prompts that grow turn by turn, kept without copying what earlier ones hold already.

In memory, the events of one conversation share the rows of its messages. In a journal, a prompt is written as what it
adds to an earlier one of its run, so a long conversation takes as much room as it has messages, not the square of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from agentkit.messages import Json, Message

Rows: TypeAlias = tuple[Mapping[str, Json], ...]
"""Messages as events hold them: each with its role and content."""

_CONVERSATIONS = 8
"""How many conversations are remembered at once; those of subgoals and judges take turns with the planner's."""

_AFTER, _SHARED = "prompt_after", "prompt_shared"

Item = TypeVar("Item")
Kept = TypeVar("Kept")


class _Latest(Generic[Item, Kept]):
    """The latest state of some conversations, found by their first message."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[Item, ...], Kept]] = {}

    def before(self, items: tuple[Item, ...]) -> tuple[int, Kept] | None:
        """How many of these items the conversation had at its latest state, and what was kept of it."""
        known = self._known.get(id(items[0])) if items else None
        if known is None:
            return None
        earlier, kept = known
        for count in (len(earlier), len(earlier) - 1):  # the last one may have been the beginning of a reply
            if items[:count] == earlier[:count]:
                return count, kept
        return None

    def keep(self, items: tuple[Item, ...], kept: Kept) -> None:
        """Remember a state; it holds its first item, so that no other one can have its identity."""
        if not items:
            return
        self._known.pop(id(items[0]), None)
        self._known[id(items[0])] = (items, kept)
        if len(self._known) > _CONVERSATIONS:
            del self._known[next(iter(self._known))]


class PromptRows:
    """Messages as rows; those of a message that stood in the conversation's latest prompt are the same objects."""

    def __init__(self) -> None:
        self._latest = _Latest[Message, Rows]()

    def of(self, messages: tuple[Message, ...]) -> Rows:
        """The rows of a prompt."""
        count, rows = self._latest.before(messages) or (0, ())
        new = tuple({"role": message.role, "content": message.content} for message in messages[count:])
        rows = (*rows[:count], *new)
        self._latest.keep(messages, rows)
        return rows


class PromptsWritten:
    """The prompts that a run's journal holds, for the next one to be written as what it adds."""

    def __init__(self) -> None:
        self._latest = _Latest[Mapping[str, Json], int]()

    def shared(self, number: int, prompt: Rows) -> tuple[int, int] | None:
        """The event that holds the beginning of event `number`'s prompt, and how many of its messages."""
        found = self._latest.before(prompt)
        self._latest.keep(prompt, number)
        return None if found is None or not found[0] else (found[1], found[0])


def shorten(row: dict[str, Any], shared: tuple[int, int] | None) -> dict[str, Any]:
    """A model call's event as JSON, without the beginning of its prompt that an earlier event holds."""
    if shared is None:
        return row
    after, count = shared
    return {**row, "prompt": row["prompt"][count:], _AFTER: after, _SHARED: count}


def whole(rows: Iterable[tuple[int, dict[str, Any]]]) -> Iterable[dict[str, Any]]:
    """Events as JSON, by number and in order, with their prompts whole again."""
    prompts: dict[int, Sequence[Any]] = {}
    for number, row in rows:
        if _AFTER in row:
            row["prompt"] = [*prompts[row.pop(_AFTER)][: row.pop(_SHARED)], *row["prompt"]]
        if "prompt" in row:
            prompts[number] = row["prompt"]
        yield row
