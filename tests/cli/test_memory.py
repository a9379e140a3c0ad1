"""``agentkit memory``: people look at what agents remember, correct it, take it along, and forget it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from agentkit.agent import Agent
from agentkit.cli.main import app
from agentkit.journal import JournalStore
from agentkit.memory import AgentMemory, AuditTrail, ChromaStore, Decided, LongTermMemory, Memory, Scope, SqliteStore
from agentkit.messages import ModelProfile
from agentkit.testing import ScriptedModel
from tests.memory.doubles import embedder, holding
from tests.plans import BASIC

ANNA, BEN = Scope(user="anna"), Scope(user="ben")
BERN = Memory(id="bern-1", text="Anna lives in Bernallo.", scope=ANNA, created=100.0)
BASEL = Memory(id="basel-2", text="Anna lives in Basel.", scope=ANNA, created=200.0, supersedes=("bern-1",))
CELLO = Memory(id="cello-3", text="Anna plays the cello.", kind="preference", scope=ANNA, created=300.0)
SECRET = Memory(id="secret-4", text='Ben\'s "door" code is 4711-zürich.', scope=BEN, created=400.0)
FREE = ModelProfile(context_window=8192, spelling="python", decoding="free")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with four memories, by an embedder that the command line does not know."""
    return filled(tmp_path / "memory.db")


def filled(path: Path, memories: Sequence[Memory] = (BERN, BASEL, CELLO, SECRET)) -> Path:
    async def work() -> None:
        store = SqliteStore(path, embedder())
        for memory in memories:
            await store.add(memory, scope=memory.scope)
        await store.aclose()

    asyncio.run(work())
    return path


def call(*arguments: object, path: Path | None = None, **options: Any) -> Result:
    store = [] if path is None else ["--store", str(path)]
    return CliRunner().invoke(app, ["memory", *map(str, arguments), *store], **options)


def empty_journal(folder: Path) -> Path:
    path = folder / "runs.sqlite"
    JournalStore(path).close()
    return path


def texts(result: Result) -> list[str]:
    return [row["text"] for row in json.loads(result.stdout)]


def test_list_shows_whose_and_when_newest_first(path: Path) -> None:
    done = call("list", path=path)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["secret-4", "cello-3", "basel-2"]
    assert lines[1] == "cello-3       preference  anna          1970-01-01  Anna plays the cello."
    assert done.stderr == "3 memories\n"
    assert "bern-1        fact        anna          1970-01-01 (ended)  Anna lives in Bernallo." in (
        call("list", "--ended", path=path).stdout.splitlines()
    )


def test_a_scope_sees_its_own_only(path: Path) -> None:
    assert texts(call("list", "--user", "anna", "--json", path=path)) == [CELLO.text, BASEL.text]
    refused = call("show", "secret-4", "--user", "anna", path=path)
    assert str(refused.exception) == (
        f"there is no memory 'secret-4' in {str(path)!r} for user 'anna'; agentkit memory list shows them"
    )


def test_search_tells_ranks_and_scores(path: Path) -> None:
    done = call("search", "cello", path=path)
    first, why = done.stdout.splitlines()
    assert first.startswith("1. cello-3 ")
    assert why.startswith("   words: rank 1, score ")
    assert "fused: rank 1, score 1" in why
    assert done.stderr == (
        "searching by words only: the memory was written with the embedder 'words', which the command line cannot "
        "make\n"
    )
    [hit] = json.loads(call("search", "cello", "--json", path=path).stdout)
    assert hit["memory"]["id"] == "cello-3"
    assert hit["why"]["words"]["rank"] == 1


def test_show_tells_the_history(path: Path) -> None:
    shown = call("show", "basel", path=path).stdout.splitlines()
    assert shown[0] == "id           basel-2"
    assert shown[-3] == "history, oldest first:"
    assert [line[:9].strip() for line in shown[-2:]] == ["bern-1", "> basel-2"]


def test_the_beginning_of_an_id_must_be_enough(path: Path) -> None:
    assert str(call("show", "b", path=path).exception) == (
        "2 memories have an id that begins with 'b': basel-2, bern-1; say more of it"
    )


