"""The store on Chroma, embedded and on a server, passes the suite of the port and survives what happens to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentkit.embeddings import FunctionEmbedder
from agentkit.errors import DefinitionError, MemoryStoreError
from agentkit.memory import Filter, Scope, chroma
from agentkit.memory._record_store import packed
from agentkit.memory.chroma import ChromaStore
from tests.conformance.memory_store import ANNA, BEN, MemoryStoreConformance, fact, meaning, words
from tests.memory.chroma_server import chroma_server
from tests.memory.doubles import embedder, holding, word_vectors

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
class TestEmbedded(MemoryStoreConformance):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[ChromaStore]:
        store = ChromaStore(tmp_path, embedder())
        yield store
        await store.aclose()


class TestEmbeddedAtOnce(MemoryStoreConformance):
    """Every change is told to Chroma at once, and nearly every search goes there."""

    @pytest.fixture
    async def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChromaStore]:
        monkeypatch.setattr(chroma, "GATHER", 1)
        monkeypatch.setattr(chroma, "FEW", 1)
        store = ChromaStore(tmp_path, embedder())
        yield store
        await store.aclose()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chroma_server(tmp_path_factory.mktemp("chroma")) as url:
        yield url


class TestServer(MemoryStoreConformance):
    @pytest.fixture
    async def store(self, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChromaStore]:
        monkeypatch.setattr(chroma, "GATHER", 1)
        store = ChromaStore(server, embedder(), records=tmp_path / "records.db", name=f"t{os.urandom(6).hex()}")
        yield store
        await store.aclose()


def chroma_of(store: ChromaStore) -> Any:
    return store._index


async def test_changes_are_gathered_and_told_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "GATHER", 3)
    store = ChromaStore(tmp_path, embedder())
    part = chroma_of(store).part("anna")
    for number in range(5):
        await store.add(fact(f"hat {number}", id=f"{number}"), scope=ANNA)
    assert sorted(id for id, _ in chroma_of(store).vectors(part)) == ["0", "1", "2"]
    assert len(await meaning(store, "hat", k=10)) == 5, "what Chroma does not know yet is found too"
    await store.aclose()
    store = ChromaStore(tmp_path, embedder())
    assert sorted(id for id, _ in chroma_of(store).vectors(part)) == ["0", "1", "2", "3", "4"], "told at closing"
    await store.delete("4", scope=ANNA)
    assert "4" not in dict(chroma_of(store).vectors(part)), "a deletion is told at once"
    await store.aclose()


async def test_chroma_never_gets_a_text_or_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "GATHER", 1)
    store = ChromaStore(tmp_path, embedder())
    await store.add(fact("the password is zzyzx", metadata={"note": "qqfrob"}), scope=ANNA)
    await store.aclose()
    for word in ("zzyzx", "qqfrob", "anna", "password"):
        assert holding(tmp_path / "chroma", word) == [], word


async def test_after_deletion_no_file_holds_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "GATHER", 1)
    store = ChromaStore(tmp_path, embedder())
    secret = fact("the password is zzyzx")
    await store.add(fact("other"), secret, scope=ANNA)
    await store.delete(secret.id, scope=ANNA)
    assert holding(tmp_path, "zzyzx") == []
    assert await meaning(store, "password") == ["other"]
    await store.aclose()


async def test_what_lay_in_the_memory_of_the_process_is_cleared_from_unused_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chroma makes the files of an index with room for 100 elements, and does not clear it."""
    monkeypatch.setattr(chroma, "GATHER", 1)

    def soil() -> None:
        for name in ("data_level0.bin", "length.bin"):
            [path] = tmp_path.rglob(name)
            path.write_bytes(path.read_bytes()[:-40] + b"zzyzx " * 6 + b"more")

    store = ChromaStore(tmp_path, embedder())
    await store.add(fact("hat", id="hat"), fact("scarf", id="scarf"), scope=ANNA)
    soil()
    assert holding(tmp_path, "zzyzx") == ["data_level0.bin", "length.bin"]
    await store.delete("hat", scope=ANNA)
    assert holding(tmp_path, "zzyzx") == []
    soil()
    await store.aclose()
    assert holding(tmp_path, "zzyzx") == []
    soil()
    store = ChromaStore(tmp_path, embedder())
    assert await meaning(store, "scarf") == ["scarf"]
    assert holding(tmp_path, "zzyzx") == [], "left by a process that was killed"
    assert await store.check() == []
    await store.aclose()


