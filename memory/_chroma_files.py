"""Chroma's files without what is none of its data: memory of the process, and rows that were deleted."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

_HEADER = struct.Struct("<i5Q")
_HEADER_BYTES = 100
_HEADER_VERSION = 1
_LENGTH_BYTES = 4


class IndexFiles:
    """The index files in a folder of Chroma's.

    The header of an index says how many elements it has, and how many bytes each takes. What the other files hold
    beyond these, Chroma never reads. It makes the files of a new index with room for 100 elements, filled with whatever
    its process's memory held there, and puts the elements over that when it has a few thousand.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, int] = {}

    def clear_unused(self) -> None:
        """Write zeros where no element is. Chroma must not be at work on the files; it may have them open."""
        for header in self._folder.glob("*/header.bin"):
            content = header.read_bytes()
            version, _, _, elements, size, _ = _HEADER.unpack_from(content.ljust(_HEADER.size, b"\0"))
            if len(content) == _HEADER_BYTES and version == _HEADER_VERSION:
                self._clear(header.with_name("data_level0.bin"), elements * size)
                self._clear(header.with_name("length.bin"), elements * _LENGTH_BYTES)

    def _clear(self, path: Path, used: int) -> None:
        """Write zeros to all of a file but its first `used` bytes, unless that was done since it was last written."""
        if not path.exists() or self._seen.get(path) == path.stat().st_mtime_ns:
            return
        with path.open("r+b") as file:
            file.seek(used)
            rest = len(file.read().rstrip(b"\0"))
            file.seek(used)
            file.write(b"\0" * rest)
        self._seen[path] = path.stat().st_mtime_ns

    def tidy(self) -> None:
        """Remove the indexes of dropped collections, and rewrite the database so that it holds no deleted row.

        Chroma must not have them open.
        """
        path = self._folder / "chroma.sqlite3"
        if not path.exists():
            return
        with closing(sqlite3.connect(path)) as db:
            used = {row[0] for row in db.execute("SELECT id FROM segments")}
            for header in self._folder.glob("*/header.bin"):
                if header.parent.name not in used:
                    shutil.rmtree(header.parent)
            db.execute("VACUUM")
