"""Reading provider JSON without trusting its shape."""

from __future__ import annotations

import json
from typing import Any

from agentkit.errors import ModelOutputError, ModelRefusedError
from agentkit.messages import FinishReason, Json, ToolCall
from agentkit.models._provider_errors import Endpoint


def dig(value: Json, *path: str | int) -> Any:
    """The value at `path` inside nested objects and arrays, or None where anything on the way is missing."""
    for key in path:
        if isinstance(key, str) and isinstance(value, dict):
            value = value.get(key)
        elif isinstance(key, int) and isinstance(value, list) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def count(value: Json, *path: str | int) -> int:
    """The token count at `path`; 0 where it is missing."""
    found = dig(value, *path)
    return found if isinstance(found, int) else 0


def text_at(value: Json, *path: str | int) -> str:
    """The text at `path`; empty where it is missing."""
    found = dig(value, *path)
    return found if isinstance(found, str) else ""


def tool_call(endpoint: Endpoint, call_id: str, name: str, arguments: str, finish: FinishReason) -> ToolCall:
    """A tool call from the JSON text of its arguments.

    Raises:
        ModelOutputError: The text is not a JSON object, or was cut off at the token limit.
    """
    try:
        args = json.loads(arguments or "{}")
    except ValueError:
        args = None
    if isinstance(args, dict):
        return ToolCall(call_id, name, args)
    if finish == "length":
        problem = "were cut off at the token limit; raise ModelSettings.max_tokens"
    else:
        problem = "are not a JSON object; ask again"
    raise ModelOutputError(
        f"{endpoint.name!r}: the arguments it wrote for the tool {name!r} {problem}. They were: {arguments[:200]!r}",
        model=endpoint.name,
    )


def refusal(endpoint: Endpoint, reason: str) -> ModelRefusedError:
    """The model itself declined to answer."""
    return ModelRefusedError(
        f"{endpoint.name!r} refuses to answer: {reason or 'it gave no reason'}", model=endpoint.name
    )
