"""Plans that were written by hand read back as the same plan, ids included, in both spellings."""

from __future__ import annotations

import pytest

from agentkit.plan import Plan
from agentkit.spelling import mermaid, outline, read_json, read_python, write_json, write_python
from agentkit.toolbox import Toolbox
from benchmarks.planning.tasks import TASKS
from benchmarks.planning.tools import planning_tools
from benchmarks.planning.world import World
from tests.plans import BASIC
from tests.test_adversarial import SEEDS

TOOLS = planning_tools(World())
PLANS = [(read_python(task.reference, TOOLS), TOOLS) for task in TASKS] + [(read_json(seed), BASIC) for seed in SEEDS]


@pytest.mark.parametrize(("plan", "toolbox"), PLANS)
def test_a_plan_reads_back_from_python(plan: Plan, toolbox: Toolbox) -> None:
    assert read_python(write_python(plan, toolbox), toolbox) == plan


@pytest.mark.parametrize(("plan", "toolbox"), PLANS)
def test_a_plan_reads_back_from_json(plan: Plan, toolbox: Toolbox) -> None:
    assert read_json(write_json(plan)) == plan


@pytest.mark.parametrize(("plan", "toolbox"), PLANS)
def test_a_plan_can_be_shown(plan: Plan, toolbox: Toolbox) -> None:
    assert outline(plan)
    assert mermaid(plan).startswith("flowchart TD")
