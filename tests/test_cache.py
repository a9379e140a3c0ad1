"""The cache file: scopes, expiry, size, and what is forgotten."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.cache import MISS, CacheStore
from agentkit.errors import DefinitionError


class Now:
    """A time that tests set."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_what_is_kept_is_given_again_to_its_kind_and_scope_only() -> None:
    store = CacheStore()
    store.put("model", "anna", "k", {"x": [1, None, "é"]})
    assert store.get("model", "anna", "k") == {"x": [1, None, "é"]}
    for kind, scope, key in [("model", "ben", "k"), ("model", "", "k"), ("tool", "anna", "k"), ("model", "anna", "l")]:
        assert store.get(kind, scope, key) is MISS


def test_none_is_a_value() -> None:
    store = CacheStore()
    store.put("tool", "", "k", None)
    assert store.get("tool", "", "k") is None


def test_an_entry_expires() -> None:
    now = Now()
    store = CacheStore(time=now)
    store.put("model", "", "k", 1, ttl=10)
    now.at += 9.9
    assert store.get("model", "", "k") == 1
    now.at += 0.1
    assert store.get("model", "", "k") is MISS
    assert store.stats().entries == 0


def test_what_was_used_longest_ago_goes_first() -> None:
    store = CacheStore(max_bytes=1000)
    for key in "abcd":
        store.put("model", "", key, "x" * 20)
    store.get("model", "", "a")
    store.put("model", "", "e", "x" * 20)
    assert [key for key in "abcde" if store.get("model", "", key) is not MISS] == ["a", "c", "d", "e"]
    assert store.stats().evicted == 1


def test_what_is_larger_than_the_cache_is_not_kept_and_drops_nothing() -> None:
    store = CacheStore(max_bytes=1000)
    store.put("model", "", "a", "x")
    store.put("model", "", "b", "x" * 1000)
    assert (store.get("model", "", "a"), store.get("model", "", "b")) == ("x", MISS)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 400)), max_size=30))
def test_the_size_is_never_passed_and_always_right(entries: list[tuple[str, int]]) -> None:
    store = CacheStore(max_bytes=1000)
    for key, length in entries:
        store.put("model", "", key, "x" * length)
        stats = store.stats()
        assert stats.size <= 1000
        assert stats.size == store._db.execute("SELECT coalesce(sum(size), 0) FROM entries").fetchone()[0]


def test_a_file_keeps_entries_and_serves_two_at_once(tmp_path: Path) -> None:
    one, other = CacheStore(tmp_path / "new" / "cache.db"), CacheStore(tmp_path / "new" / "cache.db")
    one.put("model", "", "k", "from one")
    assert other.get("model", "", "k") == "from one"
    one.close()
    other.close()
    assert CacheStore(tmp_path / "new" / "cache.db").get("model", "", "k") == "from one"


def test_a_file_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    CacheStore(path).put("model", "", "k", 1)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    store = CacheStore(path)
    assert store.get("model", "", "k") is MISS
    assert store.stats().size == 0


def test_everything_of_a_user_can_be_forgotten() -> None:
    store = CacheStore()
    for scope in ("anna", "ben"):
        for kind in ("model", "tool:read"):
            store.put(kind, scope, "k", 1)
    assert store.forget(scope="anna") == 2
    assert store.get("model", "anna", "k") is MISS
    assert store.get("model", "ben", "k") == 1


def test_tags_are_forgotten_by_their_whole_names_and_with_them_what_has_none() -> None:
    store = CacheStore()
    for key, tags in [("a", ["shop"]), ("b", ["shop_db"]), ("c", ["mail", "shop"]), ("d", [])]:
        store.put("tool", "", key, 1, tags=tags)
    assert store.forget(kind="tool", tags=["shop"]) == 3
    assert store.get("tool", "", "b") == 1


def test_hits_and_misses_are_counted() -> None:
    store = CacheStore()
    store.get("model", "", "k")
    store.put("model", "", "k", 1)
    store.get("model", "", "k")
    stats = store.stats()
    assert (stats.hits, stats.misses, stats.entries, stats.evicted) == (1, 1, 1, 0)


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100)
    with pytest.raises(DefinitionError) as caught:
        CacheStore(path)
    assert str(caught.value) == (
        f"cannot open the cache {str(path)!r}: file is not a database. Delete the file or choose another one."
    )


def test_a_file_that_fails_later_has_no_entries_and_says_so_in_the_log(caplog: Any, tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "cache.db")
    store._db.execute("DROP TABLE entries")
    store.put("model", "", "k", 1)
    assert store.get("model", "", "k") is MISS
    assert [record.getMessage().split("'")[0] for record in caplog.records] == [
        "cannot write the cache ",
        "cannot read the cache ",
    ]


@pytest.mark.parametrize("size", [0, -1])
def test_a_cache_without_room_is_a_mistake(size: int) -> None:
    with pytest.raises(DefinitionError, match=f"max_bytes is {size}; expected a positive number of bytes"):
        CacheStore(max_bytes=size)
