"""Sessions: conversations in one SQLite file, that any number of runs and processes may continue at once.

A run reads the session when it begins and adds its turn when it ends. A turn is added whole, in one transaction, after
the turns that ended before it: two runs of one session at once both see the conversation as it was when they began, and
their turns stand one after the other in the order in which they ended. Nothing is lost and nothing is interleaved.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from agentkit.errors import SessionError
from agentkit.messages import Json, Message
from agentkit.sqlite_schema import prepare_schema
from agentkit.transcript import message_from_json, message_to_json

VERSION = 1
"""The schema's version, kept in SQLite's ``user_version``."""

BUSY = 30.0
"""Seconds to wait for another process that is writing."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (session TEXT PRIMARY KEY, user TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS turns (
    session TEXT NOT NULL, number INTEGER NOT NULL, run_id TEXT NOT NULL, at REAL NOT NULL, status TEXT NOT NULL,
    PRIMARY KEY (session, number), UNIQUE (session, run_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    session TEXT NOT NULL, turn INTEGER NOT NULL, position INTEGER NOT NULL, message TEXT NOT NULL,
    handed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (session, turn, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (
    session TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (session, name)
) WITHOUT ROWID;
"""

T = TypeVar("T")
Place = tuple[int, int]
"""Where a message stands: its turn, and its position in it."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A session as it was when it was read.

    Attributes:
        messages: All its messages, oldest first.
        places: Where each of them stands.
        notes: What the policies of short-term memory have written down.
    """

    messages: tuple[Message, ...] = ()
    places: tuple[Place, ...] = ()
    notes: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as it is listed: its name, whose it is, when it began and was last added to (Unix seconds)."""

    session: str
    user: str
    created: float
    updated: float
    turns: int


class SessionStore:
    """Sessions in a SQLite file (WAL). A session belongs to the user who began it; nobody else can read or add to it.

    Args:
        path: The file; made if it is not there.

    Raises:
        SessionError: It cannot be opened, or is from another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._db() as db:
                prepare_schema(db, _SCHEMA, VERSION, of=f"the session file {str(self.path)!r}", error=SessionError)
        except (sqlite3.Error, OSError) as error:
            raise SessionError(f"cannot open the sessions {str(self.path)!r}: {error}") from error

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=BUSY, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA secure_delete = ON")
            yield db

    async def _in_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work` in one transaction that nobody else writes in."""

        def transaction() -> T:
            with self._db() as db:
                db.execute("BEGIN IMMEDIATE")
                try:
                    result = work(db)
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
                return result

        try:
            return await asyncio.to_thread(transaction)
        except sqlite3.Error as error:
            raise SessionError(f"the sessions {str(self.path)!r} cannot be used: {error}") from error

    async def read(self, session: str, *, user: str = "", without_run: str = "") -> Conversation:
        """A session; an empty one if it has not begun.

        Args:
            session: Its name.
            user: Who asks.
            without_run: A run whose turn is left out, because it is about to be gone on with.

        Raises:
            SessionError: It is somebody else's, or cannot be read.
        """

        def work(db: sqlite3.Connection) -> Conversation:
            self._check_user(db, session, user)
            rows = db.execute(
                "SELECT m.turn, m.position, m.message FROM messages m JOIN turns t "
                "ON t.session = m.session AND t.number = m.turn "
                "WHERE m.session = ? AND t.run_id <> ? ORDER BY m.turn, m.position",
                (session, without_run),
            ).fetchall()
            notes = db.execute("SELECT name, value FROM notes WHERE session = ?", (session,)).fetchall()
            return Conversation(
                tuple(message_from_json(json.loads(text)) for _, _, text in rows),
                tuple((turn, position) for turn, position, _ in rows),
                {name: json.loads(value) for name, value in notes},
            )

        return await self._in_thread(work)

    async def add(
        self, session: str, messages: Sequence[Message], *, run_id: str, at: float, status: str = "done", user: str = ""
    ) -> int:
        """Add a turn, whole, at the end. A run that is gone on with replaces its own turn where that stands.

        Returns:
            The turn's number, from 1.

        Raises:
            SessionError: The session is somebody else's, or cannot be written.
        """

        def work(db: sqlite3.Connection) -> int:
            self._check_user(db, session, user)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (session, user, at))
            found = db.execute(
                "SELECT number FROM turns WHERE session = ? AND run_id = ?", (session, run_id)
            ).fetchone()
            last = db.execute("SELECT max(number) FROM turns WHERE session = ?", (session,)).fetchone()[0] or 0
            number = found[0] if found else last + 1
            db.execute("REPLACE INTO turns VALUES (?, ?, ?, ?, ?)", (session, number, run_id, at, status))
            db.execute("DELETE FROM messages WHERE session = ? AND turn = ?", (session, number))
            rows = [(session, number, n, json.dumps(message_to_json(m))) for n, m in enumerate(messages)]
            db.executemany("INSERT INTO messages (session, turn, position, message) VALUES (?, ?, ?, ?)", rows)
            return int(number)

        return await self._in_thread(work)

    async def claim(self, session: str, places: Sequence[Place]) -> list[Place]:
        """Those of the messages that have not been handed over yet; they count as handed over from now on."""
        return await self._set_handed(session, places, 1)

    async def give_back(self, session: str, places: Sequence[Place]) -> None:
        """Take back a claim whose messages could not be handed over."""
        await self._set_handed(session, places, 0)

    async def _set_handed(self, session: str, places: Sequence[Place], handed: int) -> list[Place]:
        def work(db: sqlite3.Connection) -> list[Place]:
            changed = "UPDATE messages SET handed = ? WHERE session = ? AND turn = ? AND position = ? AND handed <> ?"
            return [place for place in places if db.execute(changed, (handed, session, *place, handed)).rowcount]

        return await self._in_thread(work)

    async def note(self, session: str, notes: dict[str, Json]) -> None:
        """Keep what the policies of short-term memory have written down."""

        def work(db: sqlite3.Connection) -> None:
            rows = [(session, name, json.dumps(value)) for name, value in notes.items()]
            db.executemany("REPLACE INTO notes VALUES (?, ?, ?)", rows)

        await self._in_thread(work)

    async def sessions(self, user: str | None = None) -> list[SessionRow]:
        """The sessions of a user, or all of them; the last used first."""

        def work(db: sqlite3.Connection) -> list[SessionRow]:
            rows = db.execute(
                "SELECT s.session, s.user, s.created, max(t.at), count(*) FROM sessions s "
                "JOIN turns t ON t.session = s.session WHERE ? IS NULL OR s.user = ? "
                "GROUP BY s.session ORDER BY max(t.at) DESC, s.session",
                (user, user),
            )
            return [SessionRow(*row) for row in rows]

        return await self._in_thread(work)

    async def delete(self, session: str, *, user: str = "") -> bool:
        """Delete a session for good, also from the file's free pages and its log. False if there is none.

        Raises:
            SessionError: It is somebody else's.
        """

        def work(db: sqlite3.Connection) -> bool:
            self._check_user(db, session, user)
            for table in ("messages", "turns", "notes", "sessions"):
                found = db.execute(f"DELETE FROM {table} WHERE session = ?", (session,)).rowcount
            return found > 0

        deleted = await self._in_thread(work)
        await asyncio.to_thread(self._empty_log)
        return deleted

    def _empty_log(self) -> None:
        with self._db() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _check_user(self, db: sqlite3.Connection, session: str, user: str) -> None:
        row = db.execute("SELECT user FROM sessions WHERE session = ?", (session,)).fetchone()
        if row is not None and row[0] != user:
            raise SessionError(f"the session {session!r} belongs to another user; {user!r} cannot use it")
