"""Long-term memory: what is remembered, found again by words and by meaning together.

Sources: recency, importance and relevance, Park et al., "Generative Agents" (2023); maximal marginal relevance,
Carbonell and Goldstein (1998).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentkit.clock import SystemClock
from agentkit.errors import DefinitionError
from agentkit.memory._checks import check_least, check_part
from agentkit.memory.fusion import Fusion, ScoreFusion
from agentkit.memory.records import Filter, Kind, Memory, Scope
from agentkit.memory.rewriting import Rewriter, Unsolvable
from agentkit.memory.store import Match, MemoryStore, Vector, vectors_of
from agentkit.messages import Json, Message
from agentkit.protocols import Clock

_RETRIEVERS = frozenset({"words", "meaning"})

RECENCY_DECAY = 0.995
"""What an hour without being recalled leaves of a memory's recency (Park et al.)."""


class Reranker(Protocol):
    """Orders what was found by a closer look."""

    async def rerank(self, query: str, memories: Sequence[Memory]) -> Sequence[float]:
        """How well each memory answers `query`; larger is better."""
        ...


@dataclass(frozen=True, slots=True)
class Weights:
    """How much of a score comes from where. Each part is stretched to 0…1 over what was found, as Park et al. do.

    Attributes:
        relevance: How well it fits the query.
        recency: ``0.995`` to the power of the hours since it was last recalled.
        importance: As the record says.
    """

    relevance: float = 1.0
    recency: float = 0.0
    importance: float = 0.0


