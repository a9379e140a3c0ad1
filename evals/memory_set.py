"""A set of memories with questions, to measure what a memory recalls: generated from a seed, the same everywhere.

One user tells an assistant about many people, over two years and many sessions. Things change (``update``), are said
twice with different values and nobody says which is right (``contradiction``: the later one counts), and are asked
about as they were (``time``). Questions are worded unlike the memories (``fact``) or hang on a number that many look
like (``exact``), and every person has relatives with the same kinds of facts, who distract.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentkit.evals._memory_topics import CHATTER, FIRST, LAST, MONTHS, RELATIVES, STATES, THINGS, TOPICS, Topic
from agentkit.memory import Fusion, LongTermMemory, Memory, MemoryStore, RankFusion, Scope, Weights

QuestionType: TypeAlias = Literal["fact", "exact", "update", "contradiction", "time"]

USER = Scope(user="evaluation")
"""Whose memories they are."""

START = 1_704_067_200.0
"""2024-01-01T00:00:00Z, when the first session takes place."""

DAY = 86_400.0
_DAYS = 730


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what answers it.

    Attributes:
        text: The question.
        kind: What makes it hard.
        answer: The id of the memory that answers it.
        asked: When it is asked, Unix seconds.
        about: The time that it is about, where that is not now.
    """

    text: str
    kind: QuestionType
    answer: str
    asked: float
    about: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a memory says: of whom, about what, and which value; and whether one may have several at once."""

    about: str
    topic: str
    value: str
    several: bool = False


@dataclass(frozen=True, slots=True)
class MemorySet:
    """Memories in the order in which they were learnt, and questions about them.

    Attributes:
        memories: The memories.
        questions: The questions.
        told: What those that speak of a topic say, by their ids.
    """

    memories: tuple[Memory, ...]
    questions: tuple[Question, ...]
    told: Mapping[str, Told]


def memory_set(*, seed: int = 7, people: int = 60) -> MemorySet:
    """The set of a seed.

    Args:
        seed: Other seeds give other people, values and days.
        people: How many people are spoken of, at most 600; each has some 17 memories and 5 questions.
    """
    return _Generator(seed).generate(people)


class _Generator:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._memories: list[Memory] = []
        self._questions: list[Question] = []
        self._told: dict[str, Told] = {}
        self._end = START + (_DAYS + 1) * DAY

    def generate(self, people: int) -> MemorySet:
        names = [f"{first} {last}" for first in FIRST for last in LAST]
        for person in self._random.sample(names, people):
            topics = self._random.sample(TOPICS, 6)
            self._fact(person, topics[0])
            self._update(person, topics[1])
            self._contradiction(person, topics[2])
            self._exact(person)
            self._fact(person, topics[3], ask=False)
            for topic in topics[:5]:
                relative = f"The {self._random.choice(RELATIVES)} of {person}"
                self._tell(relative, topic, self._random.choice(topic.values), self._day())
            for chatter in self._random.sample(CHATTER, 3):
                day = self._day()
                self._keep(chatter.format(p=person, d=_date(day)), day, kind="episode")
        order = sorted(self._memories, key=lambda memory: memory.created)
        return MemorySet(tuple(order), tuple(self._questions), self._told)

    def _fact(self, person: str, topic: Topic, *, ask: bool = True) -> None:
        memory = self._tell(person, topic, self._random.choice(topic.values), self._day())
        if ask:
            self._ask("fact", person, topic, memory)

    def _exact(self, person: str) -> None:
        """An order among many that look like it."""
        number = self._random.randrange(10_000, 99_999)
        thing, state = self._random.choice(THINGS), self._random.choice(STATES)
        memory = self._keep(f"{person} ordered a {thing}, number {number}, which {state}.", self._day())
        self._questions.append(Question(f"What happened to order {number}?", "exact", memory.id, self._end))

    def _update(self, person: str, topic: Topic) -> None:
        """It changes three times, and each change is known to be one."""
        days = sorted(self._random.sample(range(1, _DAYS, 45), 4))
        told: list[Memory] = []
        for day, value in zip(days, self._random.sample(list(topic.values), 4), strict=True):
            replaces = (told[-1].id,) if told else ()
            told.append(self._tell(person, topic, value, START + day * DAY, supersedes=replaces))
        self._ask("update", person, topic, told[-1])
        number = self._random.randrange(3)
        about = (told[number].created + told[number + 1].created) / 2
        text = topic.then.format(p=person, t=_month(about))
        self._questions.append(Question(text, "time", told[number].id, self._end, about))

    def _contradiction(self, person: str, topic: Topic) -> None:
        """It is told twice, and nobody says that the first was wrong."""
        early, late = sorted(self._random.sample(range(1, _DAYS, 45), 2))
        first, second = self._random.sample(list(topic.values), 2)
        self._tell(person, topic, first, START + early * DAY)
        self._ask("contradiction", person, topic, self._tell(person, topic, second, START + late * DAY))

    def _ask(self, kind: QuestionType, person: str, topic: Topic, answer: Memory) -> None:
        text = self._random.choice(topic.asked).format(p=person)
        self._questions.append(Question(text, kind, answer.id, self._end))

    def _tell(self, person: str, topic: Topic, value: str, at: float, supersedes: tuple[str, ...] = ()) -> Memory:
        memory = self._keep(self._random.choice(topic.told).format(p=person, v=value), at, supersedes=supersedes)
        self._told[memory.id] = Told(person, topic.then, value, topic.several)
        return memory

    def _keep(
        self, text: str, at: float, *, kind: Literal["fact", "episode"] = "fact", supersedes: tuple[str, ...] = ()
    ) -> Memory:
        id = f"m{len(self._memories):05}"
        memory = Memory(text=text, kind=kind, scope=USER, id=id, created=at, supersedes=supersedes)
        self._memories.append(memory)
        return memory

    def _day(self) -> float:
        return START + self._random.randrange(1, _DAYS) * DAY


def _date(at: float) -> str:
    days = int((at - START) / DAY)
    return f"{days % 30 + 1} {_month(at)}"


def _month(at: float) -> str:
    months = int((at - START) / DAY / 30.44)
    return f"{MONTHS[months % 12]} {2024 + months // 12}"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to recall that is measured.

    Attributes:
        name: What reports call it.
        retrievers: Which retrievers take part.
        time: Ask for what is true at the time that the question is about, and prefer what is recent.
        fusion: How their rankings become one, if not as by default.
    """

    name: str
    retrievers: tuple[str, ...]
    time: bool = False
    fusion: Fusion | None = None


