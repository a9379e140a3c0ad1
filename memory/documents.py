"""Documents as memories: taken in piece by piece, kept up to date, cited."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from agentkit.errors import DefinitionError
from agentkit.memory.chunkers import CHUNKERS, DEFAULT_SIZE, Chunk, chunk
from agentkit.memory.records import Filter, Memory, Provenance, Scope
from agentkit.memory.store import MemoryStore

Describe: TypeAlias = Callable[[str, Chunk], Awaitable[str]]
"""``await describe(document, chunk)``: words that place a piece in its document, to be found by."""

Progress: TypeAlias = Callable[[int, int, str], None]
"""``progress(done, total, source)``: documents that are done, of how many, and the one that is next."""

MAX_BYTES = 20_000_000
"""Larger files are refused."""

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest did, as names of documents.

    Attributes:
        added: New ones.
        replaced: Those whose content has changed.
        unchanged: Those that were not read again.
        removed: Those that are no longer there.
        failed: Those that could not be read, with the reasons. What was known of them is kept.
    """

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


class Documents:
    """A set of documents in a memory store, as memories of kind ``document``.

    Args:
        store: Where the pieces are kept.
        scope: Whose documents they are.
        collection: The set's name; several sets may share a store and a scope.
        size: Characters of a piece, at the most.
        describe: Makes words that place each piece, in addition to the document's name and headings; a model, say.
    """

    def __init__(
        self,
        store: MemoryStore,
        *,
        scope: Scope,
        collection: str = "documents",
        size: int = DEFAULT_SIZE,
        describe: Describe | None = None,
    ) -> None:
        self._store = store
        self._scope = scope
        self._collection = collection
        self._size = size
        self._describe = describe

    async def ingest(
        self, folder: str | Path, *, patterns: Sequence[str] = (), progress: Progress | None = None
    ) -> Ingested:
        """Bring the set up to date with a folder: documents that are gone from it are removed from the set.

        Hidden files and folders are left out, and links that lead out of the folder.

        Args:
            folder: The folder.
            patterns: Which files, as in ``**/*.md``; by default all with a known ending.
            progress: Is told how far it is.

        Raises:
            DefinitionError: There is no such folder.
        """
        root = Path(folder)
        files = await asyncio.to_thread(_files, root, patterns)
        known = await self._known()
        outcome: dict[str, list[str]] = {"added": [], "replaced": [], "unchanged": []}
        failed = []
        for position, path in enumerate(files):
            source = path.relative_to(root).as_posix()
            if progress is not None:
                progress(position, len(files), source)
            try:
                content = await asyncio.to_thread(_content, path)
                outcome[await self._take(source, content, known.get(source, []))].append(source)
            except (DefinitionError, OSError) as error:
                failed.append((source, str(error)))
        gone = sorted(known.keys() - {path.relative_to(root).as_posix() for path in files})
        await self._store.delete(*(memory.id for source in gone for memory in known[source]), scope=self._scope)
        if progress is not None:
            progress(len(files), len(files), "")
        done = {name: tuple(found) for name, found in outcome.items()}
        return Ingested(**done, removed=tuple(gone), failed=tuple(failed))

    async def add(self, source: str, content: str | bytes) -> str:
        """Take one document in, or take it in again; its name's ending says how to read it.

        Returns:
            ``added``, ``replaced`` or ``unchanged``.
        """
        data = content.encode() if isinstance(content, str) else content
        return await self._take(source, data, (await self._known(source)).get(source, []))

    async def remove(self, *sources: str) -> int:
        """Remove documents; returns how many pieces they had."""
        known = [memory for source in sources for memory in (await self._known(source)).get(source, [])]
        return len(await self._store.delete(*(memory.id for memory in known), scope=self._scope))

    async def sources(self) -> list[str]:
        """The names of the documents."""
        return sorted(await self._known())

    async def whole(self, *, max_tokens: int, count: Callable[[str], int]) -> str | None:
        """All documents as one text for a prompt, or None if it has more tokens than `max_tokens`.

        A set that fits needs no search: the model sees everything.

        Args:
            max_tokens: What the prompt has room for.
            count: How many tokens a text has.
        """
        parts = []
        for source, memories in sorted((await self._known()).items()):
            pieces = sorted(memories, key=_number)
            parts.append(f"# {source}\n\n" + "\n\n".join(memory.text for memory in pieces))
        text = "\n\n".join(parts)
        return text if count(text) <= max_tokens else None

    async def _known(self, source: str | None = None) -> dict[str, list[Memory]]:
        where = {"collection": self._collection} | ({} if source is None else {"source": source})
        found: dict[str, list[Memory]] = {}
        for memory in await self._store.list(Filter(kinds=("document",), where=where), scope=self._scope):
            if memory.scope == self._scope:  # what all share is read by many and belongs to none of them
                found.setdefault(str(memory.metadata["source"]), []).append(memory)
        return found

    async def _take(self, source: str, content: bytes, known: Sequence[Memory]) -> str:
        digest = hashlib.sha256(f"{self._size}:".encode() + content).hexdigest()
        seen = {(memory.metadata.get("sha256"), memory.metadata.get("parts")) for memory in known}
        if seen == {(digest, len(known))}:
            return "unchanged"
        chunks = await asyncio.to_thread(chunk, source, content, self._size)
        if not chunks and not known:
            return "unchanged"
        parts = len(chunks)
        memories = [await self._memory(source, digest, number, parts, piece) for number, piece in enumerate(chunks)]
        await self._store.delete(*(memory.id for memory in known), scope=self._scope)
        for start in range(0, len(memories), _BATCH):
            await self._store.add(*memories[start : start + _BATCH], scope=self._scope)
        return "replaced" if known else "added"

    async def _memory(self, source: str, digest: str, number: int, parts: int, piece: Chunk) -> Memory:
        context = " > ".join([source, *piece.headings])
        if self._describe is not None:
            context = f"{context}\n{await self._describe(source, piece)}"
        labels = {"collection": self._collection, "source": source, "sha256": digest, "part": number, "parts": parts}
        return Memory(
            text=piece.text,
            kind="document",
            scope=self._scope,
            context=context,
            provenance=Provenance(by="ingest", source=source, place=piece.place),
            metadata={**labels, "headings": list(piece.headings)},
        )


