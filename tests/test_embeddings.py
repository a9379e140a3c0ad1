"""Embedders: the local one, a function, and servers that speak OpenAI's embeddings API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from agentkit.embeddings import FunctionEmbedder, MiniLM, OpenAIEmbedder
from agentkit.errors import DefinitionError, ModelOutputError, ModelRefusedError, ModelUnavailableError
from agentkit.models.catalogue import MINILM, is_pulled

needs_minilm = pytest.mark.skipif(
    not all(map(is_pulled, MINILM.files)),
    reason="the weights are not here; fetch them with: agentkit models pull minilm",
)


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    """Of two vectors of length 1."""
    return sum(a * b for a, b in zip(left, right, strict=True))


@needs_minilm
class TestMiniLM:
    async def test_texts_about_the_same_are_near_each_other(self) -> None:
        cat, kitten, tax = await MiniLM().embed(["The cat sleeps.", "A kitten is napping.", "Taxes are due in April."])
        assert cosine(cat, kitten) > 0.5 > 0.2 > cosine(cat, tax)
        assert len(cat) == MiniLM().dimension
        assert cosine(cat, cat) == pytest.approx(1)

    async def test_a_text_has_the_same_vector_in_any_company(self) -> None:
        texts = ["hat", "a much longer text about hats and scarves, and what they cost in winter", "x" * 5000, ""]
        together = await MiniLM().embed(texts)
        for text, vector in zip(texts, together, strict=True):
            (alone,) = await MiniLM().embed([text])
            assert cosine(alone, vector) > 0.98  # int8 activations are scaled by the batch

    async def test_nothing_gives_nothing(self) -> None:
        assert await MiniLM().embed([]) == []


async def test_without_the_weights_the_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTKIT_MODELS", str(tmp_path))
    monkeypatch.setattr("agentkit.embeddings._networks", {})
    with pytest.raises(DefinitionError) as caught:
        await MiniLM().embed(["hat"])
    assert str(caught.value) == (
        "local model 'minilm' is not on this machine; fetch it with: agentkit models pull minilm (23 MB)"
    )


class TestFunction:
    async def test_plain_and_async_functions_embed(self) -> None:
        async def later(texts: Sequence[str]) -> list[list[float]]:
            return [[float(len(text)), 1] for text in texts]

        plain = FunctionEmbedder(lambda texts: [[len(text), 1] for text in texts], name="length", dimension=2)
        for embedder in (plain, FunctionEmbedder(later, name="length", dimension=2)):
            assert await embedder.embed(["a", "bcd"]) == [[1.0, 1.0], [3.0, 1.0]]

    @pytest.mark.parametrize("vectors", [[[1.0]], [[1.0, 2.0], [1.0, 2.0]], []])
    async def test_vectors_of_another_shape_are_refused(self, vectors: list[list[float]]) -> None:
        embedder = FunctionEmbedder(lambda texts: vectors, name="odd", dimension=2)
        with pytest.raises(
            DefinitionError, match=r"^the embedding function 'odd' must give 1 vectors of 2 numbers; it"
        ):
            await embedder.embed(["a"])


class Server:
    """An embeddings API in this process."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.dimension = 3

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        if self.status != 200:
            return httpx2.Response(self.status, json={"error": {"message": "no"}})
        items = [
            {"object": "embedding", "index": index, "embedding": [float(len(text))] * self.dimension}
            for index, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return httpx2.Response(
            200, json={"object": "list", "data": items[::-1], "model": body["model"], "usage": usage}
        )


class TestOpenAI:
    @pytest.fixture
    def server(self) -> Server:
        return Server()

    @pytest.fixture
    def embedder(self, server: Server) -> OpenAIEmbedder:
        http = DefaultAsyncHttpxClient(transport=httpx2.MockTransport(server))
        client = AsyncOpenAI(api_key="k", base_url="http://127.0.0.1:1/v1", http_client=http)
        return OpenAIEmbedder("bge-small", dimension=3, client=client)

    async def test_vectors_come_in_the_order_of_the_texts(self, embedder: OpenAIEmbedder, server: Server) -> None:
        assert await embedder.embed(["a", "bb"]) == [[1.0] * 3, [2.0] * 3]
        assert server.bodies == [{"input": ["a", "bb"], "model": "bge-small", "encoding_format": "float"}]
        assert embedder.name == "http://127.0.0.1:1/v1#bge-small"

    async def test_many_texts_go_in_several_requests(self, embedder: OpenAIEmbedder, server: Server) -> None:
        assert len(await embedder.embed(["x"] * 300)) == 300
        assert [len(body["input"]) for body in server.bodies] == [256, 44]

    async def test_a_vector_of_another_length_is_told(self, embedder: OpenAIEmbedder, server: Server) -> None:
        server.dimension = 4
        with pytest.raises(ModelOutputError, match="a vector has 4 numbers, and dimension=3 was declared"):
            await embedder.embed(["a"])

    @pytest.mark.parametrize(("status", "kind"), [(401, ModelRefusedError), (503, ModelUnavailableError)])
    async def test_failures_are_agentkits_own(
        self, embedder: OpenAIEmbedder, server: Server, status: int, kind: type[Exception]
    ) -> None:
        server.status = status
        with pytest.raises(kind):
            await embedder.embed(["a"])
        assert len(server.bodies) == 1, "one call makes one attempt"

    async def test_the_name_tells_the_provider_and_a_missing_key_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        monkeypatch.setattr("agentkit.models.safety.ALLOW_MODEL_REQUESTS", True)
        embedder = OpenAIEmbedder("text-embedding-3-small", dimension=1536)
        assert embedder.name == "openai:text-embedding-3-small"
        with pytest.raises(ModelRefusedError, match=r"no API key\. Set the environment variable OPENAI_API_KEY"):
            await embedder.embed(["a"])
