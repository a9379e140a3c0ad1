"""OpenAI's two APIs and compatible servers: what is sent, what is read, and where keys go."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import openai
import pytest

from agentkit.errors import DefinitionError, ModelOutputError, ModelRefusedError
from agentkit.messages import (
    GrammarOutput,
    JsonOutput,
    Message,
    ModelProfile,
    ModelRequest,
    ModelSettings,
    ToolCall,
    ToolSchema,
    Usage,
    system,
    user,
)
from agentkit.models.openai import OpenAIModel
from agentkit.models.safety import override_allow_model_requests
from agentkit.testing.models import ABLE
from tests.conformance.model import collect
from tests.models.servers import USAGE, WRITTEN, Answer, Chat, ProviderServer, Reply, Responses, reply, sse

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
CONVERSATION = (
    system("Be brief.", cache=True),
    user("Weather in Zürich?"),
    Message("assistant", "Let me look.", (ToolCall("c1", "weather", {"city": "Zürich"}),)),
    Message("tool", "sunny", tool_call_id="c1"),
)
WEATHER = ToolSchema("weather", "The weather.", SCHEMA)
FULL = ModelRequest(
    CONVERSATION,
    tools=(WEATHER, ToolSchema("strict", "A strict tool.", SCHEMA, strict=True)),
    tool_choice="weather",
    output=JsonOutput(SCHEMA, "place"),
    settings=ModelSettings(temperature=0.0, top_p=0.9, max_tokens=50),
)
ASK = ModelRequest((user("hello"),))


def chat(provider: ProviderServer, **options: Any) -> OpenAIModel:
    return OpenAIModel("m", base_url=f"{provider.url}/v1", **options)


def responses(provider: ProviderServer, **options: Any) -> OpenAIModel:
    return chat(provider, api="responses", **options)


async def test_the_whole_request_in_chat_completions(server: ProviderServer) -> None:
    server.replies.append(reply(Chat(), Answer("ok")))
    settings = replace(FULL.settings, seed=7, stop=("END",))
    await chat(server, prompt_cache_key="shop").request(replace(FULL, settings=settings))
    assert server.received[0].path == "/v1/chat/completions"
    call = {"name": "weather", "arguments": '{"city": "Zürich"}'}
    function = {"name": "weather", "description": "The weather.", "parameters": SCHEMA}
    strict = {"name": "strict", "description": "A strict tool.", "parameters": SCHEMA, "strict": True}
    assert server.last == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Zürich?"},
            {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [{"id": "c1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        ],
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 50,
        "seed": 7,
        "stop": ["END"],
        "prompt_cache_key": "shop",
        "tools": [{"type": "function", "function": function}, {"type": "function", "function": strict}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
        },
    }


async def test_the_whole_request_in_responses(server: ProviderServer) -> None:
    """Nothing is stored at the provider: every request carries the whole conversation."""
    server.replies.append(reply(Responses(), Answer("ok")))
    await responses(server, prompt_cache_key="shop").request(FULL)
    assert server.received[0].path == "/v1/responses"
    function = {"type": "function", "name": "weather", "description": "The weather.", "parameters": SCHEMA}
    assert server.last == {
        "model": "m",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Zürich?"},
            {"role": "assistant", "content": "Let me look."},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Zürich"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        ],
        "store": False,
        "temperature": 0.0,
        "top_p": 0.9,
        "max_output_tokens": 50,
        "prompt_cache_key": "shop",
        "tools": [
            {**function, "strict": False},
            {**function, "name": "strict", "description": "A strict tool.", "strict": True},
        ],
        "tool_choice": {"type": "function", "name": "weather"},
        "text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}},
    }


async def test_a_plain_request_sends_no_options(server: ProviderServer) -> None:
    server.replies.extend([reply(Chat(), Answer("ok")), reply(Responses(), Answer("ok"))])
    await chat(server).request(ASK)
    assert server.last == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    await responses(server).request(ASK)
    assert server.last == {"model": "m", "input": [{"role": "user", "content": "hello"}], "store": False}


async def test_chat_streams_ask_for_usage(server: ProviderServer) -> None:
    server.replies.append(reply(Chat(), Answer("ok")))
    await collect(chat(server), ASK)
    assert server.last["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_usage_tells_cached_and_written_tokens_apart(server: ProviderServer, api: str, streamed: bool) -> None:
    server.replies.append(reply(Chat() if api == "chat" else Responses(), Answer("ok")))
    model = chat(server, api=api)
    response = (await collect(model, ASK))[-1] if streamed else await model.request(ASK)
    prompt, cached, output = USAGE
    assert response.usage == Usage(prompt, cached, output, model_calls=1, cache_write_tokens=WRITTEN)  # type: ignore[union-attr]
    assert response.model == "served-model"  # type: ignore[union-attr]


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refusal_of_the_model_is_an_error(server: ProviderServer, api: str, streamed: bool) -> None:
    server.replies.append(reply(Chat() if api == "chat" else Responses(), Answer(refusal="I will not do that.")))
    model = chat(server, api=api)
    with pytest.raises(ModelRefusedError) as caught:
        await (collect(model, ASK) if streamed else model.request(ASK))
    assert str(caught.value) == f"'{server.url}/v1#m' refuses to answer: I will not do that."


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_filtered_content_says_so(server: ProviderServer, api: str) -> None:
    dialect = Chat() if api == "chat" else Responses()
    server.replies.append(reply(dialect, Answer("half an ans", finish="content_filter")))
    assert (await chat(server, api=api).request(ASK)).finish == "content_filter"


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("arguments", ['{"city": "Zür', '["Zürich"]', "Zürich"])
async def test_arguments_that_are_no_object_are_an_output_error(
    server: ProviderServer, api: str, arguments: str
) -> None:
    dialect = Chat() if api == "chat" else Responses()
    server.replies.append(reply(dialect, Answer(tool=("c1", "weather", arguments))))
    with pytest.raises(ModelOutputError) as caught:
        await chat(server, api=api).request(replace(ASK, tools=(WEATHER,)))
    assert str(caught.value) == (
        f"'{server.url}/v1#m': the arguments it wrote for the tool 'weather' are not a JSON object; ask again. "
        f"They were: {arguments!r}"
    )


async def test_arguments_cut_at_the_token_limit_say_so(server: ProviderServer) -> None:
    body = Responses().body(Answer(tool=("c1", "weather", '{"ci'), finish="length"))
    server.replies.append(Reply(json.dumps(body).encode()))
    with pytest.raises(ModelOutputError, match=r"were cut off at the token limit; raise ModelSettings\.max_tokens"):
        await responses(server).request(replace(ASK, tools=(WEATHER,)))


async def test_two_tool_calls_of_one_stream_are_kept_apart(server: ProviderServer) -> None:
    """Their pieces come interleaved, told apart by their index."""
    parts = [(0, "a", '{"city": '), (1, "b", '{"city": '), (0, "", '"Rom"}'), (1, "", '"Bern"}')]
    deltas = [
        {"index": i, "function": {"arguments": text}, **({"id": f"c{i}"} if name else {})} for i, name, text in parts
    ]
    for delta, (_, name, _) in zip(deltas, parts, strict=True):
        if name:
            delta["function"]["name"] = name  # type: ignore[index]
    events = [sse({"choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]}) for delta in deltas]
    end = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    server.replies.append(Reply(events=(*events, end, sse("[DONE]"))))
    response = (await collect(chat(server), ASK))[-1]
    calls = [(call.id, call.name, call.args) for call in response.tool_calls]  # type: ignore[union-attr]
    assert calls == [("c0", "a", {"city": "Rom"}), ("c1", "b", {"city": "Bern"})]


async def test_llama_cpp_takes_a_lark_grammar_and_continues_a_last_assistant_message(server: ProviderServer) -> None:
    """Its complete replies repeat the prefix and its streams do not, so a continuation is always streamed."""
    echo = Reply(json.dumps(Chat().body(Answer("a b"))).encode(), tuple(Chat().events(Answer(" b"))))
    server.replies.append(echo)
    model = chat(server, profile=ModelProfile(grammar=True, prefix=True))
    response = await model.request(replace(ASK, prefix="a", output=GrammarOutput('start: " b"\n')))
    assert response.text == " b"
    assert server.last == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "a"}],
        "grammar": '%llguidance {}\nstart: " b"\n',
    }


async def test_vllm_takes_them_its_own_way(server: ProviderServer) -> None:
    server.replies.append(reply(Chat(), Answer(" b")))
    model = chat(server, profile=ModelProfile(grammar=True, prefix=True), server="vllm")
    await model.request(replace(ASK, prefix="a", output=GrammarOutput('start: " b"\n')))
    assert server.last == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "a"}],
        "structured_outputs": {"grammar": 'start: " b"\n'},
        "continue_final_message": True,
        "add_generation_prompt": False,
    }


@pytest.mark.parametrize("options", [{"api": "responses"}, {"api": "chat", "server": "openai"}])
async def test_a_profile_cannot_promise_what_the_api_does_not_have(
    server: ProviderServer, options: dict[str, Any]
) -> None:
    with pytest.raises(DefinitionError, match="API has neither grammars nor prefixes"):
        await chat(server, profile=ABLE, **options).request(replace(ASK, prefix="a"))
    assert server.received == []


def test_the_api_and_the_name_follow_from_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OpenAIModel("gpt-5").name == "openai:gpt-5"
    assert OpenAIModel("gpt-5", api="chat").name == "openai-chat:gpt-5"
    assert OpenAIModel("q", base_url="http://127.0.0.1:8080/v1/").name == "http://127.0.0.1:8080/v1#q"
    assert "seed" not in OpenAIModel("gpt-5").profile.settings
    assert "seed" in OpenAIModel("gpt-5", api="chat").profile.settings
    assert "seed" in OpenAIModel("q", base_url="http://127.0.0.1:8080/v1").profile.settings
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1")
    assert "seed" in OpenAIModel("q").profile.settings


async def test_a_missing_key_names_the_variable_to_set() -> None:
    with override_allow_model_requests(True), pytest.raises(ModelRefusedError) as caught:
        await OpenAIModel("gpt-5").request(ASK)
    assert str(caught.value) == (
        "'openai:gpt-5': no API key. Set the environment variable OPENAI_API_KEY, or pass api_key= to OpenAIModel."
    )


async def test_the_key_of_the_environment_goes_only_where_the_environment_says(
    server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    server.replies.extend(reply(Chat(), Answer("ok")) for _ in range(3))
    await chat(server).request(ASK)
    await chat(server, api_key="mine").request(ASK)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    await OpenAIModel("m").request(ASK)
    sent = [received.headers["authorization"] for received in server.received]
    assert sent == ["Bearer no-key", "Bearer mine", "Bearer secret"]


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.replies.append(reply(Chat(), Answer("ok")))
    assert (await chat(server).request(ASK)).text == "ok"


async def test_a_client_of_ones_own_is_used_without_its_retries_and_left_open(server: ProviderServer) -> None:
    server.replies.extend([Reply(b"{}", status=500), reply(Chat(), Answer("ok"))])
    async with openai.AsyncOpenAI(api_key="own", base_url=f"{server.url}/v1", max_retries=5) as client:
        model = OpenAIModel("m", client=client)
        with pytest.raises(Exception, match="cannot answer now"):
            await model.request(ASK)
        assert len(server.received) == 1
        assert (await model.request(ASK)).text == "ok"
        await model.aclose()
        assert not client.is_closed()
    assert server.received[1].headers["authorization"] == "Bearer own"


async def test_a_connection_is_kept_for_the_next_call_and_closed_on_demand(server: ProviderServer) -> None:
    server.replies.extend(reply(Chat(), Answer("ok")) for _ in range(3))
    model = chat(server)
    await model.request(ASK)
    await model.request(ASK)
    assert server.connections == 1
    await model.aclose()
    await model.request(ASK)
    assert server.connections == 2


def test_the_sdks_load_with_the_first_call() -> None:
    code = """
import sys
import agentkit.models.openai, agentkit.models.anthropic, agentkit.models.retry, agentkit.testing
agentkit.models.openai.OpenAIModel("m"); agentkit.models.anthropic.AnthropicModel("m")
assert not {"openai", "anthropic", "httpx2", "tenacity"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
