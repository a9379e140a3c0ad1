"""Files inside a root: what the tools do, and that nothing leads out."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.errors import DefinitionError, ModelRetry
from agentkit.toolbox import Toolbox
from agentkit.tools._rooted import Root, compile_glob
from agentkit.tools.files import file_tools

SECRET = "the secret"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with some files, beside a secret that must not be reached."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET)
    root = tmp_path / "root"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "readme.md").write_text("# Title\nHello world\n")
    (root / "src" / "app.py").write_text("def main():\n    return 1\n\n\ndef other():\n    return 1\n")
    (root / "src" / "deep" / "data.bin").write_bytes(b"\x00\x01world")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("world")
    return root


class Files:
    """The tools as a plan calls them."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.tools = Toolbox(file_tools(root, **settings))

    def __call__(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        function: Any = self.tools[name]
        return function(*args, **kwargs)

    def refusal(self, name: str, /, *args: Any, **kwargs: Any) -> str:
        with pytest.raises(ModelRetry) as refusal:
            self(name, *args, **kwargs)
        return str(refusal.value)


@pytest.fixture
def files(root: Path) -> Files:
    return Files(root)


def test_lists_files_with_sizes_and_without_version_control(files: Files) -> None:
    assert files("list_files") == {
        "files": [
            {"path": "readme.md", "bytes": 20},
            {"path": "src/app.py", "bytes": 53},
            {"path": "src/deep/data.bin", "bytes": 7},
        ],
        "count": 3,
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", ["src/app.py"]),
        ("src/*", ["src/app.py"]),
        ("src/**", ["src/app.py", "src/deep/data.bin"]),
        ("**/data.*", ["src/deep/data.bin"]),
        ("**/*.md", ["readme.md"]),
        ("src/**/*.bin", ["src/deep/data.bin"]),
        ("*/app.py", ["src/app.py"]),
        ("[rs]*.md", ["readme.md"]),
        ("nothing", []),
    ],
)
def test_patterns_choose_files(files: Files, pattern: str, found: list[str]) -> None:
    assert [one["path"] for one in files("list_files", pattern)["files"]] == found


def test_a_pattern_of_many_stars_is_quick() -> None:
    matches = compile_glob("/".join(["**", "*a*"] * 25))
    assert not matches("/".join(["a"] * 30) + "/b")
    with pytest.raises(ModelRetry, match="a file pattern has 1 to 200 characters"):
        compile_glob("*" * 201)


def test_long_lists_are_cut(files: Files, root: Path) -> None:
    for number in range(501):
        (root / f"{number:03}.txt").touch()
    found = files("list_files", "*.txt")
    assert (found["count"], found["truncated"]) == (500, True)


def test_searches_text_files_only(files: Files) -> None:
    assert files("search_files", "world") == {
        "matches": [{"path": "readme.md", "line": 2, "text": "Hello world"}],
        "count": 1,
        "truncated": False,
    }
    assert files("search_files", "HELLO")["count"] == 0
    assert files("search_files", "HELLO", ignore_case=True)["count"] == 1
    found = files("search_files", r"^def (\w+)\(", "*.py", is_regex=True)
    assert [(one["line"], one["text"]) for one in found["matches"]] == [(1, "def main():"), (5, "def other():")]


def test_searches_are_bounded(files: Files, root: Path) -> None:
    (root / "many.txt").write_text("hit\n" * 500 + "x" * 1000)
    found = files("search_files", "hit")
    assert (found["count"], found["truncated"]) == (200, True)
    assert len(files("search_files", "xxx")["matches"][0]["text"]) == 300
    assert files.refusal("search_files", "") == "query is empty; say which text to look for"
    assert files.refusal("search_files", "(", is_regex=True) == "the pattern '(' is invalid: missing ): ("


def test_views_a_window_of_lines(files: Files) -> None:
    assert files("view_file", "src/app.py", start_line=2, lines=3) == {
        "path": "src/app.py",
        "text": "    return 1\n\n\n",
        "start_line": 2,
        "end_line": 4,
        "total_lines": 6,
        "truncated": True,
    }
    assert files("view_file", "src/app.py", start_line=6)["truncated"] is False


