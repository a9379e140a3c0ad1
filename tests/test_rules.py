"""Limits, policies and people that cannot be ones are refused where they are defined, not when they are needed."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit import Agent, Limits, Policy, load_agent
from agentkit.errors import DefinitionError
from agentkit.testing import ScriptedModel

METHODS = "approve(request) and answer(question, schema)"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"steps": -1}, "steps has to be a whole number from 0, or None, got -1"),
        ({"parallelism": 0}, "parallelism has to be a whole number from 1, got 0"),
        ({"seconds": "3"}, "seconds has to be a number from 0, or None, got '3'"),
        ({"cost": float("nan")}, "cost has to be a number from 0, or None, got nan"),
        ({"replans": None}, "replans has to be a whole number from 0, got None"),
        (
            {"repairs": True, "turns": 1.5},
            "repairs has to be a whole number from 0, got True; turns has to be a whole number from 0, got 1.5",
        ),
    ],
)
def test_a_limit_that_is_none_is_refused(limits: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Limits(**limits)
    assert str(caught.value) == f"these are no limits: {said}"


def test_a_word_that_is_no_approval_does_not_pass_for_one() -> None:
    """``allow`` would else be neither ``ask`` nor ``never``, and so run."""
    with pytest.raises(DefinitionError) as caught:
        Policy(tools={"send_*": "allow"}, writes="yes")  # type: ignore[dict-item, arg-type]
    assert str(caught.value) == (
        "a policy says 'auto', 'ask' or 'never', and writes is 'yes'; tools['send_*'] is 'allow'"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "auto"}, "policy has to be a Policy, e.g. Policy(writes='auto'), got 'auto'"),
        ({"limits": {"steps": 3}}, "limits has to be a Limits, e.g. Limits(tool_calls=50), got {'steps': 3}"),
        (
            {"tools": 3},
            "these tools do not make a toolbox:\n  - 3 is not a tool: give tools, toolboxes or iterables of them",
        ),
        ({"human": 3}, f"human has to have the methods {METHODS}, and 3 lacks approve and answer"),
    ],
)
def test_an_agent_is_not_made_of_parts_that_are_none(options: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Agent(ScriptedModel([]), **options)
    assert str(caught.value) == said


async def test_a_run_is_not_begun_under_limits_that_are_none() -> None:
    with pytest.raises(DefinitionError, match=r"^limits has to be a Limits"):
        await Agent(ScriptedModel([])).run("Do it.", limits={"steps": 3})  # type: ignore[arg-type]


def test_a_file_tells_the_line_of_a_limit_that_is_none(tmp_path: Any) -> None:
    path = tmp_path / "clerk.yaml"
    path.write_text("name: clerk\nlimits:\n  steps: -1\n", encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_agent(path)
    assert str(caught.value) == (
        f"{path}:2: limits: these are no limits: steps has to be a whole number from 0, or None, got -1"
    )
