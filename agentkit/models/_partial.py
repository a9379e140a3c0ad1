"""A download under way: a file that grows by recorded parts, so that what was fetched before an interruption counts."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One finished part: where it came from, where it ends in the file, the sha256 of its own bytes."""

    source: str
    end: int
    sha256: str


class PartialFile:
    """The beginning of a file, part by part.

    Args:
        path: The growing file. The record of its parts lies beside it, with ``.json`` added to the name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._record = path.with_name(path.name + ".json")
        self._parts: list[Part] = []
        self._whole = hashlib.sha256()

    @property
    def size(self) -> int:
        """Bytes of the finished parts."""
        return self._parts[-1].end if self._parts else 0

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the finished parts came from, in order."""
        return tuple(part.source for part in self._parts)

    @property
    def sha256(self) -> str:
        """Hash of the finished parts together, in hexadecimal."""
        return self._whole.hexdigest()

    def resume(self, keep: Iterable[str] | None = None) -> None:
        """Read the parts of an earlier attempt again, keep those that are what they were, and cut off the rest.

        Args:
            keep: The sources expected, in order; from the first part of another source on, nothing is kept.
        """
        recorded = self._read_record()
        expected = list(keep) if keep is not None else None
        self._parts, self._whole = [], hashlib.sha256()
        self.path.touch()
        with self.path.open("rb+") as file:
            for index, part in enumerate(recorded):
                if expected is not None and (index >= len(expected) or expected[index] != part.source):
                    break
                if not self._matches(file, part):
                    break
                self._parts.append(part)
            file.truncate(self.size)
        self._write_record()

    def append(self, source: str, chunks: Iterable[bytes]) -> None:
        """Add a part. It counts once all of it is on the disk; an exception from `chunks` leaves none of it."""
        own, whole, end = hashlib.sha256(), self._whole.copy(), self.size
        with self.path.open("rb+") as file:
            file.truncate(end)
            file.seek(end)
            for chunk in chunks:
                file.write(chunk)
                own.update(chunk)
                whole.update(chunk)
                end += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        self._whole = whole
        self._parts.append(Part(source, end, own.hexdigest()))
        self._write_record()

    def move_to(self, target: Path) -> None:
        """Make it the file `target`, at once or not at all."""
        self.path.replace(target)
        self._record.unlink(missing_ok=True)

    def delete(self) -> None:
        """Remove the file and the record of its parts."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)
        self._parts, self._whole = [], hashlib.sha256()

    def _matches(self, file: BinaryIO, part: Part) -> bool:
        own, whole = hashlib.sha256(), self._whole.copy()
        for chunk in _read(file, part.end - self.size):
            own.update(chunk)
            whole.update(chunk)
        if own.hexdigest() != part.sha256 or file.tell() != part.end:
            return False
        self._whole = whole
        return True

    def _read_record(self) -> list[Part]:
        try:
            return [
                Part(str(p["source"]), int(p["end"]), str(p["sha256"])) for p in json.loads(self._record.read_text())
            ]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # no record, or one cut off by a crash: nothing is known to be finished

    def _write_record(self) -> None:
        draft = self._record.with_name(self._record.name + ".new")
        draft.write_text(json.dumps([asdict(part) for part in self._parts]))
        draft.replace(self._record)


def file_sha256(path: Path) -> str:
    """Hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (chunk := file.read(min(_CHUNK, length))):
        length -= len(chunk)
        yield chunk
