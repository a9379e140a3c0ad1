"""Both spellings say exactly what the plan is, and nothing that is read can raise or take long."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentkit.plan import Plan
from agentkit.spelling import mermaid, outline, read_json, read_python, write_json, write_python
from agentkit.toolbox import Tool, Toolbox
from tests.strategies import plans

SLOW = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _tool(name: str) -> Tool:
    schema = {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}}
    return Tool.from_schema(name=name, description="Do it.", input_schema=schema, call=lambda args: args)


TOOLBOX = Toolbox(_tool("search"), _tool("get-weather"), _tool("github.create"))


@given(plans())
@SLOW
def test_what_is_written_as_python_reads_back_as_the_same_plan(plan: Plan) -> None:
    assert read_python(write_python(plan)) == plan
    assert read_python(write_python(plan, TOOLBOX), TOOLBOX) == plan


@given(plans())
@SLOW
def test_what_is_written_as_json_reads_back_as_the_same_plan(plan: Plan) -> None:
    assert read_json(write_json(plan)) == plan
    assert read_json(json.dumps(write_json(plan))) == plan


@given(plans())
@SLOW
def test_every_plan_can_be_shown(plan: Plan) -> None:
    assert all(step.id in outline(plan) for step in plan.steps)
    assert mermaid(plan).startswith("flowchart TD")
