"""``agentkit memory``: look at what agents remember, correct it, take it along, forget it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from agentkit.cli._memory_ingest import ingest
from agentkit.cli._memory_show import count, hit_json, line, print_json, rows
from agentkit.cli._memory_stores import (
    SHORT,
    EmbedderOption,
    JsonOption,
    Place,
    RecordsOption,
    StoreOption,
    UnknownEmbedder,
)
from agentkit.cli.runs import JournalOption, open_journal, written_journal
from agentkit.errors import DefinitionError
from agentkit.events import MemoryRecalled
from agentkit.journal import JournalStore
from agentkit.memory import (
    EVERYTHING,
    AuditTrail,
    Disagreement,
    Filter,
    Imported,
    Kind,
    LongTermMemory,
    Memory,
    MemoryStore,
    Provenance,
    Recollection,
    Scope,
    export_lines,
    history,
    import_lines,
)
from agentkit.memory.records import new_id

app = typer.Typer(no_args_is_help=True)

_Id = Annotated[str, typer.Argument(metavar="ID", help="A memory's id, or the beginning of it.")]
_User = Annotated[str, typer.Option("--user", help="Act for this user. [default: all]", show_default=False)]
_Agent = Annotated[str, typer.Option("--agent", help="Act for this agent. [default: all]", show_default=False)]
_Session = Annotated[str, typer.Option("--session", help="Act for this session. [default: all]", show_default=False)]
_Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only this kind.")]
_Ended = Annotated[bool, typer.Option("--ended", help="Also what was replaced, ended or expired.")]


def _place(store: str, records: Path | None, embedder: str, user: str, agent: str, session: str) -> Place:
    return Place(store, records, embedder, Scope(user, agent, session))


@app.command("list")
def list_memories(
    kind: _Kinds = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only those that a person should look at.")] = False,
    ended: _Ended = False,
    most: Annotated[int, typer.Option("--most", min=1, help="Memories at most.")] = 50,
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    user: _User = "*",
    agent: _Agent = "*",
    session: _Session = "*",
    as_json: JsonOption = False,
) -> None:
    """List memories, newest first."""
    place = _place(store, records, embedder, user, agent, session)
    only = Filter(_kinds(kind), at=None if ended else time.time(), flagged=True if flagged else None)

    async def work() -> tuple[list[Memory], int]:
        async with place.open() as opened:
            found = await opened.list(only, scope=place.scope, limit=most)
            return found, await opened.count(only, scope=place.scope)

    found, number = asyncio.run(work())
    if as_json:
        print_json([memory.to_json() for memory in found])
        return
    for memory in found:
        typer.echo(line(memory))
    rest = number - len(found)
    typer.echo(
        "no memories" if not number else count(number, "memory") + (f", {rest} not shown" if rest else ""), err=True
    )


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words.")],
    kind: _Kinds = None,
    ended: _Ended = False,
    most: Annotated[int, typer.Option("--most", min=1, help="Memories at most.")] = 5,
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    user: _User = "*",
    agent: _Agent = "*",
    session: _Session = "*",
    as_json: JsonOption = False,
) -> None:
    """Search as an agent recalls, and tell by which ranks and scores each memory was found."""
    place = _place(store, records, embedder, user, agent, session)

    async def work() -> Recollection:
        async with place.open() as opened:
            blind = isinstance(opened.embedder, UnknownEmbedder)
            if blind:
                typer.echo(_WORDS_ONLY.format(name=cast(UnknownEmbedder, opened.embedder).name), err=True)
            memory = LongTermMemory(opened, retrievers=("words",) if blind else ("words", "meaning"))
            kinds = _kinds(kind)
            return await memory.recall(
                query, scope=place.scope, k=most, kinds=kinds, ended=ended, explain=True, touch=False
            )

    hits = asyncio.run(work()).hits
    if as_json:
        print_json([hit_json(hit) for hit in hits])
        return
    for rank, hit in enumerate(hits, 1):
        typer.echo(f"{rank}. {line(hit.memory)}")
        typer.echo(f"   {'; '.join(f'{part}: rank {at.rank}, score {at.score:.3g}' for part, at in hit.why.items())}")
    if not hits:
        typer.echo("nothing found", err=True)


_WORDS_ONLY = (
    "searching by words only: the memory was written with the embedder {name!r}, which the command line cannot make"
)


@app.command()
def show(
    id: _Id,
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    user: _User = "*",
    agent: _Agent = "*",
    session: _Session = "*",
    as_json: JsonOption = False,
) -> None:
    """Show a memory: whose it is, where it comes from, what it replaced."""
    place = _place(store, records, embedder, user, agent, session)

    async def work() -> tuple[Memory, list[Memory]]:
        async with place.open() as opened:
            memory = await place.find(opened, id)
            return memory, await history(opened, memory.id, scope=place.scope)

    memory, versions = asyncio.run(work())
    if as_json:
        print_json({"memory": memory.to_json(), "history": [one.to_json() for one in versions]})
        return
    for name, value in rows(memory):
        typer.echo(f"{name:<12} {value}")
    if len(versions) > 1:
        typer.echo("history, oldest first:")
        for one in versions:
            typer.echo(f"{'>' if one.id == memory.id else ' '} {line(one)}")


@app.command()
def why(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run, as `agentkit runs list` names it.")],
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which memories a run was given, and why these: from the run's journal."""
    store = written_journal(journal)
    recalls = [event for event in store.events(run_id) if isinstance(event, MemoryRecalled)]
    store.close()
    if as_json:
        print_json(
            [{"query": one.query, "items": list(one.items), "left_out": one.left_out} for one in recalls],
        )
        return
    if not recalls:
        typer.echo(f"the run {run_id!r} asked no long-term memory", err=True)
    for event in recalls:
        typer.echo(f"asked: {event.query}")
        for rank, item in enumerate(event.items, 1):
            typer.echo(f"{rank}. {str(item['id'])[:SHORT]}  {item['kind']}  {item['text']}")
            typer.echo(f"   {item['why'] or 'no reason was recorded'}")
        room = f"; {event.left_out} more did not fit" if event.left_out else ""
        typer.echo(f"{len(event.items)} memories in {event.tokens} tokens of the prompt{room}")


