"""What waits for what: the dependencies of a block's steps, by data and by effect.

A step waits for the steps whose values it refers to. A step with an effect also waits for the earlier effects that it
conflicts with: a write for reads and writes of its resource, a read for writes of it. Nothing else waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from agentkit.expressions.nodes import Expr, names
from agentkit.plan import Ask, Block, Call, ForEach, Generate, If, Parallel, Repeat, Step, Subgoal, Value
from agentkit.toolbox import Effect, Tool

WORLD = "*"
"""The resource of an effect that names none: it conflicts with every other effect."""

HUMAN = "human"
"""The resource of questions: they are asked one after the other, in program order."""


@dataclass(frozen=True, slots=True)
class Effects:
    """The resources that a step may read and write, inner steps included."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()

    def __or__(self, other: Effects) -> Effects:
        if not (other.reads or other.writes):
            return self
        if not (self.reads or self.writes):
            return other
        return Effects(self.reads | other.reads, self.writes | other.writes)


PURE = Effects()


def effects_of_tool(tool: Tool) -> Effects:
    """The effects of one call of `tool`."""
    return _effects(tool.effect, tool.resources)


@lru_cache(maxsize=1024)
def _effects(effect: Effect, resources: tuple[str, ...]) -> Effects:
    if effect == "pure":
        return PURE
    named = frozenset(resources or (WORLD,))
    return Effects(reads=named) if effect == "read" else Effects(writes=named)


@dataclass(frozen=True, slots=True)
class Node:
    """A step in its block.

    Attributes:
        step: The step.
        tool: The tool of a call.
        effects: What the step may do, inner steps included.
        names: The names that it refers to outside itself, inner steps included.
        needs: Indexes of the steps whose values it uses.
        after: Indexes of the steps whose effects it waits for; a superset is never harmful, a subset would be.
        dependents: Indexes of the steps that wait for this one, for either reason.
        blocks: Schedules of the step's inner blocks, in the order of `agentkit.plan.blocks`.
    """

    step: Step
    tool: Tool | None
    effects: Effects
    names: frozenset[str]
    needs: tuple[int, ...]
    after: tuple[int, ...]
    dependents: tuple[int, ...]
    blocks: tuple[Schedule, ...] = ()

    @property
    def repeatable(self) -> bool:
        """Whether two runs of this step's block may overlap."""
        return not self.effects.writes


@dataclass(frozen=True, slots=True)
class Schedule:
    """A block with its dependencies.

    Attributes:
        nodes: The steps, in program order.
        waiting: For each step, how many steps it waits for.
        free: The outer names that the block refers to.
        effects: What the block may do.
        chain: Every step waits for the one before it, so nothing can overlap.
    """

    nodes: tuple[Node, ...]
    waiting: tuple[int, ...]
    free: frozenset[str]
    effects: Effects
    chain: bool = field(default=False)


def schedule(block: Block, tools: Mapping[str, Tool]) -> Schedule:
    """The dependencies of `block` and of every block inside it.

    Calls of tools that are not in `tools` count as writes on the world.
    """
    drafts = [_draft(step, tools) for step in block]
    index = {step.id: position for position, step in enumerate(block)}
    order = _EffectOrder()
    outer: set[str] = set()
    needs: list[tuple[int, ...]] = []
    after: list[tuple[int, ...]] = []
    waiting: list[int] = []
    dependents: list[list[int]] = [[] for _ in block]
    for position, (free, effects, _, _) in enumerate(drafts):
        data: set[int] = set()
        for name in free:
            source = index.get(name, position)
            if source < position:
                data.add(source)
            else:
                outer.add(name)
        held = order.add(position, effects)
        needs.append(tuple(sorted(data)))
        after.append(tuple(sorted(held)))
        earlier = data | held
        waiting.append(len(earlier))
        for one in earlier:
            dependents[one].append(position)
    nodes = tuple(
        Node(step, tool, effects, free, needs[i], after[i], tuple(dependents[i]), inner)
        for i, (step, (free, effects, tool, inner)) in enumerate(zip(block, drafts, strict=True))
    )
    chain = all(i in dependents[i - 1] for i in range(1, len(nodes)))
    return Schedule(nodes, tuple(waiting), frozenset(outer), _union(draft[1] for draft in drafts), chain)


