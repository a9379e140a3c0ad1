"""The tables of a SQLite file, and the version of them that it was written with."""

from __future__ import annotations

import sqlite3

from agentkit.errors import AgentKitError


def prepare_schema(db: sqlite3.Connection, schema: str, version: int, *, of: str, error: type[AgentKitError]) -> None:
    """Make the tables of a new file; an older or newer one is refused, since reading it could misread what it holds.

    Args:
        db: A connection without an open transaction.
        schema: Statements that may be run twice, as two processes may open a new file at once.
        version: What the file says of itself in SQLite's ``user_version``; 1 or more.
        of: What messages call the file, e.g. ``the journal 'runs.db'``.
        error: Raised for a file of another version.
    """
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found == version:
        return
    if found != 0:
        raise error(
            f"{of} has version {found}, this agentkit writes {version}; use another file, or the agentkit that wrote it"
        )
    db.executescript(f"BEGIN IMMEDIATE; {schema}; PRAGMA user_version = {version}; COMMIT;")
