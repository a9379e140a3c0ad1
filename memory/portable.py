"""Memories as JSON lines: one memory a line, without vectors, so that any store with any embedder takes them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agentkit.errors import DefinitionError
from agentkit.memory.records import Memory, Scope
from agentkit.memory.store import MemoryStore, check_writable

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, as ids.

    Attributes:
        added: Put in.
        skipped: Not put in, because the store has a memory with this id.
    """

    added: tuple[str, ...]
    skipped: tuple[str, ...]


class _Part(BaseModel):
    """Data from outside, whose types are checked before it becomes a memory."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Owner(_Part):
    user: str = ""
    agent: str = ""
    session: str = ""


class _Origin(_Part):
    by: str = ""
    run_id: str = ""
    step: str = ""
    source: str = ""
    place: str = ""
    quote: str = ""


class _Row(_Part):
    """The fields of `Memory`; those with defaults may be missing."""

    text: str
    scope: _Owner
    kind: str = ""
    id: str = ""
    context: str = ""
    provenance: _Origin = _Origin()
    created: float = 0.0
    updated: float = 0.0
    accessed: float = 0.0
    valid_from: float = 0.0
    valid_until: float | None = None
    expires: float | None = None
    importance: float = 0.5
    supersedes: list[str] = []
    superseded_by: str = ""
    metadata: dict[str, Any] = {}
    flagged: str = ""


async def export_lines(store: MemoryStore, *, scope: Scope) -> AsyncIterator[str]:
    """The memories of a scope, ended ones too, oldest first: a line of JSON each, as `import_lines` reads it."""
    for memory in sorted(await store.list(scope=scope), key=lambda memory: (memory.created, memory.id)):
        yield json.dumps(memory.to_json(), ensure_ascii=False, sort_keys=True)


async def import_lines(store: MemoryStore, lines: Iterable[str], *, scope: Scope) -> Imported:
    """Put exported memories into a store just as they were: owners, times and supersedes chains kept.

    Vectors are made anew by the store's embedder. A memory whose id the store has is skipped, so that an import
    that was interrupted can be repeated.

    Raises:
        DefinitionError: A line is not an exported memory; nothing has been put in then.
        MemoryScopeError: A memory belongs to somebody whom `scope` may not write; nothing has been put in then.
        MemoryStoreError: The store cannot be written, or has the id of a memory that `scope` does not see.
    """
    memories = [memory for number, line in enumerate(lines, 1) if line.strip() for memory in [_read(line, number)]]
    for memory in memories:
        check_writable(memory, scope)
    added: list[str] = []
    skipped: list[str] = []
    waiting = iter(memories)
    while batch := list(islice(waiting, _BATCH)):
        new: dict[str, Memory] = {}
        linked: list[Memory] = []
        for memory in batch:
            known = new.get(memory.id) or await store.get(memory.id, scope=scope)
            if known is None:
                new[memory.id] = _unlinked(memory)
            if memory.supersedes and known in (None, _unlinked(memory)):
                linked.append(memory)
            (skipped if known else added).append(memory.id)
        await store.add(*new.values(), scope=scope)
        for memory in linked:  # what adding it would end, has ended already, at the time that its own line says
            await store.update(memory, scope=scope)
    return Imported(tuple(added), tuple(skipped))


def _unlinked(memory: Memory) -> Memory:
    return replace(memory, supersedes=())


def _read(line: str, number: int) -> Memory:
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"line {number} is not JSON ({error}): {line.strip()[:80]!r}.") from None
    if not isinstance(data, dict):
        raise DefinitionError(f"line {number} is not an exported memory, a JSON object: {line.strip()[:80]!r}.")
    try:
        row = _Row.model_validate(data)
        return Memory.from_json({"provenance": {}, "supersedes": [], **row.model_dump(exclude_unset=True)})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise DefinitionError(f"line {number} is not an exported memory: {problems}.") from None
    except DefinitionError as error:
        raise DefinitionError(f"line {number}: {error}") from None
