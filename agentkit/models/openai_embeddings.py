"""Embeddings of OpenAI, and of every server that speaks its embeddings API, through the `openai` SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentkit.models._openai_client import api_url, is_openai, key_help, load_sdk, make_client
from agentkit.models._provider_errors import Endpoint, not_understood, translate
from agentkit.models._transport import ClientPool
from agentkit.models.safety import check_requests_allowed

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_MAX_BATCH = 256


class OpenAIEmbedder:
    """Embeddings behind ``/v1/embeddings``.

    The key is chosen as `agentkit.models.openai.OpenAIModel` chooses it. One call makes one attempt.

    Args:
        model_name: The model's name at the provider, e.g. ``text-embedding-3-small``.
        dimension: Numbers of a vector. OpenAI's third generation shortens its vectors to it; other servers must
            send just that many.
        base_url: The API's URL up to ``/v1``; by default ``OPENAI_BASE_URL``, else OpenAI's.
        api_key: The key; by default ``OPENAI_API_KEY``, which is only sent to OpenAI.
        client: An ``openai.AsyncOpenAI`` to use instead of making one; it stays yours to close.
        timeout: Seconds a call may take in all.
    """

    def __init__(
        self,
        model_name: str,
        *,
        dimension: int,
        base_url: str | None = None,
        api_key: str | None = None,
        client: AsyncOpenAI | None = None,
        timeout: float = 60.0,
    ) -> None:
        url = api_url(base_url, client)
        self.name = f"openai:{model_name}" if is_openai(url) else f"{url}#{model_name}"
        self.dimension = dimension
        self._endpoint = Endpoint(self.name, model_name, url, key_help(base_url, type(self).__name__))
        self._timeout = timeout
        self._own_client = client.with_options(max_retries=0) if client is not None else None
        self._pool = ClientPool(lambda: make_client(self._endpoint, base_url, api_key))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text.

        Raises:
            DefinitionError: Requests are switched off.
            ModelUnavailableError: The provider cannot be reached, is overloaded, limits the rate, or timed out.
            ModelRefusedError: The provider rejects the request.
            ModelOutputError: The reply does not hold a vector of the right length for each text.
        """
        check_requests_allowed(self.name, self._endpoint.url)
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _MAX_BATCH):
            batch = list(texts[start : start + _MAX_BATCH])
            vectors += self._vectors(await self._request(batch), len(batch))
        return vectors

    async def _request(self, texts: list[str]) -> Any:
        body: dict[str, Any] = {"input": texts, "model": self._endpoint.model, "encoding_format": "float"}
        if is_openai(self._endpoint.url):
            body["dimensions"] = self.dimension
        try:
            client = self._own_client or await self._pool.get()
            async with asyncio.timeout(self._timeout):
                return await client.embeddings.create(**body)
        except Exception as error:
            told = translate(error, load_sdk(), self._endpoint, self._timeout)
            if told is None:
                raise
            raise told from error

    def _vectors(self, reply: Any, count: int) -> list[list[float]]:
        items = sorted(getattr(reply, "data", None) or (), key=lambda item: item.index)
        if [item.index for item in items] != list(range(count)):
            raise not_understood(self._endpoint, f"it should hold {count} embeddings", f"{len(items)} embeddings")
        for item in items:
            if len(item.embedding) != self.dimension:
                problem = f"a vector has {len(item.embedding)} numbers, and dimension={self.dimension} was declared"
                raise not_understood(self._endpoint, problem, f"{item.embedding[:3]}…")
        return [list(item.embedding) for item in items]
