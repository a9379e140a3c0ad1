"""The lines of a plan that is still being written: which of them are complete, and what they say so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentkit.checker import CheckReport
from agentkit.plan import Plan
from agentkit.planning import PlanRequest
from agentkit.spelling import read_python

_GOES_ON = (")", "]", "}", "else:", "elif ", "#")
"""Beginnings of lines at the margin that belong to the statement before."""


def statement_start(lines: Sequence[str], line: int) -> int:
    """The position of the first line of the outermost statement that `line` (a position) is part of."""
    for position in range(line, 0, -1):
        if _begins(lines[position]):
            return position
    return 0


def complete(lines: Sequence[str]) -> int:
    """How many of the lines say something that later lines cannot change.

    A block at the end may still grow. One that answers somewhere takes in all that follows it, as the other way.
    """
    if not lines:
        return 0
    for position, line in enumerate(lines):
        if line[:1].isspace() and line.lstrip().startswith("answer("):
            return statement_start(lines, position)
    start = statement_start(lines, len(lines) - 1)
    return start if lines[start].rstrip().endswith(":") else len(lines)


def answered(lines: Sequence[str]) -> bool:
    """Whether the plan has answered, on every way through it."""
    return bool(lines) and lines[statement_start(lines, len(lines) - 1)].startswith("answer(")


def _begins(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace() and not line.startswith(_GOES_ON)


def read_lines(lines: Sequence[str], request: PlanRequest, *, partial: bool) -> Plan:
    """The plan that the lines say, with the task as its goal and the request's inputs as its own."""
    text = "".join(f"{line}\n" for line in lines)
    plan = read_python(text, request.toolbox, partial=partial, given=(*request.inputs, *request.given))
    return with_goal(plan, request)


def with_goal(plan: Plan, request: PlanRequest) -> Plan:
    """The plan with the task as its goal, and the request's inputs as its own."""
    return replace(plan, goal=plan.goal or request.task, inputs={**request.inputs, **plan.inputs})


def check_lines(lines: Sequence[str], request: PlanRequest, *, partial: bool) -> CheckReport:
    """What the checker says of the lines."""
    return request.check(read_lines(lines, request, partial=partial), partial=partial)


def tell(lines: Sequence[str], request: PlanRequest) -> None:
    """Let begin what is ready in the complete lines, if anything may begin before the plan is accepted."""
    if request.on_prefix is not None:
        request.on_prefix(read_lines(lines[: complete(lines)], request, partial=True))
