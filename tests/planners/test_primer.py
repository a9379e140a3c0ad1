"""The primer: worked plans for models that know little of the plan language."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import cycle

import pytest
from typing_extensions import TypedDict

from agentkit import Agent, Example, Policy, Toolbox, tool
from agentkit.messages import GrammarOutput, Message, ModelProfile, assistant, user
from agentkit.planners.primer import PRIMER
from agentkit.spelling import read_json, read_python, write_json
from agentkit.testing import ScriptedModel
from tests.line_grammars import admits

PROFILE = ModelProfile(grammar=True, prefix=True, decoding="typed", repairs=False, primer=True)


class Lake(TypedDict):
    """Degrees Celsius at a lake."""

    air: float
    water: float


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
    def lake_report(lake: str) -> Lake:
        """Degrees Celsius at a lake.

        Args:
            lake: Which.
        """
        return {"air": 25.0, "water": 21.0}

    @tool(effect="write")
    def book_swim(lake: str) -> str:
        """Book a swim.

        Args:
            lake: Where.
        """
        return "swim"

    @tool(effect="write")
    def book_sauna(lake: str) -> str:
        """Book a sauna.

        Args:
            lake: Where.
        """
        return "sauna"

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
        lake_report,
        book_swim,
        book_sauna,
        switch_on,
        roll_die,
        is_lucky,
    )


EXAMPLES = tuple(worked.example for worked in PRIMER)
OUTPUTS = (
    "the height of Mont Blanc",
    "It is 4.0 degrees in Rome.",
    [4.0, 4.0],
    "sauna",
    [f"lamp {number} is on" for number in range(1, 5)],
    7,
)


@pytest.mark.parametrize(
    ("example", "output"), list(zip(EXAMPLES, OUTPUTS, strict=True)), ids=lambda one: str(one)[:30]
)
async def test_its_plans_are_right_and_can_be_written_line_by_line(example: Example, output: object) -> None:
    lines = example.plan.split("\n")
    model = ScriptedModel(lines, profile=PROFILE)
    result = await Agent(model, tools=[tools()], policy=Policy(writes="auto")).run(example.task)
    assert (result.status, result.output) == ("done", output)
    for request, line in zip(model.requests, lines, strict=True):
        assert isinstance(request.output, GrammarOutput)
        assert admits(request.output.lark, line)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.task[:30])
def test_its_plans_have_both_spellings(example: Example) -> None:
    """It is written as JSON for agents that have none of its tools."""
    plan = read_python(example.plan, Toolbox())
    assert read_json(write_json(plan)) == plan


async def prompt(profile: ModelProfile, *examples: Example, history: Sequence[Message] = ()) -> Sequence[Message]:
    """What a model reads that is asked for a plan."""
    plan = '{"steps": [], "answer": "Bern"}' if profile.spelling == "json" else 'answer("Bern")'
    model = ScriptedModel([plan], profile=profile)
    await Agent(model, tools=[tools()], examples=examples).run("What is Bern?", message_history=history)
    return model.requests[0].messages


async def test_it_is_shown_turn_by_turn_with_its_tools_and_then_the_task_with_the_agents() -> None:
    first, *turns, last = await prompt(ModelProfile(primer=True))
    assert "Tools:" not in first.content
    assert [(message.role, message.content) for message in turns] == [
        turn
        for worked in PRIMER
        for turn in (("user", f"Tools:\n{worked.tools}\n\n{worked.example.task}"), ("assistant", worked.example.plan))
    ]
    assert last.content == f"Tools:\n{tools().signatures()}\n\nWhat is Bern?"


async def test_the_agents_tools_stand_before_the_conversation_so_far() -> None:
    *_, before, reply, last = await prompt(ModelProfile(primer=True), history=[user("Hello!"), assistant("Hello.")])
    assert before.content == f"Tools:\n{tools().signatures()}\n\nHello!"
    assert (reply.content, last.content) == ("Hello.", "What is Bern?")


@pytest.mark.parametrize(("primer", "examples"), [(True, [EXAMPLES[0]]), (False, [])])
async def test_it_is_not_shown_beside_examples_or_to_models_that_need_none(
    primer: bool, examples: list[Example]
) -> None:
    first, *others = await prompt(ModelProfile(primer=primer), *examples)
    assert first.content.endswith(f"Tools:\n{tools().signatures()}")
    assert len(others) == 2 * len(examples) + 1


async def test_it_is_shown_as_json_to_a_model_that_is_asked_for_json() -> None:
    shown = [message.content for message in await prompt(ModelProfile(primer=True, spelling="json"))]
    for one in EXAMPLES:
        assert json.dumps(write_json(read_python(one.plan, Toolbox())), ensure_ascii=False) in shown
