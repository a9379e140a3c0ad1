"""Documents as memories: taken in piece by piece, kept up to date, cited."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from agentkit.errors import DefinitionError
from agentkit.memory._progress import Progress, progress_told
from agentkit.memory.chunkers import CHUNKERS, DEFAULT_SIZE, Chunk, check_size, chunk
from agentkit.memory.files import content_of, find, printable
from agentkit.memory.records import ANY, Filter, Memory, Provenance, Scope
from agentkit.memory.store import MemoryStore
from agentkit.messages import Json

Describe: TypeAlias = Callable[[str, Chunk], Awaitable[str]]
"""``await describe(document, chunk)``: words that place a piece in its document, to be found by."""

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest did, as names of documents.

    Attributes:
        added: New ones.
        replaced: Those whose content has changed.
        unchanged: Those whose content is what it was.
        removed: Those that are no longer there.
        failed: Those that could not be read, with the reasons. What was known of them is kept.
        left_out: Files of the folders that were not read, because of their endings.
        pieces_added: How many memories were written.
        pieces_removed: How many memories were removed.
    """

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    pieces_added: int = 0
    pieces_removed: int = 0


@dataclass(slots=True)
class _Tally:
    """An ingest so far."""

    sources: dict[str, list[str]] = field(default_factory=lambda: {"added": [], "replaced": [], "unchanged": []})
    failed: list[tuple[str, str]] = field(default_factory=list)
    pieces_added: int = 0
    pieces_removed: int = 0

    def note(self, source: str, taken: _Taken) -> None:
        self.sources[taken.outcome].append(source)
        self.pieces_added += taken.added
        self.pieces_removed += taken.removed

    def ingested(self, removed: Sequence[str], left_out: Sequence[str]) -> Ingested:
        return Ingested(
            **{outcome: tuple(sources) for outcome, sources in self.sources.items()},
            removed=tuple(removed),
            failed=tuple(self.failed),
            left_out=tuple(left_out),
            pieces_added=self.pieces_added,
            pieces_removed=self.pieces_removed,
        )


@dataclass(frozen=True, slots=True)
class _Taken:
    """What became of a document: the outcome, and how many pieces were written and removed."""

    outcome: str
    added: int = 0
    removed: int = 0


