"""How long a task takes with each way of planning: ReAct, a plan run step by step, at once, and while it is written.

The agent, the planners, the checker and the executor are the real ones. The model's texts are scripted, and what takes
time is simulated: a model that writes so many tokens a second after a time to the first one, and tools that take about
so long, each call the same time with every way of planning. Time is virtual, so the figures are exact and the same
everywhere; ``--wall`` does the same in real time, scaled down, to show that agentkit's own time does not change them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import TypeAlias

from agentkit import Agent, Limits, Tool, tool
from agentkit.messages import ModelProfile, ModelRequest, Usage
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planners.react import ReAct
from agentkit.planning import Planner
from agentkit.testing import FakeClock, TimedModel
from benchmarks.latency_tasks import Task, Workload, workloads

DECODE = (20.0, 50.0, 100.0, 150.0)
"""Tokens a second of the sweep."""

TOOL = (0.1, 0.3, 1.0, 3.0)
"""Seconds of a tool call of the sweep."""

SPREAD = 0.3
"""Standard deviation of the logarithm of a tool call's time."""

PROFILE = ModelProfile(decoding="free", context_window=128_000)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long things take.

    The defaults for the model are what LLMPerf's leaderboard of December 2023 gives for Llama-2-70B-chat at one
    provider, Fireworks, as medians: 40 tokens/s and 0.51 s. It stands in the middle of the eight providers there.
    https://github.com/ray-project/llmperf-leaderboard

    Attributes:
        decode: Tokens that the model writes in a second.
        ttft: Seconds to its first token, whatever the length of the prompt.
        tool: Mean seconds of a tool call.
        seed: Of the times of the single calls.
    """

    decode: float = 40.0
    ttft: float = 0.51
    tool: float = 1.0
    seed: int = 0

    def of_call(self, name: str, what: str) -> float:
        """Seconds of one call: the same whenever and by whomever it is made."""
        draw = random.Random(f"{self.seed}/{name}/{what}")  # a simulation
        return self.tool * draw.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of planning."""

    name: str
    planner: Planner
    limits: Limits = field(default_factory=Limits)


