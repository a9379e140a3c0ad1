"""OpenAI models, and every server that speaks an OpenAI API, through the `openai` SDK."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from agentkit.messages import ModelProfile
from agentkit.models._openai_chat import ChatWire, Server
from agentkit.models._openai_client import api_url, is_openai, key_help, load_sdk, make_client
from agentkit.models._openai_responses import ResponsesWire
from agentkit.models._provider_errors import Endpoint
from agentkit.models._transport import ApiModel, Wire

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Api = Literal["responses", "chat"]

_COMPATIBLE = ModelProfile(json_schema=True, tools=True)
_CHAT = replace(_COMPATIBLE, context_window=128_000)
_RESPONSES = replace(_CHAT, settings=_CHAT.settings - {"seed", "stop"})


class OpenAIModel(ApiModel):
    """A model behind OpenAI's Responses or Chat Completions API.

    The key is `api_key`, or ``OPENAI_API_KEY``; the latter is sent to OpenAI's own hosts and to the host that
    ``OPENAI_BASE_URL`` names, never to a `base_url` given here. `Message.cache` marks are not needed: OpenAI and
    llama.cpp cache prefixes by themselves.

    Args:
        model_name: The model's name at the provider, e.g. ``gpt-5``.
        api: ``responses`` or ``chat``; by default ``responses`` on OpenAI's own hosts and ``chat`` on others.
        base_url: The API's URL up to ``/v1``; by default ``OPENAI_BASE_URL``, else OpenAI's.
        api_key: The key; by default ``OPENAI_API_KEY`` (see above).
        profile: What the model can do; by default JSON schemas and tools, with 128,000 tokens at OpenAI or 8,192
            elsewhere.
        client: An ``openai.AsyncOpenAI`` to use instead of making one; it stays yours to close.
        timeout: Seconds a call may take in all, where the request does not say.
        prompt_cache_key: Groups requests with a common prefix for OpenAI's prompt cache.
        server: Whose extensions write a grammar or continue a prefix, for a profile that has these:
            ``llama.cpp`` or ``vllm``; by default ``openai`` on OpenAI's own hosts and ``llama.cpp`` on others.
    """

    def __init__(
        self,
        model_name: str,
        *,
        api: Api | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        profile: ModelProfile | None = None,
        client: AsyncOpenAI | None = None,
        timeout: float = 600.0,
        prompt_cache_key: str | None = None,
        server: Server | None = None,
    ) -> None:
        url = api_url(base_url, client)
        official = is_openai(url)
        api = api or ("responses" if official else "chat")
        name = _name(model_name, api, base_url, client)
        endpoint = Endpoint(name, model_name, url, key_help(base_url, type(self).__name__))
        wire: Wire
        if api == "responses":
            wire = ResponsesWire(endpoint, prompt_cache_key=prompt_cache_key)
        else:
            dialect = server or ("openai" if official else "llama.cpp")
            wire = ChatWire(endpoint, server=dialect, prompt_cache_key=prompt_cache_key)
        super().__init__(
            endpoint,
            profile or _profile(official=official, api=api),
            wire,
            timeout=timeout,
            load_sdk=load_sdk,
            make_client=lambda: make_client(endpoint, base_url, api_key),
            client=client.with_options(max_retries=0) if client is not None else None,
        )


def _name(model_name: str, api: str, base_url: str | None, client: Any) -> str:
    if base_url is not None and client is None and not is_openai(base_url):
        return f"{base_url.rstrip('/')}#{model_name}"
    provider = "openai-chat" if api == "chat" and is_openai(api_url(base_url, client)) else "openai"
    return f"{provider}:{model_name}"


def _profile(*, official: bool, api: str) -> ModelProfile:
    if not official:
        return _COMPATIBLE
    return _RESPONSES if api == "responses" else _CHAT
