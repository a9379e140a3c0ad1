"""Memories, scopes and filters as data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import DefinitionError
from agentkit.memory import EVERYTHING, KINDS, Memory, Provenance, Scope

PARTS = st.sampled_from(["", "a", "b"])
SCOPES = st.builds(Scope, PARTS, PARTS, PARTS)


@given(SCOPES, SCOPES)
def test_whoever_writes_also_reads(asker: Scope, owner: Scope) -> None:
    assert asker.reads(owner) or not asker.writes(owner)


@given(SCOPES, SCOPES)
def test_nobody_reads_another_users_memory(asker: Scope, owner: Scope) -> None:
    if owner.user and owner.user != asker.user:
        assert not asker.reads(owner)


@given(SCOPES)
def test_a_user_never_writes_what_all_users_share(asker: Scope) -> None:
    if asker.user:
        assert not asker.writes(Scope(agent=asker.agent, session=asker.session))


@given(SCOPES)
def test_everything_reads_and_writes_all(owner: Scope) -> None:
    assert EVERYTHING.reads(owner)
    assert EVERYTHING.writes(owner)


def test_a_star_asks_for_all_sessions_of_one_user() -> None:
    asker = Scope("anna", "*", "*")
    assert asker.reads(Scope("anna", "shop", "s1"))
    assert not asker.reads(Scope("ben", "shop", "s1"))


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())


@given(
    st.builds(
        Memory,
        text=st.text(min_size=1).filter(str.strip),
        kind=st.sampled_from(KINDS),
        scope=SCOPES,
        context=st.text(),
        provenance=st.builds(Provenance, st.text(), st.text()),
        created=st.floats(0, 1e10),
        importance=st.floats(0, 1),
        supersedes=st.lists(st.text()).map(tuple),
        metadata=st.dictionaries(st.text(), st.one_of(VALUES, st.lists(VALUES))),
        flagged=st.text(),
    )
)
def test_a_memory_survives_json(memory: Memory) -> None:
    assert Memory.from_json(json.loads(json.dumps(memory.to_json()))) == memory


def test_times_are_the_time_of_creation_where_they_are_not_given() -> None:
    memory = Memory(text="x", created=7.0)
    assert (memory.updated, memory.accessed, memory.valid_from) == (7.0, 7.0, 7.0)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"text": " "}, "its text is empty"),
        ({"kind": "joke"}, "kind 'joke' is not one of fact, preference, episode, lesson, skill, document"),
        ({"scope": Scope("*")}, "its scope must name its owner, '*' only asks"),
        ({"importance": 2.0}, "importance 2.0 is not between 0 and 1"),
        ({"id": ""}, "its id is empty"),
        (
            {"metadata": {"a": {"b": 1}}},
            "metadata 'a' must be text, a number, true, false, null or a list of these, not {'b': 1}",
        ),
    ],
)
def test_what_cannot_be_remembered_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Memory(**{"text": "x", **fields})
    assert str(caught.value) == f"this cannot be remembered: {problem}."


def test_what_is_no_exported_memory_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"^this is not an exported memory \('scope'\): "):
        Memory.from_json({"text": "x"})


def test_a_time_before_1970_is_kept() -> None:
    memory = Memory(text="Anna's mother was born in Bern.", created=100.0, valid_from=-5e8)
    assert (memory.valid_from, memory.updated, memory.accessed) == (-5e8, 100.0, 100.0)


def test_half_a_character_is_not_kept() -> None:
    """Models and documents bring such text along, and no file could hold it."""
    memory = Memory(text="a\ud83d b", context="c\ud800", provenance=Provenance(quote="\udfffq"))
    assert (memory.text, memory.context, memory.provenance.quote) == ("a? b", "c?", "?q")