WAYS = (
    Way("BM25", ("words",)),
    Way("dense", ("meaning",)),
    Way("hybrid by ranks", ("words", "meaning"), fusion=RankFusion()),
    Way("hybrid", ("words", "meaning")),
    Way("hybrid+time", ("words", "meaning"), time=True),
)

_LATER_COUNTS = Weights(relevance=1.0, recency=0.1)


@dataclass(frozen=True, slots=True)
class RecallReport:
    """What one way recalled.

    Attributes:
        way: The way.
        ranks: For each question, the rank of its answer from 1, or None if it was not among the first ten.
        kinds: For each question, what makes it hard.
    """

    way: Way
    ranks: tuple[int | None, ...]
    kinds: tuple[QuestionType, ...]

    def recall_at(self, k: int, kind: QuestionType | None = None) -> float:
        """The share of questions, of one type or of all, whose answer is among the first `k`."""
        ranks = [rank for rank, each in zip(self.ranks, self.kinds, strict=True) if kind in (None, each)]
        return sum(rank is not None and rank <= k for rank in ranks) / len(ranks)


def joined(reports: Sequence[RecallReport]) -> RecallReport:
    """Reports of one way, on several sets, as one."""
    ranks = tuple(rank for report in reports for rank in report.ranks)
    return RecallReport(reports[0].way, ranks, tuple(kind for report in reports for kind in report.kinds))


async def fill(store: MemoryStore, memories: Iterable[Memory]) -> None:
    """Put the memories of a set into a store, oldest first."""
    waiting: list[Memory] = []
    for memory in memories:
        if memory.supersedes and waiting:  # what it supersedes must be there
            await store.add(*waiting, scope=USER)
            waiting = []
        waiting.append(memory)
    await store.add(*waiting, scope=USER)


async def evaluate_recall(store: MemoryStore, questions: Sequence[Question], way: Way) -> RecallReport:
    """Ask a filled store every question in one way."""
    memory = LongTermMemory(store, retrievers=way.retrievers, fusion=way.fusion)
    ranks: list[int | None] = []
    for question in questions:
        found = await memory.recall(
            question.text,
            scope=USER,
            k=10,
            at=question.about or question.asked,
            ended=not way.time,
            weights=_LATER_COUNTS if way.time else None,
            touch=False,
        )
        ids = [hit.memory.id for hit in found.hits]
        ranks.append(ids.index(question.answer) + 1 if question.answer in ids else None)
    return RecallReport(way, tuple(ranks), tuple(question.kind for question in questions))
