"""Tools that are plans: checked when they are made, and replaced by their steps where they are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentkit.checker import check
from agentkit.composite import PlanTool, inline, plan_tool
from agentkit.errors import PlanRejectedError, ToolError
from agentkit.executor import execute
from agentkit.messages import Json
from agentkit.plan import Plan
from agentkit.policy import Policy
from agentkit.spelling import read_json, read_python
from agentkit.toolbox import Toolbox, tool


@tool(effect="pure", cost=0.5, expected_seconds=2)
def double(x: int) -> int:
    """Twice a number.

    Args:
        x: The number.
    """
    return 2 * x


@tool(effect="write", resources="log")
def put(text: str) -> str:
    """Write a line.

    Args:
        text: The line.
    """
    return text


TOOLS = Toolbox(double, put)
INPUTS: dict[str, dict[str, Json]] = {"n": {"type": "integer"}, "of": {"type": "array", "items": {"type": "integer"}}}


def made(source: str, **inputs: dict[str, Json]) -> PlanTool:
    given = inputs or INPUTS
    plan = read_python(source, TOOLS, given=tuple(given))
    return plan_tool(replace(plan, inputs=given), TOOLS, name="work", description="Works.")


WORK = made("twice = [double(x=x) for x in of if x > n]\nanswer(sum(twice) + n)")


async def run(source: str, work: PlanTool = WORK) -> Json:
    toolbox = TOOLS.with_(work)
    plan, _ = inline(read_python(source, toolbox), toolbox)
    outcome = await execute(check(plan, toolbox).require())
    assert outcome.status == "done", outcome.error
    return outcome.value


def test_its_effect_cost_and_time_are_those_of_its_steps() -> None:
    assert (WORK.effect, WORK.resources, WORK.approval) == ("pure", (), "auto")
    one = made("a = double(x=n)\nb = double(x=a)\nanswer(b)", n={"type": "integer"})
    assert (one.cost, one.expected_seconds, one.signature()) == (1.0, 4.0, "work(n: int) -> int")
    writes = made("a = double(x=n)\nb = put(text=f'{a}')\nanswer(b)", n={"type": "integer"})
    assert (writes.effect, writes.resources, writes.approval) == ("write", ("log",), "ask")


async def test_a_call_gives_what_its_plan_answers_wherever_it_stands() -> None:
    assert await run("answer(work(n=1, of=[1, 2, 3]))") == 11
    assert await run("answer([work(n=k, of=[1, 2, 3]) for k in [0, 2]])") == [12, 8]
    assert await run("a = double(x=1)\nif a > 1:\n    b = work(n=a, of=[3])\nelse:\n    b = 0\nanswer(b)") == 8


async def test_two_calls_do_not_mix_their_names() -> None:
    source = "x = double(x=2)\na = work(n=x, of=[x, 5])\nb = work(n=a, of=[a, 20])\nanswer([a, b])"
    assert await run(source) == [14, 54]


def test_a_call_may_be_skipped_and_cannot_be_retried_as_one() -> None:
    toolbox = TOOLS.with_(WORK)
    call = {"id": "c", "kind": "call", "tool": "work", "args": {"n": 1, "of": [2]}, "on_error": "skip"}
    plan, used = inline(read_json({"goal": "", "steps": [call], "answer": "${c}"}), toolbox)
    assert used == {"c": "work"}
    inner = plan.steps[0].do[0]  # type: ignore[union-attr]
    assert inner.on_error == "skip"  # type: ignore[union-attr]
    retried, used = inline(read_json({"goal": "", "steps": [{**call, "retry": 2}], "answer": "${c}"}), toolbox)
    assert used == {}
    [problem] = check(retried, toolbox).errors
    assert str(problem) == (
        "AK102 at c: 'work' stands for several steps, so its call cannot have retry. Expected a plain call, or "
        "on_error='skip'. Leave retry out."
    )


def test_a_plan_that_does_not_pass_is_no_tool() -> None:
    with pytest.raises(PlanRejectedError, match="AK201"):
        plan_tool(read_python("answer(fly())", TOOLS), TOOLS, name="work", description="Flies.")
    forbidden = Policy(tools={"put": "never"})
    with pytest.raises(PlanRejectedError, match="AK601"):
        plan_tool(read_python("answer(put(text='x'))", TOOLS), TOOLS, name="w", description="W.", policy=forbidden)


async def test_whoever_runs_plans_without_putting_the_steps_in_is_told() -> None:
    toolbox = TOOLS.with_(WORK)
    outcome = await execute(check(read_python("answer(work(n=1, of=[2]))", toolbox), toolbox).require())
    assert outcome.error.endswith(
        "'work' is a plan, not a function: agents put its steps in place of the call before they run a plan; where you "
        "run plans yourself, call agentkit.composite.inline(plan, toolbox) first"
    )
    with pytest.raises(ToolError):
        await WORK.invoke(WORK.bind({"n": 1, "of": [2]}))


def test_a_plan_without_such_calls_is_left_alone() -> None:
    plan = Plan(())
    assert inline(plan, TOOLS)[0] is plan
