"""The scripted servers speak what the SDKs' own types say that the providers speak."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.models.servers import Answer, Chat, Dialect, Messages, Responses

ANSWERS = [
    Answer("Hello there"),
    Answer(tool=("call_1", "paint", '{"colour": "red"}')),
    Answer("cut", finish="length"),
    Answer(refusal="I will not say that"),
]
TYPES: list[tuple[Dialect, Any, Any]] = [
    (Chat(), ChatCompletion, ChatCompletionChunk),
    (Responses(), Response, ResponseStreamEvent),
    (Messages(), Message, RawMessageStreamEvent),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
@pytest.mark.parametrize(("dialect", "body", "event"), TYPES, ids=["chat", "responses", "messages"])
def test_bodies_and_events_are_valid_for_the_sdk(dialect: Dialect, body: Any, event: Any, answer: Answer) -> None:
    TypeAdapter(body).validate_python(dialect.body(answer))
    adapter = TypeAdapter(event)
    for raw in dialect.events(answer):
        data = raw.decode().rpartition("data: ")[2].strip()
        if data != "[DONE]" and json.loads(data).get("type") != "ping":
            adapter.validate_json(data)
