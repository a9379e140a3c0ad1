"""One order from what words and meaning found."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import DefinitionError
from agentkit.memory import LongTermMemory, Match, Memory, RankFusion, Scope, ScoreFusion, SqliteStore
from tests.memory.doubles import embedder


def matches(**scores: float) -> Sequence[Match]:
    """Matches by id, best first."""
    return [Match(Memory(text=id, id=id, created=0.0), score) for id, score in scores.items()]


def test_scores_are_added_as_shares_of_their_retrievers_best() -> None:
    found = {"words": matches(a=8.0, b=2.0), "meaning": matches(b=0.5, a=0.25)}
    fused = ScoreFusion(meaning=0.6).fuse(found, asked=50)
    assert fused == {"a": pytest.approx(0.4 + 0.6 * 0.5), "b": pytest.approx(0.4 * 0.25 + 0.6)}


def test_a_rare_word_outweighs_a_hundred_common_ones_where_ranks_do_not() -> None:
    """The number of one order, among many orders that share the other words and have nearer meanings."""
    others = {f"other{n}": 1.0 for n in range(40)}
    near = {id: 0.8 - n / 1000 for n, id in enumerate(others)}
    found = {"words": matches(wanted=9.0, **others), "meaning": matches(**near, wanted=0.7)}
    by_score, by_rank = (fusion.fuse(found, asked=50) for fusion in (ScoreFusion(), RankFusion()))
    assert max(by_score, key=lambda id: by_score[id]) == "wanted"
    assert max(by_rank, key=lambda id: by_rank[id]) == "other0"


def test_what_a_full_list_leaves_out_counts_as_its_last_one() -> None:
    found = {"words": matches(a=3.0), "meaning": matches(b=0.5, c=0.4)}
    assert ScoreFusion(meaning=0.5).fuse(found, asked=2)["a"] == pytest.approx(0.5 + 0.5 * 0.8)
    assert ScoreFusion(meaning=0.5).fuse(found, asked=3)["a"] == pytest.approx(0.5)


def test_a_retriever_that_finds_nothing_has_no_say() -> None:
    assert ScoreFusion().fuse({"words": matches(a=2.0, b=1.0), "meaning": []}, asked=2) == {"a": 1.0, "b": 0.5}
    assert ScoreFusion().fuse({"words": [], "meaning": []}, asked=2) == {}
    assert ScoreFusion(meaning=1.0).fuse({"words": matches(a=2.0)}, asked=2) == {"a": 1.0}


def test_opposite_meanings_and_scores_of_nothing_add_nothing() -> None:
    found = {"words": matches(a=0.0), "meaning": matches(b=0.5, a=-0.5)}
    assert ScoreFusion(meaning=0.5).fuse(found, asked=9) == {"a": 0.0, "b": 0.5}


def test_ranks_are_fused_by_their_reciprocals() -> None:
    found = {"words": matches(a=9.0, b=1.0), "meaning": matches(b=0.9)}
    assert RankFusion().fuse(found, asked=9) == {"b": pytest.approx(1 / 62 + 1 / 61), "a": pytest.approx(1 / 61)}


def test_a_share_outside_0_and_1_is_refused() -> None:
    with pytest.raises(DefinitionError) as refused:
        ScoreFusion(meaning=1.2)
    assert str(refused.value) == "ScoreFusion(meaning=1.2): give a share from 0 to 1."


scores = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 20), max_size=8).map(
    lambda found: matches(**dict(sorted(found.items(), key=lambda pair: -pair[1])))
)


@given(words=scores, meaning=scores, share=st.floats(0, 1), asked=st.integers(1, 9))
def test_every_memory_has_one_score_from_0_to_1(
    words: Sequence[Match], meaning: Sequence[Match], share: float, asked: int
) -> None:
    fused = ScoreFusion(meaning=share).fuse({"words": words, "meaning": meaning}, asked)
    assert fused.keys() == {match.memory.id for match in (*words, *meaning)}
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())


async def test_a_memory_is_asked_to_fuse_by_ranks() -> None:
    store, anna = SqliteStore(":memory:", embedder()), Scope("anna")
    memory = LongTermMemory(store, fusion=RankFusion(k=10))
    await memory.remember("a red hat", scope=anna)
    [hit] = (await memory.recall("hat", scope=anna)).hits
    assert hit.score == pytest.approx(2 / 11)
    await store.aclose()
