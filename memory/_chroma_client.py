"""Chroma as an index of vectors by id: ids and vectors only, never texts."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentkit.embeddings import Embedder
from agentkit.errors import DefinitionError, MemoryStoreError, MissingDependencyError
from agentkit.memory._chroma_files import IndexFiles
from agentkit.memory._database import chunks, other_embedder

MAX_BATCH = 4_000
"""Vectors in one request; Chroma's own limit is a little above."""

HTTP_SECONDS = 60.0
"""How long a server may take to answer."""

_HNSW = {"space": "cosine", "ef_construction": 80, "ef_search": 200, "max_neighbors": 24, "sync_threshold": 2_000}
"""For 99 % of the nearest ten of 100,000 at 0.6 ms a vector; a larger `ef_search` finds no more, a smaller graph less.

Chroma writes its whole graph after `sync_threshold` changes, and inserts those since again when it is opened.
"""


class ChromaIndex:
    """One collection a user, so that a search never has to look through those of others.

    Args:
        where: A folder, or the URL of a server.
        name: What the collections' names begin with.
        store: Identity of the records that the vectors belong to.
        embedder: Whose vectors they are.
        headers: HTTP headers for a server, such as a token.
    """

    def __init__(
        self, where: str | Path, *, name: str, store: str, embedder: Embedder, headers: Mapping[str, str]
    ) -> None:
        self._where = str(where)
        self._name = name
        self._mine = {"store": store, "embedder": embedder.name, "dimension": embedder.dimension}
        self._embedder = embedder
        self._headers = dict(headers)
        self._client: Any = None
        self._collections: dict[str, Any] = {}
        self._files = None if is_url(where) else IndexFiles(Path(where))
        self._cleared: set[str] = set()

    def part(self, user: str) -> str:
        """The name of a user's collection, which does not tell who it is."""
        return f"{self._name}-{hashlib.sha256(user.encode()).hexdigest()[:32]}"

    def put(self, part: str, vectors: Mapping[str, bytes]) -> None:
        """Add or replace vectors."""
        with self._told():
            collection = self._collection(part)
            for ids in chunks(vectors, MAX_BATCH):
                collection.upsert(ids=ids, embeddings=_array([vectors[id] for id in ids]))
        self._loaded(part)

    def remove(self, part: str, ids: Sequence[str]) -> None:
        """Take vectors out; unknown ids are ignored."""
        with self._told():
            for batch in chunks(ids, MAX_BATCH):
                self._collection(part).delete(ids=batch)
        self.clear_unused()

    def drop(self, part: str) -> None:
        """Forget a collection whole. Its files go when this is closed and tidied."""
        with self._told():
            if part in (each.name for each in self._open().list_collections()):
                self._open().delete_collection(part)
        self._collections.pop(part, None)

    def search(self, part: str, vector: bytes, k: int, ids: Sequence[str] | None = None) -> dict[str, float]:
        """The nearest vectors by id, with their cosines; among `ids`, if given."""
        if ids is not None and not ids:
            return {}
        with self._told():
            found = self._collection(part).query(
                query_embeddings=_array([vector]), n_results=k, ids=ids, include=["distances"]
            )
        self._loaded(part)
        return {id: 1.0 - distance for id, distance in zip(found["ids"][0], found["distances"][0], strict=True)}

    def parts(self) -> list[str]:
        """The collections that there are."""
        with self._told():
            return [each.name for each in self._open().list_collections() if each.name.startswith(f"{self._name}-")]

    def vectors(self, part: str) -> Iterator[tuple[str, bytes]]:
        """Every id of a collection with its vector, as 4-byte floats."""
        with self._told():
            collection = self._collection(part)
            for ids in chunks(collection.get(include=[])["ids"], MAX_BATCH):
                found = collection.get(ids=ids, include=["embeddings"])
                yield from zip(found["ids"], map(_bytes, found["embeddings"]), strict=True)
        self.clear_unused()

    def _loaded(self, part: str) -> None:
        """Chroma writes the files of a small index anew when it loads it, at its first use."""
        if part not in self._cleared:
            self.clear_unused()
            self._cleared.add(part)

    def clear_unused(self) -> None:
        """Take what lay in this process's memory out of the unused space of Chroma's files."""
        if self._files is not None:
            with self._told():
                self._files.clear_unused()

    def close(self, *, tidy: bool = False) -> None:
        """Let go of the files or the connection; and `tidy` the files, so that they hold nothing that was dropped."""
        if self._client is not None:
            sessions = _sessions(self._client)
            self._client.close()
            for session in sessions:
                session.close()
        self._client = None
        self._collections.clear()
        self._cleared.clear()
        if self._files is not None and tidy:
            with self._told():
                self._files.tidy()
        self.clear_unused()

    def _collection(self, part: str) -> Any:
        if part not in self._collections:
            collection = self._open().get_or_create_collection(
                part, metadata=self._mine, embedding_function=None, configuration={"hnsw": _HNSW}
            )
            self._check(collection.metadata or {})
            self._collections[part] = collection
        return self._collections[part]

    def _check(self, theirs: Mapping[str, Any]) -> None:
        if theirs.get("store") != self._mine["store"]:
            raise DefinitionError(
                f"the Chroma at {self._where!r} has collections {self._name!r} of other records; "
                "open it with the records file that it was made with, or choose another name=."
            )
        if (theirs.get("embedder"), theirs.get("dimension")) != (self._mine["embedder"], self._mine["dimension"]):
            name, dimension = str(theirs.get("embedder")), theirs.get("dimension")
            raise other_embedder(self._where, name, dimension, self._embedder)

    def _open(self) -> Any:
        if self._client is None:
            self.clear_unused()  # of a process that was killed
            self._client = _connect(self._where, self._headers)
        return self._client

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Chroma's and its HTTP library's failures, as the operator should read them."""
        import httpx

        errors = _errors()
        try:
            yield
        except (httpx.HTTPError, errors, ValueError, OSError, sqlite3.Error) as error:
            reason = str(error) or type(error).__name__
            remedy = (
                "Is the server running at that URL? The records are kept, and their vectors are brought there when it "
                "answers again."
                if is_url(self._where)
                else "The records are kept beside it. If the folder is damaged, remove it; repair() (agentkit memory "
                "check --repair) makes it anew."
            )
            raise MemoryStoreError(f"Chroma at {self._where!r} failed ({reason}). {remedy}") from error


def is_url(where: str | Path) -> bool:
    """Whether `where` is a server."""
    return isinstance(where, str) and where.startswith(("http://", "https://"))


def _connect(where: str, headers: Mapping[str, str]) -> Any:
    chromadb = load_chroma()
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    if not is_url(where):
        try:
            return chromadb.PersistentClient(where, settings=settings)
        except AttributeError as error:  # of its clean-up, which hides why the folder cannot be opened
            raise ValueError(str(error.__context__ or error)) from error
    url = urlsplit(where)
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 8000)
    client = chromadb.HttpClient(url.hostname, port, ssl=secure, headers=dict(headers), settings=settings)
    for session in _sessions(client):
        session.timeout = HTTP_SECONDS
    return client


def _sessions(client: Any) -> list[Any]:
    """The HTTP connections of a client of a server, which Chroma makes without a time limit and never closes."""
    owners = (client, getattr(client, "_admin_client", None))
    found = (getattr(getattr(owner, "_server", None), "_session", None) for owner in owners)
    return [session for session in found if session is not None]


def load_chroma() -> Any:
    """The `chromadb` package.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import chromadb
        import chromadb.config
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"ChromaStore needs the package {error.name!r}; install it with: pip install 'agentkit-plans[memory]'"
        ) from None
    return chromadb


def _errors() -> type[Exception]:
    import chromadb.errors

    return chromadb.errors.ChromaError


def _array(vectors: Sequence[bytes]) -> Any:
    import numpy as np

    return np.stack([np.frombuffer(vector, dtype=np.float32) for vector in vectors])


def _bytes(vector: Any) -> bytes:
    import numpy as np

    return np.asarray(vector, dtype=np.float32).tobytes()