@app.command()
def edit(
    id: _Id,
    text: Annotated[str | None, typer.Option("--text", help="The new text.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="The new kind.")] = None,
    importance: Annotated[float | None, typer.Option("--importance", help="From 0 to 1.")] = None,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="Write over it, instead of keeping the old version as history.")
    ] = False,
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    user: _User = "*",
    agent: _Agent = "*",
    session: _Session = "*",
) -> None:
    """Correct a memory. What it said before is kept as its history, unless it is rewritten."""
    place = _place(store, records, embedder, user, agent, session)

    async def work() -> Memory:
        async with place.open() as opened:
            old = await place.find(opened, id)
            if old.superseded_by:
                raise DefinitionError(f"the memory {old.id!r} was replaced by {old.superseded_by!r}; edit that one")
            return await _changed(opened, old, _changes(old, text, kind, importance), place.scope, rewrite=rewrite)

    typer.echo(line(asyncio.run(work())))


def _changes(old: Memory, text: str | None, kind: str | None, importance: float | None) -> dict[str, Any]:
    given = {"text": text, "kind": kind, "importance": importance}
    changes = {name: value for name, value in given.items() if value not in (None, getattr(old, name))}
    if not changes:
        raise DefinitionError(f"nothing of the memory {old.id!r} would change; give --text, --kind or --importance")
    return changes


async def _changed(store: MemoryStore, old: Memory, changes: dict[str, Any], scope: Scope, *, rewrite: bool) -> Memory:
    now = time.time()
    if rewrite:
        new = replace(old, **changes, updated=now, flagged="")
        await store.update(new, scope=scope)
        return new
    times: dict[str, Any] = {"created": now, "updated": now, "accessed": now, "valid_from": max(now, old.valid_from)}
    by = Provenance(by="user", run_id=old.provenance.run_id, source=old.provenance.source)
    new = replace(old, **changes, **times, id=new_id(), provenance=by, supersedes=(old.id,), flagged="")
    await store.add(new, scope=scope)
    return new


@app.command()
def forget(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Memories' ids, or the beginnings of them.")
    ] = None,
    document: Annotated[
        list[str] | None, typer.Option("--document", metavar="NAME", help="A document that was ingested, whole.")
    ] = None,
    versions: Annotated[bool, typer.Option("--history", help="Also what they replaced and were replaced by.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    journal: Annotated[
        list[Path] | None, typer.Option("--journal", help="A journal to redact. [default: the per-user file]")
    ] = None,
    audit: Annotated[
        list[Path] | None, typer.Option("--audit", help="A manager's audit trail to redact: its SQLite file.")
    ] = None,
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    user: _User = "*",
    agent: _Agent = "*",
    session: _Session = "*",
) -> None:
    """Delete memories for good: text, words and vector; journals get a mark in place of what it said."""
    if not ids and not document:
        raise DefinitionError("nothing is named that could be forgotten; give memories' ids, or --document NAME")
    place = _place(store, records, embedder, user, agent, session)
    journals = [written_journal(path) for path in journal] if journal else [open_journal(None)]
    trails = [AuditTrail(_existing(path)) for path in audit or ()]
    asyncio.run(_forget(place, ids or (), document or (), journals, trails, versions=versions, yes=yes))


