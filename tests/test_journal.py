"""The journal keeps what it said it kept, in order, and says clearly what it cannot do."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from agentkit.errors import JournalError
from agentkit.events import (
    Event,
    ModelCalled,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
    from_json,
    to_json,
)
from agentkit.journal import JournalStore
from agentkit.messages import Usage


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    return JournalStore(tmp_path / "runs.sqlite")


def started(step: str, effect: str = "write", plan: int = 1) -> StepStarted:
    return StepStarted(1.0, step, plan, "tool", effect, {}, "key")


def finished(step: str, status: str = "done", plan: int = 1) -> StepFinished:
    return StepFinished(2.0, step, plan, status, 7)  # type: ignore[arg-type]


async def test_flushed_events_can_be_read_by_another_connection(store: JournalStore) -> None:
    journal = store.run("r1")
    events: list[Event] = [RunStarted(1.0, "r1", "Shop", "sell"), started("a"), finished("a")]
    for event in events:
        journal.append(event)
    await journal.flush()
    assert list(JournalStore(store.path).events("r1")) == events
    store.close()


async def test_events_of_runs_written_at_once_stay_apart_and_in_order(store: JournalStore) -> None:
    async def write(run_id: str) -> None:
        journal = store.run(run_id)
        journal.append(RunStarted(0.0, run_id, "A", "t"))
        for number in range(200):
            journal.append(finished(f"s{number}"))
            if number % 50 == 0:
                await journal.flush()
        await journal.flush()

    await asyncio.gather(*(write(f"r{number}") for number in range(5)))
    for number in range(5):
        steps = [event.step for event in store.events(f"r{number}") if isinstance(event, StepFinished)]
        assert steps == [f"s{step}" for step in range(200)]
    store.close()


async def test_closing_writes_what_nobody_flushed(store: JournalStore) -> None:
    store.run("r1").append(RunStarted(1.0, "r1", "A", "t"))
    store.close()
    assert len(store.events("r1")) == 1


async def test_a_run_is_listed_with_its_status(store: JournalStore) -> None:
    journal = store.run("r1")
    journal.append(RunStarted(1.0, "r1", "Shop", "sell"))
    await journal.flush()
    assert [(row.run_id, row.status, row.finished) for row in store.runs()] == [("r1", "running", None)]
    journal.append(RunFinished(5.0, "done", 1))
    await journal.flush()
    assert [(row.run_id, row.status, row.finished) for row in store.runs()] == [("r1", "done", 5.0)]
    store.close()


async def test_a_run_whose_process_is_gone_is_interrupted(store: JournalStore) -> None:
    journal = store.run("r1")
    journal.append(RunStarted(1.0, "r1", "Shop", "sell"))
    await journal.flush()
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE runs SET owner = replace(owner, substr(owner, instr(owner, ':')), ':999999999')")
    assert store.runs()[0].status == "interrupted"


def test_an_unknown_run_is_named_with_the_latest_ones(store: JournalStore) -> None:
    with pytest.raises(JournalError, match=r"has no run 'nope'; it is empty$"):
        store.events("nope")


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="has version 99, this agentkit writes 1"):
        JournalStore(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and long enough to be looked at as one" * 20)
    with pytest.raises(JournalError, match=r"cannot open the journal .*notes\.txt"):
        JournalStore(path)


async def test_an_event_that_cannot_be_written_fails_the_flush_and_everything_after(store: JournalStore) -> None:
    journal = store.run("r1")
    journal.append(StepFinished(1.0, "a", 1, "done", value=object()))
    with pytest.raises(JournalError, match="cannot write the journal"):
        await journal.flush()
    with pytest.raises(JournalError, match="cannot write the journal"):
        journal.append(finished("b"))
    store.close()


def test_every_event_survives_json() -> None:
    event = ModelCalled(1.0, "plan", "m", ({"role": "user", "content": "x"},), usage=Usage(1, 2, 3, 4, 5, 0.5))
    assert from_json(to_json(event)) == event


def test_an_unknown_event_is_from_another_version() -> None:
    with pytest.raises(JournalError, match="unknown event kind 'dance'"):
        from_json({"kind": "dance", "at": 1.0})


async def test_a_run_has_one_writer_at_a_time_in_a_process_too(store: JournalStore) -> None:
    with store.writing("r1") as journal:
        journal.append(RunStarted(1.0, "r1", "Shop", "sell"))
        with pytest.raises(JournalError, match=r"^the run 'r1' is being written by this process already$"):
            JournalStore(store.path).run("r1")
    with store.writing("r1"):
        pass
    store.close()


async def test_a_run_that_is_left_unfinished_is_interrupted_though_its_process_lives(store: JournalStore) -> None:
    with store.writing("r1") as journal:
        journal.append(RunStarted(1.0, "r1", "Shop", "sell"))
        assert [row.status for row in store.runs()] == ["running"]
    assert [row.status for row in store.runs()] == ["interrupted"]
    store.close()


async def test_looking_at_a_finished_run_leaves_its_status(store: JournalStore) -> None:
    with store.writing("r1") as journal:
        journal.append(RunStarted(1.0, "r1", "Shop", "sell"))
        journal.append(RunFinished(5.0, "failed"))
    with store.writing("r1"):
        pass
    assert [(row.status, row.finished) for row in store.runs()] == [("failed", 5.0)]
    store.close()


async def test_a_resumed_run_has_not_finished(store: JournalStore) -> None:
    with store.writing("r1") as journal:
        journal.append(RunStarted(1.0, "r1", "Shop", "sell"))
        journal.append(RunFinished(5.0, "stopped"))
    with store.writing("r1") as journal:
        journal.append(RunResumed(9.0))
        assert [(row.status, row.finished) for row in store.runs()] == [("running", None)]
    store.close()


async def test_a_new_run_may_not_have_the_name_of_another(store: JournalStore) -> None:
    with store.writing("r1", new=True) as journal:
        journal.append(RunStarted(1.0, "r1", "Shop", "sell"))
    with pytest.raises(JournalError) as caught:
        store.run("r1", new=True)
    assert str(caught.value) == "there is a run 'r1' in the journal already; resume it, or take another id"
    store.close()


async def test_a_closed_journal_takes_nothing_more_and_says_so(store: JournalStore) -> None:
    journal = store.run("r1")
    journal.append(RunStarted(1.0, "r1", "Shop", "sell"))
    store.close()
    with pytest.raises(JournalError, match=r"^the journal '.*runs\.sqlite' is closed$"):
        journal.append(RunFinished(5.0, "done"))
    with pytest.raises(JournalError, match=r"^the journal '.*runs\.sqlite' is closed$"):
        await journal.flush()
    journal.close()
