"""Every failure of a provider becomes one of agentkit's errors, in words that say what to do; nothing is retried."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import Any

import pytest

from agentkit.errors import ModelError, ModelOutputError, ModelRefusedError, ModelUnavailableError
from agentkit.messages import ModelRequest, ModelSettings, user
from agentkit.models import _provider_errors
from agentkit.models.anthropic import AnthropicModel
from agentkit.models.openai import OpenAIModel
from agentkit.protocols import Model
from tests.conformance.model import collect
from tests.models.servers import (
    Answer,
    Chat,
    Dialect,
    Messages,
    ProviderServer,
    Reply,
    Responses,
    error_reply,
    reply,
    sse,
)

ASK = ModelRequest((user("hello"),))


@dataclass(frozen=True)
class Provider:
    """One provider's format with its adapter."""

    dialect: Dialect
    api: str

    def model(self, url: str) -> Model:
        if self.api == "messages":
            return AnthropicModel("m", base_url=url, api_key="k")
        return OpenAIModel("m", api=self.api, base_url=f"{url}/v1", api_key="k")  # type: ignore[arg-type]


PROVIDERS = [Provider(Chat(), "chat"), Provider(Responses(), "responses"), Provider(Messages(), "messages")]
every_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.api)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["request", "stream"])


async def failure(model: Model, streamed: bool, request: ModelRequest = ASK) -> ModelError:
    """The error that a call raises."""
    with pytest.raises(ModelError) as caught:
        await (collect(model, request) if streamed else model.request(request))
    assert caught.value.model == model.name
    return caught.value


@every_provider
@both_ways
@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (400, "", ModelRefusedError, "rejects the request (HTTP 400: No luck)."),
        (400, "context_length_exceeded", ModelRefusedError, "Shorten the conversation or use a larger context window."),
        (
            401,
            "authentication_error",
            ModelRefusedError,
            "does not accept the API key (HTTP 401: No luck). Pass api_key=",
        ),
        (402, "billing_error", ModelRefusedError, "has no quota or credit left (HTTP 402: No luck). Check its plan"),
        (
            403,
            "permission_error",
            ModelRefusedError,
            "does not allow this key to use the model 'm' (HTTP 403: No luck).",
        ),
        (404, "not_found_error", ModelRefusedError, "has no model 'm' (HTTP 404: No luck). Check the model's name"),
        (413, "request_too_large", ModelRefusedError, "the request is too long for it (HTTP 413: No luck)."),
        (422, "", ModelRefusedError, "rejects the request (HTTP 422: No luck)."),
        (429, "", ModelUnavailableError, "limits the rate of requests (HTTP 429: No luck). Try again later."),
        (429, "insufficient_quota", ModelRefusedError, "has no quota or credit left (HTTP 429: No luck)."),
        (500, "", ModelUnavailableError, "cannot answer now (HTTP 500: No luck). Try again later."),
        (503, "", ModelUnavailableError, "cannot answer now (HTTP 503: No luck). Try again later."),
        (529, "overloaded_error", ModelUnavailableError, "cannot answer now (HTTP 529: No luck). Try again later."),
    ],
)
async def test_an_error_status_says_who_must_act(
    server: ProviderServer,
    provider: Provider,
    streamed: bool,
    status: int,
    code: str,
    kind: type[ModelError],
    says: str,
) -> None:
    """…and exactly one request is made for it."""
    server.replies.append(error_reply(provider.dialect, status, code, "No luck"))
    error = await failure(provider.model(server.url), streamed)
    assert type(error) is kind
    assert says in str(error)
    assert error.status == status
    assert len(server.received) == 1


@every_provider
@both_ways
async def test_the_wait_that_a_provider_asks_for_is_kept(
    server: ProviderServer, provider: Provider, streamed: bool
) -> None:
    server.replies.append(error_reply(provider.dialect, 429, "", "Slow down", retry_after="7"))
    error = await failure(provider.model(server.url), streamed)
    assert isinstance(error, ModelUnavailableError)
    assert error.retry_after == 7.0
    assert str(error).endswith("limits the rate of requests (HTTP 429: Slow down). Try again in 7 s.")


