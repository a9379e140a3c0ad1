"""OpenAI's Chat Completions format, as OpenAI and most other servers speak it."""

from __future__ import annotations

import json
from typing import Any, Literal

from agentkit.errors import DefinitionError
from agentkit.messages import (
    FinishReason,
    GrammarOutput,
    Json,
    JsonOutput,
    Message,
    ModelRequest,
    ModelResponse,
    ToolCall,
    ToolSchema,
    Usage,
    assistant,
)
from agentkit.models._provider_errors import Endpoint, not_understood, reported
from agentkit.models._replies import count, dig, refusal, text_at, tool_call

Server = Literal["openai", "llama.cpp", "vllm"]

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class ChatWire:
    """Writes and reads Chat Completions.

    Args:
        endpoint: The model.
        server: Whose extensions to use for grammars and for continuing a prefix.
        prompt_cache_key: Groups requests with a common prefix for OpenAI's prompt cache.
    """

    stream_options: dict[str, Any] = {"stream_options": {"include_usage": True}}  # noqa: RUF012 - read only

    def __init__(self, endpoint: Endpoint, *, server: Server, prompt_cache_key: str | None) -> None:
        self._endpoint = endpoint
        self._server = server
        self._prompt_cache_key = prompt_cache_key
        self.repeats_prefix = server == "llama.cpp"

    def resource(self, client: Any) -> Any:
        """``client.chat.completions``."""
        return client.chat.completions

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The arguments of ``chat.completions.create``."""
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "messages": _messages(request),
            **self._settings(request),
        }
        if self._prompt_cache_key is not None:
            body["prompt_cache_key"] = self._prompt_cache_key
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
            body["tool_choice"] = _tool_choice(request.tool_choice)
        if isinstance(request.output, JsonOutput):
            body["response_format"] = _response_format(request.output)
        extra = self._extensions(request)
        return {**body, "extra_body": extra} if extra else body

    def _settings(self, request: ModelRequest) -> dict[str, Any]:
        settings = request.settings
        limit = "max_completion_tokens" if self._server == "openai" else "max_tokens"
        values = {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            limit: settings.max_tokens,
            "seed": settings.seed,
            "stop": list(settings.stop) or None,
        }
        return {key: value for key, value in values.items() if value is not None}

    def _extensions(self, request: ModelRequest) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        grammar = request.output.lark if isinstance(request.output, GrammarOutput) else None
        if self._server == "openai" and (request.prefix or grammar is not None):
            raise DefinitionError(
                f"model {self._endpoint.name!r} cannot take this request: OpenAI's API has neither grammars nor "
                "prefixes. For a server that has them, say which one: OpenAIModel(…, server='llama.cpp' or 'vllm')."
            )
        if request.prefix and self._server == "vllm":  # llama.cpp continues a last assistant message unasked
            extra |= {"continue_final_message": True, "add_generation_prompt": False}
        if grammar is not None and self._server == "vllm":
            extra["structured_outputs"] = {"grammar": grammar}
        elif grammar is not None:
            extra["grammar"] = "%llguidance {}\n" + grammar
        return extra

    def parse(self, reply: Json) -> ModelResponse:
        """Read a ``chat.completion`` object."""
        error = dig(reply, "error")
        if error:  # some gateways answer 200 with an error object
            raise reported(
                self._endpoint,
                text_at(error, "message") or str(error),
                code=str(dig(error, "code") or dig(error, "type") or ""),
            )
        message = dig(reply, "choices", 0, "message")
        if not isinstance(message, dict):
            raise not_understood(self._endpoint, "it has no choices[0].message", reply)
        calls = [
            (text_at(call, "id"), text_at(call, "function", "name"), text_at(call, "function", "arguments"))
            for call in dig(message, "tool_calls") or []
        ]
        return self.response(
            text=text_at(message, "content"),
            refused=text_at(message, "refusal"),
            calls=calls,
            reason=dig(reply, "choices", 0, "finish_reason"),
            reply=reply,
        )

    def response(
        self, *, text: str, refused: str, calls: list[tuple[str, str, str]], reason: Any, reply: Json
    ) -> ModelResponse:
        """A response from the parts of a complete reply or a finished stream; `reply` has its usage and model."""
        if refused:
            raise refusal(self._endpoint, refused)
        finish = _FINISH.get(reason) if isinstance(reason, str) else None
        if finish is None:
            raise not_understood(self._endpoint, f"its finish_reason is {reason!r}", reply)
        if calls and finish == "stop":  # some compatible servers say so
            finish = "tool_calls"
        return ModelResponse(
            text=text,
            tool_calls=tuple(tool_call(self._endpoint, *call, finish) for call in calls),
            finish=finish,
            usage=_usage(dig(reply, "usage")),
            model=text_at(reply, "model") or self._endpoint.model,
        )

    def reader(self) -> ChatReader:
        """A reader for one stream of ``chat.completion.chunk`` objects."""
        return ChatReader(self)


class ChatReader:
    """Puts the chunks of one stream together."""

    def __init__(self, wire: ChatWire) -> None:
        self._wire = wire
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self._reason: Any = None
        self._meta: dict[str, Any] = {}

    def feed(self, event: Json) -> str | None:
        """Take one chunk; see `StreamReader`."""
        for key in ("model", "usage"):
            if dig(event, key):
                self._meta[key] = event[key]
        self._reason = dig(event, "choices", 0, "finish_reason") or self._reason
        delta = dig(event, "choices", 0, "delta")
        text = text_at(delta, "content")
        declined = text_at(delta, "refusal")
        self._text.append(text)
        self._refusal.append(declined)
        pieces = dig(delta, "tool_calls") or []
        for position, piece in enumerate(pieces):
            self._feed_call(piece, position)
        return text if text or declined or pieces else None

    def _feed_call(self, piece: Json, position: int) -> None:
        index = dig(piece, "index")
        call = self._calls.setdefault(index if isinstance(index, int) else position, ["", "", ""])
        call[0] = text_at(piece, "id") or call[0]
        call[1] += text_at(piece, "function", "name")
        call[2] += text_at(piece, "function", "arguments")

    def result(self) -> ModelResponse | None:
        """The reply, or None when no chunk said why it finished."""
        if self._reason is None:
            return None
        return self._wire.response(
            text="".join(self._text),
            refused="".join(self._refusal),
            calls=[(call[0], call[1], call[2]) for _, call in sorted(self._calls.items())],
            reason=self._reason,
            reply=self._meta,
        )


def _messages(request: ModelRequest) -> list[dict[str, Any]]:
    prefix = [assistant(request.prefix)] if request.prefix else []
    return [_message(message) for message in (*request.messages, *prefix)]


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
    if not message.tool_calls:
        return {"role": message.role, "content": message.content}
    return {
        "role": message.role,
        "content": message.content or None,
        "tool_calls": [_call(call) for call in message.tool_calls],
    }


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(dict(call.args), ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _tool(tool: ToolSchema) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.input_schema),
    }
    return {"type": "function", "function": {**function, "strict": True} if tool.strict else function}


def _tool_choice(choice: str) -> str | dict[str, Any]:
    if choice in ("auto", "required", "none"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _response_format(output: JsonOutput) -> dict[str, Any]:
    schema = {"name": output.name, "schema": dict(output.schema), "strict": output.strict}
    return {"type": "json_schema", "json_schema": schema}


def _usage(usage: Json) -> Usage:
    return Usage(
        input_tokens=count(usage, "prompt_tokens"),
        cached_tokens=count(usage, "prompt_tokens_details", "cached_tokens"),
        output_tokens=count(usage, "completion_tokens"),
        model_calls=1,
        cache_write_tokens=count(usage, "prompt_tokens_details", "cache_write_tokens"),
    )
