"""Anthropic's Messages format."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
    assistant,
)
from agentkit.models._provider_errors import Endpoint, not_understood, reported
from agentkit.models._replies import count, dig, refusal, text_at, tool_call

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
}
_CACHE_MARKS = 4
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


class MessagesWire:
    """Writes and reads the Messages API.

    Args:
        endpoint: The model.
        max_tokens: The token limit of replies to requests that set none; the API demands one.
    """

    stream_options: dict[str, Any] = {}  # noqa: RUF012 - read only
    repeats_prefix = False

    def __init__(self, endpoint: Endpoint, *, max_tokens: int) -> None:
        self._endpoint = endpoint
        self._max_tokens = max_tokens

    def resource(self, client: Any) -> Any:
        """``client.messages``."""
        return client.messages

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The arguments of ``messages.create``."""
        if isinstance(request.output, GrammarOutput):
            raise DefinitionError(
                f"model {self._endpoint.name!r} cannot take this request: Anthropic's API has no grammars. "
                "Ask for JsonOutput, or use a local model."
            )
        head, turns = _split(request)
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "max_tokens": request.settings.max_tokens or self._max_tokens,
            "messages": turns,
        }
        if head:
            body["system"] = head
        if request.settings.stop:
            body["stop_sequences"] = list(request.settings.stop)
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
            body["tool_choice"] = _tool_choice(request.tool_choice)
        if isinstance(request.output, JsonOutput):
            body["output_config"] = {"format": {"type": "json_schema", "schema": dict(request.output.schema)}}
        extra = _sampling(request)
        return {**body, "extra_body": extra} if extra else body

    def parse(self, reply: Json) -> ModelResponse:
        """Read a ``message`` object."""
        blocks = dig(reply, "content")
        if not isinstance(blocks, list):
            raise not_understood(self._endpoint, "it has no content", reply)
        calls = [
            (text_at(block, "id"), text_at(block, "name"), json.dumps(dig(block, "input")))
            for block in blocks
            if dig(block, "type") == "tool_use"
        ]
        text = "".join(text_at(block, "text") for block in blocks if dig(block, "type") == "text")
        return self.response(text=text, calls=calls, reply=reply)

    def response(self, *, text: str, calls: list[tuple[str, str, str]], reply: Json) -> ModelResponse:
        """A response from the parts of a complete reply or a finished stream; `reply` has all but its content."""
        reason = dig(reply, "stop_reason")
        if reason == "refusal":
            details = dig(reply, "stop_details")
            raise refusal(self._endpoint, text_at(details, "explanation") or text_at(details, "category"))
        finish = _FINISH.get(reason) if isinstance(reason, str) else None
        if finish is None:
            raise not_understood(self._endpoint, f"its stop_reason is {reason!r}", reply)
        return ModelResponse(
            text=text,
            tool_calls=tuple(tool_call(self._endpoint, *call, finish) for call in calls),
            finish=finish,
            usage=_usage(dig(reply, "usage")),
            model=text_at(reply, "model") or self._endpoint.model,
        )

    def reader(self) -> MessagesReader:
        """A reader for one stream."""
        return MessagesReader(self, self._endpoint)


class MessagesReader:
    """Puts the events of one stream together."""

    def __init__(self, wire: MessagesWire, endpoint: Endpoint) -> None:
        self._wire = wire
        self._endpoint = endpoint
        self._text: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self._meta: dict[str, Any] = {"usage": {}}
        self._stopped = False

    def feed(self, event: Json) -> str | None:
        """Take one event; see `StreamReader`."""
        kind = text_at(event, "type")
        if kind == "content_block_start":
            return self._start(event)
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "message_start":
            self._note(dig(event, "message"))
        elif kind == "message_delta":
            self._note({**(dig(event, "delta") or {}), "usage": dig(event, "usage")})
        elif kind == "message_stop":
            self._stopped = True
        elif kind == "error":
            error = dig(event, "error")
            raise reported(self._endpoint, text_at(error, "message"), code=text_at(error, "type"))
        return None

    def _start(self, event: Json) -> str | None:
        block = dig(event, "content_block")
        if dig(block, "type") == "tool_use":
            self._calls[count(event, "index")] = [text_at(block, "id"), text_at(block, "name"), ""]
            return ""
        text = text_at(block, "text") if dig(block, "type") == "text" else ""
        self._text.append(text)
        return text or None

    def _delta(self, event: Json) -> str:
        text = text_at(event, "delta", "text")
        self._text.append(text)
        if call := self._calls.get(count(event, "index")):
            call[2] += text_at(event, "delta", "partial_json")
        return text

    def _note(self, message: Json) -> None:
        for key in ("model", "stop_reason", "stop_details"):
            if dig(message, key) is not None:
                self._meta[key] = message[key]
        # The counts of later events are totals so far; keys that they leave out keep their value.
        counts = {key: dig(message, "usage", key) for key in _COUNTS}
        self._meta["usage"] |= {key: value for key, value in counts.items() if value is not None}

    def result(self) -> ModelResponse | None:
        """The reply, or None when the stream never said ``message_stop``."""
        if not self._stopped:
            return None
        calls = [(call[0], call[1], call[2]) for _, call in sorted(self._calls.items())]
        return self._wire.response(text="".join(self._text), calls=calls, reply=self._meta)


def _split(request: ModelRequest) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system blocks and the turns. Neighbours of one role are merged: the API wants tool results in one turn."""
    marks = [i for i, message in enumerate(request.messages) if message.cache][-_CACHE_MARKS:]
    head: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for i, message in enumerate(request.messages):
        blocks = _blocks(message)
        if blocks and i in marks:
            blocks[-1]["cache_control"] = {"type": "ephemeral"}
        role = "user" if message.role == "tool" else message.role
        if role == "system" and not turns:
            head.extend(blocks)
        else:
            _append(turns, role, blocks)
    if request.prefix:
        _append(turns, "assistant", _blocks(assistant(request.prefix)))
    return head, turns


def _append(turns: list[dict[str, Any]], role: str, blocks: Iterable[dict[str, Any]]) -> None:
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"].extend(blocks)
    else:
        turns.append({"role": role, "content": list(blocks)})


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}]
    # The API refuses empty text blocks.
    blocks: list[dict[str, Any]] = [{"type": "text", "text": message.content}] if message.content else []
    uses = [{"type": "tool_use", "id": c.id, "name": c.name, "input": dict(c.args)} for c in message.tool_calls]
    return [*blocks, *uses]


def _tool(tool: ToolSchema) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "input_schema": dict(tool.input_schema)}
    return {**described, "strict": True} if tool.strict else described


def _tool_choice(choice: str) -> dict[str, Any]:
    return {"type": _CHOICES[choice]} if choice in _CHOICES else {"type": "tool", "name": choice}


def _sampling(request: ModelRequest) -> dict[str, Any]:
    """Settings that the API no longer has; a profile that lists them speaks for a model or server that still does."""
    settings = request.settings
    values = {"temperature": settings.temperature, "top_p": settings.top_p, "seed": settings.seed}
    return {key: value for key, value in values.items() if value is not None}


def _usage(usage: Json) -> Usage:
    cached = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    return Usage(
        input_tokens=count(usage, "input_tokens") + written + cached,
        cached_tokens=cached,
        output_tokens=count(usage, "output_tokens"),
        model_calls=1,
        cache_write_tokens=written,
    )