FILLED = """
import asyncio, sys
from agentkit.memory import Memory, Scope, chroma
from agentkit.memory.chroma import ChromaStore
from tests.memory.doubles import embedder, holding, word_vectors

async def main():
    chroma.GATHER = 20
    folder, anna = sys.argv[1], Scope("anna")
    store = ChromaStore(folder, embedder())
    await store.add(*(Memory(text=f"hat {n}", id=f"{n}", scope=anna) for n in range(50)), scope=anna)
    await store.search_meaning(word_vectors(["hat"])[0], scope=anna)
    await store.delete("7", scope=anna)
    print(holding(chroma.Path(folder), b"\\x55" * 8))
    await store.aclose()
    print(holding(chroma.Path(folder), b"\\x55" * 8))

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux can fill memory with a pattern")
def test_memory_that_chroma_does_not_clear_gets_into_no_file(tmp_path: Path) -> None:
    environment = {**os.environ, "MALLOC_PERTURB_": "170"}  # what is freed or not written yet reads 0x55
    command = [sys.executable, "-c", FILLED, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n[]\n", "")


def vector_of(text: str) -> bytes:
    return packed(word_vectors([text])[0])


async def test_the_numbers_of_a_forgotten_vector_leave_every_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma, "GATHER", 1)
    store = ChromaStore(tmp_path, embedder())
    code = fact("the door code is 4711", id="code")
    await store.add(fact("a red hat", id="hat"), code, fact("a scarf", BEN, id="b"), scope=Scope("*"))
    await store.update(replace(code, text="the code has changed"), scope=ANNA)
    assert holding(tmp_path / "chroma", vector_of(code.text)) == ["chroma.sqlite3"]
    await store.delete("code", scope=ANNA)
    await store.aclose()
    for text in (code.text, "the code has changed"):
        assert holding(tmp_path, vector_of(text)) == []
    store = ChromaStore(tmp_path, embedder())
    assert await store.check() == []
    assert await meaning(store, "red hat") == ["a red hat"]
    assert dict(chroma_of(store).vectors(chroma_of(store).part("ben"))).keys() == {"b"}
    await store.delete("hat", scope=ANNA)
    await store.aclose()
    assert holding(tmp_path, vector_of("a red hat")) == [], "the last of a user's"


async def test_of_many_vectors_those_that_are_forgotten_leave_the_files_at_the_next_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma, "GATHER", 1)
    monkeypatch.setattr(chroma, "REBUILT_AT_CLOSING", 1)
    store = ChromaStore(tmp_path, embedder())
    await store.add(fact("hat", id="a"), fact("scarf", id="b"), fact("glove", id="c"), scope=ANNA)
    await store.delete("a", scope=ANNA)
    await store.aclose()
    assert holding(tmp_path, vector_of("hat")) == ["chroma.sqlite3"]
    store = ChromaStore(tmp_path, embedder())
    assert await store.repair() == []
    assert holding(tmp_path, vector_of("hat")) == []
    assert sorted(await meaning(store, "scarf", k=5)) == ["glove", "scarf"]
    await store.aclose()


async def test_one_process_a_folder(tmp_path: Path) -> None:
    store = ChromaStore(tmp_path, embedder())
    with pytest.raises(MemoryStoreError) as caught:
        ChromaStore(tmp_path, embedder())
    assert str(caught.value) == (
        f"the memory {str(tmp_path)!r} is open already, and Chroma allows one process a folder. For several, run a "
        f"server (chroma run --path {str(tmp_path / 'chroma')!r}) and give its URL."
    )
    await store.aclose()
    await ChromaStore(tmp_path, embedder()).aclose()


async def test_another_embedder_is_refused_by_records_and_by_chroma(tmp_path: Path) -> None:
    store = ChromaStore(tmp_path, embedder())
    await store.add(fact("hat"), scope=ANNA)
    await store.aclose()
    with pytest.raises(DefinitionError, match="was written with the embedder 'words'"):
        ChromaStore(tmp_path, embedder("better"))
    store = ChromaStore(tmp_path, embedder())
    store._index._mine["embedder"] = "better"
    with pytest.raises(DefinitionError, match=r"/chroma' was written with the embedder 'words' \(64"):
        await meaning(store, "hat")
    store._index._mine["embedder"] = "words"
    await store.aclose()


async def test_collections_of_other_records_are_refused(server: str, tmp_path: Path) -> None:
    first = ChromaStore(server, embedder(), records=tmp_path / "one.db", name="shared")
    await first.add(fact("hat"), scope=ANNA)
    await first.aclose()
    second = ChromaStore(server, embedder(), records=tmp_path / "two.db", name="shared")
    await second.add(fact("scarf"), scope=ANNA)
    with pytest.raises(DefinitionError) as caught:
        await meaning(second, "scarf")
    assert str(caught.value) == (
        f"the Chroma at {server!r} has collections 'shared' of other records; open it with the records file "
        "that it was made with, or choose another name=."
    )


def test_a_server_needs_the_file_of_the_records() -> None:
    with pytest.raises(DefinitionError) as caught:
        ChromaStore("http://127.0.0.1:8000", embedder())
    assert str(caught.value) == (
        "give records=, the SQLite file of the memories with vectors at 'http://127.0.0.1:8000'."
    )


async def test_a_server_that_is_away_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "GATHER", 1)
    away = ChromaStore("http://127.0.0.1:1", embedder(), records=tmp_path / "records.db")
    hat = fact("a red hat")
    await away.add(hat, fact("a scarf"), scope=ANNA)
    assert await words(away, "hat") == ["a red hat"]
    with pytest.raises(MemoryStoreError) as caught:
        await meaning(away, "hat")
    assert "Is the server running at that URL? The records are kept, and their vectors are brought there" in str(
        caught.value
    )
    with pytest.raises(MemoryStoreError, match=r"Chroma at 'http://127\.0\.0\.1:1' failed"):
        await away.delete(hat.id, scope=ANNA)
    assert await away.get(hat.id, scope=ANNA) is None
    await away.aclose()
    with chroma_server(tmp_path) as url:
        back = ChromaStore(url, embedder(), records=tmp_path / "records.db")
        assert await meaning(back, "hat scarf") == ["a scarf"]
        assert await back.repair() == await back.check() == []
        await back.aclose()


async def test_a_text_without_a_meaning_agrees_with_chroma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedder may have nothing to say of a text, and give a vector of zeros."""
    monkeypatch.setattr(chroma, "GATHER", 1)
    store = ChromaStore(
        tmp_path, FunctionEmbedder(lambda texts: [[0.0] * 64 for _ in texts], name="mute", dimension=64)
    )
    await store.add(fact("a red hat"), scope=ANNA)
    assert await words(store, "hat") == ["a red hat"]
    assert await store.check() == []
    await store.aclose()


