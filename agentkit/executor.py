"""The executor: runs a checked plan as fast as its data and effects allow. The only concurrency in agentkit.

A step starts the moment everything it waits for has ended. Every started step ends in exactly one status. A failure
skips what depends on it; independent work finishes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from agentkit._fits import misfit
from agentkit._leaves import Leaves
from agentkit._program import Program, program_of
from agentkit._states import BROKEN, DONE, MISSING, End
from agentkit.checker import CheckedPlan
from agentkit.errors import DefinitionError, ExpressionError
from agentkit.events import RunStatus, StepFinished
from agentkit.expressions.nodes import names
from agentkit.limits import LimitReached
from agentkit.messages import Json
from agentkit.plan import ForEach, If, Parallel, Repeat, Step
from agentkit.protocols import SubgoalRunner
from agentkit.results import Outcome
from agentkit.run import NOTHING_YET, History, Run
from agentkit.schedule import Node, Schedule
from agentkit.types.validation import misfits

Scope = dict[str, Json]
Index = tuple[int, ...]
Watch = Callable[[StepFinished], Awaitable[str]]


async def execute(
    checked: CheckedPlan,
    *,
    inputs: Mapping[str, Json] | None = None,
    run: Run | None = None,
    number: int = 1,
    history: History = NOTHING_YET,
    subgoals: SubgoalRunner | None = None,
    watch: Watch | None = None,
    begun: Execution | None = None,
) -> Outcome:
    """Run a checked plan to its end.

    Args:
        checked: The plan, as `check` accepted it.
        inputs: Values of the plan's inputs.
        run: The run that this belongs to: limits, events, journal, model, human. A new one if not given.
        number: The plan's number in its run; step events carry it.
        history: What a journal says has already happened; finished steps are not run again.
        subgoals: Plans and runs `subgoal` steps; without it they fail.
        watch: Asked after each step that did something and is done, before anything that waits for it; a reason to
            stop keeps everything that has not started from starting, and fails the plan with that reason.
        begun: An execution of this run and number whose first steps were begun while the plan was still being written;
            it goes on with them.

    Returns:
        The outcome. Tool errors, used-up limits and denied approvals are outcomes, not exceptions.

    Raises:
        DefinitionError: An input is missing, unknown, or not of its schema.
        JournalError: The journal cannot be written; nothing more is started.
    """
    run = run or Run(limits=checked.limits)
    scope = scope_of(checked, inputs or {})
    if begun is None:
        return await Execution(checked, run, number, history, subgoals, watch).outcome(scope)
    begun.extend(checked)
    begun.take(subgoals, watch)
    return await begun.outcome(scope)


def scope_of(checked: CheckedPlan, inputs: Mapping[str, Json]) -> Scope:
    """What the steps of a plan see from outside.

    Raises:
        DefinitionError: An input is missing, unknown, or not of its schema.
    """
    scope = _inputs(checked, inputs)
    scope.update((name, checked.given[name]) for name in _used(checked) if name in checked.given)
    return scope


def _used(checked: CheckedPlan) -> frozenset[str]:
    """The names that a plan takes from outside; a long run has many more to give."""
    answer = checked.plan.answer
    return checked.schedule.free if answer is None else checked.schedule.free | names(answer)


def _inputs(checked: CheckedPlan, inputs: Mapping[str, Json]) -> Scope:
    declared = checked.plan.inputs
    if not declared and not inputs:
        return {}
    problems = [f"missing input {name!r}" for name in declared if name not in inputs]
    problems += [f"unknown input {name!r}" for name in inputs if name not in declared]
    for name, schema in declared.items():
        if name in inputs:
            problems += [f"input {name!r}: {problem}" for problem in misfits(schema, inputs[name])]
    if problems:
        known = ", ".join(declared) or "none"
        raise DefinitionError(f"the plan cannot start: {'; '.join(problems)}; its inputs are: {known}")
    return dict(inputs)


class Execution:
    """One execution of one plan. Blocks and compound steps here; calls, questions and model steps in `Leaves`.

    Attributes:
        begun: Steps of the outermost block that were begun before the plan was whole, by id; None is the end of one
            that could not begin after all.
    """

    __slots__ = ("begun", "checked", "halted", "leaves", "number", "program", "run", "steps", "watch")

    def __init__(
        self,
        checked: CheckedPlan,
        run: Run,
        number: int,
        history: History = NOTHING_YET,
        subgoals: SubgoalRunner | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.checked = checked
        self.run = run
        self.number = number
        self.program: Program = program_of(checked)
        self.steps: dict[str, StepFinished] = {}
        self.leaves = Leaves(run, number, history, checked.policy, self.program, subgoals)
        self.watch = watch
        self.halted = ""
        self.begun: dict[str, asyncio.Task[End | None]] = {}

    def extend(self, checked: CheckedPlan) -> None:
        """Go on with a longer version of the same plan, in which the steps that have begun are the same."""
        self.checked = checked
        self.program = self.leaves.program = program_of(checked)

    def take(self, subgoals: SubgoalRunner | None, watch: Watch | None) -> None:
        """Know who plans subgoals and who judges steps, which no step that began early needed."""
        self.leaves.subgoals = subgoals
        self.watch = watch

    async def outcome(self, scope: Scope) -> Outcome:
        """Run the plan to its end; what has begun of it is waited for and not run again."""
        end = await self._block(self.checked.schedule, scope, ())
        error, value = end.error, None
        status: RunStatus = "done" if end.state != BROKEN else "failed"
        answer = None if self._answer_needs_a_write_not_made(scope) else self.program.answer
        if answer is None:
            value = end.value if self.program.answer is None else None
        elif status == "done" or self.leaves.stopped is None:
            try:
                value = answer(scope)
            except ExpressionError as reason:
                if status == "done":
                    status, error = "failed", f"the answer cannot be computed: {reason}"
        output = self.checked.output
        if status == "done" and answer is not None and output is not None and (problem := misfit(value, output)):
            status, error = "failed", f"the answer is not what was asked for: {problem}"
        if self.leaves.stopped is not None and (status != "done"):
            status, error = "stopped", f"stopped: {self.leaves.stopped}"
        elif self.halted:
            status, error = "failed", self.halted
        if status != "done":
            value = None
        return Outcome(status, value, self.steps, error)

    def _answer_needs_a_write_not_made(self, scope: Scope) -> bool:
        """Whether this is a dry run whose answer would be made of what a write gives; it then has none."""
        answer = self.checked.plan.answer
        return self.run.dry_run and answer is not None and not names(answer) <= scope.keys()

    # blocks

    async def _block(self, schedule: Schedule, scope: Scope, index: Index) -> End:
        nodes = schedule.nodes
        states = [DONE] * len(nodes)
        if schedule.chain:
            for position, node in enumerate(nodes):
                states[position] = await self._in_block(nodes, node, scope, index, states)
        else:
            await self._dataflow(schedule, scope, index, states)
        return self._block_end(nodes, states, scope, index)

    async def _dataflow(self, schedule: Schedule, scope: Scope, index: Index, states: list[int]) -> None:
        """Start each step when what it waits for has ended; go on inline with one, in tasks with the others."""
        nodes = schedule.nodes
        waiting = list(schedule.waiting)

        async def work(position: int | None) -> None:
            while position is not None:
                states[position] = await self._in_block(nodes, nodes[position], scope, index, states)
                following = None
                for later in nodes[position].dependents:
                    waiting[later] -= 1
                    if waiting[later] == 0:
                        if following is None:
                            following = later
                        else:
                            group.create_task(work(later))
                position = following

        ready = [position for position, count in enumerate(waiting) if count == 0]
        async with _group() as group:
            for position in ready:
                group.create_task(work(position))

    async def _in_block(
        self, nodes: tuple[Node, ...], node: Node, scope: Scope, index: Index, states: list[int]
    ) -> int:
        """Run one step of a block, or skip it for what became of the steps it waits for; its state."""
        for position in node.needs:
            if states[position] != DONE:
                return self._skip(node, index, f"it needs {nodes[position].step.id!r}", states[position])
        for position in node.after:
            earlier = nodes[position]
            if states[position] == BROKEN and earlier.effects.writes:
                return self._skip(node, index, f"the earlier write {earlier.step.id!r} was not done", BROKEN)
        end = await self._begun(node.step.id) if self.begun else None
        if end is None:
            end = await self.step(node, scope, index)
        if end.state == DONE:
            scope[node.step.id] = end.value
        return end.state

    async def _begun(self, id: str) -> End | None:
        """The end of a step that was begun before the plan was whole; it is recorded already."""
        task = self.begun.get(id)
        if task is None:
            return None
        await asyncio.wait((task,))
        return task.result()

    def _skip(self, node: Node, index: Index, reason: str, state: int) -> int:
        if self.leaves.stopped is not None:
            self._finish(node.step, index, "cancelled", error=f"stopped: {self.leaves.stopped}")
        else:
            self._finish(node.step, index, "skipped", error=self.halted or reason)
        return state

    def _block_end(self, nodes: tuple[Node, ...], states: list[int], scope: Scope, index: Index) -> End:
        for position, state in enumerate(states):
            if state == BROKEN:
                name = self._name(nodes[position].step, index)
                return End(BROKEN, None, self._reason(name, states, nodes, index))
        if not nodes:
            return End(DONE)
        if states[-1] == MISSING:
            return End(MISSING, None, f"{self._name(nodes[-1].step, index)!r} was skipped")
        return End(DONE, scope[nodes[-1].step.id])

    def _reason(self, first: str, states: list[int], nodes: tuple[Node, ...], index: Index) -> str:
        """What failed in a block, the causes and not what was skipped for them."""
        broken = [self._name(node.step, index) for node, state in zip(nodes, states, strict=True) if state == BROKEN]
        causes = [name for name in broken if self.steps[name].status in ("failed", "denied")] or [first]
        return "; ".join(f"{name!r} {self.steps[name].status}: {self.steps[name].error}" for name in causes)

    # steps

    async def step(self, node: Node, scope: Scope, index: Index) -> End:
        """Run one step and record its one end."""
        step = node.step
        if self.halted:
            self._finish(step, index, "skipped", error=self.halted)
            return End(BROKEN, None, self.halted)
        try:
            self.leaves.before_step()
        except LimitReached as limit:
            return self._limit_end(step, index, limit)
        if type(step) in self._compounds:
            end = await self._compound(node, scope, index)
        else:
            end = await self.leaves.run(node, scope, self._name(step, index))
        if end.event is not None:
            self.steps[end.event.step] = end.event
            if self.watch is not None and end.state == DONE:
                self.halted = await self.watch(end.event) or self.halted
        return end

    def _limit_end(self, step: Step, index: Index, limit: LimitReached) -> End:
        self.leaves.stop(limit)
        self._finish(step, index, "cancelled", error=f"stopped: {limit}")
        return End(BROKEN, None, str(limit))

    def _finish(self, step: Step, index: Index, status: Any, *, value: Json = None, error: str = "") -> None:
        event = self.leaves.finished(self._name(step, index), status, value=value, error=error)
        self.steps[event.step] = event

    async def _compound(self, node: Node, scope: Scope, index: Index) -> End:
        step = node.step
        run = self._compounds[type(step)]
        try:
            end = await run(self, node, step, scope, index)
        except ExpressionError as error:
            end = End(BROKEN, None, str(error))
        except asyncio.CancelledError:
            self._finish(step, index, "cancelled", error=self.leaves.on_cancel)
            raise
        if end.state == DONE:
            self._finish(step, index, "done", value=end.value)
        elif end.state == MISSING:
            self._finish(step, index, "skipped", error=end.error)
        else:
            ended_early = self.leaves.stopped is not None or bool(self.halted)
            self._finish(step, index, "cancelled" if ended_early else "failed", error=self.halted or end.error)
        return End(end.state, end.value, end.error)

    async def _if(self, node: Node, step: If, scope: Scope, index: Index) -> End:
        condition = self.program.condition(step.id, scope)
        block = node.blocks[0 if condition else 1]
        return await self._block(block, self._inner(block, scope), index)

    async def _parallel(self, node: Node, step: Parallel, scope: Scope, index: Index) -> End:
        async with _group() as group:
            tasks = [group.create_task(self._block(block, self._inner(block, scope), index)) for block in node.blocks]
        return _object(dict(zip(step.branches, (task.result() for task in tasks), strict=True)))

    async def _for_each(self, node: Node, step: ForEach, scope: Scope, index: Index) -> End:
        source = self.program.source(step.id, scope)
        block = node.blocks[0]
        outer = self._inner(block, scope)
        ends: list[End] = [End(DONE)] * len(source)
        queue = iter(range(len(source)))

        async def lane() -> None:
            for position in queue:
                ends[position] = await self._block(block, {**outer, step.item: source[position]}, (*index, position))

        lanes = min(len(source), step.concurrency or self.run.limits.parallelism) if node.repeatable else 1
        if lanes <= 1:
            for position in queue:
                ends[position] = await self._block(block, {**outer, step.item: source[position]}, (*index, position))
                if ends[position].state == BROKEN:
                    return ends[position]
        else:
            async with _group() as group:
                for _ in range(lanes):
                    group.create_task(lane())
        broken = [end.error for end in ends if end.state == BROKEN]
        if broken:
            return End(BROKEN, None, _several(broken))
        return End(DONE, [end.value for end in ends])

    async def _repeat(self, node: Node, step: Repeat, scope: Scope, index: Index) -> End:
        block = node.blocks[0]
        parts = self.program.repeat(step)
        outer = {**self._inner(block, scope), **{name: scope[name] for name in parts.free if name in scope}}
        state = {name: value(scope) for name, value in parts.state}
        last = End(DONE)
        for round_number in range(step.max_iterations or self.checked.limits.loop_iterations):
            inner = {**outer, **state}
            if parts.while_ is not None and not parts.while_(inner):
                break
            last = await self._block(block, inner, (*index, round_number))
            if last.state == BROKEN:
                return last
            following = {name: value(inner) for name, value in parts.next}
            done = parts.until is not None and parts.until(inner)
            state = {**state, **following}
            if done:
                break
        else:
            if step.max_iterations is None and (parts.while_ is None or parts.while_({**outer, **state})):
                limit = LimitReached("loop_iterations", self.checked.limits.loop_iterations)
                self.leaves.stop(limit)
                return End(BROKEN, None, str(limit))
        return End(DONE, state) if step.state else last

    def _name(self, step: Step, index: Index) -> str:
        return self.run.within + instance(step.id, index)

    def _inner(self, block: Schedule, scope: Scope) -> Scope:
        """What a block can see of the outer scope: only what it refers to."""
        return {name: scope[name] for name in block.free if name in scope}

    _compounds: Mapping[type[Step], Callable[..., Awaitable[End]]] = {
        If: _if,
        Parallel: _parallel,
        ForEach: _for_each,
        Repeat: _repeat,
    }


def instance(id: str, index: Index) -> str:
    """The name of one run of a step, such as ``price[3]`` or ``cell[0,2]``."""
    return f"{id}[{','.join(map(str, index))}]" if index else id


def _object(ends: Mapping[str, End]) -> End:
    broken = [end.error for end in ends.values() if end.state == BROKEN]
    if broken:
        return End(BROKEN, None, _several(broken))
    return End(DONE, {name: end.value for name, end in ends.items()})


def _several(errors: list[str]) -> str:
    shown = "; ".join(errors[:3])
    return f"{shown}; and {len(errors) - 3} more" if len(errors) > 3 else shown


@asynccontextmanager
async def _group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises the first error itself: whatever a step may fail with is data, so this is a bug."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as problems:
        first: BaseException = problems
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
