"""Documents: taken in, kept up to date, found and cited."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from agentkit.embeddings import FunctionEmbedder
from agentkit.errors import DefinitionError, ModelUnavailableError
from agentkit.memory import Filter, InMemoryStore, LongTermMemory, Scope
from agentkit.memory.chunkers import Chunk
from agentkit.memory.documents import Documents, Ingested, as_context, cite
from tests.memory.doubles import DIMENSION, embedder, pdf, word_vectors

ANNA = Scope("anna")

MUSEUM = """\
# Museum

Welcome.

## Hours

It opens at nine.
It closes at five.
"""


@pytest.fixture
async def store() -> AsyncIterator[InMemoryStore]:
    store = InMemoryStore(embedder())
    yield store
    await store.aclose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "museum.md").write_text(MUSEUM)
    (tmp_path / "sub" / "hats.txt").write_text("Hats are red.")
    (tmp_path / ".git" / "x.txt").write_text("hidden")
    (tmp_path / "photo.jpg").write_bytes(b"\xff")
    return tmp_path


async def test_a_folder_is_taken_in_and_kept_up_to_date(store: InMemoryStore, folder: Path) -> None:
    documents = Documents(store, scope=ANNA)
    seen: list[tuple[int, int, str]] = []
    first = await documents.ingest(folder, progress=lambda *told: seen.append(told))
    assert first == Ingested(added=("museum.md", "sub/hats.txt"), left_out=("photo.jpg",), pieces_added=3)
    assert seen == [(0, 2, "museum.md"), (1, 2, "sub/hats.txt"), (2, 2, "")]
    before = {memory.id for memory in await store.list(scope=ANNA)}
    unchanged = ("museum.md", "sub/hats.txt")
    assert await documents.ingest(folder) == Ingested(unchanged=unchanged, left_out=("photo.jpg",))
    assert {memory.id for memory in await store.list(scope=ANNA)} == before
    (folder / "photo.jpg").unlink()
    (folder / "sub" / "hats.txt").write_text("Hats are blue.")
    second = await documents.ingest(folder)
    assert second == Ingested(unchanged=("museum.md",), replaced=("sub/hats.txt",), pieces_added=1, pieces_removed=1)
    (hats,) = await store.list(Filter(where={"source": "sub/hats.txt"}), scope=ANNA)
    assert hats.text == "Hats are blue."
    (folder / "museum.md").unlink()
    assert await documents.ingest(folder) == Ingested(
        unchanged=("sub/hats.txt",), removed=("museum.md",), pieces_removed=2
    )
    assert await documents.sources() == ["sub/hats.txt"]


async def test_an_interrupted_ingest_is_finished_by_the_next(store: InMemoryStore, folder: Path) -> None:
    documents = Documents(store, scope=ANNA)
    await documents.ingest(folder)
    pieces = await store.list(Filter(where={"source": "museum.md"}), scope=ANNA)
    await store.delete(pieces[0].id, scope=ANNA)
    assert (await documents.ingest(folder)).replaced == ("museum.md",)
    assert len(await store.list(Filter(where={"source": "museum.md"}), scope=ANNA)) == len(pieces)


async def test_what_cannot_be_read_is_told_and_what_was_known_is_kept(store: InMemoryStore, folder: Path) -> None:
    documents = Documents(store, scope=ANNA)
    await documents.add("paper.pdf", pdf("Old words"))
    (folder / "paper.pdf").write_bytes(b"damaged")
    (failed,) = (await documents.ingest(folder)).failed
    assert failed[0] == "paper.pdf"
    assert failed[1].startswith("this is not a PDF that can be read: ")
    assert "paper.pdf" in await documents.sources()


async def test_folders_and_files_are_kept_side_by_side(store: InMemoryStore, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "README.md").write_text(f"This is {folder}.")
    (tmp_path / "two" / "notes.odd").write_text("Notes.")
    documents = Documents(store, scope=ANNA)
    await documents.add("thought.txt", "A thought of mine.")
    assert (await documents.ingest(tmp_path / "one")).added == ("README.md",)
    both = await documents.ingest(tmp_path / "two", tmp_path / "two" / "notes.odd")
    assert both == Ingested(added=("two/README.md", "notes.odd"), pieces_added=2)
    again = await documents.ingest(tmp_path, tmp_path / "two" / "README.md")
    assert (again.unchanged, again.left_out) == (("README.md", "two/README.md"), ("two/notes.odd",))
    (tmp_path / "one" / "README.md").unlink()
    assert (await documents.ingest(tmp_path / "two")).removed == ()
    assert (await documents.ingest(tmp_path)).removed == ("README.md",)
    assert await documents.sources() == ["notes.odd", "thought.txt", "two/README.md"]


async def test_a_folder_that_was_moved_keeps_the_names_of_its_documents(store: InMemoryStore, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "hats.txt").write_text("Red.")
    documents = Documents(store, scope=ANNA)
    await documents.ingest(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    assert (await documents.ingest(tmp_path / "new")).replaced == ("hats.txt",)
    assert (await documents.ingest(tmp_path / "new")).unchanged == ("hats.txt",)


async def test_what_other_patterns_leave_out_is_not_removed(store: InMemoryStore, folder: Path) -> None:
    documents = Documents(store, scope=ANNA)
    await documents.ingest(folder)
    assert (await documents.ingest(folder, patterns=["*.md"])).removed == ()
    assert await documents.sources() == ["museum.md", "sub/hats.txt"]


async def test_all_paths_that_lead_nowhere_are_named_and_nothing_is_read(store: InMemoryStore, folder: Path) -> None:
    documents = Documents(store, scope=ANNA)
    with pytest.raises(DefinitionError) as caught:
        await documents.ingest(folder, folder / "x", folder / "y")
    assert str(caught.value) == (
        f"there is no file or folder {str(folder / 'x')!r}, {str(folder / 'y')!r} to take documents from."
    )
    assert await documents.sources() == []


@pytest.mark.parametrize("pattern", ["/etc/*", ""])
async def test_a_pattern_that_is_none_is_named(store: InMemoryStore, folder: Path, pattern: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        await Documents(store, scope=ANNA).ingest(folder, patterns=[pattern])
    assert str(caught.value).startswith(
        f"the pattern {pattern!r} says nothing about files below a folder, as '**/*.md' does ("
    )


async def test_one_pattern_may_stand_alone(store: InMemoryStore, folder: Path) -> None:
    assert (await Documents(store, scope=ANNA).ingest(folder, patterns="**/*.txt")).added == ("sub/hats.txt",)


async def test_nothing_and_the_nameless_are_refused(store: InMemoryStore) -> None:
    documents = Documents(store, scope=ANNA)
    with pytest.raises(DefinitionError, match=r"^no file or folder is named to take documents from\.$"):
        await documents.ingest()
    with pytest.raises(DefinitionError, match=r"^there is no file or folder 'https://example.org' to"):
        await documents.ingest("https://example.org")
    with pytest.raises(DefinitionError, match=r"^a document needs a name, such as 'notes\.md', to be cited"):
        await documents.add(" ", "text")


async def test_a_file_whose_name_is_no_text_is_refused(store: InMemoryStore, folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("Coffee.")
    done = await Documents(store, scope=ANNA).ingest(folder)
    assert done.failed == (("caf?.txt", "its name is not UTF-8; rename it"),)
    assert done.added == ("museum.md", "sub/hats.txt")


async def test_an_embedder_that_fails_stops_the_ingest_and_loses_nothing(folder: Path) -> None:
    async def fails(texts: Sequence[str]) -> list[list[float]]:
        if any("blue" in text for text in texts):
            raise ModelUnavailableError("the server is down")
        return word_vectors(texts)

    store = InMemoryStore(FunctionEmbedder(fails, name="shaky", dimension=DIMENSION))
    documents = Documents(store, scope=ANNA)
    await documents.ingest(folder)
    (folder / "sub" / "hats.txt").write_text("Hats are blue.")
    with pytest.raises(ModelUnavailableError):
        await documents.ingest(folder)
    assert await documents.sources() == ["museum.md", "sub/hats.txt"]


@pytest.mark.parametrize(("scope", "size"), [(Scope("*"), 100), (ANNA, 10)])
def test_documents_of_everybody_or_of_crumbs_are_refused(scope: Scope, size: int) -> None:
    wanted = (
        "documents need an owner, and Scope(user='*', agent='', session='') only asks: name the user, agent and "
        "session, or leave them empty for what all share."
        if scope.user == "*"
        else "a chunk must have room for 20 characters at least, not 10."
    )
    with pytest.raises(DefinitionError) as caught:
        Documents(InMemoryStore(), scope=scope, size=size)
    assert str(caught.value) == wanted


async def test_progress_is_a_line_a_document_where_there_is_no_terminal(
    store: InMemoryStore, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await Documents(store, scope=ANNA).ingest(folder, progress=True)
    assert capsys.readouterr() == ("", "1 of 2: museum.md\n2 of 2: sub/hats.txt\n")
    await Documents(store, scope=ANNA).ingest(folder)
    assert capsys.readouterr() == ("", "")


async def test_progress_is_a_bar_at_a_terminal(
    store: InMemoryStore, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    (folder / "[bold].txt").write_text("Not markup.")
    await Documents(store, scope=ANNA).ingest(folder, progress=True)
    printed = capsys.readouterr().err
    assert "3/3" in printed
    assert "━" in printed
    assert "1 of 3" not in printed


async def test_patterns_choose_files_and_links_out_of_the_folder_are_left(store: InMemoryStore, folder: Path) -> None:
    outside = folder / "sub" / "hats.txt"
    (folder / "inner").mkdir()
    (folder / "inner" / "link.txt").symlink_to(outside)
    (folder / "inner" / "own.txt").write_text("own")
    documents = Documents(store, scope=ANNA)
    assert (await documents.ingest(folder / "inner")).added == ("own.txt",)
    other = Documents(store, scope=ANNA, collection="other")
    assert (await other.ingest(folder, patterns=["**/*.txt"])).added == (
        "inner/link.txt",
        "inner/own.txt",
        "sub/hats.txt",
    )
    assert await documents.sources() == ["own.txt"], "sets do not mix"
    with pytest.raises(DefinitionError, match="there is no file or folder"):
        await documents.ingest(folder / "nowhere")


async def test_pieces_are_found_by_their_context_and_cited(store: InMemoryStore, folder: Path) -> None:
    await Documents(store, scope=ANNA, size=40).ingest(folder)
    found = await LongTermMemory(store).recall("museum hours opens", scope=ANNA, k=1, kinds=["document"])
    assert cite(found.memories[0]) == "museum.md, lines 7-8 (Museum > Hours)"
    assert as_context(found.memories) == (
        "[1] museum.md, lines 7-8 (Museum > Hours)\nIt opens at nine.\nIt closes at five."
    )


async def test_a_function_may_describe_each_piece(store: InMemoryStore) -> None:
    async def describe(source: str, piece: Chunk) -> str:
        return f"About walruses, from {source}"

    await Documents(store, scope=ANNA, describe=describe).add("a.txt", "They are large.")
    (memory,) = await store.list(scope=ANNA)
    assert memory.context == "a.txt\nAbout walruses, from a.txt"
    assert (await LongTermMemory(store).recall("walruses", scope=ANNA)).memories == (memory,)


async def test_a_small_set_fits_into_the_prompt_whole(store: InMemoryStore, folder: Path) -> None:
    documents = Documents(store, scope=ANNA, size=40)
    await documents.ingest(folder)
    whole = await documents.whole(max_tokens=100, count=lambda text: len(text.split()))
    assert whole is not None
    assert whole.index("# museum.md") < whole.index("It opens") < whole.index("# sub/hats.txt") < whole.index("are red")
    assert await documents.whole(max_tokens=10, count=lambda text: len(text.split())) is None


async def test_the_whole_tells_what_its_parts_stand_under(store: InMemoryStore, folder: Path) -> None:
    documents = Documents(store, scope=ANNA, size=40)
    await documents.ingest(folder)
    assert await documents.whole(max_tokens=100, count=lambda text: len(text.split())) == (
        "# museum.md\n\n## Museum\n\nWelcome.\n\n## Museum > Hours\n\nIt opens at nine.\nIt closes at five.\n\n"
        "# sub/hats.txt\n\nHats are red."
    )


async def test_documents_are_kept_to_their_scope(store: InMemoryStore) -> None:
    await Documents(store, scope=ANNA).add("a.txt", "Anna's hats")
    shared, ben = Documents(store, scope=Scope()), Documents(store, scope=Scope("ben"))
    await shared.add("a.txt", "everybody's hats")
    assert await ben.sources() == []
    assert await ben.add("a.txt", "Ben's hats") == "added"
    assert await ben.remove("a.txt") == 1
    assert await shared.sources() == ["a.txt"]
