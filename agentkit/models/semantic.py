"""A cache that also answers requests that only mean the same as an earlier one."""

from __future__ import annotations

import re
import time
from array import array
from base64 import b64decode, b64encode
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from operator import mul
from pathlib import Path

from agentkit.cache import MISS, CacheStore
from agentkit.embeddings import Embedder
from agentkit.errors import DefinitionError
from agentkit.messages import Json, ModelRequest, ModelResponse, TextDelta
from agentkit.models._requests import digest, response_to_json, wire
from agentkit.models._wrapper import Wrapper, closing
from agentkit.models.cached import may_be_cached, revived
from agentkit.protocols import Model

KIND = "semantic"
_COMPLETE = ("stop",)
_PLACES = 128

_NEGATIONS = frozenset(
    "no not never none nobody nothing nowhere neither nor without cannot except exclude excluding unless".split()
)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,:/-]\d+)*")


class SemanticCachedModel(Wrapper):
    """Answers a request from the answer to an earlier one that means the same.

    Two requests can mean the same only if all that is sent but the last user message is equal. That message is compared
    by the cosine of its embedding. Since embeddings hardly tell *not* from its absence, 3 from 4, or one name from
    another, a `guard` also wants the same numbers, names and negations. It can still be wrong: measure it on requests of
    your own, with ``python -m benchmarks.semantic_cache``, before you choose a threshold.

    Entries belong to the request's `user` and are never given to another one. Requests that `CachedModel` would not
    cache, requests that offer tools or end with something else than a user message, and answers that are cut off or
    call tools are left alone.

    Args:
        model: The model or its id.
        embedder: Makes the vectors; entries of an embedder with another name are not seen.
        threshold: The least cosine of two messages that mean the same, above 0, at most 1.
        store: The cache, or the path of its file; in memory where not given.
        ttl: Seconds until an answer expires; None for never.
        guard: Whether two messages differ in something that matters, as far as their words tell; None trusts the
            embedding alone.
        most: Messages remembered for each user and context; the oldest go first.
        shared: Says of a request that its answer is for everybody, whoever asks.

    Raises:
        DefinitionError: The threshold is out of range.
    """

    def __init__(
        self,
        model: Model | str,
        embedder: Embedder,
        *,
        threshold: float,
        store: CacheStore | str | Path | None = None,
        ttl: float | None = None,
        guard: Callable[[str, str], bool] | None = None,
        most: int = 1000,
        shared: Callable[[ModelRequest], bool] | None = None,
    ) -> None:
        super().__init__(model)
        if not 0 < threshold <= 1:
            raise DefinitionError(f"threshold is {threshold!r}; expected a cosine above 0 and at most 1.")
        self.store = store if isinstance(store, CacheStore) else CacheStore(":memory:" if store is None else store)
        self.hits = self.misses = 0
        self._embedder = embedder
        self._threshold = threshold
        self._ttl = ttl
        self._guard = guard
        self._most = most
        self._shared = shared
        self._places: OrderedDict[tuple[str, str], list[_Known]] = OrderedDict()
