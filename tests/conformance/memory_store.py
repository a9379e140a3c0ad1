"""What every memory store does alike: subclasses give a ``store`` fixture with the embedder of tests.memory.doubles."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from agentkit.errors import DefinitionError, MemoryScopeError, MemoryStoreError, UnknownMemoryError
from agentkit.memory import EVERYTHING, Filter, Memory, MemoryStore, Provenance, Scope, history
from tests.memory.doubles import word_vectors

ANNA = Scope(user="anna")
BEN = Scope(user="ben")
SHOP = Scope(agent="shop")


def fact(text: str, scope: Scope = ANNA, **more: Any) -> Memory:
    return Memory(text=text, scope=scope, **{"created": 1000.0, **more})


async def words(store: MemoryStore, query: str, scope: Scope = ANNA, **more: Any) -> list[str]:
    return [match.memory.text for match in await store.search_words(query, scope=scope, **more)]


async def meaning(store: MemoryStore, query: str, scope: Scope = ANNA, **more: Any) -> list[str]:
    found = await store.search_meaning(word_vectors([query])[0], scope=scope, **more)
    return [match.memory.text for match in found]


FILTERS = [
    (Filter(), "hat scarf glove sock"),
    (Filter(kinds=("fact",)), "hat glove"),
    (Filter(kinds=("fact", "lesson")), "hat glove scarf"),
    (Filter(since=200.0), "scarf glove sock"),
    (Filter(since=200.0, until=300.0), "scarf"),
    (Filter(at=250.0), "hat scarf"),
    (Filter(at=350.0), "scarf glove"),
    (Filter(flagged=True), "glove"),
    (Filter(flagged=False), "hat scarf sock"),
    (Filter(ids=("h", "g", "ghost")), "hat glove"),
    (Filter(ids=()), ""),
    (Filter(where={"colour": "red"}), "hat"),
    (Filter(where={"colour": {"$ne": "red"}}), "scarf"),
    (Filter(where={"colour": {"$in": ["red", "blue"]}}), "hat scarf"),
    (Filter(where={"colour": {"$nin": ["red"]}}), "scarf"),
    (Filter(where={"price": {"$gte": 5, "$lt": 20}}), "hat glove"),
    (Filter(where={"price": {"$gt": 5}}), "glove"),
    (Filter(where={"price": {"$lte": 5.0}}), "hat"),
    (Filter(where={"price": 5.0}), "hat"),
    (Filter(where={"price": "5"}), ""),
    (Filter(where={"price": {"$gt": ""}}), "scarf"),
    (Filter(where={"sold": True}), "hat"),
    (Filter(where={"sold": 1}), "scarf"),
    (Filter(where={"sold": None}), "glove"),
    (Filter(where={"tags": "wool"}), "scarf glove"),
    (Filter(where={"tags": "wool", "colour": "blue"}), "scarf"),
    (Filter(where={"ghost": "x"}), ""),
]
"""Filters, and which of four memories meet them."""


INJECTIONS: list[dict[str, Any]] = [
    {"scope": {"$ne": "x"}},
    {"user": {"$in": ["ben", "*"]}},
    {"x' OR '1'='1": "y"},
    {'$."a") OR 1=1 --': 1},
    {"tag": {"$ne": "' OR user = 'ben"}},
    {"tag": "%"},
]
"""Filters that try to see more."""


class MemoryStoreConformance:
    """The behaviour of the port."""

    async def test_a_closed_store_says_so(self, store: MemoryStore) -> None:
        await store.aclose()
        await store.aclose()
        for asked in (store.get("x", scope=ANNA), store.list(scope=ANNA), store.add(fact("hat"), scope=ANNA)):
            with pytest.raises(MemoryStoreError, match=r"^the memory .+ is closed\.$"):
                await asked

    async def test_a_memory_comes_back_as_it_was_put_in(self, store: MemoryStore) -> None:
        memory = Memory(
            text="Anna likes Zürich 三体",
            kind="preference",
            scope=Scope("anna", "shop", "s1"),
            context="Cities",
            provenance=Provenance("user", "run-1", "step", "notes.md", "lines 1-2", "I like Zürich"),
            created=1.5,
            updated=2.5,
            accessed=3.5,
            valid_from=0.5,
            valid_until=9.0,
            expires=10.0,
            importance=0.9,
            metadata={"city": "Zürich", "n": 3, "x": 1.25, "ok": True, "none": None, "tags": ["a", "b"], "": "empty"},
            flagged="unsure",
        )
        await store.add(memory, scope=Scope("anna", "shop", "s1"))
        assert await store.get(memory.id, scope=Scope("anna", "shop", "s1")) == memory
        assert await store.list(scope=Scope("anna", "shop", "s1")) == [memory]

    async def test_what_is_written_is_found_at_once(self, store: MemoryStore) -> None:
        for number in range(5):
            await store.add(fact(f"hat number{number}"), scope=ANNA)
            assert await words(store, f"number{number}") == [f"hat number{number}"]
            assert (await meaning(store, f"hat number{number}"))[0] == f"hat number{number}"

    async def test_searches_return_the_best_first_and_no_more_than_asked(self, store: MemoryStore) -> None:
        await store.add(fact("red hat"), fact("blue hat"), fact("green scarf of wool"), scope=ANNA)
        assert (await words(store, "blue hat"))[0] == "blue hat"
        assert (await meaning(store, "blue hat"))[0] == "blue hat"
        assert len(await meaning(store, "hat", k=2)) == len(await words(store, "hat", k=2)) == 2
        found = await store.search_meaning(word_vectors(["blue hat"])[0], scope=ANNA)
        assert found[0].score == pytest.approx(1.0, abs=1e-3)
        assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)

    async def test_a_text_is_found_by_its_context_too(self, store: MemoryStore) -> None:
        await store.add(fact("It opens at nine", context="Museum of Natural History"), scope=ANNA)
        assert await words(store, "museum") == ["It opens at nine"]

    async def test_an_update_replaces_text_words_and_vector(self, store: MemoryStore) -> None:
        memory = fact("lives in Bern")
        await store.add(memory, scope=ANNA)
        await store.update(replace(memory, text="lives in Basel", updated=2000.0), scope=ANNA)
        assert (await store.get(memory.id, scope=ANNA)) == replace(memory, text="lives in Basel", updated=2000.0)
        assert await words(store, "Bern") == []
        assert await words(store, "Basel") == ["lives in Basel"]
        vector = (await store.vectors(memory.id, scope=ANNA))[memory.id]
        assert _cosine(vector, word_vectors(["lives in Basel"])[0]) == pytest.approx(1, abs=1e-3)

    async def test_updating_what_is_not_there_is_refused(self, store: MemoryStore) -> None:
        memory = fact("ghost")
        with pytest.raises(UnknownMemoryError) as caught:
            await store.update(memory, scope=ANNA)
        assert str(caught.value) == (f"there is no memory {memory.id!r} in Scope(user='anna', agent='', session='').")

    async def test_an_id_is_used_once(self, store: MemoryStore) -> None:
        memory = fact("first")
        await store.add(memory, scope=ANNA)
        with pytest.raises(MemoryStoreError, match="update it, or give the new one another id"):
            await store.add(fact("other"), replace(memory, text="second"), scope=ANNA)
        with pytest.raises(MemoryStoreError):
            await store.add(fact("x", id="twin"), fact("y", id="twin"), scope=ANNA)
        assert [m.text for m in await store.list(scope=ANNA)] == ["first"], "all or none"

    async def test_touching_changes_nothing_but_the_time_of_access(self, store: MemoryStore) -> None:
        memory = fact("hat")
        await store.add(memory, scope=ANNA)
        await store.touch(memory.id, "unknown", at=5000.0, scope=ANNA)
        assert await store.get(memory.id, scope=ANNA) == replace(memory, accessed=5000.0)

    async def test_deleted_memories_are_gone_everywhere(self, store: MemoryStore) -> None:
        kept, gone = fact("red hat"), fact("blue hat")
        await store.add(kept, gone, scope=ANNA)
        assert await store.delete(gone.id, "unknown", gone.id, scope=ANNA) == [gone.id]
        assert await store.get(gone.id, scope=ANNA) is None
        assert await store.vectors(gone.id, scope=ANNA) == {}
        assert await words(store, "hat") == await meaning(store, "blue hat") == ["red hat"]
        assert await store.count(scope=ANNA) == 1
        assert await store.delete(gone.id, scope=ANNA) == []
        await store.add(gone, scope=ANNA)
        assert (await meaning(store, "blue hat"))[0] == "blue hat", "an id can be used again"

    async def test_lists_are_newest_first_and_in_pages(self, store: MemoryStore) -> None:
        await store.add(*(fact(f"fact {n}", created=1000.0 + n) for n in range(5)), scope=ANNA)
        assert [m.text for m in await store.list(scope=ANNA, limit=2)] == ["fact 4", "fact 3"]
        assert [m.text for m in await store.list(scope=ANNA, limit=2, offset=4)] == ["fact 0"]
        assert await store.list(scope=ANNA, offset=5) == []

    async def test_superseding_ends_the_old_memory_and_keeps_the_chain(self, store: MemoryStore) -> None:
        bern = fact("lives in Bern")
        await store.add(bern, scope=ANNA)
        basel = fact("lives in Basel", created=2000.0, supersedes=(bern.id,))
        await store.add(basel, scope=ANNA)
        old = await store.get(bern.id, scope=ANNA)
        assert old == replace(bern, valid_until=2000.0, superseded_by=basel.id, updated=2000.0)
        assert await words(store, "lives", only=Filter(at=2500.0)) == ["lives in Basel"]
        assert await meaning(store, "lives", only=Filter(at=1500.0)) == ["lives in Bern"]
        assert [m.text for m in await history(store, basel.id, scope=ANNA)] == ["lives in Bern", "lives in Basel"]
        assert [m.text for m in await history(store, bern.id, scope=ANNA)] == ["lives in Bern", "lives in Basel"]

    async def test_superseding_what_is_not_there_changes_nothing(self, store: MemoryStore) -> None:
        with pytest.raises(UnknownMemoryError):
            await store.add(fact("a"), fact("b", supersedes=("ghost",)), scope=ANNA)
        assert await store.count(scope=EVERYTHING) == 0

    async def test_an_empty_store_and_an_empty_query_find_nothing(self, store: MemoryStore) -> None:
        assert await words(store, "hat") == await meaning(store, "hat") == []
        await store.add(fact("hat"), scope=ANNA)
        assert await words(store, " ?! ") == []
        assert await store.add(scope=ANNA) is None  # type: ignore[func-returns-value]

    async def test_many_writers_at_once_lose_nothing(self, store: MemoryStore) -> None:
        memories = [fact(f"thing{n}") for n in range(20)]
        await asyncio.gather(*(store.add(memory, scope=ANNA) for memory in memories))
        assert await store.count(scope=ANNA) == 20
        assert await store.check() == []

    async def test_a_store_in_order_has_nothing_to_repair(self, store: MemoryStore) -> None:
        memory = fact("hat")
        await store.add(memory, fact("scarf"), scope=ANNA)
        await store.update(replace(memory, text="glove"), scope=ANNA)
        await store.delete(memory.id, scope=ANNA)
        assert await store.check() == []
        assert await store.repair() == []

    # -- filters

    async def test_filters_hold_for_lists_and_both_searches(
        self, store: MemoryStore, subtests: pytest.Subtests
    ) -> None:
        hat = {"colour": "red", "price": 5, "sold": True}
        scarf = {"colour": "blue", "price": "12", "sold": 1, "tags": ["wool", "warm"]}
        glove = {"price": 12.5, "sold": None, "tags": ["wool"]}
        await store.add(
            fact("a hat", id="h", valid_from=100.0, valid_until=300.0, metadata=hat),
            fact("a scarf", id="s", kind="lesson", valid_from=200.0, metadata=scarf),
            fact("a glove", id="g", valid_from=300.0, expires=400.0, metadata=glove, flagged="look"),
            fact("a sock", id="o", kind="skill", valid_from=900.0),
            scope=ANNA,
        )
        for only, expected in FILTERS:
            with subtests.test(only=only):
                wanted = {f"a {name}" for name in expected.split()}
                assert {memory.text for memory in await store.list(only, scope=ANNA)} == wanted
                assert await store.count(only, scope=ANNA) == len(wanted)
                assert set(await words(store, "hat scarf glove sock", only=only)) == wanted
                assert set(await meaning(store, "hat scarf glove sock", only=only)) == wanted

    # -- scopes

    async def test_nobody_reads_what_is_not_theirs(self, store: MemoryStore) -> None:
        """Every way to read, for each pair of strangers."""
        owners = [ANNA, BEN, SHOP, Scope("anna", "shop"), Scope("anna", "", "s1"), Scope("anna", "shop", "s2")]
        for number, owner in enumerate(owners):
            await store.add(fact(f"secret{number} of somebody", owner, id=f"id{number}"), scope=owner)
        askers = [
            *owners,
            Scope(),
            Scope("Anna"),
            Scope("an"),
            Scope("", "", "s1"),
            Scope("ann%"),
            Scope("ben' OR 1=1"),
        ]
        for asker in askers:
            for number, owner in enumerate(owners):
                seen = asker.reads(owner)
                id, text = f"id{number}", f"secret{number} of somebody"
                assert (await store.get(id, scope=asker) is not None) is seen
                assert (id in await store.vectors(id, scope=asker)) is seen
                assert (text in {m.text for m in await store.list(scope=asker)}) is seen
                assert bool(await store.list(Filter(ids=(id,)), scope=asker)) is seen
                assert await store.count(Filter(ids=(id,)), scope=asker) == seen
                assert (text in await words(store, text, asker, k=50)) is seen
                assert (text in await meaning(store, text, asker, k=50)) is seen
                assert bool(await history(store, id, scope=asker)) is seen

    async def test_nobody_writes_what_is_not_theirs(self, store: MemoryStore) -> None:
        secret = fact("secret of Ben", BEN)
        await store.add(secret, scope=BEN)
        with pytest.raises(UnknownMemoryError):
            await store.update(replace(secret, text="forged"), scope=ANNA)
        with pytest.raises(UnknownMemoryError):
            await store.update(replace(secret, text="forged", scope=ANNA), scope=ANNA)
        with pytest.raises(UnknownMemoryError):
            await store.add(fact("forged", supersedes=(secret.id,)), scope=ANNA)
        with pytest.raises(MemoryScopeError) as caught:
            await store.add(fact("forged", BEN, id="f"), scope=ANNA)
        assert str(caught.value) == (
            "Scope(user='anna', agent='', session='') may not write the memory 'f', "
            "which belongs to Scope(user='ben', agent='', session='')."
        )
        await store.touch(secret.id, at=9.0, scope=ANNA)
        assert await store.delete(secret.id, scope=ANNA) == []
        assert await store.list(scope=EVERYTHING) == [secret]

    async def test_a_chain_does_not_lead_out_of_the_scope(self, store: MemoryStore) -> None:
        theirs = fact("Ben's secret", BEN)
        await store.add(theirs, scope=BEN)
        mine = fact("mine")
        await store.add(mine, scope=ANNA)
        await store.update(replace(mine, superseded_by=theirs.id, supersedes=(theirs.id,)), scope=ANNA)
        assert [memory.text for memory in await history(store, mine.id, scope=ANNA)] == ["mine"]

    async def test_an_update_cannot_move_a_memory(self, store: MemoryStore) -> None:
        mine = fact("mine")
        await store.add(mine, scope=ANNA)
        for scope in (Scope(), BEN):
            with pytest.raises(MemoryScopeError, match="updating it cannot give it to"):
                await store.update(replace(mine, scope=scope), scope=ANNA)
        assert await store.list(scope=EVERYTHING) == [mine]

    async def test_users_read_what_all_share_and_cannot_change_it(self, store: MemoryStore) -> None:
        lesson = fact("use net revenue", SHOP)
        await store.add(lesson, scope=SHOP)
        asker = Scope("anna", "shop", "s1")
        assert await words(store, "revenue", asker) == ["use net revenue"]
        with pytest.raises(MemoryScopeError):
            await store.delete(lesson.id, scope=asker)
        with pytest.raises(MemoryScopeError):
            await store.update(replace(lesson, text="forged"), scope=asker)
        with pytest.raises(MemoryScopeError):
            await store.add(fact("for all", Scope()), scope=asker)
        await store.add(fact("Anna is tall", ANNA), scope=asker)
        assert await words(store, "tall", ANNA) == ["Anna is tall"], "a session keeps facts for its user"

    async def test_a_filter_cannot_widen_the_scope(self, store: MemoryStore, subtests: pytest.Subtests) -> None:
        await store.add(fact("Ben's", BEN, metadata={"tag": "t", "user": "ben", "scope": "ben"}), scope=BEN)
        await store.add(fact("Anna's", ANNA, metadata={"user": "anna"}), scope=ANNA)
        for where in INJECTIONS:
            with subtests.test(where=where):
                only = Filter(where=where)
                found = [
                    *(memory.text for memory in await store.list(only, scope=ANNA)),
                    *await words(store, "Ben's Anna's", only=only),
                    *await meaning(store, "Ben's", only=only),
                ]
                assert "Ben's" not in found

    @pytest.mark.parametrize(
        ("where", "message"),
        [
            ({"a": {"$or": 1}}, r"where\['a'\]: '\$or' is not one of \$eq, \$gt, "),
            ({"$or": [{"a": 1}]}, r"where\['\$or'\]: \$eq takes one value, not"),
            ({"a": {"$in": 3}}, r"where\['a'\]: \$in takes a list of values, not 3\.$"),
            ({"a": {"$gt": [1]}}, r"where\['a'\]: \$gt takes one value, not \[1\]\.$"),
        ],
    )
    def test_a_filter_that_cannot_be_is_refused(self, where: dict[str, Any], message: str) -> None:
        with pytest.raises(DefinitionError, match=message):
            Filter(where=where)


def _cosine(left: Any, right: Any) -> float:
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    return float(dot / (sum(a * a for a in left) * sum(b * b for b in right)) ** 0.5)
