"""A plan that the checker passes never fails for a reason that the checker names, when tools keep to their schemas."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.checker import CheckReport, check
from agentkit.executor import execute
from agentkit.expressions import Expr, Literal
from agentkit.expressions.typing import _Typing
from agentkit.limits import Limits
from agentkit.messages import Json, JsonOutput, ModelRequest
from agentkit.plan import Plan
from agentkit.protocols import ApprovalRequest, Decision
from agentkit.run import Run
from agentkit.testing import FunctionModel
from agentkit.types import AnyType, ArrayType, LiteralType, ObjectType, Type, UnionType
from tests.random_plans import TOOLBOX, Plans
from tests.strategies import plans
from tests.test_adversarial import VALUE_DEPENDENT

LIMITS = Limits(steps=500, tool_calls=300, model_calls=300, loop_iterations=20)


def some(schema: Mapping[str, Any], draw: Random) -> Json:
    """A value of one of the schemas that random plans have."""
    match schema.get("type"):
        case "integer":
            return draw.choice([0, 1, 7])
        case "string":
            return draw.choice(["hat", "", "2026-11-21"])
        case "boolean":
            return draw.choice([True, False])
        case "array":
            return [1, None]
        case _:
            return draw.choice(["text", 3, None])


class Answers:
    """The model, the person and the subgoals of a run: each gives what its schema says.

    Args:
        draw: Where choices come from.
    """

    def __init__(self, draw: Random) -> None:
        self._draw = draw
        self.model = FunctionModel(self._reply)

    def _reply(self, request: ModelRequest) -> str:
        output = request.output
        return json.dumps(some(output.schema, self._draw)) if isinstance(output, JsonOutput) else "text"

    async def approve(self, request: ApprovalRequest) -> Decision:
        """Nothing of these plans needs it."""
        raise AssertionError(request)

    async def answer(self, question: str, schema: Mapping[str, Json] | None) -> Json:
        """What the person says."""
        return some(schema or {"type": "string"}, self._draw)

    async def subgoal(
        self, goal: str, inputs: Mapping[str, Json], schema: Mapping[str, Json] | None, step: str
    ) -> Json:
        """What the subgoal's plan answers."""
        return some(schema or {}, self._draw)


def is_vague(kind: Type) -> bool:
    """Whether values of a type may be of several kinds, so that only running shows what can be done with them."""
    if isinstance(kind, ArrayType):
        return any(map(is_vague, (*kind.prefix, kind.items)))
    if isinstance(kind, ObjectType):
        return any(is_vague(inner) for _, inner, _ in kind.fields)
    if isinstance(kind, LiteralType):
        return len({type(value) for value in kind.values}) > 1
    return isinstance(kind, AnyType | UnionType)


def checked(plan: Plan) -> tuple[CheckReport, bool]:
    """The checker's report, and whether it knew all types, those of parts of expressions included."""
    kinds: list[Type] = []
    plain = _Typing.of

    def of(self: _Typing, expr: Expr, scope: Mapping[str, Type]) -> Type:
        kinds.append(plain(self, expr, scope))
        return kinds[-1]

    with patch.object(_Typing, "of", of):
        report = check(plan, TOOLBOX, limits=LIMITS)
    left = report.checked is not None and report.checked.certificate.runtime_checks
    return report, not left and not any(map(is_vague, [*kinds, *report.types.values()]))


async def ended(plan: Plan, draw: Random) -> str:
    """How a plan ends: ``refused`` by the checker, or as its run does."""
    plan = Plan(plan.steps, plan.answer or Literal(1), plan.goal, plan.inputs)
    report, settled = checked(plan)
    assert all(map(str, report.diagnostics))
    if report.checked is None:
        return "refused"
    answers = Answers(draw)
    run = Run(limits=LIMITS, model=answers.model, human=answers)
    inputs = {name: some(schema, draw) for name, schema in plan.inputs.items()}
    outcome = await execute(report.checked, inputs=inputs, run=run, subgoals=answers.subgoal)
    if outcome.status == "failed" and settled:
        assert VALUE_DEPENDENT.search(outcome.error), outcome.error
    return outcome.status


@given(st.sampled_from([0, 2, 5, 10, 20, 40]).flatmap(lambda wild: plans(wild=wild)), st.integers())
@settings(max_examples=100, deadline=None)
def test_a_checked_plan_never_fails_for_a_reason_that_the_checker_names(plan: Plan, seed: int) -> None:
    asyncio.run(ended(plan, Random(seed)))


async def ends(first: int, last: int) -> Counter[str]:
    """How many plans end how."""
    found: Counter[str] = Counter()
    for seed in range(first, last):
        draw = Random(seed)
        found[await ended(Plans(draw, wild=(0, 2, 5, 10, 20, 40)[seed % 6]).plan(15), draw)] += 1
    return found


async def test_many_of_the_plans_run_and_some_are_refused() -> None:
    found = await ends(0, 300)
    assert found["done"] > 120
    assert found["refused"] > 60


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100_000, 120_000, 5_000))
async def test_twenty_thousand_plans(first: int) -> None:
    found = await ends(first, first + 5_000)
    assert found["done"] > 2_000
    assert found["failed"] > 10
