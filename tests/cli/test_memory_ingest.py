"""``agentkit memory ingest``: files and folders into a store, again and again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agentkit.cli.main import app
from agentkit.journal import JournalStore
from tests.memory.doubles import holding, pdf

WORDS_ONLY = (
    "this store has no embedder, so memories are found by their words only; for meaning too: "
    "agentkit memory check --repair --embedder minilm --store {where}\n"
)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["memory", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "hours.md").write_text("# Museum\n\n## Hours\n\nIt opens at nine.\n")
    (folder / "page.html").write_text("<h1>Shop</h1><div>Red hats</div>")
    (folder / "stock.csv").write_text("name,units\nhat,3\n")
    (folder / "paper.pdf").write_bytes(pdf("Blue scarves"))
    (folder / "tool.py").write_text("def brush():\n    return 1\n")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\0")
    return folder


def test_a_folder_is_ingested_and_the_next_time_only_what_has_changed(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    first = call("ingest", folder, "--store", store)
    assert (first.exit_code, first.stdout) == (
        0,
        "5 files: 5 added, 0 changed, 0 unchanged, 0 refused; 0 gone; 5 pieces added, 0 removed\n",
    )
    assert first.stderr == (
        "1 of 5: hours.md\n2 of 5: page.html\n3 of 5: paper.pdf\n4 of 5: stock.csv\n5 of 5: tool.py\n"
        + WORDS_ONLY.format(where=store)
        + "left out 1 file with other endings (.jpg); name them, or use --only, to read them as text\n"
    )
    (folder / "stock.csv").write_text("name,units\nhat,2\n")
    (folder / "tool.py").unlink()
    again = call("ingest", folder, "--store", store)
    assert again.stdout == "4 files: 0 added, 1 changed, 3 unchanged, 0 refused; 1 gone; 1 piece added, 2 removed\n"
    found = call("search", "when does the museum open", "--store", store).stdout
    assert "hours.md > Museum > Hours It opens at nine." in found


def test_what_cannot_be_read_is_named_and_the_rest_is_ingested(folder: Path, tmp_path: Path) -> None:
    (folder / "paper.pdf").write_bytes(b"damaged")
    done = call("ingest", folder, folder / "photo.jpg", "--store", tmp_path / "memory.db")
    assert done.exit_code == 1
    assert done.stdout.startswith("6 files: 4 added, 0 changed, 0 unchanged, 2 refused;")
    assert done.stderr.splitlines()[-2:] == [
        "refused paper.pdf: this is not a PDF that can be read: Stream has ended unexpectedly.",
        "refused photo.jpg: this is not text: it has zero bytes.",
    ]


def test_a_path_that_leads_nowhere_is_named_and_no_store_is_made(folder: Path, tmp_path: Path) -> None:
    done = call("ingest", folder, tmp_path / "nowhere", "--store", tmp_path / "memory.db")
    assert str(done.exception) == f"there is no file or folder {str(tmp_path / 'nowhere')!r} to take documents from."
    assert not (tmp_path / "memory.db").exists()


def test_documents_belong_to_whom_the_options_name(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    call("ingest", folder / "hours.md", "--user", "anna", "--store", store)
    call("ingest", folder / "page.html", "--store", store)
    seen = {user: call("list", "--user", user, "--store", store).stdout for user in ("anna", "ben")}
    assert "hours.md" in seen["anna"]
    assert "page.html" in seen["anna"]
    assert "hours.md" not in seen["ben"]
    assert "page.html" in seen["ben"]
    refused = call("ingest", folder, "--user", "*", "--store", store)
    assert str(refused.exception) == (
        "documents need an owner, and Scope(user='*', agent='', session='') only asks: name the user, agent and "
        "session, or leave them empty for what all share."
    )


def test_patterns_choose_files_of_any_ending(folder: Path, tmp_path: Path) -> None:
    (folder / "notes.odd").write_text("Notes.")
    done = call("ingest", folder, "--only", "*.odd", "--only", "*.md", "--json", "--store", tmp_path / "memory.db")
    assert json.loads(done.stdout) == {
        "added": ["hours.md", "notes.odd"],
        "replaced": [],
        "unchanged": [],
        "removed": [],
        "failed": {},
        "left_out": [],
        "pieces_added": 2,
        "pieces_removed": 0,
    }


def test_an_interrupted_ingest_says_that_it_can_be_finished(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("agentkit.memory.documents.content_of", interrupted)
    done = call("ingest", folder, "--store", tmp_path / "memory.db")
    assert done.exit_code == 130
    assert done.stderr.splitlines()[-1] == (
        "agentkit: interrupted; what is done is kept, and ingesting again goes on from there."
    )


def test_a_document_is_forgotten_whole(folder: Path, tmp_path: Path) -> None:
    store, journal = tmp_path / "memory.db", tmp_path / "runs.sqlite"
    JournalStore(journal).close()
    (folder / "long.txt").write_text("\n\n".join(f"Paragraph {n} about qqfrob. {'word ' * 60}" for n in range(12)))
    call("ingest", folder, "--store", store)
    unknown = call("forget", "--document", "lnog.txt", "--user", "anna", "--journal", journal, "--store", store)
    assert str(unknown.exception) == (
        f"there is no document 'lnog.txt' in {str(store)!r} for user 'anna'; "
        "agentkit memory list --kind document shows them"
    )
    done = call("forget", "--document", "long.txt", "--yes", "--journal", journal, "--store", store)
    assert done.stdout == "forgot 4 memories; redacted 0 events of 0 runs\n"
    lines = done.stderr.splitlines()
    assert "long.txt Paragraph 0 about qqfrob." in lines[0]
    assert lines[0].endswith(" word …")
    assert len(lines[0]) < 260
    assert holding(tmp_path, "qqfrob") == ["long.txt"]
    assert str(call("forget", "--store", store).exception) == (
        "nothing is named that could be forgotten; give memories' ids, or --document NAME"
    )


def test_help_shows_the_defaults() -> None:
    """Square brackets in a help text are not taken for markup."""
    shown = CliRunner().invoke(app, ["memory", "ingest", "--help"], env={"COLUMNS": "120"}).stdout
    assert "[default: a per-user file]" in shown
    assert "[default: shared by all users]" in shown
