"""The documentation is true: its Python runs, its plans check, its commands exist, generated parts are up to date."""

from __future__ import annotations

import contextlib
import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from agentkit.agent import Agent
from agentkit.checker import check
from agentkit.cli.main import app
from agentkit.diagnostics import Code
from agentkit.expressions import _bounds
from agentkit.expressions.functions import FUNCTIONS
from agentkit.limits import Limits
from agentkit.spelling import _text as text_bounds
from agentkit.testing import ScriptedModel
from docs import _examples, generate
from tests.architecture import ROOT
from tests.documents import PAGES, Block, anchors_of, blocks_of, commands_of, links_of

README = ROOT / "README.md"
LANGUAGE = ROOT / "docs" / "plan-language.md"


def _id(page: Path) -> str:
    return page.name


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Where the blocks of one page run: a module of its own, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    yield module.__dict__
    sys.modules.pop("shop", None)


def _run(block: Block, page: Path, namespace: dict[str, Any]) -> str:
    """Run a block as if it stood in a file, with the page's own line numbers; what it prints."""
    code = compile("\n" * block.line + block.text, str(page), "exec", dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    return printed.getvalue()


# Python


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_the_python_of_a_page_runs_and_prints_what_the_page_shows(page: Path, namespace: dict[str, Any]) -> None:
    """Plain ``python`` blocks run in order; a ``text`` block right after one is what it prints."""
    blocks = blocks_of(page)
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.info != ("python",):
            continue
        printed = _run(block, page, namespace)
        shown = following.text if following and following.joined and following.info == ("text",) else ""
        assert printed == shown, f"{page.name}:{block.line}"


def test_the_readme_s_plan_answers_the_readme_s_question(namespace: dict[str, Any]) -> None:
    """The example of a local model holds for a model that writes the plan that the README shows."""
    blocks = blocks_of(README)
    for block in (one for one in blocks if one.info == ("python",)):
        _run(block, README, namespace)
    [asked] = [one for one in blocks if one.info == ("python", "model")]
    [plan] = [one for one in blocks if one.info == ("python", "plan")]
    shop: type[Agent] = namespace["Shop"]
    namespace["Shop"] = lambda: shop(ScriptedModel([plan.text]))
    assert _run(asked, README, namespace) == "Fruity Fedora costs $29.99\n"


# plans


def _plans(*marks: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{page.name}:{block.line}")
        for page in PAGES
        if page != README
        for block in blocks_of(page)
        if block.info[1:] and block.info[1] in marks
    ]


@pytest.mark.parametrize("block", _plans("plan"))
def test_a_plan_of_a_page_passes_the_checker(block: Block) -> None:
    """Plans that are shown as good ones have no errors."""
    report = check(_examples.read(block.text), _examples.TOOLBOX)
    assert report.errors == ()


def test_the_two_spellings_that_stand_together_are_the_same_plan() -> None:
    """A plan in Python with one in JSON right after it read to equal plans."""
    blocks = blocks_of(LANGUAGE)
    pairs = [
        (one, other)
        for one, other in itertools.pairwise(blocks)
        if other.joined and (one.info, other.info) == (("python", "plan"), ("json", "plan"))
    ]
    assert len(pairs) >= 3
    for one, other in pairs:
        assert _examples.read(one.text) == _examples.read(other.text), f"plan-language.md:{one.line}"


@pytest.mark.parametrize("rewrite", _examples.REWRITES, ids=lambda rewrite: rewrite.what)
def test_what_plans_do_not_have_is_refused_and_the_other_form_passes(rewrite: _examples.Rewrite) -> None:
    """Each row of the table of refused Python is true on both sides."""
    refused = check(_examples.read(rewrite.refused), _examples.TOOLBOX)
    assert {one.code for one in refused.errors} <= {Code.UNSUPPORTED, Code.EXPRESSION}
    assert refused.errors
    assert check(_examples.read(rewrite.instead), _examples.TOOLBOX).diagnostics == ()


# diagnostics


def test_every_code_has_an_example() -> None:
    """The reference leaves out no code."""
    assert list(_examples.EXAMPLES) == list(Code)


@pytest.mark.parametrize("code", Code, ids=lambda code: code.value)
def test_the_example_of_a_code_has_that_code_and_no_other(code: Code) -> None:
    """What the reference shows for a code is what the checker says, and nothing else is wrong with the plan."""
    assert [one.code for one in _examples.EXAMPLES[code].report().diagnostics] == [code]


# what is generated


def test_the_generated_pages_are_up_to_date() -> None:
    """If this fails, run ``python -m docs.generate``."""
    assert [path.name for path, text in generate.pages().items() if path.read_text("utf-8") != text] == []


def test_the_generator_checks_without_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``--check`` a stale page is named, left as it is, and fails; without, it is written."""
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("old")
    monkeypatch.setattr(generate, "HERE", page.parent)
    monkeypatch.setattr(generate, "pages", lambda: {page: "new"})
    said: list[str] = []
    assert generate.main(["--check"], said.append) == 1
    assert (page.read_text(), said) == ("old", ["stale: docs/page.md\n"])
    assert generate.main([], said.append) == 0
    assert (page.read_text(), said[1:]) == ("new", ["wrote: docs/page.md\n"])
    assert generate.main(["--check"], said.append) == 0


def test_a_part_without_markers_is_named() -> None:
    """A page that lost the place of a generated part is not silently left stale."""
    with pytest.raises(SystemExit, match="the page has no part 'tools'"):
        generate.with_parts("# Page\n", {"tools": "text"})


def test_the_language_page_names_every_function_and_bound() -> None:
    """The hand-written tables of bounds follow the code."""
    page = LANGUAGE.read_text("utf-8")
    assert [name for name in FUNCTIONS if f"| `{name}(" not in page] == []
    tables = page[page.index("## Bounds") : page.index("## Python that plans")]
    of_plan = (text_bounds.MAX_TEXT, text_bounds.MAX_STEPS, text_bounds.MAX_NESTING)
    of_values = (_bounds.MAX_SOURCE, _bounds.MAX_DEPTH, _bounds.MAX_TEXT, _bounds.MAX_LIST, _bounds.MAX_BITS)
    rows = [line.split("|")[2].strip() for line in tables.splitlines() if line.startswith("|")]
    assert [row for row in rows if row[0].isdigit()] == [
        f"{bound:,}" for bound in (*of_plan, *of_values, _bounds.MAX_STEPS)
    ]
    assert f"(`Limits.loop_iterations`, {Limits().loop_iterations})" in page


# the command line


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_the_commands_of_a_page_exist_and_print_what_the_page_shows(page: Path, namespace: dict[str, Any]) -> None:
    """``cat`` shows a file that the commands after it read; commands with output are run, others looked up."""
    _write_files(page)
    for command in commands_of(page):
        program, *arguments = command.words
        where = f"{page.name}:{command.line}"
        if program == "cat":
            Path(arguments[0]).write_text(command.output)
        elif program == "agentkit" and command.output:
            assert CliRunner().invoke(app, arguments).output == command.output, where
        elif program == "agentkit":
            _look_up(arguments, where)
        else:
            assert program in ("make", "pip"), where


def _write_files(page: Path) -> None:
    """Blocks of Python that begin with the name of a file are that file."""
    for block in blocks_of(page):
        first = block.text.partition("\n")[0]
        if block.info == ("python",) and first.startswith("# ") and first.endswith(".py"):
            Path(first.removeprefix("# ")).write_text(block.text)


def _look_up(arguments: list[str], where: str) -> None:
    """The command exists and takes the options that the page gives it."""
    depth = 2 if arguments[0] in ("memory", "models", "runs") else 1
    shown = CliRunner().invoke(app, [*arguments[:depth], "--help"], terminal_width=200)
    assert shown.exit_code == 0, f"{where}: there is no command {arguments[:depth]}"
    for option in (word for word in arguments if word.startswith("--")):
        assert option in shown.output, f"{where}: {arguments[:depth]} has no {option}"


def test_the_command_line_page_leads_through_every_command() -> None:
    """Each command has a section, those of groups too."""
    titles = anchors_of(ROOT / "docs" / "cli.md")
    assert {"agentkit-run", "agentkit-check", "agentkit-runs-resume", "agentkit-models-pull"} <= titles


# links


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=_id)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Links inside the repository name a file that is there, and a heading of it."""
    broken = []
    for link in links_of(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []
