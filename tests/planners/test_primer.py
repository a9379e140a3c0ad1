"""The primer: worked plans for models that know little of the plan language."""

from __future__ import annotations

import json
from itertools import cycle

import pytest
from typing_extensions import TypedDict

from agentkit import Agent, Example, Policy, Toolbox, tool
from agentkit.messages import GrammarOutput, ModelProfile
from agentkit.planners.primer import PRIMER
from agentkit.spelling import read_json, read_python, write_json
from agentkit.testing import ScriptedModel
from tests.line_grammars import admits

PROFILE = ModelProfile(grammar=True, prefix=True, decoding="typed", repairs=False, primer=True)


class Rain(TypedDict):
    """Whether it rains."""

    rain: bool


def tools() -> Toolbox:
    """The tools that the primer speaks of."""
    rolls = cycle((4, 6, 7))

    @tool(effect="read")
    def encyclopedia(topic: str) -> str:
        """What is known of something.

        Args:
            topic: Of what.
        """
        return f"the {topic}"

    @tool(effect="read")
    def largest_cities(count: int) -> list[str]:
        """The largest cities.

        Args:
            count: How many.
        """
        return ["Rome", "Bern"]

    @tool(effect="read")
    def temperature(city: str) -> float:
        """Degrees Celsius.

        Args:
            city: Where.
        """
        return float(len(city))

    @tool(effect="read")
    def rain_report(city: str) -> Rain:
        """Whether it rains.

        Args:
            city: Where.
        """
        return {"rain": False}

    @tool(effect="write")
    def close_windows() -> str:
        """Close them."""
        return "closed"

    @tool(effect="write")
    def open_windows() -> str:
        """Open them."""
        return "opened"

    @tool(effect="write")
    def switch_on(lamp: str) -> str:
        """Switch on a lamp.

        Args:
            lamp: Which.
        """
        return f"{lamp} is on"

    @tool(effect="read")
    def roll_die() -> int:
        """A number."""
        return next(rolls)

    @tool(effect="pure")
    def is_lucky(number: int) -> bool:
        """Whether a number is lucky.

        Args:
            number: Which.
        """
        return number == 7

    return Toolbox(
        encyclopedia,
        largest_cities,
        temperature,
        rain_report,
        close_windows,
        open_windows,
        switch_on,
        roll_die,
        is_lucky,
    )


OUTPUTS = ("the height of Mont Blanc", [4.0, 4.0], "opened", [f"lamp {number} is on" for number in range(1, 5)], 7)


@pytest.mark.parametrize(("example", "output"), list(zip(PRIMER, OUTPUTS, strict=True)), ids=lambda one: str(one)[:30])
async def test_its_plans_are_right_and_can_be_written_line_by_line(example: Example, output: object) -> None:
    lines = example.plan.split("\n")
    model = ScriptedModel(lines, profile=PROFILE)
    result = await Agent(model, tools=[tools()], policy=Policy(writes="auto")).run(example.task)
    assert (result.status, result.output) == ("done", output)
    for request, line in zip(model.requests, lines, strict=True):
        assert isinstance(request.output, GrammarOutput)
        assert admits(request.output.lark, line)


@pytest.mark.parametrize("example", PRIMER, ids=lambda one: one.task[:30])
def test_its_plans_have_both_spellings(example: Example) -> None:
    """It is written as JSON for agents that have none of its tools."""
    plan = read_python(example.plan, Toolbox())
    assert read_json(write_json(plan)) == plan


async def prompt(profile: ModelProfile, *examples: Example) -> str:
    """All that a model reads which is asked for a plan."""
    plan = '{"steps": [], "answer": "Bern"}' if profile.spelling == "json" else 'answer("Bern")'
    model = ScriptedModel([plan], profile=profile)
    await Agent(model, tools=[tools()], examples=examples).run("What is Bern?")
    return "\n".join(message.content for message in model.requests[0].messages)


async def test_it_is_shown_where_the_profile_asks_for_it_and_the_agent_has_no_examples() -> None:
    own = Example("What is Rome?", 'found = encyclopedia(topic="Rome")\nanswer(found)')
    shown = await prompt(ModelProfile(primer=True))
    assert all(f"{one.task}\n{one.plan}" in shown for one in PRIMER)
    assert shown.index(PRIMER[-1].task) < shown.index("\nTools:\n")
    for text in (await prompt(ModelProfile(primer=True), own), await prompt(ModelProfile())):
        assert not any(one.task in text for one in PRIMER)


async def test_it_is_shown_as_json_to_a_model_that_is_asked_for_json() -> None:
    shown = await prompt(ModelProfile(primer=True, spelling="json"))
    assert all(json.dumps(write_json(read_python(one.plan, Toolbox())), ensure_ascii=False) in shown for one in PRIMER)
