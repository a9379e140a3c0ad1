"""A cache in one SQLite file: for answers of models and for results of tools.

An entry has a scope, the user that it belongs to, and is found by requests of that scope only.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Final
from weakref import finalize

from agentkit.errors import DefinitionError
from agentkit.messages import Json

_log = logging.getLogger(__name__)

VERSION = 1
"""The schema's version, kept in SQLite's ``user_version``; the entries of another version are dropped."""

MISS: Final = object()
"""What `CacheStore.get` gives where there is no entry."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    kind TEXT NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL, place TEXT NOT NULL, tags TEXT NOT NULL,
    value TEXT NOT NULL, size INTEGER NOT NULL, expires REAL, used INTEGER NOT NULL,
    PRIMARY KEY (kind, scope, key)
);
CREATE INDEX IF NOT EXISTS by_use ON entries (used);
CREATE INDEX IF NOT EXISTS by_place ON entries (kind, scope, place);
CREATE TABLE IF NOT EXISTS totals (
    one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, clock INTEGER NOT NULL
);
INSERT OR IGNORE INTO totals VALUES (1, 0, 0);
CREATE TRIGGER IF NOT EXISTS entered AFTER INSERT ON entries BEGIN UPDATE totals SET size = size + new.size; END;
CREATE TRIGGER IF NOT EXISTS dropped AFTER DELETE ON entries BEGIN UPDATE totals SET size = size - old.size; END;
"""
_OVERHEAD = 200
"""Bytes that an entry takes besides its value, about."""


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache holds, and what this object has seen of its use.

    Attributes:
        hits: Times that an entry was found.
        misses: Times that none was.
        evicted: Entries that were dropped to keep within the size.
        entries: Entries in the file, expired ones that nobody asked for included.
        size: Their bytes, about.
    """

    hits: int
    misses: int
    evicted: int
    entries: int
    size: int


