"""The speed of agentkit itself, beside raw asyncio doing the same work in the same process.

Each measure is the best of a few repetitions: on a shared machine the least disturbed one says most about the code.
"""

from __future__ import annotations

import ast
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkit import Agent, Toolbox
from agentkit.checker import CheckedPlan, check
from agentkit.executor import execute
from agentkit.expressions.nodes import Literal
from agentkit.journal import JournalStore
from agentkit.plan import Call
from agentkit.run import Run, new_run_id
from agentkit.spelling import read_json, write_python
from benchmarks.workloads import (
    LIMITS,
    TOOLBOX,
    SkewedDag,
    StepPlanner,
    chain,
    checked,
    fan_out,
    loop,
    many_tools,
    measure,
    wait,
)

Work = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure: ours, raw asyncio's for the same work (None where there is no such thing), the unit, the target."""

    agentkit: float
    asyncio: float | None
    unit: str
    target: float
    note: str = ""


def best(work: Work, *, repeat: int = 5) -> float:
    """Seconds of the quickest of a few runs, each in an event loop of its own; one run goes before to warm up."""

    async def timed() -> float:
        started = time.perf_counter()
        await work()
        return time.perf_counter() - started

    asyncio.run(work())
    return min(asyncio.run(timed()) for _ in range(repeat))


def _execute(plan: CheckedPlan) -> Work:
    async def run() -> None:
        outcome = await execute(plan, run=Run(limits=LIMITS))
        assert outcome.status == "done", outcome.error

    return run


async def _raw_call(value: int, label: str) -> dict[str, Any]:
    return {"value": value + 1, "label": label}


def seq_step() -> Figure:
    """A sequential step: references, argument validation, call, output validation, events."""
    count = 1_000

    async def raw() -> None:
        value = 0
        for _ in range(count):
            value = (await _raw_call(value, "x"))["value"]

    ours = best(_execute(checked(chain(count))))
    return Figure(ours / count * 1e6, best(raw) / count * 1e6, "us", 60)


def loop_iteration() -> Figure:
    """A round of a loop that calls a tool and carries a value."""
    count = 10_000

    async def raw() -> None:
        n = 0
        while n < count:
            n = (await _raw_call(n, "x"))["value"]

    ours = best(_execute(checked(loop(count))), repeat=3)
    return Figure(ours / count * 1e6, best(raw) / count * 1e6, "us", 40)


def fan_out_1000() -> Figure:
    """A thousand calls of 10 ms at once."""

    async def raw() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(1_000):
                group.create_task(asyncio.sleep(0.01))

    ours = best(_execute(checked(fan_out(1_000, 0.01))))
    return Figure(ours * 1e3, best(raw) * 1e3, "ms", 120)


def dag_skewed() -> Figure:
    """A DAG of a thousand uneven tasks, over its critical path."""
    dag = SkewedDag(1_000)
    ours = best(_execute(checked(dag.plan())), repeat=3)
    raw = best(dag.greedy, repeat=3)
    note = f"critical path {dag.critical_path:.2f} s"
    return Figure(ours / dag.critical_path, raw / dag.critical_path, "x", 1.2, note)


def concurrent_runs() -> Figure:
    """A thousand agent runs at once, each of five turns of 20 ms."""
    planner = StepPlanner(5, lambda turn: Call(f"t{turn}", "wait", {"seconds": Literal(0.02)}))
    agent = Agent(tools=[wait], planner=planner, limits=LIMITS)

    async def ours() -> None:
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(agent.run("go")) for _ in range(1_000)]
        assert all(run.result().status == "done" for run in runs)

    async def one() -> None:
        for _ in range(5):
            await asyncio.sleep(0.02)

    async def raw() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(1_000):
                group.create_task(one())

    return Figure(best(ours, repeat=3), best(raw, repeat=3), "s", 1.0)


