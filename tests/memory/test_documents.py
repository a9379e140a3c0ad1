"""Documents: cut along their structure, kept up to date, found and cited."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import DefinitionError
from agentkit.memory import Filter, InMemoryStore, LongTermMemory, Scope
from agentkit.memory.chunkers import CHUNKERS, Chunk, chunk, split_text
from agentkit.memory.documents import Documents, Ingested, as_context, cite
from tests.memory.doubles import embedder

ANNA = Scope("anna")


@given(st.text(), st.integers(1, 50))
def test_parts_joined_are_the_text_and_none_is_too_long(text: str, size: int) -> None:
    parts = split_text(text, size)
    assert "".join(parts) == text
    assert all(0 < len(part) <= size for part in parts)


@given(st.sampled_from(sorted(CHUNKERS)), st.binary(max_size=200))
def test_no_content_breaks_a_chunker(ending: str, content: bytes) -> None:
    with contextlib.suppress(DefinitionError):
        assert all(piece.text.strip() for piece in chunk(f"x{ending}", content, 50))


@given(
    st.sampled_from([".md", ".txt", ".py", ".go"]), st.lists(st.sampled_from(["# A", "word", "", "def f():", "- x"]))
)
def test_no_word_of_a_text_is_lost(ending: str, lines: list[str]) -> None:
    pieces = chunk(f"x{ending}", "\n".join(lines).encode(), 30)
    found = " ".join(" ".join((*piece.headings, piece.text)) for piece in pieces)
    for line in lines:
        assert line.lstrip("# ") in found


MARKDOWN = """\
Intro.

# Museum

Welcome.

## Hours

It opens at nine.
It closes at five.

| day | price |
|-----|-------|
| Mon | 5 |
| Sun | 9 |

# Shop

Hats.
"""


def test_markdown_keeps_headings_as_context_and_tables_whole() -> None:
    assert chunk("a.md", MARKDOWN.encode(), 40) == [
        Chunk("Intro.", (), "line 1"),
        Chunk("Welcome.", ("Museum",), "line 5"),
        Chunk("It opens at nine.\nIt closes at five.", ("Museum", "Hours"), "lines 9-10"),
        Chunk("| day | price |\n|-----|-------|\n| Mon | 5 |\n| Sun | 9 |", ("Museum", "Hours"), "lines 12-15"),
        Chunk("Hats.", ("Shop",), "line 19"),
    ]


def test_neighbours_under_one_heading_share_a_piece_where_they_fit() -> None:
    pieces = chunk("a.md", MARKDOWN.encode(), 1000)
    assert [piece.headings for piece in pieces] == [(), ("Museum",), ("Museum", "Hours"), ("Shop",)]
    assert "closes" in pieces[2].text
    assert "Sun" in pieces[2].text


def test_html_becomes_text_under_its_headings() -> None:
    page = b"""<html><head><title>Shop</title><style>p {color: red}</style></head><body><h1>Hats</h1>
    <p>Red <b>hats</b>.</p><script>alert(1)</script><ul><li>one</li><li>two</li></ul>
    <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></body></html>"""
    assert chunk("a.html", page, 25) == [
        Chunk("Red hats.\n\none\n\ntwo", ("Shop", "Hats")),
        Chunk("a | b\n1 | 2", ("Shop", "Hats")),
    ]
    assert chunk("b.html", b"just text") == [Chunk("just text")]


def test_rows_of_a_table_carry_the_names_of_their_columns() -> None:
    table = "name;units\n" + "".join(f"hat{n};{n}\n" for n in range(10))
    pieces = chunk("a.csv", table.encode(), 60)
    assert pieces[0] == Chunk("name: hat0; units: 0\nname: hat1; units: 1", place="rows 2-3")
    assert pieces[-1].place == "rows 10-11"


def test_functions_stay_whole_and_methods_stand_under_their_class() -> None:
    code = "import os\n\n\ndef f():\n    return 1\n\n\n"
    code += "class Hat:\n    size = 1\n\n    @property\n    def red(self):\n        return 2\n"
    assert [(piece.headings, piece.place) for piece in chunk("a.py", code.encode(), 60)] == [
        ((), "line 1"),
        (("def f",), "lines 4-5"),
        (("class Hat",), "lines 8-9"),
        (("class Hat", "def red"), "lines 11-13"),
    ]
    assert chunk("broken.py", b"def f(:\n  x\ny = 1\n", 1000)[0].text == "def f(:\n  x\ny = 1"


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text a page."""
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {4 + 2 * number} 0 R /Resources {font} >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode()


