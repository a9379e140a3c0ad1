"""Worked plans for models that know little of the plan language: each of its shapes, with tools that no agent has."""

from __future__ import annotations

from agentkit.planning import Example

PRIMER = (
    Example("How high is Mont Blanc?", 'found = encyclopedia(topic="height of Mont Blanc")\nanswer(found)'),
    Example(
        "What is the temperature in each of the 5 largest cities?",
        "cities = largest_cities(count=5)\ndegrees = [temperature(city=p) for p in cities]\nanswer(degrees)",
    ),
    Example(
        "If it rains in Rome close the windows, otherwise open them.",
        'report = rain_report(city="Rome")\nif report.rain:\n    done = close_windows()\nelse:\n'
        "    done = open_windows()\nanswer(done)",
    ),
    Example(
        "Switch on the lamps 1 to 4. What do they say?",
        'said = [switch_on(lamp=f"lamp {p}") for p in range(1, 5)]\nanswer(said)',
    ),
    Example(
        "Roll the die until the number is lucky. Which is it?",
        "n = roll_die()\nwhile not is_lucky(number=n):\n    n = roll_die()\nanswer(n)",
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
