"""``agentkit memory ingest``: documents into memory, with a progress bar and a summary."""

from __future__ import annotations

import asyncio
import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agentkit.cli._memory_show import count, print_json
from agentkit.cli._memory_stores import EmbedderOption, JsonOption, Place, RecordsOption, StoreOption
from agentkit.memory import Documents, Ingested, Scope
from agentkit.memory.files import check_paths

_OwnUser = Annotated[str, typer.Option("--user", help="Whose they are. [default: shared by all users]")]
_OwnAgent = Annotated[str, typer.Option("--agent", help="Which agent's they are. [default: all agents']")]
_OwnSession = Annotated[str, typer.Option("--session", help="Which session's they are. [default: all sessions']")]


def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders.")],
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="GLOB", help="Of a folder, only files like this, whatever their ending: `**/*.md`."
        ),
    ] = None,
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    user: _OwnUser = "",
    agent: _OwnAgent = "",
    session: _OwnSession = "",
    as_json: JsonOption = False,
) -> None:
    """Take in documents: text, Markdown, HTML, PDF, CSV and code. Run again, it takes in what has changed."""
    place = Place(store, records, embedder, Scope(user, agent, session))
    check_paths(paths)  # before a store is made for nothing
    _quiet_readers()

    async def work() -> Ingested:
        async with place.open(new=True) as opened:
            documents = Documents(opened, scope=place.scope)
            done = await documents.ingest(*paths, patterns=only or (), progress=True)
            if opened.embedder is None and done.added:
                typer.echo(_NO_EMBEDDER.format(where=place.where), err=True)
            return done

    try:
        done = asyncio.run(work())
    except KeyboardInterrupt:
        typer.echo("agentkit: interrupted; what is done is kept, and ingesting again goes on from there.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        print_json({**asdict(done), "failed": dict(done.failed)})
    else:
        _show(done)
    if done.failed:
        raise typer.Exit(1)


_NO_EMBEDDER = (
    "this store has no embedder, so memories are found by their words only; for meaning too: "
    "agentkit memory check --repair --embedder minilm --store {where}"
)


def _show(done: Ingested) -> None:
    """What an ingest did, in a line; below it what was not read, and why."""
    files = len(done.added) + len(done.replaced) + len(done.unchanged) + len(done.failed)
    parts = {"added": done.added, "changed": done.replaced, "unchanged": done.unchanged, "refused": done.failed}
    outcome = ", ".join(f"{len(sources)} {name}" for name, sources in parts.items())
    typer.echo(
        f"{count(files, 'file')}: {outcome}; {len(done.removed)} gone; "
        f"{count(done.pieces_added, 'piece')} added, {done.pieces_removed} removed"
    )
    for source, reason in done.failed:
        typer.echo(f"refused {source}: {reason}", err=True)
    if done.left_out:
        endings = sorted({Path(path).suffix or Path(path).name for path in done.left_out})
        more = ", …" if len(endings) > _ENDINGS else ""
        typer.echo(
            f"left out {count(len(done.left_out), 'file')} with other endings ({', '.join(endings[:_ENDINGS])}{more}); "
            "name them, or use --only, to read them as text",
            err=True,
        )


_ENDINGS = 8


def _quiet_readers() -> None:
    """Keep what the packages that read documents remark on them off the terminal; what matters they raise."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", SyntaxWarning)