def test_a_missing_store_is_named_and_not_made(tmp_path: Path) -> None:
    done = call("list", path=tmp_path / "none.db")
    assert str(done.exception) == (
        f"there is no memory at {str(tmp_path / 'none.db')!r}; name its SQLite file, Chroma folder or server with "
        "--store"
    )
    assert not (tmp_path / "none.db").exists()


def test_another_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Buy milk and bread.\n" * 100)
    done = call("list", path=tmp_path / "notes.txt")
    assert str(done.exception) == (
        f"{str(tmp_path / 'notes.txt')!r} is not the file of a memory store (file is not a database)."
    )


def test_an_edit_keeps_what_was_said_before(tmp_path: Path) -> None:
    path = tmp_path / "own.db"
    call("import", _exported(tmp_path, CELLO), path=path)
    done = call("edit", "cello-3", "--text", "Anna plays the viola.", path=path)
    assert done.exit_code == 0, done.exception
    assert texts(call("list", "--json", path=path)) == ["Anna plays the viola."]
    [new] = json.loads(call("list", "--json", path=path).stdout)
    assert (new["kind"], new["supersedes"], new["provenance"]["by"]) == ("preference", ["cello-3"], "user")
    again = call("edit", "cello-3", "--text", "Anna sings.", path=path)
    assert str(again.exception) == f"the memory 'cello-3' was replaced by {new['id']!r}; edit that one"


def test_a_rewrite_leaves_nothing_of_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "own.db"
    call("import", _exported(tmp_path, CELLO), path=path)
    assert call("edit", "cello-3", "--text", "Anna sings.", "--rewrite", path=path).exit_code == 0
    assert [(row["id"], row["text"]) for row in json.loads(call("list", "--ended", "--json", path=path).stdout)] == [
        ("cello-3", "Anna sings.")
    ]
    assert b"plays the cello" not in path.read_bytes()
    nothing = call("edit", "cello-3", path=path)
    assert str(nothing.exception) == (
        "nothing of the memory 'cello-3' would change; give --text, --kind or --importance"
    )


def test_what_needs_an_embedder_that_nobody_can_make_is_refused(path: Path, tmp_path: Path) -> None:
    wanted = (
        "this memory was written with the embedder 'words', which the command line cannot make. Open the store in "
        "Python with that embedder, or copy its memories into a new store: agentkit memory export FILE, then agentkit "
        "memory import FILE --store NEW --embedder minilm"
    )
    assert str(call("edit", "cello-3", "--text", "Anna sings.", path=path).exception) == wanted
    more = _exported(tmp_path, Memory(id="new", text="Anna skis.", scope=ANNA))
    assert str(call("import", more, path=path).exception) == wanted
    assert call("list", "--json", path=path).stdout.count('"text"') == 3


def test_another_embedder_than_the_stores_is_refused(path: Path) -> None:
    assert str(call("list", "--embedder", "minilm", path=path).exception) == (
        f"the memory {str(path)!r} was written with the embedder 'words' (64 numbers a vector), and 'minilm' (384) "
        "cannot search it. Use 'words', or copy the memories into a new store."
    )
    assert str(call("list", "--embedder", "glove", path=path).exception) == (
        "--embedder 'glove' is not minilm, none or openai:MODEL/DIMENSION"
    )


# -- forgetting


def _run(store: Path, journal: Path) -> str:
    """A run of Ben's that recalls his secret, keeps it in its journal, and hands it to a tool."""

    async def work() -> str:
        memories = SqliteStore(store, embedder())
        model = ScriptedModel(['answer("4711 is what " + "Ben\'s \\"door\\" code is 4711-zürich.")'], profile=FREE)
        memory = AgentMemory(long_term=LongTermMemory(memories))
        opened = JournalStore(journal)
        result = await Agent(model, tools=[BASIC], memory=memory).run(
            "Tell Ben's door code", user="ben", journal=opened
        )
        opened.close()
        await memories.aclose()
        assert result.status == "done", result.error
        return result.run_id

    return asyncio.run(work())