async def _forget(
    place: Place,
    ids: Sequence[str],
    documents: Sequence[str],
    journals: Sequence[JournalStore],
    trails: Sequence[AuditTrail],
    *,
    versions: bool,
    yes: bool,
) -> None:
    async with place.open() as opened:
        found = [await place.find(opened, id) for id in ids]
        for name in documents:
            found += await place.pieces(opened, name)
        named = {memory.id: memory for memory in found}
        chain = {one.id: one for id in named for one in await history(opened, id, scope=place.scope)}
        gone = chain if versions else named
        for memory in gone.values():
            typer.echo(line(memory), err=True)
        if left := len(chain) - len(gone):
            typer.echo(f"{count(left, 'other version')} will stay; --history forgets all versions", err=True)
        if not yes:
            typer.confirm(f"Forget {count(len(gone), 'memory')} for good?", abort=True, err=True)
        # The journals first: they can only be searched for what is still known.
        texts = [text for memory in gone.values() for text in (memory.text, memory.provenance.quote) if text]
        redacted = [journal.redact(*texts) for journal in journals]
        for trail in trails:
            await trail.redact(*gone)
        await opened.delete(*gone, scope=place.scope)
    events, runs = sum(sum(one.values()) for one in redacted), sum(map(len, redacted))
    typer.echo(f"forgot {count(len(gone), 'memory')}; redacted {count(events, 'event')} of {count(runs, 'run')}")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DefinitionError(f"there is no audit trail {str(path)!r}")
    return path


@app.command("export")
def export_memories(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to. [default: stdout]")] = None,
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    user: _User = "*",
    agent: _Agent = "*",
    session: _Session = "*",
) -> None:
    """Write memories as JSON lines, with their owners, times and history."""
    place = _place(store, records, embedder, user, agent, session)

    async def work() -> list[str]:
        async with place.open() as opened:
            return [line async for line in export_lines(opened, scope=place.scope)]

    lines = asyncio.run(work())
    text = "".join(f"{line}\n" for line in lines)
    if file is None:
        typer.echo(text, nl=False)
    else:
        _write(file, text)
    typer.echo(f"exported {count(len(lines), 'memory')}", err=True)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DefinitionError(f"cannot write {str(file)!r}: {error.strerror or error}") from None


@app.command("import")
def import_memories(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `agentkit memory export` wrote; - for stdin.")],
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    user: _User = "*",
    agent: _Agent = "*",
    session: _Session = "*",
) -> None:
    """Put exported memories into a store, just as they were. Ids that are there already are skipped."""
    place = _place(store, records, embedder, user, agent, session)
    try:
        lines = (sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")).splitlines()
    except OSError as error:
        raise DefinitionError(f"cannot read {file!r}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DefinitionError(f"cannot read {file!r}: it is not UTF-8 text ({error}).") from None

    async def work() -> Imported:
        async with place.open(new=True) as opened:
            return await import_lines(opened, lines, scope=place.scope)

    done = asyncio.run(work())
    typer.echo(f"imported {count(len(done.added), 'memory')}, skipped {len(done.skipped)} that were there")


app.command()(ingest)


@app.command("check")
def check_memory(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what is wrong, from the records.")] = False,
    store: StoreOption = "",
    records: RecordsOption = None,
    embedder: EmbedderOption = "",
    as_json: JsonOption = False,
) -> None:
    """Look whether records, word index and vectors of a store agree."""
    place = Place(store, records, embedder, EVERYTHING)

    async def work() -> tuple[list[Disagreement], list[Disagreement]]:
        async with place.open() as opened:
            found = await (opened.repair() if repair else opened.check())
            return found, await opened.check() if repair else found

    found, left = asyncio.run(work())
    if as_json:
        print_json([{"id": one.id, "part": one.part, "problem": one.problem} for one in found])
    else:
        for one in found:
            typer.echo(f"{one.part}: {f'{one.id}: ' if one.id else ''}{one.problem}")
        mended = f", {len(found) - len(left)} mended" if repair else ""
        typer.echo(f"{count(len(found), 'disagreement')}{mended}" if found else "all parts agree", err=True)
    if left:
        raise typer.Exit(1)


def _kinds(names: Sequence[str] | None) -> tuple[Kind, ...]:
    """Kinds by name; `Filter` refuses what is none."""
    return Filter(cast(tuple[Kind, ...], tuple(names or ()))).kinds
