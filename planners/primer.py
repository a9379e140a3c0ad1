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
