"""Model ids: the text that selects a model, in code, in YAML and on the command line."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from urllib.parse import urlsplit

from agentkit.errors import DefinitionError
from agentkit.models.anthropic import AnthropicModel
from agentkit.models.local import LocalModel
from agentkit.models.openai import OpenAIModel
from agentkit.protocols import Model

_PROVIDERS: dict[str, Callable[[str], Model]] = {
    "anthropic": AnthropicModel,
    "local": LocalModel,
    "openai": OpenAIModel,
    "openai-chat": lambda name: OpenAIModel(name, api="chat"),
}
_FAMILIES = {
    "anthropic": ("claude",),
    "local": ("qwen", "smollm", "/", "./", "../", "~"),
    "openai": ("gpt", "o1", "o3", "o4", "chatgpt"),
}
_FORMS = (
    f"Write PROVIDER:MODEL with one of the providers {', '.join(sorted(_PROVIDERS))}, "
    "or the URL of a server with an OpenAI-compatible API, e.g. 'http://127.0.0.1:8080/v1#MODEL'."
)


def resolve_model(model: str | Model) -> Model:
    """The model that an id selects; a model itself is returned as it is.

    Nothing is imported, loaded or sent before the model's first call.

    Args:
        model: ``openai:NAME`` (Responses API), ``openai-chat:NAME`` (Chat Completions), ``anthropic:NAME``,
            ``local:NAME`` of the catalogue, ``local:PATH`` of a GGUF file, ``URL#NAME`` of a server with an
            OpenAI-compatible API, or a `Model`.

    Raises:
        DefinitionError: The id names no known provider, or lacks a part.
    """
    if not isinstance(model, str):
        return _checked_instance(model)
    if model.startswith(("http://", "https://")):
        return _from_url(model)
    provider, colon, name = model.partition(":")
    if not colon:
        raise DefinitionError(f"the model id {model!r} names no provider{_meant(_guess(model))} {_FORMS}")
    if provider not in _PROVIDERS:
        close = difflib.get_close_matches(provider.lower(), _PROVIDERS, n=1)
        raise DefinitionError(
            f"the model id {model!r} has the unknown provider {provider!r}"
            f"{_meant(f'{close[0]}:{name}' if close else '')} {_FORMS}"
        )
    if not name.strip():
        raise DefinitionError(f"the model id {model!r} names no model after the colon. {_FORMS}")
    return _PROVIDERS[provider](name)


def _checked_instance(model: Model) -> Model:
    if callable(getattr(model, "request", None)) and callable(getattr(model, "stream", None)):
        return model
    raise DefinitionError(f"expected a model id or a Model, got {model!r} ({type(model).__name__}). {_FORMS}")


def _from_url(model: str) -> Model:
    url, _, name = model.partition("#")
    if not urlsplit(url).hostname:
        raise DefinitionError(f"the model id {model!r} names no host. {_FORMS}")
    if not name:
        raise DefinitionError(
            f"the model id {model!r} names no model. Add it after a '#': {f'{url}#MODEL'!r}; "
            f"{url.rstrip('/') + '/models'!r} lists those that the server has."
        )
    return OpenAIModel(name, base_url=url)


def _guess(name: str) -> str:
    lowered = name.lower()
    for provider, starts in _FAMILIES.items():
        if lowered.startswith(starts) or (provider == "local" and lowered.endswith(".gguf")):
            return f"{provider}:{name}"
    return ""


def _meant(suggestion: str) -> str:
    return f"; did you mean {suggestion!r}?" if suggestion else "."
