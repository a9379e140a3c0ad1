"""``agentkit runs``: list, show and resume what the journal holds."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from rich.console import Console
from rich.table import Column, Table

from agentkit.cli.loading import load_agent
from agentkit.cli.people import TerminalHuman
from agentkit.cli.show import EventPrinter
from agentkit.errors import AgentKitError, JournalError
from agentkit.events import Event, StepFinished, to_json
from agentkit.journal import JournalStore
from agentkit.messages import Json
from agentkit.protocols import ApprovalRequest, Decision
from agentkit.results import IN_DOUBT
from agentkit.resuming import RETRY

app = typer.Typer(no_args_is_help=True)

JournalOption = Annotated[Path | None, typer.Option("--journal", help="The journal file. [default: a per-user file]")]


class YesHuman:
    """Grants everything and answers nothing; for `--yes`."""

    async def approve(self, request: ApprovalRequest) -> Decision:
        """Grant."""
        return Decision(True)

    async def answer(self, question: str, schema: Mapping[str, Json] | None) -> Json:
        """Refuse: there is nobody to ask.

        Raises:
            AgentKitError: Always.
        """
        raise AgentKitError(
            f"the plan asks {question!r} and nobody is at the terminal (--yes grants, it cannot answer)"
        )


def open_journal(path: Path | None) -> JournalStore:
    """The journal at `path`, or the user's own; made if there is none."""
    return JournalStore(path or Path(platformdirs.user_state_dir("agentkit")) / "runs.sqlite")


def written_journal(path: Path | None) -> JournalStore:
    """The journal at `path`, which must be there, or the user's own.

    Raises:
        JournalError: There is no such file.
    """
    if path is not None and not path.is_file():
        raise JournalError(f"there is no journal {str(path)!r}; 'agentkit run --journal {path}' makes one")
    return open_journal(path)


@app.command("list")
def list_runs(
    journal: JournalOption = None,
    most: Annotated[int, typer.Option("--most", help="Rows at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs, newest first."""
    rows = written_journal(journal).runs()[:most]
    if as_json:
        typer.echo(json.dumps([{slot: getattr(row, slot) for slot in row.__slots__} for row in rows]))
        return
    if not rows:
        typer.echo("no runs yet")
        return
    # An id is there to be copied: the other columns give way.
    run = Column("run", no_wrap=True, min_width=max(len(row.run_id) for row in rows))
    table = Table(run, "agent", "status", "started", "seconds", "task")
    for row in rows:
        started = datetime.fromtimestamp(row.started).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        seconds = "" if row.finished is None else f"{row.finished - row.started:.1f}"
        table.add_row(row.run_id, row.agent, row.status, started, seconds, row.task[:60])
    Console().print(table)


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="The run, as `agentkit runs list` names it.")],
    journal: JournalOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the events as JSON lines.")] = False,
) -> None:
    """Show what happened in a run."""
    events = written_journal(journal).events(run_id)
    if as_json:
        for event in events:
            typer.echo(json.dumps(to_json(event), ensure_ascii=False))
        return
    printer = EventPrinter(Console(), verbose=True)
    for event in events:
        printer(event)


@app.command()
def resume(
    run_id: Annotated[str, typer.Argument(help="The run, as `agentkit runs list` names it.")],
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="package.module:NAME or path/to/file.py:NAME")],
    journal: JournalOption = None,
    retry: Annotated[list[str] | None, typer.Option("--retry", help="A step in doubt: run it again.")] = None,
    done: Annotated[
        list[str] | None, typer.Option("--done", help="A step in doubt: it happened; STEP or STEP=JSON value.")
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on although tools that the run's plans call have changed.")
    ] = False,
) -> None:
    """Go on with a run that was interrupted; finished steps are not run again."""
    console = Console()
    store = written_journal(journal)
    human = TerminalHuman(console) if sys.stdin.isatty() else None
    decisions: dict[str, Any] = dict.fromkeys(retry or [], RETRY)
    decisions.update(_value(text) for text in done or [])
    work = load_agent(agent).resume(
        run_id,
        store,
        human=human,
        listeners=[EventPrinter(console)],
        decisions=decisions,
        accept_changes=accept_changes,
    )
    result = asyncio.run(work)
    store.close()
    for step in _in_doubt(result.events):
        typer.echo(
            f"{step}: add --retry {shlex.quote(step)} if it did not happen, "
            f"or --done {shlex.quote(f'{step}=VALUE')} if it did, with its result as JSON"
        )
    if result.status not in ("done", "declined"):
        raise typer.Exit(1)


def _in_doubt(events: Iterable[Event]) -> list[str]:
    """The steps that are in doubt at the end of `events`."""
    last = {event.step: event for event in events if isinstance(event, StepFinished)}
    return [name for name, event in last.items() if event.status == "failed" and event.error.startswith(IN_DOUBT)]


def _value(text: str) -> tuple[str, Json]:
    step, _, value = text.partition("=")
    try:
        return step, json.loads(value) if value else None
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"{value!r} is not JSON ({error}); texts want quotes", param_hint="--done") from error
