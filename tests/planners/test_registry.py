"""Planners by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import DefinitionError
from agentkit.planners.candidates import Candidates
from agentkit.planners.hierarchical import Hierarchical
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planners.react import ReAct
from agentkit.planners.reflexion import Reflexion
from agentkit.planners.registry import PLANNERS, from_data, planner


@pytest.mark.parametrize("name", PLANNERS)
def test_every_planner_can_be_made_by_its_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.py"
    path.write_text("answer(1)")
    needed: dict[str, dict[str, Any]] = {"outline": {"items": ["do it"]}, "fixed": {"file": str(path)}}
    assert hasattr(planner(name, **needed.get(name, {})), "propose")


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
        ({"name": "outline"}, "the planner 'outline' cannot be made: .*'items'"),
        ({"name": "natural_language", "translator": "magic"}, "translator is 'magic'; give 'model' or 'match'"),
        ({"planner": "react"}, "is no planner; give a name such as 'react', or an object with 'name'"),
    ],
)
def test_what_is_unknown_is_named_with_a_suggestion(said: object, message: str) -> None:
    with pytest.raises(DefinitionError, match=message.replace("?", r"\?")):
        from_data(said)
