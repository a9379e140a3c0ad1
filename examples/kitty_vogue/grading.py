"""Judge an answer against the truth: tolerant about form, strict about content.

An answer may be a JSON value or a sentence. A sentence is right when it says the truth and nothing that competes with
it: a number that is neither the truth nor known to belong to the context makes it wrong, as does a second name where
one is asked for. So an answer that lists every price does not pass for having named the price.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from agentkit.messages import Json

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATES = (
    re.compile(r"\b(?P<year>\d{4})-(?P<number>\d{2})-(?P<day>\d{2})(?:T[\d:.]+)?\b"),
    re.compile(rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{{4}}))?\b", re.IGNORECASE),
    re.compile(
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+{_MONTH}(?:,?\s+(?P<year>\d{{4}}))?\b", re.IGNORECASE
    ),
    re.compile(rf"\b{_MONTH}\s+(?P<year>\d{{4}})\b", re.IGNORECASE),
)
_NUMBER = re.compile(
    r"(?<![\w.])[-−]?\$?\s?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?!\d|\.\d|(?:st|nd|rd|th)\b)", re.IGNORECASE
)
_DECLINED = re.compile(
    r"\b(can(?:no|')?t|can ?not|unable|not able|sorry|outside|out of scope|only (?:help|answer)|irrelevant|"
    r"not (?:something|related|about)|declin\w+|don't have|do not have)\b",
    re.IGNORECASE,
)
_MAX_REFUSAL = 600


class Expected(Protocol):
    """What a question's answer must satisfy."""

    def accepts(self, output: Json) -> bool:
        """Whether `output` is a right answer."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """One number.

    Attributes:
        value: The truth.
        tolerance: Largest absolute difference accepted.
        context: Numbers that a sentence may mention besides; structured answers may not.
    """

    value: float
    tolerance: float = 1e-6
    context: tuple[float, ...] = ()

    def accepts(self, output: Json) -> bool:
        """Whether the number is given, and no other that is not context."""
        plain, spoken = _numbers_in(output)
        if not any(map(self._is_value, [*plain, *spoken])):
            return False
        return all(map(self._is_value, plain)) and all(self._is_value(n) or self._is_context(n) for n in spoken)

    def _is_value(self, number: float) -> bool:
        return abs(number - self.value) <= self.tolerance

    def _is_context(self, number: float) -> bool:
        return any(math.isclose(number, known, abs_tol=0.005) for known in self.context)


@dataclass(frozen=True, slots=True)
class Names:
    """One or more names out of a closed set.

    Attributes:
        values: The right names.
        patterns: Every name that could be given, with the regular expression that finds it.
        ordered: The order of first mention matters.
        ignore: Regular expressions of phrases to overlook, in which a name may occur by chance.
    """

    values: tuple[str, ...]
    patterns: Mapping[str, str] = field(hash=False)
    ordered: bool = False
    ignore: tuple[str, ...] = ()

    def accepts(self, output: Json) -> bool:
        """Whether exactly the right names are mentioned."""
        text = " ; ".join(leaf for leaf in _leaves(output) if isinstance(leaf, str))
        for phrase in self.ignore:
            text = re.sub(phrase, " ", text, flags=re.IGNORECASE)
        found = {name: re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE) for name, pattern in self.patterns.items()}
        mentioned = sorted((hit.start(), name) for name, hit in found.items() if hit)
        given = tuple(name for _, name in mentioned)
        return given == self.values if self.ordered else set(given) == set(self.values)


@dataclass(frozen=True, slots=True)
class YesNo:
    """Yes or no, true or false."""

    value: bool

    def accepts(self, output: Json) -> bool:
        """Whether the answer takes a side, and the right one."""
        sides = set()
        for leaf in _leaves(output):
            if isinstance(leaf, bool):
                sides.add(leaf)
            elif isinstance(leaf, str):
                sides |= {word in ("yes", "true") for word in re.findall(r"\b(?:yes|no|true|false)\b", leaf.lower())}
        return sides == {self.value}


@dataclass(frozen=True, slots=True)
class Days:
    """One or more calendar days; `context` are days that a sentence may mention besides."""

    values: frozenset[date]
    context: frozenset[date] = frozenset()

    def accepts(self, output: Json) -> bool:
        """Whether every right day is given, and no other that is not context."""
        given = set()
        for leaf in _leaves(output):
            if isinstance(leaf, str):
                given |= set(_days_in(leaf))
        return self.values <= given and given <= self.values | self.context


@dataclass(frozen=True, slots=True)
class Within:
    """A number in a plausible range, whatever is said besides."""

    low: float
    high: float

    def accepts(self, output: Json) -> bool:
        """Whether a number inside the range is given."""
        plain, spoken = _numbers_in(output)
        return any(self.low <= number <= self.high for number in [*plain, *spoken])


@dataclass(frozen=True, slots=True)
class Declined:
    """A polite refusal: short, recognizable, and without the thing that was asked for."""

    forbidden: tuple[str, ...] = ()

    def accepts(self, output: Json) -> bool:
        """Whether the question was declined."""
        if not isinstance(output, str) or len(output) > _MAX_REFUSAL or not _DECLINED.search(output.replace("’", "'")):
            return False
        return not any(re.search(rf"\b{re.escape(word)}\b", output, re.IGNORECASE) for word in self.forbidden)


def numbers(text: str) -> list[float]:
    """The numbers in a text, dates left out."""
    for pattern in _DATES:
        text = pattern.sub(" ", text)
    found = (re.sub(r"[$,\s]", "", hit.group()).replace("−", "-") for hit in _NUMBER.finditer(text))
    return [float(number) for number in found]


def _numbers_in(output: Json) -> tuple[list[float], list[float]]:
    """Numbers that are values of the answer, and numbers spoken in its sentences."""
    plain: list[float] = []
    spoken: list[float] = []
    for leaf in _leaves(output):
        if isinstance(leaf, str):
            spoken += numbers(leaf)
        elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
            plain.append(float(leaf))
    return plain, spoken


def _leaves(output: Json) -> Iterator[Json]:
    if isinstance(output, str):
        try:
            parsed = json.loads(output)
        except ValueError:
            yield output
        else:
            yield from [parsed] if isinstance(parsed, str) else _leaves(parsed)
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _leaves(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _leaves(value)
    else:
        yield output


def _days_in(text: str) -> Iterator[date]:
    for pattern in _DATES:
        for hit in pattern.finditer(text):
            parts = hit.groupdict()
            if not parts.get("year") or not parts.get("day"):
                continue
            month = int(parts["number"]) if parts.get("number") else _MONTHS.index(parts["month"].lower()[:3]) + 1
            try:
                yield date(int(parts["year"]), month, int(parts["day"]))
            except ValueError:
                continue
        text = pattern.sub(" ", text)
