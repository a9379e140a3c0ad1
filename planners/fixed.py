"""A fixed plan: code, or a person, has already written it."""

from __future__ import annotations

from dataclasses import replace

from agentkit.plan import Plan
from agentkit.planning import PlanRequest, Proposal
from agentkit.run import Run


class FixedPlan:
    """Proposes the same plan for every task. It cannot be repaired or replaced, so a refusal ends the run.

    Args:
        plan: The plan.
        source: Its text, for people.
    """

    def __init__(self, plan: Plan, source: str = "") -> None:
        self._plan = plan
        self._source = source

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        """The plan, once."""
        if request.attempts:
            return None
        inputs = {**request.inputs, **self._plan.inputs}
        return Proposal(replace(self._plan, goal=self._plan.goal or request.task, inputs=inputs), self._source)
