"""A mistake in putting a memory together is told where it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentkit.errors import DefinitionError
from agentkit.memory import (
    AgentMemory,
    ContextBuilder,
    InMemoryStore,
    LastTurns,
    LongTermMemory,
    Manager,
    RankFusion,
    Relation,
    RunningSummary,
    Scope,
    TokenWindow,
)

STORE = InMemoryStore()
MEMORY = LongTermMemory(STORE)
WRONG: Any = "model"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Manager(WRONG), "Manager(memory='model'): expected LongTermMemory(store)."),
        (
            lambda: Manager(MEMORY, extract=WRONG),
            "Manager(extract='model'): expected an extractor, such as ModelExtractor('openai:…').",
        ),
        (
            lambda: Manager(MEMORY, decide=WRONG),
            "Manager(decide='model'): expected a decider, such as ModelDecider('openai:…').",
        ),
        (
            lambda: Manager(MEMORY, audit=WRONG),
            "Manager(audit='model'): expected an audit trail, such as AuditTrail('audit.db').",
        ),
        (lambda: Manager(MEMORY, similar=0), "Manager(similar=0): expected a number of memories, 1 or more."),
        (
            lambda: LongTermMemory(WRONG),
            "LongTermMemory(store='model'): expected a store, such as SqliteStore('memory.db').",
        ),
        (
            lambda: LongTermMemory(STORE, fusion=WRONG),
            "LongTermMemory(fusion='model'): expected ScoreFusion(), RankFusion(), or something with fuse().",
        ),
        (lambda: RankFusion(k=-1), "RankFusion(k=-1): expected a number of places, 0 or more."),
        (
            lambda: Relation("team", "("),
            "Relation('team', '('): no regular expression, missing ), unterminated subpattern.",
        ),
        (
            lambda: AgentMemory(long_term=WRONG),
            "AgentMemory(long_term='model'): expected LongTermMemory(SqliteStore('memory.db')).",
        ),
        (
            lambda: AgentMemory(short_term=WRONG),
            "AgentMemory(short_term='model'): expected a ContextBuilder, or a policy: LastTurns(10).",
        ),
        (lambda: AgentMemory(manager=WRONG), "AgentMemory(manager='model'): expected Manager(LongTermMemory(…))."),
        (lambda: LastTurns(-1), "LastTurns(turns=-1): expected a number of turns, 0 or more."),
        (lambda: TokenWindow(WRONG), "TokenWindow(tokens='model'): expected a number of tokens, 0 or more."),
        (lambda: ContextBuilder(window=0), "ContextBuilder(window=0): expected a number of tokens, 1 or more."),
        (lambda: RunningSummary(tokens=0), "RunningSummary(tokens=0): expected a number of tokens, 1 or more."),
    ],
)
def test_a_part_that_is_none_is_told_where_it_is_given(make: Callable[[], object], message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        make()
    assert str(refused.value) == message


async def test_a_recall_takes_one_kind_or_several() -> None:
    anna = Scope("anna")
    hat = await MEMORY.remember("a hat", scope=anna)
    assert (await MEMORY.recall("hat", scope=anna, kinds="fact", touch=False)).memories == (hat,)
    assert (await MEMORY.recall("hat", scope=anna, kinds=["fact", "lesson"], touch=False)).memories == (hat,)


async def test_a_lesson_needs_words() -> None:
    lessons = Manager(MEMORY).lessons
    for learn in (lessons.correct, lessons.thumbs_down):
        with pytest.raises(DefinitionError) as refused:
            await learn("How many?", " ", scope=Scope("anna"))
        assert str(refused.value) == "a lesson needs words: say what was wrong, or what to do instead."
