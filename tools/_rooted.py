"""Access to the files below one folder, with no way out by ``..``, absolute paths, links or a race.

A path is resolved, compared with the root, and then opened again from the root down, one folder at a time and without
following links, so that what was checked is what is opened. Where the system cannot open relative to a folder
(Windows), the check alone has to do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from agentkit.errors import ModelRetry, ToolError

MAX_PATH = 1_000
MAX_GLOB = 200

_VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
# Opening a pipe for reading waits for a writer, unless told not to.
_PLAIN = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_CAN_WALK = {os.open, os.mkdir, os.rename, os.unlink} <= os.supports_dir_fd and bool(_DIRECTORY)


@dataclass(frozen=True, slots=True)
class Found:
    """A file: its path from the root, with ``/`` between the parts, and its size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that nothing below it may leave.

    Attributes:
        path: The folder, resolved.
    """

    path: Path

    def resolve(self, name: str) -> PurePosixPath:
        """Where `name`, relative to the root, really is, relative to the root; it need not exist.

        Raises:
            ModelRetry: If it is not a relative path, or leads outside.
        """
        if not name or "\0" in name or len(name) > MAX_PATH:
            raise ModelRetry(f"{name[:60]!r} is not a path; give one relative to the root, such as 'notes/todo.txt'")
        if name.startswith(("/", "\\", "~")) or Path(name).is_absolute() or Path(name).drive:
            raise ModelRetry(f"{name!r} is not relative; give a path below the root, such as 'notes/todo.txt'")
        try:
            real = (self.path / name).resolve()
        except (OSError, RuntimeError, ValueError):
            raise ModelRetry(f"{name!r} cannot be followed: its links lead in a circle, or it is too long") from None
        if not real.is_relative_to(self.path):
            raise ModelRetry(f"{name!r} leads outside the root; only files below it can be used")
        return PurePosixPath(real.relative_to(self.path).as_posix())

    def exists(self, name: str) -> bool:
        """Whether something is at `name`.

        Raises:
            ModelRetry: As `resolve`.
        """
        return (self.path / self.resolve(name)).exists()

    def read(self, name: str, limit: int) -> bytes:
        """The content of a regular file of at most `limit` bytes.

        Raises:
            ModelRetry: If there is no such file, it is not a regular one, or it is larger.
        """
        with self._folder(name, create=False) as (folder, leaf), self._explained(name):
            descriptor = self._open(folder, leaf, os.O_RDONLY | _PLAIN)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise ModelRetry(f"{name!r} is not a file; use list_files() to see what there is")
                if status.st_size > limit:
                    raise ModelRetry(f"{name!r} has {status.st_size} bytes; at most {limit} can be used")
                content = file.read(limit + 1)
                if len(content) > limit:
                    raise ModelRetry(f"{name!r} has more than {limit} bytes, which is too much")
                return content

    def write(self, name: str, content: bytes) -> bool:
        """Put `content` in a file, completely or not at all, making its folders; whether the file is new.

        Raises:
            ModelRetry: If something else than a regular file is there.
        """
        with self._folder(name, create=True) as (folder, leaf), self._explained(name):
            mode = self._mode_of(folder, leaf, name)
            temporary = f".{leaf[:60]}.{secrets.token_hex(6)}.tmp"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN
            descriptor = self._open(folder, temporary, flags)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(descriptor)
                    if mode is not None and hasattr(os, "fchmod"):
                        os.fchmod(descriptor, mode)
                self._replace(folder, temporary, leaf)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._remove(folder, temporary)
                raise
            return mode is None

    @contextlib.contextmanager
    def _folder(self, name: str, *, create: bool) -> Iterator[tuple[int | Path, str]]:
        """The folder that `name` lies in (an open descriptor, or a path on systems without), and its last part."""
        parts = self.resolve(name).parts
        if not parts:
            raise ModelRetry(f"{name!r} is the root itself; give the path of a file in it")
        if not _CAN_WALK:
            folder = self.path.joinpath(*parts[:-1])
            with self._explained(name):
                if create:
                    folder.mkdir(parents=True, exist_ok=True)
                yield folder, parts[-1]
            return
        with contextlib.ExitStack() as stack:
            with self._explained(name):
                descriptor = os.open(self.path, os.O_RDONLY | _DIRECTORY)
                stack.callback(os.close, descriptor)
                for part in parts[:-1]:
                    if create:
                        with contextlib.suppress(FileExistsError):
                            os.mkdir(part, dir_fd=descriptor)
                    descriptor = os.open(part, os.O_RDONLY | _DIRECTORY | _NO_FOLLOW, dir_fd=descriptor)
                    stack.callback(os.close, descriptor)
            yield descriptor, parts[-1]

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise ModelRetry(f"there is no file {name!r}{self._did_you_mean(name)}") from None
        except (IsADirectoryError, NotADirectoryError):
            raise ModelRetry(f"{name!r} is not a file; use list_files() to see what there is") from None
        except PermissionError:
            raise ModelRetry(f"{name!r} may not be accessed") from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG):
                raise ModelRetry(f"{name!r} is not a file that can be used") from None
            raise ToolError(f"{name!r} cannot be accessed: {error.strerror}") from error

    def _did_you_mean(self, name: str) -> str:
        leaf = PurePosixPath(name).name.lower()
        for found in self.walk("*", limit=2_000):
            if PurePosixPath(found.path).name.lower() == leaf:
                return f"; did you mean {found.path!r}?"
        return "; use list_files() to see what there is"

    def _open(self, folder: int | Path, leaf: str, flags: int) -> int:
        if isinstance(folder, int):
            return os.open(leaf, flags, 0o644, dir_fd=folder)
        return os.open(folder / leaf, flags, 0o644)

    def _mode_of(self, folder: int | Path, leaf: str, name: str) -> int | None:
        """Permissions of the file that is there; None if none is."""
        try:
            if isinstance(folder, int):
                mode = os.stat(leaf, dir_fd=folder, follow_symlinks=False).st_mode
            else:
                mode = (folder / leaf).lstat().st_mode
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(mode):
            raise ModelRetry(f"{name!r} is not a file; choose another path")
        return stat.S_IMODE(mode)

    def _replace(self, folder: int | Path, source: str, target: str) -> None:
        if isinstance(folder, int):
            os.rename(source, target, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            (folder / source).replace(folder / target)

    def _remove(self, folder: int | Path, leaf: str) -> None:
        if isinstance(folder, int):
            os.unlink(leaf, dir_fd=folder)
        else:
            (folder / leaf).unlink()

    def walk(self, glob: str, *, limit: int) -> Iterator[Found]:
        """Regular files whose path matches `glob`, folder by folder, without links and version control's own.

        Args:
            glob: Pattern such as ``*.py`` (in any folder), ``src/*.py`` (in that folder) or ``src/**/*.py`` (below it).
            limit: How many entries are looked at, at most.
        """
        pattern = compile_glob(glob)
        looked = 0
        for parent, folders, files in os.walk(self.path, followlinks=False):
            folders[:] = sorted(folder for folder in folders if folder not in _VERSION_CONTROL)
            inside = PurePosixPath(Path(parent).relative_to(self.path).as_posix())
            for file in sorted(files):
                looked += 1
                if looked > limit:
                    return
                path = str(inside / file)
                if pattern(path):
                    with contextlib.suppress(FileNotFoundError, PermissionError):
                        status = (self.path / path).lstat()
                        if stat.S_ISREG(status.st_mode):
                            yield Found(path, status.st_size)


def compile_glob(glob: str) -> Callable[[str], bool]:
    """A test of paths: ``*`` and ``?`` stay inside one part, ``**`` is any number of folders.

    Raises:
        ModelRetry: If `glob` is empty or too long.
    """
    if not 0 < len(glob) <= MAX_GLOB:
        raise ModelRetry(f"a file pattern has 1 to {MAX_GLOB} characters, such as '*.py' or 'src/**/*.py'")
    parts = glob.split("/")
    if len(parts) == 1:
        return lambda path: fnmatchcase(path.rpartition("/")[2], glob)

    def matches(path: str) -> bool:
        # How many parts of the pattern may be used up: a set instead of backtracking.
        reached = _skip_folders({0}, parts)
        for part in path.split("/"):
            stay = {at for at in reached if at < len(parts) and parts[at] == "**"}
            step = {at + 1 for at in reached - stay if at < len(parts) and fnmatchcase(part, parts[at])}
            reached = _skip_folders(stay | step, parts)
        return len(parts) in reached

    return matches


def _skip_folders(reached: set[int], parts: list[str]) -> set[int]:
    """``**`` may also stand for no folder at all."""
    for at in range(min(reached, default=len(parts)), len(parts)):
        if at in reached and parts[at] == "**":
            reached.add(at + 1)
    return reached