def test_forgetting_leaves_no_byte_in_the_store_nor_in_the_journal(path: Path, tmp_path: Path) -> None:
    journal = tmp_path / "runs.sqlite"
    run_id = _run(path, journal)
    everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    spellings = ["4711-zürich", "4711-z\\u00fcrich"]
    assert all(text.encode() in everything for text in spellings), "else the search below shows nothing"
    vector = _vector(path, "secret-4")
    assert vector in everything

    done = call("forget", "secret", "--yes", "--journal", journal, path=path)
    assert done.stdout == f"forgot 1 memory; redacted {_marked(journal)} events of 1 run\n"
    assert done.stderr == 'secret-4      fact        ben           1970-01-01  Ben\'s "door" code is 4711-zürich.\n'
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for gone in ("4711-z", "zürich", "z\\u00fcrich"):
        assert gone.encode() not in left.lower(), gone
    assert vector not in left
    assert b"Anna plays the cello." in left

    events = JournalStore(journal).events(run_id)
    assert "[forgotten]" in str([event for event in events if event.kind == "memory_recalled"])
    assert "- [forgotten]" in str([event for event in events if event.kind == "model_called"])
    why = call("why", run_id, "--journal", journal).stdout.splitlines()
    assert why[:2] == ["asked: Tell Ben's door code", "1. secret-4  fact  [forgotten]"]
    assert why[2].startswith("   words: rank 1 (")


def test_forgetting_takes_the_words_out_of_an_audit_trail(path: Path, tmp_path: Path) -> None:
    trail = AuditTrail(tmp_path / "audit.db")
    asyncio.run(trail.add(Decided(at=0.0, action="insert", text="the code is 4711", memory="secret-4", user="ben")))
    args = ("--yes", "--journal", empty_journal(tmp_path), "--audit", tmp_path / "audit.db")
    assert call("forget", "secret", *args, path=path).exit_code == 0
    [decided] = asyncio.run(trail.decisions(scope=Scope("ben")))
    assert (decided.action, decided.text) == ("insert", "(forgotten)")


def _vector(path: Path, id: str) -> bytes:
    with sqlite3.connect(path) as db:
        [row] = db.execute("SELECT vector FROM vectors JOIN memories USING (number) WHERE id = ?", (id,)).fetchall()
    db.close()
    return bytes(row[0])


def _marked(journal: Path) -> int:
    with sqlite3.connect(journal) as db:
        [row] = db.execute("SELECT count(*) FROM events WHERE event LIKE '%[forgotten]%'").fetchall()
    db.close()
    return int(row[0])


def test_forgetting_on_chroma_leaves_no_text_in_any_file(tmp_path: Path) -> None:
    folder = tmp_path / "chroma-memory"

    async def fill() -> None:
        store = ChromaStore(folder, embedder())
        await store.add(CELLO, scope=ANNA)
        await store.add(SECRET, scope=BEN)
        await store.aclose()

    asyncio.run(fill())
    assert holding(folder, "4711")
    done = call("forget", "secret-4", "--yes", "--journal", empty_journal(tmp_path), path=folder)
    assert done.stdout == "forgot 1 memory; redacted 0 events of 0 runs\n"
    assert holding(folder, "4711") == []
    assert call("check", path=folder).stderr == "all parts agree\n"


def test_a_missing_audit_trail_is_named_and_not_made(path: Path, tmp_path: Path) -> None:
    done = call("forget", "secret-4", "--yes", "--audit", tmp_path / "no.db", path=path)
    assert str(done.exception) == f"there is no audit trail {str(tmp_path / 'no.db')!r}"
    assert call("show", "secret-4", path=path).exit_code == 0


def test_nothing_is_forgotten_without_a_yes(path: Path, tmp_path: Path) -> None:
    done = call("forget", "basel", "--journal", empty_journal(tmp_path), path=path, input="n\n")
    assert done.exit_code == 1
    assert "1 other version will stay; --history forgets all versions\nForget 1 memory for good? [y/N]:" in done.stderr
    assert len(texts(call("list", "--ended", "--json", path=path))) == 4
    call("forget", "basel", "--history", "--journal", empty_journal(tmp_path), path=path, input="y\n")
    assert texts(call("list", "--ended", "--json", path=path)) == [SECRET.text, CELLO.text]


