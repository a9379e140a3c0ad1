"""A memory store in one SQLite file: records, words and vectors; meaning is searched exactly."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from agentkit.embeddings import Embedder
from agentkit.errors import MemoryStoreError
from agentkit.memory._matrix import Matrix
from agentkit.memory._record_store import SPARE, RecordStore
from agentkit.memory.records import Filter, Scope
from agentkit.memory.store import Disagreement, Match


class SqliteStore(RecordStore):
    """Memories in a file, for one machine and up to some 100,000 memories.

    The vectors are kept in RAM too (1.5 kB each with `MiniLM`), and compared one and all: nothing near is missed.
    Several processes may use the file.

    Args:
        path: The file; it is made if it is missing. ``:memory:`` keeps everything in RAM.
        embedder: Makes the vectors; without one, memories are found by their words only.

    Raises:
        MemoryStoreError: The file cannot be opened.
        DefinitionError: The file was written with another embedder.
    """

    def __init__(self, path: str | Path, embedder: Embedder | None = None) -> None:
        super().__init__(path, embedder)
        self._matrix: Matrix | None = None
        self._seen = 0

    def _current(self) -> Matrix:
        """The matrix, read again if another process has written."""
        assert self._embedder is not None
        version = self._database.foreign_version
        if self._matrix is None or version != self._seen:
            matrix = self._matrix or Matrix(self._embedder.dimension)
            matrix.load(self._database)
            self._matrix, self._seen = matrix, version
        return self._matrix

    def _search_meaning(self, vector: bytes, scope: Scope, k: int, only: Filter) -> list[Match]:
        import numpy as np

        visible = self._database.visible(scope)
        wanted = np.frombuffer(vector, dtype=np.float32)
        matrix = self._current()
        if only.ids is None:
            # Conditions that the matrix does not know are checked on its best, which is quicker if many meet them.
            nearest = matrix.search(wanted, k * SPARE, visible, only, None)
            found = self._admitted(dict(nearest), scope, only, k)
            if len(found) == k or len(nearest) < k * SPARE:
                return found
        nearest = matrix.search(wanted, k, visible, only, self._database.numbers(scope, only))
        return self._admitted(dict(nearest), scope, only, k)

    def _vectors_written(self, vectors: Mapping[str, bytes], scopes: Mapping[str, Scope]) -> None:
        """The matrix follows after the transaction."""

    def _vectors_removed(self, scopes: Mapping[str, Scope]) -> None:
        """The matrix follows after the transaction."""

    def _vectors_replaced(self, scopes: Mapping[str, Scope]) -> None:
        """The matrix follows after the transaction."""

    def _written(self, ids: set[str]) -> None:
        if self._matrix is not None:
            self._matrix.follow(self._database, ids)

    def _check_index(self) -> list[Disagreement]:
        return []  # the matrix is the file's own vectors

    def _repair_index(self) -> None:
        self._matrix = None


def stored_embedder(path: str | Path) -> tuple[str, int] | None:
    """The name and dimension of the embedder that a store's SQLite file was written with; None if with none.

    Raises:
        MemoryStoreError: It is not the file of a memory store.
    """
    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT key, value FROM about WHERE key IN ('embedder', 'dimension')").fetchall()
    except sqlite3.Error as error:
        raise MemoryStoreError(f"{str(path)!r} is not the file of a memory store ({error}).") from error
    known = dict(rows)
    return (known["embedder"], int(known["dimension"])) if known else None
