"""Anthropic models through the `anthropic` SDK."""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentkit.messages import ModelProfile
from agentkit.models._anthropic_messages import MessagesWire
from agentkit.models._provider_errors import Endpoint, missing_key
from agentkit.models._transport import CONNECT_SECONDS, ApiModel
from agentkit.models.safety import is_loopback

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_ANTHROPIC_URL = "https://api.anthropic.com"
_NO_KEY = "no-key"  # the SDK insists on one; servers without authentication ignore it
_PROFILE = ModelProfile(
    context_window=200_000,
    json_schema=True,
    tools=True,
    settings=frozenset({"max_tokens", "stop", "timeout"}),
)


class AnthropicModel(ApiModel):
    """A model behind Anthropic's Messages API.

    Messages marked with `Message.cache` end a prefix that Anthropic's prompt cache keeps; of more than four marks the
    last four count. System messages before the first turn become the system prompt. ``temperature``, ``top_p`` and
    ``seed`` do not exist in the API any more: setting one raises `DefinitionError`, unless a `profile` that lists it
    says that the model or server at `base_url` takes it.

    The key is `api_key`, or ``ANTHROPIC_API_KEY`` (or what else the SDK finds); the latter is sent to Anthropic's own
    hosts and to the host that ``ANTHROPIC_BASE_URL`` names, never to a `base_url` given here.

    Args:
        model_name: The model's name at the provider.
        base_url: The API's URL without ``/v1``; by default ``ANTHROPIC_BASE_URL``, else Anthropic's.
        api_key: The key (see above).
        profile: What the model can do; by default JSON schemas and tools, 200,000 tokens, and no sampling settings.
        client: An ``anthropic.AsyncAnthropic`` to use instead of making one; it stays yours to close.
        timeout: Seconds a call may take in all, where the request does not say.
        max_tokens: The token limit of replies to requests that set none; the API demands one.
    """

    def __init__(
        self,
        model_name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        profile: ModelProfile | None = None,
        client: AsyncAnthropic | None = None,
        timeout: float = 600.0,
        max_tokens: int = 8192,
    ) -> None:
        if client is not None:
            url = str(client.base_url)
        else:
            url = base_url or os.environ.get("ANTHROPIC_BASE_URL") or _ANTHROPIC_URL
        self._base_url, self._api_key = base_url, api_key
        name = f"anthropic:{model_name}"
        endpoint = Endpoint(name, model_name, url.rstrip("/"), _key_help(self._uses_environment_key()))
        super().__init__(
            endpoint,
            profile or _PROFILE,
            MessagesWire(endpoint, max_tokens=max_tokens),
            timeout=timeout,
            load_sdk=_sdk,
            make_client=self._make_client,
            client=client.with_options(max_retries=0) if client is not None else None,
        )

    def _uses_environment_key(self) -> bool:
        return self._base_url is None or _is_anthropic(self._base_url)

    def _make_client(self) -> AsyncAnthropic:
        import httpx2
        from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

        url = self._endpoint.url
        timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
        client = AsyncAnthropic(
            api_key=self._api_key or (None if self._uses_environment_key() else _NO_KEY),
            base_url=url,
            max_retries=0,
            timeout=timeout,
            # A proxy of the environment cannot reach this machine's own loopback address.
            http_client=DefaultAsyncHttpxClient(timeout=timeout, trust_env=not is_loopback(url)),
        )
        if client.api_key is None and client.auth_token is None and client.credentials is None:
            raise missing_key(self._endpoint)
        return client


def _is_anthropic(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "anthropic.com" or host.endswith(".anthropic.com")


def _key_help(uses_environment: bool) -> str:
    if uses_environment:
        return "Set the environment variable ANTHROPIC_API_KEY, or pass api_key= to AnthropicModel."
    return "Pass api_key= to AnthropicModel; ANTHROPIC_API_KEY is only sent to Anthropic."


def _sdk() -> ModuleType:
    import anthropic

    return anthropic
