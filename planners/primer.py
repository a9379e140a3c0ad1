"""Worked plans for models that know little of the plan language: each of its shapes, with tools that no agent has."""

from __future__ import annotations

from dataclasses import dataclass

from agentkit.planning import Example


@dataclass(frozen=True, slots=True)
class WorkedPlan:
    """An example with the tools that it calls, as a prompt shows them. Without them a model learns to imagine tools."""

    tools: str
    example: Example


_CITIES = """\
largest_cities(count: int) -> list[str]  # Names of the largest cities, largest first.
temperature(city: str) -> float  # Degrees Celsius in a city."""

PRIMER = (
    WorkedPlan(
        "encyclopedia(topic: str) -> str  # What is known of something.",
        Example("How high is Mont Blanc?", 'found = encyclopedia(topic="height of Mont Blanc")\nanswer(found)'),
    ),
    WorkedPlan(
        _CITIES,
        Example(
            "How warm is it in the largest city?",
            "cities = largest_cities(count=1)\ndegrees = temperature(city=cities[0])\n"
            'answer(f"It is {degrees} degrees in {cities[0]}.")',
        ),
    ),
    WorkedPlan(
        _CITIES,
        Example(
            "What is the temperature in each of the 5 largest cities?",
            "cities = largest_cities(count=5)\ndegrees = [temperature(city=p) for p in cities]\nanswer(degrees)",
        ),
    ),
    WorkedPlan(
        """\
lake_report(lake: str) -> {air: float, water: float}  # Degrees Celsius at a lake.
book_swim(lake: str) -> str  # Book a swim.
book_sauna(lake: str) -> str  # Book a sauna.""",
        Example(
            "If the water of Lake Como is warmer than the air book a swim there, otherwise a sauna.",
            'report = lake_report(lake="Como")\nif report.water > report.air:\n    booked = book_swim(lake="Como")\n'
            'else:\n    booked = book_sauna(lake="Como")\nanswer(booked)',
        ),
    ),
    WorkedPlan(
        "switch_on(lamp: str) -> str  # Switch on a lamp.",
        Example(
            "Switch on the lamps 1 to 4. What do they say?",
            'said = [switch_on(lamp=f"lamp {p}") for p in range(1, 5)]\nanswer(said)',
        ),
    ),
    WorkedPlan(
        """\
roll_die() -> int  # Roll a die.
is_lucky(number: int) -> bool  # Whether a number is lucky.""",
        Example(
            "Roll the die until the number is lucky. Which is it?",
            "n = roll_die()\nwhile not is_lucky(number=n):\n    n = roll_die()\nanswer(n)",
        ),
    ),
)
"""Shown where the agent has no examples of its own, and the model's profile asks for them."""

REACT_PRIMER = """\
Another agent at work, with other tools than yours:

When did the architect of the town hall of Marle live?
Thought: I need the architect of the town hall of Marle.
Action: hall = encyclopedia(topic="town hall of Marle")
Observation: hall = "The town hall of Marle stands on the market square. It was built by Ada Keller."
Thought: The architect is Ada Keller. I need to know when she lived.
Action: architect = encyclopedia(topic="Ada Keller")
Observation: architect = "Ada Keller (1871 to 1938) was an architect who built in brick."
Thought: She lived from 1871 to 1938, which answers the question.
Action: answer("From 1871 to 1938")"""
"""A task done turn by turn, shown where `PRIMER` would be."""
