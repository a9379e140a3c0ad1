"""What becomes of a candidate beside what is known already: kept, joined, put in its place, or left out.

Sources: Liu et al., "Think-in-Memory" (2023): is it worth keeping, and does it concern something that is there; Bae et
al., "Keep Me Updated!" (2022): of an old and a new sentence keep the old (pass), the new (replace), both (append) or
neither (delete).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from agentkit.lexical import STOP_WORDS, query_words
from agentkit.memory.extraction import EVERYTHING_ABOUT_THE_USER, WISH, Candidate
from agentkit.memory.records import Memory
from agentkit.memory.statements import Grammar, Statement, is_over
from agentkit.run import Run

Opinion: TypeAlias = Literal["insert", "merge", "replace", "delete", "ignore", "contradict"]
"""What a decider says. ``contradict``: both cannot be true, and nothing says that something has changed."""

SAME_MEANING = 0.95
"""The cosine from which two texts with the same names and numbers say the same."""


@dataclass(frozen=True, slots=True)
class Related:
    """A memory that a candidate may concern, and the cosine of their meanings where there are embeddings."""

    memory: Memory
    likeness: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a decider says of one candidate.

    Attributes:
        opinion: What to do.
        targets: The memories that it concerns.
        text: What a merged memory says.
        why: Why, in words.
    """

    opinion: Opinion
    targets: tuple[str, ...] = ()
    text: str = ""
    why: str = ""


class Decider(Protocol):
    """Decides about candidates."""

    @property
    def name(self) -> str:
        """Who decides, for the audit trail."""
        ...

    @property
    def at_once(self) -> int:
        """How many candidates it is given at a time. Later ones are compared with what earlier ones have changed."""
        ...

    async def decide(
        self, candidates: Sequence[Candidate], related: Sequence[Sequence[Related]], run: Run | None
    ) -> Sequence[Verdict]:
        """A verdict on each candidate, given the memories that it may concern.

        Raises:
            ModelError: The model failed for good, or its replies cannot be used.
            LimitReached: A budget of the run is used up.
        """
        ...


class RuleDecider:
    """Compares sentences by patterns and words. No model is called.

    Args:
        grammar: Which sentences are understood.
    """

    name = "rules"
    at_once = 1

    def __init__(self, grammar: Grammar | None = None) -> None:
        self._grammar = grammar or Grammar()

    async def decide(
        self, candidates: Sequence[Candidate], related: Sequence[Sequence[Related]], run: Run | None
    ) -> Sequence[Verdict]:
        """A verdict on each candidate."""
        return [self.verdict(one, beside) for one, beside in zip(candidates, related, strict=True)]

    def verdict(self, candidate: Candidate, related: Sequence[Related]) -> Verdict:
        """The first memory that settles it, the nearest looked at first."""
        if candidate.forget:
            return self._forget(candidate, related)
        for one in related:
            if says_the_same(candidate.text, one.memory.text) or _means_the_same(candidate.text, one):
                return Verdict("ignore", (one.memory.id,), why="it is known")
        if candidate.kind == "lesson":
            return next((found for one in related if (found := _lessons(candidate, one.memory))), inserted())
        if candidate.text.startswith(WISH):
            return next((found for one in related if (found := _wishes(candidate.text, one.memory))), inserted())
        new = self._grammar.read(candidate.text)
        if new is not None:
            new = replace(new, changes=new.changes or candidate.changes)
            verdicts = [self._compare(candidate, new, one.memory) for one in related]
            concerned = [verdict for verdict in verdicts if verdict is not None]
            if concerned:
                return _all_of(concerned)
        return next((verdict for one in related if (verdict := _within(candidate.text, one.memory))), inserted())

    def _forget(self, candidate: Candidate, related: Sequence[Related]) -> Verdict:
        if candidate.text == EVERYTHING_ABOUT_THE_USER and related:
            every = tuple(one.memory.id for one in related)
            return Verdict("delete", every, why="the user asked to forget everything")
        asked = self._grammar.read(candidate.text)
        found = [
            one.memory.id
            for one in related
            if (asked is not None and _same_thing(asked, self._grammar.read(one.memory.text)))
            or _contained(candidate.text, one.memory.text)
        ]
        why = "the user asked to forget it" if found else "the user asked to forget it, and nothing says it"
        return Verdict("delete" if found else "ignore", tuple(found), why=why)

    def _compare(self, candidate: Candidate, new: Statement, memory: Memory) -> Verdict | None:
        """What a memory with the same subject and relation means for the candidate; None if it has another."""
        old = self._grammar.read(memory.text)
        if old is None or (old.subject, old.relation) != (new.subject, new.relation):
            return None
        about, target = f"both say the {new.relation} of {new.subject}", (memory.id,)
        if old.value == new.value:
            if new.negated and not old.negated and old.more.startswith("and ") and new.more != old.more:
                text = joined(memory.text, candidate.text)
                return Verdict("merge", target, text, why=f"{about}, and part of it is denied")
            if old.negated != new.negated:
                if new.negated and is_over(candidate.text):
                    return Verdict("delete", target, why=f"{about}, and it is over")
                return Verdict("replace" if new.changes else "contradict", target, why=f"{about}, one denies it")
            if not new.more or new.more == old.more:
                return Verdict("ignore", target, why=f"{about}, and it is known")
            if not old.more:
                return Verdict("replace", target, why=f"{about}, the new one in more detail")
            return Verdict("merge", target, joined(memory.text, candidate.text), why=f"{about}, each with details")
        if not new.single or new.negated or old.negated:
            return None
        if new.changes:
            return Verdict("replace", target, why=f"{about}, and the new one says that it changed")
        return Verdict("contradict", target, why=f"{about}, with different values")


