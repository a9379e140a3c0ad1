"""Cutting documents into pieces that keep their structure: headings as context, tables and functions whole."""

from __future__ import annotations

import ast
import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from agentkit.errors import DefinitionError, MissingDependencyError
from agentkit.memory._html import Block, html_blocks, missing_reader

DEFAULT_SIZE = 1_000
"""Characters of a piece, at the most: about 250 tokens, what `MiniLM` reads of a text."""

_TABLE_SIZE = 4
"""A table is kept whole up to so many times the size."""

_SEPARATORS = ("\n\n", "\n", ". ", " ", "")
_CODE_BREAKS = re.compile(r"\n(?=\S)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document.

    Attributes:
        text: Its words.
        headings: The headings that it stands under, outermost first.
        place: Where it is: ``lines 3-9``, ``page 4``, ``rows 2-40``.
    """

    text: str
    headings: tuple[str, ...] = ()
    place: str = ""


Chunker: TypeAlias = Callable[[bytes, int], list[Chunk]]
"""``chunker(content, size)``: the pieces of a document."""


def chunk(name: str, content: bytes, size: int = DEFAULT_SIZE) -> list[Chunk]:
    """The pieces of a document, cut as its name's ending says; unknown endings are read as text.

    Args:
        name: The document's name.
        content: Its bytes.
        size: Characters of a piece at the most; only a table or a line of code that is longer stays whole.

    Raises:
        DefinitionError: The document cannot be read as what its name says.
        MissingDependencyError: The package that reads such documents is not installed.
    """
    check_size(size)
    chunker = CHUNKERS.get(Path(name).suffix.lower(), chunk_text)
    return [piece for piece in chunker(content, size) if piece.text.strip()]


def check_size(size: int) -> None:
    """Refuse pieces that are too small to say anything.

    Raises:
        DefinitionError: They are.
    """
    if size < 20:
        raise DefinitionError(f"a chunk must have room for 20 characters at least, not {size}.")


def chunk_text(content: bytes, size: int) -> list[Chunk]:
    """Plain text: by paragraphs, then lines, sentences and words, as far as needed."""
    return [Chunk(text, place=place) for text, place in _with_lines(_decoded(content), 1, size)]


def chunk_markdown(content: bytes, size: int) -> list[Chunk]:
    """Markdown: by headings and blocks; tables and fenced code stay whole."""
    from markdown_it import MarkdownIt

    text = _decoded(content)
    lines = text.split("\n")
    headings: list[tuple[int, str]] = []
    front = _front_matter(lines)
    blocks: list[_Lines] = [_Lines((), 0, front)] if front else []
    tokens = MarkdownIt("commonmark").enable("table").parse("\n" * front + "\n".join(lines[front:]))
    bare: tuple[int, int] | None = None  # a heading that nothing stands under so far

    def note(start: int, end: int, *, head: int | None = None) -> None:
        blocks.append(_Lines(tuple(title for _, title in headings), start, end, head))

    done = front
    for index, token in enumerate(tokens):
        if token.level != 0 or token.map is None:
            continue
        start, end = token.map
        if any(line.strip() for line in lines[done:start]):
            note(done, start)  # what is no block: notes, and what links refer to
        done = end
        if token.type == "heading_open":
            level = int(token.tag[1:])
            if bare is not None and level <= headings[-1][0]:
                note(*bare)
            headings = [each for each in headings if each[0] < level] + [(level, tokens[index + 1].content)]
            bare = (start, end)
        else:
            note(start, end, head={"table_open": 2, "fence": 0}.get(token.type))
            bare = None
    if bare is not None:
        note(*bare)
    if any(line.strip() for line in lines[done:]):
        note(done, len(lines))
    return list(_packed_blocks(lines, blocks, size))


def _front_matter(lines: Sequence[str]) -> int:
    """How many lines at the beginning of a page are about it: what stands between two lines of dashes."""
    if lines[0].rstrip() != "---":
        return 0
    return next((number for number, line in enumerate(lines[1:], start=2) if line.rstrip() in ("---", "...")), 0)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines of a document that belong together, from `start` to before `end`.

    Attributes:
        headings: What they stand under.
        start: The first.
        end: The one after the last.
        head: They are a table or so that is to stay whole, and if it is far too long, these first lines are repeated.
            None if they may be cut.
    """

    headings: tuple[str, ...]
    start: int
    end: int
    head: int | None = None


def _packed_blocks(lines: Sequence[str], blocks: Iterable[_Lines], size: int) -> Iterator[Chunk]:
    """Neighbouring blocks under the same headings together, as long as they fit."""
    waiting: _Lines | None = None
    for block in blocks:
        text = "\n".join(lines[block.start : block.end])
        if waiting is not None:
            joined = "\n".join(lines[waiting.start : block.end])
            if waiting.headings == block.headings and len(joined) <= size:
                waiting = _Lines(block.headings, waiting.start, block.end)
                continue
            yield _lines_chunk(lines, waiting)
            waiting = None
        if len(text) <= (size if block.head is None else size * _TABLE_SIZE):
            waiting = block
        elif block.head:
            for part, start, end in _table_parts(text.rstrip().split("\n"), block.head, size):
                yield Chunk(part, block.headings, _lines(block.start + start + 1, block.start + end))
        else:
            yield from (Chunk(part, block.headings, at) for part, at in _with_lines(text, block.start + 1, size))
    if waiting is not None:
        yield _lines_chunk(lines, waiting)


def _lines_chunk(lines: Sequence[str], block: _Lines) -> Chunk:
    end = block.end
    while end > block.start + 1 and not lines[end - 1].strip():
        end -= 1
    return Chunk("\n".join(lines[block.start : end]).strip("\n"), block.headings, _lines(block.start + 1, end))


def chunk_html(content: bytes, size: int) -> list[Chunk]:
    """HTML: all its text, block by block, under its headings; rows of tables become lines, scripts and styles nothing.

    Raises:
        MissingDependencyError: `beautifulsoup4` is not installed.
    """
    return list(_packed_texts(html_blocks(content), size))


def _packed_texts(blocks: Iterable[Block], size: int) -> Iterator[Chunk]:
    headings: tuple[str, ...] = ()
    text = ""
    for block in blocks:
        if text and block.headings == headings and len(text) + 2 + len(block.text) <= size:
            text = f"{text}\n\n{block.text}"
            continue
        if text:
            yield Chunk(text, headings)
        headings, text = block.headings, ""
        if len(block.text) <= (size * _TABLE_SIZE if block.table else size):
            text = block.text
        elif block.table:
            yield from (Chunk(part, headings) for part, _, _ in _table_parts(block.text.split("\n"), 1, size))
        else:
            yield from (Chunk(part, headings) for part in split_text(block.text, size))
    if text:
        yield Chunk(text, headings)


def _table_parts(lines: Sequence[str], head: int, size: int) -> Iterator[tuple[str, int, int]]:
    """A table in parts of whole rows, each below the table's first `head` lines; and which of the lines it has."""
    room = size - sum(len(line) + 1 for line in lines[:head])
    start, used = head, 0
    for at, line in enumerate(lines[head:], start=head):
        if at > start and used + len(line) > room:
            yield "\n".join([*lines[:head], *lines[start:at]]), start, at
            start, used = at, 0
        used += len(line) + 1
    yield "\n".join([*lines[:head], *lines[start:]]), start, len(lines)


def chunk_pdf(content: bytes, size: int) -> list[Chunk]:
    """PDF: page by page."""
    try:
        import pypdf
    except ModuleNotFoundError:
        raise MissingDependencyError(missing_reader("PDF", "pypdf")) from None
    try:
        pages = [page.extract_text().strip() for page in pypdf.PdfReader(io.BytesIO(content)).pages]
    except Exception as error:  # on damaged files pypdf fails in ever new ways, of which it names but a few
        raise DefinitionError(f"this is not a PDF that can be read: {str(error) or type(error).__name__}.") from error
    if not any(pages):
        raise DefinitionError("this PDF has no text, only pictures of it perhaps; run it through OCR first.")
    return [
        Chunk(part, place=f"page {number}")
        for number, page in enumerate(pages, start=1)
        for part in split_text(page, size)
    ]


def chunk_csv(content: bytes, size: int) -> list[Chunk]:
    """CSV: as many rows as fit, each value with its column's name."""
    text = _decoded(content)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = [row for row in csv.reader(io.StringIO(text), dialect) if any(row)]
    except csv.Error as error:
        raise DefinitionError(f"this is not a CSV table that can be read: {error}.") from error
    if not rows:
        return []
    names, found, lines, first = rows[0], [], list[str](), 2
    for number, row in enumerate(rows[1:], start=2):
        named = [*names, *(f"column {extra}" for extra in range(len(names) + 1, len(row) + 1))]
        line = "; ".join(
            f"{name}: {value}" if name else value for name, value in zip(named, row, strict=False) if value
        )
        if lines and sum(map(len, lines)) + len(lines) + len(line) > size:
            found.append(Chunk("\n".join(lines), place=_span("row", first, number - 1)))
            lines, first = [], number
        lines.append(line)
    if lines:
        found.append(Chunk("\n".join(lines), place=_span("row", first, len(rows))))
    return found or [Chunk("; ".join(names), place="row 1")]


def chunk_python(content: bytes, size: int) -> list[Chunk]:
    """Python: functions and classes whole where they fit, methods under their class; broken code as any code."""
    text = _decoded(content)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return chunk_code(content, size)
    lines = text.split("\n")
    return list(_packed_blocks(lines, _python_blocks(lines, tree.body, (), 0, len(lines), size), size))


def _python_blocks(
    lines: Sequence[str], body: Sequence[ast.stmt], names: tuple[str, ...], start: int, end: int, size: int
) -> Iterator[_Lines]:
    """The parts of a module or a class, from `start` to `end` without a gap."""
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    at = start
    for node in body:
        if not isinstance(node, named):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
        last = node.end_lineno or node.lineno
        if first > at:
            yield _Lines(names, at, first)
        kind = "class" if isinstance(node, ast.ClassDef) else "def"
        under = (*names, f"{kind} {node.name}")
        if isinstance(node, ast.ClassDef) and len("\n".join(lines[first:last])) > size:
            yield from _python_blocks(lines, node.body, under, first, last, size)
        else:
            yield _Lines(under, first, last)
        at = last
    if end > at and any(line.strip() for line in lines[at:end]):
        yield _Lines(names, at, end)


def chunk_code(content: bytes, size: int) -> list[Chunk]:
    """Code of any language: at lines that begin in the first column, as many as fit."""
    text = _decoded(content)
    lines = text.split("\n")
    blocks, start = [], 0
    for part in _CODE_BREAKS.split(text):
        end = start + part.count("\n") + 1
        blocks.append(_Lines((), start, end))
        start = end
    return list(_packed_blocks(lines, blocks, size))


def split_text(text: str, size: int, separators: Sequence[str] = _SEPARATORS) -> list[str]:
    """A text in parts of at most `size` characters, cut at the first separator that makes them small enough.

    The parts, joined, are the text.
    """
    if len(text) <= size:
        return [text] if text else []
    separator, *rest = separators
    if not separator:
        return [text[start : start + size] for start in range(0, len(text), size)]
    pieces = [piece + separator for piece in text.split(separator)]
    pieces[-1] = pieces[-1].removesuffix(separator)
    found, waiting = [], ""
    for piece in pieces:
        if len(waiting) + len(piece) <= size:
            waiting += piece
            continue
        if waiting:
            found.append(waiting)
        waiting = ""
        if len(piece) <= size:
            waiting = piece
        else:
            *whole, waiting = split_text(piece, size, rest)
            found += whole
    return [*found, waiting] if waiting else found


def _with_lines(text: str, first: int, size: int) -> Iterator[tuple[str, str]]:
    """The parts of a text, each with the lines that it is from."""
    for part in split_text(text, size):
        start = first + len(part[: len(part) - len(part.lstrip("\n"))])
        yield part.strip("\n"), _lines(start, first + part.rstrip("\n").count("\n"))
        first += part.count("\n")


def _lines(first: int, last: int) -> str:
    return _span("line", first, last)


def _span(what: str, first: int, last: int) -> str:
    return f"{what}s {first}-{last}" if last > first else f"{what} {first}"


def _decoded(content: bytes) -> str:
    """UTF-16 with its mark, UTF-8, or else what old Windows programs write in the west.

    Raises:
        DefinitionError: It is no text.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16", "replace")
    elif b"\0" in content:
        raise DefinitionError("this is not text: it has zero bytes.")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")


_CODE = (
    "bash c cc cfg cpp cs css go h hpp ini java js json jsonl jsx kt lua mjs php pl proto r rb rs scala sh sql swift"
    " toml ts tsx vue xml yaml yml zsh"
)

CHUNKERS: dict[str, Chunker] = {
    **dict.fromkeys((".md", ".markdown"), chunk_markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), chunk_html),
    **dict.fromkeys((".csv", ".tsv"), chunk_csv),
    **dict.fromkeys((".py", ".pyi"), chunk_python),
    **dict.fromkeys((f".{ending}" for ending in _CODE.split()), chunk_code),
    ".pdf": chunk_pdf,
    **dict.fromkeys((".adoc", ".org", ".rst", ".tex", ".text", ".txt"), chunk_text),
}
"""By the ending of a document's name."""
