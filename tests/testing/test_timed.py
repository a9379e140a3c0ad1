"""A model whose answers take time."""

from __future__ import annotations

import pytest

from agentkit.errors import DefinitionError
from agentkit.messages import ModelRequest, ModelResponse, TextDelta, user
from agentkit.testing import FakeClock, TimedModel

ASK = ModelRequest((user("?"),))
TEXT = "one two three four\nfive six\n"


async def test_a_request_takes_the_time_to_the_first_token_and_then_that_of_its_tokens() -> None:
    clock = FakeClock()
    response = await TimedModel(lambda _: TEXT, clock, ttft=0.5, tokens_per_second=4.0).request(ASK)
    assert (clock.monotonic(), response.ttft, response.seconds) == (2.0, 0.5, 2.0)
    assert response.text == TEXT


async def test_a_stream_sends_each_line_when_its_last_token_is_due() -> None:
    clock = FakeClock()
    model = TimedModel(lambda _: TEXT, clock, ttft=0.5, tokens_per_second=4.0)
    pieces = [(clock.monotonic(), piece) async for piece in model.stream(ASK)]
    assert [(at, piece.text) for at, piece in pieces if isinstance(piece, TextDelta)] == [
        (1.5, "one two three four\n"),
        (2.0, "five six\n"),
    ]
    last = pieces[-1][1]
    assert isinstance(last, ModelResponse)
    assert (last.text, last.seconds) == (TEXT, 2.0)


def test_a_model_needs_a_speed_and_no_negative_time() -> None:
    with pytest.raises(DefinitionError) as caught:
        TimedModel(lambda _: TEXT, FakeClock(), ttft=-1.0)
    assert str(caught.value) == "ttft is -1 s and the speed 50 tokens/s; give at least 0 s, and more than 0"
    with pytest.raises(DefinitionError, match="more than 0"):
        TimedModel(lambda _: TEXT, FakeClock(), tokens_per_second=0.0)
