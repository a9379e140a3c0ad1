"""Reflexion: code that fails one of its three tests is mended on the second try, by the lesson of the first.

Run it: ``python -m examples.planning.leap_year``, with the replies below, or with a model id. The code is an expression
of the plan language, so it is evaluated safely, whoever wrote it.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

from agentkit import Agent, AgentKitError, RunResult
from agentkit.events import PlanProposed, Reflected
from agentkit.expressions import evaluate, parse_expression
from agentkit.messages import ModelProfile
from agentkit.planners.reflexion import Reflexion
from agentkit.planning import Situation
from agentkit.protocols import Model
from agentkit.reflection import Reflection
from agentkit.testing import ScriptedModel

TASK = (
    "Answer with a text: a Python expression of the integer `year` that is True for leap years and False for others. "
    "Use only arithmetic, comparisons, and, or, not."
)
TESTS = {2024: True, 2023: False, 1900: False}
REPLIES = (
    'answer("year % 4 == 0")',
    "I took every fourth year for a leap year. Years that can be divided by 100 are none unless 400 divides them too.",
    'answer("year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)")',
)


@dataclass(frozen=True, slots=True)
class _Result:
    year: int
    got: object


def passes_its_tests(situation: Situation) -> str:
    """The tests that the code fails, in words; empty if it passes all."""
    code = situation.outcome.value if situation.outcome is not None else None
    if not isinstance(code, str):
        return f"the answer is {code!r}, not code"
    results = [_Result(year, value_of(code, year)) for year in TESTS]
    wrong = [one for one in results if one.got is not TESTS[one.year]]
    told = "; ".join(f"for year={one.year} it gave {one.got!r}, expected {TESTS[one.year]}" for one in wrong)
    return f"{len(wrong)} of {len(TESTS)} tests fail: {told}" if wrong else ""


def value_of(code: object, year: int) -> object:
    """What the code says of a year; why it does not work, in words, if it does not."""
    try:
        return evaluate(parse_expression(str(code)), {"year": year})
    except AgentKitError as error:
        return str(error)


async def run(model: str | Model | None = None) -> RunResult:
    """Do the task; without a model, with the replies above."""
    model = model or ScriptedModel(REPLIES, profile=ModelProfile())
    judges = Reflection(outcome=passes_its_tests)
    agent = Agent(model, planner=Reflexion(), reflection=judges, output_schema={"type": "string"})
    return await agent.run(TASK)


def main() -> None:
    """Show the tries, what the tests said, and what was learnt."""
    result = asyncio.run(run(sys.argv[1] if len(sys.argv) > 1 else None))
    for event in result.events:
        if isinstance(event, PlanProposed):
            print(*(f"lesson: {lesson}" for lesson in [event.notes.get("lesson")] if lesson), event.source, sep="\n")
        if isinstance(event, Reflected):
            print(f"try {event.number}: {'all tests pass' if event.done else event.reason}")
    print(f"{result.status}: {result.output or result.error}")


if __name__ == "__main__":
    main()