def cite(memory: Memory) -> str:
    """Where a memory comes from, for people: ``notes.md, lines 3-9 (Opening hours)``."""
    origin = memory.provenance
    if not origin.source:
        return f"memory {memory.id}"
    headings = memory.metadata.get("headings") or []
    place = f", {origin.place}" if origin.place else ""
    return f"{origin.source}{place}" + (f" ({' > '.join(headings)})" if headings else "")


def as_context(memories: Iterable[Memory]) -> str:
    """Memories as a prompt shows them: numbered, each with where it comes from, so that an answer can cite ``[2]``."""
    return "\n\n".join(f"[{number}] {cite(memory)}\n{memory.text}" for number, memory in enumerate(memories, start=1))


def _number(memory: Memory) -> int:
    return int(memory.metadata["part"])


def _files(root: Path, patterns: Sequence[str]) -> list[Path]:
    if not root.is_dir():
        raise DefinitionError(f"there is no folder {str(root)!r} to take documents from.")
    inside = root.resolve()
    candidates = {path for pattern in patterns or ("**/*",) for path in root.glob(pattern)}
    found = {
        path
        for path in candidates
        if path.is_file()
        and (patterns or path.suffix.lower() in CHUNKERS)
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.resolve().is_relative_to(inside)
    }
    return sorted(found)


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DefinitionError(f"it has {size:,} bytes, and at most {MAX_BYTES:,} are read")
    return path.read_bytes()