class Documents:
    """A set of documents in a memory store, as memories of kind ``document``.

    Args:
        store: Where the pieces are kept.
        scope: Whose documents they are.
        collection: The set's name; several sets may share a store and a scope.
        size: Characters of a piece, at the most.
        describe: Makes words that place each piece, in addition to the document's name and headings; a model, say.

    Raises:
        DefinitionError: The scope is not that of an owner, or the size is too small.
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
        if ANY in scope.parts:
            raise DefinitionError(
                f"documents need an owner, and {scope!r} only asks: name the user, agent and session, or leave them "
                "empty for what all share."
            )
        check_size(size)
        self._store = store
        self._scope = scope
        self._collection = collection
        self._size = size
        self._describe = describe

    async def ingest(
        self, *paths: str | Path, patterns: Sequence[str] = (), progress: bool | Progress = False
    ) -> Ingested:
        """Bring the set up to date with files and folders.

        Only documents whose content has changed are written again. Documents of a folder whose files are gone from it
        are removed; those of other folders, and those that were added otherwise, stay. Hidden files of a folder are
        left out, and links that lead out of it. A document is called by its path below the folder.

        What is done stays done when an ingest is interrupted; the next one finishes it.

        Args:
            paths: Files and folders.
            patterns: Which files of a folder, as in ``**/*.md``; by default all with a known ending.
            progress: True shows a bar on stderr, or a line a document where that is no terminal. A function is told
                how far it is.

        Raises:
            DefinitionError: A path is neither a file nor a folder, or a pattern is none.
        """
        search = await asyncio.to_thread(find, paths, patterns, CHUNKERS)
        known = await self._known()
        owners = {source: _path(memories) for source, memories in known.items()}
        names = {path: source for source, path in owners.items() if path}
        tally = _Tally()
        with progress_told(progress) as tell:
            for position, file in enumerate(search.files):
                source = names.get(str(file.path)) or file.name(owners)
                shown = printable(source)
                tell(position, len(search.files), shown)
                old = known.get(source, [])
                try:
                    if shown != source:
                        raise DefinitionError("its name is not UTF-8; rename it")
                    content = await asyncio.to_thread(content_of, file.path)
                    new = await self._read(self._labels(source, str(file.path)), content, old)
                except (DefinitionError, OSError) as error:
                    tally.failed.append((shown, _reason(error)))
                else:
                    owners[source] = str(file.path)
                    tally.note(source, await self._put(new, old))
            gone = sorted(source for source in known if search.covers(owners[source]) and not _is_there(owners[source]))
            tally.pieces_removed += await self._delete(memory for source in gone for memory in known[source])
            tell(len(search.files), len(search.files), "")
        return tally.ingested(gone, search.left_out)

    async def add(self, source: str, content: str | bytes) -> str:
        """Take one document in, or take it in again; its name's ending says how to read it.

        Returns:
            ``added``, ``replaced`` or ``unchanged``.

        Raises:
            DefinitionError: It has no name, or cannot be read as what its name says.
        """
        if not source.strip():
            raise DefinitionError("a document needs a name, such as 'notes.md', to be cited and replaced by.")
        data = content.encode() if isinstance(content, str) else content
        known = (await self._known(source)).get(source, [])
        new = await self._read(self._labels(source, _path(known)), data, known)
        return (await self._put(new, known)).outcome

    async def remove(self, *sources: str) -> int:
        """Remove documents; returns how many pieces they had."""
        known = [memory for source in sources for memory in (await self._known(source)).get(source, [])]
        return await self._delete(known)

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
        parts = [
            "\n\n".join([f"# {source}", *_under_headings(sorted(memories, key=_number))])
            for source, memories in sorted((await self._known()).items())
        ]
        text = "\n\n".join(parts)
        return text if count(text) <= max_tokens else None

    async def _known(self, source: str | None = None) -> dict[str, list[Memory]]:
        where = {"collection": self._collection} | ({} if source is None else {"source": source})
        found: dict[str, list[Memory]] = {}
        for memory in await self._store.list(Filter(kinds=("document",), where=where), scope=self._scope):
            if memory.scope == self._scope:  # what all share is read by many and belongs to none of them
                found.setdefault(str(memory.metadata["source"]), []).append(memory)
        return found

    def _labels(self, source: str, path: str) -> dict[str, Json]:
        return {"collection": self._collection, "source": source, "path": path}

    async def _read(self, labels: dict[str, Json], content: bytes, old: Sequence[Memory]) -> list[Memory] | None:
        """A document's pieces; None if they are what they were."""
        source = str(labels["source"])
        labels = {**labels, "sha256": hashlib.sha256(f"{self._size}:".encode() + content).hexdigest()}
        if old and all(one.metadata.get("parts") == len(old) and labels.items() <= one.metadata.items() for one in old):
            return None
        chunks = await asyncio.to_thread(chunk, source, content, self._size)
        labels["parts"] = len(chunks)
        return [await self._memory(source, {**labels, "part": part}, piece) for part, piece in enumerate(chunks)]

    async def _put(self, new: Sequence[Memory] | None, old: Sequence[Memory]) -> _Taken:
        if new is None or not (new or old):
            return _Taken("unchanged")
        # The old pieces go when the new ones are there; should both be found after a crash, they are replaced again.
        for start in range(0, len(new), _BATCH):
            await self._store.add(*new[start : start + _BATCH], scope=self._scope)
        return _Taken("replaced" if old else "added", len(new), await self._delete(old))

    async def _delete(self, memories: Iterable[Memory]) -> int:
        ids = [memory.id for memory in memories]
        return len(await self._store.delete(*ids, scope=self._scope)) if ids else 0

    async def _memory(self, source: str, labels: dict[str, Json], piece: Chunk) -> Memory:
        context = " > ".join([source, *piece.headings])
        if self._describe is not None:
            context = f"{context}\n{await self._describe(source, piece)}"
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


def _under_headings(pieces: Iterable[Memory]) -> Iterator[str]:
    """The texts of pieces, each below the headings that it stands under where these are not those of the one before."""
    before: Json = []
    for piece in pieces:
        headings = piece.metadata["headings"]
        if headings and headings != before:
            yield f"## {' > '.join(headings)}"
        before = headings
        yield piece.text


def _number(memory: Memory) -> int:
    return int(memory.metadata["part"])


def _path(memories: Sequence[Memory]) -> str:
    """The file that a document was read from; empty if from none."""
    return str(memories[0].metadata.get("path", "")) if memories else ""


def _is_there(path: str) -> bool:
    return Path(path).is_file()


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
