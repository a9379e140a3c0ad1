"""Sample, check, vote: several plans at once, those that the checker refuses dropped, the most agreed one proposed."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Callable

from agentkit.checker import CheckReport, check
from agentkit.errors import DefinitionError
from agentkit.messages import ModelSettings
from agentkit.plan import Plan, walk
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planning import Planner, PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import write_json

TEMPERATURE = 0.6
"""Of the samples after the first, which is greedy."""


class Candidates:
    """Proposes the plan that most of several samples agree on; for small models, which repair badly.

    Samples that differ only in the names of their steps agree. Ties go to the plan with fewer tool calls, then to the
    earlier one. If the checker refuses them all, the first is proposed, so that its problems can be repaired.

    Args:
        count: How many plans to sample.
        make: Makes the planner of one sample from its number, counted from 0; by default plan-and-execute, greedy for
            the first sample and at `TEMPERATURE` with a seed of its own for the others.

    Raises:
        DefinitionError: `count` is less than 1.
    """

    def __init__(self, count: int = 5, make: Callable[[int], Planner] | None = None) -> None:
        if count < 1:
            raise DefinitionError(f"count is {count}; give 1 or more candidates")
        self._planners = [(make or _sampler)(number) for number in range(count)]

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        """The most agreed plan among the valid ones."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(planner.propose(request, run)) for planner in self._planners]
        proposals = [proposal for task in tasks if (proposal := task.result()) is not None]
        if not proposals:
            return None
        valid = [(one, report) for one in proposals if (report := _check(one, request)).ok]
        if not valid:
            return proposals[0]
        votes = Counter(_canonical(proposal.plan) for proposal, _ in valid)
        best, _ = min(valid, key=lambda pair: (-votes[_canonical(pair[0].plan)], _calls(pair[1])))
        return best


def _sampler(number: int) -> Planner:
    settings = ModelSettings(max_tokens=700, seed=number, temperature=TEMPERATURE if number else 0.0)
    return PlanAndExecute(settings=settings)


def _check(proposal: Proposal, request: PlanRequest) -> CheckReport:
    return check(
        proposal.plan,
        request.toolbox,
        policy=request.policy,
        limits=request.limits,
        given=request.given,
        approver=request.approver,
        partial=not proposal.final,
        validators=request.validators,
    )


def _calls(report: CheckReport) -> float:
    bound = None if report.checked is None else report.checked.certificate.tool_calls
    return math.inf if bound is None else bound


def _canonical(plan: Plan) -> str:
    """The plan as text in which its steps are numbered instead of named."""
    text = json.dumps(write_json(plan), sort_keys=True)
    for number, step in enumerate(walk(plan.steps)):
        text = re.sub(rf"(?<![\w.]){re.escape(step.id)}\b", f"s{number}", text)
    return text