def test_a_user_cannot_forget_what_all_share(tmp_path: Path) -> None:
    path = filled(tmp_path / "memory.db", [Memory(id="hours", text="We open at nine.")])
    done = call("forget", "hours", "--user", "anna", "--yes", "--journal", empty_journal(tmp_path), path=path)
    assert str(done.exception).startswith("Scope(user='anna', agent='*', session='*') may not write the memory 'hours'")
    assert texts(call("list", "--json", path=path)) == ["We open at nine."]


def test_a_run_without_memory_says_so(tmp_path: Path) -> None:
    async def work() -> str:
        journal = JournalStore(tmp_path / "runs.sqlite")
        result = await Agent(ScriptedModel(["answer(1)"], profile=FREE), tools=[BASIC]).run("Say one", journal=journal)
        journal.close()
        return result.run_id

    run_id = asyncio.run(work())
    done = call("why", run_id, "--journal", tmp_path / "runs.sqlite")
    assert (done.stdout, done.stderr) == ("", f"the run {run_id!r} asked no long-term memory\n")


# -- taking along


def _exported(folder: Path, *memories: Memory) -> Path:
    file = folder / f"{memories[0].id}.jsonl"
    file.write_text("".join(json.dumps(memory.to_json()) + "\n" for memory in memories))
    return file


