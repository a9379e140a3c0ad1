"""Where the next line of a plan may stand, and what it sees there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agentkit.checker import CheckReport
from agentkit.planners._lines import check_lines
from agentkit.planning import PlanRequest
from agentkit.spelling import LineOption
from agentkit.types import ANY, Type, from_schema, widen

MAX_LEVEL = 2
"""Levels of blocks that may be opened."""

ASSIGNED = re.compile(r"^\s*([a-z_][a-z0-9_]*) = (.*)$")
LOOP = re.compile(r"^\s*(?:for|while)\b")

_BOUND = re.compile(r"^\s*for ([a-z][a-z0-9_]*) in ")
_PROBE = "probe_of_line"


def places(lines: Sequence[str], request: PlanRequest) -> Iterator[LineOption]:
    """Every indentation that the next line may have, with what it sees there."""
    if not lines:
        yield place(lines, 0, request)
        return
    level = level_of(lines[-1])
    if lines[-1].endswith(":"):
        yield place(lines, level + 1, request)
        return
    for indent in range(level, -1, -1):
        yield place(lines, indent, request)


def place(lines: Sequence[str], indent: int, request: PlanRequest) -> LineOption:
    """What a next line at `indent` may be, and what it sees."""
    in_loop = any(LOOP.match(line) for line in around(lines, indent))
    return LineOption(
        indent,
        _scope(lines, indent, request),
        in_loop=in_loop,
        after_if=_else_possible(lines, indent),
        answer=None if in_loop else _answer_type(request),
        opens=indent < MAX_LEVEL,
        lists=tuple(_lists(lines)) if in_loop else (),
    )


def _answer_type(request: PlanRequest) -> Type:
    return ANY if request.output is None else from_schema(request.output)


def check_so_far(lines: Sequence[str], request: PlanRequest, *, partial: bool) -> CheckReport:
    """What the checker says of lines of which the last may open a block."""
    opened = [f"{'    ' * (level_of(lines[-1]) + 1)}{_PROBE} = None"] if lines and lines[-1].endswith(":") else []
    return check_lines([*lines, *opened], request, partial=partial)


def _scope(lines: Sequence[str], indent: int, request: PlanRequest) -> dict[str, Type]:
    """The names that a line at `indent` can see, with their types: asked of the checker by trial assignments."""
    names = list(dict.fromkeys((*request.inputs, *request.given, *_names(lines))))
    if not names:
        return {}
    probes = [f"{'    ' * indent}{_PROBE}_{i} = {name}" for i, name in enumerate(names)]
    report = check_so_far([*lines, *probes], request, partial=True)
    wrong = {one.line for one in report.errors}
    first = len(lines) + 1
    found = {
        name: report.types[f"{_PROBE}_{i}"]
        for i, name in enumerate(names)
        if first + i not in wrong and f"{_PROBE}_{i}" in report.types
    }
    # What a value was is no choice of words that a plan could compare it with.
    return {name: widen(kind) if name in request.given else kind for name, kind in found.items()}


def level_of(line: str) -> int:
    """How deep a line is indented, in levels of four spaces."""
    return (len(line) - len(line.lstrip())) // 4


def _names(lines: Sequence[str]) -> Iterator[str]:
    """Every name that the lines assign or bind."""
    for line in lines:
        found = ASSIGNED.match(line) or _BOUND.match(line)
        if found:
            yield found[1]


def _lists(lines: Sequence[str]) -> Iterator[str]:
    """Names of lists that were made empty, to be appended to."""
    return (found[1] for line in lines if (found := ASSIGNED.match(line)) and found[2] == "[]")


def around(lines: Sequence[str], indent: int) -> Iterator[str]:
    """The lines that opened the blocks around a next line at `indent`, innermost first."""
    wanted = indent - 1
    for line in reversed(lines):
        if wanted < 0:
            return
        if level_of(line) == wanted and line.endswith(":"):
            yield line
            wanted -= 1


def _else_possible(lines: Sequence[str], indent: int) -> bool:
    """Whether the latest line at `indent` opened an ``if`` that has a block and no ``else`` yet."""
    for line in reversed(lines):
        if level_of(line) < indent:
            return False
        if level_of(line) == indent:
            return line.lstrip().startswith("if ") and line is not lines[-1]
    return False
