"""Model ids select models; a wrong one says what to write."""

from __future__ import annotations

import pytest

from agentkit.errors import DefinitionError
from agentkit.models.anthropic import AnthropicModel
from agentkit.models.ids import resolve_model
from agentkit.models.local import LocalModel
from agentkit.models.openai import OpenAIModel
from agentkit.testing import ScriptedModel

FORMS = (
    "Write PROVIDER:MODEL with one of the providers anthropic, local, openai, openai-chat, "
    "or the URL of a server with an OpenAI-compatible API, e.g. 'http://127.0.0.1:8080/v1#MODEL'."
)


@pytest.mark.parametrize(
    ("model_id", "kind"),
    [
        ("openai:gpt-5", OpenAIModel),
        ("openai-chat:gpt-5", OpenAIModel),
        ("anthropic:claude-x", AnthropicModel),
        ("http://127.0.0.1:8080/v1#qwen:1.5b", OpenAIModel),
        ("https://models.example/v1#a", OpenAIModel),
    ],
)
def test_an_id_selects_a_model_that_bears_it(model_id: str, kind: type) -> None:
    model = resolve_model(model_id)
    assert type(model) is kind
    assert model.name == model_id


@pytest.mark.parametrize("name", ["qwen2.5-coder-1.5b", "/models/x.gguf"])
def test_local_ids_select_a_model_in_this_process(name: str) -> None:
    assert type(resolve_model(f"local:{name}")) is LocalModel


def test_a_model_is_returned_as_it_is() -> None:
    model = ScriptedModel([])
    assert resolve_model(model) is model


@pytest.mark.parametrize(
    ("model_id", "problem"),
    [
        ("gpt-5", "the model id 'gpt-5' names no provider; did you mean 'openai:gpt-5'? "),
        ("claude-x", "the model id 'claude-x' names no provider; did you mean 'anthropic:claude-x'? "),
        ("/a/b.gguf", "the model id '/a/b.gguf' names no provider; did you mean 'local:/a/b.gguf'? "),
        ("x.gguf", "the model id 'x.gguf' names no provider; did you mean 'local:x.gguf'? "),
        ("wonder", "the model id 'wonder' names no provider. "),
        ("", "the model id '' names no provider. "),
        (
            "opnai:gpt-5",
            "the model id 'opnai:gpt-5' has the unknown provider 'opnai'; did you mean 'openai:gpt-5'? ",
        ),
        (
            "OpenAI:gpt-5",
            "the model id 'OpenAI:gpt-5' has the unknown provider 'OpenAI'; did you mean 'openai:gpt-5'? ",
        ),
        ("mistral:large", "the model id 'mistral:large' has the unknown provider 'mistral'. "),
        ("openai:", "the model id 'openai:' names no model after the colon. "),
        ("http://#m", "the model id 'http://#m' names no host. "),
    ],
)
def test_a_wrong_id_says_what_to_write(model_id: str, problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        resolve_model(model_id)
    assert str(caught.value) == problem + FORMS


@pytest.mark.parametrize("model_id", ["http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1#"])
def test_a_url_needs_the_name_of_a_model(model_id: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        resolve_model(model_id)
    assert str(caught.value) == (
        f"the model id {model_id!r} names no model. Add it after a '#': 'http://127.0.0.1:8080/v1#MODEL'; "
        "'http://127.0.0.1:8080/v1/models' lists those that the server has."
    )


def test_anything_else_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"expected a model id or a Model, got 3 \(int\)\."):
        resolve_model(3)  # type: ignore[arg-type]
