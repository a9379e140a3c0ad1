"""The switch that keeps requests on this machine."""

from __future__ import annotations

import contextlib

import pytest

from agentkit.errors import DefinitionError
from agentkit.messages import ModelRequest, user
from agentkit.models import safety
from agentkit.models.anthropic import AnthropicModel
from agentkit.models.openai import OpenAIModel
from agentkit.protocols import Model
from tests.conformance.model import collect

ASK = ModelRequest((user("hello"),))


@pytest.mark.parametrize(
    ("model", "url"),
    [
        (OpenAIModel("gpt-5", api_key="k"), "https://api.openai.com/v1"),
        (AnthropicModel("claude-x", api_key="k"), "https://api.anthropic.com"),
        (OpenAIModel("q", base_url="http://10.0.0.1/v1"), "http://10.0.0.1/v1"),
        (OpenAIModel("q", base_url="http://localhost.evil.example/v1"), "http://localhost.evil.example/v1"),
        (OpenAIModel("q", base_url="http://127.0.0.1@evil.example/v1"), "http://127.0.0.1@evil.example/v1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_request_that_would_leave_this_machine_is_refused(model: Model, url: str) -> None:
    for call in (model.request(ASK), collect(model, ASK)):
        with pytest.raises(DefinitionError) as caught:
            await call
        assert str(caught.value) == (
            f"model {model.name!r} would send a request to {url!r}, but agentkit.models.safety.ALLOW_MODEL_REQUESTS "
            "is False. Use a model of agentkit.testing, or allow it with override_allow_model_requests(True)."
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "[::1]"])
def test_loopback_addresses_are_this_machine(host: str) -> None:
    assert safety.is_loopback(f"http://{host}:8080/v1")


def test_the_switch_is_put_back() -> None:
    before = safety.ALLOW_MODEL_REQUESTS
    with safety.override_allow_model_requests(not before):
        assert safety.ALLOW_MODEL_REQUESTS is not before
    assert safety.ALLOW_MODEL_REQUESTS is before
    with contextlib.suppress(RuntimeError), safety.override_allow_model_requests(not before):
        raise RuntimeError
    assert safety.ALLOW_MODEL_REQUESTS is before
