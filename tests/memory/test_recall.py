"""Recall: words and meaning fused, filtered, weighted, reranked, made diverse, and explained."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from agentkit.errors import DefinitionError
from agentkit.memory import (
    GENERATIVE_AGENTS,
    InMemoryStore,
    LongTermMemory,
    Memory,
    ModelRewriter,
    Rewritten,
    Scope,
    Unsolvable,
    Weights,
)
from agentkit.messages import Message, assistant, user
from agentkit.testing import FakeClock, ScriptedModel
from tests.memory.doubles import embedder

ANNA = Scope("anna")
HOUR = 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(start=1_000_000.0)


@pytest.fixture
async def store() -> AsyncIterator[InMemoryStore]:
    store = InMemoryStore(embedder())
    yield store
    await store.aclose()


async def test_words_and_meaning_are_fused_by_their_scores(store: InMemoryStore, clock: FakeClock) -> None:
    memory = LongTermMemory(store, clock=clock)
    hat = await memory.remember("the red hat of Anna", scope=ANNA)
    await memory.remember("a hat", scope=ANNA)
    await memory.remember("nothing of the sort", scope=ANNA)
    found = await memory.recall("red hat", scope=ANNA, explain=True)
    assert found.memories[0] == hat
    why = found.hits[0].why
    assert (why["words"].rank, why["fused"].rank) == (1, 1)
    assert found.hits[0].score == why["fused"].score
    nearest = max(hit.why["meaning"].score for hit in found.hits)
    assert why["fused"].score == pytest.approx(0.3 + 0.7 * why["meaning"].score / nearest)
    assert set(why) == {"words", "meaning", "fused"}
    assert (await memory.recall("red hat", scope=ANNA)).hits[0].why == {}


async def test_one_retriever_alone_can_be_asked(store: InMemoryStore, clock: FakeClock) -> None:
    memory = LongTermMemory(store, clock=clock, retrievers=("words",))
    await memory.remember("a hat", scope=ANNA)
    await memory.remember("a scarf", scope=ANNA)
    found = await memory.recall("hat", scope=ANNA, explain=True)
    assert [hit.memory.text for hit in found.hits] == ["a hat"]
    assert set(found.hits[0].why) == {"words", "fused"}


async def test_what_has_ended_is_only_recalled_when_asked_for(store: InMemoryStore, clock: FakeClock) -> None:
    memory = LongTermMemory(store, clock=clock)
    bern = await memory.remember("Anna lives in Bern", scope=ANNA)
    await clock.advance(10 * HOUR)
    await memory.remember("Anna lives in Basel", scope=ANNA, supersedes=(bern.id,))
    await memory.remember("Anna lives on a boat", scope=ANNA, expires=clock.time() + HOUR)

    async def texts(**more: float | bool) -> set[str]:
        found = await memory.recall("Anna lives", scope=ANNA, **more)  # type: ignore[arg-type]
        return {hit.memory.text.rpartition(" ")[2] for hit in found.hits}

    assert await texts() == {"Basel", "boat"}
    assert await texts(at=clock.time() - HOUR) == {"Bern"}
    assert await texts(ended=True) == {"Bern", "Basel", "boat"}
    assert await texts(until=clock.time(), ended=True) == {"Bern"}
    await clock.advance(2 * HOUR)
    assert await texts() == {"Basel"}
    assert await texts(since=clock.time()) == set()


async def test_kinds_and_metadata_narrow_a_recall(store: InMemoryStore) -> None:
    memory = LongTermMemory(store)
    await memory.remember("hat one", scope=ANNA, kind="lesson", metadata={"shop": "x"})
    await memory.remember("hat two", scope=ANNA, metadata={"shop": "x"})
    await memory.remember("hat three", scope=ANNA, metadata={"shop": "y"})
    found = await memory.recall("hat", scope=ANNA, kinds=["fact"], where={"shop": "x"})
    assert [hit.memory.text for hit in found.hits] == ["hat two"]
    assert (await memory.recall("hat", scope=Scope("ben"))).hits == ()


async def test_recency_decays_by_the_hour_and_recalling_refreshes_it(store: InMemoryStore, clock: FakeClock) -> None:
    memory = LongTermMemory(store, clock=clock, weights=Weights(relevance=0.0, recency=1.0))
    old = await memory.remember("hat", scope=ANNA)
    await clock.advance(100 * HOUR)
    new = await memory.remember("hat", scope=ANNA)
    found = await memory.recall("hat", scope=ANNA, k=1, touch=False)
    assert found.memories == (new,)
    await store.touch(old.id, at=clock.time() + HOUR, scope=ANNA)
    await clock.advance(HOUR)
    assert (await memory.recall("hat", scope=ANNA, k=1, touch=False)).memories[0].id == old.id


async def test_the_score_is_the_weighted_sum_of_stretched_parts(store: InMemoryStore, clock: FakeClock) -> None:
    weights = Weights(relevance=1.0, recency=2.0, importance=4.0)
    memory = LongTermMemory(store, clock=clock, weights=weights, retrievers=("words",))
    await memory.remember("hat hat", scope=ANNA, importance=0.2)
    await clock.advance(HOUR)
    await memory.remember("hat and so on and on", scope=ANNA, importance=0.7)
    best, second = (await memory.recall("hat", scope=ANNA, explain=True)).hits
    assert best.memory.importance == 0.7
    assert best.score == pytest.approx(0.0 + 2.0 + 4.0)
    assert second.score == pytest.approx(1.0 + 0.0 + 0.0)
    assert best.why["weighted"].rank == 1
    assert best.why["fused"].rank == 2


async def test_recalling_notes_the_time_unless_told_not_to(store: InMemoryStore, clock: FakeClock) -> None:
    memory = LongTermMemory(store, clock=clock)
    hat = await memory.remember("hat", scope=ANNA)
    await clock.advance(5.0)
    await memory.recall("hat", scope=ANNA, touch=False)
    assert (await store.get(hat.id, scope=ANNA)) == hat
    await memory.recall("hat", scope=ANNA)
    touched = await store.get(hat.id, scope=ANNA)
    assert touched is not None
    assert touched.accessed == clock.time()


async def test_diversity_prefers_what_is_unlike_the_chosen(store: InMemoryStore) -> None:
    memory = LongTermMemory(store)
    for text in ("red hat sale", "red hat sale today", "red hat sale now", "hat made of wool in Norway"):
        await memory.remember(text, scope=ANNA)
    plain = await memory.recall("red hat sale", scope=ANNA, k=2)
    diverse = await memory.recall("red hat sale", scope=ANNA, k=2, diversity=0.9, explain=True)
    assert {hit.memory.text.split()[0] for hit in plain.hits} == {"red"}
    assert [hit.memory.text.split()[0] for hit in diverse.hits] == ["red", "hat"]
    assert [hit.why["diverse"].rank for hit in diverse.hits] == [1, 2]


class Shortest:
    """A reranker that likes short texts."""

    async def rerank(self, query: str, memories: Sequence[Memory]) -> Sequence[float]:
        return [-len(memory.text) for memory in memories]


async def test_a_reranker_has_the_last_word(store: InMemoryStore) -> None:
    memory = LongTermMemory(store, reranker=Shortest())
    await memory.remember("red hat, red hat, red hat", scope=ANNA)
    await memory.remember("hat", scope=ANNA)
    assert (await memory.recall("red hat", scope=ANNA)).memories[0].text == "hat"
    assert (await memory.recall("red hat", scope=ANNA, rerank=False)).memories[0].text != "hat"


async def test_an_empty_memory_recalls_nothing(store: InMemoryStore) -> None:
    memory = LongTermMemory(store, weights=GENERATIVE_AGENTS, reranker=Shortest())
    assert (await memory.recall("hat", scope=ANNA, diversity=0.5)).hits == ()
    assert (await memory.recall("", scope=ANNA)).hits == ()


async def test_what_is_forgotten_is_not_recalled(store: InMemoryStore) -> None:
    memory = LongTermMemory(store)
    hat = await memory.remember("hat", scope=ANNA)
    assert await memory.forget(hat.id, scope=Scope("ben")) == []
    assert await memory.forget(hat.id, scope=ANNA) == [hat.id]
    assert (await memory.recall("hat", scope=ANNA)).hits == ()


CONVERSATION = (user("Who runs the Bern office?"), assistant("Maria Keller."))


def reply(query: str, unsolvable: str = "") -> str:
    return json.dumps({"query": query, "unsolvable": unsolvable})


class TestRewriting:
    async def test_the_conversation_makes_the_query(self, store: InMemoryStore) -> None:
        model = ScriptedModel([reply("When did Maria Keller start?")])
        memory = LongTermMemory(store, rewriter=ModelRewriter(model))
        await memory.remember("Maria Keller started in May", scope=ANNA)
        found = await memory.recall("when did she start?", scope=ANNA, conversation=CONVERSATION)
        assert found.query == "When did Maria Keller start?"
        assert found.memories[0].text == "Maria Keller started in May"
        assert "user: Who runs the Bern office?\nassistant: Maria Keller.\nLast message: when did she start?" in (
            model.requests[0].messages[-1].content
        )

    async def test_without_a_conversation_no_model_is_asked(self, store: InMemoryStore) -> None:
        memory = LongTermMemory(store, rewriter=ModelRewriter(ScriptedModel([])))
        assert (await memory.recall("hat", scope=ANNA)).query == "hat"

    async def test_what_cannot_be_known_is_not_looked_for(self, store: InMemoryStore) -> None:
        memory = LongTermMemory(store, rewriter=ModelRewriter(ScriptedModel([reply("", "who is meant by 'he'")])))
        await memory.remember("he is back", scope=ANNA)
        found = await memory.recall("is he back?", scope=ANNA, conversation=(assistant("Hello"),))
        assert (found.hits, found.unsolvable) == ((), "who is meant by 'he'")

    @pytest.mark.parametrize(
        ("replies", "expected"),
        [
            (["what?", reply("the red hat")], Rewritten("the red hat")),
            (["what?"] * 9, Rewritten("it")),
            ([reply(" ")], Rewritten("it")),
            ([reply("the hat", "maybe")], Rewritten("the hat")),
            ([reply("", "what 'it' is")], Unsolvable("what 'it' is")),
        ],
    )
    async def test_a_malformed_reply_is_asked_for_again_and_never_stops_a_recall(
        self, replies: list[str], expected: Rewritten | Unsolvable
    ) -> None:
        assert await ModelRewriter(ScriptedModel(replies)).rewrite("it", [Message("user", "hm")]) == expected


@pytest.mark.parametrize(("k", "diversity"), [(-1, 0.0), (5, 1.5), (5, -0.1)])
async def test_what_is_out_of_range_is_refused(store: InMemoryStore, k: int, diversity: float) -> None:
    with pytest.raises(DefinitionError) as caught:
        await LongTermMemory(store).recall("hat", scope=ANNA, k=k, diversity=diversity)
    assert str(caught.value) == (
        f"k={k} and diversity={diversity}: k is how many memories at most, diversity is from 0 to 1."
    )


@pytest.mark.parametrize(
    ("retrievers", "named"), [(("word", "meaning"), "'word'"), ((), "no retriever"), (["a", "b"], "'a', 'b'")]
)
def test_only_retrievers_that_there_are_can_be_named(retrievers: Sequence[str], named: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        LongTermMemory(InMemoryStore(), retrievers=retrievers)
    assert str(caught.value) == f"memories are found by 'words', by 'meaning' or by both, not by {named}."


async def test_a_reranker_must_score_every_memory(store: InMemoryStore) -> None:
    class Short:
        async def rerank(self, query: str, memories: Sequence[Memory]) -> Sequence[float]:
            return [1.0]

    memory = LongTermMemory(store, reranker=Short())
    await memory.remember("a red hat", scope=ANNA)
    await memory.remember("a blue hat", scope=ANNA)
    with pytest.raises(DefinitionError, match=r"^the reranker was given 2 memories and gave 1 scores\.$"):
        await memory.recall("hat", scope=ANNA)
