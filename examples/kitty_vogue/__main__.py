"""``python -m examples.kitty_vogue``: ask the shop's assistant a few questions, on a local model."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time

from rich.console import Console

from agentkit.cli.show import EventPrinter
from examples.kitty_vogue.agent import DEFAULT_MODEL, make_agent
from examples.kitty_vogue.expected import is_correct
from examples.kitty_vogue.questions import DEMO, QUESTIONS


async def demo(questions: list[str], model: str) -> int:
    """Ask each question and show everything that happens; the number of answers known to be wrong."""
    console = Console()
    known = {question.text for question in QUESTIONS}
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        agent = make_agent(folder, model)
        for question in questions:
            started = time.monotonic()
            result = await agent.run(question, listeners=[EventPrinter(console)])
            console.print(f"[dim]{time.monotonic() - started:.1f} s[/]")
            if question in known:
                right = is_correct(question, result.output)
                wrong += not right
                verdict = "[green]right[/]" if right else "[red]wrong[/]"
                console.print(f"compared with the database: {verdict}")
    return wrong


def main() -> None:
    """Parse the command line and run the demonstration."""
    parser = argparse.ArgumentParser(prog="python -m examples.kitty_vogue", description=__doc__)
    parser.add_argument("questions", nargs="*", help="questions to ask, instead of the demo's")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model id (default: %(default)s)")
    options = parser.parse_args()
    raise SystemExit(1 if asyncio.run(demo(options.questions or [one.text for one in DEMO], options.model)) else 0)


if __name__ == "__main__":
    main()
