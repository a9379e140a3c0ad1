"""What a checked plan can do at most: bounds on calls, cost and time, and every write and approval it may ask for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import add
from typing import NamedTuple

from agentkit._call_counts import count_calls
from agentkit.messages import Json
from agentkit.plan import Call, ForEach, Generate, If, Parallel, Repeat, Step, Subgoal
from agentkit.policy import Policy
from agentkit.schedule import Node, Schedule

DEFAULT_MODEL_SECONDS = 2.0
"""Seconds that a `generate` step is estimated at, for the critical path."""

_NUMBERS = ("steps", "tool_calls", "model_calls", "cost", "fees", "seconds", "subgoals")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Bounds proved before anything runs. None means: not bounded statically, the run's limits hold instead.

    Attributes:
        steps: Steps run at most.
        tool_calls: Tool calls at most, every retry counted.
        model_calls: Model calls of `generate` steps at most, every retry not counted.
        cost: US dollars of tool calls at most, every retry counted. What `generate` steps and subgoals cost is not in
            it: their prompts are made while the plan runs, so that nothing bounds their tokens before.
        fees: The same if nothing is retried.
        calls: For each tool that is called, how often at least and at most, retries not counted.
        seconds: Estimated critical path, from the tools' `expected_seconds`; not a bound.
        subgoals: Subgoals planned at most; what these do is certified when they are planned.
        writes: Tools with write effect that the plan may call, by step id.
        approvals: Step ids that will ask a person for permission.
        runtime_checks: Places whose types cannot be known before running; they are checked at the step's border.
    """

    steps: int | None = 0
    tool_calls: int | None = 0
    model_calls: int | None = 0
    cost: float | None = 0.0
    fees: float | None = 0.0
    calls: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    seconds: float = 0.0
    subgoals: int | None = 0
    writes: Mapping[str, str] = field(default_factory=dict)
    approvals: tuple[str, ...] = ()
    runtime_checks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The certificate as JSON: numbers, and `calls`, `writes`, `approvals` and `runtime_checks` if there are any.

        A run keeps one for each plan; those of most plans write nothing and ask nobody.
        """
        row: dict[str, Json] = {name: getattr(self, name) for name in _NUMBERS}
        if self.calls:
            row["calls"] = {tool: list(bounds) for tool, bounds in self.calls.items()}
        if self.writes:
            row["writes"] = dict(self.writes)
        if self.approvals:
            row["approvals"] = list(self.approvals)
        if self.runtime_checks:
            row["runtime_checks"] = list(self.runtime_checks)
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Json]) -> Certificate:
        """The certificate that `to_json` wrote."""
        lists = {name: tuple(row[name]) for name in ("approvals", "runtime_checks") if name in row}
        calls = {tool: tuple(bounds) for tool, bounds in row.get("calls", {}).items()}
        return cls(**{**row, **lists, "calls": calls})

    def __str__(self) -> str:
        parts = [
            _at_most(self.tool_calls, "tool call"),
            _at_most(self.model_calls, "model call"),
            f"about {self.seconds:.3g} s" if self.seconds else "",
            self._cost(),
            "writes: " + ", ".join(sorted(set(self.writes.values()))) if self.writes else "no writes",
            f"asks approval for {', '.join(self.approvals)}" if self.approvals else "",
            self._subgoals(),
        ]
        return "; ".join(part for part in parts if part)

    def _subgoals(self) -> str:
        if self.subgoals == 0:
            return ""
        return f"besides {_at_most(self.subgoals, 'subgoal')}, planned when reached"

    def _cost(self) -> str:
        if self.cost is None:
            return "cost not bounded"
        besides = self.model_calls != 0 or self.subgoals != 0
        if self.cost:
            return f"at most ${self.cost:.4g}" + (" besides what the model costs" if besides else "")
        return "what the model costs is not bounded" if besides else ""


def _at_most(count: int | None, noun: str) -> str:
    if count is None:
        return f"{noun}s not bounded statically"
    if count == 0:
        return f"no {noun}s"
    return f"at most {count} {noun}{'s' if count != 1 else ''}"


class _Bound(NamedTuple):
    """Upper bounds of a step or block; infinity where nothing bounds it. `calls` and `fees` count no retries."""

    steps: float = 0.0
    calls: float = 0.0
    attempts: float = 0.0
    models: float = 0.0
    fees: float = 0.0
    cost: float = 0.0
    subgoals: float = 0.0

    def plus(self, other: _Bound) -> _Bound:
        return _Bound(*map(add, self, other))

    def times(self, count: float) -> _Bound:
        return _Bound(*(value * count if value and count else 0.0 for value in self))

    def either(self, other: _Bound) -> _Bound:
        return _Bound(*map(max, self, other))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Upper bounds without retries, for comparing with the limits; infinity where nothing bounds it."""

    steps: float
    tool_calls: float
    model_calls: float
    cost: float


