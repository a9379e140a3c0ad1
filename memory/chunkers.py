"""Cutting documents into pieces that keep their structure: headings as context, tables and functions whole."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from agentkit.errors import DefinitionError, MissingDependencyError

DEFAULT_SIZE = 1_000
"""Characters of a piece, at the most: about 250 tokens, what `MiniLM` reads of a text."""

_TABLE_SIZE = 4
"""A table is kept whole up to so many times the size."""

_SEPARATORS = ("\n\n", "\n", ". ", " ", "")
_HTML_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HTML_BLOCKS = ("p", "li", "pre", "blockquote", "table", "td", "dt", "dd", *_HTML_HEADINGS)
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
    if size < 20:
        raise DefinitionError(f"a chunk must have room for 20 characters at least, not {size}.")
    chunker = CHUNKERS.get(Path(name).suffix.lower(), chunk_text)
    return [piece for piece in chunker(content, size) if piece.text.strip()]


def chunk_text(content: bytes, size: int) -> list[Chunk]:
    """Plain text: by paragraphs, then lines, sentences and words, as far as needed."""
    return [Chunk(text, place=place) for text, place in _with_lines(_decoded(content), 1, size)]


def chunk_markdown(content: bytes, size: int) -> list[Chunk]:
    """Markdown: by headings and blocks; tables and fenced code stay whole."""
    from markdown_it import MarkdownIt

    text = _decoded(content)
    lines = text.split("\n")
    headings: list[tuple[int, str]] = []
    blocks: list[tuple[tuple[str, ...], int, int, bool]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    bare: tuple[int, int] | None = None  # a heading that nothing stands under so far

    def note(start: int, end: int, *, whole: bool = False) -> None:
        blocks.append((tuple(title for _, title in headings), start, end, whole))

    for index, token in enumerate(tokens):
        if token.level != 0 or token.map is None:
            continue
        start, end = token.map
        if token.type == "heading_open":
            level = int(token.tag[1:])
            if bare is not None and level <= headings[-1][0]:
                note(*bare)
            headings = [each for each in headings if each[0] < level] + [(level, tokens[index + 1].content)]
            bare = (start, end)
        else:
            note(start, end, whole=token.type in ("table_open", "fence"))
            bare = None
    if bare is not None:
        note(*bare)
    return list(_packed_blocks(lines, blocks, size))


def _packed_blocks(
    lines: Sequence[str], blocks: Iterable[tuple[tuple[str, ...], int, int, bool]], size: int
) -> Iterator[Chunk]:
    """Neighbouring blocks under the same headings together, as long as they fit."""
    waiting: tuple[tuple[str, ...], int, int] | None = None
    for headings, start, end, whole in blocks:
        text = "\n".join(lines[start:end])
        if waiting is not None:
            joined = "\n".join(lines[waiting[1] : end])
            if waiting[0] == headings and len(joined) <= size:
                waiting = (headings, waiting[1], end)
                continue
            yield _lines_chunk(lines, *waiting)
            waiting = None
        if len(text) <= (size * _TABLE_SIZE if whole else size):
            waiting = (headings, start, end)
        else:
            yield from (Chunk(part, headings, place) for part, place in _with_lines(text, start + 1, size))
    if waiting is not None:
        yield _lines_chunk(lines, *waiting)


def _lines_chunk(lines: Sequence[str], headings: tuple[str, ...], start: int, end: int) -> Chunk:
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return Chunk("\n".join(lines[start:end]).strip("\n"), headings, _lines(start + 1, end))


def chunk_html(content: bytes, size: int) -> list[Chunk]:
    """HTML: the text of its blocks under their headings; rows of tables become lines, scripts and styles nothing."""
    try:
        import bs4
    except ModuleNotFoundError:
        raise MissingDependencyError(_missing("HTML", "beautifulsoup4")) from None
    soup = bs4.BeautifulSoup(content, "html.parser")
    for tag in soup(["script", "style", "noscript", "template", "nav"]):
        tag.decompose()
    for tag in soup("br"):
        tag.replace_with("\n")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    headings: list[tuple[int, str]] = [(0, title)] if title else []
    pieces: list[tuple[tuple[str, ...], str, bool]] = []
    for tag in soup.find_all(_HTML_BLOCKS):
        if tag.find_parent(_HTML_BLOCKS) is not None and tag.name not in _HTML_HEADINGS:
            continue
        level = _HTML_HEADINGS.get(tag.name)
        if level is not None:
            headings = [each for each in headings if each[0] < level] + [(level, tag.get_text(" ", strip=True))]
        else:
            table = tag.name == "table"
            pieces.append((tuple(title for _, title in headings), _html_text(tag), table))
    if not pieces and soup.get_text(strip=True):
        pieces = [((title,) if title else (), soup.get_text("\n", strip=True), False)]
    return list(_packed_texts(pieces, size))


def _html_text(tag: Any) -> str:
    if tag.name == "table":
        rows = (" | ".join(cell.get_text(" ", strip=True) for cell in row(["th", "td"])) for row in tag("tr"))
        return "\n".join(rows)
    if tag.name == "pre":
        return str(tag.get_text())
    return " ".join(tag.get_text().split())


def _packed_texts(pieces: Iterable[tuple[tuple[str, ...], str, bool]], size: int) -> Iterator[Chunk]:
    headings: tuple[str, ...] = ()
    text = ""
    for under, piece, whole in pieces:
        if text and under == headings and len(text) + 2 + len(piece) <= size:
            text = f"{text}\n\n{piece}"
            continue
        if text:
            yield Chunk(text, headings)
        headings, text = under, ""
        if len(piece) <= (size * _TABLE_SIZE if whole else size):
            text = piece
        else:
            yield from (Chunk(part, under) for part in split_text(piece, size))
    if text:
        yield Chunk(text, headings)


def chunk_pdf(content: bytes, size: int) -> list[Chunk]:
    """PDF: page by page."""
    try:
        import pypdf
        from pypdf.errors import PyPdfError
    except ModuleNotFoundError:
        raise MissingDependencyError(_missing("PDF", "pypdf")) from None
    try:
        pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]
    except (PyPdfError, ValueError, KeyError) as error:
        raise DefinitionError(f"this is not a PDF that can be read: {error}.") from error
    return [
        Chunk(part, place=f"page {number}")
        for number, page in enumerate(pages, start=1)
        for part in split_text(page.strip(), size)
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
        line = "; ".join(f"{name}: {value}" for name, value in zip(names, row, strict=False) if value)
        if lines and sum(map(len, lines)) + len(lines) + len(line) > size:
            found.append(Chunk("\n".join(lines), place=f"rows {first}-{number - 1}"))
            lines, first = [], number
        lines.append(line)
    if lines:
        found.append(Chunk("\n".join(lines), place=f"rows {first}-{len(rows)}"))
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
) -> Iterator[tuple[tuple[str, ...], int, int, bool]]:
    """Headings, first and last line of each part, from `start` to `end` without a gap."""
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    at = start
    for node in body:
        if not isinstance(node, named):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
        last = node.end_lineno or node.lineno
        if first > at:
            yield (names, at, first, False)
        kind = "class" if isinstance(node, ast.ClassDef) else "def"
        under = (*names, f"{kind} {node.name}")
        if isinstance(node, ast.ClassDef) and len("\n".join(lines[first:last])) > size:
            yield from _python_blocks(lines, node.body, under, first, last, size)
        else:
            yield (under, first, last, False)
        at = last
    if end > at and any(line.strip() for line in lines[at:end]):
        yield (names, at, end, False)


def chunk_code(content: bytes, size: int) -> list[Chunk]:
    """Code of any language: at lines that begin in the first column, as many as fit."""
    text = _decoded(content)
    lines = text.split("\n")
    blocks, start = [], 0
    for part in _CODE_BREAKS.split(text):
        end = start + part.count("\n") + 1
        blocks.append(((), start, end, False))
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
    return f"lines {first}-{last}" if last > first else f"line {first}"


def _decoded(content: bytes) -> str:
    text = content.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")


def _missing(what: str, package: str) -> str:
    return f"reading {what} needs the package {package!r}; install it with: pip install 'agentkit-plans[memory]'"


CHUNKERS: dict[str, Chunker] = {
    **dict.fromkeys((".md", ".markdown"), chunk_markdown),
    **dict.fromkeys((".html", ".htm"), chunk_html),
    **dict.fromkeys((".csv", ".tsv"), chunk_csv),
    **dict.fromkeys((".py", ".pyi"), chunk_python),
    **dict.fromkeys(
        (".c", ".cc", ".cpp", ".cs", ".go", ".h", ".java", ".js", ".kt", ".php", ".rb", ".rs", ".sh", ".sql", ".ts"),
        chunk_code,
    ),
    ".pdf": chunk_pdf,
    ".txt": chunk_text,
}
"""By the ending of a document's name."""
