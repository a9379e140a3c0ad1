"""What model calls cost: published prices, prices of one's own, and what happens where nobody knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from agentkit import Agent, Limits
from agentkit.calling import ModelCaller
from agentkit.errors import DefinitionError
from agentkit.eventlog import EventLog
from agentkit.events import ModelCalled
from agentkit.limits import LimitReached, Meter
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, Price, TextDelta, Usage, user
from agentkit.models.prices import (
    BUILT_IN,
    FREE,
    cost_of,
    price_of,
    price_of_model,
    priced,
    read_prices,
    unpriced,
)
from agentkit.protocols import Model
from agentkit.testing import FakeClock, ScriptedModel

ASK = ModelRequest((user("How much?"),))
MILLION = 1_000_000
EXPECTED = (
    'Expected [[price]] tables like models = ["openai:NAME"], input = 1.25, output = 10, '
    "in US dollars per million tokens"
)


@pytest.mark.parametrize(
    ("model_id", "price"),
    [
        ("openai:gpt-5", Price(1.25, 10, 0.125)),
        ("openai-chat:gpt-5-2025-08-07", Price(1.25, 10, 0.125)),
        ("openai:gpt-5-mini", Price(0.25, 2, 0.025)),
        ("openai:gpt-4o-2024-08-06", Price(2.5, 10, 1.25)),
        ("openai:gpt-4o-2024-05-13", Price(5, 15)),
        ("anthropic:claude-sonnet-4-20250514", Price(3, 15, 0.3, 3.75)),
        ("anthropic:claude-3-5-haiku-latest", Price(0.8, 4, 0.08, 1)),
        ("local:qwen2.5-coder-1.5b", FREE),
        ("test:scripted", FREE),
        ("http://127.0.0.1:8080/v1#gpt-5", FREE),
        ("http://gpu.example/v1#gpt-5", None),
        ("openai:gpt-55", None),
        ("openai:ft:gpt-4o:acme", None),
    ],
)
def test_a_model_id_has_the_published_price_or_none(model_id: str, price: Price | None) -> None:
    assert price_of(model_id) == price


def test_the_built_in_file_is_dated_and_says_where_its_prices_come_from() -> None:
    table = read_prices(BUILT_IN)
    assert date.fromisoformat(table.read) >= date(2026, 11, 21)
    assert all(source.startswith("https://") for source in table.sources)
    assert all(
        0 < (price.cached_input or price.input) <= price.input <= price.output for price in table.prices.values()
    )


def test_prompt_cache_and_reply_tokens_have_their_own_prices() -> None:
    price = Price(3.0, 15.0, cached_input=0.3, cache_write=3.75)
    usage = Usage(input_tokens=1000, cached_tokens=600, output_tokens=100, cache_write_tokens=300)
    assert price.cost(usage) == pytest.approx((100 * 3 + 600 * 0.3 + 300 * 3.75 + 100 * 15) / MILLION)
    assert Price(3.0, 15.0).cost(usage) == pytest.approx((1000 * 3 + 100 * 15) / MILLION)


def test_a_long_prompt_costs_the_long_price_for_the_whole_request() -> None:
    usage = Usage(input_tokens=200_001, output_tokens=1000)
    assert cost_of(usage, "anthropic:claude-sonnet-4-5") == pytest.approx((200_001 * 6 + 1000 * 22.5) / MILLION)
    assert cost_of(Usage(200_000), "anthropic:claude-sonnet-4-5") == pytest.approx(0.6)


def test_an_unknown_model_costs_nothing_and_is_named() -> None:
    assert cost_of(Usage(MILLION, 0, MILLION), "openai:unheard-of") == 0.0
    model = ScriptedModel(["x"], name="openai:unheard-of")
    assert (price_of_model(model), unpriced(model)) == (None, ("openai:unheard-of",))


def test_a_file_of_ones_own_goes_before_the_built_in_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(
        '[[price]]\nmodels = ["http://gpu.example/v1#*", "local:*"]\ninput = 0.5\noutput = 1\n\n'
        '[[price]]\nmodels = ["openai-chat:gpt-5"]\ninput = 1\noutput = 2\n'
        "long = { over = 10, input = 2, output = 4 }\n"
    )
    monkeypatch.setenv("AGENTKIT_PRICES", str(own))
    assert price_of("http://gpu.example/v1#llama") == price_of("local:any") == Price(0.5, 1)
    assert price_of("openai:gpt-5") == Price(1, 2, long=Price(2, 4), long_over=10)
    assert price_of("openai:gpt-5-mini") == Price(0.25, 2, 0.025)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[[price]]\nmodels = ["a:b"]\ninput = 1\n',
            f"are malformed at price.0.output: Field required. {EXPECTED}",
        ),
        (
            '[[price]]\nmodels = ["a:b"]\ninput = 1\noutput = 2\ncached = 1\n',
            f"are malformed at price.0.cached: Extra inputs are not permitted. {EXPECTED}",
        ),
        ("[[prices]]\n", "have the unknown key 'prices'; expected read, sources and price"),
    ],
)
def test_a_malformed_file_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(DefinitionError) as caught:
        read_prices(path)
    assert str(caught.value) == f"the prices of {str(path)!r} {problem}"


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_PRICES", str(tmp_path / "none.toml"))
    with pytest.raises(DefinitionError, match=r"^cannot read the prices of '.*none.toml': "):
        price_of("openai:gpt-5")


class _Provider:
    """A model that answers with fixed usage."""

    def __init__(self, name: str, usage: Usage, price: Price | None = None) -> None:
        self.name = name
        self.profile = ModelProfile(price=price)
        self._response = ModelResponse("ten", usage=usage, model=name)

    async def request(self, request: ModelRequest) -> ModelResponse:
        return self._response

    async def stream(self, request: ModelRequest) -> AsyncIterator[TextDelta | ModelResponse]:
        yield TextDelta("ten")
        yield self._response


class _Wrapper(_Provider):
    """A model that hands on to others."""

    def __init__(self, *models: Model) -> None:
        super().__init__("wrapper", Usage(1, 0, 1, 1))
        self.models = models


def _caller(model: Model, limits: Limits) -> tuple[ModelCaller, Meter, EventLog]:
    meter, events = Meter(limits), EventLog()
    return ModelCaller(model, events=events, meter=meter, limits=limits, clock=FakeClock()), meter, events


USED = Usage(400_000, 0, 0, model_calls=1)


async def test_a_call_is_priced_before_it_is_counted_streams_too() -> None:
    caller, meter, events = _caller(_Provider("openai:gpt-5", USED), Limits())
    assert (await caller.request(ASK, purpose="plan")).usage.cost == pytest.approx(0.5)
    last = [piece async for piece in caller.stream(ASK, purpose="plan")][-1]
    assert isinstance(last, ModelResponse)
    assert last.usage.cost == pytest.approx(0.5)
    assert meter.usage.cost == pytest.approx(1.0)
    assert [event.usage.cost for event in events if isinstance(event, ModelCalled)] == pytest.approx([0.5, 0.5])


async def test_the_cost_limit_holds_for_model_calls() -> None:
    caller, _, _ = _caller(_Provider("openai:gpt-5", USED), Limits(cost=0.75))
    await caller.request(ASK, purpose="plan")
    await caller.request(ASK, purpose="plan")
    with pytest.raises(LimitReached, match=r"^the limit cost=0\.75 is used up$"):
        await caller.request(ASK, purpose="plan")


async def test_what_the_provider_says_that_a_call_cost_is_kept() -> None:
    caller, meter, _ = _caller(_Provider("openai:gpt-5", Usage(400_000, 0, 0, 1, 0, 0.01)), Limits())
    await caller.request(ASK, purpose="plan")
    assert meter.usage.cost == 0.01


def test_a_profile_goes_before_the_files() -> None:
    model = _Provider("openai:gpt-5", USED, Price(10.0, 20.0))
    assert priced(ModelResponse("a", usage=USED), model).usage.cost == pytest.approx(4.0)


def test_a_wrapper_is_as_unpriced_as_what_it_wraps() -> None:
    known, unknown = _Provider("openai:gpt-5", USED), _Provider("openai:mystery", USED)
    assert unpriced(_Wrapper(known)) == ()
    assert unpriced(_Wrapper(known, _Wrapper(unknown))) == ("openai:mystery",)
    assert unpriced(_Wrapper(_Provider("openai:mystery", USED, Price(1, 1)))) == ()


def test_a_cost_limit_on_a_model_without_a_price_is_refused() -> None:
    with pytest.raises(DefinitionError) as caught:
        _caller(_Provider("openai:mystery", USED), Limits(cost=1.5))
    assert str(caught.value) == (
        "the limit cost=1.5 cannot be held: nobody says what the model 'openai:mystery' costs. Name a file with its "
        "price in AGENTKIT_PRICES, or give it a ModelProfile with price=Price(…), or limit tokens= instead of cost="
    )
    _caller(_Provider("local:any", USED), Limits(cost=1.5))


async def test_a_result_names_the_models_whose_cost_is_unknown() -> None:
    agent = Agent(ScriptedModel(["answer(1)", "answer(1)"], name="openai:mystery"))
    result = await agent.run("Say one.")
    assert (result.output, result.unpriced, result.usage.cost) == (1, ("openai:mystery",), 0.0)
    assert (await agent.with_model(ScriptedModel(["answer(1)"])).run("Say one.")).unpriced == ()
