"""What the speed measures run: real tools through the real registry, checker, executor and events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from typing_extensions import TypedDict

from agentkit.checker import CheckedPlan, check
from agentkit.expressions.nodes import Name
from agentkit.limits import Limits
from agentkit.plan import Call, Plan
from agentkit.planning import PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import read_json
from agentkit.toolbox import Tool, Toolbox, tool

LIMITS = Limits(steps=None, tool_calls=None, turns=2_000, loop_iterations=20_000)


class Reading(TypedDict):
    """What the benchmark's tool returns."""

    value: int
    label: str


@tool(effect="read")
async def measure(value: int, label: str) -> Reading:
    """Count one further.

    Args:
        value: The number so far.
        label: A text that is handed on.
    """
    return {"value": value + 1, "label": label}


@tool(effect="read")
async def wait(seconds: float, token: int = 0) -> int:
    """Wait, as a call over a network does.

    Args:
        seconds: How long.
        token: Handed back.
    """
    await asyncio.sleep(seconds)
    return token


TOOLBOX = Toolbox(measure, wait)


def checked(data: dict[str, object]) -> CheckedPlan:
    """A checked plan from its JSON spelling."""
    return check(read_json(data), TOOLBOX, limits=LIMITS).require()


def chain(steps: int) -> dict[str, object]:
    """A plan of calls, each using the one before."""
    rows: list[dict[str, object]] = [
        {"id": "s0", "kind": "call", "tool": "measure", "args": {"value": 0, "label": "x"}}
    ]
    for i in range(1, steps):
        args = {"value": f"${{s{i - 1}.value}}", "label": f"${{s{i - 1}.label}}"}
        rows.append({"id": f"s{i}", "kind": "call", "tool": "measure", "args": args})
    return {"steps": rows, "answer": f"${{s{steps - 1}.value}}"}


def loop(rounds: int) -> dict[str, object]:
    """A plan that calls a tool in a loop, carrying a value from round to round."""
    body = [{"id": "one", "kind": "call", "tool": "measure", "args": {"value": "${n}", "label": "x"}}]
    repeat = {
        "id": "loop",
        "kind": "repeat",
        "do": body,
        "state": {"n": 0},
        "next": {"n": "${one.value}"},
        "while": f"${{n < {rounds}}}",
        "max_iterations": rounds,
    }
    return {"steps": [repeat], "answer": "${loop.n}"}


def fan_out(width: int, seconds: float) -> dict[str, object]:
    """A plan of independent waits in a for-each."""
    body = [{"id": "one", "kind": "call", "tool": "wait", "args": {"seconds": seconds, "token": "${i}"}}]
    each = {"id": "each", "kind": "for_each", "item": "i", "in": f"${{range({width})}}", "do": body}
    return {"steps": [each], "answer": "${len(each)}"}


class SkewedDag:
    """A random DAG whose tasks mostly take little and sometimes long: where layers and barriers lose.

    Attributes:
        seconds: The duration of each task.
        needs: The earlier tasks that each one waits for.
        critical_path: The longest chain, in seconds.
    """

    def __init__(self, tasks: int, *, seed: int = 7) -> None:
        draw = random.Random(seed)
        self.seconds = [0.2 if draw.random() < 0.02 else draw.uniform(0.001, 0.01) for _ in range(tasks)]
        self.needs = [sorted(draw.sample(range(max(0, i - 60), i), k=min(i, draw.randint(0, 2)))) for i in range(tasks)]
        ends: list[float] = []
        for seconds, needs in zip(self.seconds, self.needs, strict=True):
            ends += [seconds + max((ends[j] for j in needs), default=0.0)]
        self.critical_path = max(ends)

    def plan(self) -> dict[str, object]:
        """The DAG as a plan: a task refers to what it needs."""
        rows = []
        for i, seconds in enumerate(self.seconds):
            token = f"${{{' + '.join(f't{j}' for j in self.needs[i])}}}" if self.needs[i] else 0
            rows.append({"id": f"t{i}", "kind": "call", "tool": "wait", "args": {"seconds": seconds, "token": token}})
        return {"steps": rows, "answer": "${t0}"}

    async def greedy(self) -> None:
        """The DAG in raw asyncio: each task starts when what it needs has ended."""
        tasks: list[asyncio.Task[None]] = []

        async def work(i: int) -> None:
            for j in self.needs[i]:
                await tasks[j]
            await asyncio.sleep(self.seconds[i])

        async with asyncio.TaskGroup() as group:
            tasks.extend(group.create_task(work(i)) for i in range(len(self.seconds)))


class StepPlanner:
    """Plans one call a turn, for a number of turns: what an interleaved planner does, without a model."""

    def __init__(self, turns: int, step: Callable[[int], Call]) -> None:
        self._turns = turns
        self._step = step

    async def propose(self, request: PlanRequest, run: Run) -> Proposal:
        """The next step; the last one ends the run."""
        turn = len(request.attempts)
        step = self._step(turn)
        final = turn + 1 == self._turns
        return Proposal(Plan((step,), answer=Name(step.id) if final else None), source=step.id, final=final)


def many_tools(count: int) -> list[Tool]:
    """Tools made of as many functions."""
    made: list[Tool] = []
    for number in range(count):

        async def look_up(key: str, limit: int = 10) -> list[str]:
            """Look something up.

            Args:
                key: What to look for.
                limit: Rows at most.
            """
            return [key] * min(limit, 3)

        made.append(tool(name=f"look_up_{number}", effect="read")(look_up))
    return made
