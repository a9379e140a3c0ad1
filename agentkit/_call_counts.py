"""How often each tool is called by a plan, at least and at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentkit.plan import Call, ForEach, If, Repeat
from agentkit.schedule import Node, Schedule

Counts = dict[str, tuple[float, float]]
MostRounds = Callable[[ForEach | Repeat], float]


def count_calls(plan: Schedule, most_rounds: MostRounds) -> Counts:
    """The bounds of every tool that the plan names; retries are not counted.

    Args:
        plan: The plan's steps.
        most_rounds: How often a loop's block runs at most; infinity where nothing bounds it.
    """
    return _together([_of_step(node, most_rounds) for node in plan.nodes])


def _of_step(node: Node, most_rounds: MostRounds) -> Counts:
    step = node.step
    if isinstance(step, Call):
        return {step.tool: (1.0 if step.on_error == "fail" else 0.0, 1.0)}
    inner = [count_calls(block, most_rounds) for block in node.blocks]
    if isinstance(step, If):
        return _either(*inner)
    if isinstance(step, ForEach | Repeat):
        rounds = most_rounds(step)
        return {tool: (0.0, most * rounds if most and rounds else 0.0) for tool, (_, most) in inner[0].items()}
    return _together(inner)


def _either(then: Mapping[str, tuple[float, float]], otherwise: Mapping[str, tuple[float, float]]) -> Counts:
    nothing = (0.0, 0.0)
    pairs = {tool: (then.get(tool, nothing), otherwise.get(tool, nothing)) for tool in {**then, **otherwise}}
    return {tool: (min(a[0], b[0]), max(a[1], b[1])) for tool, (a, b) in pairs.items()}


def _together(parts: list[Counts]) -> Counts:
    total: Counts = {}
    for part in parts:
        for tool, (least, most) in part.items():
            before = total.get(tool, (0.0, 0.0))
            total[tool] = (before[0] + least, before[1] + most)
    return total
