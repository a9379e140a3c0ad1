"""The journal: the event stream of every run in one SQLite file, made durable in groups.

A write tool's start is durable before the tool runs, and its result before anything depends on it: the executor awaits
`flush` there. Everything else rides along: a thread commits what has gathered, at the next flush or soon after.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from weakref import WeakValueDictionary

from agentkit._prompts import PromptsWritten, shorten, whole
from agentkit._redaction import Redaction
from agentkit.errors import JournalError
from agentkit.events import Event, ModelCalled, RunFinished, RunResumed, RunStarted, from_json, to_json
from agentkit.sqlite_schema import prepare_schema

VERSION = 1
"""The schema's version, kept in SQLite's ``user_version``."""

GATHER = 0.02
"""Seconds that events gather before they are committed, unless somebody waits for them."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, agent TEXT NOT NULL, task TEXT NOT NULL, started REAL NOT NULL,
    finished REAL, status TEXT NOT NULL, owner TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    run_id TEXT NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (run_id, number)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the journal lists it. `status` is ``running`` or ``interrupted`` until it has finished.

    Attributes:
        run_id: The run's name.
        agent: The agent's name.
        task: What was asked.
        started: Unix seconds.
        finished: Unix seconds, None if it has not finished.
        status: ``done``, ``failed``, ``stopped``, ``declined``, ``running`` or ``interrupted``.
    """

    run_id: str
    agent: str
    task: str
    started: float
    finished: float | None
    status: str


class JournalStore:
    """A journal file. Several processes may use one file; one process at a time may write a run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._writer: _Writer | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._connect() as db:
                prepare_schema(db, _SCHEMA, VERSION, of=f"the journal {str(self.path)!r}", error=JournalError)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"cannot open the journal {str(self.path)!r}: {error}") from error

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(_open(self.path)) as db, db:
            yield db

    def run(self, run_id: str, *, new: bool = False) -> RunJournal:
        """The journal of one run, to be handed to `Run`. Continues where the run's events end.

        Args:
            run_id: The run.
            new: It begins; there must be no run of this name.

        Raises:
            JournalError: Another living process, or another task of this one, writes this run; or it is not new.
        """
        self._drain()
        name = (os.getpid(), self.path.resolve(), run_id)
        with _claiming, self._connect() as db:
            if name in _written_here:
                raise JournalError(f"the run {run_id!r} is being written by this process already")
            db.execute("BEGIN IMMEDIATE")
            row = db.execute("SELECT status, owner FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            if row is not None:
                if row[0] == "running" and _alive(row[1]):
                    raise JournalError(f"the run {run_id!r} is being written by another process ({row[1]})")
                if new:
                    raise JournalError(
                        f"there is a run {run_id!r} in the journal already; resume it, or take another id"
                    )
                db.execute("UPDATE runs SET owner = ?, status = 'running' WHERE run_id = ?", (_owner(), run_id))
            last = db.execute("SELECT max(number) FROM events WHERE run_id = ?", (run_id,)).fetchone()[0]
            if self._writer is None:
                self._writer = _Writer(self.path)
            journal = RunJournal(self._writer, run_id, 0 if last is None else last + 1, row[0] if row else "")
            _written_here[name] = journal
        return journal

    @contextmanager
    def writing(self, run_id: str, *, new: bool = False) -> Iterator[RunJournal]:
        """The journal of one run (see `run`), which others may write after the ``with`` block."""
        journal = self.run(run_id, new=new)
        try:
            yield journal
        finally:
            journal.close()

    def runs(self) -> list[RunRow]:
        """Every run, newest first."""
        self._drain()
        with self._connect() as db:
            rows = db.execute(
                "SELECT run_id, agent, task, started, finished, status, owner FROM runs"
                " ORDER BY started DESC, run_id DESC"
            ).fetchall()
        return [
            RunRow(
                run_id,
                agent,
                task,
                started,
                finished,
                "interrupted" if status == "running" and not _alive(owner, myself=True) else status,
            )
            for run_id, agent, task, started, finished, status, owner in rows
        ]

    def events(self, run_id: str) -> tuple[Event, ...]:
        """The events of a run, oldest first.

        Raises:
            JournalError: There is no such run; the message names the latest ones.
        """
        self._drain()
        with self._connect() as db:
            rows = db.execute("SELECT number, event FROM events WHERE run_id = ? ORDER BY number", (run_id,)).fetchall()
        if not rows:
            latest = ", ".join(row.run_id for row in self.runs()[:3])
            raise JournalError(
                f"the journal {str(self.path)!r} has no run {run_id!r}"
                + (f"; the latest are {latest}" if latest else "; it is empty")
            )
        return tuple(from_json(row) for row in whole((number, json.loads(event)) for number, event in rows))

    def redact(self, *texts: str) -> dict[str, int]:
        """Put ``[forgotten]`` wherever one of `texts` stands as whole words, in every run, and out of the file's bytes.

        Prompts, replies, arguments, values and plans are gone through; names of runs, steps, tools and users stay.

        Returns:
            How many events were changed, by run.

        Raises:
            JournalError: The file cannot be written, or another process is reading an earlier state of it.
        """
        self._drain()
        redaction = Redaction(texts)
        try:
            with closing(_open(self.path)) as db:
                db.execute("PRAGMA secure_delete = ON")
                with db:
                    db.execute("BEGIN IMMEDIATE")
                    changed = _redact(db, redaction)
                if changed:
                    db.execute("VACUUM")
                if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    raise JournalError(
                        f"what was redacted from the journal {str(self.path)!r} is still in its write-ahead log, "
                        "because another process is reading it; do it again when that process is done"
                    )
        except sqlite3.Error as error:
            raise JournalError(f"cannot redact the journal {str(self.path)!r}: {error}") from error
        return changed

    def _drain(self) -> None:
        """Wait until everything that this store was given is in the file."""
        if self._writer is not None:
            self._writer.drain()

    def close(self) -> None:
        """Commit everything and stop the writing thread."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class RunJournal:
    """The journal of one run: the `Journal` port over a store's writer."""

    __slots__ = ("__weakref__", "_number", "_prompts", "_run_id", "_status", "_writer")

    def __init__(self, writer: _Writer, run_id: str, number: int, status: str) -> None:
        self._writer = writer
        self._run_id = run_id
        self._number = number
        self._prompts = PromptsWritten()
        self._status = status  # how the run stands if nothing more comes; empty when its row says so already

    def append(self, event: Event) -> None:
        """Queue an event.

        Raises:
            JournalError: An earlier event could not be written.
        """
        shared = self._prompts.shared(self._number, event.prompt) if isinstance(event, ModelCalled) else None
        self._writer.put((self._run_id, self._number, event, shared))
        self._number += 1
        self._status = "" if isinstance(event, RunFinished) else "interrupted"

    async def flush(self) -> None:
        """Return when everything appended so far is on disk.

        Raises:
            JournalError: It could not be written.
        """
        await self._writer.flush()

    def close(self) -> None:
        """Let others write the run. One that has not finished is interrupted, though its process lives on."""
        for name in [name for name, journal in _written_here.items() if journal is self]:
            del _written_here[name]
        if self._status:
            self._writer.release(self._run_id, self._status)


_claiming = threading.Lock()
_written_here: WeakValueDictionary[tuple[int, Path, str], RunJournal] = WeakValueDictionary()
"""The runs that this process writes, by the journal's file and the run's name."""


_Row: TypeAlias = tuple[str, int, Event, tuple[int, int] | None]
"""A run, the number of an event, the event, and which earlier one holds how much of its prompt."""


class _Writer:
    """The thread that writes: one transaction for everything that has gathered (group commit)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wake = threading.Condition()
        self._rows: list[_Row] = []
        self._released: list[tuple[str, str]] = []
        self._waiters: list[Callable[[str | None], None]] = []
        self._closing = False
        self._broken: str | None = None
        self._thread = threading.Thread(target=self._work, name="agentkit-journal", daemon=True)
        self._thread.start()

    def put(self, row: _Row) -> None:
        if self._broken is not None:
            raise JournalError(self._broken)
        with self._wake:
            self._rows.append(row)
            if len(self._rows) == 1:
                self._wake.notify()

    def release(self, run_id: str, status: str) -> None:
        """Say how a run stands after everything of it that was put; nothing is left to do in a closed journal."""
        with self._wake:
            if self._broken is None:
                self._released.append((run_id, status))
                self._wake.notify()

    async def flush(self) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._wake:
            if self._broken is not None:
                raise JournalError(self._broken)
            self._waiters.append(lambda problem: _settle_in(loop, future, problem))
            self._wake.notify()
        await future

    def drain(self) -> None:
        """Wait until everything put so far is written, or cannot be."""
        written = threading.Event()
        with self._wake:
            self._waiters.append(lambda problem: written.set())
            self._wake.notify()
        written.wait()

    def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._broken = self._broken or f"the journal {str(self._path)!r} is closed"

    def _work(self) -> None:
        with closing(_open(self._path)) as db:
            while True:
                with self._wake:
                    self._wake.wait_for(lambda: self._rows or self._released or self._waiters or self._closing)
                    if not self._waiters and not self._closing:
                        self._wake.wait_for(lambda: self._waiters or self._closing, timeout=GATHER)
                    rows, self._rows = self._rows, []
                    released, self._released = self._released, []
                    waiters, self._waiters = self._waiters, []
                    closing_now = self._closing
                self._commit(db, rows, released)
                for answer in waiters:
                    answer(self._broken)
                if closing_now and not self._rows:
                    return

    def _commit(self, db: sqlite3.Connection, rows: list[_Row], released: list[tuple[str, str]]) -> None:
        if self._broken is not None or not (rows or released):
            return
        try:
            encoded = [(run_id, number, _encode(event, shared)) for run_id, number, event, shared in rows]
            with db:
                db.executemany("INSERT INTO events VALUES (?, ?, ?)", encoded)
                for run_id, _, event, _ in rows:
                    _index(db, run_id, event)
                for run_id, status in released:
                    db.execute(
                        "UPDATE runs SET status = ? WHERE run_id = ? AND status = 'running' AND owner = ?",
                        (status, run_id, _owner()),
                    )
        except (sqlite3.Error, TypeError, ValueError) as error:
            self._broken = f"cannot write the journal {str(self._path)!r}: {error}"


def _settle_in(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None], problem: str | None) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(_settle, future, problem)


def _settle(future: asyncio.Future[None], problem: str | None) -> None:
    if future.done():
        return
    if problem is None:
        future.set_result(None)
    else:
        future.set_exception(JournalError(problem))


def _encode(event: Event, shared: tuple[int, int] | None) -> str:
    return json.dumps(shorten(to_json(event), shared), separators=(",", ":"), allow_nan=False)


def _index(db: sqlite3.Connection, run_id: str, event: Event) -> None:
    """Keep the table of runs in step with the events that begin and end one."""
    if isinstance(event, RunStarted):
        db.execute(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, NULL, 'running', ?)",
            (run_id, event.agent, event.task, event.at, _owner()),
        )
    elif isinstance(event, RunResumed):
        db.execute("UPDATE runs SET finished = NULL WHERE run_id = ?", (run_id,))
    elif isinstance(event, RunFinished):
        db.execute("UPDATE runs SET finished = ?, status = ? WHERE run_id = ?", (event.at, event.status, run_id))


def _redact(db: sqlite3.Connection, redaction: Redaction) -> dict[str, int]:
    """Rewrite the events and tasks that have something to hide; returns how many events of each run had."""
    changed: dict[str, int] = {}
    for (run_id,) in db.execute("SELECT DISTINCT run_id FROM events").fetchall():
        rows = db.execute("SELECT number, event FROM events WHERE run_id = ?", (run_id,)).fetchall()
        clean = {number: redaction.event(json.loads(event)) for number, event in rows}
        hidden = [number for number, event in rows if clean[number] != json.loads(event)]
        for number in hidden:
            encoded = json.dumps(clean[number], separators=(",", ":"), allow_nan=False)
            db.execute("UPDATE events SET event = ? WHERE run_id = ? AND number = ?", (encoded, run_id, number))
        if hidden:
            changed[run_id] = len(hidden)
    for run_id, task in db.execute("SELECT run_id, task FROM runs").fetchall():
        if redaction.text(task) != task:
            db.execute("UPDATE runs SET task = ? WHERE run_id = ?", (redaction.text(task), run_id))
    return changed


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30.0)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _alive(owner: str, *, myself: bool = False) -> bool:
    """Whether the process that owns a run may still live; another machine's is taken to."""
    host, _, pid = owner.rpartition(":")
    if host != socket.gethostname():
        return True
    if int(pid) == os.getpid():
        return myself
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
