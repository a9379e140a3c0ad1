"""A translator without a model: the words of a step choose the tool, its values and earlier results the arguments."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from agentkit.checker import check
from agentkit.messages import Json
from agentkit.planners.translation import StepToTranslate
from agentkit.planning import PlanRequest
from agentkit.run import Run
from agentkit.spelling import read_python
from agentkit.toolbox import Parameter, Tool, Toolbox
from agentkit.types import ArrayType, Flow, ObjectType, Type, flows, from_schema, type_of_value

_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: number for number, word in enumerate(_NUMBER_WORDS)}
_LITERAL = re.compile(r"\"([^\"]*)\"|'([^']*)'|“([^”]*)”|(?<![\w.])(-?\d+(?:\.\d+)?)(?![\w.]*\w)|(\d{4}-\d{2}-\d{2})")
_ANSWERS = re.compile(r"^\s*(answer|tell|say|give|report|return|reply|respond|state)\b", re.IGNORECASE)
_EACH = re.compile(r"\b(each|every|all)\b", re.IGNORECASE)
_STOP = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it", "its", "of", "on"),
        *("or", "that", "the", "their", "them", "then", "this", "to", "with"),
    }
)


class MatchTranslator:
    """Translates simple steps, one call each, by rules.

    The tool is the one whose words (of its name, description and parameters) cover most of the step's. Numbers, dates
    and quoted texts of the step become arguments. What is missing is taken from the latest result whose type fits, by a
    field of the parameter's name where there is one, and for each item where the step says "each". A last step that
    begins like "Answer with …" answers with the latest result.

    Args:
        least: The score, 0 to 1, below which no tool is taken to be meant. It is the share of the step's words,
            rare ones weighing more, that the tool's words cover.
    """

    def __init__(self, least: float = 0.2) -> None:
        self._least = least

    async def translate(self, step: StepToTranslate, request: PlanRequest, run: Run) -> str:
        """One line; empty if no tool matches or an argument cannot be found."""
        scope = _scope(step, request)
        if step.is_last and _ANSWERS.match(step.text):
            return f"answer({_told(step.text, scope)})" if scope else ""
        tool = self.best(step.text, request.toolbox)
        line = None if tool is None else _call(tool, step.text, scope)
        if line is None:
            return ""
        name = f"step_{step.number}"
        return f"{name} = {line}\nanswer({name})" if step.is_last else f"{name} = {line}"

    def best(self, text: str, toolbox: Toolbox) -> Tool | None:
        """The tool whose words cover most of the step's."""
        words_of = {name: _words_of(tool) for name, tool in toolbox.items()}
        counts = Counter(word for words in words_of.values() for word in words)
        weight = {word: math.log(1 + len(words_of) / count) for word, count in counts.items()}
        wanted = set(_words(text))
        total = sum(weight.get(word, 0.0) for word in wanted) or 1.0
        known = sum(word in weight for word in wanted) / max(len(wanted), 1)
        scores = {
            name: known * sum(weight[word] for word in wanted & words) / total for name, words in words_of.items()
        }
        if not scores:
            return None
        name = max(scores, key=lambda one: scores[one])
        return toolbox[name] if scores[name] >= self._least else None


def _scope(step: StepToTranslate, request: PlanRequest) -> dict[str, Type]:
    """The names that the step may use with their types, oldest first."""
    found = {name: from_schema(schema) for name, schema in request.inputs.items()}
    found |= {name: type_of_value(value) for name, value in request.given.items()}
    source = "".join(f"{code}\n" for code in step.done)
    plan = read_python(source, request.toolbox, partial=True, given=tuple(found))
    report = check(plan, request.toolbox, policy=request.policy, given=request.given, partial=True)
    return found | {one.id: report.types[one.id] for one in plan.steps if one.id in report.types}


def _told(text: str, scope: Mapping[str, Type]) -> str:
    """What a last step answers with: a field of the latest result that it names, or the latest result."""
    words = set(_words(text))
    latest = list(scope)[-1]
    for path, _ in _paths(latest, scope[latest]):
        if path != latest and words & set(_words(path.rpartition(".")[2])):
            return path
    return latest


def _call(tool: Tool, text: str, scope: Mapping[str, Type]) -> str | None:
    """A call of the tool with what the step and earlier results offer; None if a required argument cannot be found."""
    literals = list(_literals(text))
    said: list[str] = []
    source = ""
    for parameter in tool.parameters:
        wanted = from_schema(parameter.schema)
        literal = next((value for value in literals if _fits(value, wanted)), None)
        if literal is not None:
            literals.remove(literal)
            said.append(f"{parameter.name}={json.dumps(literal)}")
            continue
        if not parameter.required:
            continue
        each = bool(_EACH.search(text)) and not source
        found = _reference(parameter, wanted, scope, each=each)
        if found is None:
            return None
        path, over = found
        source = source or over
        said.append(f"{parameter.name}={path}")
    call = f"{tool.python_name}({', '.join(said)})"
    return f"[{call} for item in {source}]" if source else call


def _reference(parameter: Parameter, wanted: Type, scope: Mapping[str, Type], *, each: bool) -> tuple[str, str] | None:
    """An expression for a parameter from the latest result that has one, and the list that it goes through, if any."""
    for name, of in reversed(list(scope.items())):
        if each and isinstance(of, ArrayType):
            found = _likest(parameter, wanted, _paths("item", of.items))
            if found is not None:
                return found, name
        found = _likest(parameter, wanted, _paths(name, of))
        if found is not None:
            return found, ""
    return None


def _likest(parameter: Parameter, wanted: Type, paths: Iterable[tuple[str, Type]]) -> str | None:
    """The path whose type fits; one whose last name shares a word with the parameter's before others."""
    fitting = [path for path, of in paths if flows(of, wanted) is Flow.YES]
    words = set(_words(f"{parameter.name} {parameter.description}"))
    named = [path for path in fitting if words & set(_words(path.rpartition(".")[2]))]
    return next(iter([*named, *fitting]), None)


def _paths(name: str, of: Type, depth: int = 2) -> Iterator[tuple[str, Type]]:
    """A name, its fields, and those of its first item."""
    yield name, of
    if depth and isinstance(of, ObjectType):
        for key, field, required in of.fields:
            if required and key.isidentifier():
                yield from _paths(f"{name}.{key}", field, depth - 1)
    elif depth and isinstance(of, ArrayType):
        yield from _paths(f"{name}[0]", of.items, depth - 1)


def _literals(text: str) -> Iterator[Json]:
    """The values that a text gives: quoted texts, dates, numbers in digits or words."""
    for match in _LITERAL.finditer(text):
        *quoted, number, day = match.groups()
        texts = [one for one in quoted if one is not None]
        if texts or day:
            yield texts[0] if texts else day
        else:
            yield float(number) if "." in number else int(number)
    yield from (_NUMBERS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _NUMBERS)


def _fits(value: Json, wanted: Type) -> bool:
    return flows(type_of_value(value), wanted) is Flow.YES


def _words_of(tool: Tool) -> set[str]:
    names = " ".join((tool.name, *(parameter.name for parameter in tool.parameters)))
    return {*_words(names), *_words(tool.description), *_words(" ".join(one.description for one in tool.parameters))}


def _words(text: str) -> list[str]:
    """The words of a text or a name in lower case, cut to their stems as far as endings of English show them."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower()
    return [_stem(word) for word in re.findall(r"[a-z]+", spaced) if word not in _STOP]


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending) + ("y" if ending == "ies" else "")
    return word