def test_only_newlines_end_a_line(files: Files, root: Path) -> None:
    """Else the lines of the view, of the search and of the edit would have different numbers."""
    (root / "odd.txt").write_bytes("a\x0cb\u2028c\r\nd".encode())
    assert files("view_file", "odd.txt")["total_lines"] == 2
    assert files("search_files", "d", "odd.txt")["matches"][0]["line"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("src/deep/data.bin",), "'src/deep/data.bin' is a binary file of 7 bytes, not UTF-8 text"),
        (("app.py",), "there is no file 'app.py'; did you mean 'src/app.py'?"),
        (("none.txt",), "there is no file 'none.txt'; use list_files() to see what there is"),
        (("src",), "'src' is not a file; use list_files() to see what there is"),
        (("readme.md/x",), "'readme.md/x' is not a file; use list_files() to see what there is"),
        ((".",), "'.' is the root itself; give the path of a file in it"),
        (("",), "'' is not a path; give one relative to the root, such as 'notes/todo.txt'"),
        (("readme.md", 9), "'readme.md' has 2 lines; start_line 9 is after its end"),
        (("readme.md", 0), "start_line must be 1 or more and lines 1 to 1000, not 0, 200"),
    ],
)
def test_what_cannot_be_viewed_is_explained(files: Files, arguments: tuple[Any, ...], message: str) -> None:
    assert files.refusal("view_file", *arguments) == message


def test_large_files_are_refused(root: Path) -> None:
    small = Files(root, max_file_bytes=30)
    assert small.refusal("view_file", "src/app.py") == "'src/app.py' has 53 bytes; at most 30 can be used"
    assert small.refusal("write_file", "new.txt", "x" * 31) == (
        "the file would have 31 bytes; at most 30 can be written"
    )
    assert not (root / "new.txt").exists()


def test_edits_a_unique_piece(files: Files, root: Path) -> None:
    done = files("edit_file", "src/app.py", "def other():\n    return 1", "def other():\n    return 2")
    assert done == {"path": "src/app.py", "line": 5}
    assert (root / "src" / "app.py").read_text() == "def main():\n    return 1\n\n\ndef other():\n    return 2\n"


def test_windows_line_ends_are_kept(files: Files, root: Path) -> None:
    (root / "dos.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    files("edit_file", "dos.txt", "one\ntwo", "1\n2")
    assert (root / "dos.txt").read_bytes() == b"1\r\n2\r\nthree\r\n"


def test_an_edit_keeps_the_permissions(files: Files, root: Path) -> None:
    (root / "src" / "app.py").chmod(0o755)
    files("edit_file", "src/app.py", "main", "start")
    assert (root / "src" / "app.py").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return 1", "return 2", "old_text is in 'src/app.py' more than once (lines 2, 6); add lines around it"),
        ("return 3", "", "old_text is not in 'src/app.py'; copy it exactly from view_file()"),
        (
            "def main():\n  return 1",
            "",
            "old_text is not in 'src/app.py' with these spaces and line breaks; copy it exactly from view_file()",
        ),
        (
            "def other():\n    return 5",
            "",
            (
                "old_text is not in 'src/app.py' (line 5 has 'def other():', and what follows differs); "
                "copy it exactly from view_file()"
            ),
        ),
        ("", "x", "old_text is empty; give the text to replace, or use write_file() for a new file"),
        ("main", "main", "old_text and new_text are the same; there is nothing to edit"),
    ],
)
def test_an_edit_that_does_not_fit_changes_nothing(files: Files, root: Path, old: str, new: str, message: str) -> None:
    before = (root / "src" / "app.py").read_text()
    assert files.refusal("edit_file", "src/app.py", old, new) == message
    assert (root / "src" / "app.py").read_text() == before


def test_overlapping_places_are_not_unique(files: Files, root: Path) -> None:
    (root / "a.txt").write_text("aaa")
    assert files.refusal("edit_file", "a.txt", "aa", "b") == (
        "old_text is in 'a.txt' more than once (lines 1, 1); add lines around it"
    )


def test_writes_new_files_and_their_folders(files: Files, root: Path) -> None:
    assert files("write_file", "notes/2026/todo.txt", "é") == {
        "path": "notes/2026/todo.txt",
        "bytes": 2,
        "created": True,
    }
    assert (root / "notes" / "2026" / "todo.txt").read_text("utf-8") == "é"


def test_replaces_a_file_only_when_told_to(files: Files, root: Path) -> None:
    assert files.refusal("write_file", "readme.md", "x") == (
        "'readme.md' exists; use edit_file() to change it, or overwrite=True to replace it"
    )
    assert files("write_file", "readme.md", "x", overwrite=True)["created"] is False
    assert (root / "readme.md").read_text() == "x"
    assert files.refusal("write_file", "src", "x", overwrite=True) == "'src' is not a file; choose another path"
    assert [file.name for file in root.glob("*.tmp")] == []


