"""What every `Model` must do, whichever provider, engine or double is behind it.

Subclass `ModelConformance`, provide the fixture `model_for`, and set `exact = False` for a model that cannot be told
what to answer (a real one, run in process): it then gets the same requests, and only what holds for any answer is
asserted.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ClassVar, TypeAlias, cast

import pytest

from agentkit.errors import DefinitionError
from agentkit.messages import (
    GrammarOutput,
    JsonOutput,
    Message,
    ModelProfile,
    ModelRequest,
    ModelResponse,
    ModelSettings,
    TextDelta,
    ToolCall,
    ToolSchema,
    assistant,
    system,
    user,
)
from agentkit.protocols import Model
from tests.models.servers import Answer

ModelFor: TypeAlias = Callable[..., Model]
"""``model_for(*answers)``: a model that will give these answers in turn."""

COLOUR = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
PAINT = ToolSchema("paint", "Paint the wall.", COLOUR)
ASK = ModelRequest(
    (system("Answer briefly.", cache=True), user("Say hello to the world.")), settings=ModelSettings(max_tokens=24)
)
HELLO = Answer("Hello, dear world!")


async def collect(model: Model, request: ModelRequest) -> list[TextDelta | ModelResponse]:
    """Everything that a stream yields."""
    return [item async for item in model.stream(request)]


class ModelConformance:
    """The suite."""

    exact: ClassVar[bool] = True

    @pytest.fixture
    def model_for(self) -> ModelFor:
        """Make the model under test."""
        raise NotImplementedError("a conformance class provides model_for")

    def test_it_has_a_name_and_a_profile(self, model_for: ModelFor) -> None:
        model = model_for()
        assert model.name
        assert isinstance(model.profile, ModelProfile)
        assert model.profile.context_window > 0

    async def test_a_request_is_answered_completely(self, model_for: ModelFor) -> None:
        response = await model_for(HELLO).request(ASK)
        assert response.text
        assert response.tool_calls == ()
        assert response.finish in ("stop", "length")
        assert response.seconds > 0
        assert response.model
        if self.exact:
            assert (response.text, response.finish) == (HELLO.text, "stop")

    async def test_usage_counts_one_call_and_its_tokens(self, model_for: ModelFor) -> None:
        usage = (await model_for(HELLO).request(ASK)).usage
        assert usage.model_calls == 1
        assert usage.tool_calls == 0
        assert usage.output_tokens > 0
        assert 0 <= usage.cached_tokens <= usage.input_tokens
        assert usage.input_tokens > 0

    async def test_a_stream_is_pieces_of_text_and_then_one_response(self, model_for: ModelFor) -> None:
        *pieces, response = await collect(model_for(HELLO), ASK)
        assert isinstance(response, ModelResponse)
        texts = [piece.text for piece in pieces if isinstance(piece, TextDelta)]
        assert len(texts) == len(pieces)
        assert all(texts)
        assert "".join(texts) == response.text
        assert response.ttft is not None
        assert 0 <= response.ttft <= response.seconds
        assert response.usage.model_calls == 1
        assert response.usage.output_tokens > 0
        if self.exact:
            assert texts == ["Hello,", " dear", " world!"]

    async def test_a_whole_conversation_is_taken(self, model_for: ModelFor) -> None:
        messages = (*ASK.messages, assistant("Hello!"), user("And again?"))
        assert (await model_for(HELLO).request(replace(ASK, messages=messages))).text

    async def test_a_reply_cut_at_the_token_limit_says_so(self, model_for: ModelFor) -> None:
        request = replace(ASK, messages=(user("Count from one to one hundred."),), settings=ModelSettings(max_tokens=3))
        response = await model_for(Answer("one two three", finish="length")).request(request)
        assert response.finish == "length"

    async def test_a_request_is_not_changed_and_can_be_sent_again(self, model_for: ModelFor) -> None:
        model = model_for(HELLO, HELLO)
        before = copy.deepcopy(ASK)
        await model.request(ASK)
        await collect(model, ASK)
        assert before == ASK

    async def test_requests_at_once_all_get_their_answers(self, model_for: ModelFor) -> None:
        answers = [Answer(f"answer {i}") for i in range(4)]
        model = model_for(*answers)
        requests = [replace(ASK, messages=(user(f"Say answer {i}."),)) for i in range(len(answers))]
        responses = await asyncio.gather(*map(model.request, requests))
        assert all(response.text for response in responses)
        if self.exact:
            assert sorted(response.text for response in responses) == [answer.text for answer in answers]

    async def test_an_abandoned_stream_leaves_the_model_usable(self, model_for: ModelFor) -> None:
        model = model_for(HELLO, HELLO)
        async with aclosing(cast("Any", model.stream(ASK))) as stream:
            assert isinstance(await anext(stream), TextDelta)
        assert (await model.request(ASK)).text

    async def test_a_cancelled_request_leaves_the_model_usable(self, model_for: ModelFor) -> None:
        model = model_for(HELLO, HELLO)
        task = asyncio.create_task(model.request(ASK))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (await model.request(ASK)).text

    async def test_json_output_satisfies_its_schema(self, model_for: ModelFor) -> None:
        model = model_for(Answer('{"colour": "red"}'))
        if not model.profile.json_schema:
            pytest.skip("the profile has no json_schema")
        request = replace(ASK, messages=(user("Which colour is a tomato?"),), output=JsonOutput(COLOUR, "colour"))
        assert json.loads((await model.request(request)).text)["colour"] in ("red", "blue")

    async def test_text_of_a_grammar_is_in_its_language(self, model_for: ModelFor) -> None:
        model = model_for(Answer("red"))
        if not model.profile.grammar:
            pytest.skip("the profile has no grammar")
        request = replace(ASK, output=GrammarOutput('start: "red" | "blue"\n'))
        assert (await model.request(request)).text in ("red", "blue")

    async def test_a_prefix_is_continued_and_not_repeated(self, model_for: ModelFor) -> None:
        model = model_for(Answer(" three"))
        if not model.profile.prefix:
            pytest.skip("the profile has no prefix")
        request = replace(ASK, messages=(user("Count from one to three."),), prefix="one two")
        response = await model.request(request)
        assert response.text
        assert not response.text.startswith("one two")

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_required_tool_is_called_with_its_arguments(self, model_for: ModelFor, streamed: bool) -> None:
        model = model_for(Answer(tool=("call_1", "paint", '{"colour": "red"}')))
        if not model.profile.tools:
            pytest.skip("the profile has no tools")
        request = replace(ASK, messages=(user("Paint it red."),), tools=(PAINT,), tool_choice="required")
        response = (await collect(model, request))[-1] if streamed else await model.request(request)
        assert isinstance(response, ModelResponse)
        assert response.finish == "tool_calls"
        (call,) = response.tool_calls
        assert call.id
        assert call.name == "paint"
        assert call.args["colour"] in ("red", "blue")

    async def test_the_result_of_a_tool_is_taken(self, model_for: ModelFor) -> None:
        model = model_for(HELLO)
        if not model.profile.tools:
            pytest.skip("the profile has no tools")
        called = Message("assistant", tool_calls=(ToolCall("call_1", "paint", {"colour": "red"}),))
        messages = (user("Paint it red."), called, Message("tool", '{"done": true}', tool_call_id="call_1"))
        assert (await model.request(replace(ASK, messages=messages, tools=(PAINT,)))).text

    @pytest.mark.parametrize(
        ("ability", "request_"),
        [
            ("json_schema", replace(ASK, output=JsonOutput(COLOUR))),
            ("grammar", replace(ASK, output=GrammarOutput("start: /a/\n"))),
            ("prefix", replace(ASK, prefix="one")),
            ("tools", replace(ASK, tools=(PAINT,))),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_what_the_profile_excludes_is_refused_and_not_ignored(
        self, model_for: ModelFor, ability: str, request_: ModelRequest
    ) -> None:
        model = model_for(HELLO, HELLO)
        if getattr(model.profile, ability):
            pytest.skip(f"the profile has {ability}")
        with pytest.raises(DefinitionError, match=f"{ability}=True"):
            await model.request(request_)
        with pytest.raises(DefinitionError, match=f"{ability}=True"):
            await collect(model, request_)

    async def test_a_setting_that_the_profile_excludes_is_refused_and_can_be_dropped(self, model_for: ModelFor) -> None:
        model = model_for(HELLO)
        settings = ModelSettings(temperature=0.0, top_p=1.0, seed=7, max_tokens=24)
        request = replace(ASK, settings=settings)
        for name in sorted(settings.chosen() - model.profile.settings):
            with pytest.raises(DefinitionError, match=f"sets '{name}', which the model does not take"):
                await model.request(request)
        assert (await model.request(replace(request, settings=settings.for_profile(model.profile)))).text

    async def test_a_choice_of_a_tool_that_is_not_offered_is_refused(self, model_for: ModelFor) -> None:
        with pytest.raises(DefinitionError, match="names the tool 'sing', which is not offered"):
            await model_for(HELLO).request(replace(ASK, tool_choice="sing"))

    def test_it_answers_in_one_event_loop_after_another(self, model_for: ModelFor) -> None:
        """A service calls `run_sync` more than once, and each call has a loop of its own."""
        model = model_for(HELLO, HELLO)
        for _ in range(2):
            assert asyncio.run(_text(model))


async def _text(model: Model) -> str:
    return (await model.request(ASK)).text