class _EffectOrder:
    """Finds, for each effect in program order, the earlier effects it waits for, without comparing all pairs."""

    __slots__ = ("_readers", "_writer", "_world_readers", "_world_writer")

    def __init__(self) -> None:
        self._writer: dict[str, int] = {}
        self._readers: dict[str, list[int]] = {}
        self._world_writer: int | None = None
        self._world_readers: list[int] = []

    def add(self, position: int, effects: Effects) -> set[int]:
        held: set[int] = set()
        for resource in effects.reads:
            held.update(self._writers_of(resource))
        for resource in effects.writes:
            held.update(self._writers_of(resource))
            held.update(self._readers_of(resource))
        for resource in effects.writes:
            self._wrote(resource, position)
        for resource in effects.reads - effects.writes:
            if resource == WORLD:
                self._world_readers.append(position)
            else:
                self._readers.setdefault(resource, []).append(position)
        held.discard(position)
        return held

    def _writers_of(self, resource: str) -> Iterator[int]:
        if self._world_writer is not None:
            yield self._world_writer
        if resource == WORLD:
            yield from self._writer.values()
        elif resource in self._writer:
            yield self._writer[resource]

    def _readers_of(self, resource: str) -> Iterator[int]:
        yield from self._world_readers
        if resource == WORLD:
            for readers in self._readers.values():
                yield from readers
        else:
            yield from self._readers.get(resource, ())

    def _wrote(self, resource: str, position: int) -> None:
        if resource == WORLD:
            self._writer.clear()
            self._readers.clear()
            self._world_readers.clear()
            self._world_writer = position
        else:
            self._writer[resource] = position
            self._readers.pop(resource, None)


def _union(effects: Iterable[Effects]) -> Effects:
    total = PURE
    for one in effects:
        total = total | one
    return total


_Draft = tuple[frozenset[str], Effects, Tool | None, tuple[Schedule, ...]]


def _draft(step: Step, tools: Mapping[str, Tool]) -> _Draft:
    """The free names, effects, tool and inner schedules of one step."""
    match step:
        case Call(tool=name):
            tool = tools.get(name)
            effects = Effects(writes=frozenset((WORLD,))) if tool is None else effects_of_tool(tool)
            return expression_names(step), effects, tool, ()
        case Subgoal():
            return expression_names(step), Effects(writes=frozenset((WORLD,))), None, ()
        case Ask():
            return expression_names(step), Effects(writes=frozenset((HUMAN,))), None, ()
        case Parallel(branches=branches):
            inner = tuple(schedule(block, tools) for block in branches.values())
        case If(then=then, otherwise=otherwise):
            inner = (schedule(then, tools), schedule(otherwise, tools))
        case ForEach(do=do) | Repeat(do=do):
            inner = (schedule(do, tools),)
        case _:
            return expression_names(step), PURE, None, ()
    free = frozenset().union(*(one.free for one in inner)) - bound_names(step)
    if isinstance(step, Repeat):
        free |= _repeat_names(step)
    return expression_names(step) | free, _union(one.effects for one in inner), None, inner


def bound_names(step: Step) -> frozenset[str]:
    """The names that a compound step defines for its own block."""
    match step:
        case ForEach(item=item):
            return frozenset((item,))
        case Repeat(state=state):
            return frozenset(state)
        case _:
            return frozenset()


def _repeat_names(step: Repeat) -> frozenset[str]:
    """Outer names in the expressions that a `Repeat` evaluates inside its block's scope."""
    inside = _names_of((step.until, step.while_, *step.next.values()))
    return inside - frozenset(step.state) - frozenset(inner.id for inner in step.do)


def _names_of(exprs: Iterable[Expr | None]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for expr in exprs:
        if expr is not None:
            found |= names(expr)
    return found


def expression_names(step: Step) -> frozenset[str]:
    """The names in the expressions that a step evaluates in its own scope, outside its blocks."""
    match step:
        case Call(args=args, fallback=fallback):
            return _names_of((*args.values(), fallback))
        case Value(value=value):
            return names(value)
        case If(condition=condition):
            return names(condition)
        case ForEach(source=source):
            return names(source)
        case Repeat(state=state):
            return _names_of(state.values())
        case Generate(prompt=prompt):
            return names(prompt)
        case Ask(question=question):
            return names(question)
        case Subgoal(goal=goal, inputs=inputs):
            return _names_of((goal, *inputs.values()))
        case _:
            return frozenset()
