"""An agent with a memory: sessions, contexts that fit, recall within the reserve, and what is handed on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError, MemoryStoreError, SessionError
from agentkit.events import ContextBuilt, MemoryFailed, MemoryRecalled, TurnKept, from_json, to_json
from agentkit.journal import JournalStore
from agentkit.limits import Limits
from agentkit.memory import (
    AgentMemory,
    ContextBuilder,
    InMemoryStore,
    LastTurns,
    LongTermMemory,
    Scope,
    SessionStore,
)
from agentkit.messages import Message, ModelProfile, assistant, user
from agentkit.remembering import Owner, Reminder, Turn
from agentkit.run import Run
from agentkit.testing import FunctionModel, ScriptedModel
from agentkit.toolbox import tool
from tests.plans import BASIC

FREE = ModelProfile(context_window=8192, spelling="python", decoding="free")


@tool(effect="read")
async def points_of(name: str) -> int:
    """The points of a customer.

    Args:
        name: The customer.
    """
    return {"John Doe": 120, "Emily Doe": 80}[name]


def agent(model: ScriptedModel, **parts: Any) -> Agent:
    return Agent(model, tools=[points_of, BASIC], memory=AgentMemory(**parts))


def of(kind: type, events: Sequence[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def prompt(model: ScriptedModel, number: int = -1) -> str:
    return "\n".join(message.content for message in model.requests[number].messages)


class Store:
    """Long-term memory, a manager and an overflow port in one, that note what they are given."""

    def __init__(self, *memories: Reminder, fails: bool = False) -> None:
        self.memories = memories
        self.asked: list[tuple[str, Owner]] = []
        self.turns: list[Turn] = []
        self.taken: list[Message] = []
        self.fails = fails

    async def recall(
        self, query: str, *, conversation: Sequence[Message], owner: Owner, run: Run
    ) -> Sequence[Reminder]:
        self.asked.append((query, owner))
        self._fail()
        return self.memories

    async def after_turn(self, turn: Turn, run: Run) -> None:
        self._fail()
        self.turns.append(turn)

    async def take(self, messages: Sequence[Message], *, owner: Owner, run: Run) -> None:
        self._fail()
        self.taken += messages

    def _fail(self) -> None:
        if self.fails:
            raise MemoryStoreError("the disk is full")


async def test_a_follow_up_question_knows_what_was_asked_before(tmp_path: Path) -> None:
    model = ScriptedModel(['answer(points_of(name="John Doe"))', 'answer(points_of(name="Emily Doe"))'], profile=FREE)
    shop = agent(model, session=SessionStore(tmp_path / "s.db"))
    await shop.run("How many points does John Doe have?", session="desk 1")
    result = await shop.run("How about Emily Doe?", session="desk 1")
    assert result.output == 80
    assert 'points_of(name="John Doe") gave 120' in prompt(model)
    assert [message.content for message in result.all_messages() if message.role == "user"] == [
        "How many points does John Doe have?",
        "How about Emily Doe?",
    ]
    assert of(TurnKept, result.events) == [TurnKept(of(TurnKept, result.events)[0].at, "desk 1", 2, 4)]
    assert "John" not in prompt(model, 0).split("Tools:")[0]


async def test_two_runs_of_one_session_at_once_both_keep_their_turns(tmp_path: Path) -> None:
    model = ScriptedModel(['answer(points_of(name="John Doe"))'] * 5, profile=FREE)
    store = SessionStore(tmp_path / "s.db")
    shop = agent(model, session=store)
    async with asyncio.TaskGroup() as group:
        for n in range(5):
            group.create_task(shop.run(f"Question {n}", session="s"))
    messages = (await store.read("s")).messages
    assert sorted(message.content for message in messages[::4]) == [f"Question {n}" for n in range(5)]
    assert [message.role for message in messages] == ["user", "assistant", "tool", "assistant"] * 5


async def test_a_conversation_is_fitted_before_each_plan_and_the_event_says_where_the_rest_is() -> None:
    history = [m for n in range(40) for m in (user(f"q{n} " + "word " * 50), assistant(f"a{n}"))]
    model = ScriptedModel(["answer(nope)", "answer(1)"], profile=FREE)
    shop = agent(model, short_term=ContextBuilder(window=3000))
    result = await shop.run("Now?", message_history=history)
    first, second = of(ContextBuilt, result.events)
    assert first.tokens <= first.budget == 2100
    assert (first.kept + first.overflow, first.kept_in) == (80, "the caller's history")
    assert second.kept < first.kept
    assert "q39" in prompt(model)
    assert "q0 " not in prompt(model)
    assert from_json(to_json(first)) == first
    assert result.all_messages()[:80] == tuple(history)


async def test_a_long_output_is_cut_and_the_next_plan_can_fetch_it(tmp_path: Path) -> None:
    @tool(effect="read")
    async def names() -> list[str]:
        """All names."""
        return [f"name-{n}" for n in range(900)]

    model = ScriptedModel(["x = names()\nanswer(len(x))"], profile=FREE)
    memory = AgentMemory(session=SessionStore(tmp_path / "s.db"), short_term=ContextBuilder(window=4000))
    await Agent(model, tools=[names], memory=memory).run("How many names?", session="s")
    handles: list[str] = []

    def reply(handle: str) -> str:
        return f'x = fetch_output(handle="{handle}")\nanswer(len(x))'

    def answer(request: Any) -> str:
        text = request.messages[-1].content
        handles.append(text.split("fetch_output(handle='")[1].split("'")[0])
        return reply(handles[0])

    second = FunctionModel(answer, profile=FREE)
    result = await Agent(second, tools=[names], memory=memory).run("Count them again", session="s")
    assert result.output == 900
    [built] = of(ContextBuilt, result.events)
    assert built.trimmed == tuple(handles)


async def test_what_is_recalled_goes_into_the_prompt_within_the_reserve_and_says_why() -> None:
    long_term = Store(
        Reminder("m1", "John Doe prefers mail.", why="words: rank 1"),
        Reminder("m2", "long " * 3000),
        Reminder("m3", "Emily Doe is his sister."),
    )
    model = ScriptedModel(["answer(1)"], profile=FREE)
    result = await agent(model, long_term=long_term).run("How to reach John?", user="ann")
    assert model.requests[0].messages[-1].content == (
        "What you remember that may matter:\n- John Doe prefers mail.\n- Emily Doe is his sister.\n\nHow to reach John?"
    )
    [recalled] = of(MemoryRecalled, result.events)
    assert [item["id"] for item in recalled.items] == ["m1", "m3"]
    assert recalled.items[0]["why"] == "words: rank 1"
    assert recalled.left_out == 1
    assert from_json(to_json(recalled)) == recalled
    assert long_term.asked == [("How to reach John?", Owner("ann", "Agent", ""))]


async def test_long_term_memory_is_asked_for_the_run_s_user_only() -> None:
    memory = LongTermMemory(InMemoryStore())
    ann = await memory.remember("Ann prefers mail to phone calls.", scope=Scope(user="ann"))
    await memory.remember("Bob prefers phone calls.", scope=Scope(user="bob"))
    model = ScriptedModel(["answer(1)"], profile=FREE)
    result = await agent(model, long_term=memory).run("mail or phone calls?", user="ann")
    [recalled] = of(MemoryRecalled, result.events)
    assert [item["id"] for item in recalled.items] == [ann.id]
    assert recalled.items[0]["why"].startswith("words: rank 1 (")
    assert "Ann prefers mail" in prompt(model)
    assert "Bob" not in prompt(model)


async def test_overflow_is_handed_on_once_in_a_session_and_the_manager_sees_every_turn(tmp_path: Path) -> None:
    model = ScriptedModel(["answer(1)"] * 3, profile=FREE)
    port = Store()
    shop = agent(model, session=SessionStore(tmp_path / "s.db"), short_term=LastTurns(1), overflow=port, manager=port)
    for n in range(3):
        result = await shop.run(f"q{n}", session="s", user="ann")
    assert [message.content for message in port.taken] == ["q0", "1"]
    assert [turn.task for turn in port.turns] == ["q0", "q1", "q2"]
    assert [len(turn.overflow) for turn in port.turns] == [0, 0, 2]
    assert port.turns[2].owner == Owner("ann", "Agent", "s")
    assert of(ContextBuilt, result.events)[0].kept_in == "the overflow port and session 's'"


async def test_a_memory_that_fails_costs_no_answer_and_its_overflow_comes_again(tmp_path: Path) -> None:
    model = ScriptedModel(["answer(1)"] * 4, profile=FREE)
    port = Store(fails=True)
    shop = agent(
        model,
        session=SessionStore(tmp_path / "s.db"),
        short_term=LastTurns(1),
        long_term=port,
        overflow=port,
        manager=port,
    )
    for n in range(3):
        result = await shop.run(f"q{n}", session="s")
        assert result.output == 1
    assert [event.doing for event in of(MemoryFailed, result.events)] == [
        "recall",
        "handing on what fell out of the context",
    ]
    port.fails = False
    await shop.run("q3", session="s")
    assert [message.content for message in port.taken] == ["q0", "1", "q1", "1"]


async def test_a_dry_run_is_not_remembered(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "s.db")
    await agent(ScriptedModel(["answer(1)"], profile=FREE), session=store).run("?", session="s", dry_run=True)
    assert (await store.read("s")).messages == ()


async def test_a_resumed_run_goes_on_with_its_session(tmp_path: Path) -> None:
    store, journal = SessionStore(tmp_path / "s.db"), JournalStore(tmp_path / "j.db")
    bad = 'answer(price_of(name="sombrero"))'
    first = agent(ScriptedModel(["answer(1)", bad], profile=FREE), session=store)
    await first.run("one", session="s", user="ann")
    failed = await first.run("two", session="s", user="ann", journal=journal, run_id="r", limits=Limits(replans=0))
    assert failed.status == "failed"
    result = await agent(ScriptedModel(["answer(2)"], profile=FREE), session=store).resume(
        "r", journal, limits=Limits()
    )
    assert [message.content for message in result.history] == ["one", "1"]
    texts = [message.content for message in (await store.read("s", user="ann")).messages]
    assert (texts[:3], texts[-1]) == (["one", "1", "two"], "2")
    journal.close()


async def test_a_session_needs_a_store_and_brings_its_own_history(tmp_path: Path) -> None:
    model = ScriptedModel([], profile=FREE)
    with pytest.raises(DefinitionError) as caught:
        await Agent(model).run("?", session="s")
    assert str(caught.value) == (
        "the run names the session 's' and the agent has no memory to keep it; "
        "give it one: Agent(memory=AgentMemory(session='sessions.db'))"
    )
    with pytest.raises(DefinitionError) as caught:
        await agent(model).run("?", session="s")
    assert str(caught.value) == (
        "the run names the session 's' and the agent's memory keeps no sessions; "
        "give it a store: AgentMemory(session='sessions.db')"
    )
    shop = agent(model, session=tmp_path / "s.db")
    with pytest.raises(DefinitionError) as caught:
        await shop.run("?", session="s", message_history=[user("x")])
    assert str(caught.value) == (
        "the run has a message_history and the session 's'; give one of them: a session brings its own history"
    )


async def test_a_session_of_another_user_is_refused_before_the_model_is_asked(tmp_path: Path) -> None:
    model = ScriptedModel(["answer(1)"], profile=FREE)
    shop = agent(model, session=SessionStore(tmp_path / "s.db"))
    await shop.run("?", session="s", user="ann")
    with pytest.raises(SessionError, match="belongs to another user"):
        await shop.run("?", session="s", user="bob")
    assert len(model.requests) == 1