def certify(
    plan: Schedule,
    *,
    lengths: Mapping[str, int | None],
    loop_iterations: int,
    policy: Policy,
    runtime_checks: Iterable[str] = (),
) -> tuple[Certificate, Bounds]:
    """Compute the certificate of a scheduled plan, and its bounds without retries.

    Args:
        plan: The plan's steps with their dependencies.
        lengths: For each `for_each` step id, the largest length of its list, if known.
        loop_iterations: The bound of a `repeat` that names none.
        policy: Says which calls will ask.
        runtime_checks: Places that only running can check.
    """
    walk = _Walk(lengths, loop_iterations, policy)
    bound, seconds = walk.block(plan)
    certificate = Certificate(
        steps=_finite(bound.steps),
        tool_calls=_finite(bound.attempts),
        model_calls=_finite(bound.models),
        cost=None if math.isinf(bound.cost) else bound.cost,
        fees=None if math.isinf(bound.fees) else bound.fees,
        calls={tool: (int(least), _finite(most)) for tool, (least, most) in count_calls(plan, walk.rounds).items()},
        seconds=seconds,
        subgoals=_finite(bound.subgoals),
        writes=walk.writes,
        approvals=tuple(walk.approvals),
        runtime_checks=tuple(runtime_checks),
    )
    return certificate, Bounds(bound.steps, bound.calls, bound.models, bound.fees)


def _finite(value: float) -> int | None:
    return None if math.isinf(value) else int(value)


class _Walk:
    def __init__(self, lengths: Mapping[str, int | None], loop_iterations: int, policy: Policy) -> None:
        self.lengths = lengths
        self.loop_iterations = loop_iterations
        self.policy = policy
        self.writes: dict[str, str] = {}
        self.approvals: list[str] = []

    def block(self, schedule: Schedule) -> tuple[_Bound, float]:
        """The bound of a block, and the seconds of its longest chain of dependencies."""
        total = _Bound()
        ends: list[float] = []
        for node in schedule.nodes:
            bound, seconds = self.node(node)
            total = total.plus(bound)
            ends.append(seconds + max((ends[i] for i in (*node.needs, *node.after)), default=0.0))
        return total, max(ends, default=0.0)

    def node(self, node: Node) -> tuple[_Bound, float]:
        step = node.step
        match step:
            case Call():
                return self.call(node, step)
            case Generate():
                return _Bound(steps=1, models=1), DEFAULT_MODEL_SECONDS
            case Subgoal():
                return _Bound(steps=1, subgoals=1), 0.0
            case Parallel() | If():
                return self.branches(node, step)
            case ForEach() | Repeat():
                return self.loop(node, step)
            case _:
                return _Bound(steps=1), 0.0

    def call(self, node: Node, step: Call) -> tuple[_Bound, float]:
        tool = node.tool
        if tool is None:
            return _Bound(steps=1, calls=1, attempts=1), 0.0
        if tool.effect == "write":
            self.writes[step.id] = tool.name
        if self.policy.decide(tool) == "ask":
            self.approvals.append(step.id)
        attempts = 1 + (tool.retries if step.retry is None else step.retry)
        bound = _Bound(steps=1, calls=1, attempts=attempts, fees=tool.cost, cost=tool.cost * attempts)
        return bound, tool.expected_seconds

    def branches(self, node: Node, step: Step) -> tuple[_Bound, float]:
        inner = [self.block(block) for block in node.blocks]
        total = _Bound()
        for bound, _ in inner:
            total = total.either(bound) if isinstance(step, If) else total.plus(bound)
        return total.plus(_Bound(steps=1)), max((seconds for _, seconds in inner), default=0.0)

    def loop(self, node: Node, step: ForEach | Repeat) -> tuple[_Bound, float]:
        bound, seconds = self.block(node.blocks[0])
        count = self.rounds(step)
        if isinstance(step, Repeat):
            return bound.times(count).plus(_Bound(steps=1)), seconds * count
        lanes = (step.concurrency or math.inf) if node.blocks[0].effects.writes == frozenset() else 1
        waves = 1.0 if math.isinf(count) else math.ceil(count / min(lanes, count or 1)) if count else 0.0
        return bound.times(count).plus(_Bound(steps=1)), seconds * waves

    def rounds(self, step: ForEach | Repeat) -> float:
        """How often a loop's block runs at most; infinity where nothing bounds it."""
        if isinstance(step, Repeat):
            return self.loop_iterations if step.max_iterations is None else step.max_iterations
        known = self.lengths.get(step.id)
        return math.inf if known is None else known
