"""Writes the parts of the documentation that the code already says: ``python -m docs.generate``.

``--check`` writes nothing and fails if a page is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from agentkit.cli.main import app
from agentkit.diagnostics import Code
from agentkit.expressions.functions import FUNCTIONS, Function
from docs._examples import EXAMPLES, REWRITES, TOOLBOX, Example

HERE = Path(__file__).parent
NOTE = "<!-- This page is written by `python -m docs.generate`; edit {source} instead. -->"

DIAGNOSTICS_INTRODUCTION = """\
`check` reports every problem of a plan in one pass: a stable code, where it is, what is wrong, what was expected, and
how to mend it. Errors stop a plan; warnings do not. In Python a problem is a `Diagnostic` with `code`, `path`, `line`,
`message`, `expected`, `suggestion` and `severity`; `agentkit check --json` prints the same.

Each example below is checked against the tools of [the plan language](plan-language.md#the-tools-of-this-page), and
what stands under it is exactly what `agentkit check` prints.
"""

FAMILIES: Mapping[str, str] = {
    "AK1": "The plan cannot be read",
    "AK2": "Tools and arguments",
    "AK3": "References",
    "AK4": "Types",
    "AK5": "Control flow",
    "AK6": "Policy and limits",
    "AK7": "The goal",
}
"""Titles by the beginning of the code."""

FUNCTION_GROUPS: Mapping[str, str] = {
    "collections": "Numbers, lists and objects",
    "texts": "Texts",
    "dates": "Dates",
}
"""Titles of the functions' tables by the module that they are in."""


def pages() -> dict[Path, str]:
    """Every page that is generated or has a generated part, as it should be."""
    language = HERE / "plan-language.md"
    return {
        HERE / "diagnostics.md": diagnostics_page(),
        HERE / "cli.md": cli_page(),
        language: with_parts(
            language.read_text("utf-8"),
            {"tools": tools_part(), "functions": functions_part(), "rewrites": rewrites_part()},
        ),
    }


def with_parts(page: str, parts: Mapping[str, str]) -> str:
    """`page` with each part put between its markers, ``<!-- begin NAME … -->`` and ``<!-- end NAME -->``."""
    for name, text in parts.items():
        begin, end = f"<!-- begin {name} (python -m docs.generate) -->\n", f"<!-- end {name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(f"the page has no part {name!r}: put {begin.strip()!r} and {end!r} around its place")
        page = f"{before}{begin}\n{text.strip()}\n\n{end}{after}"
    return page


# diagnostics


def diagnostics_page() -> str:
    """Every code with its meaning, its remedy, and a plan that has it."""
    lines = [
        NOTE.format(source="`agentkit/diagnostics.py` and `docs/_examples.py`"),
        "# Diagnostics",
        "",
        DIAGNOSTICS_INTRODUCTION,
        "| code | name | meaning |",
        "|---|---|---|",
        *(f"| [{code.value}](#{code.value.lower()}) | `{code.name}` | {code.summary} |" for code in Code),
        "",
    ]
    family = ""
    for code in Code:
        if code.value[:3] != family:
            family = code.value[:3]
            lines += [f"## {family}xx: {FAMILIES[family]}", ""]
        lines += [*_diagnostic(code, EXAMPLES[code]), ""]
    return "\n".join(lines)


def _diagnostic(code: Code, example: Example) -> Iterator[str]:
    language = "json" if example.source.startswith("{") else "python"
    yield f"### {code.value}"
    yield ""
    yield f"`{code.name}`. {code.summary} {code.remedy}"
    yield ""
    if example.under:
        yield f"Checked under {example.under}:"
        yield ""
    yield f"```{language} refused"
    yield (example.shown or example.source).rstrip()
    yield "```"
    yield ""
    yield "```text"
    yield from (f"{found.severity}: {found}" for found in example.report().diagnostics)
    yield "```"


# the plan language


def tools_part() -> str:
    """The signatures of the tools that the reference pages use."""
    return f"```text\n{TOOLBOX.signatures()}\n```"


def functions_part() -> str:
    """The functions of expressions, a table for each family."""
    parts = []
    for family, title in FUNCTION_GROUPS.items():
        rows = [function for function in FUNCTIONS.values() if _family(function) == family]
        parts += [f"### {title}", "", *_table(("function", "gives"), [_function(row) for row in rows]), ""]
    assert {_family(function) for function in FUNCTIONS.values()} == set(FUNCTION_GROUPS), "a family has no title"
    return "\n".join(parts)


def _family(function: Function) -> str:
    return function.run.__module__.rpartition("_")[2]


def _function(function: Function) -> tuple[str, str]:
    return f"`{function.signature}`", _ticked(function.doc)


def rewrites_part() -> str:
    """What Python a plan does not have, with what to write instead."""
    rows = [(one.what, _code(one.refused), _code(one.instead)) for one in REWRITES]
    return "\n".join(_table(("not in plans", "refused", "instead"), rows))


def _code(source: str) -> str:
    """A few lines of source inside a table cell."""
    escaped = source.strip().replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;").replace("*", "&#42;")
    return f"<pre>{escaped.replace(chr(10), '<br>')}</pre>"


def _ticked(text: str) -> str:
    """Markdown's backquotes for those of docstrings."""
    return text.replace("``", "`").replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [_row(head), "|---" * len(head) + "|", *map(_row, rows)]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


# the command line


def cli_page() -> str:
    """Every command with its arguments and options."""
    lines = [
        NOTE.format(source="the docstrings and options in `agentkit/cli`"),
        "# Command line",
        "",
    ]
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup), "the command line has several commands"
    lines += [root.help or "", ""]
    for names, command in _commands(("agentkit",), root):
        lines += [*_command(names, command), ""]
    lines += [
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        "| 0 | done; or declined, for a request that is not the agent's |",
        "| 1 | the plan was refused, the run failed or was stopped, or something is missing |",
        "| 2 | the command cannot be understood, or names an agent, a file or a run that does not exist |",
        "| 130 | interrupted |",
    ]
    return "\n".join(lines) + "\n"


