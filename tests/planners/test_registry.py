"""Planners by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.messages import ModelProfile
from agentkit.planners.candidates import Candidates
from agentkit.planners.hierarchical import Hierarchical
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planners.react import ReAct
from agentkit.planners.reflexion import Reflexion
from agentkit.planners.registry import PLANNERS, from_data, planner
from agentkit.testing import ScriptedModel


@pytest.mark.parametrize("name", PLANNERS)
def test_every_planner_can_be_made_by_its_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.py"
    path.write_text("answer(1)")
    needed: dict[str, dict[str, Any]] = {"outline": {"items": ["do it"]}, "fixed": {"file": str(path)}}
    assert hasattr(planner(name, **needed.get(name, {})), "propose")


async def test_an_agent_takes_a_planner_by_word_or_as_data() -> None:
    for said in ("react", {"name": "react", "patience": 0}):
        agent = Agent(ScriptedModel(["Action: answer(3)"], profile=ModelProfile()), planner=said)
        assert isinstance(agent.planner, ReAct)
        assert (await agent.run("?")).output == 3


def test_an_agent_with_an_unknown_planner_is_refused() -> None:
    with pytest.raises(DefinitionError, match="there is no planner 'reackt', did you mean 'react'"):
        Agent(planner="reackt")


def test_options_are_the_arguments_of_the_class() -> None:
    assert isinstance(planner("candidates", count=3, by="certificate", judge=True), Candidates)
    assert isinstance(planner("react", settings={"temperature": 0.2}, patience=1), ReAct)
    assert isinstance(planner("natural_language", translator="match", steps=["Answer."]), object)


def test_a_planner_in_a_planner_is_given_in_the_same_way() -> None:
    made = from_data({"name": "hierarchical", "planner": "plan_execute", "below": {"name": "react", "patience": 1}})
    assert isinstance(made, Hierarchical)
    assert isinstance(from_data({"name": "reflexion", "planner": "react"}), Reflexion)
    assert isinstance(from_data("plan_execute"), PlanAndExecute)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("reakt", "there is no planner 'reakt', did you mean 'react'?; there are: plan_execute, react, reflexion, "),
        (
            {"name": "react", "patients": 3},
            "the planner 'react' has no option 'patients', did you mean 'patience'?; its options are: protocol",
        ),
        ({"name": "react", "settings": {"temprature": 1}}, "there is no model setting 'temprature', did you mean "),
        (
            {"name": "react", "protocol": "nativ"},
            "the planner 'react': protocol is 'nativ'; expected 'native' or 'text' or nothing",
        ),
        ({"name": "outline"}, "the planner 'outline' needs the option 'items'"),
        ({"name": "natural_language", "translator": "magic"}, "translator is 'magic'; give 'model' or 'match'"),
        ({"planner": "react"}, "is no planner; give a name such as 'react', or an object with 'name'"),
    ],
)
def test_what_is_unknown_is_named_with_a_suggestion(said: object, message: str) -> None:
    with pytest.raises(DefinitionError, match=message.replace("?", r"\?")):
        from_data(said)
