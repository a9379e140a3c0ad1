"""Embeddings for tests: a direction for each word, so that texts with common words are near each other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

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
            for place, sign in zip(digest[0:6:2], digest[1:6:2], strict=True):
                vector[place % DIMENSION] += 1.0 if sign % 2 else -1.0
        vectors.append(vector)
    return vectors


def embedder(name: str = "words") -> FunctionEmbedder:
    """An embedder that needs no weights."""
    return FunctionEmbedder(word_vectors, name=name, dimension=DIMENSION)


def holding(folder: Path, word: str) -> list[str]:
    """The files below a folder that hold the bytes of a word, in any case.

    Chroma's index files (``*.bin``) are left out: where they hold no vector yet, Chroma writes whatever its process's
    memory held there, so what they hold says nothing about what Chroma was given.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".bin")
    return [path.name for path in files if word.encode() in path.read_bytes().lower()]
