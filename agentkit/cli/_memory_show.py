"""How ``agentkit memory`` shows memories."""

from __future__ import annotations

import json
import time
from datetime import datetime
from textwrap import shorten

import typer

from agentkit.cli._memory_stores import SHORT
from agentkit.memory import Memory, Recalled, Scope
from agentkit.messages import Json

_SHOWN = 200
"""Characters of a text that are shown where it is one of many; pieces of documents are long."""


def line(memory: Memory) -> str:
    """A memory on one line: id, kind, owner, day, text."""
    day = _time(memory.created, "%Y-%m-%d")
    ended = "" if memory.is_current(time.time()) else " (ended)"
    text = shorten(memory.indexed_text, _SHOWN, placeholder=" …")
    return f"{memory.id[:SHORT]:<{SHORT}}  {memory.kind:<10}  {_owner(memory.scope):<12}  {day}{ended}  {text}"


def _owner(scope: Scope) -> str:
    named = [f"{name}={part}" for name, part in zip(("agent", "session"), scope.parts[1:], strict=True) if part]
    return " ".join([*([scope.user] if scope.user else []), *named]) or "shared"


def rows(memory: Memory) -> list[tuple[str, str]]:
    """What a person wants to know of a memory; empty fields are left out."""
    origin = memory.provenance
    source = " ".join(part for part in (origin.source, origin.place) if part)
    run = " ".join(part for part in (origin.run_id, origin.step) if part)
    found = [
        ("id", memory.id),
        ("kind", memory.kind),
        ("owner", _owner(memory.scope)),
        ("text", memory.text),
        ("context", memory.context),
        ("importance", f"{memory.importance:g}"),
        ("created", _when(memory.created)),
        ("updated", _when(memory.updated) if memory.updated != memory.created else ""),
        ("recalled", _when(memory.accessed) if memory.accessed != memory.created else ""),
        ("true from", _when(memory.valid_from) if memory.valid_from != memory.created else ""),
        ("true until", _when(memory.valid_until)),
        ("expires", _when(memory.expires)),
        ("written by", origin.by),
        ("in the run", run),
        ("source", source),
        ("quote", origin.quote),
        ("metadata", json.dumps(dict(memory.metadata), ensure_ascii=False) if memory.metadata else ""),
        ("flagged", memory.flagged),
    ]
    return [(name, value) for name, value in found if value]


def _when(at: float | None) -> str:
    return "" if at is None else _time(at, "%Y-%m-%d %H:%M:%S %Z")


def _time(at: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(at).astimezone().strftime(form)
    except (OverflowError, ValueError, OSError):  # beyond the years that calendars here have
        return f"{at:g} s"


def hit_json(hit: Recalled) -> Json:
    """What was recalled, with its ranks and scores, as JSON."""
    why = {part: {"rank": at.rank, "score": at.score} for part, at in hit.why.items()}
    return {"score": hit.score, "why": why, "memory": hit.memory.to_json()}


def count(number: int, noun: str) -> str:
    """A number of things, in words."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def print_json(value: Json) -> None:
    """Print JSON for other programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
