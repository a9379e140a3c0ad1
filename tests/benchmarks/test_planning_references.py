"""The reference plans of the planner comparison pass the checker and, executed, solve their tasks."""

from __future__ import annotations

import pytest

from agentkit.checker import check
from agentkit.diagnostics import Code
from agentkit.executor import execute
from agentkit.policy import Policy
from agentkit.spelling import read_json, read_python, write_json
from benchmarks.planning.tasks import TASKS, Task
from benchmarks.planning.tools import planning_tools
from benchmarks.planning.world import World

each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)


@each_task
async def test_the_reference_is_a_plan_that_passes_the_checker_and_solves_the_task(task: Task) -> None:
    world = World()
    tools = planning_tools(world)
    report = check(read_python(task.reference, tools), tools, policy=Policy(writes="auto"))
    assert {diagnostic.code for diagnostic in report.diagnostics} <= {Code.UNBOUNDED_LOOP}
    outcome = await execute(report.require())
    assert (outcome.status, outcome.error) == ("done", "")
    assert task.solved(outcome.value, world)


@each_task
async def test_the_reference_survives_the_json_spelling(task: Task) -> None:
    world = World()
    tools = planning_tools(world)
    plan = read_json(write_json(read_python(task.reference, tools)))
    outcome = await execute(check(plan, tools, policy=Policy(writes="auto")).require())
    assert task.solved(outcome.value, world)
