"""Budgets of users: what is refused, what is counted, and when it starts anew."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agentkit.errors import BudgetExceededError, DefinitionError, ModelRefusedError, ModelUnavailableError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, ModelSettings, Price, Usage, user
from agentkit.models import Budget, BudgetedModel, CachedModel, FallbackModel, Spent
from agentkit.models.budget import Period, _bounds
from agentkit.testing import FakeClock, FunctionModel, ScriptedModel
from agentkit.testing.models import Reply
from tests.conformance.model import collect

ASK = ModelRequest((user("hello"),), user="anna")
USED = Usage(input_tokens=10, output_tokens=90, model_calls=1)
PRICED = ModelProfile(price=Price(input=1000.0, output=10_000.0))
"""A cent for ten prompt tokens, 90 cents for 90 generated ones."""


def model_of(*replies: Reply) -> ScriptedModel:
    return ScriptedModel(replies, name="m", profile=PRICED)


def good(count: int) -> list[Reply]:
    return [ModelResponse("hi", usage=USED) for _ in range(count)]


async def test_a_user_s_tokens_run_out_and_nobody_else_s_do() -> None:
    inner = model_of(*good(3))
    model = BudgetedModel(inner, tokens=150, clock=FakeClock())
    await model.request(ASK)
    await model.request(ASK)
    with pytest.raises(BudgetExceededError) as caught:
        await model.request(ASK)
    assert str(caught.value) == (
        "the budget of the user 'anna' is used up: 200 of 150 tokens are spent and this call may need 9; "
        "it starts anew at 2026-01-02T00:00:00Z"
    )
    assert (caught.value.usage, len(inner.requests)) == (Usage(), 2)
    await model.request(replace(ASK, user="ben"))


async def test_dollars_run_out() -> None:
    model = BudgetedModel(model_of(*good(2)), usd=1.0, period="total")
    await model.request(ASK)
    spent = model.spent("anna")
    assert replace(spent, usd=round(spent.usd, 6)) == Spent(usd=0.91, tokens=100, calls=1, resets_at=None)
    with pytest.raises(BudgetExceededError) as caught:
        await model.request(replace(ASK, settings=ModelSettings(max_tokens=100)))
    assert str(caught.value) == (
        "the budget of the user 'anna' is used up: $0.9100 of $1.0000 are spent and this call may need $1.0090; "
        "it never starts anew"
    )


async def test_a_budget_starts_anew_with_its_period() -> None:
    clock = FakeClock()
    model = BudgetedModel(model_of(*good(2)), tokens=50, period="hour", clock=clock)
    await model.request(ASK)
    with pytest.raises(BudgetExceededError) as caught:
        await model.request(ASK)
    assert caught.value.resets_at is not None
    await clock.advance(caught.value.resets_at - clock.time())
    assert model.spent("anna").tokens == 0
    await model.request(ASK)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("minute", "2024-02-29T13:45:00", "2024-02-29T13:46:00"),
        ("hour", "2024-02-29T13:00:00", "2024-02-29T14:00:00"),
        ("day", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("week", "2024-02-26T00:00:00", "2024-03-04T00:00:00"),
        ("month", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
    ],
)
def test_periods_follow_the_calendar(period: Period, start: str, end: str) -> None:
    from datetime import datetime

    def at(text: str) -> float:
        return datetime.fromisoformat(f"{text}+00:00").timestamp()

    assert _bounds(period, at("2024-02-29T13:45:12")) == (at(start), at(end))


async def test_calls_under_way_hold_what_they_will_need() -> None:
    gate = asyncio.Event()

    async def slow(request: ModelRequest) -> Reply:
        await gate.wait()
        return ModelResponse("hi", usage=USED)

    model = BudgetedModel(FunctionModel(slow, profile=PRICED), tokens=150, clock=FakeClock())
    asked = replace(ASK, settings=ModelSettings(max_tokens=90))
    first = asyncio.create_task(model.request(asked))
    await asyncio.sleep(0)
    with pytest.raises(BudgetExceededError, match=r"0 of 150 tokens are spent .* may need 99; calls under way: 1;"):
        await model.request(asked)
    gate.set()
    await first
    assert model.spent("anna").tokens == 100


async def test_failures_and_streams_are_counted_too() -> None:
    failed = ModelUnavailableError("down")
    failed.usage = Usage(input_tokens=7, model_calls=2)
    model = BudgetedModel(model_of(failed, *good(1)), tokens=1000)
    with pytest.raises(ModelUnavailableError):
        await model.request(ASK)
    assert model.spent("anna").tokens == 7
    await collect(model, ASK)
    assert (model.spent("anna").tokens, model.spent("anna").calls) == (107, 3)


async def test_a_stream_that_was_left_costs_its_prompt() -> None:
    model = BudgetedModel(model_of("one two three"), usd=1)
    stream = model.stream(ASK)
    await anext(stream)
    await stream.aclose()
    spent = model.spent("anna")
    assert (round(spent.usd, 6), spent.tokens, spent.calls) == (0.009, 9, 1)


async def test_a_request_that_is_not_sent_costs_nothing() -> None:
    model = BudgetedModel(model_of(*good(1)), tokens=1000)
    with pytest.raises(DefinitionError):
        await model.request(replace(ASK, tool_choice="sing"))
    assert model.spent("anna").tokens == 0


async def test_what_comes_from_a_cache_costs_nothing() -> None:
    model = BudgetedModel(CachedModel(model_of(*good(1))), tokens=101)
    for _ in range(3):
        await model.request(ASK)
        model._budget = Budget(tokens=1000)
    assert (model.spent("anna").tokens, model.spent("anna").calls) == (100, 1)


async def test_budgets_last_beyond_the_process_and_add_up_between_processes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "budget.db"
    one, other = [BudgetedModel(model_of(*good(2)), tokens=150, store=path) for _ in range(2)]
    await one.request(ASK)
    await other.request(ASK)
    with pytest.raises(BudgetExceededError, match="200 of 150 tokens"):
        await one.request(ASK)
    assert BudgetedModel(model_of(), tokens=150, store=path, name="another").spent("anna").tokens == 0


async def test_some_may_have_another_budget() -> None:
    model = BudgetedModel(model_of(*good(3)), tokens=50, overrides={"anna": Budget(tokens=500)})
    for _ in range(3):
        await model.request(ASK)
    assert model.spent("anna").tokens == 300


async def test_a_chain_may_go_on_to_a_model_without_a_budget() -> None:
    chain = FallbackModel(BudgetedModel(model_of(*good(1)), tokens=50), model_of("free"), on=(BudgetExceededError,))
    assert [(await chain.request(ASK)).text for _ in range(2)] == ["hi", "free"]


async def test_a_budget_s_refusal_is_a_refusal() -> None:
    """Nobody tries it again."""
    assert issubclass(BudgetExceededError, ModelRefusedError)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({}, "BudgetedModel was given no budget; expected usd=, tokens= or overrides=."),
        ({"usd": 0}, "usd is 0; expected a number above 0, or None for no bound."),
        ({"tokens": 5, "period": "year"}, "period is 'year'; expected one of minute, hour, day, week, month, total."),
    ],
)
def test_a_budget_that_bounds_nothing_is_a_mistake(budget: dict[str, object], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        BudgetedModel(model_of(), **budget)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_money_cannot_be_bounded_where_the_price_is_unknown() -> None:
    with pytest.raises(DefinitionError, match="nobody says what the model 'mystery:m' costs"):
        BudgetedModel(ScriptedModel([], name="mystery:m"), usd=5)
