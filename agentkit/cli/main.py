"""``agentkit``: the command line."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from agentkit.checker import CheckReport, check
from agentkit.cli import doctor as doctor_module
from agentkit.cli import memory, models, runs
from agentkit.cli.loading import load_agent, load_plan, load_toolbox
from agentkit.cli.people import TerminalHuman
from agentkit.cli.show import EventPrinter
from agentkit.definition import definition_schema
from agentkit.errors import AgentKitError
from agentkit.events import to_json
from agentkit.results import RunResult
from agentkit.spelling import mermaid, outline, write_json, write_python
from agentkit.toolbox import Toolbox

Result = TypeVar("Result")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Plans that are checked before they run.",
)
app.add_typer(models.app, name="models", help="Local models: list them, fetch them, find them.")
app.add_typer(runs.app, name="runs", help="Past runs in the journal: list, show, resume.")
app.add_typer(
    memory.app,
    name="memory",
    help="What agents remember: look at it, feed it documents, correct it, take it along, forget it.",
)

AgentSpec = Annotated[
    str, typer.Argument(metavar="AGENT", help="package.module:NAME, path/to/file.py:NAME or a YAML file")
]
ModelOption = Annotated[str | None, typer.Option("--model", help="A model id, instead of the agent's own.")]
OwnToolsOption = Annotated[
    list[str] | None, typer.Option("--tools", help="Tools that the YAML file uses, as name=package.module:NAME.")
]
SessionOption = Annotated[str, typer.Option(help="The conversation to go on with; the agent's memory keeps it.")]
UserOption = Annotated[str, typer.Option(help="For whom: memories, budgets and caches are kept apart by it.")]
ToolChoiceOption = Annotated[
    list[str] | None,
    typer.Option("--tool-choice", help="auto, required or none; or names and globs of the only tools, one each time."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agentkit {doctor_module.own_version()}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    """Plans that are checked before they run."""


@app.command()
def run(
    agent: AgentSpec,
    task: Annotated[str, typer.Argument(help="What to do, in words.")],
    model: ModelOption = None,
    tools: OwnToolsOption = None,
    session: SessionOption = "",
    user: UserOption = "",
    tool_choice: ToolChoiceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Execute reads, only show writes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Approve every write without asking.")] = False,
    journal: Annotated[Path | None, typer.Option(help="Where to keep the run. [default: a per-user file]")] = None,
    no_journal: Annotated[bool, typer.Option("--no-journal", help="Keep nothing.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every step and model call.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Do a task with an agent: plan, check, run, answer."""
    console = Console(stderr=as_json)
    loaded = load_agent(agent, tools or ())
    if model is not None:
        loaded = loaded.with_model(model)
    store = None if no_journal else runs.open_journal(journal)
    human = runs.YesHuman() if yes else TerminalHuman(console) if sys.stdin.isatty() else None
    printer = EventPrinter(console, verbose=verbose)
    options: dict[str, Any] = {"session": session, "user": user, "tool_choice": _chosen(tool_choice)}
    result = _wait(loaded.run(task, human=human, journal=store, listeners=[printer], dry_run=dry_run, **options))
    if store is not None:
        store.close()
    _finish(result, as_json)


@app.command()
def plan(
    agent: AgentSpec,
    task: Annotated[str, typer.Argument(help="What to do, in words.")],
    model: ModelOption = None,
    tools: OwnToolsOption = None,
    session: SessionOption = "",
    user: UserOption = "",
    tool_choice: ToolChoiceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write and check a plan, without running anything."""
    loaded = load_agent(agent, tools or ())
    if model is not None:
        loaded = loaded.with_model(model)
    console = Console(stderr=True)
    human = TerminalHuman(console) if sys.stdin.isatty() else None
    listeners = [] if as_json else [EventPrinter(console)]
    options: dict[str, Any] = {"session": session, "user": user, "tool_choice": _chosen(tool_choice)}
    report = _wait(loaded.plan(task, human=human, listeners=listeners, **options))
    _print_report(report, loaded.toolbox, as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of an agent's YAML file, for editors."""
    typer.echo(json.dumps(definition_schema(), indent=2, ensure_ascii=False))


@app.command("check")
def check_command(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="A file with a plan, JSON or Python; - for stdin.")],
    tools: Annotated[str, typer.Option("--tools", help="package.module:NAME of a toolbox, tools or an agent.")],
    form: Annotated[str, typer.Option("--show", help="python, json, outline or mermaid.")] = "outline",
    as_json: JsonOption = False,
) -> None:
    """Check a plan against tools; every problem is reported at once."""
    toolbox = load_toolbox(tools)
    report = check(load_plan(plan, toolbox), toolbox)
    if report.ok and not as_json:
        shown = {
            "python": lambda: write_python(report.plan, toolbox),
            "json": lambda: json.dumps(write_json(report.plan), indent=2, ensure_ascii=False),
            "outline": lambda: outline(report.plan),
            "mermaid": lambda: mermaid(report.plan),
        }
        if form not in shown:
            raise typer.BadParameter(f"{form!r} is not one of {', '.join(shown)}", param_hint="--show")
        typer.echo(shown[form]())
    _print_report(report, toolbox, as_json, plan_shown=True)


@app.command()
def doctor() -> None:
    """Look at what is installed and what could be missing."""
    raise typer.Exit(doctor_module.report(Console()))


def _chosen(said: list[str] | None) -> str | list[str]:
    """The choice of tools: a word, or names and globs."""
    words = {"auto", "required", "none"}
    if not said:
        return "auto"
    if words & set(said) and len(said) > 1:
        raise typer.BadParameter("auto, required and none stand alone", param_hint="--tool-choice")
    return said[0] if said[0] in words else said


def _print_report(report: CheckReport, toolbox: Toolbox, as_json: bool, *, plan_shown: bool = False) -> None:
    if as_json:
        row = {
            "ok": report.ok,
            "plan": write_json(report.plan),
            "diagnostics": [
                {
                    "code": one.code.value,
                    "severity": one.severity,
                    "path": list(one.path),
                    "line": one.line,
                    "message": one.message,
                    "expected": one.expected,
                    "suggestion": one.suggestion,
                }
                for one in report.diagnostics
            ],
            "certificate": report.checked.certificate.to_json() if report.checked else None,
        }
        typer.echo(json.dumps(row, ensure_ascii=False, indent=2))
    else:
        if not plan_shown:
            typer.echo(write_python(report.plan, toolbox))
        for diagnostic in report.diagnostics:
            typer.echo(f"{diagnostic.severity}: {diagnostic}", err=True)
        if report.checked:
            typer.echo(f"ok: {report.checked.certificate}", err=True)
    if not report.ok:
        raise typer.Exit(1)


def _finish(result: RunResult, as_json: bool) -> None:
    if as_json:
        row: dict[str, Any] = {
            "run_id": result.run_id,
            "status": result.status,
            "output": result.output,
            "error": result.error,
            "plan": None if result.plan is None else write_json(result.plan),
            "events": [to_json(event) for event in result.events],
        }
        typer.echo(json.dumps(row, ensure_ascii=False))
    if result.status not in ("done", "declined"):
        raise typer.Exit(1)


def _wait(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def main() -> None:
    """Run the command line; errors that a user can act on are one line, not a traceback."""
    try:
        app()
    except AgentKitError as error:
        typer.echo(f"agentkit: {error}", err=True)
        raise SystemExit(2) from error
    except KeyboardInterrupt:
        typer.echo("agentkit: interrupted", err=True)
        raise SystemExit(130) from None
