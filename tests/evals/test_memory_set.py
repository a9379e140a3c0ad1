"""The evaluation set of memories is the same everywhere, is answerable, and tells good recall from bad."""

from __future__ import annotations

from collections import Counter

import pytest

from agentkit.embeddings import MiniLM
from agentkit.evals.memory_set import USER, WAYS, evaluate_recall, fill, joined, memory_set
from agentkit.memory import Filter, InMemoryStore, SqliteStore
from agentkit.models.catalogue import MINILM, is_pulled
from tests.memory.doubles import embedder

SMALL = memory_set(people=6)


def test_a_seed_gives_the_same_set_and_another_one_another() -> None:
    assert memory_set(people=6) == SMALL
    assert memory_set(people=6, seed=8).memories != SMALL.memories


def test_every_type_of_question_is_asked_and_every_answer_is_there() -> None:
    known = {memory.id for memory in SMALL.memories}
    assert Counter(question.kind for question in SMALL.questions) == dict.fromkeys(
        ("fact", "exact", "update", "contradiction", "time"), 6
    )
    assert {question.answer for question in SMALL.questions} <= known


async def test_each_answer_is_what_is_true_when_it_is_asked_about() -> None:
    store = InMemoryStore()
    await fill(store, SMALL.memories)
    for question in SMALL.questions:
        moment = question.about or question.asked
        assert await store.list(Filter(ids=(question.answer,), at=moment), scope=USER), question
    await store.aclose()


async def test_knowing_the_time_helps_where_things_change() -> None:
    """Also with an embedder that knows nothing of meaning."""
    store = InMemoryStore(embedder())
    await fill(store, SMALL.memories)
    plain, timed = [await evaluate_recall(store, SMALL.questions, way) for way in WAYS[3:]]
    assert timed.recall_at(5, "time") >= plain.recall_at(5, "time")
    assert timed.recall_at(5) > plain.recall_at(5)
    assert 0 < plain.recall_at(1) <= plain.recall_at(5) <= plain.recall_at(10) <= 1
    await store.aclose()


async def test_reports_of_several_sets_are_joined_question_by_question() -> None:
    store = InMemoryStore()
    await fill(store, SMALL.memories)
    one = await evaluate_recall(store, SMALL.questions, WAYS[0])
    both = joined([one, one])
    assert len(both.ranks) == 2 * len(SMALL.questions)
    assert both.recall_at(5, "exact") == one.recall_at(5, "exact")
    await store.aclose()


@pytest.mark.skipif(not all(map(is_pulled, MINILM.files)), reason="the weights of minilm are not here")
async def test_words_and_meaning_together_recall_more_than_either_alone() -> None:
    store, generated = SqliteStore(":memory:", MiniLM()), memory_set(people=12)
    await fill(store, generated.memories)
    words, meaning, ranks, hybrid, timed = [await evaluate_recall(store, generated.questions, way) for way in WAYS]
    assert hybrid.recall_at(5) >= max(way.recall_at(5) for way in (words, meaning, ranks))
    assert timed.recall_at(5) > hybrid.recall_at(5)
    await store.aclose()
