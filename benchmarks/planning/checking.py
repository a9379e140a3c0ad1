"""What counts as the right final world: the answer, and exactly the expected side effects."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentkit.messages import Json
from benchmarks.planning.world import CATALOGUE, EARNINGS, PEOPLE, WEATHER, Effect

_NUMBER = re.compile(r"(?<![\w.-])-?\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_NAMES = frozenset(
    name.lower() for name in (*EARNINGS, *PEOPLE, *WEATHER, *(row[0] for rows in CATALOGUE.values() for row in rows))
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A side effect that must have happened.

    Attributes:
        tool: The write tool.
        args: Arguments that must be equal.
        mentions: What the text arguments together must contain, in any case.
    """

    tool: str
    args: Mapping[str, Json] = field(default_factory=dict)
    mentions: tuple[str, ...] = ()

    def matches(self, effect: Effect) -> bool:
        """Whether `effect` is this one."""
        if effect.tool != self.tool or any(effect.args.get(name) != value for name, value in self.args.items()):
            return False
        text = " ".join(str(value) for name, value in effect.args.items() if name not in self.args).lower()
        return all(mention.lower() in text for mention in self.mentions)


@dataclass(frozen=True, slots=True)
class Unordered:
    """A list whose order does not matter."""

    items: tuple[Json, ...]


def effects_match(wanted: Sequence[Wanted], effects: Sequence[Effect]) -> bool:
    """Whether every wanted effect happened exactly once, in any order, and nothing else."""
    return _pair_up(wanted, effects, lambda want, effect: want.matches(effect))


def answer_matches(expected: Json | Unordered, given: Json, *, request: str = "") -> bool:
    """Whether an answer is right.

    A value may be given plainly or in a sentence, several values as a list, an object, or one sentence; numbers may be
    rounded to two decimals. A sentence must not hold what competes with the truth: a number that is neither expected
    nor in the request, a name where another one is expected, or another of the alternatives that the request quotes.

    Args:
        expected: A JSON value, or an `Unordered` list of them.
        given: What the plan answered.
        request: The request that was answered.
    """
    reader = _Reader(request)
    if isinstance(expected, Unordered):
        return reader.same_list(expected.items, given, ordered=False)
    if isinstance(expected, list):
        return reader.same_list(expected, given, ordered=True)
    while isinstance(given, list | Mapping) and len(given) == 1:
        given = next(iter(given.values() if isinstance(given, Mapping) else given))
    return reader.same(expected, given)


class _Reader:
    """Compares answers to one request."""

    def __init__(self, request: str) -> None:
        self._numbers = list(_numbers(request))
        self._alternatives = frozenset(text.lower() for text in re.findall(r'"([^"]+)"', request))

    def same_list(self, expected: Sequence[Json], given: Json, *, ordered: bool) -> bool:
        if isinstance(given, str):
            return self._says(expected, given)
        leaves = list(_leaves(given))
        if len(leaves) != len(expected):
            return False
        if ordered and not isinstance(given, Mapping):
            return all(self.same(want, leaf) for want, leaf in zip(expected, leaves, strict=True))
        return _pair_up(expected, leaves, self.same)

    def same(self, expected: Json, given: Json) -> bool:
        if isinstance(expected, bool):
            if isinstance(given, str):
                said = set(re.findall(r"\b(?:yes|no|true|false)\b", given.lower()))
                return bool(said) and said <= ({"yes", "true"} if expected else {"no", "false"})
            return given is expected
        if isinstance(given, str):
            return self._says([expected], given)
        return _is_number(expected) and _is_number(given) and _close(given, expected)

    def _says(self, expected: Sequence[Json], sentence: str) -> bool:
        values = [value for value in expected if _is_number(value)]
        texts = [str(value).lower() for value in expected if not _is_number(value)]
        numbers = list(_numbers(sentence))
        if not all(any(_close(number, value) for number in numbers) for value in values):
            return False
        if not all(any(_close(number, known) for known in (*values, *self._numbers)) for number in numbers):
            return False
        competing = self._alternatives | (_NAMES if _NAMES.intersection(texts) else frozenset())
        return all(_mentions(sentence, text) for text in texts) and not any(
            _mentions(sentence, other) for other in competing.difference(texts)
        )


def _pair_up(expected: Sequence[Any], found: Sequence[Any], same: Callable[[Any, Any], bool]) -> bool:
    """Whether expected and found things can be matched one to one."""
    if not expected:
        return not found
    return any(
        same(expected[0], thing) and _pair_up(expected[1:], [*found[:i], *found[i + 1 :]], same)
        for i, thing in enumerate(found)
    )


def _mentions(sentence: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", sentence, re.IGNORECASE) is not None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _close(given: float, expected: float) -> bool:
    return math.isclose(given, expected, rel_tol=1e-9, abs_tol=0.0051)


def _numbers(text: str) -> Iterator[float]:
    for hit in _NUMBER.findall(_DATE.sub(" ", text)):
        yield float(hit.replace(",", "").replace("$", ""))


def _leaves(value: Json) -> Iterator[Json]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
