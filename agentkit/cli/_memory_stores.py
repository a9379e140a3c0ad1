"""Which memory store a command means, opened with the embedder that it was written with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from agentkit.embeddings import Embedder, MiniLM, OpenAIEmbedder
from agentkit.errors import DefinitionError, MemoryStoreError, UnknownMemoryError
from agentkit.memory import ChromaStore, Filter, Memory, MemoryStore, Scope, SqliteStore, stored_embedder

SHORT = 12
"""Characters of an id that are shown where space is scarce."""

StoreOption = Annotated[
    str, typer.Option("--store", help="A SQLite file, Chroma folder or server's URL. [default: a per-user file]")
]
RecordsOption = Annotated[Path | None, typer.Option("--records", help="The SQLite file that goes with a server.")]
EmbedderOption = Annotated[
    str, typer.Option("--embedder", help="minilm, none or openai:MODEL/DIMENSION. [default: the store's own]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class UnknownEmbedder:
    """Stands for an embedder that the command line cannot make: all works but what needs a new vector."""

    def __init__(self, name: str, dimension: int) -> None:
        self.name = name
        self.dimension = dimension

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Refuse.

        Raises:
            DefinitionError: Always.
        """
        raise DefinitionError(
            f"this memory was written with the embedder {self.name!r}, which the command line cannot make. Open the "
            "store in Python with that embedder, or copy its memories into a new store: agentkit memory export FILE, "
            "then agentkit memory import FILE --store NEW --embedder minilm"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where memories are, and on whose behalf they are looked at.

    Attributes:
        store: A SQLite file, a folder with Chroma, or the URL of a Chroma server; empty for the user's own file.
        records: The SQLite file beside a server.
        embedder: ``minilm``, ``none`` or ``openai:MODEL/DIMENSION``; empty for the one that the store was written with.
        scope: On whose behalf.
    """

    store: str
    records: Path | None
    embedder: str
    scope: Scope

    @property
    def where(self) -> str:
        """The store, the user's own by default."""
        return self.store or str(Path(platformdirs.user_data_dir("agentkit")) / "memory.db")

    @property
    def _is_url(self) -> bool:
        return self.where.startswith(("http://", "https://"))

    @property
    def _is_chroma(self) -> bool:
        return self._is_url or self.where.endswith("/") or Path(self.where).is_dir()

    @property
    def _file(self) -> Path:
        """The SQLite file with the records."""
        if self._is_url:
            if self.records is None:
                raise DefinitionError(f"say which SQLite file holds the memories of {self.where!r}: --records FILE")
            return self.records
        return Path(self.where) / "records.db" if self._is_chroma else Path(self.where)

    @asynccontextmanager
    async def open(self, *, new: bool = False) -> AsyncIterator[MemoryStore]:
        """The store; a `new` one may be made.

        Raises:
            DefinitionError: There is none, or its embedder cannot be had.
            MemoryStoreError: It cannot be opened.
        """
        if not self._file.exists() and not new:
            if self._is_url:
                raise DefinitionError(
                    f"there is no SQLite file {str(self._file)!r} with the memories of {self.where!r}; name it with "
                    "--records"
                )
            raise DefinitionError(
                f"there is no memory at {self.where!r}; name its SQLite file, Chroma folder or server with --store"
            )
        embedder = self._embedder()
        store: MemoryStore
        if not self._is_chroma:
            store = SqliteStore(self._file, embedder)
        elif embedder is None:
            raise DefinitionError(f"Chroma at {self.where!r} needs an embedder; name one: --embedder minilm")
        else:
            store = ChromaStore(self.where, embedder, records=self._file)
        try:
            yield store
        finally:
            await store.aclose()

    def _embedder(self) -> Embedder | None:
        known = stored_embedder(self._file) if self._file.exists() else None
        name = self.embedder or (known[0] if known else "none")
        if name == "none":
            return None
        if name == MiniLM.name:
            return MiniLM()
        if name.startswith("openai:"):
            model, slash, dimension = name.removeprefix("openai:").rpartition("/")
            if slash and dimension.isdigit():
                return OpenAIEmbedder(model, dimension=int(dimension))
            if known is not None and name == known[0]:
                return OpenAIEmbedder(dimension if not slash else f"{model}/{dimension}", dimension=known[1])
        if self.embedder:
            raise DefinitionError(f"--embedder {name!r} is not minilm, none or openai:MODEL/DIMENSION")
        assert known is not None, "a store without an embedder has none to look for"
        return UnknownEmbedder(*known)

    async def find(self, store: MemoryStore, id: str) -> Memory:
        """The memory with this id, or the only one whose id begins so.

        Raises:
            UnknownMemoryError: There is none in the scope.
            MemoryStoreError: There are several.
        """
        exact = await store.get(id, scope=self.scope)
        if exact is not None:
            return exact
        found = [memory for memory in await store.list(scope=self.scope) if memory.id.startswith(id)] if id else []
        if not found:
            raise UnknownMemoryError(
                f"there is no memory {id!r} in {self.where!r}{_for(self.scope)}; agentkit memory list shows them"
            )
        if len(found) > 1:
            names = ", ".join(sorted(memory.id for memory in found)[:5])
            raise MemoryStoreError(f"{len(found)} memories have an id that begins with {id!r}: {names}; say more of it")
        return found[0]

    async def pieces(self, store: MemoryStore, document: str) -> list[Memory]:
        """The pieces of a document, by its name.

        Raises:
            UnknownMemoryError: There is none in the scope.
        """
        found = await store.list(Filter(("document",), {"source": document}), scope=self.scope)
        if not found:
            raise UnknownMemoryError(
                f"there is no document {document!r} in {self.where!r}{_for(self.scope)}; "
                "agentkit memory list --kind document shows them"
            )
        return sorted(found, key=lambda memory: int(memory.metadata["part"]))


def _for(scope: Scope) -> str:
    named = [f"{name} {part!r}" for name, part in zip(("user", "agent", "session"), scope.parts, strict=True)]
    shown = [text for text, part in zip(named, scope.parts, strict=True) if part != "*"]
    return f" for {', '.join(shown)}" if shown else ""
