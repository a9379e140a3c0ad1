"""OpenAI's Responses format."""

from __future__ import annotations

import json
from typing import Any

from agentkit.errors import DefinitionError
from agentkit.messages import (
    FinishReason,
    GrammarOutput,
    Json,
    JsonOutput,
    Message,
    ModelRequest,
    ModelResponse,
    ToolSchema,
    Usage,
)
from agentkit.models._provider_errors import Endpoint, not_understood, reported
from agentkit.models._replies import count, dig, refusal, text_at, tool_call

_INCOMPLETE: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}
_GENERATES = frozenset({"response.function_call_arguments.delta", "response.refusal.delta"})
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})


class ResponsesWire:
    """Writes and reads the Responses API. Every request carries the whole conversation and asks not to be stored.

    Args:
        endpoint: The model.
        prompt_cache_key: Groups requests with a common prefix for OpenAI's prompt cache.
    """

    stream_options: dict[str, Any] = {}  # noqa: RUF012 - read only
    repeats_prefix = False

    def __init__(self, endpoint: Endpoint, *, prompt_cache_key: str | None) -> None:
        self._endpoint = endpoint
        self._prompt_cache_key = prompt_cache_key

    def resource(self, client: Any) -> Any:
        """``client.responses``."""
        return client.responses

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The arguments of ``responses.create``."""
        if request.prefix or isinstance(request.output, GrammarOutput):
            raise DefinitionError(
                f"model {self._endpoint.name!r} cannot take this request: the Responses API has neither grammars nor "
                "prefixes. Use OpenAIModel(…, api='chat') with a server that has them."
            )
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "input": [item for message in request.messages for item in _items(message)],
            "store": False,
            **_settings(request),
        }
        if self._prompt_cache_key is not None:
            body["prompt_cache_key"] = self._prompt_cache_key
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
            body["tool_choice"] = _tool_choice(request.tool_choice)
        if isinstance(request.output, JsonOutput):
            body["text"] = {"format": _format(request.output)}
        return body

    def parse(self, reply: Json) -> ModelResponse:
        """Read a ``response`` object."""
        error = dig(reply, "error")
        if error:
            raise reported(self._endpoint, text_at(error, "message") or str(error), code=text_at(error, "code"))
        output = dig(reply, "output")
        if not isinstance(output, list):
            raise not_understood(self._endpoint, "it has no output", reply)
        parts = [part for item in output for part in (dig(item, "content") or []) if _is(item, "message")]
        declined = "".join(text_at(part, "refusal") for part in parts if _is(part, "refusal"))
        if declined:
            raise refusal(self._endpoint, declined)
        calls = [item for item in output if _is(item, "function_call")]
        finish = self._finish(reply, has_calls=bool(calls))
        return ModelResponse(
            text="".join(text_at(part, "text") for part in parts if _is(part, "output_text")),
            tool_calls=tuple(
                tool_call(self._endpoint, text_at(c, "call_id"), text_at(c, "name"), text_at(c, "arguments"), finish)
                for c in calls
            ),
            finish=finish,
            usage=_usage(dig(reply, "usage")),
            model=text_at(reply, "model") or self._endpoint.model,
        )

    def _finish(self, reply: Json, *, has_calls: bool) -> FinishReason:
        status = dig(reply, "status")
        if status == "completed":
            return "tool_calls" if has_calls else "stop"
        reason = text_at(reply, "incomplete_details", "reason")
        if status == "incomplete" and reason in _INCOMPLETE:
            return _INCOMPLETE[reason]
        raise not_understood(self._endpoint, f"its status is {status!r} ({reason or 'no reason given'})", reply)

    def reader(self) -> ResponsesReader:
        """A reader for one stream."""
        return ResponsesReader(self, self._endpoint)


class ResponsesReader:
    """Follows one stream; its last event carries the complete response."""

    def __init__(self, wire: ResponsesWire, endpoint: Endpoint) -> None:
        self._wire = wire
        self._endpoint = endpoint
        self._response: ModelResponse | None = None

    def feed(self, event: Json) -> str | None:
        """Take one event; see `StreamReader`."""
        kind = dig(event, "type")
        if kind == "response.output_text.delta":
            return text_at(event, "delta")
        if kind == "error":
            raise reported(self._endpoint, text_at(event, "message"), code=text_at(event, "code"))
        if kind in _TERMINAL:
            self._response = self._wire.parse(dig(event, "response"))
        return "" if kind in _GENERATES else None

    def result(self) -> ModelResponse | None:
        """The reply, or None when no terminal event came."""
        return self._response


def _is(item: Json, kind: str) -> bool:
    return bool(dig(item, "type") == kind)


def _settings(request: ModelRequest) -> dict[str, Any]:
    settings = request.settings
    values = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_output_tokens": settings.max_tokens,
    }
    # The API itself has neither; a profile that lists them speaks for a compatible server that does.
    extensions = {"seed": settings.seed, "stop": list(settings.stop) or None}
    extra = {key: value for key, value in extensions.items() if value is not None}
    body: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    return {**body, "extra_body": extra} if extra else body


def _items(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}]
    items: list[dict[str, Any]] = []
    if message.content or not message.tool_calls:
        items.append({"role": message.role, "content": message.content})
    for call in message.tool_calls:
        arguments = json.dumps(dict(call.args), ensure_ascii=False)
        items.append({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments})
    return items


def _tool(tool: ToolSchema) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.input_schema),
        "strict": tool.strict,
    }


def _tool_choice(choice: str) -> str | dict[str, Any]:
    return choice if choice in ("auto", "required", "none") else {"type": "function", "name": choice}


def _format(output: JsonOutput) -> dict[str, Any]:
    return {"type": "json_schema", "name": output.name, "schema": dict(output.schema), "strict": output.strict}


def _usage(usage: Json) -> Usage:
    return Usage(
        input_tokens=count(usage, "input_tokens"),
        cached_tokens=count(usage, "input_tokens_details", "cached_tokens"),
        output_tokens=count(usage, "output_tokens"),
        model_calls=1,
        cache_write_tokens=count(usage, "input_tokens_details", "cache_write_tokens"),
    )
