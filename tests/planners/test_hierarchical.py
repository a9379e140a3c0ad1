"""Hierarchical planning: subgoals are planned when they are reached, by their own planner, within their own limits."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.events import ModelCalled, PlanChecked, PlanProposed, StepFinished
from agentkit.limits import Limits, Meter
from agentkit.messages import ModelProfile, Usage
from agentkit.planners.hierarchical import Hierarchical
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planners.react import ReAct
from agentkit.planning import Planner
from agentkit.results import RunResult
from agentkit.testing import ScriptedModel
from tests.plans import BASIC

TRIP = 'best = subgoal("the cheapest product", goods=top_products())\nanswer(f"Buy the {best}.")'


def agent(*replies: str, planner: Planner | None = None, **options: Any) -> Agent:
    model = ScriptedModel(replies, profile=ModelProfile())
    return Agent(model, tools=[BASIC], planner=planner or Hierarchical(**options))


def within(result: RunResult) -> list[tuple[str, int]]:
    return [(event.within, event.number) for event in result.events if isinstance(event, PlanProposed)]


async def test_a_subgoal_is_planned_when_it_is_reached_with_the_values_that_it_is_given() -> None:
    result = await agent(TRIP, "answer(min(goods, key=lambda p: p.price).name)").run("What should I buy?")
    assert result.output == "Buy the glove."
    assert within(result) == [("", 1), ("best/", 1)]
    prompts = [event.prompt for event in result.events if isinstance(event, ModelCalled)]
    assert "is a subgoal" in prompts[0][0]["content"]
    assert prompts[1][-1]["content"].startswith("the cheapest product\n\nThese names are already defined")


async def test_subgoals_may_have_another_planner_than_the_task() -> None:
    """A plan at the top, thought and action below."""
    result = await agent(
        TRIP,
        "Thought: I look.\nAction: cheapest = min(goods, key=lambda p: p.price)",
        "Thought: There.\nAction: answer(cheapest.name)",
        below=ReAct(),
    ).run("What should I buy?")
    assert result.output == "Buy the glove."
    assert within(result) == [("", 1), ("best/", 1), ("best/", 2)]


async def test_the_planner_of_a_subgoal_may_depend_on_the_goal_and_the_depth() -> None:
    asked = []

    def choose(goal: str, depth: int) -> Planner:
        asked.append((goal, depth))
        return PlanAndExecute()

    result = await agent(
        'a = subgoal("outer")\nanswer(a)', 'b = subgoal("inner")\nanswer(b)', "answer(1)", below=choose
    ).run("?")
    assert result.output == 1
    assert asked == [("outer", 1), ("inner", 2)]
    assert within(result) == [("", 1), ("a/", 1), ("a/b/", 1)]


async def test_a_subgoal_has_its_own_limits_inside_those_of_the_run() -> None:
    """Half of the eight calls that are left after none were made; the run itself can go on."""
    greedy = "answer([price_of(name=n) for n in " + str(["hat"] * 5) + "])"
    result = await agent(
        'a = subgoal("many prices")\nanswer(a)', greedy, greedy, greedy, 'answer(price_of("hat"))', share=0.5
    ).run("?", limits=Limits(tool_calls=8))
    assert result.output == 20.0
    refused = [event for event in result.events if isinstance(event, PlanChecked) and not event.accepted]
    assert len(refused) == 3
    assert (
        refused[0].diagnostics[0].startswith("AK602 at plan: the plan may use up to 5 tool calls. Expected at most 4.")
    )
    [failed] = [event for event in result.events if isinstance(event, StepFinished) and event.step == "a"]
    assert failed.error.startswith("the subgoal 'many prices' was not reached: no valid plan after 3 tries")


async def test_a_subgoal_that_uses_up_its_share_while_running_fails_and_says_so() -> None:
    """How long the list is, nobody knows before it runs."""
    prices = "answer([price_of(name=p.name) for p in goods][0])"
    result = await agent(TRIP, prices, "answer(7)", share=0.25).run("?", limits=Limits(tool_calls=8))
    assert result.output == 7
    [failed] = [event for event in result.events if isinstance(event, StepFinished) and event.step == "best"]
    assert failed.error.startswith(
        "the subgoal 'the cheapest product' was not reached: stopped: the limit tool_calls=2 is used up"
    )


async def test_subgoals_below_the_deepest_level_are_refused_by_the_checker() -> None:
    deeper = 'a = subgoal("deeper")\nanswer(a)'
    result = await agent(deeper, deeper, "answer(3)").run("?", limits=Limits(depth=1))
    assert result.output == 3
    [refused] = [event for event in result.events if isinstance(event, PlanChecked) and not event.accepted]
    assert refused.within == "a/"
    assert list(refused.diagnostics) == [
        (
            "AK609 at line 1, a: no subgoals are allowed here: the limit of depth is reached. "
            "Expected steps that need no further planning. Write the steps of this subgoal into the plan."
        )
    ]
    last = [event.prompt[0]["content"] for event in result.events if isinstance(event, ModelCalled)][-1]
    assert "is a subgoal" not in last


async def test_any_planner_stops_at_the_deepest_level() -> None:
    endless = 'a = subgoal("again")\nanswer(a)'
    result = await agent(*[endless] * 40, planner=PlanAndExecute()).run("?", limits=Limits(depth=2, replans=0))
    assert result.status == "failed"
    assert "the limit of depth is reached" in result.error
    assert max(event.within.count("/") for event in result.events if isinstance(event, PlanProposed)) == 2


async def test_the_schema_of_a_subgoal_is_told_to_its_planner() -> None:
    result = await agent('a = subgoal("a price", schema={"type": "number"})\nanswer(a * 2)', "answer(4)").run("?")
    assert result.output == 8
    asked = [event.prompt[-1]["content"] for event in result.events if isinstance(event, ModelCalled)][-1]
    assert asked == "a price\nThe answer is to be of the type number."


def test_a_share_is_a_part_of_what_is_left() -> None:
    meter = Meter(Limits(tool_calls=10, model_calls=4, cost=1.0), usage=Usage(tool_calls=3, model_calls=4, cost=0.2))
    half = meter.left(seconds=30.0).share(0.5)
    assert (half.tool_calls, half.model_calls, half.cost, half.seconds, half.tokens) == (4, 0, 0.4, 15.0, None)


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(DefinitionError, match="share is 0; give a number above 0 and up to 1"):
        Hierarchical(share=0)
