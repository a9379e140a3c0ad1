"""Steps of a plan that is still being written, begun as soon as they are ready.

Only what does no harm begins early: calls that are `pure` or read and need nobody's approval, blocks of nothing else,
and the values that they use. Everything else waits for the whole plan to be accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from agentkit._states import DONE, End
from agentkit.checker import CheckedPlan
from agentkit.executor import Execution, Scope, scope_of
from agentkit.messages import Json
from agentkit.plan import Call, ForEach, If, Parallel, Plan, Repeat, Step, Value, walk
from agentkit.policy import Policy
from agentkit.run import Run
from agentkit.schedule import Node, Schedule, schedule
from agentkit.toolbox import Toolbox

NOT_ACCEPTED = "the plan that it was begun for was not accepted"
"""Why a step that began early is cancelled."""


class EarlySteps:
    """What has begun of one plan before it is whole.

    Args:
        run: The run.
        number: The plan's number in it.
        inputs: Values of the plan's inputs.
    """

    def __init__(self, run: Run, number: int, inputs: Mapping[str, Json]) -> None:
        self._run = run
        self._number = number
        self._inputs = inputs
        self._scope: Scope = {}
        self._steps: dict[str, Step] = {}
        self.execution: Execution | None = None

    def extend(self, checked: CheckedPlan) -> None:
        """Begin what is new and ready in a longer version of the plan, in program order."""
        if self.execution is None:
            self._scope = scope_of(checked, self._inputs)
            self.execution = Execution(checked, self._run, self._number)
        elif not self._same(checked.plan, checked.schedule):
            return
        else:
            self.execution.extend(checked)
            self._scope.update(scope_of(checked, self._inputs))
        nodes, begun = checked.schedule.nodes, self.execution.begun
        for node in _ready(nodes, checked.policy, begun):
            needs = [begun[nodes[position].step.id] for position in node.needs]
            self._steps[node.step.id] = node.step
            begun[node.step.id] = asyncio.create_task(self._run_step(self.execution, node, needs))

    def fits(self, plan: Plan, toolbox: Toolbox) -> bool:
        """Whether all that has begun is part of `plan`, and nothing that does not begin early comes before it."""
        return not self._steps or self._same(plan, schedule(plan.steps, toolbox))

    def _same(self, plan: Plan, ordered: Schedule) -> bool:
        now = {step.id: step for step in plan.steps}
        if any(now.get(id) != step for id, step in self._steps.items()):
            return False
        nodes = ordered.nodes
        mine = (node for node in nodes if node.step.id in self._steps)
        return all(not node.after and all(nodes[i].step.id in self._steps for i in node.needs) for node in mine)

    async def _run_step(
        self, execution: Execution, node: Node, needs: Sequence[asyncio.Task[End | None]]
    ) -> End | None:
        """The end of a step; None, with nothing recorded, if what it needs is not there."""
        if needs:
            await asyncio.wait(needs)
        ends = [task.result() for task in needs]
        if any(end is None or end.state != DONE for end in ends) or execution.leaves.stopped is not None:
            return None
        end = await execution.step(node, self._scope, ())
        if end.state == DONE:
            self._scope[node.step.id] = end.value
        return end

    async def close(self) -> None:
        """Cancel what has not ended, and wait for it.

        Raises:
            JournalError: The end of a step could not be written.
        """
        tasks = [] if self.execution is None else list(self.execution.begun.values())
        if self.execution is None or not tasks:
            return
        if any(not task.done() for task in tasks):
            self.execution.leaves.on_cancel = NOT_ACCEPTED
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        problems = [task.exception() for task in tasks if not task.cancelled()]
        for problem in problems:
            if problem is not None:
                raise problem


def _ready(nodes: Sequence[Node], policy: Policy, begun: Mapping[str, object]) -> Iterator[Node]:
    """The steps that may begin now and have not, in program order: harmless calls, and values that these need."""
    able: set[int] = set()
    for position, node in enumerate(nodes):
        if not node.after and able.issuperset(node.needs) and _harmless(node.step, node, policy):
            able.add(position)
    wanted: set[int] = set()
    for position in sorted(able, reverse=True):
        if position in wanted or any(isinstance(step, Call) for step in walk((nodes[position].step,))):
            wanted.add(position)
            wanted.update(nodes[position].needs)
    return (nodes[position] for position in sorted(wanted) if nodes[position].step.id not in begun)


def _harmless(step: Step, node: Node, policy: Policy) -> bool:
    """Whether a step may run although the plan may still be refused."""
    if node.effects.writes:
        return False
    if isinstance(step, Call):
        return node.tool is not None and policy.decide(node.tool) == "auto"
    if isinstance(step, Parallel | If | ForEach | Repeat):
        inner = (one for block in node.blocks for one in block.nodes)
        return all(_harmless(one.step, one, policy) for one in inner)
    return isinstance(step, Value)
