"""Tool selection during one loop: what planners are told of, and when more is added, with the events that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agentkit.diagnostics import Code, Diagnostic
from agentkit.events import Event, ToolsSelected
from agentkit.messages import Json
from agentkit.plan import Call, Plan, walk
from agentkit.planning import Example, Picked, PlanRequest, ToolSelector
from agentkit.run import Run
from agentkit.spelling import read_python
from agentkit.toolbox import Toolbox

MAX_WIDENINGS = 3
"""How often the tools of one loop are widened at most."""

NO_PLAN = "the planner found no way with the tools selected"


@dataclass(slots=True)
class Selecting:
    """The tools of one loop.

    Tools are only ever added, so what a plan has called stays known to the plans after it.

    Attributes:
        run: The run.
        request: The task with every tool that it may use.
        selector: Chooses; None leaves every tool.
        recorded: Events of an interrupted run: what was chosen before is chosen again.
        toolbox: The tools that planners are told of now, in the order of the whole toolbox.
    """

    run: Run
    request: PlanRequest
    selector: ToolSelector | None = None
    recorded: tuple[Event, ...] = ()
    toolbox: Toolbox = field(init=False)
    _chosen: dict[str, None] = field(default_factory=dict)
    _begun: bool = False
    _widened: int = 0

    def __post_init__(self) -> None:
        self.toolbox = self.request.toolbox

    @property
    def has_more(self) -> bool:
        """Whether tools that are not told of may still be added."""
        left = len(self.toolbox) < len(self.request.toolbox)
        return self.selector is not None and left and self._widened < MAX_WIDENINGS

    async def at(self, number: int) -> Toolbox:
        """The tools for plan `number`: chosen before the first; more if a planner gave up before a crash.

        Raises:
            ModelError: The selector's embedder failed for good.
        """
        if self.selector is None or not self.request.toolbox:
            return self.toolbox
        if not self._begun:
            self._begun = True
            before = self._recorded(0)
            if not before:
                called = [name for example in self.request.examples for name in calls_of(example, self.request.toolbox)]
                picked = [Picked(name, why="an example calls it") for name in called]  # a model follows examples
                before = [("", [*await self.selector.select(self.request, self.run), *picked])]
            self._add(before[0][1], 0, "")
        for reason, picked in self._recorded(number):
            if reason == NO_PLAN:
                self._widened += self._add(picked, number, reason)
        return self.toolbox

    async def missing(self, number: int, plan: Plan, diagnostics: Iterable[Diagnostic]) -> bool:
        """Whether more tools were added because a plan calls some that were not selected.

        Raises:
            ModelError: The selector's embedder failed for good.
        """
        if not self._begun or not any(problem.code is Code.UNKNOWN_TOOL for problem in diagnostics):
            return False
        calls = dict.fromkeys(step.tool for step in walk(plan.steps) if isinstance(step, Call))
        wanted = [name for name in calls if name not in self._chosen]
        return await self._widen(number, wanted, f"the plan calls {', '.join(map(repr, wanted))}, not among them")

    def told(self, diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """The diagnostics, with those about unknown tools saying what is there now."""
        names = ", ".join(self.toolbox)
        return tuple(
            replace(problem, expected="", suggestion=f"The tools are now: {names}.")
            if problem.code is Code.UNKNOWN_TOOL
            else problem
            for problem in diagnostics
        )

    async def no_plan(self, number: int) -> bool:
        """Whether more tools were added because the planner gave up.

        Raises:
            ModelError: The selector's embedder failed for good.
        """
        return self._begun and await self._widen(number, [], NO_PLAN)

    async def _widen(self, number: int, wanted: Sequence[str], reason: str) -> bool:
        if self.selector is None or self._widened >= MAX_WIDENINGS:
            return False
        before = [picked for said, picked in self._recorded(number) if said == reason]
        found = before[0] if before else await self.selector.widen(wanted, self.request, self.run)
        widened = self._add(found, number, reason)
        self._widened += widened
        return widened

    def _add(self, picked: Iterable[Picked], number: int, reason: str) -> bool:
        """Take tools in and say so; whether any of them is new."""
        new: dict[str, Picked] = {}
        for one in picked:
            if one.tool in self.request.toolbox and one.tool not in self._chosen:
                new.setdefault(one.tool, one)
        if not new and number:
            return False
        self._chosen.update(dict.fromkeys(new))
        self.toolbox = Toolbox(tool for name, tool in self.request.toolbox.items() if name in self._chosen)
        rows = tuple({"tool": one.tool, "score": one.score, "why": one.why} for one in new.values())
        now, out_of = self.run.clock.time(), len(self.request.toolbox)
        self.run.events.emit(ToolsSelected(now, rows, out_of, number, reason, self.run.within))
        return True

    def _recorded(self, number: int) -> list[tuple[str, list[Picked]]]:
        """What was chosen at plan `number` before the run was interrupted."""
        return [
            (event.reason, [_picked(row) for row in event.tools])
            for event in self.recorded
            if isinstance(event, ToolsSelected) and (event.number, event.within) == (number, self.run.within)
        ]


def _picked(row: Mapping[str, Json]) -> Picked:
    return Picked(row["tool"], row["score"], row["why"])


def calls_of(example: Example, toolbox: Toolbox) -> list[str]:
    """The tools that an example calls, with each name once."""
    plan = read_python(example.plan, toolbox)
    return list(dict.fromkeys(step.tool for step in walk(plan.steps) if isinstance(step, Call)))
