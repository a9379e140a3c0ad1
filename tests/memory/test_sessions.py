"""Sessions: kept, continued, safe for runs and processes at once, private, deletable."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest

from agentkit.errors import SessionError
from agentkit.memory import SessionStore
from agentkit.messages import Message, ToolCall, assistant, user
from tests.architecture import ROOT

TURN = (
    user("price?"),
    Message("assistant", "plan", tool_calls=(ToolCall("1", "f", {"x": [1, None, "é"]}),)),
    Message("tool", "20", tool_call_id="1"),
    assistant("20"),
)


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "new" / "sessions.db")


async def test_a_session_reads_back_exactly_also_in_another_store(store: SessionStore) -> None:
    assert (await store.read("s")).messages == ()
    assert await store.add("s", TURN, run_id="a", at=1.0) == 1
    assert await store.add("s", [user("next")], run_id="b", at=2.0) == 2
    assert (await SessionStore(store.path).read("s")).messages == (*TURN, user("next"))
    assert (await store.read("s")).places == ((1, 0), (1, 1), (1, 2), (1, 3), (2, 0))
    assert (await store.read("other")).messages == ()


async def test_a_run_that_is_gone_on_with_replaces_its_turn_and_does_not_see_it(store: SessionStore) -> None:
    for run_id in ("a", "b"):
        await store.add("s", [user(run_id)], run_id=run_id, at=1.0)
    assert (await store.read("s", without_run="a")).messages == (user("b"),)
    assert await store.add("s", [user("a again")], run_id="a", at=3.0) == 1
    assert (await store.read("s")).messages == (user("a again"), user("b"))


async def test_turns_that_are_added_at_once_stand_one_after_the_other(store: SessionStore) -> None:
    async def add(n: int) -> None:
        await store.add("s", [user(f"{n}:{part}") for part in range(3)], run_id=str(n), at=1.0)

    async with asyncio.TaskGroup() as group:
        for n in range(12):
            group.create_task(add(n))
    texts = [message.content for message in (await store.read("s")).messages]
    assert sorted(texts[::3]) == sorted(f"{n}:0" for n in range(12))
    assert all(texts[at : at + 3] == [f"{texts[at][:-2]}:{part}" for part in range(3)] for at in range(0, 36, 3))


WRITER = """
import asyncio, sys
from agentkit.memory import SessionStore
from agentkit.messages import user
async def main():
    store = SessionStore(sys.argv[1])
    for n in range(15):
        await store.add("s", [user(f"{sys.argv[2]}{n}"), user("end")], run_id=f"{sys.argv[2]}{n}", at=float(n))
asyncio.run(main())
"""


async def test_two_processes_lose_and_mix_nothing(store: SessionStore) -> None:
    commands = [[sys.executable, "-c", WRITER, str(store.path), name] for name in ("x", "y")]
    processes = [await asyncio.create_subprocess_exec(*command, cwd=ROOT) for command in commands]
    assert [await process.wait() for process in processes] == [0, 0]
    texts = [message.content for message in (await store.read("s")).messages]
    assert texts[1::2] == ["end"] * 30
    for name in ("x", "y"):
        assert [text for text in texts if text.startswith(name)] == [f"{name}{n}" for n in range(15)]


async def test_nobody_reads_adds_to_or_deletes_another_user_s_session(store: SessionStore) -> None:
    await store.add("s", TURN, run_id="a", at=1.0, user="ann")
    for work in (
        store.read("s", user="bob"),
        store.add("s", TURN, run_id="b", at=1.0, user="bob"),
        store.delete("s", user="bob"),
        store.read("s"),
    ):
        with pytest.raises(SessionError, match=r"^the session 's' belongs to another user; '(bob)?' cannot use it$"):
            await work
    assert [row.session for row in await store.sessions("bob")] == []
    assert [(row.session, row.user, row.turns, row.updated) for row in await store.sessions("ann")] == [
        ("s", "ann", 1, 1.0)
    ]


async def test_a_message_is_claimed_once_until_it_is_given_back(store: SessionStore) -> None:
    await store.add("s", TURN, run_id="a", at=1.0)
    assert await store.claim("s", [(1, 0), (1, 1)]) == [(1, 0), (1, 1)]
    assert await store.claim("s", [(1, 1), (1, 2)]) == [(1, 2)]
    await store.give_back("s", [(1, 1)])
    assert await store.claim("s", [(1, 0), (1, 1)]) == [(1, 1)]


async def test_notes_are_kept(store: SessionStore) -> None:
    await store.add("s", TURN, run_id="a", at=1.0)
    await store.note("s", {"summary": {"digest": "x"}})
    assert (await store.read("s")).notes == {"summary": {"digest": "x"}}


async def test_a_deleted_session_is_in_no_file_any_more(store: SessionStore) -> None:
    await store.add("s", [user("the secret word is xyzzy")], run_id="a", at=1.0)
    assert any(b"xyzzy" in path.read_bytes() for path in store.path.parent.iterdir())
    assert await store.delete("s")
    assert not await store.delete("s")
    assert not any(b"xyzzy" in path.read_bytes() for path in store.path.parent.iterdir())


def test_a_file_of_another_version_or_kind_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(SessionError) as caught:
        SessionStore(path)
    assert str(caught.value) == (
        f"the session file '{path}' has version 9, this agentkit writes 1; "
        "use another file, or the agentkit that wrote it"
    )
    other = tmp_path / "other.db"
    other.write_text("not a database, surely not" * 50)
    with pytest.raises(SessionError, match=r"^cannot open the sessions '.*other\.db': "):
        SessionStore(other)
