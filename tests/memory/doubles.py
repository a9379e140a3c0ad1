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


def holding(folder: Path, word: str | bytes) -> list[str]:
    """The files below a folder that hold a word, in any case, or these bytes."""
    found = []
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if word in content if isinstance(word, bytes) else word.encode() in content.lower():
            found.append(path.name)
    return sorted(found)


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text a page."""
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {4 + 2 * number} 0 R /Resources {font} >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode()
