"""What the JSON of a plan does not say, so that a plan in a journal reads back as the planner wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agentkit.diagnostics import Code, Diagnostic
from agentkit.events import PlanProposed
from agentkit.messages import Json
from agentkit.plan import Block, ForEach, If, Parallel, Plan, Repeat, Step, walk
from agentkit.spelling import read_json

_CODES = {code.value: code for code in Code}


def unsaid(plan: Plan) -> dict[str, Json]:
    """The source lines of a plan's steps and what could not be read of it, as JSON."""
    lines = {step.id: step.line for step in walk(plan.steps) if step.line is not None}
    problems = [_problem_row(problem) for problem in plan.problems]
    parts = {"lines": lines, "problems": problems, "answer_line": plan.answer_line}
    return {name: part for name, part in parts.items() if part}


def recorded_plan(event: PlanProposed) -> Plan:
    """The plan that was proposed, lines and problems included, so that the checker says of it what it said before."""
    plan = replace(read_json(event.plan), answer_line=event.unsaid.get("answer_line"))
    lines = event.unsaid.get("lines", {})
    problems = event.unsaid.get("problems")
    if problems is not None:
        plan = replace(plan, problems=tuple(_problem(row) for row in problems))
    return replace(plan, steps=_with_lines(plan.steps, lines)) if lines else plan


def _with_lines(block: Block, lines: Mapping[str, int]) -> Block:
    return tuple(_with_line(step, lines) for step in block)


def _with_line(step: Step, lines: Mapping[str, int]) -> Step:
    step = replace(step, line=lines.get(step.id))
    match step:
        case Parallel(branches=branches):
            return replace(step, branches={name: _with_lines(block, lines) for name, block in branches.items()})
        case If(then=then, otherwise=otherwise):
            return replace(step, then=_with_lines(then, lines), otherwise=_with_lines(otherwise, lines))
        case ForEach(do=do) | Repeat(do=do):
            return replace(step, do=_with_lines(do, lines))
        case _:
            return step


def _problem_row(problem: Diagnostic) -> dict[str, Json]:
    return {
        "code": problem.code.value,
        "path": list(problem.path),
        "message": problem.message,
        "expected": problem.expected,
        "suggestion": problem.suggestion,
        "severity": problem.severity,
        "line": problem.line,
    }


def _problem(row: Mapping[str, Json]) -> Diagnostic:
    return Diagnostic(**{**row, "code": _CODES[row["code"]], "path": tuple(row["path"])})