GENERATIVE_AGENTS = Weights(relevance=1.0, recency=1.0, importance=1.0)
"""The three in equal parts."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one retriever or one step of the ranking put a memory: its rank from 1, and its score there."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that was recalled.

    Attributes:
        memory: The memory, as it was before this recall.
        score: What it is ordered by; comparable within one recall only.
        why: Its place by ``words``, ``meaning``, ``fused``, ``weighted``, ``reranked`` and ``diverse``, as far as each
            took part. Only if the recall was asked to explain itself.
    """

    memory: Memory
    score: float
    why: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recollection:
    """What a recall found, best first.

    Attributes:
        query: What was looked for, after rewriting.
        hits: What was found.
        unsolvable: Why nothing was looked for: the rewriter found that the conversation does not say what is meant.
    """

    query: str
    hits: tuple[Recalled, ...] = ()
    unsolvable: str = ""

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The memories alone."""
        return tuple(hit.memory for hit in self.hits)


class LongTermMemory:
    """Remembers, recalls and forgets, in any store.

    Args:
        store: Where memories are kept. It stays the caller's to close.
        clock: Time.
        reranker: Looks closer at what was found; none by default.
        rewriter: Makes a query of a conversation; none by default.
        weights: How memories are ordered where a recall does not say.
        candidates: How many memories each retriever contributes, before they are fused.
        retrievers: Which retrievers take part: ``words``, ``meaning``.
        fusion: How their rankings become one; by their scores if not given.

    Raises:
        DefinitionError: A part is none, a retriever is not known, or none is named.
    """

    def __init__(
        self,
        store: MemoryStore,
        *,
        clock: Clock | None = None,
        reranker: Reranker | None = None,
        rewriter: Rewriter | None = None,
        weights: Weights | None = None,
        candidates: int = 50,
        retrievers: Sequence[str] = ("words", "meaning"),
        fusion: Fusion | None = None,
    ) -> None:
        check_part("LongTermMemory(store", store, "search_words", "a store, such as SqliteStore('memory.db')")
        check_part("LongTermMemory(reranker", reranker, "rerank", "something with rerank()")
        check_part("LongTermMemory(rewriter", rewriter, "rewrite", "a rewriter, such as ModelRewriter(…)")
        check_part("LongTermMemory(fusion", fusion, "fuse", "ScoreFusion(), RankFusion(), or something with fuse()")
        check_least("LongTermMemory(candidates", candidates, 1, "memories")
        if not retrievers or set(retrievers) - _RETRIEVERS:
            named = ", ".join(repr(name) for name in retrievers if name not in _RETRIEVERS) or "no retriever"
            raise DefinitionError(f"memories are found by 'words', by 'meaning' or by both, not by {named}.")
        self.store = store
        self._clock = clock or SystemClock()
        self._reranker = reranker
        self._rewriter = rewriter
        self._weights = weights or Weights()
        self._candidates = candidates
        self._retrievers = tuple(retrievers)
        self._fusion = fusion or ScoreFusion()

    def now(self) -> float:
        """The time by this memory's clock, Unix seconds."""
        return self._clock.time()

    async def remember(self, text: str, *, scope: Scope, kind: Kind = "fact", **fields: Any) -> Memory:
        """Keep a new memory of `scope`; `fields` are those of `Memory`."""
        memory = Memory(text=text, kind=kind, scope=scope, **{"created": self._clock.time(), **fields})
        await self.store.add(memory, scope=scope)
        return memory

    async def forget(self, *ids: str, scope: Scope) -> list[str]:
        """Delete memories for good; returns the ids that were there."""
        return await self.store.delete(*ids, scope=scope)

    async def recall(
        self,
        query: str,
        *,
        scope: Scope,
        k: int = 5,
        kinds: Sequence[Kind] | Kind = (),
        where: Mapping[str, Json] | None = None,
        since: float | None = None,
        until: float | None = None,
        at: float | None = None,
        ended: bool = False,
        weights: Weights | None = None,
        diversity: float = 0.0,
        rerank: bool = True,
        conversation: Sequence[Message] = (),
        explain: bool = False,
        touch: bool = True,
    ) -> Recollection:
        """Find the memories that matter for `query`.

        Args:
            query: What is asked.
            scope: On whose behalf.
            k: How many memories at most.
            kinds: Only these kinds, or this one.
            where: Conditions on metadata; see `Filter`.
            since: Only what became true, or happened, at this time or later (Unix seconds).
            until: Only what became true, or happened, before this time.
            at: Only what was true at this time; by default now.
            ended: Also what is no longer true, or was superseded.
            weights: How they are ordered, if not as this memory does by default.
            diversity: From 0 to 1: how much a memory loses for resembling one that is chosen already.
            rerank: Use the reranker, if there is one.
            conversation: What was said before; the rewriter, if there is one, makes the query from it.
            explain: Give each memory's ranks and scores.
            touch: Note that the memories were recalled now.

        Raises:
            DefinitionError: An argument is out of range, or the reranker gave too few or too many scores.
        """
        _check_range(k, diversity)
        asked = await self._rewritten(query, conversation)
        if isinstance(asked, Unsolvable):
            return Recollection(query, unsolvable=asked.reason)
        now = self._clock.time()
        moment = None if ended else now if at is None else at
        chosen: tuple[Kind, ...] = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        only = Filter(chosen, where or {}, since=since, until=until, at=moment)
        ranking = await self._retrieve(asked, scope, only, max(self._candidates, k))
        ranking.weigh(weights or self._weights, now)
        if rerank and self._reranker is not None:
            ranking.rerank(await self._reranker.rerank(asked, ranking.memories))
        if diversity > 0 and ranking.memories:
            vectors = await self.store.vectors(*ranking.order, scope=scope)
            ranking.diversify(vectors, diversity, k)
        hits = ranking.hits(k, explain=explain)
        if touch and hits:
            await self.store.touch(*(hit.memory.id for hit in hits), at=now, scope=scope)
        return Recollection(asked, hits)

    async def _rewritten(self, query: str, conversation: Sequence[Message]) -> str | Unsolvable:
        if self._rewriter is None or not conversation:
            return query
        found = await self._rewriter.rewrite(query, conversation)
        return found if isinstance(found, Unsolvable) else found.query

    async def _retrieve(self, query: str, scope: Scope, only: Filter, k: int) -> _Ranking:
        async def by_words() -> list[Match]:
            return await self.store.search_words(query, scope=scope, k=k, only=only)

        async def by_meaning() -> list[Match]:
            if self.store.embedder is None or not query.strip():
                return []
            [vector] = await vectors_of([query], self.store.embedder)
            return await self.store.search_meaning(vector, scope=scope, k=k, only=only)

        searches = {"words": by_words, "meaning": by_meaning}
        found = await asyncio.gather(*(searches[name]() for name in self._retrievers))
        each = dict(zip(self._retrievers, found, strict=True))
        return _Ranking(each, self._fusion.fuse(each, k))


