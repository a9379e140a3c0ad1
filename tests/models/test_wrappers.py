"""What holds for every wrapper of a model, and for all of them around each other."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.agent import Agent
from agentkit.errors import ModelError, ModelRefusedError, ModelUnavailableError
from agentkit.messages import ModelRequest, ModelResponse, Usage, user
from agentkit.models import CachedModel, CassetteModel, FallbackModel
from agentkit.models.prices import cost_of, unpriced
from agentkit.protocols import Model
from agentkit.testing import FunctionModel, ScriptedModel
from tests.conformance.model import ModelConformance, ModelFor, collect
from tests.models.test_conformance import scripted
from tests.models.wrappers import WRAPPERS

SKIPPED = pytest.skip.Exception


def wrapped(model: Model, names: list[str]) -> Model:
    """The model with wrappers around it, the last one outermost."""
    return reduce(lambda inner, name: WRAPPERS[name](inner), names, model)


class TestEachWrapper(ModelConformance):
    """A wrapper around a conforming model conforms."""

    @pytest.fixture(params=sorted(WRAPPERS))
    def model_for(self, request: pytest.FixtureRequest) -> ModelFor:
        return lambda *answers: WRAPPERS[request.param](scripted(answers))


def _checks() -> Iterator[Any]:
    """The tests of the suite that need nothing but a model."""
    for name, test in inspect.getmembers(ModelConformance, inspect.isfunction):
        if name.startswith("test_") and list(inspect.signature(test).parameters) == ["self", "model_for"]:
            yield test


orders = st.lists(st.sampled_from(sorted(WRAPPERS)), min_size=2, max_size=5)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(orders)
def test_wrappers_conform_in_any_order(names: list[str]) -> None:
    """The whole suite, for a random stack of wrappers around a scripted model."""
    suite = ModelConformance()
    for check in _checks():
        try:
            done = check(suite, lambda *answers: wrapped(scripted(answers), names))
            if inspect.isawaitable(done):
                asyncio.run(_all_of(done))
        except SKIPPED:
            continue


async def _all_of(done: Any) -> None:
    await done


class Provider:
    """A provider that follows a script of failures and counts its calls and what they cost."""

    def __init__(self, script: list[str]) -> None:
        self.calls = 0
        self.spent = Usage()
        self._script = script

    def answer(self, request: ModelRequest) -> ModelResponse:
        self.calls += 1
        what = self._script[self.calls % len(self._script)]
        if what == "down":
            raise ModelUnavailableError("down")
        if what == "refused":
            raise ModelRefusedError("refused")
        usage = Usage(input_tokens=1000, output_tokens=100, model_calls=1)
        self.spent = self.spent + usage
        return ModelResponse(f"answer {self.calls}", usage=usage, model="m")


@settings(max_examples=60)
@given(
    orders,
    st.lists(st.sampled_from(["good", "good", "down", "refused"]), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6),
)
async def test_every_call_of_a_provider_is_accounted_for_once(
    names: list[str], script: list[str], asked: list[tuple[int, bool]]
) -> None:
    """Whatever is wrapped around it, and whichever calls fail: calls, tokens and dollars add up."""
    provider = Provider(script)
    inner = FunctionModel(provider.answer, name="openai:gpt-4o")
    model = wrapped(inner, names)
    told: list[Usage] = []
    for question, streamed in asked:
        request = ModelRequest((user(f"question {'abc'[question]}"),))
        try:
            response = (await collect(model, request))[-1] if streamed else await model.request(request)
            assert isinstance(response, ModelResponse)
            told.append(response.usage)
            assert response.cached == (response.usage == Usage())
        except ModelError as error:
            told.append(error.usage)
    total = reduce(add, told, Usage())
    assert total.model_calls == provider.calls
    assert total.input_tokens == provider.spent.input_tokens
    assert total.output_tokens == provider.spent.output_tokens
    if any(name in ("fallback", "router", "budget", "retry", "hedge") for name in names):
        assert total.cost == pytest.approx(cost_of(provider.spent, "openai:gpt-4o"))


async def test_what_wrappers_did_is_told_in_order_outermost_first() -> None:
    chain = FallbackModel(ScriptedModel([ModelUnavailableError("x")], name="a"), ScriptedModel(["hi"], name="b"))
    model = CachedModel(chain)
    request = ModelRequest((user("hello"),))
    await model.request(request)
    assert (await model.request(request)).notes == ("cache: hit", "fallback: 'b' answered instead of 'a'")


async def test_a_run_through_wrappers_counts_and_records_what_they_did() -> None:
    plan = "answer(1)"
    model = CachedModel(ScriptedModel([plan]))
    agent = Agent(model)
    first, second = [await agent.run("One?", user="anna") for _ in range(2)]
    assert (first.output, first.usage.model_calls) == (1, 1)
    assert (second.output, second.usage) == (1, Usage())
    called: Any = next(event for event in second.events if event.kind == "model_called")
    assert (called.cached, called.notes) == (True, ("cache: hit",))


async def test_a_recorded_run_replays_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    chain = FallbackModel(
        ScriptedModel([ModelUnavailableError("x")], name="a"), ScriptedModel(["answer(1 +", "answer(42)"], name="b")
    )
    recorded = await Agent(CassetteModel(path, chain)).run("The answer?")
    before = path.read_bytes()
    replayed = await Agent(CassetteModel(path)).run("The answer?")
    assert recorded.output == 42
    assert (replayed.output, replayed.usage, replayed.plan) == (recorded.output, recorded.usage, recorded.plan)

    def told(events: Any) -> list[Any]:
        return [(event.kind, getattr(event, "reply", ""), getattr(event, "notes", ())) for event in events]

    assert told(replayed.events) == told(recorded.events)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", sorted(WRAPPERS.keys() - {"budget"}))
def test_a_wrapper_leads_to_the_models_inside(name: str) -> None:
    """So that a limit on money can be refused where one of them has no known price."""
    model = WRAPPERS[name](FallbackModel(ScriptedModel([], name="mystery:a"), ScriptedModel([], name="test:b")))
    assert unpriced(model) == ("mystery:a",)
