"""The in-memory store passes the suite of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agentkit.memory import InMemoryStore, Memory, Scope
from tests.conformance.memory_store import MemoryStoreConformance, words
from tests.memory.doubles import embedder


class TestInMemoryStore(MemoryStoreConformance):
    @pytest.fixture
    async def store(self) -> AsyncIterator[InMemoryStore]:
        store = InMemoryStore(embedder())
        yield store
        await store.aclose()


async def test_without_an_embedder_memories_are_found_by_words() -> None:
    store = InMemoryStore()
    memory = Memory(text="a red hat", scope=Scope("anna"))
    await store.add(memory, scope=Scope("anna"))
    assert await words(store, "hat") == ["a red hat"]
    assert await store.search_meaning([1.0, 0.0], scope=Scope("anna")) == []
    assert await store.vectors(memory.id, scope=Scope("anna")) == {}
    await store.aclose()