async def test_a_damaged_chroma_says_how_to_mend_it_and_loses_nothing(tmp_path: Path) -> None:
    place, folder = tmp_path / "damaged", tmp_path / "damaged" / "chroma"
    store = ChromaStore(place, embedder())
    await store.add(fact("a red hat"), scope=ANNA)
    await store.aclose()
    (folder / "chroma.sqlite3").write_bytes(b"damaged")
    store = ChromaStore(place, embedder())
    with pytest.raises(MemoryStoreError) as caught:
        await meaning(store, "hat")
    assert str(caught.value) == (
        f"Chroma at {str(folder)!r} failed (error returned from database: (code: 26) file is not a database). The "
        "records are kept beside it. If the folder is damaged, remove it; repair() (agentkit memory check --repair) "
        "makes it anew."
    )
    await store.aclose()
    place = place.rename(tmp_path / "mended")  # this process's Chroma does not try the same folder again
    shutil.rmtree(place / "chroma")
    store = ChromaStore(place, embedder())
    assert len(await store.repair()) == 1
    assert await meaning(store, "hat") == ["a red hat"]
    assert await store.check() == []
    await store.aclose()


async def test_disagreements_with_chroma_are_found_and_mended(tmp_path: Path) -> None:
    store = ChromaStore(tmp_path, embedder())
    await store.add(fact("a red hat", id="a"), fact("a scarf", id="b"), fact("a glove", BEN, id="c"), scope=Scope("*"))
    await store.aclose()
    store = ChromaStore(tmp_path, embedder())
    index, part = chroma_of(store), chroma_of(store).part("anna")
    theirs = dict(index.vectors(part))
    index.remove(part, ["a"])
    index.put(part, {"b": theirs["a"], "ghost": theirs["a"]})
    expected = {
        ("a", "Chroma does not have its vector"),
        ("b", "Chroma has another vector"),
        ("ghost", "Chroma has a vector of no memory"),
    }
    assert {(found.id, found.problem) for found in await store.check()} == expected
    assert {(found.id, found.problem) for found in await store.repair()} == expected
    assert await store.check() == []
    assert await meaning(store, "red hat", k=1) == ["a red hat"]
    await store.aclose()


