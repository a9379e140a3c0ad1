"""Guarded access to one SQLite database: what a statement may do, how long it may take, how much it may return."""

from __future__ import annotations

import contextlib
import difflib
import math
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from agentkit.errors import ModelRetry, ToolError

Parameter: TypeAlias = str | int | float | bool | None

MAX_SQL = 20_000
MAX_VALUE_BYTES = 5_000_000
MAX_RESULT_CHARACTERS = 1_000_000
_OPERATIONS_BETWEEN_CHECKS = 1_000

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_NEVER = frozenset(
    {
        sqlite3.SQLITE_ATTACH,  # also what VACUUM INTO asks for
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_PRAGMA,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_CREATE_VTABLE,
        sqlite3.SQLITE_DROP_VTABLE,
    }
)
_OPERATOR_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    }
)
_UNSAFE_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
_JSON_TABLES = ("json_each", "json_tree")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w$]*")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the schema declares it."""

    name: str
    type: str
    required: bool
    primary_key: bool


@dataclass(frozen=True, slots=True)
class Database:
    """A database file and the bounds on its use.

    Attributes:
        path: The file.
        timeout: Seconds for one statement, and for waiting on other processes' locks.
    """

    path: Path
    timeout: float

    @contextlib.contextmanager
    def opened(self, *, writing: bool) -> Iterator[sqlite3.Connection]:
        """A fresh connection under the limits, closed afterwards.

        Raises:
            ToolError: If the file cannot be opened as a database.
        """
        if not self.path.is_file():
            raise ToolError(f"there is no database file {self.path.name!r}; create it before its tools are called")
        uri = f"{self.path.resolve().as_uri()}?mode={'rw' if writing else 'ro'}"
        connection = sqlite3.connect(uri, uri=True, timeout=self.timeout, isolation_level=None)
        try:
            connection.text_factory = _decode
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200)
            if writing:
                connection.execute("PRAGMA foreign_keys = ON")
            else:
                connection.execute("PRAGMA query_only = ON")
            deadline = time.monotonic() + self.timeout
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _OPERATIONS_BETWEEN_CHECKS)
            yield connection
        finally:
            connection.close()

    def run(
        self, connection: sqlite3.Connection, sql: str, parameters: Sequence[Parameter], *, writing: bool
    ) -> sqlite3.Cursor:
        """Start one statement of a model's under the authorizer.

        Raises:
            ModelRetry: If SQLite refuses it; the message names what the schema has instead.
            ToolError: If the database is locked or broken.
        """
        if len(sql) > MAX_SQL:
            raise ModelRetry(f"the SQL has {len(sql)} characters; at most {MAX_SQL} are taken")
        with self.explained(connection, sql, writing=writing):
            _connect_virtual_tables(connection, sql)
            connection.set_authorizer(_authorizer(writing=writing))
            return connection.execute(sql, tuple(parameters))

    @contextlib.contextmanager
    def explained(self, connection: sqlite3.Connection, sql: str, *, writing: bool) -> Iterator[None]:
        """Turn SQLite's errors into messages that help."""
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeEncodeError) as error:
            connection.set_authorizer(None)
            raise self._explain(connection, sql, error, writing=writing) from None

    def _explain(
        self, connection: sqlite3.Connection, sql: str, error: Exception, *, writing: bool
    ) -> ModelRetry | ToolError:
        message = str(error)
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:
            return ModelRetry(
                f"stopped after {self.timeout:g} s; ask for less: add a condition, a LIMIT or an aggregate"
            )
        if code in _OPERATOR_CODES:
            return ToolError(f"the database cannot be used now: {message}")
        if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY) or message.startswith("not authorized"):
            wanted = "one statement that changes tables" if writing else "a SELECT; changes need execute_sql()"
            return ModelRetry(f"this statement is not allowed here ({message}); write {wanted}")
        if "one statement at a time" in message:
            return ModelRetry("give one statement at a time, without anything after its semicolon")
        if isinstance(error, OverflowError):
            return ModelRetry("a parameter is a whole number beyond 64 bits, which SQLite has not; pass it as text")
        if "number of bindings" in message:
            return ModelRetry(f"{message.removesuffix('.')}; write one '?' for each item of parameters")
        connection.set_progress_handler(None, 0)
        return ModelRetry(f"{message}{schema_hint(connection, sql, message)}")


