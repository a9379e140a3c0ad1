"""The SQLite file of a memory store: its tables, records as rows, filters as SQL."""

from __future__ import annotations

import dataclasses
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentkit.embeddings import Embedder
from agentkit.errors import DefinitionError, MemoryStoreError
from agentkit.memory.records import ANY, Filter, Memory, Scope, items_of
from agentkit.sqlite_schema import prepare_schema

VERSION = 1
"""The schema's version, kept in SQLite's ``user_version``."""

BUSY_SECONDS = 10.0
"""How long to wait for another process that writes."""

NEVER = math.inf

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS namespaces (
    namespace INTEGER PRIMARY KEY, user TEXT NOT NULL, agent TEXT NOT NULL, session TEXT NOT NULL,
    UNIQUE (user, agent, session)
);
CREATE TABLE IF NOT EXISTS memories (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, namespace INTEGER NOT NULL, kind TEXT NOT NULL,
    created REAL NOT NULL, accessed REAL NOT NULL, valid_from REAL NOT NULL, ends REAL NOT NULL,
    flagged INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS newest ON memories (namespace, created DESC, id);
CREATE TABLE IF NOT EXISTS labels (number INTEGER NOT NULL, name TEXT NOT NULL, value);
CREATE INDEX IF NOT EXISTS labels_by_value ON labels (name, value, number);
CREATE INDEX IF NOT EXISTS labels_by_number ON labels (number);
CREATE TABLE IF NOT EXISTS vectors (number INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pending (
    change INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, part TEXT NOT NULL, removed INTEGER NOT NULL
);
"""

_COLUMNS = "m.id, n.user, n.agent, n.session, m.kind, m.created, m.accessed, m.valid_from, m.body"
_FROM = "memories m JOIN namespaces n ON n.namespace = m.namespace"
_OWN_COLUMNS = frozenset({"id", "scope", "kind", "created", "accessed", "valid_from"})
_COMPARISONS = {"$eq": "=", "$ne": "<>", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


class Database:
    """One open file. Not for several threads at once; several processes may have the same file open."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        try:
            if self.path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise MemoryStoreError(f"cannot open the memory {self.path!r}: {error}") from error

    def _prepare(self) -> None:
        db = self.connection
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA cache_size = -32000")
        prepare_schema(db, _SCHEMA, VERSION, of=f"the memory {self.path!r}", error=MemoryStoreError)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is committed whole or not at all."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise MemoryStoreError(f"cannot write the memory {self.path!r}: {error}") from error

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What a SELECT finds."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise MemoryStoreError(f"cannot read the memory {self.path!r}: {error}") from error

    def value(self, sql: str, *values: object) -> Any:
        """The first value of the first row, None if there is none."""
        found = self.rows(sql, *values)
        return found[0][0] if found else None

    @property
    def foreign_version(self) -> int:
        """A number that changes when somebody else has written to the file."""
        return int(self.value("PRAGMA data_version"))

    # -- whose

    def namespace(self, scope: Scope) -> int:
        """The number of an owner, made if it is new."""
        self.connection.execute("INSERT OR IGNORE INTO namespaces (user, agent, session) VALUES (?, ?, ?)", scope.parts)
        return int(
            self.value("SELECT namespace FROM namespaces WHERE user = ? AND agent = ? AND session = ?", *scope.parts)
        )

    def visible(self, scope: Scope) -> list[int]:
        """The numbers of the owners whose memories a scope reads."""
        conditions, values = scope_sql(scope)
        return [row[0] for row in self.rows(f"SELECT namespace FROM namespaces n WHERE {conditions}", *values)]

    # -- records

    def read(self, id: str, scope: Scope) -> Memory | None:
        """A memory of the scope."""
        found = self.select(scope, Filter(ids=(id,)))
        return found[0] if found else None

    def select(self, scope: Scope, only: Filter, *, limit: int | None = None, offset: int = 0) -> list[Memory]:
        """The memories of the scope that meet a filter, newest first."""
        source, values = source_sql(scope, only)
        order = "ORDER BY m.created DESC, m.id LIMIT ? OFFSET ?"
        rows = self.rows(
            f"SELECT {_COLUMNS} FROM {source} {order}",
            *values,
            -1 if limit is None else limit,
            offset,
        )
        return [_memory(row) for row in rows]

    def count(self, scope: Scope, only: Filter) -> int:
        """How many memories of the scope meet a filter."""
        source, values = source_sql(scope, only)
        return int(self.value(f"SELECT count(*) FROM {source}", *values))

    def ids(self, scope: Scope, only: Filter, limit: int) -> list[str]:
        """The ids of some memories of the scope that meet a filter."""
        source, values = source_sql(scope, only)
        return [row[0] for row in self.rows(f"SELECT m.id FROM {source} LIMIT ?", *values, limit)]

    def used(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are taken, by anybody."""
        sql = "SELECT id FROM memories WHERE id IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self.rows(sql, json.dumps(list(ids)))}

    def numbers(self, scope: Scope, only: Filter) -> list[int]:
        """The row numbers of all memories of the scope that meet a filter."""
        source, values = source_sql(scope, only)
        return [row[0] for row in self.rows(f"SELECT m.number FROM {source}", *values)]

    def insert(self, memory: Memory) -> int:
        """Put a new memory in; returns its row number."""
        cursor = self.connection.execute(
            "INSERT INTO memories (id, namespace, kind, created, accessed, valid_from, ends, flagged, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (memory.id, self.namespace(memory.scope), *_cells(memory)),
        )
        number = int(cursor.lastrowid or 0)
        self._label(number, memory)
        return number

    def replace(self, memory: Memory) -> int:
        """Put a memory in the place of the one with its id; returns its row number."""
        self.connection.execute(
            "UPDATE memories SET kind = ?, created = ?, accessed = ?, valid_from = ?, ends = ?, flagged = ?, body = ?"
            " WHERE id = ?",
            (*_cells(memory), memory.id),
        )
        number = int(self.value("SELECT number FROM memories WHERE id = ?", memory.id))
        self.connection.execute("DELETE FROM labels WHERE number = ?", (number,))
        self._label(number, memory)
        return number

    def remove(self, id: str) -> None:
        """Take a memory out."""
        number = self.value("SELECT number FROM memories WHERE id = ?", id)
        for table in ("labels", "vectors", "memories"):
            self.connection.execute(f"DELETE FROM {table} WHERE number = ?", (number,))

    def _label(self, number: int, memory: Memory) -> None:
        self.connection.executemany(
            "INSERT INTO labels (number, name, value) VALUES (?, ?, ?)",
            ((number, name, _cell(item)) for name, value in memory.metadata.items() for item in items_of(value)),
        )

    # -- vectors

    def put_vector(self, number: int, vector: bytes) -> None:
        """Keep a memory's vector, 4-byte floats of length 1."""
        self.connection.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?)", (number, vector))

    def vectors(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The vectors of memories, whoever owns them."""
        rows = self.rows(
            "SELECT m.id, v.vector FROM json_each(?) j JOIN memories m ON m.id = j.value JOIN vectors v USING (number)",
            json.dumps(list(ids)),
        )
        return dict(rows)

    def remember_embedder(self, embedder: Embedder) -> None:
        """Note whose vectors the file holds. One that never held a memory takes any embedder.

        Raises:
            DefinitionError: It holds those of another embedder.
        """
        mine = {"embedder": embedder.name, "dimension": str(embedder.dimension)}
        with self.writing() as db:
            known = dict(self.rows("SELECT key, value FROM about WHERE key IN ('embedder', 'dimension')"))
            unused = not self.value("SELECT max(seq) FROM sqlite_sequence WHERE name = 'memories'")
            if unused or not known:
                db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", mine.items())
        if known not in ({}, mine) and not unused:
            raise other_embedder(self.path, known["embedder"], known["dimension"], embedder)

    def shrink(self) -> None:
        """Empty the write-ahead log, so that what was deleted is in no file.

        Raises:
            MemoryStoreError: Another process is reading an earlier state.
        """
        if self.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
            raise MemoryStoreError(
                f"what was deleted from the memory {self.path!r} is still in its write-ahead log, because another "
                "process is reading it; call repair() when that process is done."
            )


def other_embedder(where: str, name: str, dimension: object, embedder: Embedder) -> DefinitionError:
    """Vectors of two embedders do not go together."""
    theirs = f"{name!r} with {dimension} numbers" if name == embedder.name else repr(name)
    return DefinitionError(
        f"the memory {where!r} was written with the embedder {name!r} ({dimension} numbers a vector), and "
        f"{embedder.name!r} ({embedder.dimension}) cannot search it. Use {theirs}, or copy the memories "
        "into a new store."
    )


def scope_sql(scope: Scope) -> tuple[str, list[object]]:
    """What a scope reads, as a condition on ``namespaces n``."""
    parts = [
        (f"n.{name} IN ('', ?)", part)
        for name, part in zip(("user", "agent", "session"), scope.parts, strict=True)
        if part != ANY
    ]
    return " AND ".join(sql for sql, _ in parts) or "1", [value for _, value in parts]


def source_sql(scope: Scope, only: Filter) -> tuple[str, list[object]]:
    """What a scope reads and a filter lets through: what follows FROM, with ``memories m`` and ``namespaces n``."""
    tables, values = _FROM, list[object]()
    if only.ids is not None:  # look these up one by one, whatever the planner thinks
        tables = f"json_each(?) j CROSS JOIN {_FROM.replace('m JOIN', 'm ON m.id = j.value JOIN')}"
        values.append(json.dumps(list(dict.fromkeys(only.ids))))
    conditions, operands = _conditions(scope, only)
    return f"{tables} WHERE {conditions}", [*values, *operands]


def _conditions(scope: Scope, only: Filter) -> tuple[str, list[object]]:
    where, values = scope_sql(scope)
    conditions = [where]

    def add(sql: str, *more: object) -> None:
        conditions.append(sql)
        values.extend(more)

    if only.kinds:
        add("m.kind IN (SELECT value FROM json_each(?))", json.dumps(only.kinds))
    if only.since is not None:
        add("m.valid_from >= ?", only.since)
    if only.until is not None:
        add("m.valid_from < ?", only.until)
    if only.at is not None:
        add("m.valid_from <= ? AND ? < m.ends", only.at, only.at)
    if only.flagged is not None:
        add("m.flagged = ?", int(only.flagged))
    for name, operator, operand in only.conditions():
        sql, operands = _label_sql(operator, operand)
        add(f"EXISTS (SELECT 1 FROM labels l WHERE l.number = m.number AND l.name = ? AND {sql})", name, *operands)
    return " AND ".join(conditions), values


def _label_sql(operator: str, operand: Any) -> tuple[str, list[object]]:
    if operator in ("$in", "$nin"):
        if not operand:
            return ("0" if operator == "$in" else "1"), []
        marks = ", ".join("?" * len(operand))
        return f"l.value {'IN' if operator == '$in' else 'NOT IN'} ({marks})", [_cell(item) for item in operand]
    sql = f"l.value {_COMPARISONS[operator]} ?"
    if operator in ("$eq", "$ne"):
        return sql, [_cell(operand)]
    if operand is None or isinstance(operand, bool):
        return "0", []
    types = "'text'" if isinstance(operand, str) else "'integer', 'real'"
    return f"{sql} AND typeof(l.value) IN ({types})", [operand]


def _cell(value: Any) -> object:
    """A metadata value as SQLite compares it: booleans and null are blobs, which equal nothing else."""
    if value is None:
        return b"null"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def _cells(memory: Memory) -> tuple[object, ...]:
    fields = (field.name for field in dataclasses.fields(memory) if field.name not in _OWN_COLUMNS)
    body = {name: getattr(memory, name) for name in fields}
    body["provenance"] = {name: value for name, value in dataclasses.asdict(memory.provenance).items() if value}
    ends = min(NEVER if time is None else time for time in (memory.valid_until, memory.expires))
    times = (memory.created, memory.accessed, memory.valid_from, ends)
    return (memory.kind, *times, int(bool(memory.flagged)), json.dumps(body, ensure_ascii=False))


def _memory(row: Sequence[Any]) -> Memory:
    id, user, agent, session, kind, created, accessed, valid_from, body = row
    data: Mapping[str, Any] = json.loads(body)
    own = {"id": id, "kind": kind, "created": created, "accessed": accessed, "valid_from": valid_from}
    return Memory.from_json({**data, **own, "scope": {"user": user, "agent": agent, "session": session}})


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Items in lists of at most `size`."""
    waiting = list(items)
    for start in range(0, len(waiting), size):
        yield waiting[start : start + size]
