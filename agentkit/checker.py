"""The checker: proves what can be proved about a plan before anything runs, and reports every problem at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from agentkit._checker_steps import StepChecker
from agentkit.certificate import Bounds, Certificate, certify
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import PlanRejectedError
from agentkit.limits import Limits
from agentkit.messages import Json
from agentkit.plan import JsonSchema, Plan, Subgoal, walk
from agentkit.policy import Policy
from agentkit.schedule import Schedule, schedule
from agentkit.toolbox import Toolbox
from agentkit.types import Type, from_schema, type_of_value

Validator: TypeAlias = Callable[[Plan, Certificate], Iterable[Diagnostic]]
"""A domain check that plugs into the checker, e.g. a simulator or a budget; reports with `Code.VALIDATOR`."""

_SEAL = object()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CheckedPlan:
    """A plan that passed the checker. Only `check` makes one, and the executor takes nothing else.

    Attributes:
        plan: The plan.
        toolbox: The tools it was checked against.
        policy: The policy it was checked under.
        limits: The limits it was checked under.
        certificate: What it can do at most.
        schedule: Its steps with their dependencies.
        given: Values that it may refer to besides its own steps.
        output: The JSON Schema that its answer is to have, if any.
    """

    plan: Plan
    toolbox: Toolbox
    policy: Policy
    limits: Limits
    certificate: Certificate
    schedule: Schedule
    given: Mapping[str, Json]
    output: JsonSchema | None
    seal: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("a CheckedPlan is made by agentkit.checker.check only")


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the checker found.

    Attributes:
        plan: The plan that was checked.
        diagnostics: Every error and warning, in program order.
        checked: The checked plan, if there was no error.
        types: The types of all steps, inner ones included, also of a plan with errors.
    """

    plan: Plan
    diagnostics: tuple[Diagnostic, ...]
    checked: CheckedPlan | None
    types: Mapping[str, Type]

    @property
    def ok(self) -> bool:
        """Whether the plan may run."""
        return self.checked is not None

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that stop the plan."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that do not stop the plan."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "warning")

    def require(self) -> CheckedPlan:
        """The checked plan.

        Raises:
            PlanRejectedError: There are errors; the message lists them all.
        """
        if self.checked is None:
            raise PlanRejectedError(self.errors)
        return self.checked


def check(
    plan: Plan,
    toolbox: Toolbox,
    *,
    policy: Policy | None = None,
    limits: Limits | None = None,
    given: Mapping[str, Json] | None = None,
    given_types: Mapping[str, Type] | None = None,
    approver: bool = True,
    partial: bool = False,
    output: JsonSchema | None = None,
    validators: Sequence[Validator] = (),
) -> CheckReport:
    """Check a plan against a toolbox, a policy and limits; nothing is run.

    Args:
        plan: The plan, as any reader returned it.
        toolbox: The tools that it may call, with their schemas.
        policy: Which calls are forbidden or need approval; the default asks before writes.
        limits: What the plan may use; bounds above them are errors.
        given: Values that exist before the plan starts, such as results of an earlier plan; names shadow nothing.
        given_types: Their types, for callers that check many plans over the same values; read off the values if absent.
        approver: Whether somebody can be asked for approval. If not, a call that needs approval is an error.
        partial: The plan is one part of a longer run (a planner that plans a step at a time): it needs no answer.
        output: The JSON Schema that the answer must have. An answer that cannot is an error; one that only running can
            tell is checked when it is there.
        validators: Domain checks to run on a plan that is otherwise free of errors.

    Returns:
        A report with every problem, and the `CheckedPlan` if none of them is an error.
    """
    policy = policy or Policy()
    limits = limits or Limits()
    given = given or {}
    scope = {name: from_schema(schema) for name, schema in plan.inputs.items()}
    scope.update(given_types or {name: type_of_value(value) for name, value in given.items()})
    ordered = schedule(plan.steps, toolbox)
    walk = StepChecker(toolbox, policy, limits, approver=approver)
    target = None if output is None else from_schema(output)
    walk.check_plan(plan, ordered, scope, partial=partial, answer=target)
    found = [*plan.problems, *walk.findings.diagnostics]
    certificate, bounds = certify(
        ordered,
        lengths=walk.lengths,
        loop_iterations=limits.loop_iterations,
        policy=policy,
        runtime_checks=walk.findings.runtime_checks,
    )
    found.extend(_over_limits(bounds, certificate, limits))
    found.extend(_too_deep(plan, limits))
    if not _has_errors(found):
        for validator in validators:
            found.extend(validator(plan, certificate))
    checked = None
    if not _has_errors(found):
        checked = CheckedPlan(plan, toolbox, policy, limits, certificate, ordered, given, output, _SEAL)
    return CheckReport(plan, tuple(found), checked, walk.types)


def _has_errors(found: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in found)


def _too_deep(plan: Plan, limits: Limits) -> Iterable[Diagnostic]:
    """Subgoals where the limits allow none any more."""
    for step in walk(plan.steps):
        if isinstance(step, Subgoal) and limits.depth <= 0:
            yield Diagnostic(
                Code.TOO_DEEP,
                (step.id,),
                "no subgoals are allowed here: the limit of depth is reached.",
                expected="steps that need no further planning",
                suggestion="Write the steps of this subgoal into the plan.",
                line=step.line,
            )


def _over_limits(bounds: Bounds, certificate: Certificate, limits: Limits) -> Iterable[Diagnostic]:
    """Bounds that are known and above the limits. Unknown ones are left to the meter at run time."""
    rows: tuple[tuple[Code, str, float, float | None], ...] = (
        (Code.TOO_MANY_STEPS, "steps", bounds.steps, limits.steps),
        (Code.TOO_MANY_CALLS, "tool calls", bounds.tool_calls, limits.tool_calls),
        (Code.TOO_MANY_MODEL_CALLS, "model calls", bounds.model_calls, limits.model_calls),
        (Code.TOO_COSTLY, "US dollars", bounds.cost, limits.cost),
        (Code.TOO_SLOW, "seconds", certificate.seconds, limits.seconds),
    )
    for code, what, bound, allowed in rows:
        if allowed is not None and not math.isinf(bound) and bound > allowed:
            yield Diagnostic(
                code,
                (),
                f"the plan may use up to {bound:g} {what}.",
                expected=f"at most {allowed:g}",
                suggestion="Lower a loop's bound, or call less.",
            )
