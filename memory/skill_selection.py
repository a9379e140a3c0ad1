"""Tell planners of skills first: fewer tools to read about, where a skill is there for the task."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.composite import PlanTool
from agentkit.planning import Picked, PlanRequest, ToolSelector
from agentkit.run import Run


class SkillsFirst:
    """Tells planners of the skills that fit a task alone; of other tools where none fits, or when they are wanted.

    For ``Agent(selector=SkillsFirst())``. The tools that a skill calls need not be told of.

    Args:
        otherwise: Selects where no skill fits, and when more tools are wanted; by default every tool is told of.
    """

    def __init__(self, otherwise: ToolSelector | None = None) -> None:
        self._otherwise = otherwise

    async def select(self, request: PlanRequest, run: Run) -> Sequence[Picked]:
        """The skills, or without any what is selected otherwise.

        Raises:
            ModelError: The embedder of the other selector failed for good.
        """
        skills = [name for name, tool in request.toolbox.items() if isinstance(tool, PlanTool)]
        if skills:
            return [Picked(name, 1.0, "a skill for a task like this") for name in skills]
        if self._otherwise is not None:
            return await self._otherwise.select(request, run)
        return _all(request, "no skill fits")

    async def widen(self, wanted: Sequence[str], request: PlanRequest, run: Run) -> Sequence[Picked]:
        """The tools that a plan called, the steps of a skill included; if one is unknown, or none is named, more.

        Raises:
            ModelError: The embedder of the other selector failed for good.
        """
        if wanted and all(name in request.toolbox for name in wanted):
            return [Picked(name, 1.0, "the plan calls it") for name in wanted]
        if self._otherwise is not None:
            return await self._otherwise.widen(wanted, request, run)
        return _all(request, "the skills do not do")


def _all(request: PlanRequest, why: str) -> list[Picked]:
    return [Picked(name, 0.0, why) for name in request.toolbox]
