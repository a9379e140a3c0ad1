"""Documents are cut along their structure, and nothing that they say is lost."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import DefinitionError
from agentkit.memory.chunkers import CHUNKERS, Chunk, chunk, split_text
from tests.memory.doubles import pdf


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
    st.sampled_from([".md", ".txt", ".py", ".go"]),
    st.lists(st.sampled_from(["# A", "word", "", "def f():", "- x", "[^1]: note", "[a]: /b"])),
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


def test_a_pdf_without_text_is_refused_rather_than_empty() -> None:
    with pytest.raises(DefinitionError) as caught:
        chunk("scan.pdf", pdf(""))
    assert str(caught.value) == "this PDF has no text, only pictures of it perhaps; run it through OCR first."


def test_a_page_keeps_the_text_that_stands_in_no_paragraph() -> None:
    page = b"""<head><title>Shop</title><body><div>Open <b>daily</b><br>till nine<p>Red hats.</p>and scarves
    <ul><li>one<ul><li>two</li></ul></li></ul></div><span>The end</span>"""
    texts = chunk("a.html", page, 1000)[0].text.split("\n\n")
    assert texts == ["Open daily till nine", "Red hats.", "and scarves", "one", "two", "The end"]


def test_a_heading_that_nothing_stands_under_is_kept() -> None:
    page = b"<h1>Hats</h1><h2>Red</h2><h2>Blue</h2><p>Sold out.</p><h1>Scarves</h1>"
    assert chunk("a.html", page) == [
        Chunk("Red", ("Hats", "Red")),
        Chunk("Sold out.", ("Hats", "Blue")),
        Chunk("Scarves", ("Scarves",)),
    ]
    assert chunk("b.html", b"<title>Only a title</title>") == [Chunk("Only a title", ("Only a title",))]


def test_a_table_inside_a_table_is_told_once() -> None:
    page = b"<table><tr><td>a<table><tr><td>inner</td></tr></table></td><td>b</td></tr></table>"
    assert chunk("a.html", page) == [Chunk("a inner | b")]


@pytest.mark.parametrize("ending", [".md", ".html"])
def test_a_table_that_is_too_long_is_cut_between_rows_below_its_head(ending: str) -> None:
    rows = [(f"hat{number}", f"{number} units") for number in range(60)]
    if ending == ".md":
        text = "# Stock\n\n| name | left |\n|---|---|\n" + "".join(f"| {name} | {left} |\n" for name, left in rows)
    else:
        cells = "".join(f"<tr><td>{name}</td><td>{left}</td></tr>" for name, left in rows)
        text = f"<h1>Stock</h1><table><tr><th>name</th><th>left</th></tr>{cells}</table>"
    pieces = chunk(f"a{ending}", text.encode(), 200)
    assert len(pieces) > 5
    for piece in pieces:
        assert piece.headings == ("Stock",)
        assert "name | left" in piece.text.split("\n")[0]
        assert len(piece.text) <= 200
    lines = [line for piece in pieces for line in piece.text.split("\n") if "hat" in line]
    assert [line.strip("| ").split(" | ")[0] for line in lines] == [name for name, _ in rows]
    if ending == ".md":
        assert pieces[0].place.startswith("lines 5-")
        assert pieces[-1].place.endswith("-64")


def test_what_a_page_says_about_itself_is_no_heading() -> None:
    assert chunk("a.md", b"---\ntitle: Hats\n---\n# Red\n\nSold out.\n") == [
        Chunk("---\ntitle: Hats\n---", (), "lines 1-3"),
        Chunk("Sold out.", ("Red",), "line 6"),
    ]


def test_notes_and_what_links_refer_to_are_kept() -> None:
    page = "# Hats\n\nRed.[^1] See [here].\n\n[^1]: Or orange.\n\n# Shop\n\nOpen.\n\n[here]: /hats\n"
    assert chunk("a.md", page.encode()) == [
        Chunk("Red.[^1] See [here].\n\n[^1]: Or orange.", ("Hats",), "lines 3-5"),
        Chunk("Open.\n\n[here]: /hats", ("Shop",), "lines 9-11"),
    ]


def test_values_beyond_the_columns_of_a_table_are_kept() -> None:
    assert chunk("a.csv", b"a,b\n1,2,3,4\n5\n") == [
        Chunk("a: 1; b: 2; column 3: 3; column 4: 4\na: 5", place="rows 2-3")
    ]
    assert chunk("a.csv", b"a\n1\n")[0].place == "row 2"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_is_read_in_the_encodings_that_people_have(encoding: str) -> None:
    assert chunk("a.txt", "Zürich – 5 €".encode(encoding)) == [Chunk("Zürich – 5 €", place="line 1")]


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"^this is not text: it has zero bytes\.$"):
        chunk("photo.txt", b"\x89PNG\0\0")
