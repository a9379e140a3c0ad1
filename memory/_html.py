"""The text of an HTML page, block by block."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentkit.errors import MissingDependencyError

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NO_TEXT = ("title", "script", "style", "noscript", "template", "nav")
_BLOCK_NAMES = (
    "address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer form"
    " header hgroup html legend li main ol option p pre section summary table td th tr ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split()) | frozenset(_HEADINGS)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, an item, a table or so: its text, and the headings that it stands under, outermost first."""

    headings: tuple[str, ...]
    text: str
    table: bool = False


def html_blocks(content: bytes) -> list[Block]:
    """All that a page says, in order.

    Raises:
        MissingDependencyError: `beautifulsoup4` is not installed.
    """
    try:
        import bs4
    except ModuleNotFoundError:
        raise MissingDependencyError(missing_reader("HTML", "beautifulsoup4")) from None
    soup = bs4.BeautifulSoup(io.BytesIO(content), "html.parser")
    title = _squeezed(soup.title.get_text(" ")) if soup.title else ""
    for tag in soup(_NO_TEXT):
        tag.decompose()
    for tag in soup("br"):
        tag.replace_with("\n")
    headings: list[tuple[int, str]] = [(0, title)] if title else []
    found: list[Block] = []
    bare = False  # nothing stands under the last heading so far

    def note(text: str, *, table: bool = False) -> None:
        found.append(Block(tuple(heading for _, heading in headings), text, table))

    for name, text in _texts(soup):
        level = _HEADINGS.get(name)
        if level is None:
            note(text, table=name == "table")
            bare = False
            continue
        if bare and level <= headings[-1][0]:
            note(headings[-1][1])
        headings = [each for each in headings if each[0] < level] + [(level, text)]
        bare = True
    if bare or (headings and not found):
        note(headings[-1][1])
    return found


def _texts(soup: Any) -> Iterator[tuple[str, str]]:
    """What is in each innermost block, or directly in a block around others; with the block's name."""
    from bs4.element import CData, NavigableString

    block: Any = None
    words: list[str] = []
    for node in soup.descendants:
        if type(node) not in (NavigableString, CData):
            continue
        around = _block_of(node)
        if around is not block:
            yield from _told(block, words)
            block, words = around, []
        words.append(str(node))
    yield from _told(block, words)


def _block_of(node: Any) -> Any:
    """The innermost block around a text; of tables, the outermost."""
    inner: Any = None
    table: Any = None
    for tag in node.parents:
        if inner is None and tag.name in _BLOCKS:
            inner = tag
        if tag.name == "table":
            table = tag
    return inner if table is None else table


def _told(block: Any, words: list[str]) -> Iterator[tuple[str, str]]:
    name = block.name if block is not None else ""
    text = _table(block) if name == "table" else "".join(words)
    text = text if name in ("pre", "table") else _squeezed(text)
    if text.strip():
        yield name, text.replace("\0", " ")


def _table(table: Any) -> str:
    """A row a line; tables inside are in their cells."""
    rows = [tag for tag in table("tr") if tag.find_parent("table") is table]
    caption = table.find("caption")
    lines = [_squeezed(caption.get_text(" "))] if caption is not None else []
    lines += (" | ".join(_squeezed(cell.get_text(" ")) for cell in row(["th", "td"], recursive=False)) for row in rows)
    return "\n".join(line for line in lines if line.strip(" |"))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def missing_reader(what: str, package: str) -> str:
    """What to say where a package that reads documents is not installed."""
    return f"reading {what} needs the package {package!r}; install it with: pip install 'agentkit-plans[memory]'"