def table_names(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Names and kinds (``table``, ``view``) of what the database holds, in alphabetical order."""
    found = connection.execute(
        "SELECT name, type FROM sqlite_schema "
        "WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [(str(name), str(kind)) for name, kind in found]


def _connect_virtual_tables(connection: sqlite3.Connection, sql: str) -> None:
    """Let SQLite set up the virtual tables that a statement names, such as full-text indexes and ``json_each``.

    That looks like a write to the schema, which the authorizer would refuse. Only tables that the database has, and
    the functions that SQLite itself has for JSON, are set up.
    """
    named = {word.lower() for word in _IDENTIFIER.findall(sql)}
    found = connection.execute("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%'")
    tables = [quoted(str(name)) for (name,) in found if str(name).lower() in named]
    for table in [*tables, *(function for function in _JSON_TABLES if function in named)]:
        # One whose module is missing, or that needs arguments, says so when the statement itself runs.
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute(f"SELECT 1 FROM {table} LIMIT 0")


def quoted(name: str) -> str:
    """A name as SQL spells any name."""
    return '"' + name.replace('"', '""') + '"'


def columns_of(connection: sqlite3.Connection, table: str) -> list[Column]:
    """The columns of a table or view, in their order; generated ones included."""
    found = connection.execute(
        'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1', (table,)
    )
    return [Column(name, kind or "ANY", bool(required), bool(key)) for name, kind, required, key in found]


def schema_hint(connection: sqlite3.Connection, sql: str, message: str) -> str:
    """What to write instead of an unknown table or column."""
    names = [name for name, _ in table_names(connection)]
    if match := re.search(r"no such table: (?:main\.)?(\S+)|has no table named (\S+)", message):
        return f"; tables are {_listed(names)}{_did_you_mean(match[1] or match[2], names)}"
    match = re.search(r"no such column: (?:\w+\.)*\"?(\w+)|has no column named (\w+)", message)
    if match is None:
        return ""
    used = {word.lower() for word in _IDENTIFIER.findall(sql)}
    tables = {name: [one.name for one in columns_of(connection, name)] for name in names if name.lower() in used}
    described = "; ".join(f"columns of {name} are {_listed(columns)}" for name, columns in tables.items())
    every = [column for columns in tables.values() for column in columns]
    return f"; {described}{_did_you_mean(match[1] or match[2], every)}" if described else ""


def json_value(value: object) -> object:
    """A value of SQLite's as JSON: blobs and infinities become text that says so."""
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def distinct_names(names: Sequence[str]) -> list[str]:
    """`names` with ``_2``, ``_3``… after those that came before, so that they can be keys."""
    taken: dict[str, None] = {}
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken[candidate] = None
    return list(taken)


def _authorizer(*, writing: bool) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
    def allowed(action: int, first: str | None, name: str | None, __: str | None, ___: str | None) -> bool:
        if action == sqlite3.SQLITE_FUNCTION:
            return (name or "").lower() not in _UNSAFE_FUNCTIONS
        if action == sqlite3.SQLITE_PRAGMA:
            return (first, name) == ("data_version", None)  # what full-text indexes ask for by themselves
        return action in _READING or (writing and action not in _NEVER)

    return lambda *request: sqlite3.SQLITE_OK if allowed(*request) else sqlite3.SQLITE_DENY


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:40])
    return f"{shown}, …" if len(names) > 40 else shown or "none"


def _did_you_mean(wrong: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(wrong.lower(), [name.lower() for name in names], n=1)
    exact = next((name for name in names if near and name.lower() == near[0]), None)
    return f"; did you mean {exact!r}?" if exact else ""
