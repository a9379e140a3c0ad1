"""The distributions: what they hold, and that every room can be imported from them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.architecture import ROOMS, ROOT

pytestmark = pytest.mark.slow

IMPORT_ROOMS = "import agentkit, " + ", ".join(f"agentkit.{room}" for room in ROOMS)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that git would hand out, links kept, so that a build sees nothing else."""
    copy = tmp_path_factory.mktemp("sources") / "agentkit"
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        source, target = ROOT / name, copy / name
        if source.is_symlink() or source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return copy


@pytest.fixture(scope="module")
def built(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel built from that."""
    output = tmp_path_factory.mktemp("dist")
    build(sources, output)
    return output


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel that was built from the source distribution."""
    return next(built.glob("*.whl"))


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; a failure shows its errors."""
    ignored = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in ignored}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(sources: Path, output: Path, *kinds: str) -> None:
    """Build with what is installed here; without `kinds`, a source distribution and a wheel from it."""
    run(sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", output, sources, cwd=output)


def contents(wheel: Path) -> dict[str, str]:
    """The files of a wheel, each with the hash of its bytes."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def library_files(sources: Path) -> set[str]:
    """The names that the library's files should have in a wheel."""
    files = {path.relative_to(sources) for path in (sources / "agentkit").rglob("*") if path.is_file()}
    linked = {path for path in files if len(path.parts) > 2 and path.parts[1] in ROOMS}
    rooms = {path.relative_to(sources) for room in ROOMS for path in (sources / room).rglob("*") if path.is_file()}
    return {path.as_posix() for path in files - linked} | {f"agentkit/{path.as_posix()}" for path in rooms}


def clean_environment(folder: Path) -> Path:
    """A virtual environment that sees this one's dependencies and no agentkit; its interpreter's path."""
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    # Such an entry goes on the path, but the .pth files in it, an editable agentkit's among them, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    """Install into the environment of `python` without asking any registry."""
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index")
    run(*pip, "--no-deps", "--no-build-isolation", "--force-reinstall", *what, cwd=python.parent)


def location(python: Path, module: str, cwd: Path) -> Path:
    """The file that `module` is imported from, after every room was."""
    return Path(run(python, "-I", "-c", f"{IMPORT_ROOMS}, {module}; print({module}.__file__)", cwd=cwd).strip())


def test_the_wheel_holds_agentkit_and_nothing_else(wheel: Path, sources: Path) -> None:
    """The rooms lie inside agentkit, the type marker and the licence are there, and no generic name is claimed."""
    names = set(contents(wheel))
    metadata = {name for name in names if name.startswith("agentkit_plans-")}
    assert names - metadata == library_files(sources)
    assert "agentkit/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


def test_the_source_distribution_holds_the_rooms_and_the_tests(built: Path) -> None:
    """It can be built, and tested, by those who have nothing else."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "LICENSE", "README.md", "tests/conftest.py", *(f"{room}/__init__.py" for room in ROOMS)}
    assert wanted - names == set()


def test_the_wheel_is_the_same_with_and_without_the_detour(wheel: Path, sources: Path, tmp_path: Path) -> None:
    """Building from the repository gives the files that building from the source distribution gives."""
    build(sources, tmp_path, "--wheel")
    assert contents(next(tmp_path.glob("*.whl"))) == contents(wheel)


def test_every_room_is_imported_from_the_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    """In a clean environment, from another folder; a bare room cannot be imported there."""
    python = clean_environment(tmp_path / "env")
    install(python, wheel)
    for room in ROOMS:
        found = location(python, f"agentkit.{room}", tmp_path)
        assert found.is_relative_to(tmp_path / "env"), found
    bare = [f"importlib.util.find_spec({room!r})" for room in ROOMS]
    assert run(python, "-I", "-c", f"import importlib.util; print(any([{', '.join(bare)}]))", cwd=tmp_path) == "False\n"


def test_the_command_is_installed(wheel: Path, tmp_path: Path) -> None:
    """The wheel brings the command `agentkit`, which can print its help."""
    python = clean_environment(tmp_path / "env")
    install(python, wheel)
    assert "Usage: agentkit" in run(python.with_name("agentkit"), "--help", cwd=tmp_path)


def test_an_installation_from_the_folder_brings_every_room(sources: Path, tmp_path: Path) -> None:
    """``pip install .`` works."""
    python = clean_environment(tmp_path / "env")
    install(python, sources)
    assert location(python, "agentkit.tools", tmp_path).is_relative_to(tmp_path / "env")


def test_an_editable_installation_follows_the_sources(sources: Path, tmp_path: Path) -> None:
    """A module added to a room can be imported without installing again."""
    copy = tmp_path / "agentkit"
    shutil.copytree(sources, copy, symlinks=True)
    python = clean_environment(tmp_path / "env")
    install(python, "--editable", copy)
    (copy / "tools" / "added_later.py").write_text('"""Added after the installation."""\n')
    assert location(python, "agentkit.tools.added_later", tmp_path).resolve() == copy / "tools" / "added_later.py"
