"""A memory store in this process's memory: for tests, and for agents that forget when they end."""

from __future__ import annotations

import builtins
import dataclasses
import math
import operator
from collections.abc import Iterable, Mapping

from agentkit.embeddings import Embedder
from agentkit.errors import MemoryStoreError
from agentkit.lexical import Entry, LexicalIndex
from agentkit.memory.records import UNFILTERED, Filter, Memory, Scope
from agentkit.memory.store import (
    Disagreement,
    Match,
    Vector,
    check_scope_kept,
    check_writable,
    taken,
    unknown,
    vectors_of,
)


class InMemoryStore:
    """Memories in dictionaries; searches look at every memory of the scope.

    Args:
        embedder: Makes the vectors; without one, memories are found by their words only.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._memories: dict[str, Memory] = {}
        self._vectors: dict[str, tuple[float, ...]] = {}
        self._words = LexicalIndex()
        self._closed = False

    @property
    def embedder(self) -> Embedder | None:
        """What turns texts into vectors."""
        return self._embedder

    async def add(self, *memories: Memory, scope: Scope) -> None:
        """Put memories in, all or none; see `MemoryStore.add`."""
        self._check_new(memories, scope)
        vectors = await self._embed(memories)
        self._check_new(memories, scope)  # while the vectors were made, others may have written
        for memory in memories:
            self._put(memory, vectors.get(memory.id))
            for old in memory.supersedes:
                ended = dataclasses.replace(
                    self._memories[old], valid_until=memory.valid_from, superseded_by=memory.id, updated=memory.created
                )
                self._memories[old] = ended

    def _check_open(self) -> None:
        if self._closed:
            raise MemoryStoreError("the memory in this process's memory is closed.")

    def _check_new(self, memories: Iterable[Memory], scope: Scope) -> None:
        self._check_open()
        new: set[str] = set()
        for memory in memories:
            check_writable(memory, scope)
            if memory.id in self._memories or memory.id in new:
                raise taken(memory.id)
            for old in memory.supersedes:
                check_writable(self._known(old, scope), scope)
            new.add(memory.id)

    async def _embed(self, memories: Iterable[Memory]) -> dict[str, tuple[float, ...]]:
        memories = list(memories)
        if self._embedder is None or not memories:
            return {}
        vectors = await vectors_of([memory.indexed_text for memory in memories], self._embedder)
        return {memory.id: _unit(vector) for memory, vector in zip(memories, vectors, strict=True)}

    def _put(self, memory: Memory, vector: tuple[float, ...] | None) -> None:
        self._memories[memory.id] = memory
        self._words.add([Entry(memory.id, memory.indexed_text)])
        if vector is not None:
            self._vectors[memory.id] = vector

    def _known(self, id: str, scope: Scope) -> Memory:
        self._check_open()
        memory = self._memories.get(id)
        if memory is None or not scope.reads(memory.scope):
            raise unknown(id, scope)
        return memory

    async def get(self, id: str, *, scope: Scope) -> Memory | None:
        """The memory with this id, None if it is not in the scope."""
        self._check_open()
        memory = self._memories.get(id)
        return memory if memory is not None and scope.reads(memory.scope) else None

    async def update(self, memory: Memory, *, scope: Scope) -> None:
        """Put `memory` in the place of the one with its id; see `MemoryStore.update`."""
        old = self._known(memory.id, scope)
        check_writable(old, scope)
        check_scope_kept(old, memory)
        vectors = await self._embed([memory]) if old.indexed_text != memory.indexed_text else {}
        self._known(memory.id, scope)  # it may have been deleted meanwhile
        self._put(memory, vectors.get(memory.id))

    async def touch(self, *ids: str, at: float, scope: Scope) -> None:
        """Note that memories were recalled at a time."""
        for id in ids:
            memory = await self.get(id, scope=scope)
            if memory is not None:
                self._memories[id] = dataclasses.replace(memory, accessed=at)

    async def delete(self, *ids: str, scope: Scope) -> builtins.list[str]:
        """Remove memories; returns the ids that were there."""
        found = [memory for id in dict.fromkeys(ids) if (memory := await self.get(id, scope=scope)) is not None]
        for memory in found:
            check_writable(memory, scope)
        for memory in found:
            del self._memories[memory.id]
            self._vectors.pop(memory.id, None)
        self._words.remove(memory.id for memory in found)
        return [memory.id for memory in found]

    async def list(
        self, only: Filter = UNFILTERED, *, scope: Scope, limit: int | None = None, offset: int = 0
    ) -> builtins.list[Memory]:
        """The memories that meet a filter, newest first."""
        found = sorted(self._visible(only, scope), key=lambda memory: (-memory.created, memory.id))
        return found[offset : None if limit is None else offset + limit]

    async def count(self, only: Filter = UNFILTERED, *, scope: Scope) -> int:
        """How many memories meet a filter."""
        return len(self._visible(only, scope))

    def _visible(self, only: Filter, scope: Scope) -> builtins.list[Memory]:
        self._check_open()
        return [memory for memory in self._memories.values() if scope.reads(memory.scope) and only.matches(memory)]

    async def search_words(
        self, query: str, *, scope: Scope, k: int = 10, only: Filter = UNFILTERED
    ) -> builtins.list[Match]:
        """The memories with words of `query`, best first."""
        keys = {memory.id for memory in self._visible(only, scope)}
        return [Match(self._memories[hit.key], hit.score) for hit in self._words.search(query, k, keys=keys)]

    async def search_meaning(
        self, vector: Vector, *, scope: Scope, k: int = 10, only: Filter = UNFILTERED
    ) -> builtins.list[Match]:
        """The memories whose vectors point most nearly where `vector` does, best first."""
        wanted = _unit(vector)
        found = [
            Match(memory, sum(map(operator.mul, wanted, self._vectors[memory.id])))
            for memory in self._visible(only, scope)
            if memory.id in self._vectors
        ]
        return sorted(found, key=lambda match: (-match.score, match.memory.id))[:k]

    async def vectors(self, *ids: str, scope: Scope) -> Mapping[str, Vector]:
        """The vectors of memories, by id."""
        seen = [memory.id for id in ids if (memory := await self.get(id, scope=scope)) is not None]
        return {id: self._vectors[id] for id in seen if id in self._vectors}

    async def check(self) -> builtins.list[Disagreement]:
        """Where the parts do not agree: nowhere, since they live and die together."""
        return []

    async def repair(self) -> builtins.list[Disagreement]:
        """Nothing is ever to be mended."""
        return []

    async def aclose(self) -> None:
        """Forget everything."""
        self._closed = True
        self._memories.clear()
        self._vectors.clear()
        self._words.close()


def _unit(vector: Vector) -> tuple[float, ...]:
    length = math.hypot(*vector) or 1.0
    return tuple(number / length for number in vector)
