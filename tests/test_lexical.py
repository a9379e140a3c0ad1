"""The lexical index: finds by words, takes any query, forgets for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import lexical
from agentkit.errors import DefinitionError
from agentkit.lexical import Entry, LexicalIndex, query_words, reciprocal_rank_fusion

TEXTS = [
    Entry("cats", "The cats are running", "anna"),
    Entry("dog", "a dog and a naïve café", "ben"),
    Entry("novel", "三体问题 is a novel by Liu Cixin", "anna"),
]


@pytest.fixture
def index() -> Iterator[LexicalIndex]:
    index = LexicalIndex()
    index.add(TEXTS)
    yield index
    index.close()


def found(index: LexicalIndex, query: str, **more: object) -> list[str]:
    return [hit.key for hit in index.search(query, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "key"),
    [("cat run", "cats"), ("NAIVE cafe", "dog"), ("三体", "novel"), ("问题", "novel"), ("cixin's novels", "novel")],
)
def test_endings_case_accents_and_spaces_do_not_matter(index: LexicalIndex, query: str, key: str) -> None:
    assert found(index, query)[:1] == [key]


def test_a_rarer_word_counts_more_than_a_frequent_one() -> None:
    index = LexicalIndex()
    index.add([Entry(str(n), f"the meeting number {n}") for n in range(20)])
    index.add([Entry("rare", "the walrus")])
    assert found(index, "meeting walrus", k=1) == ["rare"]
    index.close()


def test_words_that_say_nothing_are_not_looked_for_unless_a_query_has_no_others() -> None:
    index = LexicalIndex()
    index.add([Entry("about", "it is of the what and the why"), Entry("band", "a record of Queen")])
    assert found(index, "What is the record of?") == ["band"]
    assert found(index, "the why") == ["about"]
    assert found(index, "what about the zither") == []
    index.close()


@pytest.mark.parametrize("query", ["", "   ", "*", "\0", '"', "NEAR(", "'; DROP TABLE lexical_keys; --", "text:", "-"])
def test_a_query_without_known_words_finds_nothing(index: LexicalIndex, query: str) -> None:
    assert found(index, query) == []
    assert len(index) == 3


def test_operators_of_the_query_language_are_only_words(index: LexicalIndex) -> None:
    assert found(index, "cats NOT running") == ["cats"]
    assert found(index, '"cats OR (dog', k=5) == ["cats", "dog"]
    assert found(index, "place:groupanna") == []


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_indexed_and_any_text_is_a_query(text: str, query: str) -> None:
    index = LexicalIndex()
    index.add([Entry("one", text)])
    index.search(query)
    for word in query_words(text)[:1]:
        assert found(index, word) in (["one"], [])
    index.close()


@given(st.lists(st.sampled_from(["hat", "scarf", "glove", "red", "blue"]), min_size=1))
def test_what_is_indexed_is_found_by_each_of_its_words(words: list[str]) -> None:
    index = LexicalIndex()
    index.add([Entry("one", " ".join(words))])
    assert all(found(index, word) == ["one"] for word in words)
    index.close()


def test_adding_a_known_key_replaces_its_text(index: LexicalIndex) -> None:
    index.add([Entry("cats", "about dogs"), Entry("cats", "about horses")])
    assert found(index, "cats") == found(index, "dogs", keys=["cats"]) == []
    assert found(index, "horses") == ["cats"]
    assert len(index) == 3


def test_removed_texts_are_not_found(index: LexicalIndex) -> None:
    index.remove(["cats", "unknown"])
    assert found(index, "cats") == []
    assert index.keys() == {"dog", "novel"}
    assert index.text("dog") == "a dog and a naïve café"
    assert index.text("cats") is None


def test_a_search_can_be_kept_to_keys_and_to_groups(index: LexicalIndex) -> None:
    assert found(index, "a", keys=["dog"]) == ["dog"]
    assert found(index, "a", groups=["anna"]) == ["novel"]
    assert found(index, "a", groups=["anna", "ben"], keys=["cats", "dog"]) == ["dog"]
    assert found(index, "a", keys=[]) == found(index, "a", groups=[]) == []


def test_a_search_can_be_joined_with_tables_of_the_caller() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE items (id TEXT, price REAL)")
        db.executemany("INSERT INTO items VALUES (?, ?)", [("cheap", 5.0), ("dear", 50.0)])
        index = LexicalIndex(db, name="items_index")
        index.add([Entry("cheap", "red hat"), Entry("dear", "red hat of silk")])
        join = "JOIN items i ON i.id = k.key AND i.price < ?"
        assert found(index, "hat", join=join, parameters=(10,)) == ["cheap"]


def test_a_callers_transaction_covers_the_index() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        index = LexicalIndex(db)
        db.commit()
        index.add([Entry("one", "hat")])
        db.rollback()
        assert found(index, "hat") == []


def test_an_index_in_a_file_is_there_again(tmp_path: Path) -> None:
    with closing(LexicalIndex(tmp_path / "index.db")) as index:
        index.add(TEXTS)
    with closing(LexicalIndex(tmp_path / "index.db")) as index:
        assert found(index, "dog") == ["dog"]


def test_after_a_purge_no_file_holds_a_removed_word(tmp_path: Path) -> None:
    with closing(LexicalIndex(tmp_path / "index.db")) as index:
        index.add([*TEXTS, Entry("secret", "the password is zzyzx")])
        index.remove(["secret"])
        index.purge()
        assert found(index, "password") == []
        assert not [path for path in tmp_path.iterdir() if b"zzyzx" in path.read_bytes()]


def test_the_commonest_words_are_left_out_of_a_search_of_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "MAX_OCCURRENCES", 10)
    index = LexicalIndex()
    index.add([Entry(str(n), f"the hat {n}") for n in range(20)])
    index.add([Entry("walrus", "a walrus")])
    assert found(index, "the walrus", k=30) == ["walrus"]
    assert len(found(index, "the", k=30)) == 20, "a query of nothing else still finds"
    index.close()


def test_a_damaged_index_says_so() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        index = LexicalIndex(db)
        index.add(TEXTS)
        assert index.check() == []
        db.execute("DELETE FROM lexical_keys WHERE key = 'dog'")
        assert index.check() == ["1 texts of the word index have no key, or keys no text"]


def test_names_that_would_be_sql_are_refused() -> None:
    with pytest.raises(DefinitionError) as caught:
        LexicalIndex(name="x; DROP")
    assert str(caught.value) == "a lexical index is called by lower-case letters, digits and _, not 'x; DROP'."
    index = LexicalIndex()
    with pytest.raises(DefinitionError, match=r"^the group of a text must be letters and digits, not 'a OR b'\.$"):
        index.add([Entry("a", "b", "a OR b")])
    index.close()


class TestFusion:
    def test_what_several_rankings_put_high_comes_first(self) -> None:
        fused = reciprocal_rank_fusion([["a", "b", "c"], ["b", "d"]])
        assert [item for item, _ in fused] == ["b", "a", "d", "c"]
        assert fused[0][1] == pytest.approx(1 / 62 + 1 / 61)

    def test_one_ranking_keeps_its_order_and_repeats_count_once(self) -> None:
        assert [item for item, _ in reciprocal_rank_fusion([["a", "b", "a", "c"]])] == ["a", "b", "c"]

    def test_of_equals_the_one_seen_first_comes_first(self) -> None:
        assert reciprocal_rank_fusion([["x"], ["y"]], k=10) == [("x", 1 / 11), ("y", 1 / 11)]
