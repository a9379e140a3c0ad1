"""Validators that the loop adds to the checker's own rules, from what has already happened in the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from agentkit.certificate import Certificate
from agentkit.checker import Validator
from agentkit.constraints import Constraint
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import ExpressionError
from agentkit.expressions import evaluate, parse_expression
from agentkit.expressions.nodes import Expr, names
from agentkit.facts import Facts
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


def goal_constraints(
    constraints: Sequence[Constraint], facts: Facts, given: Mapping[str, Json], *, partial: bool = False
) -> Validator:
    """A validator that refuses plans under which a constraint of the goal cannot hold.

    Args:
        constraints: The constraints.
        facts: What the run knows before the plan.
        given: Values that the plan may refer to.
        partial: The plan is one turn of a longer run.
    """

    def validate(plan: Plan, certificate: Certificate) -> Iterable[Diagnostic]:
        for constraint in constraints:
            problem = constraint.of_plan(certificate, facts, partial=partial)
            if problem:
                yield Diagnostic(Code.CONSTRAINT, (), f"{problem}.", expected=str(constraint))
        answer = None if plan.answer is None or partial else known_value(plan.answer, given, _own_names(plan))
        if answer is not None:
            ended = replace(facts, answer=answer[0], answered=True)
            for constraint in constraints:
                problem = constraint.at_end(ended) if _of_answer_only(constraint) else ""
                if problem:
                    yield Diagnostic(Code.CONSTRAINT, ("answer",), f"{problem}.", expected=str(constraint))

    return validate


def _of_answer_only(constraint: Constraint) -> bool:
    texts = constraint.expressions()
    return bool(texts) and all(names(parse_expression(text)) <= {"answer", "inputs"} for text in texts)


def _own_names(plan: Plan) -> set[str]:
    """The names that a plan defines itself, inside its blocks too."""
    return {name for step in walk(plan.steps) for name in (step.id, *bound_names(step))}


def denied_calls(denied: Sequence[CallDenied], toolbox: Toolbox, given: Mapping[str, Json]) -> Validator:
    """A validator that refuses calls that a person has denied, as far as their arguments are known.

    Others are denied when they are reached, without asking again.
    """
    reasons = {call_key(one.tool, one.args, toolbox.get(one.tool)): one.reason for one in denied}

    def validate(plan: Plan, certificate: Certificate) -> Iterable[Diagnostic]:
        own = _own_names(plan)
        for step in walk(plan.steps):
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
