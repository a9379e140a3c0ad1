"""Validators that the loop adds to the checker's own rules, from what has already happened in the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agentkit.certificate import Certificate
from agentkit.checker import Validator
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import ExpressionError
from agentkit.expressions import evaluate
from agentkit.expressions.nodes import Expr, names
from agentkit.ledger import CallDenied, call_key
from agentkit.messages import Json
from agentkit.plan import Call, Plan, walk
from agentkit.schedule import bound_names
from agentkit.toolbox import Toolbox


def known_value(expr: Expr, given: Mapping[str, Json], hidden: Iterable[str] = ()) -> tuple[Json] | None:
    """The value of an expression that needs nothing but `given`, as a tuple of one; None if only running can tell.

    Args:
        expr: The expression.
        given: Values that exist before the plan starts.
        hidden: Names that the plan defines itself.
    """
    used = names(expr)
    if not used.issubset(given) or not used.isdisjoint(hidden):
        return None
    try:
        return (evaluate(expr, given),)
    except ExpressionError:
        return None


def has_calls(plan: Plan) -> bool:
    """Whether a plan has a tool call."""
    return any(isinstance(step, Call) for step in walk(plan.steps))


def calls_a_tool(plan: Plan, certificate: Certificate) -> Iterable[Diagnostic]:
    """The validator of requests that require a tool call before the answer."""
    if not has_calls(plan):
        yield Diagnostic(
            Code.VALIDATOR,
            (),
            "the plan calls no tool, and this request requires a call.",
            suggestion="Get the answer from at least one of the tools.",
        )


def denied_calls(denied: Sequence[CallDenied], toolbox: Toolbox, given: Mapping[str, Json]) -> Validator:
    """A validator that refuses calls that a person has denied, as far as their arguments are known.

    Others are denied when they are reached, without asking again.
    """
    reasons = {call_key(one.tool, one.args, toolbox.get(one.tool)): one.reason for one in denied}

    def validate(plan: Plan, certificate: Certificate) -> Iterable[Diagnostic]:
        steps = list(walk(plan.steps))
        own = {name for step in steps for name in (step.id, *bound_names(step))}
        for step in steps:
            if not isinstance(step, Call):
                continue
            args = {name: known_value(expr, given, own) for name, expr in step.args.items()}
            if None in args.values():
                continue
            values = {name: value[0] for name, value in args.items() if value is not None}
            reason = reasons.get(call_key(step.tool, values, toolbox.get(step.tool)))
            if reason is not None:
                yield _denied(step, reason)

    return validate


def _denied(step: Call, reason: str) -> Diagnostic:
    return Diagnostic(
        Code.DENIED,
        (step.id,),
        f"a person has denied this call of {step.tool!r}" + (f": {reason}." if reason else "."),
        expected="a plan without it",
        suggestion="Reach the goal another way, or answer what cannot be done and why.",
        line=step.line,
    )
