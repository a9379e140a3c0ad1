"""Embeddings for tests: a direction for each word, so that texts with common words are near each other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from agentkit.embeddings import FunctionEmbedder
from agentkit.lexical import query_words

DIMENSION = 64


def word_vectors(texts: Sequence[str]) -> list[list[float]]:
    """The sum of the words' directions."""
    vectors = []
    for text in texts:
        vector = [1e-6] * DIMENSION
        for word in query_words(text):
            digest = hashlib.sha256(word.encode()).digest()
            vector[digest[0] % DIMENSION] += 1.0 if digest[1] % 2 else -1.0
        vectors.append(vector)
    return vectors


def embedder(name: str = "words") -> FunctionEmbedder:
    """An embedder that needs no weights."""
    return FunctionEmbedder(word_vectors, name=name, dimension=DIMENSION)
