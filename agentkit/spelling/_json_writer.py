"""From a plan to its JSON spelling."""

from __future__ import annotations

from collections.abc import Mapping

from agentkit.expressions.nodes import Expr, Literal
from agentkit.expressions.printing import to_json_value
from agentkit.messages import Json
from agentkit.plan import (
    KINDS,
    Ask,
    Block,
    Call,
    ForEach,
    Generate,
    If,
    Parallel,
    Plan,
    Repeat,
    Step,
    Subgoal,
    Unreadable,
    Value,
)


def write_json(plan: Plan) -> dict[str, Json]:
    """Write a plan in the JSON spelling; fields with their default value are left out.

    ``read_json(write_json(plan)) == plan`` for every plan that was read without problems.
    """
    out: dict[str, Json] = {}
    if plan.goal:
        out["goal"] = plan.goal
    if plan.inputs:
        out["inputs"] = {name: dict(schema) for name, schema in plan.inputs.items()}
    out["steps"] = _write_block(plan.steps)
    if plan.answer is not None:
        out["answer"] = _write_optional(plan.answer)
    return out


def _write_block(block: Block) -> list[Json]:
    return [_write_step(step) for step in block]


def _write_optional(expr: Expr) -> Json:
    """Like any value, but a literal null as an expression, since null stands for an absent field."""
    return "${None}" if expr == Literal(None) else to_json_value(expr)


def _write_exprs(exprs: Mapping[str, Expr]) -> dict[str, Json]:
    return {name: to_json_value(expr) for name, expr in exprs.items()}


def _write_step(step: Step) -> dict[str, Json]:
    out: dict[str, Json] = {"id": step.id, "kind": KINDS[type(step)]}
    match step:
        case Call():
            out["tool"] = step.tool
            out["args"] = _write_exprs(step.args)
            out |= {name: value for name in ("retry", "timeout") if (value := getattr(step, name)) is not None}
            if step.on_error == "value" and step.fallback is not None:
                out["on_error"] = {"value": to_json_value(step.fallback)}
            elif step.on_error == "skip":
                out["on_error"] = "skip"
            if step.again:
                out["again"] = True
        case Value():
            out["value"] = to_json_value(step.value)
        case Parallel():
            out["branches"] = {name: _write_block(block) for name, block in step.branches.items()}
        case If():
            out["condition"] = to_json_value(step.condition)
            out["then"] = _write_block(step.then)
            if step.otherwise:
                out["else"] = _write_block(step.otherwise)
        case ForEach():
            out |= {"item": step.item, "in": to_json_value(step.source), "do": _write_block(step.do)}
            if step.concurrency is not None:
                out["concurrency"] = step.concurrency
        case Repeat():
            out |= _write_repeat(step)
        case Generate():
            out["prompt"] = to_json_value(step.prompt)
        case Ask():
            out["question"] = to_json_value(step.question)
        case Subgoal():
            out["goal"] = to_json_value(step.goal)
            if step.inputs:
                out["inputs"] = _write_exprs(step.inputs)
        case Unreadable():
            out["text"] = step.text
    if isinstance(step, Generate | Ask | Subgoal) and step.schema is not None:
        out["schema"] = dict(step.schema)
    return out


def _write_repeat(step: Repeat) -> dict[str, Json]:
    out: dict[str, Json] = {"do": _write_block(step.do)}
    if step.until is not None:
        out["until"] = _write_optional(step.until)
    if step.while_ is not None:
        out["while"] = _write_optional(step.while_)
    if step.max_iterations is not None:
        out["max_iterations"] = step.max_iterations
    if step.state:
        out["state"] = _write_exprs(step.state)
    if step.next:
        out["next"] = _write_exprs(step.next)
    return out
