"""Answers to requests that only mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agentkit.cache import CacheStore
from agentkit.errors import DefinitionError
from agentkit.messages import (
    Message,
    ModelRequest,
    ModelResponse,
    ModelSettings,
    ToolSchema,
    Usage,
    assistant,
    system,
    user,
)
from agentkit.models import SemanticCachedModel
from agentkit.models.semantic import same_details
from agentkit.testing import ScriptedModel
from tests.conformance.model import collect


class Topics:
    """An embedder for tests: a text points where its first word that is known does."""

    dimension = 2

    def __init__(self, name: str = "topics") -> None:
        self.name = name
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.embedded += texts
        directions = {"price": [3.0, 0.0], "cost": [2.0, 0.2], "stock": [0.0, 1.0]}
        return [next((d for word, d in directions.items() if word in text), [1.0, 1.0]) for text in texts]


def ask(text: str, **more: str) -> ModelRequest:
    return replace(ModelRequest((system("Be brief."), user(text))), **more)  # type: ignore[arg-type]


def model_of(*replies: str | ModelResponse, threshold: float = 0.9) -> SemanticCachedModel:
    return SemanticCachedModel(ScriptedModel(replies), Topics(), threshold=threshold)


async def test_a_message_that_means_the_same_gets_the_known_answer() -> None:
    model = model_of("20", "5")
    await model.request(ask("what is the price of a hat?"))
    response = await model.request(ask("what does a hat cost?"))
    assert (response.text, response.cached, response.usage) == ("20", True, Usage())
    assert response.notes == ("semantic cache: 0.995 to 'what is the price of a hat?'",)
    assert (await model.request(ask("how many in stock?"))).text == "5"
    assert (model.hits, model.misses) == (1, 2)


async def test_the_threshold_decides() -> None:
    model = model_of("one", "two", threshold=0.999)
    await model.request(ask("price?"))
    assert (await model.request(ask("cost?"))).text == "two"


async def test_the_nearest_of_several_answers() -> None:
    model = model_of("cost", "other", "price", threshold=0.999)
    for text in ("cost?", "anything", "price?"):
        await model.request(ask(text))
    model._threshold = 0.5
    assert (await model.request(ask("the price?"))).text == "price"


async def test_other_numbers_names_or_negations_are_another_question() -> None:
    model = model_of("one", "two")
    await model.request(ask("what is the price of 3 hats?"))
    assert (await model.request(ask("what is the price of 4 hats?"))).text == "two"


async def test_the_guard_may_be_another_or_none() -> None:
    model = SemanticCachedModel(ScriptedModel(["one"]), Topics(), threshold=0.9, guard=None)
    await model.request(ask("what is the price of 3 hats?"))
    assert (await model.request(ask("what is the price of 4 hats?"))).text == "one"


async def test_no_user_gets_what_another_one_or_nobody_was_answered() -> None:
    model = model_of("annas", "bens", "everybodys")
    for name, text in [("anna", "annas"), ("ben", "bens"), ("", "everybodys")]:
        assert (await model.request(ask("price?", user=name))).text == text
        assert (await model.request(ask("cost?", user=name))).text == text


@pytest.mark.parametrize(
    "other",
    [
        replace(ask("cost?"), messages=(system("Be rude."), user("cost?"))),
        replace(ask("cost?"), messages=(*ask("hi").messages, assistant("hi"), user("cost?"))),
        replace(ask("cost?"), settings=ModelSettings(max_tokens=9)),
    ],
    ids=["instructions", "history", "settings"],
)
async def test_in_another_context_nothing_means_the_same(other: ModelRequest) -> None:
    model = model_of("one", "two")
    await model.request(ask("price?"))
    assert (await model.request(other)).text == "two"


@pytest.mark.parametrize(
    "left_alone",
    [
        replace(ask("price?"), fresh=True),
        replace(ask("price?"), settings=ModelSettings(temperature=1.0)),
        replace(ask("price?"), tools=(ToolSchema("f", "F.", {"type": "object"}),)),
        replace(ask("price?"), messages=(user("price?"), Message("tool", "1", tool_call_id="c"))),
    ],
    ids=["fresh", "sampled", "tools", "a tool's result"],
)
async def test_what_cannot_be_judged_is_left_alone(left_alone: ModelRequest) -> None:
    model = model_of("one", "two")
    assert [(await model.request(left_alone)).text for _ in range(2)] == ["one", "two"]
    assert (model.hits, model.misses) == (0, 0)


async def test_an_answer_that_was_cut_off_is_not_kept() -> None:
    model = model_of(ModelResponse("cut", finish="length"), "whole")
    await model.request(ask("price?"))
    assert (await model.request(ask("price?"))).text == "whole"


async def test_a_stream_is_kept_and_given_again() -> None:
    model = model_of("twenty dollars")
    await collect(model, ask("price?"))
    piece, response = await collect(model, ask("cost?"))
    assert (piece.text, response.text) == ("twenty dollars", "twenty dollars")


async def test_answers_outlive_the_process_unless_the_embedder_is_another(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    await SemanticCachedModel(ScriptedModel(["one"]), Topics(), threshold=0.9, store=path).request(ask("price?"))
    again = SemanticCachedModel(ScriptedModel([]), Topics(), threshold=0.9, store=path)
    assert (await again.request(ask("cost?"))).text == "one"
    other = SemanticCachedModel(ScriptedModel(["two"]), Topics("other"), threshold=0.9, store=path)
    assert (await other.request(ask("cost?"))).text == "two"


async def test_what_is_forgotten_in_the_store_is_not_given_any_more() -> None:
    store = CacheStore()
    model = SemanticCachedModel(ScriptedModel(["one", "two"]), Topics(), threshold=0.9, store=store)
    await model.request(ask("price?", user="anna"))
    store.forget(scope="anna")
    assert (await model.request(ask("price?", user="anna"))).text == "two"


async def test_only_so_many_are_remembered() -> None:
    model = SemanticCachedModel(ScriptedModel(list("abcd")), Topics(), threshold=1.0, most=2, guard=None)
    for text in ("price?", "cost?", "stock?"):
        await model.request(ask(text))
    assert (await model.request(ask("price?"))).text == "d"


@pytest.mark.parametrize("threshold", [0, 1.1, -1])
def test_a_threshold_out_of_range_is_a_mistake(threshold: float) -> None:
    with pytest.raises(DefinitionError, match="expected a cosine above 0 and at most 1"):
        model_of(threshold=threshold)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What does the hat cost?", "How much is the hat?", True),
        ("Show three hats", "show 3 hats", True),
        ("Sell by 5 May.", "Sell by 6 May.", False),
        ("Is it open?", "Isn't it open?", False),
        ("Mails from Anna", "Mails from Ben", False),
        ("The flight to Hanoi", "Flight to Hanoi's airport", True),
        ("orders before noon", "orders after noon", False),
        ("Can I return it?", "May I return it?", True),
    ],
)
def test_details_that_turn_the_meaning(one: str, other: str, same: bool) -> None:
    assert same_details(one, other) is same
