"""How true a memory's manager keeps what it is told: changes, contradictions, and facts that must stay as they are.

The memories of `memory_set` are told one after the other, each at its time, and nobody says which of them replaces
which. In the end, of each thing that changed only the last telling must hold, and all else must still be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from agentkit.clock import SystemClock
from agentkit.evals.memory_set import USER, memory_set
from agentkit.memory import (
    RELATIONS,
    Candidate,
    Decider,
    Filter,
    InMemoryStore,
    LongTermMemory,
    Manager,
    Memory,
    Relation,
)
from agentkit.protocols import Embedder
from agentkit.run import Run

ONE_VALUE_EACH: tuple[Relation, ...] = tuple(replace(relation, single=True) for relation in RELATIONS)
"""The default relations, told that each has one value at a time, as each topic of the set does."""

Change: TypeAlias = Literal["update", "contradiction", "unchanged"]
_TELLINGS: dict[int, Change] = {4: "update", 2: "contradiction", 1: "unchanged"}


class _At(SystemClock):
    """A clock that is set."""

    now = 0.0

    def time(self) -> float:
        """The time that it was set to."""
        return self.now


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What held in the end.

    Attributes:
        right: For each thing that was told: how it changed, and whether just what is true of it is remembered.
        others: For each order and each small event: whether it is still remembered.
        flagged: How many memories are flagged, because a reply of the model could not be used.
    """

    right: tuple[tuple[Change, bool], ...]
    others: tuple[bool, ...]
    flagged: int = 0

    def accuracy(self, change: Change) -> float:
        """The share of what changed in this way that is remembered rightly; what else was told counts as unchanged."""
        found = [right for each, right in self.right if each == change]
        found += self.others if change == "unchanged" else ()
        return sum(found) / len(found)


async def evaluate_updates(
    *,
    people: int = 60,
    seed: int = 7,
    decide: Decider | None = None,
    relations: Sequence[Relation] = RELATIONS,
    embedder: Embedder | None = None,
    run: Run | None = None,
) -> UpdateReport:
    """Tell a manager everything, and look at what it holds to be true in the end.

    Args:
        people: How many people are spoken of.
        seed: Of the set.
        decide: Who decides; rules if not given.
        relations: What the rules understand.
        embedder: Of the store; memories that may be concerned are found by words without one.
        run: Whose model, budgets and events are used.
    """
    generated = memory_set(seed=seed, people=people)
    clock, store = _At(), InMemoryStore(embedder)
    manager = Manager(LongTermMemory(store, clock=clock), decide=decide, relations=relations)
    for memory in generated.memories:
        clock.now = memory.created
        await manager.learn([Candidate(text=memory.text, kind=memory.kind)], scope=USER, run=run)
    clock.now += 1
    holds = await store.list(Filter(at=clock.now), scope=USER)
    flagged = await store.count(Filter(flagged=True), scope=USER)
    await store.aclose()
    things: dict[tuple[str, str], list[str]] = {}
    for memory in generated.memories:  # they are in the order of their telling
        if (told := generated.told.get(memory.id)) is not None:
            things.setdefault((told.about, told.topic), []).append(told.value)
    right = tuple((_TELLINGS[len(values)], _is_right(about, values, holds)) for (about, _), values in things.items())
    others = [one.text for one in generated.memories if one.id not in generated.told]
    return UpdateReport(right, tuple(any(text in one.text for one in holds) for text in others), flagged)


def _is_right(about: str, values: Sequence[str], holds: Sequence[Memory]) -> bool:
    """Whether the last value is remembered of somebody, and none of those before."""
    texts = [memory.text for memory in holds if _is_about(memory.text, about)]
    said = {value for value in values for text in texts if re.search(rf"\b{re.escape(value)}\b", text)}
    return values[-1] in said and not said.intersection(values[:-1])


def _is_about(text: str, about: str) -> bool:
    """Whether a text speaks of somebody, and not of a relative."""
    return about in text and (about.startswith("The ") or f" of {about}" not in text)
