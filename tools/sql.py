"""One SQLite database as tools: look at its schema, query it without any way to change it, and change it on request.

Queries run on a read-only connection whose statements are authorized one action at a time; a progress handler ends what
takes too long. Every write is its own transaction and asks for approval unless the policy says otherwise.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Literal

from typing_extensions import TypedDict

from agentkit.errors import DefinitionError, ModelRetry
from agentkit.toolbox import Tool, tool
from agentkit.tools._sqlite import (
    MAX_RESULT_CHARACTERS,
    Database,
    Parameter,
    columns_of,
    distinct_names,
    json_value,
    quoted,
    table_names,
)

MAX_TABLES = 500


class TableColumn(TypedDict):
    """A column of a table.

    Attributes:
        name: Its name.
        type: Declared type, e.g. ``INTEGER``; ``ANY`` if none is declared.
        required: Whether it refuses null.
        primary_key: Whether it belongs to the primary key.
    """

    name: str
    type: str
    required: bool
    primary_key: bool


class TableInfo(TypedDict):
    """A table or view.

    Attributes:
        name: Its name.
        kind: Whether it stores its rows or computes them.
        columns: Its columns in their order.
        row_count: How many rows it has; null for a view, and where counting takes too long.
    """

    name: str
    kind: Literal["table", "view"]
    columns: list[TableColumn]
    row_count: int | None


class QueryResult(TypedDict):
    """Rows of a query.

    Attributes:
        columns: Names of the columns in their order.
        rows: One object a row, keyed by column name.
        row_count: How many rows are given.
        truncated: Whether the query has more rows than were given.
    """

    columns: list[str]
    rows: list[dict[str, object]]
    row_count: int
    truncated: bool


class WriteResult(TypedDict):
    """What a statement changed.

    Attributes:
        rows_affected: How many rows were inserted, updated or deleted; 0 when a table was made or dropped.
        last_row_id: Row id of the last inserted row; null if nothing was inserted.
    """

    rows_affected: int
    last_row_id: int | None


def sqlite_tools(
    path: str | os.PathLike[str],
    *,
    max_rows: int = 200,
    timeout: float = 5.0,
    read_only: bool = False,
    resource: str = "database",
) -> tuple[Tool, ...]:
    """Tools on one SQLite database: ``list_tables``, ``run_query`` and, unless `read_only`, ``execute_sql``.

    Args:
        path: The database file; it may be created later, before the first call.
        max_rows: Rows that one query gives at most.
        timeout: Seconds that one statement may take.
        read_only: Leave out the tool that writes.
        resource: Name under which plans order reads and writes of this database.

    Raises:
        DefinitionError: If `max_rows` or `timeout` is not positive.
    """
    if max_rows < 1 or timeout <= 0:
        raise DefinitionError(f"max_rows and timeout must be positive, not {max_rows!r} and {timeout!r}")
    database = Database(Path(path), timeout)

    @tool(effect="read", resources=(resource,), tags=("sql",), expected_seconds=0.01)
    def list_tables() -> list[TableInfo]:
        """List the tables of the database with their columns, types and row counts."""
        return _list_tables(database)

    @tool(effect="read", resources=(resource,), tags=("sql",), expected_seconds=0.01)
    def run_query(sql: str, parameters: list[Parameter] | None = None) -> QueryResult:
        """Read from the database with one SQL SELECT statement.

        Args:
            sql: SELECT statement in SQLite's dialect.
            parameters: Values for the ? in the statement, in their order.
        """
        return _run_query(database, sql, parameters or [], max_rows)

    @tool(effect="write", resources=(resource,), approval="ask", tags=("sql",), expected_seconds=0.02)
    def execute_sql(sql: str, parameters: list[Parameter] | None = None) -> WriteResult:
        """Change the database with one SQL statement: INSERT, UPDATE, DELETE, CREATE, ALTER or DROP.

        Args:
            sql: Statement in SQLite's dialect; it takes effect completely or not at all.
            parameters: Values for the ? in the statement, in their order.
        """
        return _execute(database, sql, parameters or [])

    return (list_tables, run_query) if read_only else (list_tables, run_query, execute_sql)


def _list_tables(database: Database) -> list[TableInfo]:
    tables: list[TableInfo] = []
    with database.opened(writing=False) as connection, database.explained(connection, "", writing=False):
        names = table_names(connection)
        if len(names) > MAX_TABLES:
            raise ModelRetry(f"there are {len(names)} tables, too many to list; query sqlite_schema for names")
        described = [(name, kind, columns_of(connection, name)) for name, kind in names]
        for name, kind, columns in described:
            tables.append(
                TableInfo(
                    name=name,
                    kind="view" if kind == "view" else "table",
                    columns=[
                        TableColumn(name=one.name, type=one.type, required=one.required, primary_key=one.primary_key)
                        for one in columns
                    ],
                    row_count=_count_rows(connection, name) if kind == "table" else None,
                )
            )
    return tables


def _count_rows(connection: sqlite3.Connection, table: str) -> int | None:
    # A large table runs into the time limit, a virtual one may lack its module: the rest of the schema still counts.
    with contextlib.suppress(sqlite3.OperationalError):
        return int(connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0])
    return None


def _run_query(database: Database, sql: str, parameters: list[Parameter], max_rows: int) -> QueryResult:
    rows: list[dict[str, object]] = []
    size = 0
    with database.opened(writing=False) as connection:
        cursor = database.run(connection, sql, parameters, writing=False)
        if cursor.description is None:
            raise ModelRetry("this statement returns no rows; write a SELECT")
        columns = distinct_names([str(column[0]) for column in cursor.description])
        truncated = False
        with database.explained(connection, sql, writing=False):
            for row in cursor:
                values = [json_value(value) for value in row]
                size += sum(len(value) if isinstance(value, str) else 8 for value in values)
                truncated = len(rows) == max_rows or size > MAX_RESULT_CHARACTERS
                if truncated:
                    break
                rows.append(dict(zip(columns, values, strict=True)))
    return QueryResult(columns=columns, rows=rows, row_count=len(rows), truncated=truncated)


def _execute(database: Database, sql: str, parameters: list[Parameter]) -> WriteResult:
    with database.opened(writing=True) as connection:
        with database.explained(connection, sql, writing=True):
            connection.execute("BEGIN IMMEDIATE")
        cursor = database.run(connection, sql, parameters, writing=True)
        with database.explained(connection, sql, writing=True):
            cursor.fetchall()
            if cursor.description is not None and cursor.rowcount < 0:
                raise ModelRetry("this statement only reads; use run_query()")
            connection.set_authorizer(None)
            connection.execute("COMMIT")
    # A connection of its own for every statement: a row id can only come from this one.
    return WriteResult(rows_affected=max(cursor.rowcount, 0), last_row_id=cursor.lastrowid or None)
