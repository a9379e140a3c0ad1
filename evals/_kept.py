"""Vectors that are made once: evaluations ask for those of the same texts again and again."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.protocols import Embedder


class Kept:
    """An embedder that makes the vector of a text once.

    Args:
        embedder: Makes them.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self._embedder = embedder
        self._vectors: dict[str, list[float]] = {}

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if missing:
            self._vectors.update(zip(missing, await self._embedder.embed(missing), strict=True))
        return [self._vectors[text] for text in texts]
