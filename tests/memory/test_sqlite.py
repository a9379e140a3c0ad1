"""The SQLite store passes the suite of the port, keeps its promises about files, and mends itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agentkit.embeddings import FunctionEmbedder
from agentkit.errors import DefinitionError, MemoryStoreError
from agentkit.memory import EVERYTHING, Filter, Memory, Scope
from agentkit.memory.sqlite import SqliteStore, stored_embedder
from tests.conformance.memory_store import ANNA, MemoryStoreConformance, fact, meaning, words
from tests.memory.doubles import DIMENSION, embedder, holding, word_vectors


class TestSqliteStore(MemoryStoreConformance):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(tmp_path / "memory.db", embedder())
        yield store
        await store.aclose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


async def test_memories_are_there_again_after_closing(path: Path) -> None:
    store = SqliteStore(path, embedder())
    await store.add(fact("a red hat"), scope=ANNA)
    await store.aclose()
    again = SqliteStore(path, embedder())
    assert await words(again, "hat") == await meaning(again, "hat") == ["a red hat"]
    await again.aclose()
    with pytest.raises(MemoryStoreError, match="is closed"):
        await again.get("x", scope=ANNA)
    await again.aclose()


async def test_a_store_that_never_held_a_memory_takes_another_embedder(path: Path) -> None:
    """The first attempt may have failed, for want of a key."""
    await SqliteStore(path, embedder("first")).aclose()
    store = SqliteStore(path, embedder("second"))
    hat = fact("a red hat")
    await store.add(hat, scope=ANNA)
    await store.delete(hat.id, scope=ANNA)
    await store.aclose()
    assert stored_embedder(path) == ("second", DIMENSION)
    with pytest.raises(DefinitionError, match="was written with the embedder 'second'"):
        SqliteStore(path, embedder("first"))


async def test_what_another_process_wrote_is_found(path: Path) -> None:
    one, other = SqliteStore(path, embedder()), SqliteStore(path, embedder())
    assert await meaning(one, "hat") == []
    hat = fact("a red hat")
    await other.add(hat, scope=ANNA)
    assert await words(one, "hat") == await meaning(one, "hat") == ["a red hat"]
    await other.delete(hat.id, scope=ANNA)
    assert await meaning(one, "hat") == []
    await one.aclose()
    await other.aclose()


async def test_another_embedder_is_refused(path: Path) -> None:
    store = SqliteStore(path, embedder())
    await store.add(fact("a red hat"), scope=ANNA)
    await store.aclose()
    with pytest.raises(DefinitionError) as caught:
        SqliteStore(path, embedder("better"))
    assert str(caught.value) == (
        f"the memory {str(path)!r} was written with the embedder 'words' (64 numbers a vector), and 'better' (64) "
        "cannot search it. Use 'words', or copy the memories into a new store."
    )


async def test_another_dimension_is_refused(path: Path) -> None:
    store = SqliteStore(path, embedder())
    await store.add(fact("a red hat"), scope=ANNA)
    await store.aclose()
    with pytest.raises(DefinitionError) as caught:
        SqliteStore(path, FunctionEmbedder(word_vectors, name="words", dimension=32))
    assert str(caught.value) == (
        f"the memory {str(path)!r} was written with the embedder 'words' (64 numbers a vector), and 'words' (32) "
        "cannot search it. Use 'words' with 64 numbers, or copy the memories into a new store."
    )


async def test_without_an_embedder_memories_are_found_by_words(path: Path) -> None:
    store = SqliteStore(path)
    await store.add(fact("a red hat"), scope=ANNA)
    assert await words(store, "hat") == ["a red hat"]
    assert await meaning(store, "hat") == []
    assert await store.check() == []
    await store.aclose()
    later = SqliteStore(path, embedder())
    assert [problem.problem for problem in await later.repair()] == ["it has no vector"]
    assert await meaning(later, "hat") == ["a red hat"]
    await later.aclose()


async def test_after_deletion_no_file_holds_the_text(path: Path) -> None:
    store = SqliteStore(path, embedder())
    secret = fact("the password is zzyzx", metadata={"note": "qqfrob"}, context="xxheading")
    await store.add(*(fact(f"filler {n} " * 20) for n in range(50)), secret, scope=ANNA)
    await store.update(replace(secret, text="the password is yyzzy"), scope=ANNA)
    assert await words(store, "yyzzy")
    assert holding(path.parent, "yyzzy")
    await store.delete(secret.id, scope=ANNA)
    for word in ("zzyzx", "yyzzy", "qqfrob", "xxheading", secret.id):
        assert holding(path.parent, word) == [], word
    assert await words(store, "filler", k=3)
    await store.aclose()


async def test_an_edited_text_is_gone_from_the_files_when_the_store_is_closed(path: Path) -> None:
    store = SqliteStore(path, embedder())
    memory = fact("the password is zzyzx")
    await store.add(memory, scope=ANNA)
    await store.update(replace(memory, text="the password is secret"), scope=ANNA)
    await store.aclose()
    assert holding(path.parent, "zzyzx") == []


async def test_deletion_says_when_another_reader_keeps_the_text(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentkit.memory._database.BUSY_SECONDS", 0.05)
    store = SqliteStore(path, embedder())
    memory = fact("the password is zzyzx")
    await store.add(memory, scope=ANNA)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memories").fetchone()
        with pytest.raises(MemoryStoreError, match=r"call repair\(\) when that process is done"):
            await store.delete(memory.id, scope=ANNA)
        assert await store.get(memory.id, scope=ANNA) is None
    await store.repair()
    assert holding(path.parent, "zzyzx") == []
    await store.aclose()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM vectors WHERE number = 1", "it has no vector"),
        ("UPDATE vectors SET vector = x'00' WHERE number = 1", "it has no vector"),
        ("DELETE FROM memory_words; DELETE FROM memory_keys", "its words are not indexed"),
        ("DELETE FROM memories WHERE id = 'b'", "words of no memory are indexed"),
        ("DELETE FROM memory_keys WHERE key = 'a'", "1 texts of the word index have no key, or keys no text"),
    ],
)
async def test_damage_is_found_and_mended(path: Path, damage: str, problem: str) -> None:
    store = SqliteStore(path, embedder())
    await store.add(fact("red hat", id="a"), fact("blue scarf", id="b"), scope=ANNA)
    await store.aclose()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(damage)
    store = SqliteStore(path, embedder())
    assert problem in [found.problem for found in await store.check()]
    assert problem in [found.problem for found in await store.repair()]
    assert await store.check() == []
    assert await words(store, "hat") == ["red hat"]
    assert (await meaning(store, "hat"))[0] == "red hat"
    await store.aclose()


def test_a_file_of_another_version_or_kind_is_refused(path: Path) -> None:
    asyncio.run(SqliteStore(path).aclose())
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(MemoryStoreError, match="has version 9, this agentkit writes 1; use another file"):
        SqliteStore(path)
    path.write_bytes(b"not a database, surely" * 100)
    with pytest.raises(MemoryStoreError, match="cannot open the memory"):
        SqliteStore(path)


async def test_a_filter_keeps_looking_behind_better_matches(path: Path) -> None:
    """The word index gives its best first; when a filter takes those away, later ones are still found."""
    store = SqliteStore(path, embedder())
    await store.add(*(fact("hat hat hat", id=f"n{n}") for n in range(100)), scope=ANNA)
    await store.add(Memory(text="one hat among many other words here", kind="lesson", scope=ANNA), scope=ANNA)
    lessons = Filter(kinds=("lesson",))
    assert await words(store, "hat", k=1, only=lessons) == await meaning(store, "hat", k=1, only=lessons)
    assert len(await words(store, "hat", k=1, only=lessons)) == 1
    await store.aclose()


async def test_many_owners_are_kept_apart(path: Path) -> None:
    store = SqliteStore(path, embedder())
    for number in range(80):
        await store.add(fact(f"hat of {number}", Scope(f"user{number}")), scope=Scope(f"user{number}"))
    assert await words(store, "hat", Scope("user7")) == await meaning(store, "hat", Scope("user7")) == ["hat of 7"]
    assert len(await words(store, "hat", EVERYTHING, k=200)) == 80
    await store.aclose()
