"""The measure of wrong hits measures what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.semantic_cache import FRAMES, Pair, measure, pairs


class Blind:
    """An embedder to which everything means the same."""

    name = "blind"
    dimension = 1

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[1.0] for _ in texts]


def test_pairs_of_every_kind_differ_where_they_should() -> None:
    found = pairs(fillings=2)
    kinds = Counter(pair.kind for pair in found)
    assert kinds == dict.fromkeys(("number", "name", "thing", "negation", "opposite", "unlisted"), 2 * len(FRAMES)) | {
        "same": 6 * len(FRAMES)
    }
    assert all(pair.one != pair.other for pair in found)


def test_the_set_is_the_same_every_time() -> None:
    assert pairs() == pairs()


async def test_shares_are_counted_by_kind_and_the_guard_is_applied() -> None:
    rows = await measure(
        [Pair("same", "a hat", "one cap"), Pair("number", "3 hats", "4 hats"), Pair("thing", "red hats", "blue hats")],
        Blind(),
    )
    without, guarded = rows[0], rows[-1]
    assert (without.hits, without.wrong, without.by_kind) == (1.0, 1.0, {"number": 1.0, "thing": 1.0})
    assert (guarded.hits, guarded.wrong, guarded.by_kind) == (0.0, 0.5, {"number": 0.0, "thing": 1.0})