def _turns(turns: int) -> Figure:
    args = {"value": Literal(1), "label": Literal("x")}
    agent = Agent(
        tools=[measure], planner=StepPlanner(turns, lambda turn: Call(f"t{turn}", "measure", args)), limits=LIMITS
    )

    async def ours() -> None:
        result = await agent.run("go")
        assert result.status == "done", result.error

    async def raw() -> None:
        for _ in range(turns):
            await _raw_call(1, "x")

    repeat = max(3, 500 // turns)
    return Figure(best(ours, repeat=repeat) / turns * 1e6, best(raw, repeat=repeat) / turns * 1e6, "us", 150)


def turn_50() -> Figure:
    """A turn of the agent's loop (propose, check, execute, record) in a run of 50."""
    return _turns(50)


def turn_1000() -> Figure:
    """The same in a run of 1,000: it must not grow."""
    return _turns(1_000)


def journal_step() -> Figure:
    """A sequential read step whose events go to the journal on disk."""
    count = 1_000
    plan = checked(chain(count))
    with tempfile.TemporaryDirectory() as folder:
        store = JournalStore(Path(folder) / "journal.sqlite")

        async def ours() -> None:
            run_id = new_run_id()
            journal = store.run(run_id)
            outcome = await execute(plan, run=Run(id=run_id, limits=LIMITS, journal=journal))
            await journal.flush()
            assert outcome.status == "done", outcome.error

        async def raw() -> None:
            value = 0
            for _ in range(count):
                value = (await _raw_call(value, "x"))["value"]

        ours_seconds, raw_seconds = best(ours), best(raw)
        store.close()
    return Figure(ours_seconds / count * 1e6, raw_seconds / count * 1e6, "us", 120, "synchronous=FULL, group commit")


def check_100() -> Figure:
    """Checking a plan of a hundred steps, nothing cached."""
    plan = read_json(chain(100))
    source = write_python(plan, TOOLBOX)

    async def ours() -> None:
        assert check(plan, TOOLBOX, limits=LIMITS).ok

    async def raw() -> None:
        compile(ast.parse(source), "plan", "exec")

    note = "in the asyncio column: CPython parsing and compiling the same plan's source"
    return Figure(best(ours, repeat=20) * 1e3, best(raw, repeat=20) * 1e3, "ms", 2, note)


def thousand_tools() -> Figure:
    """One turn of an agent that has a thousand tools."""
    started = time.perf_counter()
    tools = many_tools(1_000)
    toolbox = Toolbox(*tools)
    registered = time.perf_counter() - started
    started = time.perf_counter()
    _ = toolbox.fingerprint
    fingerprinted = time.perf_counter() - started
    planner = StepPlanner(1, lambda _: Call("row", "look_up_777", {"key": Literal("x")}))
    agent = Agent(tools=[toolbox], planner=planner, limits=LIMITS)

    async def ours() -> None:
        result = await agent.run("go")
        assert result.output == ["x"] * 3, result.error

    async def raw() -> None:
        await _raw_call(1, "x")

    note = f"registering them took {registered:.2f} s (target 1 s), their fingerprint {fingerprinted:.2f} s"
    return Figure(best(ours) * 1e3, best(raw) * 1e3, "ms", 10, note)


def import_time() -> Figure:
    """CPU time of ``import agentkit``; the target is 1.5 times that of ``import pydantic``."""
    pydantic = _import("import pydantic")
    note = f"import pydantic takes {pydantic:.0f} ms"
    return Figure(_import("import agentkit"), _import("import asyncio"), "ms", 1.5 * pydantic, note)


def _import(statement: str) -> float:
    """Least CPU milliseconds of a fresh interpreter running `statement`, less those of one that runs nothing."""
    code = f"import time; a = time.process_time(); {statement}; print(time.process_time() - a)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def once() -> float:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        return float(done.stdout) * 1e3

    once()
    return min(once() for _ in range(7))


MEASURES: dict[str, Callable[[], Figure]] = {
    "seq_step": seq_step,
    "loop_iteration": loop_iteration,
    "fan_out_1000": fan_out_1000,
    "dag_skewed": dag_skewed,
    "concurrent_runs": concurrent_runs,
    "turn_50": turn_50,
    "turn_1000": turn_1000,
    "journal_step": journal_step,
    "check_100": check_100,
    "thousand_tools": thousand_tools,
    "import": import_time,
}
