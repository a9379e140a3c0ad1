"""Which files are meant by paths, and what their documents are called."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentkit.errors import DefinitionError

MAX_BYTES = 20_000_000
"""Larger files are refused."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to take in.

    Attributes:
        path: The file, absolute.
        root: The folder that was named, absolute; that of the file, if the file itself was named.
    """

    path: Path
    root: Path

    def name(self, owners: Mapping[str, str]) -> str:
        """Its path below the folder that was named; with as many folders before it as tell it from other files.

        Args:
            owners: The files of the documents that have a name already, by name; empty for those of no file.
        """
        depth = len(self.root.parts)
        while depth > 1 and _is_another(owners.get("/".join(self.path.parts[depth:]), ""), self.path):
            depth -= 1
        return "/".join(self.path.parts[depth:])


def _is_another(owner: str, path: Path) -> bool:
    """Whether a document is of another file; one whose file is gone has been moved here."""
    return owner not in ("", str(path)) and Path(owner).is_file()


@dataclass(frozen=True, slots=True)
class Search:
    """What paths lead to.

    Attributes:
        files: The files to take in, each once.
        folders: The folders that were searched, absolute.
        left_out: Files of the folders, by their paths below them, whose endings say nothing about how to read them.
    """

    files: tuple[Found, ...]
    folders: tuple[Path, ...]
    left_out: tuple[str, ...]

    def covers(self, path: str) -> bool:
        """Whether a file is below one of the folders."""
        return any(Path(path).is_relative_to(folder) for folder in self.folders)


def find(paths: Sequence[str | Path], patterns: Sequence[str], endings: Collection[str]) -> Search:
    """The files that paths mean. A file that is named is read whatever its ending.

    Args:
        paths: Files and folders.
        patterns: Which files of a folder, as in ``**/*.md``; without any, those with one of the endings.
        endings: Of file names, in lower case, with the dot.

    Raises:
        DefinitionError: A path is neither a file nor a folder, or a pattern is none.
    """
    check_paths(paths)
    patterns = [patterns] if isinstance(patterns, str) else patterns
    files: dict[Path, Found] = {}
    folders = []
    left_out: dict[Path, str] = {}
    for path in map(Path, paths):
        if path.is_dir():
            root = path.resolve()
            folders.append(root)
            inside = _inside(root, patterns)
            known = [each for each in inside if patterns or each.suffix.lower() in endings]
            left_out |= {each: each.relative_to(root).as_posix() for each in inside}
        else:
            root = path.parent.resolve()
            known = [root / path.name]
        for each in known:
            files.setdefault(each, Found(each, root))
    unread = sorted(name for path, name in left_out.items() if path not in files)
    return Search(tuple(files.values()), tuple(folders), tuple(map(printable, unread)))


def check_paths(paths: Sequence[str | Path]) -> None:
    """Refuse paths that lead nowhere.

    Raises:
        DefinitionError: One is neither a file nor a folder, or there is none.
    """
    if not paths:
        raise DefinitionError("no file or folder is named to take documents from.")
    if missing := [repr(str(path)) for path in paths if not (Path(path).is_file() or Path(path).is_dir())]:
        raise DefinitionError(f"there is no file or folder {', '.join(missing)} to take documents from.")


def _inside(root: Path, patterns: Sequence[str]) -> list[Path]:
    """The files of a folder, but for hidden ones and links that lead out of it."""
    candidates = {path for pattern in patterns or ("**/*",) for path in _matching(root, pattern)}
    return sorted(
        path
        for path in candidates
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.resolve().is_relative_to(root)
    )


def _matching(root: Path, pattern: str) -> list[Path]:
    try:
        return list(root.glob(pattern))
    except (ValueError, NotImplementedError, IndexError) as error:
        raise DefinitionError(
            f"the pattern {pattern!r} says nothing about files below a folder, as '**/*.md' does ({error})."
        ) from None


def printable(name: str) -> str:
    """A file's name without what is no text in it, as names on some disks have."""
    return name.encode("utf-8", "replace").decode()


def content_of(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        DefinitionError: It is too large.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DefinitionError(f"it has {size:,} bytes, and at most {MAX_BYTES:,} are read")
    return path.read_bytes()
