"""How well a memory's manager decides about one new sentence, beside all that is true when it is said.

The sentences are those of `memory_set`: some change what was true of one thing (``change``), some say again in other
words what is known (``again``), and some say something new of a person, of a relative, or of what people may have
several of (``new``). A decision takes a small model seconds, so that some thirty samples are done within minutes.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from agentkit.evals._kept import Kept
from agentkit.evals._memory_topics import TOPICS
from agentkit.evals.memory_set import USER, Told, fill, memory_set
from agentkit.memory import Decided, Decider, LongTermMemory, Manager, Memory, SqliteStore
from agentkit.messages import Usage
from agentkit.protocols import Embedder
from agentkit.run import Run
from agentkit.testing import FakeClock

Sort: TypeAlias = Literal["change", "again", "new"]
_MEANT = {"change": ("replace",), "again": ("ignore", "merge", "replace"), "new": ("insert",)}


@dataclass(frozen=True, slots=True)
class Sample:
    """A sentence, and all that is known when it is said.

    Attributes:
        sort: What it is beside what is known.
        text: The sentence.
        said: When, Unix seconds.
        known: What is true by then.
        target: The id of the memory that it concerns; empty if it is new.
    """

    sort: Sort
    text: str
    said: float
    known: tuple[Memory, ...]
    target: str = ""


def decision_samples(count: int, *, seed: int = 7, people: int = 8) -> list[Sample]:
    """Samples of the three sorts in turn.

    Args:
        count: How many at most; there are some four a person of each sort.
        seed: Of the set, and of the choice.
        people: How many people are spoken of.
    """
    chosen = random.Random(seed)
    generated = memory_set(seed=seed, people=people)
    found: dict[Sort, list[Sample]] = defaultdict(list)
    known: dict[str, Memory] = {}
    holds: dict[tuple[str, str], str] = {}
    for one in generated.memories:
        memory, told = replace(one, supersedes=()), generated.told.get(one.id)
        thing = ("", one.id) if told is None or told.several else (told.about, told.topic)
        before = holds.get(thing, "")
        said = tuple(known.values())
        found["change" if before else "new"].append(
            Sample("change" if before else "new", memory.text, memory.created, said, before)
        )
        known.pop(before, None)
        known[memory.id] = memory
        holds[thing] = memory.id
        if told is not None and (other := _otherwise(told, memory.text, chosen)):
            found["again"].append(Sample("again", other, memory.created + 1, tuple(known.values()), memory.id))
    for samples in found.values():
        chosen.shuffle(samples)
    in_turn = zip(*(found[sort] for sort in get_args(Sort)), strict=False)
    return [sample for samples in in_turn for sample in samples][:count]


def _otherwise(told: Told, text: str, chosen: random.Random) -> str:
    """The same in other words."""
    [topic] = [topic for topic in TOPICS if topic.then == told.topic]
    others = [way.format(p=told.about, v=told.value) for way in topic.told]
    return chosen.choice([other for other in others if other != text])


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """What was decided.

    Attributes:
        samples: What was asked.
        decided: What was decided about each.
        seconds: How long each took.
        usage: What the model took.
    """

    samples: tuple[Sample, ...]
    decided: tuple[Decided, ...]
    seconds: tuple[float, ...]
    usage: Usage

    @property
    def right(self) -> tuple[bool, ...]:
        """Whether each decision is right: the action, and the memory that it concerns."""
        pairs = zip(self.samples, self.decided, strict=True)
        return tuple(
            one.action in _MEANT[sample.sort] and (not sample.target or sample.target in one.targets)
            for sample, one in pairs
        )

    def accuracy(self, sort: Sort | None = None) -> float:
        """The share of right decisions, about one sort of sentences or all."""
        pairs = zip(self.samples, self.right, strict=True)
        found = [right for sample, right in pairs if sort in (None, sample.sort)]
        return sum(found) / len(found)


async def evaluate_decisions(
    samples: Sequence[Sample],
    *,
    decide: Decider | None = None,
    embedder: Embedder | None = None,
    run: Run | None = None,
) -> DecisionReport:
    """Have a manager decide about each sample.

    Args:
        samples: What is said, beside what is known.
        decide: Who decides; rules if not given.
        embedder: Of the store; memories that may be concerned are found by words without one.
        run: Whose model, budgets and events are used.
    """
    kept = None if embedder is None else Kept(embedder)
    decided, seconds = [], []
    for sample in samples:
        store = SqliteStore(":memory:", kept)
        await fill(store, sample.known)
        manager = Manager(LongTermMemory(store, clock=FakeClock(start=sample.said)), decide=decide)
        started = time.perf_counter()
        decided += await manager.learn([sample.text], scope=USER, run=run)
        seconds.append(time.perf_counter() - started)
        await store.aclose()
    usage = Usage() if run is None else run.meter.usage
    return DecisionReport(tuple(samples), tuple(decided), tuple(seconds), usage)
