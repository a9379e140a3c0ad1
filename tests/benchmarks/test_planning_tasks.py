"""Every task of the planner comparison can be solved, and is solved by nothing less than its solution."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from agentkit.errors import ModelRetry
from agentkit.messages import Json
from agentkit.toolbox import Tool
from benchmarks.planning.tasks import TASKS, Task
from benchmarks.planning.tools import planning_tools
from benchmarks.planning.world import World

each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)


class Dotted(dict[str, Any]):
    """An object of a plan, whose fields are read with a dot."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def dotted(value: Json) -> Any:
    if isinstance(value, dict):
        return Dotted({name: dotted(field) for name, field in value.items()})
    return [dotted(item) for item in value] if isinstance(value, list) else value


def add_days(day: str, days: int) -> str:
    """The function of that name in the expression language."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def run_as_python(source: str, world: World) -> Json:
    """The meaning that a reference plan has as ordinary Python: what the plan language must agree with."""
    answers: list[Json] = []

    def callable_tool(tool: Tool) -> Callable[..., Any]:
        return lambda **args: dotted(asyncio.run(tool.invoke(tool.bind(args))))

    names: dict[str, Any] = {name: callable_tool(tool) for name, tool in planning_tools(world).items()}
    exec(compile(source, "plan", "exec"), {**names, "answer": answers.append, "add_days": add_days})
    assert len(answers) == 1
    return answers[0]


def test_the_bank_has_every_category_and_enough_of_each() -> None:
    counts = Counter(task.category for task in TASKS)
    assert len(TASKS) >= 30
    assert set(counts) == {"call", "reference", "branch", "for_each", "loop", "parallel"}
    assert min(counts.values()) >= 5
    assert len({task.id for task in TASKS}) == len({task.request for task in TASKS}) == len(TASKS)


@each_task
def test_the_reference_means_the_solution(task: Task) -> None:
    world = World()
    assert task.solved(run_as_python(task.reference, world), world)


@each_task
def test_doing_nothing_or_something_else_is_not_a_solution(task: Task) -> None:
    evasions: tuple[Json, ...] = (None, 0, -1, "", [], "I do not know.")
    assert not any(task.solved(answer, World()) for answer in evasions)
    meddling = World()
    meddling.record("trade_shares", company="Tesla", action="sell", shares=1000)
    assert not task.solved(task.answer, meddling)


def test_tools_say_what_they_know_when_a_name_is_unknown() -> None:
    tool = planning_tools(World())["get_weather"]
    with pytest.raises(ModelRetry) as error:
        asyncio.run(tool.invoke(tool.bind({"city": "Rome"})))
    assert str(error.value) == "No city is named 'Rome'; known are Cairo, Hanoi, Lima, London, Oslo."


def test_reordered_units_are_in_stock_afterwards() -> None:
    source = 'reorder(name="Beret", units=4)\nanswer(get_stock(name="Beret"))'
    assert run_as_python(source, World()) == 4
