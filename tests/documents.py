"""Reads the fenced blocks, commands and links of Markdown pages, so that tests can hold the pages to them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.architecture import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        info: The words after the fence: a language, then marks such as ``plan``.
        text: What is inside.
        line: The 1-based line of the opening fence.
        joined: Only blank lines stand between this block and the one before it.
    """

    info: tuple[str, ...]
    text: str
    line: int
    joined: bool


@dataclass(frozen=True)
class Command:
    """A command of a console block, with the output that the page shows (none shown is empty)."""

    words: tuple[str, ...]
    output: str
    line: int


def blocks_of(path: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    page = path.read_text("utf-8")
    found: list[Block] = []
    end = 0
    for fence in _FENCE.finditer(page):
        joined = bool(found) and not page[end : fence.start()].strip()
        line = page.count("\n", 0, fence.start()) + 1
        found.append(Block(tuple(fence["info"].split()), fence["text"], line, joined))
        end = fence.end()
    return found


def commands_of(path: Path) -> Iterator[Command]:
    """Every command of the page's console blocks; what follows ``#`` is a remark."""
    for block in blocks_of(path):
        if block.info != ("console",):
            continue
        line, parts = block.line + 1, re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        assert not parts[0].strip(), f"{path.name}:{line} begins with something that is no command"
        for part in parts[1:]:
            command, _, output = part.partition("\n")
            yield Command(tuple(shlex.split(command, comments=True)), output, line)
            line += part.count("\n")


def links_of(path: Path) -> list[str]:
    """The targets of the page's links to files and headings of the repository."""
    page = _FENCE.sub("", path.read_text("utf-8"))
    return [link["target"] for link in _LINK.finditer(page) if "://" not in link["target"]]


def anchors_of(path: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    page = _FENCE.sub("", path.read_text("utf-8"))
    titles = (heading["title"].lower() for heading in _HEADING.finditer(page))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}
