"""Token counts: the model's own tokenizer, OpenAI's encodings, and an estimate that is held to its word."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import tokens
from agentkit.messages import Message, ModelRequest, ToolCall, assistant, system, user
from agentkit.models import LocalModel, RetryingModel, override_allow_model_requests
from agentkit.models.catalogue import find_weights, weights_path
from agentkit.testing import ScriptedModel
from agentkit.tokens import ESTIMATE, TokenCounter, count_tokens, counter_for, estimate_tokens
from tests.architecture import ROOT

ENGLISH = (ROOT / "CONTRIBUTING.md").read_text("utf-8") + (ROOT / "docs" / "durability.md").read_text("utf-8")
CODE = (ROOT / "agentkit" / "executor.py").read_text("utf-8")
ROWS = [{"id": n, "name": f"Product {n}", "price": round(n * 3.17, 2), "at": "2026-11-02T10:00:00Z"} for n in range(99)]
LANGUAGES = {
    "German": "Die Katze überlegt, ob sie heute noch durch die Straßen der Stadt spazieren möchte, obwohl es regnet.",
    "Chinese": "今天天气很好，我们决定去公园散步，看看那里的花是否已经开了。",
    "Japanese": "今日はとても天気が良いので、公園へ散歩に行くことにしました。",
    "Russian": "Сегодня хорошая погода, и мы решили прогуляться по парку, чтобы посмотреть на цветы.",
    "Arabic": "الطقس جميل جدا اليوم، لذلك قررنا الذهاب في نزهة في الحديقة.",
    "Hindi": "आज मौसम बहुत अच्छा है, इसलिए हमने पार्क में टहलने का फैसला किया।",
    "Korean": "오늘은 날씨가 아주 좋아서 우리는 공원에 산책하러 가기로 했습니다.",
}


def openai(name: str) -> ScriptedModel:
    return ScriptedModel([], name=f"openai:{name}")


class Own(ScriptedModel):
    """A model whose tokens are characters."""

    counted = 0

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        self.counted += len(texts)
        return [len(text) for text in texts]


async def test_a_model_s_own_tokenizer_goes_first_and_counts_each_text_once() -> None:
    model = Own([], name="openai:gpt-5")
    counter = counter_for(model)
    assert (counter.name, counter.exact) == ("openai:gpt-5", True)
    assert await counter.texts(["ab", "abc", "ab"]) == [2, 3, 2]
    assert await counter.texts(["abc"]) == [3]
    assert model.counted == 2


async def test_a_model_inside_a_wrapper_is_found() -> None:
    assert await counter_for(RetryingModel(Own([]))).texts(["abc"]) == [3]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *((name, "o200k_base") for name in ("gpt-5", "gpt-4o-mini", "gpt-4.1", "o3")),
        *((name, "cl100k_base") for name in ("gpt-4", "gpt-4-turbo", "gpt-3.5-turbo")),
    ],
)
async def test_openai_s_models_are_counted_with_openai_s_encodings(name: str, encoding: str) -> None:
    counter = counter_for(openai(name))
    assert (counter.name, counter.exact) == (encoding, True)
    assert await counter.texts(["hello world"]) == [2]


async def test_a_text_of_any_length_is_counted() -> None:
    [counted] = await counter_for(openai("gpt-5")).texts(["hello " * 300_000])
    assert counted == pytest.approx(300_000, rel=0.001)


async def test_without_the_encodings_the_estimate_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_encoding", lambda _: None)
    assert counter_for(openai("gpt-5")) is ESTIMATE
    assert counter_for(ScriptedModel([], name="anthropic:claude-x")) is ESTIMATE
    assert repr(ESTIMATE) == "TokenCounter('estimate', exact=False)"


@pytest.mark.parametrize("model", ["gpt-5", "gpt-4"])
async def test_the_estimate_is_as_good_as_it_says(model: str) -> None:
    """The bounds of the module's docstring."""
    counter = counter_for(openai(model))
    structured = [ENGLISH, CODE, json.dumps(ROWS), json.dumps(ROWS, indent=1)]
    for text, true in zip(structured, await counter.texts(structured), strict=True):
        assert 1.0 <= estimate_tokens(text) / true <= 1.4
    others = list(LANGUAGES.values())
    for text, true in zip(others, await counter.texts(others), strict=True):
        assert 0.85 <= estimate_tokens(text) / true <= 4


@given(st.text(), st.text())
def test_the_estimate_of_two_texts_is_about_the_sum(one: str, other: str) -> None:
    assert abs(estimate_tokens(f"{one}\n\n{other}") - estimate_tokens(one) - estimate_tokens(other)) <= 4
    assert (estimate_tokens(one) > 0) >= bool(one.strip())


async def test_calls_results_and_the_room_around_messages_count() -> None:
    model = Own([])
    call = Message("assistant", "", tool_calls=(ToolCall("c1", "price", {"name": "hat"}),))
    result = Message("tool", "20.0", tool_call_id="c1")
    each = await counter_for(model).each([user("hi"), call, result])
    assert each == [
        2 + tokens.MESSAGE_OVERHEAD,
        len('pricec1{"name": "hat"}') + tokens.CALL_OVERHEAD + tokens.MESSAGE_OVERHEAD,
        len("20.0c1") + tokens.MESSAGE_OVERHEAD,
    ]
    assert await count_tokens([user("hi"), call, result], model) == sum(each) + tokens.REPLY_OVERHEAD


async def test_the_memory_of_counts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_REMEMBERED", 3)
    model = Own([])
    counter = TokenCounter("own", model.count_tokens, exact=True)
    for n in range(10):
        assert await counter.texts(["a", "b" * n]) == [1, n]
    assert model.counted <= 2 + 9 * 2


@pytest.mark.local_model
async def test_the_count_of_a_conversation_is_close_to_what_a_local_model_reads() -> None:
    if not weights_path(find_weights("smollm2-135m")).is_file():
        pytest.skip("smollm2-135m is not pulled")
    model = LocalModel("smollm2-135m")
    messages = (system("Answer briefly."), user("What is 2 + 2?"), assistant("4"), user("And 12345 + 1?"))
    with override_allow_model_requests(True):
        response = await model.request(ModelRequest(messages))
    assert abs(await count_tokens(messages, model) - response.usage.input_tokens) <= 2
    model.close()
