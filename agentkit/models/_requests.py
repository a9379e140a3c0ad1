"""A request as data: what is sent of it, and about how long it is."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from agentkit.messages import Json, ModelRequest, ModelResponse
from agentkit.tokens import MESSAGE_OVERHEAD, REPLY_OVERHEAD, estimate_tokens

NOT_SENT = ("user", "purpose", "fresh", "intent")
"""Fields of a request that are for wrappers and never reach a provider."""


def wire(request: ModelRequest) -> dict[str, Json]:
    """Everything that an answer depends on, as JSON; without defaults, so that a new field leaves old ones equal."""
    dumped: dict[str, Json] = _requests().dump_python(request, mode="json", exclude_defaults=True)
    return {name: value for name, value in dumped.items() if name not in NOT_SENT}


def canonical(value: Json) -> str:
    """JSON in the one spelling that equal values share."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(value: Json) -> str:
    """A hash of a JSON value."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def response_to_json(response: ModelResponse) -> dict[str, Json]:
    """A response as JSON."""
    dumped: dict[str, Json] = _responses().dump_python(response, mode="json")
    return dumped


def response_from_json(value: Any) -> ModelResponse:
    """The response that `response_to_json` wrote.

    Raises:
        pydantic.ValidationError: It is none.
    """
    return _responses().validate_python(value)


def estimated_tokens(request: ModelRequest) -> int:
    """About how many tokens the prompt of a request has, rather too many than too few; offered tools count too."""
    texts = [request.prefix, *(message.content for message in request.messages)]
    texts += [canonical([call.name, dict(call.args)]) for message in request.messages for call in message.tool_calls]
    texts += [canonical([tool.name, tool.description, dict(tool.input_schema)]) for tool in request.tools]
    return sum(map(estimate_tokens, texts)) + MESSAGE_OVERHEAD * len(request.messages) + REPLY_OVERHEAD


@cache
def _requests() -> TypeAdapter[ModelRequest]:
    return TypeAdapter(ModelRequest)


@cache
def _responses() -> TypeAdapter[ModelResponse]:
    return TypeAdapter(ModelResponse)