def _check_range(k: int, diversity: float) -> None:
    if k < 0 or not 0 <= diversity <= 1:
        raise DefinitionError(
            f"k={k!r} and diversity={diversity!r}: k is how many memories at most, diversity is from 0 to 1."
        )


class _Ranking:
    """The memories that were found, in an order that one step after the other improves."""

    def __init__(self, found: Mapping[str, Sequence[Match]], fused: Mapping[str, float]) -> None:
        self._memories = {match.memory.id: match.memory for matches in found.values() for match in matches}
        self._why: dict[str, dict[str, Place]] = {id: {} for id in self._memories}
        for name, matches in found.items():
            self._note(name, [(match.memory.id, match.score) for match in matches])
        self._scores: dict[str, float] = {}
        self._reorder("fused", fused)

    @property
    def order(self) -> list[str]:
        """The ids, best first."""
        return list(self._scores)

    @property
    def memories(self) -> list[Memory]:
        """The memories, best first."""
        return [self._memories[id] for id in self._scores]

    def weigh(self, weights: Weights, now: float) -> None:
        """Add how recent and how important they are."""
        if not weights.recency and not weights.importance:
            return
        hours = {id: max(0.0, now - memory.accessed) / 3600 for id, memory in self._memories.items()}
        parts = (
            (weights.relevance, _stretched(self._scores)),
            (weights.recency, _stretched({id: RECENCY_DECAY ** hours[id] for id in self._memories})),
            (weights.importance, _stretched({id: memory.importance for id, memory in self._memories.items()})),
        )
        self._reorder("weighted", {id: sum(weight * part[id] for weight, part in parts) for id in self._scores})

    def rerank(self, scores: Sequence[float]) -> None:
        """Take the order of a reranker."""
        if len(scores) != len(self._scores):
            raise DefinitionError(f"the reranker was given {len(self._scores)} memories and gave {len(scores)} scores.")
        self._reorder("reranked", dict(zip(self._scores, scores, strict=True)))

    def diversify(self, vectors: Mapping[str, Vector], diversity: float, k: int) -> None:
        """Choose one after the other, each good and unlike those before."""
        import numpy as np

        relevance = _stretched(self._scores)
        rows = {id: np.asarray(vector) for id, vector in vectors.items()}
        likeness = dict.fromkeys(self._scores, 0.0)
        chosen: dict[str, float] = {}
        while len(chosen) < min(k, len(self._scores)):
            left = [id for id in self._scores if id not in chosen]
            worth = {id: (1 - diversity) * relevance[id] - diversity * likeness[id] for id in left}
            best = max(left, key=lambda id: worth[id])
            chosen[best] = worth[best]
            for id in left:
                if id in rows and best in rows:
                    likeness[id] = max(likeness[id], float(rows[id] @ rows[best]))
        self._scores = chosen
        self._note("diverse", list(chosen.items()))

    def hits(self, k: int, *, explain: bool) -> tuple[Recalled, ...]:
        """The best `k`."""
        best = list(self._scores.items())[:k]
        return tuple(Recalled(self._memories[id], score, self._why[id] if explain else {}) for id, score in best)

    def _reorder(self, name: str, scores: Mapping[str, float]) -> None:
        ordered = sorted(scores.items(), key=lambda pair: -pair[1])
        self._scores = dict(ordered)
        self._note(name, ordered)

    def _note(self, name: str, ordered: Sequence[tuple[str, float]]) -> None:
        for rank, (id, score) in enumerate(ordered, start=1):
            self._why[id][name] = Place(rank, score)


def _stretched(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores from 0 to 1; all 1 where they are equal."""
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {id: (score - low) / (high - low) if high > low else 1.0 for id, score in scores.items()}
