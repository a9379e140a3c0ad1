"""``agentkit runs``: list, show and resume what the journal holds."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from rich.console import Console
from rich.table import Table

from agentkit.cli.loading import load_agent
from agentkit.cli.people import TerminalHuman
from agentkit.cli.show import EventPrinter
from agentkit.errors import AgentKitError
from agentkit.events import to_json
from agentkit.journal import JournalStore
from agentkit.messages import Json
from agentkit.protocols import ApprovalRequest, Decision
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
    """The journal at `path`, or the user's own."""
    return JournalStore(path or Path(platformdirs.user_state_dir("agentkit")) / "runs.sqlite")


@app.command("list")
def list_runs(
    journal: JournalOption = None,
    most: Annotated[int, typer.Option("--most", help="Rows at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs, newest first."""
    rows = open_journal(journal).runs()[:most]
    if as_json:
        typer.echo(json.dumps([{slot: getattr(row, slot) for slot in row.__slots__} for row in rows]))
        return
    if not rows:
        typer.echo("no runs yet")
        return
    table = Table("run", "agent", "status", "started", "seconds", "task")
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
    events = open_journal(journal).events(run_id)
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
    store = open_journal(journal)
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
    if result.status not in ("done", "declined"):
        raise typer.Exit(1)


def _value(text: str) -> tuple[str, Json]:
    step, _, value = text.partition("=")
    try:
        return step, json.loads(value) if value else None
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"{value!r} is not JSON ({error}); texts want quotes", param_hint="--done") from error