def test_what_is_exported_and_imported_is_exported_the_same(path: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert call("export", first, path=path).stderr == "exported 4 memories\n"
    copy = tmp_path / "copy.db"
    done = call("import", first, path=copy)
    assert done.stdout == "imported 4 memories, skipped 0 that were there\n"
    call("export", second, path=copy)
    assert first.read_bytes() == second.read_bytes()
    assert [json.loads(line)["scope"]["user"] for line in first.read_text().splitlines()] == ["anna"] * 3 + ["ben"]
    assert call("import", first, path=copy).stdout == "imported 0 memories, skipped 4 that were there\n"
    assert call("export", path=copy).stdout.encode() == first.read_bytes()
    assert call("check", path=copy).stderr == "all parts agree\n"


def test_a_chain_whose_beginning_was_forgotten_can_be_imported(path: Path, tmp_path: Path) -> None:
    call("forget", "bern", "--yes", "--journal", empty_journal(tmp_path), path=path)
    call("export", tmp_path / "rest.jsonl", path=path)
    assert call("import", tmp_path / "rest.jsonl", path=tmp_path / "copy.db").stdout.startswith("imported 3 memories,")
    assert call("export", path=tmp_path / "copy.db").stdout == (tmp_path / "rest.jsonl").read_text()


def test_an_interrupted_import_is_finished_by_the_next(tmp_path: Path) -> None:
    lines = _exported(tmp_path, BERN, BASEL)
    unlinked = Memory.from_json({**BASEL.to_json(), "supersedes": []})
    path = filled(tmp_path / "copy.db", [BERN, unlinked])

    async def again() -> Memory | None:
        from agentkit.memory import import_lines

        store = SqliteStore(path, embedder())
        await import_lines(store, lines.read_text().splitlines(), scope=ANNA)
        found = await store.get("basel-2", scope=ANNA)
        await store.aclose()
        return found

    assert asyncio.run(again()) == BASEL


def test_a_bad_line_is_named_and_nothing_is_imported(tmp_path: Path) -> None:
    file = _exported(tmp_path, CELLO)
    file.write_text(file.read_text() + "{not json\n")
    done = call("import", file, path=tmp_path / "new.db")
    assert str(done.exception) == (
        "line 2 is not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)): '{not json'."
    )
    file.write_text("[1]\n")
    refused = call("import", file, path=tmp_path / "new.db")
    assert str(refused.exception) == "line 1 is not an exported memory, a JSON object: '[1]'."
    file.write_text("{}\n")
    assert str(call("import", file, path=tmp_path / "new.db").exception) == (
        "line 1 is not an exported memory: text: Field required; scope: Field required."
    )
    assert call("list", path=tmp_path / "new.db").stderr == "no memories\n"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"created": "yesterday"}, "line 1 is not an exported memory: created: Input should be a valid number."),
        ({"created": float("nan")}, "line 1 is not an exported memory: created: Input should be a finite number."),
        ({"scope": {"user": 5}}, "line 1 is not an exported memory: scope.user: Input should be a valid string."),
        ({"supersedes": "abc"}, "line 1 is not an exported memory: supersedes: Input should be a valid list."),
        ({"colour": 1}, "line 1 is not an exported memory: colour: Extra inputs are not permitted."),
        ({"kind": "food"}, "line 1: this cannot be remembered: kind 'food' is not one of"),
    ],
)
def test_values_of_the_wrong_type_are_not_imported(fields: dict[str, Any], problem: str, tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_text(json.dumps({**CELLO.to_json(), **fields}) + "\n")
    done = call("import", tmp_path / "odd.jsonl", path=tmp_path / "new.db")
    assert str(done.exception).startswith(problem)
    assert call("list", path=tmp_path / "new.db").stderr == "no memories\n"


def test_a_time_that_no_calendar_has_is_shown_as_a_number(tmp_path: Path) -> None:
    (tmp_path / "far.jsonl").write_text(json.dumps({**CELLO.to_json(), "created": 1e20}) + "\n")
    call("import", tmp_path / "far.jsonl", path=tmp_path / "new.db")
    assert "1e+20 s" in call("list", "--ended", path=tmp_path / "new.db").stdout
    assert "created      1e+20 s" in call("show", "cello-3", path=tmp_path / "new.db").stdout


def test_what_cannot_be_written_or_read_is_named(path: Path, tmp_path: Path) -> None:
    assert str(call("export", tmp_path, path=path).exception) == f"cannot write {str(tmp_path)!r}: Is a directory"
    assert str(call("import", tmp_path / "x", path=path).exception) == (
        f"cannot read {str(tmp_path / 'x')!r}: No such file or directory"
    )


def test_at_least_one_memory_is_asked_for(path: Path) -> None:
    for command in (("list",), ("search", "cello")):
        done = call(*command, "--most", "0", path=path)
        assert done.exit_code == 2
        assert "--most" in done.stderr


def test_a_journal_that_is_not_there_is_named_and_nothing_is_forgotten(path: Path, tmp_path: Path) -> None:
    """A misspelt journal would keep what is to be forgotten."""
    typo = tmp_path / "typo.sqlite"
    wanted = f"there is no journal {str(typo)!r}; 'agentkit run --journal {typo}' makes one"
    for command in (("forget", "secret-4", "--yes"), ("why", "some-run")):
        store = path if command[0] == "forget" else None
        assert str(call(*command, "--journal", typo, path=store).exception) == wanted
    assert not typo.exists()
    assert call("show", "secret-4", path=path).exit_code == 0


def test_a_missing_file_of_records_is_named(tmp_path: Path) -> None:
    done = call("list", "--store", "http://127.0.0.1:1", "--records", tmp_path / "no.db")
    assert str(done.exception) == (
        f"there is no SQLite file {str(tmp_path / 'no.db')!r} with the memories of 'http://127.0.0.1:1'; name it with "
        "--records"
    )


def test_an_import_for_one_user_takes_nobody_elses(tmp_path: Path) -> None:
    done = call("import", _exported(tmp_path, CELLO, SECRET), "--user", "anna", path=tmp_path / "new.db")
    assert "may not write the memory 'secret-4'" in str(done.exception)
    assert call("list", path=tmp_path / "new.db").stderr == "no memories\n"


# -- order


def test_check_reports_and_repair_mends(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO vectors VALUES (99, ?)", (b"\0" * 256,))
    db.close()
    done = call("check", path=path)
    assert (done.exit_code, done.stdout, done.stderr) == (
        1,
        "vectors: 1 vectors belong to no memory\n",
        "1 disagreement\n",
    )
    mended = call("check", "--repair", path=path)
    assert (mended.exit_code, mended.stderr) == (0, "1 disagreement, 1 mended\n")
    assert call("check", path=path).stderr == "all parts agree\n"
