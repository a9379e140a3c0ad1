"""Anthropic's Messages API: what is sent, what is read, and where keys go."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import anthropic
import pytest

from agentkit.errors import DefinitionError, ModelError, ModelOutputError, ModelRefusedError
from agentkit.messages import (
    GrammarOutput,
    JsonOutput,
    Message,
    ModelProfile,
    ModelRequest,
    ModelResponse,
    ModelSettings,
    ToolCall,
    ToolSchema,
    Usage,
    assistant,
    system,
    user,
)
from agentkit.models.anthropic import AnthropicModel
from agentkit.models.safety import override_allow_model_requests
from agentkit.protocols import Model
from agentkit.testing.models import ABLE
from tests.conformance.model import collect
from tests.models.servers import USAGE, WRITTEN, Answer, Messages, ProviderServer, Reply, reply

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASK = ModelRequest((user("hello"),))
MARK = {"cache_control": {"type": "ephemeral"}}


def model_of(provider: ProviderServer, **options: Any) -> AnthropicModel:
    return AnthropicModel("m", base_url=provider.url, **options)


def text(content: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": content, **more}


async def answer_of(model: Model, streamed: bool) -> ModelResponse:
    """The response, whichever way it comes."""
    if not streamed:
        return await model.request(ASK)
    response = (await collect(model, ASK))[-1]
    assert isinstance(response, ModelResponse)
    return response


async def test_the_whole_request(server: ProviderServer) -> None:
    """The system prompt is apart, marks end cached prefixes, and the results of parallel calls share one turn."""
    server.replies.append(reply(Messages(), Answer("ok")))
    calls = (ToolCall("c1", "weather", {"city": "Zürich"}), ToolCall("c2", "weather", {"city": "Bern"}))
    request = ModelRequest(
        (
            system("Be brief."),
            system("Be kind.", cache=True),
            user("Weather?"),
            Message("assistant", "", calls),
            Message("tool", "sunny", tool_call_id="c1"),
            Message("tool", "rain", tool_call_id="c2", cache=True),
            user("And?"),
        ),
        tools=(ToolSchema("weather", "The weather.", SCHEMA), ToolSchema("strict", "Strict.", SCHEMA, strict=True)),
        tool_choice="required",
        output=JsonOutput(SCHEMA),
        settings=ModelSettings(max_tokens=50, stop=("END",)),
    )
    await model_of(server).request(request)
    assert server.received[0].path == "/v1/messages"
    assert server.last == {
        "model": "m",
        "max_tokens": 50,
        "system": [text("Be brief."), text("Be kind.", **MARK)],
        "messages": [
            {"role": "user", "content": [text("Weather?")]},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Zürich"}},
                    {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Bern"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "sunny"},
                    {"type": "tool_result", "tool_use_id": "c2", "content": "rain", **MARK},
                    text("And?"),
                ],
            },
        ],
        "stop_sequences": ["END"],
        "tools": [
            {"name": "weather", "description": "The weather.", "input_schema": SCHEMA},
            {"name": "strict", "description": "Strict.", "input_schema": SCHEMA, "strict": True},
        ],
        "tool_choice": {"type": "any"},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }


async def test_a_plain_request_sends_the_limit_that_the_api_demands(server: ProviderServer) -> None:
    server.replies.append(reply(Messages(), Answer("ok")))
    await model_of(server, max_tokens=99).request(ASK)
    assert server.last == {
        "model": "m",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": [text("hello")]}],
    }


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", {"type": "auto"}), ("none", {"type": "none"}), ("weather", {"type": "tool", "name": "weather"})],
)
async def test_a_choice_of_tools_is_sent(server: ProviderServer, choice: str, sent: dict[str, str]) -> None:
    server.replies.append(reply(Messages(), Answer("ok")))
    request = replace(ASK, tools=(ToolSchema("weather", "The weather.", SCHEMA),), tool_choice=choice)
    await model_of(server).request(request)
    assert server.last["tool_choice"] == sent


async def test_a_later_system_message_keeps_its_place(server: ProviderServer) -> None:
    server.replies.append(reply(Messages(), Answer("ok")))
    await model_of(server).request(ModelRequest((user("a"), assistant("b"), system("c"), user("d"))))
    assert [turn["role"] for turn in server.last["messages"]] == ["user", "assistant", "system", "user"]


async def test_of_many_cache_marks_the_last_four_count(server: ProviderServer) -> None:
    server.replies.append(reply(Messages(), Answer("ok")))
    await model_of(server).request(ModelRequest(tuple(user(str(i), cache=True) for i in range(6))))
    blocks = server.last["messages"][0]["content"]
    assert ["cache_control" in block for block in blocks] == [False, False, True, True, True, True]


async def test_sampling_settings_are_refused_and_not_dropped(server: ProviderServer) -> None:
    with pytest.raises(DefinitionError) as caught:
        await model_of(server).request(replace(ASK, settings=ModelSettings(temperature=0.5)))
    assert str(caught.value) == (
        "model 'anthropic:m' cannot take this request: it sets 'temperature', which the model does not take "
        "(it takes: max_tokens, stop, timeout); leave it unset, or use settings.for_profile(model.profile)."
    )
    assert server.received == []


async def test_a_profile_may_say_that_a_server_still_takes_them(server: ProviderServer) -> None:
    """…and that it continues a prefix."""
    server.replies.append(reply(Messages(), Answer("ok")))
    model = model_of(server, profile=ModelProfile(prefix=True))
    await model.request(replace(ASK, settings=ModelSettings(temperature=0.5, top_p=0.9, seed=7), prefix="a"))
    assert {key: server.last[key] for key in ("temperature", "top_p", "seed")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
    }
    assert server.last["messages"][-1] == {"role": "assistant", "content": [text("a")]}


async def test_a_profile_cannot_promise_grammars(server: ProviderServer) -> None:
    with pytest.raises(DefinitionError, match="Anthropic's API has no grammars"):
        await model_of(server, profile=ABLE).request(replace(ASK, output=GrammarOutput("start: /a/\n")))


@pytest.mark.parametrize("streamed", [False, True])
async def test_usage_counts_cached_and_written_tokens_as_input(server: ProviderServer, streamed: bool) -> None:
    server.replies.append(reply(Messages(), Answer("ok")))
    response = await answer_of(model_of(server), streamed)
    prompt, cached, output = USAGE
    assert response.usage == Usage(prompt, cached, output, model_calls=1, cache_write_tokens=WRITTEN)
    assert response.model == "served-model"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("reason", "finish"), [("stop", "stop"), ("length", "length"), ("full", "length"), ("pause", "pause")]
)
async def test_stop_reasons_are_told(server: ProviderServer, streamed: bool, reason: str, finish: str) -> None:
    server.replies.append(reply(Messages(), Answer("some text", finish=reason)))
    assert (await answer_of(model_of(server), streamed)).finish == finish


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refusal_of_the_model_is_an_error(server: ProviderServer, streamed: bool) -> None:
    server.replies.append(reply(Messages(), Answer(refusal="It could do harm.")))
    with pytest.raises(ModelRefusedError) as caught:
        await answer_of(model_of(server), streamed)
    assert str(caught.value) == "'anthropic:m' refuses to answer: It could do harm."


async def test_an_unknown_stop_reason_is_an_output_error(server: ProviderServer) -> None:
    body = {**Messages().body(Answer("ok")), "stop_reason": "bored"}
    server.replies.append(Reply(json.dumps(body).encode()))
    with pytest.raises(ModelOutputError, match="its stop_reason is 'bored'"):
        await model_of(server).request(ASK)


async def test_a_tool_call_without_arguments_has_none(server: ProviderServer) -> None:
    server.replies.append(reply(Messages(), Answer(tool=("c1", "now", "{}"))))
    response = await answer_of(model_of(server), streamed=True)
    assert response.tool_calls == (ToolCall("c1", "now", {}),)


async def test_a_missing_key_names_the_variable_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("ANTHROPIC_CONFIG_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with override_allow_model_requests(True), pytest.raises(ModelRefusedError) as caught:
        await AnthropicModel("claude-x").request(ASK)
    assert str(caught.value) == (
        "'anthropic:claude-x': no API key. Set the environment variable ANTHROPIC_API_KEY, "
        "or pass api_key= to AnthropicModel."
    )


async def test_a_profile_of_the_sdk_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    with override_allow_model_requests(True), pytest.raises(ModelRefusedError) as caught:
        await AnthropicModel("claude-x").request(ASK)
    assert "'anthropic:claude-x': Config file not found at " in str(caught.value)
    assert "config directory. Set the environment variable ANTHROPIC_API_KEY" in str(caught.value)


async def test_the_key_of_the_environment_goes_only_where_the_environment_says(
    server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    server.replies.extend(reply(Messages(), Answer("ok")) for _ in range(3))
    await model_of(server).request(ASK)
    await model_of(server, api_key="mine").request(ASK)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    await AnthropicModel("m").request(ASK)
    sent = [received.headers["authorization"] for received in server.received]
    assert sent == ["Bearer no-key", "Bearer mine", "Bearer secret"]


async def test_a_client_of_ones_own_is_used_without_its_retries(server: ProviderServer) -> None:
    server.replies.append(Reply(b"{}", status=529))
    async with anthropic.AsyncAnthropic(api_key="own", base_url=server.url, max_retries=5) as client:
        with pytest.raises(ModelError):
            await AnthropicModel("m", client=client).request(ASK)
    assert len(server.received) == 1
