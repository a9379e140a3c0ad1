"""Every adapter and every double passes the suite of the `Model` port."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentkit.messages import ModelResponse, ToolCall, Usage
from agentkit.models.anthropic import AnthropicModel
from agentkit.models.openai import OpenAIModel
from agentkit.models.retry import RetryingModel
from agentkit.testing import FunctionModel, RecordedModel, ScriptedModel
from agentkit.testing.models import ABLE
from tests.conformance.model import ModelConformance, ModelFor
from tests.models.servers import Answer, Chat, Dialect, Messages, ProviderServer, Responses, reply


def script(server: ProviderServer, dialect: Dialect, answers: tuple[Answer, ...]) -> None:
    server.replies.extend(reply(dialect, answer) for answer in answers)


class TestOpenAIResponses(ModelConformance):
    @pytest.fixture
    def model_for(self, server: ProviderServer) -> ModelFor:
        def make(*answers: Answer) -> OpenAIModel:
            script(server, Responses(), answers)
            return OpenAIModel("m", api="responses", base_url=f"{server.url}/v1")

        return make


class TestOpenAIChat(ModelConformance):
    @pytest.fixture
    def model_for(self, server: ProviderServer) -> ModelFor:
        def make(*answers: Answer) -> OpenAIModel:
            script(server, Chat(), answers)
            return OpenAIModel("m", base_url=f"{server.url}/v1")

        return make


class TestLlamaCppServer(ModelConformance):
    """Chat Completions of a server with grammars and prefixes."""

    @pytest.fixture
    def model_for(self, server: ProviderServer) -> ModelFor:
        def make(*answers: Answer) -> OpenAIModel:
            script(server, Chat(), answers)
            return OpenAIModel("m", base_url=f"{server.url}/v1", profile=ABLE)

        return make


class TestAnthropic(ModelConformance):
    @pytest.fixture
    def model_for(self, server: ProviderServer) -> ModelFor:
        def make(*answers: Answer) -> AnthropicModel:
            script(server, Messages(), answers)
            return AnthropicModel("m", base_url=server.url)

        return make


class TestRetrying(ModelConformance):
    @pytest.fixture
    def model_for(self, server: ProviderServer) -> ModelFor:
        def make(*answers: Answer) -> RetryingModel:
            script(server, Chat(), answers)
            return RetryingModel(OpenAIModel("m", base_url=f"{server.url}/v1"))

        return make


def scripted(answers: tuple[Answer, ...]) -> ScriptedModel:
    return ScriptedModel([as_reply(answer) for answer in answers])


def as_reply(answer: Answer) -> str | ModelResponse:
    if answer.tool:
        call = ToolCall(answer.tool[0], answer.tool[1], {"colour": "red"})
        return ModelResponse("", (call,), "tool_calls", Usage(9, 0, 3, 1), model="scripted")
    if answer.finish == "length":
        return ModelResponse(answer.text, finish="length", usage=Usage(9, 0, 3, 1), model="scripted")
    return answer.text


class TestScripted(ModelConformance):
    @pytest.fixture
    def model_for(self) -> ModelFor:
        return lambda *answers: scripted(answers)


class TestScriptedWithAPoorProfile(ModelConformance):
    @pytest.fixture
    def model_for(self) -> ModelFor:
        profile = replace(
            ABLE, json_schema=False, grammar=False, tools=False, prefix=False, settings=frozenset({"max_tokens"})
        )
        return lambda *answers: ScriptedModel([as_reply(answer) for answer in answers], profile=profile)


class TestFunction(ModelConformance):
    @pytest.fixture
    def model_for(self) -> ModelFor:
        def make(*answers: Answer) -> FunctionModel:
            left = [as_reply(answer) for answer in answers]
            return FunctionModel(lambda request: left.pop(0))

        return make


class TestRecording(ModelConformance):
    """A model while it is recorded."""

    @pytest.fixture
    def model_for(self, tmp_path_factory: pytest.TempPathFactory) -> ModelFor:
        path = tmp_path_factory.mktemp("recording") / "calls.jsonl"
        return lambda *answers: RecordedModel(path, scripted(answers))