class CacheStore:
    """The cache. Several processes may use one file; what was used longest ago goes first when it is full.

    Args:
        path: The file; the default keeps everything in memory.
        max_bytes: How much it may hold.
        time: Unix time in seconds, for tests.

    Raises:
        DefinitionError: The file cannot be opened as a cache, or `max_bytes` is not positive.
    """

    def __init__(
        self, path: str | Path = ":memory:", *, max_bytes: int = 256_000_000, time: Callable[[], float] = time.time
    ) -> None:
        if max_bytes <= 0:
            raise DefinitionError(f"max_bytes is {max_bytes!r}; expected a positive number of bytes.")
        self.path = str(path)
        self._max_bytes = max_bytes
        self._time = time
        self._lock = RLock()
        self._hits = self._misses = self._evicted = 0
        try:
            self._db = self._open()
        except (sqlite3.Error, OSError) as error:
            raise DefinitionError(
                f"cannot open the cache {self.path!r}: {error}. Delete the file or choose another one."
            ) from error
        self._close = finalize(self, self._db.close)

    def __repr__(self) -> str:
        return f"CacheStore({self.path!r})"

    def _open(self) -> sqlite3.Connection:
        if self.path != ":memory:":
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=5, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if db.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
            db.executescript("DROP TABLE IF EXISTS entries; DROP TABLE IF EXISTS totals;")
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {VERSION}")
        return db

    def get(self, kind: str, scope: str, key: str) -> Json:
        """The value of an entry, or `MISS`. An entry that has expired is dropped; a file that fails has no entries."""
        try:
            return self._get(kind, scope, key)
        except (sqlite3.Error, ValueError) as error:
            _log.warning("cannot read the cache %r: %s", self.path, error)
            return MISS

    def _get(self, kind: str, scope: str, key: str) -> Json:
        with self._lock:
            row = self._db.execute(
                "SELECT value, expires FROM entries WHERE kind = ? AND scope = ? AND key = ?", (kind, scope, key)
            ).fetchone()
            if row is None or (row[1] is not None and row[1] <= self._time()):
                self._misses += 1
                if row is not None:
                    self._delete("kind = ? AND scope = ? AND key = ?", kind, scope, key)
                return MISS
            self._hits += 1
            with self._transaction():
                self._db.execute(
                    "UPDATE entries SET used = ? WHERE kind = ? AND scope = ? AND key = ?",
                    (self._tick(), kind, scope, key),
                )
            return json.loads(row[0])

    def put(
        self,
        kind: str,
        scope: str,
        key: str,
        value: Json,
        *,
        ttl: float | None = None,
        place: str = "",
        tags: Iterable[str] = (),
    ) -> None:
        """Keep a value; one that is larger than the whole cache, or that the file has no room for, is not kept.

        Args:
            kind: What sort of thing it is; sorts do not see each other's entries.
            scope: Whom it belongs to; empty for everybody.
            key: What it is found by.
            value: Any JSON value.
            ttl: Seconds until it expires; None for never.
            place: A group that `within` lists.
            tags: Words that `forget` may name.
        """
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode("utf-8", "surrogatepass")) + _OVERHEAD
        if size > self._max_bytes:
            return
        expires = None if ttl is None else self._time() + ttl
        try:
            with self._lock, self._transaction():
                self._delete("kind = ? AND scope = ? AND key = ?", kind, scope, key)
                row = (kind, scope, key, place, _joined(tags), text, size, expires, self._tick())
                self._db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                self._shrink()
        except sqlite3.Error as error:
            _log.warning("cannot write the cache %r: %s", self.path, error)

    def within(self, kind: str, scope: str, place: str) -> Iterator[tuple[str, Json]]:
        """The keys and values of a group, the last used last; expired ones left out."""
        with self._lock:
            rows = self._db.execute(
                "SELECT key, value FROM entries WHERE kind = ? AND scope = ? AND place = ?"
                " AND (expires IS NULL OR expires > ?) ORDER BY used",
                (kind, scope, place, self._time()),
            ).fetchall()
        return ((key, json.loads(value)) for key, value in rows)

    def forget(self, *, kind: str | None = None, scope: str | None = None, tags: Iterable[str] | None = None) -> int:
        """Drop entries; those that fit everything that is given.

        Args:
            kind: Of this sort.
            scope: Of this user.
            tags: With one of these tags, or with none at all.

        Returns:
            How many.
        """
        conditions, values = ["1"], []
        for column, value in (("kind", kind), ("scope", scope)):
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        if tags is not None:
            named = [_joined((tag,)) for tag in tags]
            conditions.append("(" + " OR ".join(["tags = ''", *("instr(tags, ?)" for _ in named)]) + ")")
            values += named
        with self._lock, self._transaction():
            return self._delete(" AND ".join(conditions), *values)

    def stats(self) -> CacheStats:
        """What it holds and how it was used."""
        with self._lock:
            entries = self._db.execute("SELECT count(*) FROM entries").fetchone()[0]
            size = self._db.execute("SELECT size FROM totals").fetchone()[0]
            return CacheStats(self._hits, self._misses, self._evicted, entries, size)

    def close(self) -> None:
        """Close the file; the cache cannot be used any more."""
        with self._lock:
            self._close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One transaction; an inner one is part of it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _tick(self) -> int:
        """The next number of the order of use."""
        number: int = self._db.execute("UPDATE totals SET clock = clock + 1 RETURNING clock").fetchone()[0]
        return number

    def _delete(self, where: str, *values: str) -> int:
        return self._db.execute(f"DELETE FROM entries WHERE {where}", values).rowcount

    def _shrink(self) -> None:
        """Drop what was used longest ago until the rest fits."""
        while self._db.execute("SELECT size FROM totals").fetchone()[0] > self._max_bytes:
            self._evicted += self._db.execute(
                "DELETE FROM entries WHERE (kind, scope, key) IN"
                " (SELECT kind, scope, key FROM entries ORDER BY used LIMIT 1)"
            ).rowcount


def _joined(tags: Iterable[str]) -> str:
    """Tags as one text in which each can be found by itself."""
    return "".join(f"\x1f{tag}\x1f" for tag in sorted(set(tags)))