def inserted() -> Verdict:
    """What becomes of that which concerns nothing known."""
    return Verdict("insert", why="nothing known concerns it")


def _all_of(found: Sequence[Verdict]) -> Verdict:
    """One verdict from those on several memories: what is known is known; else the first, with all it concerns."""
    known = next((verdict for verdict in found if verdict.opinion == "ignore"), None)
    others = [verdict for verdict in found if verdict.opinion in ("replace", "contradict")]
    if known is not None and not others:
        return known
    if known is None and found[0].opinion == "merge":
        return found[0]
    first = others[0] if others else found[0]
    alike = [verdict for verdict in found if verdict.opinion in (first.opinion, "ignore")]
    return Verdict(first.opinion, tuple(id for verdict in alike for id in verdict.targets), why=first.why)


def _same_thing(asked: Statement, said: Statement | None) -> bool:
    return (
        said is not None
        and (said.subject, said.relation) == (asked.subject, asked.relation)
        and (said.value == asked.value or said.value.startswith(asked.value))
    )


def joined(old: str, new: str) -> str:
    """Two texts as one, each as a sentence."""
    return " ".join(
        text.strip() if text.strip().endswith((".", "!", "?")) else f"{text.strip()}." for text in (old, new)
    )


# comparing words


def says_the_same(one: str, other: str) -> bool:
    """Whether two texts have the same words in the same order, but for case, punctuation and articles."""
    return _plain(one) == _plain(other)


def _means_the_same(text: str, related: Related) -> bool:
    """Whether meanings are as good as equal and no name, number or denial differs."""
    if related.likeness is None or related.likeness < SAME_MEANING:
        return False
    return _marks(text) == _marks(related.memory.text)


def _within(text: str, memory: Memory) -> Verdict | None:
    """Whether one of two texts says what the other says, and goes on."""
    new, old = _plain(text), _plain(memory.text)
    if _denials(new) != _denials(old) or min(len(new), len(old)) < _LEAST_WORDS:
        return None
    if old[: len(new)] == new:
        return Verdict("ignore", (memory.id,), why="it is known in more detail")
    if new[: len(old)] == old:
        return Verdict("replace", (memory.id,), why="it says the same in more detail")
    return None


_LEAST_WORDS = 3
_DENIALS = frozenset({"not", "no", "never", "cannot", "without", "longer"})


def _plain(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.lower()) if word not in ("a", "an", "the")]


def _denials(words: Sequence[str]) -> frozenset[str]:
    return _DENIALS & set(words)


def _marks(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names, numbers and denials: what may not differ between two ways of saying the same."""
    words = re.findall(r"\w+", text)
    named = {word.lower() for word in words[1:] if word[0].isupper() or word[0].isdigit()}
    return frozenset(named), _denials([word.lower() for word in words])


def speak_of_the_same(one: str, other: str) -> bool:
    """Whether two texts share a name, or begin with the same word."""
    return _plain(one)[:1] == _plain(other)[:1] or not _marks(one)[0].isdisjoint(_marks(other)[0])


def _contained(asked: str, text: str) -> bool:
    """Whether all words that count of what is asked are in a text, in any order."""
    words = set(query_words(asked)) - STOP_WORDS - {"user", "s"}
    return bool(words) and words <= set(query_words(text))


# lessons

_DIRECTIVE = re.compile(
    r"^(?:no,? |please |you should |always |from now on,? )*(?P<no>do not |don't |never )?(?P<verb>[a-z]+) "
    r"(?P<object>.+?)(?: (?:instead of|rather than|and not|not) (?P<other>.+?))?[.!]*$",
    re.IGNORECASE,
)
_PLACES = ("in", "to", "by", "as", "with", "from", "on")
_ALIKE = 0.5


def _lessons(candidate: Candidate, memory: Memory) -> Verdict | None:
    """Whether two lessons for like tasks tell to do different things."""
    if not _like(candidate.context, memory.context) or not _clash(candidate.text, memory.text):
        return None
    return Verdict("contradict", (memory.id,), why="they tell different things for like tasks")


def _clash(one: str, other: str) -> bool:
    """Whether two directives tell to do different things of the same."""
    new, old = _DIRECTIVE.match(one), _DIRECTIVE.match(other)
    if new is None or old is None or new["verb"].lower() != old["verb"].lower():
        return False
    if bool(new["no"]) != bool(old["no"]):
        return _plain(new["object"]) == _plain(old["object"])
    slot, value = _slot(new["object"])
    old_slot, old_value = _slot(old["object"])
    return slot == old_slot and value != old_value and not new["no"]


def _wishes(text: str, memory: Memory) -> Verdict | None:
    """Whether two standing wishes of the user cannot both be met; the later one says that things change."""
    if not memory.text.startswith(WISH) or not _clash(text.removeprefix(WISH), memory.text.removeprefix(WISH)):
        return None
    return Verdict("replace", (memory.id,), why="the user wants something else now")


def _slot(told: str) -> tuple[str, str]:
    """What a directive is about, and what it wants: ``revenue`` and ``net`` of "net revenue"."""
    words = _plain(told)
    if words and words[0] in _PLACES:
        return words[0], " ".join(words[1:])
    return " ".join(words[-1:]), " ".join(words[:-1])


def _like(one: str, other: str) -> bool:
    """Whether two tasks have at least half of their words in common."""
    words, others = set(query_words(one)), set(query_words(other))
    return not (words or others) or len(words & others) >= _ALIKE * min(len(words), len(others)) > 0
