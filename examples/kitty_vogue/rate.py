"""``python -m examples.kitty_vogue.rate``: how often the assistant answers rightly, over seeds; a Markdown table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence

from agentkit.messages import ModelSettings
from agentkit.planners.plan_execute import PlanAndExecute
from examples.kitty_vogue.agent import DEFAULT_MODEL, make_agent
from examples.kitty_vogue.expected import is_correct
from examples.kitty_vogue.questions import DEMO, PROJECTION, QUESTIONS, Question

TEMPERATURE = 0.3
"""Warm enough that seeds differ; the demonstration itself samples greedily."""


async def rate(questions: Sequence[Question], model: str, seeds: int) -> None:
    """Ask every question once for each seed, and print the share of right answers."""
    write = sys.stdout.write
    write(f"Model `{model}`, {seeds} seeds a question, temperature {TEMPERATURE}.\n\n")
    write("| question | right | seconds (median) |\n|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        for question in questions:
            right, seconds = 0, []
            for seed in range(seeds):
                settings = ModelSettings(temperature=TEMPERATURE, seed=seed, max_tokens=700)
                agent = make_agent(folder, model, planner=PlanAndExecute(settings=settings))
                started = time.monotonic()
                result = await agent.run(question.text)
                seconds.append(time.monotonic() - started)
                right += is_correct(question.id, result.output)
            write(f"| {question.text} | {right}/{seeds} | {sorted(seconds)[seeds // 2]:.1f} |\n")
            sys.stdout.flush()


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.kitty_vogue.rate", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--all", action="store_true", help="all questions, not only four of them")
    options = parser.parse_args()
    asyncio.run(rate(QUESTIONS if options.all else (*DEMO, PROJECTION), options.model, options.seeds))


if __name__ == "__main__":
    main()
