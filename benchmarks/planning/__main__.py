"""``python -m benchmarks.planning``: five ways of getting a plan from a local model, on the task bank; a table.

Every arm gets the same tasks, tools and examples. *Valid* plans pass the checker; *correct* ones, run, leave the
expected answer and the expected effects. Tokens are generated ones, seconds are of planning and running together.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentkit import Agent, Example, Limits, Policy
from agentkit.events import PlanChecked
from agentkit.planners.candidates import Candidates
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planning import Planner
from benchmarks.planning.tasks import TASKS, Task
from benchmarks.planning.tools import planning_tools
from benchmarks.planning.world import World

ARMS: dict[str, Callable[[], Planner]] = {
    "JSON + schema": lambda: PlanAndExecute(spelling="json", decoding="grammar"),
    "Python, free": lambda: PlanAndExecute(spelling="python", decoding="free"),
    "Python + grammar": lambda: PlanAndExecute(spelling="python", decoding="grammar"),
    "Python, typed lines": lambda: PlanAndExecute(spelling="python", decoding="typed"),
    "vote of 5": lambda: Candidates(5),
}

EXAMPLES = (
    Example(
        "What does a wool scarf cost, and how many are in stock?",
        'cost = get_price(name="wool scarf")\nstock = get_stock(name="wool scarf")\nanswer([cost, stock])',
    ),
    Example(
        "Which cities are warmer than 30 degrees?",
        "cities = list_cities()\nreports = [get_weather(city=p) for p in cities]\n"
        "answer([p.city for p in reports if p.celsius > 30])",
    ),
    Example(
        "If Acme earned more than expected, buy 5 of its shares, otherwise sell 5.",
        'report = get_earnings(company="Acme")\nif report.eps > report.expected_eps:\n'
        '    receipt = trade_shares(company="Acme", action="buy", shares=5)\nelse:\n'
        '    receipt = trade_shares(company="Acme", action="sell", shares=5)\nanswer(receipt)',
    ),
    Example(
        "Draw random numbers until one is even.",
        "n = next_random()\nwhile n % 2 == 1:\n    n = next_random()\nanswer(n)",
    ),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One task under one arm."""

    valid: bool
    correct: bool
    tokens: int
    seconds: float


async def attempt(task: Task, arm: str, model: str) -> Trial:
    """One plan for one task: no repairs, no second plan."""
    world = World()
    agent = Agent(
        model,
        tools=[planning_tools(world)],
        planner=ARMS[arm](),
        examples=EXAMPLES,
        policy=Policy(writes="auto"),
        limits=Limits(repairs=0, replans=0, model_calls=400),
    )
    started = time.monotonic()
    result = await agent.run(task.request)
    checks = [event for event in result.events if isinstance(event, PlanChecked)]
    return Trial(
        valid=any(event.accepted for event in checks),
        correct=result.status == "done" and task.solved(result.output, world),
        tokens=result.usage.output_tokens,
        seconds=time.monotonic() - started,
    )


async def compare(models: Sequence[str], arms: Sequence[str], tasks: Sequence[Task]) -> None:
    """Run every task under every arm on every model, and print the table."""
    write = sys.stdout.write
    write(f"{len(tasks)} tasks.\n\n| model | arm | valid | correct | tokens (median) | seconds (median) |\n")
    write("|---|---|---|---|---|---|\n")
    for model in models:
        for arm in arms:
            trials = [await attempt(task, arm, model) for task in tasks]
            valid, correct = sum(one.valid for one in trials), sum(one.correct for one in trials)
            tokens = statistics.median(one.tokens for one in trials)
            seconds = statistics.median(one.seconds for one in trials)
            write(f"| {model} | {arm} | {valid} | {correct} | {tokens:.0f} | {seconds:.1f} |\n")
            sys.stdout.flush()


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__)
    parser.add_argument("--model", action="append", help="may be repeated; default: both Qwen models of the catalogue")
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="may be repeated; default: all")
    parser.add_argument("--tasks", type=int, default=len(TASKS), help="only so many, spread over the categories")
    options = parser.parse_args()
    count = min(max(options.tasks, 1), len(TASKS))
    tasks = [TASKS[position * len(TASKS) // count] for position in range(count)]
    models = options.model or ["local:qwen2.5-coder-0.5b", "local:qwen2.5-coder-1.5b"]
    asyncio.run(compare(models, options.arm or list(ARMS), tasks))


if __name__ == "__main__":
    main()
