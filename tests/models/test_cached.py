"""Answers that are given again: to whom, for how long, and what they cost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agentkit.cache import CacheStore
from agentkit.errors import ModelUnavailableError
from agentkit.messages import ModelRequest, ModelResponse, ModelSettings, TextDelta, ToolCall, Usage, user
from agentkit.models import CachedModel
from agentkit.models.cached import CachedStats
from agentkit.testing import FunctionModel, ScriptedModel
from agentkit.testing.models import Reply
from tests.conformance.model import collect

ASK = ModelRequest((user("hello"),))


async def test_an_equal_request_is_answered_without_the_model_at_no_cost() -> None:
    inner = ScriptedModel(["hi"])
    model = CachedModel(inner)
    first, second = await model.request(ASK), await model.request(replace(ASK))
    assert (first.text, first.cached, first.usage.model_calls) == ("hi", False, 1)
    assert (second.text, second.cached, second.usage, second.notes) == ("hi", True, Usage(), ("cache: hit",))
    assert model.stats == CachedStats(hits=1, misses=1)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (user("hello!"),)},
        {"settings": ModelSettings(max_tokens=5)},
        {"settings": ModelSettings(seed=5)},
        {"tool_choice": "none"},
        {"user": "ben"},
    ],
    ids=str,
)
async def test_a_request_that_differs_in_anything_is_another_one(change: dict[str, object]) -> None:
    model = CachedModel(ScriptedModel(["one", "two"]))
    await model.request(ASK)
    assert (await model.request(replace(ASK, **change))).text == "two"  # type: ignore[arg-type]


async def test_another_model_has_other_answers(tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "cache.db")
    await CachedModel(ScriptedModel(["one"], name="a"), store).request(ASK)
    assert (await CachedModel(ScriptedModel(["two"], name="b"), store).request(ASK)).text == "two"
    assert (await CachedModel(ScriptedModel([], name="a"), store).request(ASK)).text == "one"


async def test_no_user_is_given_what_another_one_or_nobody_was_answered() -> None:
    model = CachedModel(ScriptedModel(["annas", "bens", "everybodys"]))
    for name, text in [("anna", "annas"), ("ben", "bens"), ("", "everybodys")]:
        for _ in range(2):
            assert (await model.request(replace(ASK, user=name))).text == text


async def test_what_is_declared_for_everybody_is_shared() -> None:
    model = CachedModel(ScriptedModel(["one", "two"]), shared=lambda request: request.purpose == "faq")
    faq = replace(ASK, purpose="faq")
    assert [(await model.request(replace(faq, user=name))).text for name in ("anna", "ben")] == ["one", "one"]
    assert (await model.request(replace(ASK, user="ben"))).text == "two"


@pytest.mark.parametrize("request_", [replace(ASK, fresh=True), replace(ASK, settings=ModelSettings(temperature=0.5))])
async def test_what_depends_on_time_or_chance_is_not_cached(request_: ModelRequest) -> None:
    model = CachedModel(ScriptedModel(["one", "two", "three"]))
    assert [(await model.request(request_)).text for _ in range(2)] == ["one", "two"]
    assert isinstance((await collect(model, request_))[-1], ModelResponse)
    assert model.stats == CachedStats(bypassed=3)


async def test_one_draw_may_be_kept_on_demand() -> None:
    model = CachedModel(ScriptedModel(["one"]), sampled=True)
    drawn = replace(ASK, settings=ModelSettings(temperature=0.5))
    assert [(await model.request(drawn)).text for _ in range(2)] == ["one", "one"]


async def test_an_answer_expires() -> None:
    now = [0.0]
    model = CachedModel(ScriptedModel(["old", "new"]), CacheStore(time=lambda: now[0]), ttl=60)
    assert (await model.request(ASK)).text == "old"
    now[0] = 60
    assert (await model.request(ASK)).text == "new"


async def test_an_answer_that_was_cut_off_is_not_kept() -> None:
    model = CachedModel(ScriptedModel([ModelResponse("cut", finish="length"), "whole"]))
    await model.request(ASK)
    assert (await model.request(ASK)).text == "whole"


async def test_tool_calls_are_kept_whole() -> None:
    call = ToolCall("c", "f", {"x": [1, {"y": None}]})
    model = CachedModel(ScriptedModel([ModelResponse("", (call,), "tool_calls")]))
    await model.request(ASK)
    assert (await model.request(ASK)).tool_calls == (call,)


class Slow:
    """A model that answers when it is let."""

    def __init__(self, *replies: Reply) -> None:
        self.gate = asyncio.Event()
        self.replies = list(replies)

    async def __call__(self, request: ModelRequest) -> Reply:
        reply = self.replies.pop(0)
        await self.gate.wait()
        return reply


async def test_equal_requests_at_once_ask_the_model_once() -> None:
    slow = Slow("hi")
    model = CachedModel(FunctionModel(slow))
    tasks = [asyncio.create_task(model.request(ASK)) for _ in range(5)]
    await asyncio.sleep(0)
    slow.gate.set()
    responses = await asyncio.gather(*tasks)
    assert [response.text for response in responses] == ["hi"] * 5
    assert sum(response.usage.model_calls for response in responses) == 1
    assert model.stats == CachedStats(shared=4, misses=1)


async def test_they_also_share_a_failure_which_one_of_them_pays() -> None:
    slow = Slow(ModelUnavailableError("down"))
    model = CachedModel(FunctionModel(slow))
    tasks = [asyncio.create_task(model.request(ASK)) for _ in range(3)]
    await asyncio.sleep(0)
    slow.gate.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in errors] == ["down"] * 3
    assert [error.usage.model_calls for error in errors if isinstance(error, ModelUnavailableError)] == [1, 0, 0]


async def test_when_the_one_who_asks_is_cancelled_the_next_one_asks() -> None:
    slow = Slow("lost", "hi")
    model = CachedModel(FunctionModel(slow))
    first, second, third = [asyncio.create_task(model.request(ASK)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    slow.gate.set()
    assert [(await task).text for task in (second, third)] == ["hi", "hi"]
    assert slow.replies == []


async def test_equal_requests_of_two_users_do_not_wait_for_each_other() -> None:
    slow = Slow("annas", "bens")
    model = CachedModel(FunctionModel(slow))
    tasks = [asyncio.create_task(model.request(replace(ASK, user=name))) for name in ("anna", "ben")]
    await asyncio.sleep(0)
    slow.gate.set()
    assert [(await task).text for task in tasks] == ["annas", "bens"]


async def test_a_stream_is_kept_at_its_end_and_given_again_in_one_piece() -> None:
    model = CachedModel(ScriptedModel(["one two"]))
    assert len(await collect(model, ASK)) == 3
    piece, response = await collect(model, ASK)
    assert piece == TextDelta("one two")
    assert isinstance(response, ModelResponse)
    assert (response.text, response.cached) == ("one two", True)
    assert (await model.request(ASK)).text == "one two"


async def test_a_stream_that_was_left_is_not_kept() -> None:
    model = CachedModel(ScriptedModel(["one two", "three"]))
    stream = model.stream(ASK)
    await anext(stream)
    await stream.aclose()
    assert (await model.request(ASK)).text == "three"


async def test_an_entry_of_another_version_is_a_miss() -> None:
    store = CacheStore()
    model = CachedModel(ScriptedModel(["one", "two"]), store)
    await model.request(ASK)
    store._db.execute("UPDATE entries SET value = '{\"words\": 3}'")
    assert (await model.request(ASK)).text == "two"