def test_a_wait_may_be_milliseconds_seconds_or_a_date() -> None:
    seconds = partial(_provider_errors.retry_after_seconds, now=1000.0)
    assert seconds({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert seconds({"retry-after": "0.5"}) == 0.5
    assert seconds({"retry-after": formatdate(1030, usegmt=True)}) == 30.0
    assert seconds({"retry-after": formatdate(900, usegmt=True)}) == 0.0
    assert seconds({"retry-after": "soon"}) is None
    assert seconds({"retry-after": "nan"}) is None
    assert seconds({}) is None


@every_provider
@pytest.mark.parametrize("body", [b'{"id": "x", "cho', b"<html>It works!</html>", b"", b"\xff\xfe"])
async def test_a_body_that_is_not_json_is_an_output_error(
    server: ProviderServer, provider: Provider, body: bytes
) -> None:
    server.replies.append(Reply(body))
    error = await failure(provider.model(server.url), streamed=False)
    assert type(error) is ModelOutputError
    assert "sent a reply that cannot be read: it is not JSON. It was: " + body.decode(errors="replace") in str(error)


@every_provider
@pytest.mark.parametrize("body", [{}, [], "text", None, {"choices": []}, {"output": None}, {"content": 3}])
async def test_json_of_another_shape_is_an_output_error(
    server: ProviderServer, provider: Provider, body: object
) -> None:
    server.replies.append(Reply(json.dumps(body).encode()))
    error = await failure(provider.model(server.url), streamed=False)
    assert type(error) is ModelOutputError
    assert "sent a reply that cannot be read: it " in str(error)
    assert str(error).endswith(f"It was: {json.dumps(body) if not isinstance(body, str) else body}")


@every_provider
async def test_a_reply_cut_in_the_middle_is_unavailable(server: ProviderServer, provider: Provider) -> None:
    server.replies.append(reply(provider.dialect, Answer("a long answer"), cut=True))
    error = await failure(provider.model(server.url), streamed=False)
    assert type(error) is ModelUnavailableError
    assert "broke off before it was complete" in str(error)


@every_provider
@pytest.mark.parametrize("cut", [True, False], ids=["dropped", "ended"])
async def test_a_stream_without_its_end_is_never_a_short_answer(
    server: ProviderServer, provider: Provider, cut: bool
) -> None:
    """However early it ends, by a dropped connection or politely, it raises after the pieces that came."""
    events = provider.dialect.events(Answer("one two three"))
    last = next(
        i for i, event in enumerate(events) if re.search(rb"finish_reason\": \"|completed\"|message_stop", event)
    )
    model = provider.model(server.url)
    for length in range(last):
        server.replies.append(Reply(events=tuple(events[:length]), cut=cut))
        error = await failure(model, streamed=True)
        assert type(error) is ModelUnavailableError
        assert "broke off before it was complete" in str(error)


@every_provider
async def test_a_stream_cut_inside_an_event_is_never_a_short_answer(server: ProviderServer, provider: Provider) -> None:
    events = provider.dialect.events(Answer("one two three"))
    for cut in (True, False):
        server.replies.append(Reply(events=(*events[:3], events[3][: len(events[3]) // 2]), cut=cut))
        error = await failure(provider.model(server.url), streamed=True)
        assert isinstance(error, ModelUnavailableError | ModelOutputError)


@every_provider
async def test_an_event_that_is_not_json_is_an_output_error(server: ProviderServer, provider: Provider) -> None:
    events = provider.dialect.events(Answer("one"))
    server.replies.append(Reply(events=(events[0], sse('{"type": "oh', "message_delta"), *events[1:])))
    error = await failure(provider.model(server.url), streamed=True)
    assert type(error) is ModelOutputError
    assert 'cannot be read: it is not JSON. It was: {"type": "oh' in str(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("overloaded_error", ModelUnavailableError),
        ("rate_limit_error", ModelUnavailableError),
        ("api_error", ModelUnavailableError),
        ("invalid_request_error", ModelRefusedError),
        ("authentication_error", ModelRefusedError),
    ],
)
async def test_an_error_inside_an_anthropic_stream_is_told_by_its_type(
    server: ProviderServer, code: str, kind: type[ModelError]
) -> None:
    events = Messages().events(Answer("one two"))
    server.replies.append(Reply(events=(*events[:4], sse(Messages().error(code, "Oh no"), "error"))))
    error = await failure(PROVIDERS[2].model(server.url), streamed=True)
    assert type(error) is kind
    assert f"({code}: Oh no)" in str(error)
    assert error.status is None


@pytest.mark.parametrize(
    ("code", "kind"), [("server_error", ModelUnavailableError), ("invalid_prompt", ModelRefusedError)]
)
@pytest.mark.parametrize("form", ["error", "failed"])
async def test_an_error_inside_a_responses_stream_is_told_by_its_code(
    server: ProviderServer, code: str, kind: type[ModelError], form: str
) -> None:
    event: dict[str, Any] = {"type": "error", "code": code, "message": "Oh no", "param": None, "sequence_number": 3}
    if form == "failed":
        failed = {**Responses().body(Answer()), "status": "failed", "error": {"code": code, "message": "Oh no"}}
        event = {"type": "response.failed", "response": failed, "sequence_number": 3}
    server.replies.append(Reply(events=(*Responses().events(Answer("one two"))[:2], sse(event, event["type"]))))
    error = await failure(PROVIDERS[1].model(server.url), streamed=True)
    assert type(error) is kind
    assert f"({code}: Oh no)" in str(error)


@both_ways
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("server_error", ModelUnavailableError),
        ("content_policy", ModelRefusedError),
        (502, ModelUnavailableError),
        (404, ModelRefusedError),
    ],
)
async def test_an_error_object_of_a_chat_server_is_told_by_its_code(
    server: ProviderServer, streamed: bool, code: str | int, kind: type[ModelError]
) -> None:
    """Gateways send one with status 200; a number is the status of the server behind them."""
    body = {"error": {"message": "Oh no", "code": code}}
    server.replies.append(Reply(json.dumps(body).encode(), events=(*Chat().events(Answer("one"))[:2], sse(body))))
    error = await failure(PROVIDERS[0].model(server.url), streamed)
    assert type(error) is kind
    assert f"{code}: Oh no)" in str(error)


@every_provider
@both_ways
async def test_a_server_that_is_not_there_is_unavailable(provider: Provider, streamed: bool) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = await failure(provider.model(url), streamed)
    assert type(error) is ModelUnavailableError
    assert f"cannot reach {url}" in str(error)
    assert str(error).endswith("Is the server running at that URL?")


@every_provider
@both_ways
async def test_a_slow_server_runs_into_the_timeout_of_the_request(
    server: ProviderServer, provider: Provider, streamed: bool
) -> None:
    """…and its connection is closed."""
    server.replies.append(Reply(events=tuple(provider.dialect.events(Answer("one two"))[:3]), hang=True))
    request = ModelRequest(ASK.messages, settings=ModelSettings(timeout=0.8))
    error = await failure(provider.model(server.url), streamed, request)
    assert type(error) is ModelUnavailableError
    assert "within 0.8 s. Raise ModelSettings.timeout or the model's timeout=, or ask for fewer tokens." in str(error)
    assert await asyncio.to_thread(server.closed_by_client.wait, 5)


@every_provider
@both_ways
async def test_cancellation_goes_through_and_closes_the_connection(
    server: ProviderServer, provider: Provider, streamed: bool
) -> None:
    server.replies.append(Reply(events=tuple(provider.dialect.events(Answer("one two"))[:3]), hang=True))
    model = provider.model(server.url)
    task = asyncio.create_task(_call(model, streamed))
    assert await asyncio.to_thread(server.waiting.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.closed_by_client.wait, 5)


async def _call(model: Model, streamed: bool) -> None:
    await (collect(model, ASK) if streamed else model.request(ASK))


@every_provider
async def test_closing_a_stream_early_closes_the_connection(server: ProviderServer, provider: Provider) -> None:
    server.replies.append(Reply(events=tuple(provider.dialect.events(Answer("one two"))[:4]), hang=True))
    stream = provider.model(server.url).stream(ASK)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert await asyncio.to_thread(server.closed_by_client.wait, 5)
