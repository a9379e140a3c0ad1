"""The files below one folder as tools: list, search, view, edit, write.

No path leads out of the folder, neither by ``..`` nor by links. Texts are UTF-8; binary files are only listed.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from typing_extensions import TypedDict

from agentkit.errors import DefinitionError, ModelRetry
from agentkit.toolbox import Tool, tool
from agentkit.tools._patterns import compile_pattern, shown
from agentkit.tools._rooted import Root

MAX_LISTED = 500
MAX_LOOKED_AT = 20_000
MAX_MATCHES = 200
MAX_VIEWED_LINES = 1_000
MAX_VIEWED_CHARACTERS = 100_000
MAX_LINE_SHOWN = 300
SEARCH_SECONDS = 5.0


class FileEntry(TypedDict):
    """A file.

    Attributes:
        path: Path from the root, with ``/`` between its parts.
        bytes: Its size.
    """

    path: str
    bytes: int


class FileList(TypedDict):
    """Files that were found.

    Attributes:
        files: The files, folder by folder.
        count: How many are listed.
        truncated: Whether there are more.
    """

    files: list[FileEntry]
    count: int
    truncated: bool


class LineMatch(TypedDict):
    """A line that matched.

    Attributes:
        path: Path of the file from the root.
        line: Number of the line, from 1.
        text: The line, cut to 300 characters.
    """

    path: str
    line: int
    text: str


class SearchResult(TypedDict):
    """Lines that matched.

    Attributes:
        matches: The lines, file by file.
        count: How many are listed.
        truncated: Whether files or matches were left out because there are too many.
    """

    matches: list[LineMatch]
    count: int
    truncated: bool


class FileView(TypedDict):
    """A window on a text file.

    Attributes:
        path: Path from the root.
        text: The lines of the window, with their line ends.
        start_line: Number of the first line shown, from 1.
        end_line: Number of the last line shown; 0 for an empty file.
        total_lines: How many lines the file has.
        truncated: Whether the file goes on after the window.
    """

    path: str
    text: str
    start_line: int
    end_line: int
    total_lines: int
    truncated: bool


class FileEdit(TypedDict):
    """An edit that was made.

    Attributes:
        path: Path from the root.
        line: Line that the replaced text started on, from 1.
    """

    path: str
    line: int


class WrittenFile(TypedDict):
    """A file that was written.

    Attributes:
        path: Path from the root.
        bytes: Its size.
        created: Whether it is new.
    """

    path: str
    bytes: int
    created: bool


def file_tools(
    root: str | os.PathLike[str], *, max_file_bytes: int = 1_000_000, read_only: bool = False, resource: str = "files"
) -> tuple[Tool, ...]:
    """Tools on the files below `root`; with `read_only`, without ``edit_file`` and ``write_file``.

    Args:
        root: An existing folder; paths are relative to it.
        max_file_bytes: Larger files are not read, searched or written.
        read_only: Leave out the tools that write.
        resource: Name under which plans order reads and writes of these files.

    Raises:
        DefinitionError: If `root` is not a folder, or `max_file_bytes` is not positive.
    """
    if not Path(root).is_dir():
        raise DefinitionError(f"there is no folder {os.fspath(root)!r}; create it, or give another root")
    if max_file_bytes < 1:
        raise DefinitionError(f"max_file_bytes must be positive, not {max_file_bytes!r}")
    texts = _Texts(Root(Path(root).resolve()), max_file_bytes)
    readers = _readers(texts, resource)
    return readers if read_only else (*readers, *_writers(texts, resource))


def _readers(texts: _Texts, resource: str) -> tuple[Tool, ...]:
    @tool(effect="read", resources=(resource,), tags=("files",))
    def list_files(pattern: str = "*") -> FileList:
        """List the files whose path matches a pattern.

        Args:
            pattern: Pattern such as '*.py' (in any folder), 'src/*.py' (in that folder) or 'src/**/*.py' (below it).
        """
        return texts.list(pattern)

    @tool(effect="read", resources=(resource,), tags=("files",), expected_seconds=0.1)
    def search_files(query: str, pattern: str = "*", is_regex: bool = False, ignore_case: bool = False) -> SearchResult:
        """Find the lines of text files that contain a text or match a regular expression.

        Args:
            query: Text to look for, or a regular expression in RE2's syntax.
            pattern: Pattern of the files to search, such as '*.py'.
            is_regex: Whether query is a regular expression.
            ignore_case: Whether capital and small letters are the same.
        """
        return texts.search(query, pattern, is_regex=is_regex, ignore_case=ignore_case)

    @tool(effect="read", resources=(resource,), tags=("files",))
    def view_file(path: str, start_line: int = 1, lines: int = 200) -> FileView:
        """View some lines of a text file.

        Args:
            path: Path from the root, such as 'src/app.py'.
            start_line: First line to show, from 1.
            lines: How many lines to show, 1 to 1000.
        """
        return texts.view(path, start_line, lines)

    return list_files, search_files, view_file


def _writers(texts: _Texts, resource: str) -> tuple[Tool, ...]:
    @tool(effect="write", resources=(resource,), tags=("files",))
    def edit_file(path: str, old_text: str, new_text: str) -> FileEdit:
        """Replace one piece of a text file, which must occur exactly once, by another.

        Args:
            path: Path from the root, such as 'src/app.py'.
            old_text: Text to replace, exactly as in the file, with enough lines around it to be unique.
            new_text: Text to put in its place; empty to delete it.
        """
        return texts.edit(path, old_text, new_text)

    @tool(effect="write", resources=(resource,), tags=("files",))
    def write_file(path: str, text: str, overwrite: bool = False) -> WrittenFile:
        """Write a text file, making the folders that it needs.

        Args:
            path: Path from the root, such as 'notes/todo.txt'.
            text: Whole content of the file.
            overwrite: Whether a file that is there may be replaced.
        """
        return texts.write(path, text, overwrite=overwrite)

    return edit_file, write_file


class _Texts:
    """What the tools do, on one root."""

    def __init__(self, root: Root, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes

    def list(self, pattern: str) -> FileList:
        files: list[FileEntry] = []
        for found in self._root.walk(pattern, limit=MAX_LOOKED_AT):
            if len(files) == MAX_LISTED:
                return FileList(files=files, count=MAX_LISTED, truncated=True)
            files.append(FileEntry(path=found.path, bytes=found.size))
        return FileList(files=files, count=len(files), truncated=False)

    def search(self, query: str, pattern: str, *, is_regex: bool, ignore_case: bool) -> SearchResult:
        if not query:
            raise ModelRetry("query is empty; say which text to look for")
        contains = _line_test(query, is_regex=is_regex, ignore_case=ignore_case)
        matches: list[LineMatch] = []
        deadline = time.monotonic() + SEARCH_SECONDS
        for path, text in self._texts(pattern):
            for number, line in enumerate(_lines(text), 1):
                if time.monotonic() > deadline or len(matches) == MAX_MATCHES:
                    return SearchResult(matches=matches, count=len(matches), truncated=True)
                if contains(line := line.rstrip("\r\n")):
                    matches.append(LineMatch(path=path, line=number, text=line[:MAX_LINE_SHOWN]))
        return SearchResult(matches=matches, count=len(matches), truncated=False)

    def view(self, path: str, start_line: int, lines: int) -> FileView:
        if start_line < 1 or not 1 <= lines <= MAX_VIEWED_LINES:
            raise ModelRetry(
                f"start_line must be 1 or more and lines 1 to {MAX_VIEWED_LINES}, not {start_line}, {lines}"
            )
        every = _lines(self._read(path))
        if start_line > max(len(every), 1):
            raise ModelRetry(f"{path!r} has {len(every)} lines; start_line {start_line} is after its end")
        window: list[str] = []
        size = 0
        for line in every[start_line - 1 : start_line - 1 + lines]:
            size += len(line)
            if size > MAX_VIEWED_CHARACTERS and window:
                break
            window.append(line)
        end = start_line - 1 + len(window)
        return FileView(
            path=path,
            text="".join(window)[:MAX_VIEWED_CHARACTERS],
            start_line=start_line,
            end_line=end,
            total_lines=len(every),
            truncated=end < len(every) or size > MAX_VIEWED_CHARACTERS,
        )

    def edit(self, path: str, old: str, new: str) -> FileEdit:
        if not old:
            raise ModelRetry("old_text is empty; give the text to replace, or use write_file() for a new file")
        if old == new:
            raise ModelRetry("old_text and new_text are the same; there is nothing to edit")
        text = self._read(path)
        if old not in text and "\r\n" in text:
            old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
        count = text.count(old)
        if count == 0:
            raise ModelRetry(f"old_text is not in {path!r}{_nearly(old, text)}; copy it exactly from view_file()")
        at = text.find(old)
        if count > 1 or text.find(old, at + 1) >= 0:
            places = ", ".join(map(str, _lines_of(old, text)))
            raise ModelRetry(f"old_text is in {path!r} more than once (lines {places}); add lines around it")
        self._write(path, text[:at] + new + text[at + len(old) :])
        return FileEdit(path=path, line=text.count("\n", 0, at) + 1)

    def write(self, path: str, text: str, *, overwrite: bool) -> WrittenFile:
        if not overwrite and self._root.exists(path):
            raise ModelRetry(f"{path!r} exists; use edit_file() to change it, or overwrite=True to replace it")
        size, created = self._write(path, text)
        return WrittenFile(path=path, bytes=size, created=created)

    def _read(self, path: str) -> str:
        content = self._root.read(path, self._max_bytes)
        text = _as_text(content)
        if text is None:
            raise ModelRetry(f"{path!r} is a binary file of {len(content)} bytes, not UTF-8 text")
        return text

    def _write(self, path: str, text: str) -> tuple[int, bool]:
        try:
            content = text.encode()
        except UnicodeEncodeError:
            raise ModelRetry("the text contains half a character (a lone surrogate) and cannot be written") from None
        if len(content) > self._max_bytes:
            raise ModelRetry(f"the file would have {len(content)} bytes; at most {self._max_bytes} can be written")
        return len(content), self._root.write(path, content)

    def _texts(self, pattern: str) -> Iterator[tuple[str, str]]:
        """Every text file that is small enough; one that vanishes meanwhile is passed over."""
        for found in self._root.walk(pattern, limit=MAX_LOOKED_AT):
            if found.size > self._max_bytes:
                continue
            try:
                text = _as_text(self._root.read(found.path, self._max_bytes))
            except ModelRetry:
                continue
            if text is not None:
                yield found.path, text


def _as_text(content: bytes) -> str | None:
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _lines(text: str) -> list[str]:
    """The lines with their ends; only a newline ends one, unlike in `str.splitlines`."""
    return list(io.StringIO(text, newline="\n"))


def _line_test(query: str, *, is_regex: bool, ignore_case: bool) -> Callable[[str], bool]:
    if is_regex:
        compiled = compile_pattern(query, ignore_case=ignore_case)
        return lambda line: compiled.search(line) is not None
    if ignore_case:
        wanted = query.casefold()
        return lambda line: wanted in line.casefold()
    return lambda line: query in line


def _nearly(old: str, text: str) -> str:
    """Whether spaces and line breaks are all that differs, which is what goes wrong most."""
    if " ".join(old.split()) in " ".join(text.split()):
        return " with these spaces and line breaks"
    first = old.strip().split("\n", 1)[0].strip()
    for number, line in enumerate(_lines(text), 1):
        if first and first in line:
            return f" (line {number} has {shown(first)}, and what follows differs)"
    return ""


def _lines_of(part: str, text: str) -> list[int]:
    lines: list[int] = []
    at = text.find(part)
    while at >= 0 and len(lines) < 10:
        lines.append(text.count("\n", 0, at) + 1)
        at = text.find(part, at + 1)
    return lines
