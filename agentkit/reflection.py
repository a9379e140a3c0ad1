"""Judging an outcome: did the plan that ran reach the goal?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable

from agentkit.events import Reflected
from agentkit.plan import Plan
from agentkit.planning import PlanRequest, Reflector, Verdict
from agentkit.results import Outcome
from agentkit.run import Run

Rule = Callable[[PlanRequest, Outcome], Verdict | bool | Awaitable[Verdict | bool]]


class RuleReflector:
    """Judges by a function of the request and the outcome; False means that the goal is not reached."""

    def __init__(self, rule: Rule, *, name: str = "") -> None:
        self._rule = rule
        self._name = name or getattr(rule, "__name__", "rule")

    async def judge(self, request: PlanRequest, plan: Plan, outcome: Outcome, run: Run) -> Verdict:
        """The rule's verdict."""
        found = self._rule(request, outcome)
        verdict = await found if isawaitable(found) else found
        if isinstance(verdict, Verdict):
            return verdict
        return Verdict(verdict, "" if verdict else f"the rule {self._name!r} does not hold", self._name)


async def reflect(
    reflectors: Sequence[Reflector], request: PlanRequest, plan: Plan, outcome: Outcome, run: Run, number: int
) -> Verdict:
    """The verdict on plan `number`: an execution that is not done never is, and every reflector must agree.

    The verdict is recorded as an event.
    """
    verdict = Verdict(outcome.status == "done", outcome.error, "execution")
    for reflector in reflectors:
        if not verdict.done:
            break
        verdict = await reflector.judge(request, plan, outcome, run)
    run.events.emit(Reflected(run.clock.time(), number, verdict.done, verdict.reason, verdict.by, run.within))
    return verdict
