"""Hierarchical planning: a plan of a few large steps, each planned in detail only when it is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agentkit.errors import DefinitionError
from agentkit.limits import Limits
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planning import Delegation, Planner, PlanRequest, Proposal
from agentkit.run import Run

Choose = Callable[[str, int], Planner]
"""The planner of a subgoal, by the subgoal and its depth (1 for a subgoal of the task)."""

GUIDE = """\
A part of the task that can only be planned in detail when earlier results are known is a subgoal: \
best = subgoal("Choose the best of these flights", flights=found). It is planned when it is reached, with the values \
that you give it by name. Use subgoals for large parts only, and call the tools directly for the rest."""


class Hierarchical:
    """Plans with subgoals, which are planned when they are reached, each within a share of what is left.

    `Limits.depth` says how many levels of subgoals there may be; a plan with a subgoal below the last one is refused
    by the checker. A subgoal that uses up its share fails like any step, and the plan that it is in can be replaced.
    After a crash a subgoal's share is counted anew; the limits of the whole run still hold.

    Args:
        planner: Plans the task; plan-and-execute by default.
        below: Plans the subgoals: a planner, or a function of the subgoal and its depth that gives one; by default
            the same as `planner`.
        share: The part, above 0 and up to 1, of what its run may still use that one subgoal may use.

    Raises:
        DefinitionError: `share` is out of range.
    """

    def __init__(
        self, planner: Planner | None = None, *, below: Planner | Choose | None = None, share: float = 0.5
    ) -> None:
        if not 0 < share <= 1:
            raise DefinitionError(f"share is {share}; give a number above 0 and up to 1")
        self._top = planner or PlanAndExecute()
        self._below = below or self._top
        self._share = share

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        """A plan that may have subgoals."""
        return await _WithSubgoals(self._top).propose(request, run)

    def delegate(self, goal: str, depth: int, left: Limits) -> Delegation:
        """The planner of a subgoal, and its share of what is left."""
        below = self._below
        planner = below(goal, depth) if callable(below) else below
        return Delegation(
            planner if isinstance(planner, Hierarchical) else _WithSubgoals(planner), left.share(self._share)
        )


@dataclass(frozen=True, slots=True)
class _WithSubgoals:
    """A planner that is told of subgoals, as long as there may be any."""

    planner: Planner

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        if request.limits.depth > 0:
            request = replace(request, instructions=f"{request.instructions}\n\n{GUIDE}".strip())
        return await self.planner.propose(request, run)