ESCAPES = [
    "../outside/secret.txt",
    "src/../../outside/secret.txt",
    "src/deep/../../../outside/secret.txt",
    "{outside}/secret.txt",
    "/etc/passwd",
    "~/secret.txt",
    "readme.md\0.txt",
    "\\\\server\\share",
    "link-to-file",
    "link-to-folder/secret.txt",
    "src/link-up/outside/secret.txt",
    "absolute-link/secret.txt",
    "loop",
    "a" * 2000,
    "/".join(["a" * 200] * 4) + "/" + "b" * 300,
]


@pytest.mark.parametrize("path", ESCAPES)
def test_nothing_leads_out(files: Files, root: Path, path: str) -> None:
    outside = root.parent / "outside"
    (root / "link-to-file").symlink_to("../outside/secret.txt")
    (root / "link-to-folder").symlink_to("../outside")
    (root / "src" / "link-up").symlink_to("../..")
    (root / "absolute-link").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    path = path.replace("{outside}", str(outside))
    before = sorted(str(one) for one in root.parent.rglob("*"))
    attempts: list[tuple[Any, ...]] = [
        ("view_file", path),
        ("edit_file", path, SECRET, "changed"),
        ("write_file", path, "changed", True),
        ("write_file", f"{path}/new", "changed"),
    ]
    for name, *arguments in attempts:
        with pytest.raises(ModelRetry):
            files(name, *arguments)
    assert (outside / "secret.txt").read_text() == SECRET
    assert sorted(str(one) for one in root.parent.rglob("*")) == before
    assert files("search_files", SECRET)["count"] == 0
    assert not any("link" in one["path"] for one in files("list_files")["files"])


def test_refused_paths_are_explained(files: Files, root: Path) -> None:
    assert files.refusal("view_file", "../outside/secret.txt") == (
        "'../outside/secret.txt' leads outside the root; only files below it can be used"
    )
    assert files.refusal("view_file", "/etc/passwd") == (
        "'/etc/passwd' is not relative; give a path below the root, such as 'notes/todo.txt'"
    )


def test_links_inside_the_root_may_be_followed(files: Files, root: Path) -> None:
    (root / "short.md").symlink_to("readme.md")
    assert files("view_file", "short.md")["total_lines"] == 2
    files("edit_file", "short.md", "Hello", "Bye")
    assert (root / "short.md").is_symlink()
    assert "Bye" in (root / "readme.md").read_text()


def test_a_folder_that_becomes_a_link_after_the_check_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race between checking and opening, with the other side winning every time."""
    inside = Root(root.resolve())
    resolve = Root.resolve

    def resolve_then_swap(self: Root, name: str) -> Any:
        found = resolve(self, name)
        (root / "src").rename(root / "moved")
        (root / "src").symlink_to("../outside")
        return found

    (root / "src" / "secret.txt").write_text("harmless")
    monkeypatch.setattr(Root, "resolve", resolve_then_swap)
    with pytest.raises(ModelRetry):
        inside.read("src/secret.txt", 1000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(files: Files, root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert files.refusal("view_file", "pipe") == "'pipe' is not a file; use list_files() to see what there is"
    assert files("search_files", "anything")["count"] == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="./\\~a\0 é-", max_size=30))
def test_every_path_stays_inside_or_is_refused(root: Path, name: str) -> None:
    try:
        found = Root(root.resolve()).resolve(name)
    except ModelRetry:
        return
    assert ".." not in found.parts
    assert not found.is_absolute()


def test_a_reader_never_sees_half_a_file(files: Files, root: Path) -> None:
    """Writing replaces the file at once."""
    texts = {"a" * 200_000, "b" * 200_000}
    (root / "swap.txt").write_text("a" * 200_000)
    done = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add((root / "swap.txt").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for text in sorted(texts) * 10:
            files("write_file", "swap.txt", text, overwrite=True)
    finally:
        done.set()
        reader.join()
    assert seen <= texts


async def test_reads_and_writes_are_told_apart(root: Path) -> None:
    tools = Toolbox(file_tools(root))
    tools.validate()
    assert {name: one.effect for name, one in tools.items()} == {
        "list_files": "read",
        "search_files": "read",
        "view_file": "read",
        "edit_file": "write",
        "write_file": "write",
    }
    assert list(Toolbox(file_tools(root, read_only=True))) == ["list_files", "search_files", "view_file"]
    viewed = await tools["view_file"].invoke(tools["view_file"].bind({"path": "readme.md", "lines": 1}))
    assert viewed["text"] == "# Title\n"


def test_the_root_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as refusal:
        file_tools(tmp_path / "none")
    assert str(refusal.value) == f"there is no folder {str(tmp_path / 'none')!r}; create it, or give another root"
