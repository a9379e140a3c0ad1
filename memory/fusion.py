"""One ranking from several: what retrievers found, by words and by meaning, put in one order.

Sources: convex combination of scores, Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval"
(2023); reciprocal rank fusion, Cormack, Clarke and Büttcher (2009).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentkit.errors import DefinitionError
from agentkit.lexical import reciprocal_rank_fusion
from agentkit.memory._checks import check_least
from agentkit.memory.store import Match


class Fusion(Protocol):
    """Puts what retrievers found in one order."""

    def fuse(self, found: Mapping[str, Sequence[Match]], asked: int) -> Mapping[str, float]:
        """The scores of all memories that were found, by id; larger is better.

        Args:
            found: The matches of each retriever, ``words`` and ``meaning``, best first.
            asked: How many each was asked for. A list that is as long may have left some out.
        """
        ...


@dataclass(frozen=True, slots=True)
class ScoreFusion:
    """Adds up scores, each as a share of its retriever's best: ``meaning`` of the cosine, the rest of BM25.

    Ranks cannot tell an order number that one text has from a name that a hundred have, or a near meaning from the next
    best; scores can. What a full list leaves out counts there as its last one does, so that a memory that is known to
    one retriever only is not lost. The scores are from 0 to 1.

    Attributes:
        meaning: From 0 to 1: how much the meaning counts beside the words.
    """

    meaning: float = 0.7

    def __post_init__(self) -> None:
        if not 0 <= self.meaning <= 1:
            raise DefinitionError(f"ScoreFusion(meaning={self.meaning!r}): give a share from 0 to 1.")

    def fuse(self, found: Mapping[str, Sequence[Match]], asked: int) -> Mapping[str, float]:
        """The weighted sums; a retriever that found nothing has no say."""
        weights = {"words": 1 - self.meaning, "meaning": self.meaning}
        speaking = {name: matches for name, matches in found.items() if matches}
        total = sum(weights[name] for name in speaking)
        fused = dict.fromkeys((match.memory.id for matches in speaking.values() for match in matches), 0.0)
        for name, matches in speaking.items():
            shares = _shares(matches)
            missing = shares[matches[-1].memory.id] if len(matches) >= asked else 0.0
            weight = weights[name] / total if total else 1.0
            for id in fused:
                fused[id] += weight * shares.get(id, missing)
        return fused


@dataclass(frozen=True, slots=True)
class RankFusion:
    """Reciprocal rank fusion: adds up ``1 / (k + rank)``. It needs no scores that can be compared.

    Attributes:
        k: How little the first places stand out.
    """

    k: int = 60

    def __post_init__(self) -> None:
        check_least("RankFusion(k", self.k, 0, "places")

    def fuse(self, found: Mapping[str, Sequence[Match]], asked: int) -> Mapping[str, float]:
        """The sums of the reciprocal ranks."""
        rankings = [[match.memory.id for match in matches] for matches in found.values()]
        return dict(reciprocal_rank_fusion(rankings, k=self.k))


def _shares(matches: Sequence[Match]) -> dict[str, float]:
    """Scores as shares of the best; what is not above 0 has none."""
    best = max(match.score for match in matches)
    return {match.memory.id: max(0.0, match.score) / best if best > 0 else 0.0 for match in matches}