ARMS = (
    Arm("ReAct", ReAct(protocol="text")),
    Arm("plan, sequential", PlanAndExecute(), Limits(parallelism=1)),
    Arm("plan, parallel", PlanAndExecute()),
    Arm("plan, streamed", PlanAndExecute(stream=True)),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of a task, and what it used; means where it is of several."""

    seconds: float
    usage: Usage
    tasks: int = 1

    @property
    def model_calls(self) -> float:
        """Model calls a task."""
        return self.usage.model_calls / self.tasks

    @property
    def tokens(self) -> tuple[float, float]:
        """Prompt and generated tokens a task."""
        return self.usage.input_tokens / self.tasks, self.usage.output_tokens / self.tasks


class ScaledClock:
    """Real time, `scale` times as fast."""

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def time(self) -> float:
        """Seconds, scaled."""
        return time.time() * self._scale

    def monotonic(self) -> float:
        """Seconds, scaled."""
        return time.monotonic() * self._scale

    async def sleep(self, seconds: float) -> None:
        """Wait for the scaled-down time."""
        await asyncio.sleep(seconds / self._scale)


Timer: TypeAlias = FakeClock | ScaledClock
"""A clock that measures, too."""


def tools(latency: Latency, clock: Timer) -> list[Tool]:
    """The tools of every task; a call takes its time on `clock` and does nothing else."""

    @tool(effect="read")
    async def search(query: str) -> str:
        """Search an encyclopedia.

        Args:
            query: What to search for.
        """
        await clock.sleep(latency.of_call("search", query))
        return f"{query}: " + "a fact that is worth knowing about it, and where it is from; " * 5

    @tool(effect="pure")
    async def maths(problem: str, data: list[str]) -> str:
        """Solve a mathematical problem.

        Args:
            problem: The problem, in words.
            data: Texts that the numbers are in.
        """
        await clock.sleep(latency.of_call("maths", f"{problem} {data}"))
        return "1234.5"

    return [search, maths]


async def run(task: Task, arm: Arm, latency: Latency, clock: Timer) -> Measured:
    """Do one task in one way."""

    def reply(request: ModelRequest) -> str:
        if request.purpose == "act":
            return task.turn(sum(message.role == "assistant" for message in request.messages))
        return task.answer if request.purpose == "generate" else task.plan()

    model = TimedModel(reply, clock, ttft=latency.ttft, tokens_per_second=latency.decode, profile=PROFILE)
    agent = Agent(model, tools=tools(latency, clock), planner=arm.planner, limits=arm.limits)
    started = clock.monotonic()
    result = await agent.run(task.question, clock=clock)
    assert (result.output, result.usage.tool_calls) == (task.answer, len(task.steps)), (result.status, result.error)
    return Measured(clock.monotonic() - started, result.usage)


def measure(workload: Workload, arm: Arm, latency: Latency, *, scale: float | None = None) -> Measured:
    """The mean over the tasks of a workload, in virtual time, or in real time that is `scale` times as fast."""

    def one(task: Task) -> Measured:
        return asyncio.run(run(task, arm, latency, ScaledClock(scale) if scale else FakeClock()))

    each = [one(task) for task in workload.tasks]
    used = reduce(add, (measured.usage for measured in each))
    return Measured(sum(measured.seconds for measured in each) / len(each), used, len(each))


def compare(workload: Workload, latency: Latency, *, scale: float | None = None) -> dict[str, Measured]:
    """Every way of planning on one workload, by its name."""
    return {arm.name: measure(workload, arm, latency, scale=scale) for arm in ARMS}


# tables


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its head, the first column is text."""
    head, *body = rows
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def comparison(measured: Mapping[str, Mapping[str, Measured]], papers: Mapping[str, float]) -> str:
    """What each way took, a row for each way and workload."""
    head = ["workload and way", "seconds", "speed-up", "LLMCompiler's paper", "model calls", "tokens in", "tokens out"]
    rows = [head]
    for workload, arms in measured.items():
        slowest = arms[ARMS[0].name].seconds
        for name, one in arms.items():
            paper = f"{papers[workload]:.2f}×" if name == ARMS[-1].name else ""
            read, written = one.tokens
            speed_up = f"{slowest / one.seconds:.2f}×"
            counts = (f"{one.model_calls:.1f}", f"{read:,.0f}", f"{written:,.0f}")
            rows.append([f"{workload}: {name}", f"{one.seconds:.2f}", speed_up, paper, *counts])
    return table(rows)


def sweep(chosen: Sequence[Workload], latency: Latency) -> str:
    """Speed-ups over ReAct of a parallel and a streamed plan, by tool time and decoding speed."""
    rows = [["workload, tokens/s", *(f"tools {seconds:g} s" for seconds in TOOL)]]
    for workload in chosen:
        for decode in DECODE:
            cells = []
            for seconds in TOOL:
                arms = compare(workload, replace(latency, decode=decode, tool=seconds))
                react, _, parallel, streamed = (arms[arm.name].seconds for arm in ARMS)
                cells.append(f"{react / parallel:.2f}× / {react / streamed:.2f}×")
            rows.append([f"{workload.name}, {decode:g}", *cells])
    return table(rows)


def main() -> None:
    """Print the comparison, the sweep and the check in real time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000, help="tasks of a workload at most (all by default)")
    parser.add_argument("--sweep", action="store_true", help="sweep tool time and decoding speed, few tasks each")
    parser.add_argument("--wall", action="store_true", help="also in real time, ten times as fast, few tasks each")
    options = parser.parse_args()
    latency = Latency()
    chosen = [workload.first(options.tasks) for workload in workloads()]
    papers = {workload.name: workload.paper for workload in chosen}
    print(f"virtual time: {latency.decode:g} tokens/s, first token {latency.ttft:g} s, tools {latency.tool:g} s\n")
    print(comparison({workload.name: compare(workload, latency) for workload in chosen}, papers))
    few = [workload.first(8) for workload in chosen]
    if options.sweep:
        print("\nspeed-up over ReAct of a parallel plan / of a streamed plan\n")
        print(sweep(few, latency))
    if options.wall:
        print("\nreal time, scaled up again by 10\n")
        two = [workload.first(2) for workload in chosen]
        print(comparison({one.name: compare(one, latency, scale=10.0) for one in two}, papers))


if __name__ == "__main__":
    main()
