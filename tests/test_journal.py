"""The journal keeps what it said it kept, in order, and says clearly what it cannot do."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from agentkit.errors import JournalError
from agentkit.events import (
    ApprovalGiven,
    Event,
    ModelCalled,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    from_json,
    to_json,
)
from agentkit.journal import RETRY, JournalStore, history, settle, used
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


def test_a_write_without_result_is_in_doubt() -> None:
    past = history([started("a"), started("b"), finished("b")], 1)
    assert list(past.started) == ["a"]
    assert list(past.finished) == ["b"]


def test_a_cancelled_write_is_in_doubt_and_a_cancelled_read_runs_again() -> None:
    events = [started("w"), finished("w", "cancelled"), started("r", "read"), finished("r", "cancelled")]
    past = history(events, 1)
    assert list(past.started) == ["w"]
    assert not past.finished


def test_skipped_steps_are_decided_anew() -> None:
    assert not history([finished("a", "skipped")], 1).finished


def test_only_the_plan_asked_for_counts() -> None:
    past = history([finished("a"), finished("b", plan=2), ApprovalGiven(1.0, "w", 2, True)], 2)
    assert list(past.finished) == ["b"]
    assert past.approved == {"w": True}


def test_a_decision_gives_a_step_in_doubt_its_value() -> None:
    events = settle((started("a"), finished("a", "failed")), {"a": {"sent": True}})
    assert history(events, 1).finished["a"].value == {"sent": True}


def test_a_decision_to_retry_forgets_that_the_step_started() -> None:
    past = history(settle((started("a"),), {"a": RETRY}), 1)
    assert not past.started
    assert not past.finished


def test_a_decision_about_an_unknown_step_is_refused() -> None:
    with pytest.raises(JournalError, match="no step 'b' was started by plan 1; it started: a"):
        settle((started("a"),), {"b": 1})


def test_what_was_used_before_counts() -> None:
    events = [ModelCalled(1.0, "plan", "m", usage=Usage(10, 0, 5, 1)), started("a"), started("b", "read")]
    assert used(events) == Usage(10, 0, 5, 1, 2)