def _commands(names: tuple[str, ...], group: TyperGroup) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """The commands of `group` and of the groups in it, in the order in which the help lists them."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands((*names, name), command)
        elif isinstance(command, TyperCommand):
            yield (*names, name), command


def _command(names: tuple[str, ...], command: TyperCommand) -> Iterator[str]:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption)]
    usage = [*names, *(_optional(one) for one in arguments), *(["[OPTIONS]"] if options else [])]
    yield f"## {' '.join(names)}"
    yield ""
    yield command.help or ""
    yield ""
    yield "```text"
    yield " ".join(usage)
    yield "```"
    rows = [(f"`{_metavar(one)}`", _help(one)) for one in arguments]
    rows += [(f"`{_option(one)}`", _help(one)) for one in options]
    if rows:
        yield ""
        yield from _table(("argument or option", "what it is"), rows)


def _metavar(one: TyperArgument | TyperOption) -> str:
    return one.metavar or (one.name or "").upper()


def _optional(argument: TyperArgument) -> str:
    return _metavar(argument) if argument.required else f"[{_metavar(argument)}]"


def _option(option: TyperOption) -> str:
    spelled = ", ".join((*option.opts, *option.secondary_opts))
    return spelled if option.is_flag else f"{spelled} {_metavar(option)}"


def _help(one: TyperArgument | TyperOption) -> str:
    """The help text with the default, where that says something and the text does not."""
    text = (one.help or "").replace("|", "\\|")
    default = one.default
    notes = ["Required."] if one.required and isinstance(one, TyperOption) else []
    if default not in (None, False, ()) and "[default:" not in text:
        notes.append(f"Default: `{default.value if isinstance(default, Enum) else default}`.")
    if isinstance(default, Enum):
        notes.insert(0, f"One of {', '.join(f'`{choice.value}`' for choice in type(default))}.")
    if isinstance(one, TyperOption) and one.multiple:
        notes.append("Can be given several times.")
    return " ".join([text, *notes]).strip()


def main(arguments: list[str], tell: Callable[[str], object]) -> int:
    """Write the pages, or with ``--check`` say which are stale; the process's exit code."""
    stale = [(path, text) for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    for path, text in stale:
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        tell(f"{'stale' if '--check' in arguments else 'wrote'}: {path.relative_to(HERE.parent)}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stderr.write))
