"""Subgoals: each is planned when its step is reached, by the same loop, inside the budgets of the run that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agentkit._loop import Loop, Prepare
from agentkit.errors import AgentKitError
from agentkit.events import Event
from agentkit.messages import Json
from agentkit.planning import Delegates, Planner, PlanRequest, ToolSelector
from agentkit.reflection import Reflection
from agentkit.results import IN_DOUBT
from agentkit.run import Run
from agentkit.types import to_schema, type_of_value, widen


class Subgoals:
    """Plans and runs the subgoals of one run.

    Args:
        planner: The planner of the run. One that `Delegates` says who plans a subgoal, and within which limits; any
            other plans it itself, within the limits of the whole run.
        run: The run.
        request: What the run was asked.
        recorded: Events of an interrupted run.
        reflection: Who judges when, in the run itself.
        prepare: Fits the conversation into the model's context before each plan.
        selector: Chooses the tools for each subgoal anew.
    """

    def __init__(
        self,
        planner: Planner,
        run: Run,
        request: PlanRequest,
        recorded: tuple[Event, ...],
        reflection: Reflection,
        prepare: Prepare | None = None,
        selector: ToolSelector | None = None,
    ) -> None:
        self._planner = planner
        self._run = run
        self._request = request
        self._recorded = recorded
        self._reflection = reflection.for_subgoal()
        self._prepare = prepare
        self._selector = selector

    async def __call__(
        self, goal: str, inputs: Mapping[str, Json], schema: Mapping[str, Json] | None, step: str
    ) -> Json:
        """The answer of a subgoal.

        Raises:
            AgentKitError: It was not reached; the message says why.
        """
        request, planner, child = self._request, self._planner, self._run.child(step)
        limits = replace(request.limits, depth=request.limits.depth - 1)
        boss = planner
        if isinstance(planner, Delegates):
            left = replace(self._run.meter.left(self._run.remaining()), depth=limits.depth)
            delegated = planner.delegate(goal, child.depth, left)
            planner, limits = delegated.planner, replace(delegated.limits, depth=limits.depth)
            child = self._run.child(step, limits)
            boss = planner if isinstance(planner, Delegates) else boss
        schemas = {name: to_schema(widen(type_of_value(value))) for name, value in inputs.items()}
        request = replace(
            request, task=goal, inputs=schemas, limits=limits, tool_choice="auto", constraints=(), output=schema
        )
        recorded, prepare, judging, selector = self._recorded, self._prepare, self._reflection, self._selector
        below = Subgoals(boss, child, request, recorded, judging, prepare, selector)
        loop = Loop(child, planner, request, judging, inputs, below, recorded, prepare, selector)
        ended = await loop.until_done()
        last = loop.attempts[-1].outcome if loop.attempts else None
        if last is not None and last.in_doubt:
            raise AgentKitError(f"{IN_DOUBT}the subgoal {goal!r} stands still: {ended.error}")
        if ended.status != "done":
            raise AgentKitError(f"the subgoal {goal!r} was not reached: {ended.error}")
        return ended.output
