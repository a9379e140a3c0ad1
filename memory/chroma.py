"""A memory store on Chroma: records and words in SQLite, vectors in Chroma, embedded or on a server.

SQLite is the source of truth. It holds the records, their vectors, and the changes that Chroma has still to be told;
these are told in batches and forgotten when Chroma has confirmed them, so that a process that is killed at any instant
loses nothing. Searches compare what Chroma does not know yet by themselves.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentkit.embeddings import Embedder
from agentkit.errors import DefinitionError, MemoryStoreError
from agentkit.memory._chroma_client import ChromaIndex, is_url
from agentkit.memory._record_store import SPARE, RecordStore
from agentkit.memory.records import Filter, Scope
from agentkit.memory.store import Disagreement, Match

GATHER = 256
"""Changes that wait in SQLite before Chroma is told; one at a time costs it ten times as much."""

FEW = 4_000
"""Up to so many memories that meet a filter are compared one and all; of more, Chroma's nearest are filtered."""

REBUILT_AT_CLOSING = 2_000
"""Up to so many vectors of a user, in a second or two, are brought to Chroma anew at closing, without deleted ones."""

_STALE = "stale "

_SAME = 0.999
"""Cosine of two vectors that count as equal after Chroma has kept one."""


class ChromaStore(RecordStore):
    """Memories on Chroma. In Chroma there are ids and vectors only: no text, no metadata, no names.

    Args:
        where: A folder that Chroma keeps its files in, for one process at a time; or the URL of a server
            (``chroma run``), for several.
        embedder: Makes the vectors.
        records: The SQLite file; by default ``records.db`` in the folder. With a server it must be given.
        name: What the collections are called, followed by a hash of the user.
        headers: HTTP headers for a server, such as a token.

    Raises:
        MemoryStoreError: The files cannot be opened, or another process has the folder open.
        DefinitionError: The records were written with another embedder. If Chroma's vectors were, the first use says
            so.
    """

    def __init__(
        self,
        where: str | Path,
        embedder: Embedder,
        *,
        records: str | Path | None = None,
        name: str = "memory",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if records is None and is_url(where):
            raise DefinitionError(f"give records=, the SQLite file of the memories with vectors at {str(where)!r}.")
        self._lock = None if is_url(where) else _one_process(Path(where))
        super().__init__(records or Path(where) / "records.db", embedder)
        with self._database.writing() as db:
            db.execute("INSERT OR IGNORE INTO about VALUES ('store', ?)", (uuid.uuid4().hex,))
        store = self._database.value("SELECT value FROM about WHERE key = 'store'")
        folder = where if is_url(where) else Path(where) / "chroma"
        self._index = ChromaIndex(folder, name=name, store=store, embedder=embedder, headers=headers or {})

    # -- telling Chroma

    def _vectors_written(self, vectors: Mapping[str, bytes], scopes: Mapping[str, Scope]) -> None:
        self._note(((id, self._index.part(scopes[id].user)) for id in vectors), removed=False)

    def _vectors_removed(self, scopes: Mapping[str, Scope]) -> None:
        self._vectors_replaced(scopes)
        self._note(((id, self._index.part(scope.user)) for id, scope in scopes.items()), removed=True)

    def _vectors_replaced(self, scopes: Mapping[str, Scope]) -> None:
        """Chroma's files keep the numbers of a vector that it no longer finds: note whose are to be made anew.

        Not on a server, whose other users would lose sight of the collection.
        """
        if self._lock is not None:
            users = {(f"{_STALE}{self._index.part(scope.user)}", scope.user) for scope in scopes.values()}
            self._database.connection.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", users)

    def _note(self, changes: Iterable[tuple[str, str]], *, removed: bool) -> None:
        rows = ((id, part, int(removed)) for id, part in changes)
        self._database.connection.executemany("INSERT INTO pending (id, part, removed) VALUES (?, ?, ?)", rows)

    def _written(self, ids: set[str]) -> None:
        waiting, removed = self._database.rows("SELECT count(*), total(removed) FROM pending")[0]
        if removed:
            self._tell()
        elif waiting >= GATHER:
            self._tell(patient=True)

    def _tell(self, *, patient: bool = False) -> None:
        """Bring all pending changes to Chroma. If it fails they stay pending; `patient` leaves it at that."""
        try:
            with self._database.writing() as db:
                rows = self._database.rows("SELECT id, part, removed FROM pending ORDER BY change")
                last = {(part, id): bool(removed) for id, part, removed in rows}
                vectors = self._database.vectors([id for (_, id), removed in last.items() if not removed])
                puts: dict[str, dict[str, bytes]] = defaultdict(dict)
                removals: dict[str, list[str]] = defaultdict(list)
                for (part, id), removed in last.items():
                    if removed or id not in vectors:
                        removals[part].append(id)
                    else:
                        puts[part][id] = vectors[id]
                for part, ids in removals.items():
                    self._index.remove(part, ids)
                for part, new in puts.items():
                    self._index.put(part, new)
                db.execute("DELETE FROM pending")
        except MemoryStoreError:
            if not patient:
                raise

    def _rebuild(self, most: int | None = None) -> None:
        """Make the collections anew that held vectors which are gone; with `most`, only those up to that size."""
        stale = self._database.rows("SELECT key, value FROM about WHERE key GLOB ?", f"{_STALE}*")
        rebuilt = []
        for key, user in stale:
            part = self._index.part(user)
            ids = self._database.rows(
                "SELECT m.id FROM vectors JOIN memories m USING (number) JOIN namespaces n USING (namespace)"
                " WHERE n.user = ?",
                user,
            )
            if most is None or len(ids) <= most:
                with self._database.writing() as db:  # from here on Chroma is told all of them, whatever happens
                    db.execute("DELETE FROM pending WHERE part = ?", (part,))
                    self._note(((id, part) for (id,) in ids), removed=False)
                self._index.drop(part)
                rebuilt.append(key)
        if rebuilt:
            self._tell()
            self._index.close(tidy=True)
            with self._database.writing() as db:
                db.executemany("DELETE FROM about WHERE key = ?", ((key,) for key in rebuilt))

    # -- searching

    def _search_meaning(self, vector: bytes, scope: Scope, k: int, only: Filter) -> list[Match]:
        pending = {row[0] for row in self._database.rows("SELECT DISTINCT id FROM pending")}
        scores = _cosines(vector, self._database.vectors(sorted(pending)))
        if only.ids is not None:
            return self._among(vector, scores, self._database.ids(scope, only, -1), scope, only, k)
        parts = self._parts(scope)
        wanted = k * SPARE
        while True:
            found = [self._index.search(part, vector, wanted) for part in parts]
            nearest = {id: score for each in found for id, score in each.items() if id not in pending}
            best = self._admitted(nearest | scores, scope, only, k)
            if len(best) >= k:
                return best
            # Its graph may not lead to every vector, least of all where many are equal: then all are compared.
            exhausted = all(len(each) < wanted for each in found)
            ids = self._database.ids(scope, only, -1 if exhausted else FEW + 1)
            if exhausted or len(ids) <= FEW:
                return self._among(vector, scores, ids, scope, only, k)
            wanted *= SPARE

    def _among(
        self, vector: bytes, pending: Mapping[str, float], ids: Sequence[str], scope: Scope, only: Filter, k: int
    ) -> list[Match]:
        """Compare just these memories."""
        known = [id for id in ids if id not in pending]
        found = {id: pending[id] for id in ids if id in pending}
        return self._admitted(found | _cosines(vector, self._database.vectors(known)), scope, only, k)

    def _parts(self, scope: Scope) -> list[str]:
        users = self._database.rows(
            "SELECT DISTINCT user FROM namespaces WHERE namespace IN (SELECT value FROM json_each(?))",
            str(self._database.visible(scope)),
        )
        return [self._index.part(user) for (user,) in users]

    # -- order

    def _check_index(self) -> list[Disagreement]:
        pending = {row[0] for row in self._database.rows("SELECT DISTINCT id FROM pending")}
        return [Disagreement(id, "vectors", problem) for _, id, problem in self._differences() if id not in pending]

    def _differences(self) -> Iterator[tuple[str, str, str]]:
        """Collection, id and problem of each vector that Chroma has not as SQLite has it."""
        owners: dict[str, set[str]] = {part: set() for part in self._index.parts()}
        for user, id in self._database.rows(
            "SELECT n.user, m.id FROM vectors JOIN memories m USING (number) JOIN namespaces n USING (namespace)"
        ):
            owners.setdefault(self._index.part(user), set()).add(id)
        for part, ids in owners.items():
            theirs = dict(self._index.vectors(part))
            ours = self._database.vectors(sorted(ids))
            for id in sorted(ids - theirs.keys()):
                yield part, id, "Chroma does not have its vector"
            for id in sorted(theirs.keys() - ids):
                yield part, id, "Chroma has a vector of no memory"
            for id in sorted(ids & theirs.keys()):
                if ours[id] != theirs[id] and _cosines(ours[id], {id: theirs[id]})[id] < _SAME:
                    yield part, id, "Chroma has another vector"

    def _repair_index(self) -> None:
        with self._database.writing():
            for part, id, _ in self._differences():
                self._note([(id, part)], removed=False)  # what has no memory is found to have no vector, and removed
        self._tell()
        self._rebuild()

    def _close(self) -> None:
        try:
            self._tell(patient=True)
            with suppress(MemoryStoreError):  # what could not be made anew stays noted, for the next closing
                self._rebuild(REBUILT_AT_CLOSING)
            super()._close()
        finally:
            self._index.close()
            if self._lock is not None:
                self._lock.release()


def _one_process(folder: Path) -> Any:
    import filelock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock", thread_local=False)  # released by the store's thread
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise MemoryStoreError(
            f"the memory {str(folder)!r} is open already, and Chroma allows one process a folder. For several, run a "
            f"server (chroma run --path {str(folder / 'chroma')!r}) and give its URL."
        ) from None
    except OSError as error:
        raise MemoryStoreError(f"cannot open the memory {str(folder)!r}: {error}") from error
    return lock


def _cosines(vector: bytes, others: Mapping[str, bytes]) -> dict[str, float]:
    import numpy as np

    if not others:
        return {}
    rows = np.frombuffer(b"".join(others.values()), dtype=np.float32).reshape(len(others), -1)
    scores = np.einsum("ij,j->i", rows, np.frombuffer(vector, dtype=np.float32))
    return dict(zip(others, scores.tolist(), strict=True))