async def test_a_filter_keeps_looking_behind_better_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "GATHER", 1)
    store = ChromaStore(tmp_path, embedder())
    await store.add(*(fact("hat", id=f"n{n}") for n in range(300)), scope=ANNA)
    lesson = fact("a hat among many other words here", kind="lesson", id="lesson")
    await store.add(lesson, scope=ANNA)
    only = Filter(kinds=("lesson",))
    assert await meaning(store, "hat", k=1, only=only) == [lesson.text]
    monkeypatch.setattr(chroma, "FEW", 0)
    assert await meaning(store, "hat", k=1, only=only) == [lesson.text]
    await store.aclose()


async def test_what_the_graph_of_chroma_does_not_lead_to_is_found_by_comparing_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma, "GATHER", 1)
    monkeypatch.setattr(chroma, "FEW", 0)
    store = ChromaStore(tmp_path, embedder())
    await store.add(fact("a red hat", id="a"), fact("a scarf", id="b"), scope=ANNA)
    chroma_of(store).remove(chroma_of(store).part("anna"), ["a"])
    assert await meaning(store, "red hat", k=2) == ["a red hat", "a scarf"]
    await store.aclose()


WRITER = """
import asyncio, sys
from agentkit.memory import Memory, Scope, chroma
from agentkit.memory.chroma import ChromaStore
from tests.memory.doubles import embedder

async def main():
    chroma.GATHER = 5
    store = ChromaStore(sys.argv[1], embedder())
    anna = Scope("anna")
    for number in range(100000):
        await store.add(Memory(text=f"thing number{number}", id=f"{number}", scope=anna), scope=anna)
        if number % 3 == 2:
            await store.delete(f"{number - 1}", scope=anna)
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("writes", [7, 23, 40])
def test_a_process_killed_while_it_writes_loses_nothing(tmp_path: Path, writes: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ}, text=True
    )
    assert child.stdout is not None
    confirmed = -1
    for line in child.stdout:
        confirmed = int(line)
        if confirmed >= writes:
            child.send_signal(signal.SIGKILL)
            break
    confirmed = max([confirmed, *(int(line) for line in child.stdout if line.endswith("\n"))])
    child.wait()
    child.stdout.close()
    asyncio.run(_survived(tmp_path, confirmed))


async def _survived(folder: Path, confirmed: int) -> None:
    store = ChromaStore(folder, embedder())
    kept = {memory.id for memory in await store.list(scope=ANNA)}
    deleted = {f"{number - 1}" for number in range(confirmed + 1) if number % 3 == 2}
    assert {f"{number}" for number in range(confirmed + 1)} - deleted <= kept
    assert not deleted & kept
    for id in sorted(kept, key=int)[-3:]:
        assert await words(store, f"number{id}") == [f"thing number{id}"]
        assert (await meaning(store, f"thing number{id}", k=1)) == [f"thing number{id}"]
    await store.repair()
    assert await store.check() == []
    assert {id for id, _ in chroma_of(store).vectors(chroma_of(store).part("anna"))} == kept
    await store.aclose()
