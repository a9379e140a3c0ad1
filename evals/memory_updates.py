"""How true a memory's manager keeps what it is told: changes, contradictions, and facts that must stay as they are.

The memories of `memory_set` are told one after the other, each at its time, and nobody says which of them replaces
which. In the end, of each thing that changed only the last telling must hold, and all else must still be there: also
both pets of somebody who has told of two, unless the manager is told that everything has one value at a time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from agentkit.clock import SystemClock
from agentkit.evals._kept import Kept
from agentkit.evals.memory_set import USER, Told, memory_set
from agentkit.memory import (
    RELATIONS,
    Candidate,
    Decider,
    Filter,
    LongTermMemory,
    Manager,
    Memory,
    Relation,
    SqliteStore,
)
from agentkit.protocols import Embedder
from agentkit.run import Run

ONE_VALUE_EACH: tuple[Relation, ...] = tuple(replace(relation, single=True) for relation in RELATIONS)
"""The default relations, told that each has one value at a time, as each topic of the set does."""

Change: TypeAlias = Literal["update", "contradiction", "several", "unchanged"]
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
        """The share of what changed in this way that is remembered rightly; what else was told counts as unchanged.

        Not a number where nothing changed in this way.
        """
        found = [right for each, right in self.right if each == change]
        found += self.others if change == "unchanged" else ()
        return sum(found) / len(found) if found else math.nan


def all_together(reports: Sequence[UpdateReport]) -> UpdateReport:
    """Reports on several sets as one."""
    right = tuple(one for report in reports for one in report.right)
    others = tuple(one for report in reports for one in report.others)
    return UpdateReport(right, others, sum(report.flagged for report in reports))


async def evaluate_updates(
    *,
    people: int = 60,
    seed: int = 7,
    decide: Decider | None = None,
    one_value: bool = False,
    embedder: Embedder | None = None,
    run: Run | None = None,
) -> UpdateReport:
    """Tell a manager everything, and look at what it holds to be true in the end.

    Args:
        people: How many people are spoken of.
        seed: Of the set.
        decide: Who decides; rules if not given.
        one_value: Everything has one value at a time, pets and languages too, and the rules are told so. If not, all
            that was told of what people may have several of must hold in the end.
        embedder: Of the store; memories that may be concerned are found by words without one.
        run: Whose model, budgets and events are used.
    """
    generated = memory_set(seed=seed, people=people)
    clock, store = _At(), SqliteStore(":memory:", None if embedder is None else Kept(embedder))
    relations = ONE_VALUE_EACH if one_value else RELATIONS
    manager = Manager(LongTermMemory(store, clock=clock), decide=decide, relations=relations)
    for memory in generated.memories:
        clock.now = memory.created
        await manager.learn([Candidate(text=memory.text, kind=memory.kind)], scope=USER, run=run)
    clock.now += 1
    holds = await store.list(Filter(at=clock.now), scope=USER)
    flagged = await store.count(Filter(flagged=True), scope=USER)
    await store.aclose()
    things: dict[tuple[str, str], list[Told]] = {}
    for memory in generated.memories:  # they are in the order of their telling
        if (told := generated.told.get(memory.id)) is not None:
            things.setdefault((told.about, told.topic), []).append(told)
    right = tuple(_judged(tellings, holds, one_value) for tellings in things.values())
    others = [one.text for one in generated.memories if one.id not in generated.told]
    return UpdateReport(right, tuple(any(text in one.text for one in holds) for text in others), flagged)


def _judged(tellings: Sequence[Told], holds: Sequence[Memory], one_value: bool) -> tuple[Change, bool]:
    """How something changed, and whether just what is true of it is remembered."""
    *_, last = tellings
    texts = [memory.text for memory in holds if _is_about(memory.text, last.about)]
    values = [each.value for each in tellings]
    said = {value for value in values for text in texts if re.search(rf"\b{re.escape(value)}\b", text)}
    if last.several and not one_value and len(tellings) > 1:
        return "several", said == set(values)
    return _TELLINGS[len(tellings)], said == {last.value}


def _is_about(text: str, about: str) -> bool:
    """Whether a text speaks of somebody, and not of a relative."""
    return about in text and (about.startswith("The ") or f" of {about}" not in text)
