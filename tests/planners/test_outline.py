"""A person's outline becomes checked steps that can be traced back to it; a plan may also come from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.events import PlanProposed
from agentkit.messages import ModelProfile
from agentkit.planners.fixed import FixedPlan
from agentkit.planners.outline import Outline
from agentkit.spelling import read_python, write_json
from agentkit.testing import ScriptedModel
from tests.plans import BASIC

ITEMS = ["find the product that sells best", "look up its price and double it", "say the result"]
GOOD = """\
# 1 find the product
top = top_products(count=1)
# 2
cost = price_of(name=top[0].name)
twice = double(number=cost)
# 3
answer(twice)
"""


def agent(*replies: str) -> Agent:
    return Agent(ScriptedModel(replies, profile=ModelProfile()), tools=[BASIC], planner=Outline(ITEMS))


async def test_each_item_of_an_outline_is_traceable_to_the_steps_that_came_of_it() -> None:
    result = await agent(GOOD).run("Twice the price of the best product?")
    assert result.output == 40.0
    [event] = [event for event in result.events if isinstance(event, PlanProposed)]
    assert event.notes["outline"] == [
        {"item": ITEMS[0], "steps": ["top"]},
        {"item": ITEMS[1], "steps": ["cost", "twice"]},
        {"item": ITEMS[2], "steps": []},
    ]


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (GOOD.replace("# 2\n", ""), "no comment '# 2' marks the lines for 'look up its price and double it'"),
        (GOOD.replace("# 1 ", "# 3 ").replace("# 3\n", "# 1\n"), "the items of the outline are not in their order"),
    ],
)
async def test_a_program_that_leaves_items_out_or_moves_them_is_asked_for_again(reply: str, complaint: str) -> None:
    model = ScriptedModel([reply, GOOD], profile=ModelProfile())
    result = await Agent(model, tools=[BASIC], planner=Outline(ITEMS)).run("?")
    assert result.output == 40.0
    assert complaint in model.requests[1].messages[-1].content


async def test_the_expanded_outline_is_checked_and_repaired_like_any_plan() -> None:
    result = await agent(GOOD.replace("price_of(name", "price_off(name"), GOOD).run("?")
    assert result.output == 40.0


def test_an_outline_without_items_is_refused() -> None:
    with pytest.raises(DefinitionError, match="items is 'find it'; give a list of at least one item in words"):
        Outline("find it")


# plans in files


async def test_a_plan_from_a_file_runs_in_either_spelling(tmp_path: Path) -> None:
    source, data = tmp_path / "plan.py", tmp_path / "plan.json"
    source.write_text('answer(price_of("hat"))')
    step = {"id": "p", "kind": "call", "tool": "price_of", "args": {"name": "hat"}}
    data.write_text(json.dumps({"steps": [step], "answer": "${p}"}))
    for path in (source, str(data)):
        assert (await Agent(tools=[BASIC], planner=FixedPlan.from_file(path)).run("?")).output == 20.0


async def test_a_fixed_plan_may_be_a_text_in_either_spelling() -> None:
    for text in ('answer(price_of("hat"))', json.dumps(write_json(read_python('answer(price_of(name="hat"))', BASIC)))):
        assert (await Agent(tools=[BASIC], planner=FixedPlan(text)).run("?")).output == 20.0
    refused = await Agent(tools=[BASIC], planner=FixedPlan("answer(")).run("?")
    assert "AK101" in refused.error


async def test_what_is_wrong_with_the_plan_in_a_file_is_the_checker_s_to_say(tmp_path: Path) -> None:
    path = tmp_path / "plan.py"
    path.write_text("import os\nanswer(os.getcwd())")
    result = await Agent(tools=[BASIC], planner=FixedPlan.from_file(path)).run("?")
    assert result.status == "failed"
    assert "AK102" in result.error


def test_a_file_that_is_no_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"plan.txt' is no file of a plan; give one that ends in .json or .py"):
        FixedPlan.from_file(tmp_path / "plan.txt")
    with pytest.raises(DefinitionError, match="cannot read the plan"):
        FixedPlan.from_file(tmp_path / "none.py")
