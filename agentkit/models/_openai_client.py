"""The client of the `openai` SDK: which server, which key, one connection pool an event loop."""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agentkit.models._provider_errors import Endpoint, missing_key
from agentkit.models._transport import CONNECT_SECONDS
from agentkit.models.safety import is_loopback

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_OPENAI_URL = "https://api.openai.com/v1"
_NO_KEY = "no-key"  # the SDK insists on one; servers without authentication ignore it


def make_client(endpoint: Endpoint, base_url: str | None, api_key: str | None) -> AsyncOpenAI:
    """A client that makes one attempt a call and leaves deadlines to its user."""
    import httpx2
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    url = endpoint.url
    if api_key is None and (base_url is None or is_openai(url)):
        api_key = os.environ.get("OPENAI_API_KEY") or None
    if api_key is None and is_openai(url):
        raise missing_key(endpoint)
    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
    # A proxy of the environment cannot reach this machine's own loopback address.
    http_client = DefaultAsyncHttpxClient(timeout=timeout, trust_env=not is_loopback(url))
    return AsyncOpenAI(
        api_key=api_key or _NO_KEY, base_url=url, max_retries=0, timeout=timeout, http_client=http_client
    )


def api_url(base_url: str | None, client: Any) -> str:
    """The API's URL: the client's, the one given, that of the environment, or OpenAI's."""
    if client is not None:
        return str(client.base_url).rstrip("/")
    return (base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI_URL).rstrip("/")


def is_openai(url: str) -> bool:
    """Whether `url` is on OpenAI's own hosts."""
    host = urlsplit(url).hostname or ""
    return host == "openai.com" or host.endswith(".openai.com")


def key_help(base_url: str | None, who: str) -> str:
    """What to do when the key is missing or refused."""
    if base_url is None or is_openai(base_url):
        return f"Set the environment variable OPENAI_API_KEY, or pass api_key= to {who}."
    return f"Pass api_key= to {who}; OPENAI_API_KEY is only sent to OpenAI."


def load_sdk() -> ModuleType:
    """The `openai` package."""
    import openai

    return openai
