"""From a plan for one task to a plan for tasks like it: what the task said becomes typed parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from agentkit.composite import fresh, map_steps
from agentkit.expressions.nodes import Apply, Expr, Item, ListOf, Literal, Name, Template
from agentkit.expressions.renaming import map_children
from agentkit.lexical import query_words
from agentkit.messages import Json
from agentkit.plan import Call, ForEach, Plan, Repeat, Step, walk
from agentkit.toolbox import RESERVED_NAMES, Toolbox

_NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
    )
} | {"twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100, "thousand": 1000, "dozen": 12}

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS)
_DATES = (
    re.compile(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b"),
    re.compile(
        rf"\b(?P<day>\d\d?)(?:st|nd|rd|th)?\.? (?:of )?(?P<month>{_MONTH})\b,? (?P<year>\d{{4}})", re.IGNORECASE
    ),
    re.compile(rf"\b(?P<month>{_MONTH})\.? (?P<day>\d\d?)(?:st|nd|rd|th)?,? (?P<year>\d{{4}})", re.IGNORECASE),
)
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")

_FILLERS = frozenset(
    {
        *("a", "an", "and", "are", "at", "by", "can", "could", "do", "does", "for", "from", "give", "have"),
        *("how", "i", "if", "in", "is", "it", "its", "many", "me", "much", "my", "of", "on", "or", "our"),
        *("please", "show", "so", "tell", "that", "the", "their", "them", "then", "there", "they", "this"),
        *("to", "up", "us", "was", "we", "were", "what", "when", "where", "which", "who", "will", "with"),
        *("would", "you", "your"),
    }
)
_NAME_WORDS = 5


@dataclass(frozen=True, slots=True)
class Generalised:
    """A plan with parameters.

    Attributes:
        plan: The plan; its inputs are the parameters.
        name: What to call it, from the words of the task that are not parameters.
        description: The task, with ``{parameter}`` where it said a constant.
        examples: The constants, by parameter.
    """

    plan: Plan
    name: str
    description: str
    examples: Mapping[str, Json]


def generalise(plan: Plan, task: str, toolbox: Toolbox) -> Generalised:
    """What is left of a plan when all that its task said is taken out of it."""
    found = _Parameters(_Said(task), plan, toolbox)
    steps = map_steps(plan.steps, found.top)
    answer = None if plan.answer is None else found.top(plan.answer, None, "answer")
    description = found.said.described(found.examples)
    inputs = {**plan.inputs, **found.schemas}
    general = replace(plan, steps=_with_parts(steps, found), inputs=inputs, goal=description, answer_line=None)
    general = replace(general, answer=None if answer is None else found.parts(answer))
    return Generalised(general, _name(description), description, found.examples)


def _with_parts(steps: tuple[Step, ...], found: _Parameters) -> tuple[Step, ...]:
    return map_steps(steps, lambda expr, *_: found.parts(expr))


def _name(description: str) -> str:
    plain = re.sub(r"\{\w+\}", " ", description.lower())
    words = [word for word in re.findall(r"[a-z]+", plain) if word not in _FILLERS and len(word) > 1]
    name = "_".join(words[:_NAME_WORDS]) or "skill"
    return f"{name}_skill" if name in RESERVED_NAMES else name


class _Said:
    """What a task says: words, numbers and dates."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.dates = {found: match.group() for match, found in _dates(task)}
        self.numbers: dict[float, list[str]] = {}
        for match in _NUMBER.finditer(task):
            self.numbers.setdefault(float(match.group().replace(",", "")), []).append(match.group())
        for word in re.findall(r"[a-z]+", task.lower()):
            if word in _NUMBER_WORDS:
                self.numbers.setdefault(float(_NUMBER_WORDS[word]), []).append(word)

    def place(self, value: Json) -> str:
        """The words of the task that say a constant; empty if none do."""
        if isinstance(value, bool) or value is None:
            return ""
        if isinstance(value, int | float):
            return next(iter(self.numbers.get(float(value), ())), "")
        text = str(value).strip()
        if text in self.dates:
            return self.dates[text]
        if _NUMBER.fullmatch(text) and (said := self.numbers.get(float(text.replace(",", "")))):
            return said[0]
        if len(text) < 2 or text.lower() in _FILLERS:
            return ""
        match = re.search(rf"(?<!\w){re.escape(text)}(?:e?s)?(?!\w)", self.task, re.IGNORECASE)
        return match.group() if match else ""

    @cached_property
    def spans(self) -> dict[str, str]:
        """What a longer text would repeat of the task: quotations, names and numbers, with what to call each."""
        found = dict.fromkeys(re.findall(r"[\"“']([^\"“”']{2,})[\"”'](?!\w)", self.task), "text")
        found |= dict.fromkeys((date for date in self.dates), "when")
        found |= dict.fromkeys((words for words in self.dates.values()), "when")
        names = re.findall(r"(?<![.!?] )(?<!^)(?<!\w)[A-Z][\w&-]*(?: [A-Z][\w&-]*)*", self.task)
        found |= {name: "name" for name in names if name.lower() not in _FILLERS}
        found |= {word: "number" for said in self.numbers.values() for word in said if word[0].isdigit()}
        return found | dict.fromkeys(re.findall(r"\S+@\S+\w", self.task), "text")

    def often(self, value: Json) -> bool:
        """Whether a number is said several times, so that two uses of it may mean two things."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return len(self.numbers.get(float(value), ())) > 1

    def described(self, examples: Mapping[str, Json]) -> str:
        """The task with ``{parameter}`` for each constant, the longest first."""
        text = " ".join(self.task.split())
        places = sorted(((self.place(value), name) for name, value in examples.items()), key=lambda one: -len(one[0]))
        for said, name in places:
            text = re.sub(rf"(?<![\w{{]){re.escape(said)}(?![\w}}])", f"{{{name}}}", text, count=1)
        return text


def _dates(task: str) -> list[tuple[re.Match[str], str]]:
    found = []
    for pattern in _DATES:
        for match in pattern.finditer(task):
            month = match["month"]
            number = int(month) if month.isdigit() else 1 + [name[:3] for name in _MONTHS].index(month[:3].lower())
            try:
                found.append((match, date(int(match["year"]), number, int(match["day"])).isoformat()))
            except ValueError:  # the 31st of November is no date, so it is no parameter either
                continue
    return found


@dataclass(slots=True)
class _Parameters:
    """The parameters found so far."""

    said: _Said
    plan: Plan
    toolbox: Toolbox
    schemas: dict[str, dict[str, Json]] = field(default_factory=dict)
    examples: dict[str, Json] = field(default_factory=dict)
    _by_value: dict[str, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._taken = {*self.plan.inputs, *RESERVED_NAMES}
        for step in walk(self.plan.steps):
            self._taken.add(step.id)
            if isinstance(step, ForEach):
                self._taken.add(step.item)
            elif isinstance(step, Repeat):
                self._taken.update(step.state)

    def top(self, expr: Expr, step: Step | None, place: str) -> Expr:
        """An expression with parameters for constants that are all of what the task says there."""
        if isinstance(expr, Literal):
            return self._literal(expr, self._schema(step, place), place if isinstance(step, Call) else "")
        return self._inside(expr, place if isinstance(step, Call) and isinstance(expr, ListOf) else "")

    def _inside(self, expr: Expr, hint: str) -> Expr:
        match expr:
            case Literal():
                return self._literal(expr, None, hint)
            case Template(parts):
                return self._text(parts)
            case Item(of, Literal()):  # the first of a list is the first, whatever number the task says
                return replace(expr, of=self._inside(of, hint))
            case Apply("round" | "format", args):  # how many digits, never what the task is about
                return replace(expr, args=(self._inside(args[0], hint), *args[1:]))
            case _:
                return map_children(expr, lambda child: self._inside(child, hint))

    def _schema(self, step: Step | None, place: str) -> dict[str, Json] | None:
        if not isinstance(step, Call) or step.tool not in self.toolbox:
            return None
        for parameter in self.toolbox[step.tool].parameters:
            if parameter.name == place:
                return {key: value for key, value in parameter.schema.items() if key not in ("default", "title")}
        return None

    def _literal(self, literal: Literal, schema: dict[str, Json] | None, hint: str) -> Expr:
        value = literal.value
        if not self.said.place(value):
            return self._text([value]) if isinstance(value, str) else literal
        return self._parameter(value, schema, hint)

    def _text(self, parts: Sequence[str | Expr]) -> Expr:
        """A text in which names, numbers and quotations of the task are parameters."""
        spans = self.said.spans
        longest = "|".join(re.escape(span) for span in sorted(spans, key=len, reverse=True))
        pattern = re.compile(rf"(?<!\w)({longest})(?!\w)")
        new: list[str | Expr] = []
        for part in parts:
            if not isinstance(part, str):
                new.append(self._inside(part, ""))
            elif spans:
                pieces = (piece for piece in pattern.split(part) if piece)
                new += [self._span(piece, spans[piece]) if piece in spans else piece for piece in pieces]
            else:
                new.append(part)
        texts = [part for part in new if isinstance(part, str)]
        return Literal("".join(texts)) if len(texts) == len(new) else Template(tuple(new))

    def _span(self, text: str, hint: str) -> Expr:
        plain = text.replace(",", "")
        if hint == "number":
            return self._parameter(float(plain) if "." in plain else int(plain), None, hint)
        return self._parameter(text, None, hint)

    def _parameter(self, value: Any, schema: dict[str, Json] | None, hint: str) -> Expr:
        key = json.dumps([value, hint if self.said.often(value) else ""])
        if key not in self._by_value:
            name = fresh(_identifier(hint) or ("number" if isinstance(value, int | float) else "text"), self._taken)
            self._taken.add(name)
            self._by_value[key] = name
            self.schemas[name] = schema or _schema_of(value)
            self.examples[name] = value
        return Name(self._by_value[key])

    def parts(self, expr: Expr) -> Expr:
        """An expression in which texts that contain a parameter's example say the parameter instead."""
        texts = {value: name for name, value in self.examples.items() if isinstance(value, str) and len(value) > 2}
        if not texts:
            return expr
        longest = sorted(texts, key=len, reverse=True)
        pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest))})(?!\w)")
        return _split(expr, pattern, texts)


def _split(expr: Expr, pattern: re.Pattern[str], texts: Mapping[str, str]) -> Expr:
    def pieces(text: str) -> list[str | Expr]:
        return [Name(texts[part]) if part in texts else part for part in pattern.split(text) if part]

    match expr:
        case Literal(str(text)) if pattern.search(text):
            return Template(tuple(pieces(text)))
        case Template(parts):
            new: list[str | Expr] = []
            for part in parts:
                new += pieces(part) if isinstance(part, str) else [_split(part, pattern, texts)]
            return Template(tuple(new))
        case _:
            return map_children(expr, lambda child: _split(child, pattern, texts))


def _identifier(hint: str) -> str:
    return hint if hint.isidentifier() and not hint.startswith("_") else ""


def _schema_of(value: Any) -> dict[str, Json]:
    if isinstance(value, int):
        return {"type": "integer"}
    if isinstance(value, float):
        return {"type": "number"}
    return {"type": "string", "format": "date"} if _DATES[0].fullmatch(value) else {"type": "string"}


def content_words(text: str) -> frozenset[str]:
    """The words of a text that say what it is about."""
    return frozenset(word for word in query_words(text) if word not in _FILLERS)
