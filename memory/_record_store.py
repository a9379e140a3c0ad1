"""What the stores with a SQLite file share: the records and their words. Where vectors are searched is a subclass's."""

from __future__ import annotations

import asyncio
import builtins
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from agentkit.embeddings import Embedder
from agentkit.errors import MemoryStoreError
from agentkit.lexical import Entry, LexicalIndex
from agentkit.memory._database import Database
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

T = TypeVar("T")

SPARE = 4
"""How many times more than asked for is looked up in an index, before a filter takes some away."""

_MOST_GROUPS = 64


class RecordStore(ABC):
    """Records and words in one SQLite file, written together or not at all. Its work is done in a thread of its own."""

    def __init__(self, path: str | Path, embedder: Embedder | None) -> None:
        self._embedder = embedder
        self._thread = ThreadPoolExecutor(1, "memory")
        self._database = Database(path)
        with self._database.writing():
            self._words = LexicalIndex(self._database.connection, name="memory")
        if embedder is not None:
            self._database.remember_embedder(embedder)
        self._purge_due = False
        self._closed = False

    @property
    def embedder(self) -> Embedder | None:
        """What turns texts into vectors."""
        return self._embedder

    async def _do(self, work: Callable[..., T], *args: Any) -> T:
        if self._closed:
            raise MemoryStoreError(f"the memory {self._database.path!r} is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    # -- writing

    async def add(self, *memories: Memory, scope: Scope) -> None:
        """Put memories in, all or none; see `MemoryStore.add`."""
        await self._do(self._check_new, memories, scope)
        vectors = await self._embed(memories)
        await self._do(self._add, memories, vectors, scope)

    def _check_new(self, memories: Sequence[Memory], scope: Scope) -> None:
        ids = [memory.id for memory in memories]
        used = self._database.used(ids)
        for memory in memories:
            check_writable(memory, scope)
            if memory.id in used:
                raise taken(memory.id)
            used.add(memory.id)
            for old in memory.supersedes:
                check_writable(self._known(old, scope), scope)

    async def _embed(self, memories: Sequence[Memory]) -> dict[str, bytes]:
        if self._embedder is None or not memories:
            return {}
        vectors = await vectors_of([memory.indexed_text for memory in memories], self._embedder)
        return {memory.id: packed(vector) for memory, vector in zip(memories, vectors, strict=True)}

    def _add(self, memories: Sequence[Memory], vectors: Mapping[str, bytes], scope: Scope) -> None:
        changed = {memory.id for memory in memories}
        with self._database.writing():
            self._check_new(memories, scope)
            for memory in memories:
                number = self._database.insert(memory)
                if memory.id in vectors:
                    self._database.put_vector(number, vectors[memory.id])
            for memory in memories:
                for old in memory.supersedes:
                    ended = dataclasses.replace(
                        self._known(old, scope),
                        valid_until=memory.valid_from,
                        superseded_by=memory.id,
                        updated=memory.created,
                    )
                    self._database.replace(ended)
                    changed.add(old)
            self._words.add(self._entries(memories))
            self._vectors_written(vectors, {memory.id: memory.scope for memory in memories})
        self._written(changed)

    def _entries(self, memories: Iterable[Memory]) -> builtins.list[Entry]:
        return [
            Entry(memory.id, memory.indexed_text, f"{self._database.namespace(memory.scope)}") for memory in memories
        ]

    def _known(self, id: str, scope: Scope) -> Memory:
        memory = self._database.read(id, scope)
        if memory is None:
            raise unknown(id, scope)
        return memory

    async def update(self, memory: Memory, *, scope: Scope) -> None:
        """Put `memory` in the place of the one with its id; see `MemoryStore.update`.

        Of an earlier text, words stay in the file until something is deleted or the store is closed.
        """
        old = await self._do(self._check_update, memory, scope)
        vectors = await self._embed([memory]) if old.indexed_text != memory.indexed_text else {}
        await self._do(self._update, memory, vectors, scope)

    def _check_update(self, memory: Memory, scope: Scope) -> Memory:
        old = self._known(memory.id, scope)
        check_writable(old, scope)
        check_scope_kept(old, memory)
        return old

    def _update(self, memory: Memory, vectors: Mapping[str, bytes], scope: Scope) -> None:
        with self._database.writing():
            old = self._check_update(memory, scope)
            number = self._database.replace(memory)
            if memory.id in vectors:
                self._database.put_vector(number, vectors[memory.id])
            if old.indexed_text != memory.indexed_text:
                self._words.add(self._entries([memory]))
                self._purge_due = True
                self._vectors_replaced({memory.id: memory.scope})
            self._vectors_written(vectors, {memory.id: memory.scope})
        self._written({memory.id})

    async def touch(self, *ids: str, at: float, scope: Scope) -> None:
        """Note that memories were recalled at a time."""
        await self._do(self._touch, ids, at, scope)

    def _touch(self, ids: Sequence[str], at: float, scope: Scope) -> None:
        with self._database.writing() as db:
            seen = self._database.numbers(scope, Filter(ids=tuple(ids)))
            db.executemany("UPDATE memories SET accessed = ? WHERE number = ?", ((at, number) for number in seen))

    async def delete(self, *ids: str, scope: Scope) -> builtins.list[str]:
        """Remove memories for good: when it returns, no file holds their texts; see `MemoryStore.delete`."""
        return await self._do(self._delete, ids, scope)

    def _delete(self, ids: Sequence[str], scope: Scope) -> builtins.list[str]:
        with self._database.writing():
            found = [memory for id in dict.fromkeys(ids) if (memory := self._database.read(id, scope)) is not None]
            for memory in found:
                check_writable(memory, scope)
            for memory in found:
                self._database.remove(memory.id)
            self._words.remove(memory.id for memory in found)
            self._vectors_removed({memory.id: memory.scope for memory in found})
        gone = [memory.id for memory in found]
        if gone:
            self._written(set(gone))
            self._purge()
        return gone

    def _purge(self) -> None:
        with self._database.writing():
            self._words.purge()
        self._database.shrink()
        self._purge_due = False

    # -- reading

    async def get(self, id: str, *, scope: Scope) -> Memory | None:
        """The memory with this id, None if it is not in the scope."""
        return await self._do(self._database.read, id, scope)

    async def list(
        self, only: Filter = UNFILTERED, *, scope: Scope, limit: int | None = None, offset: int = 0
    ) -> builtins.list[Memory]:
        """The memories that meet a filter, newest first."""
        return await self._do(lambda: self._database.select(scope, only, limit=limit, offset=offset))

    async def count(self, only: Filter = UNFILTERED, *, scope: Scope) -> int:
        """How many memories meet a filter."""
        return await self._do(self._database.count, scope, only)

    async def search_words(
        self, query: str, *, scope: Scope, k: int = 10, only: Filter = UNFILTERED
    ) -> builtins.list[Match]:
        """The memories with words of `query`, best first."""
        return await self._do(self._search_words, query, scope, k, only)

    def _search_words(self, query: str, scope: Scope, k: int, only: Filter) -> builtins.list[Match]:
        visible = self._database.visible(scope)
        every = len(visible) == self._database.value("SELECT count(*) FROM namespaces")
        groups = None if every or len(visible) > _MOST_GROUPS else [str(number) for number in visible]
        wanted = k
        while True:
            wanted *= SPARE
            hits = self._words.search(query, wanted, groups=groups)
            found = self._admitted({hit.key: hit.score for hit in hits}, scope, only, k)
            if len(found) >= k or len(hits) < wanted:
                return found

    def _admitted(self, scores: Mapping[str, float], scope: Scope, only: Filter, k: int) -> builtins.list[Match]:
        """Of what an index found, the best `k` that the scope and the filter let through, best first."""
        wanted = scores.keys() if only.ids is None else scores.keys() & set(only.ids)
        left = sorted(wanted, key=lambda id: (-scores[id], id))
        best: builtins.list[Match] = []
        size = k
        while left and len(best) < k:  # few are left out as a rule, and only what is returned is worth reading
            ids, left = left[:size], left[size:]
            passed = self._database.select(scope, dataclasses.replace(only, ids=tuple(ids)))
            found = {memory.id: memory for memory in passed}
            best += [Match(found[id], scores[id]) for id in ids if id in found]
            size *= 2
        return best[:k]

    async def search_meaning(
        self, vector: Vector, *, scope: Scope, k: int = 10, only: Filter = UNFILTERED
    ) -> builtins.list[Match]:
        """The memories whose vectors point most nearly where `vector` does, best first."""
        if self._embedder is None or k <= 0:
            return []
        return await self._do(self._search_meaning, packed(vector), scope, k, only)

    async def vectors(self, *ids: str, scope: Scope) -> Mapping[str, Vector]:
        """The vectors of memories, by id."""
        return await self._do(self._read_vectors, ids, scope)

    def _read_vectors(self, ids: Sequence[str], scope: Scope) -> dict[str, Vector]:
        seen = self._database.ids(scope, Filter(ids=tuple(ids)), len(ids))
        return {id: unpacked(vector) for id, vector in self._database.vectors(seen).items()}

    # -- order

    async def check(self) -> builtins.list[Disagreement]:
        """Where records, word index and vectors do not agree. It changes nothing."""
        return await self._do(lambda: [*self._check_words(), *self._check_stored(), *self._check_index()])

    def _check_words(self) -> builtins.list[Disagreement]:
        problems = [Disagreement("", "words", problem) for problem in self._words.check()]
        indexed = self._words.keys()
        records = {row[0] for row in self._database.rows("SELECT id FROM memories")}
        problems += [Disagreement(id, "words", "its words are not indexed") for id in sorted(records - indexed)]
        problems += [Disagreement(id, "words", "words of no memory are indexed") for id in sorted(indexed - records)]
        return problems

    def _check_stored(self) -> builtins.list[Disagreement]:
        orphans = self._database.value("SELECT count(*) FROM vectors WHERE number NOT IN (SELECT number FROM memories)")
        problems = [Disagreement("", "vectors", f"{orphans} vectors belong to no memory")] if orphans else []
        if self._embedder is None:
            return problems
        size = self._embedder.dimension * 4
        rows = self._database.rows(
            "SELECT m.id FROM memories m LEFT JOIN vectors v USING (number)"
            " WHERE v.vector IS NULL OR length(v.vector) <> ?",
            size,
        )
        return problems + [Disagreement(id, "vectors", "it has no vector") for (id,) in rows]

    async def repair(self) -> builtins.list[Disagreement]:
        """Mend what `check` finds, from the records, and finish what was interrupted. Returns what was mended."""
        found = await self.check()
        missing = [problem.id for problem in found if problem.problem == "it has no vector"]
        memories = [memory for id in missing if (memory := await self._do(self._any, id)) is not None]
        vectors = await self._embed(memories)
        await self._do(self._repair, found, memories, vectors)
        return found

    def _any(self, id: str) -> Memory | None:
        return self._database.read(id, Scope("*", "*", "*"))

    def _repair(self, found: Sequence[Disagreement], memories: Sequence[Memory], vectors: Mapping[str, bytes]) -> None:
        with self._database.writing() as db:
            if any(problem.part == "words" for problem in found):
                self._words.clear()
                everything = self._database.select(Scope("*", "*", "*"), UNFILTERED)
                self._words.add(self._entries(everything))
            db.execute("DELETE FROM vectors WHERE number NOT IN (SELECT number FROM memories)")
            for memory in memories:
                number = self._database.value("SELECT number FROM memories WHERE id = ?", memory.id)
                self._database.put_vector(number, vectors[memory.id])
            self._vectors_written(vectors, {memory.id: memory.scope for memory in memories})
        self._repair_index()
        self._purge()

    async def aclose(self) -> None:
        """Finish, and close the file."""
        if self._closed:
            return
        await self._do(self._close)
        self._closed = True
        self._thread.shutdown()

    def _close(self) -> None:
        if self._purge_due:
            self._purge()
        self._database.connection.close()

    # -- where vectors are searched

    @abstractmethod
    def _search_meaning(self, vector: bytes, scope: Scope, k: int, only: Filter) -> builtins.list[Match]:
        """The nearest memories."""

    @abstractmethod
    def _check_index(self) -> builtins.list[Disagreement]:
        """Where the vector index and the file do not agree."""

    @abstractmethod
    def _repair_index(self) -> None:
        """Make the vector index what the file says."""

    @abstractmethod
    def _vectors_written(self, vectors: Mapping[str, bytes], scopes: Mapping[str, Scope]) -> None:
        """Inside the transaction: vectors are put in or replaced."""

    @abstractmethod
    def _vectors_removed(self, scopes: Mapping[str, Scope]) -> None:
        """Inside the transaction: memories are removed."""

    @abstractmethod
    def _vectors_replaced(self, scopes: Mapping[str, Scope]) -> None:
        """Inside the transaction: memories get other vectors."""

    @abstractmethod
    def _written(self, ids: set[str]) -> None:
        """After the transaction: memories have changed."""


def packed(vector: Vector) -> bytes:
    """A vector brought to length 1, as 4-byte floats."""
    import numpy as np

    numbers = np.asarray(vector, dtype=np.float32)
    length = float(np.linalg.norm(numbers))
    return (numbers / length if length > 0 else numbers).astype(np.float32).tobytes()


def unpacked(vector: bytes) -> builtins.list[float]:
    """The numbers of `packed`."""
    import numpy as np

    numbers: builtins.list[float] = np.frombuffer(vector, dtype=np.float32).tolist()
    return numbers
