"""Kills a run at random instants with SIGKILL, resumes it until it ends, and counts what really happened.

Run as a script, in a process without threads, since it forks: ``python -m tests.crash ROUNDS SEED FOLDER`` prints one
JSON object a round.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from agentkit.agent import Agent
from agentkit.context import RunContext
from agentkit.events import RunFinished, StepFinished
from agentkit.journal import JournalStore
from agentkit.planners.fixed import FixedPlan
from agentkit.policy import Policy
from agentkit.spelling import read_json
from agentkit.toolbox import Tool, tool

RUN_ID = "crash"
MOST_DEATHS = 8
"""After so many kills a run is let alone."""

PLAN: dict[str, Any] = {
    "steps": [
        {
            "id": "looks",
            "kind": "for_each",
            "item": "i",
            "in": [0, 1, 2, 3],
            "do": [{"id": "look", "kind": "call", "tool": "look", "args": {"n": "${i}"}}],
        },
        {"id": "a", "kind": "call", "tool": "put", "args": {"n": "${looks[0]}"}},
        {
            "id": "sends",
            "kind": "for_each",
            "item": "i",
            "in": "${looks}",
            "do": [{"id": "send", "kind": "call", "tool": "send", "args": {"n": "${i}"}}],
        },
        {"id": "b", "kind": "call", "tool": "put", "args": {"n": "${a + 1}"}},
        {"id": "c", "kind": "call", "tool": "put", "args": {"n": "${b + len(sends)}"}},
    ],
    "answer": "${[a, b, c]}",
}


def tools(effects: Path) -> list[Tool]:
    """A read, a write, and a write that recognises its idempotency key; each leaves a line on disk."""

    def seen() -> list[str]:
        return effects.read_text(encoding="utf-8").split() if effects.exists() else []

    async def leave(line: str) -> None:
        await asyncio.sleep(random.uniform(0.0, 0.004))
        with effects.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        await asyncio.sleep(random.uniform(0.0, 0.004))

    @tool(effect="read")
    async def look(context: RunContext[None], n: int) -> int:
        """Look.

        Args:
            n: At what.
        """
        await leave(f"look {context.step}")
        return n

    @tool(effect="write", resources=("shelf",))
    async def put(context: RunContext[None], n: int) -> int:
        """Put.

        Args:
            n: What.
        """
        await leave(f"put {context.step}")
        return n

    @tool(effect="write", resources=("mail",), idempotent=True)
    async def send(context: RunContext[None], n: int) -> int:
        """Send, once for each idempotency key.

        Args:
            n: What.
        """
        if context.idempotency_key not in seen():
            await leave(f"send {context.step} {context.idempotency_key}")
        return n

    return [look, put, send]


async def live(folder: Path) -> None:
    """Start the run, or resume it if the journal has it and its end was not recorded right before the last kill."""
    store = JournalStore(folder / "journal.sqlite")
    agent = Agent(tools=tools(folder / "effects.txt"), planner=FixedPlan(read_json(PLAN)), policy=Policy(writes="auto"))
    status = next((row.status for row in store.runs() if row.run_id == RUN_ID), None)
    if status is None:
        await agent.run("crash", journal=store, run_id=RUN_ID)
    elif status != "done":
        await agent.resume(RUN_ID, store)
    store.close()


def killed_after(seconds: float | None, folder: Path) -> bool:
    """Run a process and kill it after `seconds`; whether it ended by itself.

    Raises:
        RuntimeError: It ended by an error of its own.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(live(folder))
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"the process of {folder} failed; its error is above")
    return os.WIFEXITED(status)


def one_round(folder: Path, draw: random.Random, longest: float) -> dict[str, Any]:
    """Kill and resume until the run ends; what happened, what the journal says, and which durable reads ran again.

    Args:
        folder: Where the journal and the traces of the effects are.
        draw: The random instants.
        longest: Seconds after which a process is killed at the latest.
    """
    folder.mkdir(parents=True)
    deaths, repeated = 0, []
    known: set[str] = set()
    looks: Counter[str] = Counter()
    while True:
        ended = killed_after(draw.uniform(0.0, longest) if deaths < MOST_DEATHS else None, folder)
        lines = _lines(folder)
        now = Counter(line[1] for line in lines if line[0] == "look")
        repeated += [step for step in known if now[step] > looks[step]]
        if ended:
            break
        deaths += 1
        looks, known = now, _durable(folder)
    events = JournalStore(folder / "journal.sqlite").events(RUN_ID)
    ends = {event.step: event for event in events if isinstance(event, StepFinished)}
    last = next(event for event in reversed(events) if isinstance(event, RunFinished))
    return {
        "deaths": deaths,
        "status": last.status,
        "error": last.error,
        "puts": Counter(line[1] for line in lines if line[0] == "put"),
        "sends": Counter(line[1] for line in lines if line[0] == "send"),
        "in_doubt": [step for step, end in ends.items() if end.error.startswith("in doubt")],
        "done": [step for step, end in ends.items() if end.status == "done"],
        "repeated": repeated,
    }


def whole_run(folder: Path) -> float:
    """Seconds that a run takes here and now when nobody kills it: the middle of three."""
    took = []
    for number in range(3):
        (folder / str(number)).mkdir(parents=True)
        began = time.perf_counter()
        killed_after(None, folder / str(number))
        took.append(time.perf_counter() - began)
    return sorted(took)[1]


def _lines(folder: Path) -> list[list[str]]:
    path = folder / "effects.txt"
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _durable(folder: Path) -> set[str]:
    """The reads whose results the journal holds for good."""
    store = JournalStore(folder / "journal.sqlite")
    if not any(row.run_id == RUN_ID for row in store.runs()):
        return set()
    events = store.events(RUN_ID)
    return {event.step for event in events if isinstance(event, StepFinished) and event.status == "done"}


def main() -> None:
    """Run the rounds."""
    rounds, seed, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    draw = random.Random(seed)
    longest = whole_run(folder / "whole")
    for number in range(rounds):
        result = one_round(folder / str(number), draw, longest)
        longest *= {0: 0.8, MOST_DEATHS: 1.25}.get(result["deaths"], 1.0)  # the machine has become quicker, or slower
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
