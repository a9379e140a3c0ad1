"""The port of a memory store: what every store, in memory, in SQLite or on Chroma, does alike."""

from __future__ import annotations

import builtins
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from agentkit.embeddings import Embedder
from agentkit.errors import DefinitionError, MemoryScopeError, MemoryStoreError, UnknownMemoryError
from agentkit.memory.records import UNFILTERED, Filter, Memory, Scope

Vector: TypeAlias = Sequence[float]


@dataclass(frozen=True, slots=True)
class Match:
    """A memory that a search found, and how well: the BM25 score of its words, or the cosine of its meaning."""

    memory: Memory
    score: float


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Something that `check` found: which memory, in which part of the store, and what is wrong.

    Attributes:
        id: The memory; empty if it is about a whole part.
        part: ``records``, ``words``, ``vectors`` or ``files``.
        problem: What is wrong, in words.
    """

    id: str
    part: str
    problem: str


class MemoryStore(Protocol):
    """Keeps memories and finds them by words and by meaning.

    Every call acts for a `Scope`, and nothing outside it is seen or changed. A search sees every write that has
    returned. A store without an embedder finds by words only.
    """

    @property
    def embedder(self) -> Embedder | None:
        """What turns texts into vectors."""
        ...

    async def add(self, *memories: Memory, scope: Scope) -> None:
        """Put memories in, all or none. What they supersede ends: it is valid until they become so.

        Raises:
            MemoryScopeError: One belongs to somebody else, or supersedes what this scope may not write.
            MemoryStoreError: An id is taken.
            UnknownMemoryError: One supersedes a memory that is not there.
        """
        ...

    async def get(self, id: str, *, scope: Scope) -> Memory | None:
        """The memory with this id, None if it is not in the scope."""
        ...

    async def update(self, memory: Memory, *, scope: Scope) -> None:
        """Put `memory` in the place of the one with its id. Its scope stays what it is.

        Raises:
            UnknownMemoryError: There is none in the scope.
            MemoryScopeError: It may not be written, or its scope would change.
        """
        ...

    async def touch(self, *ids: str, at: float, scope: Scope) -> None:
        """Note that memories were recalled at a time; ids outside the scope are ignored."""
        ...

    async def delete(self, *ids: str, scope: Scope) -> builtins.list[str]:
        """Remove memories for good: text, words, vectors, also from the store's files.

        Returns:
            The ids that were there; others, and those outside the scope, are ignored.

        Raises:
            MemoryScopeError: One may be read and not written; nothing is removed then.
        """
        ...

    async def list(
        self, only: Filter = UNFILTERED, *, scope: Scope, limit: int | None = None, offset: int = 0
    ) -> builtins.list[Memory]:
        """The memories that meet a filter, newest first."""
        ...

    async def count(self, only: Filter = UNFILTERED, *, scope: Scope) -> int:
        """How many memories meet a filter."""
        ...

    async def search_words(
        self, query: str, *, scope: Scope, k: int = 10, only: Filter = UNFILTERED
    ) -> builtins.list[Match]:
        """The memories with words of `query`, best first."""
        ...

    async def search_meaning(
        self, vector: Vector, *, scope: Scope, k: int = 10, only: Filter = UNFILTERED
    ) -> builtins.list[Match]:
        """The memories whose vectors point most nearly where `vector` does, best first."""
        ...

    async def vectors(self, *ids: str, scope: Scope) -> Mapping[str, Vector]:
        """The vectors of memories, by id; only those that are in the scope and have one."""
        ...

    async def check(self) -> builtins.list[Disagreement]:
        """Where records, word index and vectors do not agree. It changes nothing."""
        ...

    async def repair(self) -> builtins.list[Disagreement]:
        """Mend what `check` finds, from the records. Returns what was mended."""
        ...

    async def aclose(self) -> None:
        """Finish, and free files and connections."""
        ...


async def history(store: MemoryStore, id: str, *, scope: Scope) -> list[Memory]:
    """A memory with all that it replaced and all that replaced it, oldest first; empty if it is not in the scope."""
    seen: dict[str, Memory] = {}
    waiting = [id]
    while waiting:
        found = await store.get(waiting.pop(), scope=scope)
        if found is not None and found.id not in seen:
            seen[found.id] = found
            waiting += [*found.supersedes, *([found.superseded_by] if found.superseded_by else [])]
    return sorted(seen.values(), key=lambda memory: (memory.valid_from, memory.created))


def check_writable(memory: Memory, scope: Scope) -> None:
    """Refuse a memory that `scope` may not write.

    Raises:
        MemoryScopeError: It may not.
    """
    if not scope.writes(memory.scope):
        raise MemoryScopeError(f"{scope!r} may not write the memory {memory.id!r}, which belongs to {memory.scope!r}.")


def check_scope_kept(old: Memory, new: Memory) -> None:
    """Refuse to move a memory to another owner.

    Raises:
        MemoryScopeError: The scopes differ.
    """
    if old.scope != new.scope:
        raise MemoryScopeError(
            f"the memory {old.id!r} belongs to {old.scope!r}, and updating it cannot give it to {new.scope!r}; "
            "add a new one there."
        )


def unknown(id: str, scope: Scope) -> UnknownMemoryError:
    """No memory with this id is in the scope."""
    return UnknownMemoryError(f"there is no memory {id!r} in {scope!r}.")


def taken(id: str) -> MemoryStoreError:
    """The id is in use."""
    return MemoryStoreError(f"there is a memory {id!r} already; update it, or give the new one another id.")


async def vectors_of(texts: Sequence[str], embedder: Embedder) -> list[Vector]:
    """A vector for each text, checked before it is kept or searched for.

    Raises:
        DefinitionError: The embedder gave others than it says.
    """
    vectors: list[Vector] = list(await embedder.embed(texts)) if texts else []
    lengths = {len(vector) for vector in vectors}
    if len(vectors) != len(texts) or lengths - {embedder.dimension}:
        raise DefinitionError(
            f"the embedder {embedder.name!r} must give {len(texts)} vectors of {embedder.dimension} numbers; it gave "
            f"{len(vectors)}, of {sorted(lengths)} numbers."
        )
    if not all(math.isfinite(sum(vector)) for vector in vectors):
        raise DefinitionError(f"the embedder {embedder.name!r} gave a vector with numbers that are not finite.")
    return vectors