def test_a_pdf_is_read_page_by_page() -> None:
    assert chunk("a.pdf", pdf("Red hats", "Blue scarves")) == [
        Chunk("Red hats", place="page 1"),
        Chunk("Blue scarves", place="page 2"),
    ]
    with pytest.raises(DefinitionError, match=r"^this is not a PDF that can be read: "):
        chunk("a.pdf", b"hello")


def test_a_size_that_is_too_small_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"^a chunk must have room for 20 characters at least, not 3\.$"):
        chunk("a.txt", b"x", 3)


@pytest.fixture
async def store() -> AsyncIterator[InMemoryStore]:
    store = InMemoryStore(embedder())
    yield store
    await store.aclose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "museum.md").write_text(MARKDOWN)
    (tmp_path / "sub" / "hats.txt").write_text("Hats are red.")
    (tmp_path / ".git" / "x.txt").write_text("hidden")
    (tmp_path / "photo.jpg").write_bytes(b"\xff")
    return tmp_path


async def test_a_folder_is_taken_in_and_kept_up_to_date(store: InMemoryStore, folder: Path) -> None:
    documents = Documents(store, scope=ANNA)
    seen: list[tuple[int, int, str]] = []
    first = await documents.ingest(folder, progress=lambda *told: seen.append(told))
    assert first == Ingested(added=("museum.md", "sub/hats.txt"))
    assert seen == [(0, 2, "museum.md"), (1, 2, "sub/hats.txt"), (2, 2, "")]
    before = {memory.id for memory in await store.list(scope=ANNA)}
    assert await documents.ingest(folder) == Ingested(unchanged=("museum.md", "sub/hats.txt"))
    assert {memory.id for memory in await store.list(scope=ANNA)} == before
    (folder / "sub" / "hats.txt").write_text("Hats are blue.")
    assert await documents.ingest(folder) == Ingested(unchanged=("museum.md",), replaced=("sub/hats.txt",))
    (hats,) = await store.list(Filter(where={"source": "sub/hats.txt"}), scope=ANNA)
    assert hats.text == "Hats are blue."
    (folder / "museum.md").unlink()
    assert await documents.ingest(folder) == Ingested(unchanged=("sub/hats.txt",), removed=("museum.md",))
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
    with pytest.raises(DefinitionError, match="there is no folder"):
        await documents.ingest(folder / "nowhere")


async def test_pieces_are_found_by_their_context_and_cited(store: InMemoryStore, folder: Path) -> None:
    await Documents(store, scope=ANNA, size=40).ingest(folder)
    found = await LongTermMemory(store).recall("museum hours opens", scope=ANNA, k=1, kinds=["document"])
    assert cite(found.memories[0]) == "museum.md, lines 9-10 (Museum > Hours)"
    assert as_context(found.memories) == (
        "[1] museum.md, lines 9-10 (Museum > Hours)\nIt opens at nine.\nIt closes at five."
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


async def test_documents_are_kept_to_their_scope(store: InMemoryStore) -> None:
    await Documents(store, scope=ANNA).add("a.txt", "Anna's hats")
    shared, ben = Documents(store, scope=Scope()), Documents(store, scope=Scope("ben"))
    await shared.add("a.txt", "everybody's hats")
    assert await ben.sources() == []
    assert await ben.add("a.txt", "Ben's hats") == "added"
    assert await ben.remove("a.txt") == 1
    assert await shared.sources() == ["a.txt"]
