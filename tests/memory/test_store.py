"""What stores check before they keep anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agentkit.embeddings import Embedder
from agentkit.errors import DefinitionError
from agentkit.memory import ChromaStore, InMemoryStore, LongTermMemory, MemoryStore, Scope, SqliteStore

ANNA = Scope("anna")


class Careless:
    """An embedder that does not keep its word."""

    name = "careless"
    dimension = 3

    def __init__(self, vector: Sequence[float], times: int = 1) -> None:
        self._vectors = [list(vector)] * times

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return self._vectors


STORES: dict[str, Callable[[Path, Embedder], MemoryStore]] = {
    "in memory": lambda folder, embedder: InMemoryStore(embedder),
    "sqlite": lambda folder, embedder: SqliteStore(folder / "memory.db", embedder),
    "chroma": ChromaStore,
}


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(
    ("embedder", "problem"),
    [
        (Careless([1.0, 2.0]), "must give 1 vectors of 3 numbers; it gave 1, of [2] numbers."),
        (Careless([1.0, 2.0, 3.0], times=2), "must give 1 vectors of 3 numbers; it gave 2, of [3] numbers."),
        (Careless([1.0, float("nan"), 3.0]), "gave a vector with numbers that are not finite."),
        (Careless([1.0, float("inf"), 3.0]), "gave a vector with numbers that are not finite."),
    ],
    ids=["short", "too many", "nan", "infinite"],
)
async def test_vectors_that_cannot_be_searched_are_not_kept(
    kind: str, embedder: Careless, problem: str, tmp_path: Path
) -> None:
    store = STORES[kind](tmp_path, embedder)
    memory = LongTermMemory(store)
    with pytest.raises(DefinitionError) as kept:
        await memory.remember("a red hat", scope=ANNA)
    with pytest.raises(DefinitionError) as asked:
        await memory.recall("hat", scope=ANNA)
    assert str(kept.value) == str(asked.value) == f"the embedder 'careless' {problem}"
    assert await store.count(scope=ANNA) == 0
    await store.aclose()
