"""Conversations are fitted into a budget: what stays, what is cut, what goes, and that nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import DefinitionError
from agentkit.memory import Buffer, Context, ContextBuilder, ContextPolicy, LastTurns, RunningSummary, TokenWindow
from agentkit.memory.context import fetch_tool
from agentkit.memory.units import handle_of, split
from agentkit.messages import Message, ModelProfile, ToolCall, assistant, system, user
from agentkit.run import Run
from agentkit.testing import FunctionModel
from agentkit.tokens import MESSAGE_OVERHEAD, REPLY_OVERHEAD
from tests.memory.conversations import Letters, conversations, run_with

CALL = Message("assistant", "plan", tool_calls=(ToolCall("1", "f", {}),))
LONG = Message("tool", "y" * 500, tool_call_id="1")


def built(
    history: tuple[Message, ...], policy: ContextPolicy | None = None, *, window: int = 1000, longest_output: int = 100
) -> Context:
    builder = ContextBuilder(policy, longest_output=longest_output)
    return asyncio.run(builder.build(history, run=run_with(window=window)))


def test_the_budget_is_the_window_without_the_reserve() -> None:
    profile = ModelProfile(context_window=10_000)
    assert ContextBuilder().budget(profile) == 7_000
    assert ContextBuilder().recall_budget(profile) == 3_000 - 1_024
    assert ContextBuilder(reserve=0.5, window=100).budget(profile) == 50
    assert ContextBuilder(reserve=0.5, window=100).recall_budget(profile) == 25
    with pytest.raises(DefinitionError) as caught:
        ContextBuilder(reserve=1.0)
    assert str(caught.value) == "reserve is 1.0; expected a share of the context window from 0 to below 1"


def test_what_fits_is_left_as_it_is() -> None:
    history = (user("Hello"), assistant("Hi"))
    context = built(history)
    assert (context.messages, context.overflow, context.trimmed) == (history, (), ())
    assert context.tokens == 7 + 2 * MESSAGE_OVERHEAD + REPLY_OVERHEAD


def test_long_tool_outputs_are_cut_before_any_message_goes() -> None:
    history = (user("one"), CALL, LONG, assistant("two"))
    context = built(history, window=300)
    assert [message.role for message in context.messages] == ["user", "assistant", "tool", "assistant"]
    assert context.overflow == ()
    assert context.trimmed == (handle_of(LONG.content),)
    cut = context.messages[2].content
    assert cut.startswith("yy")
    assert cut.endswith(f"of 500 characters; fetch_output(handle='{handle_of(LONG.content)}') has all]")
    assert context.tokens <= context.budget == 210


def test_the_oldest_goes_first_and_pinned_messages_and_instructions_stay() -> None:
    history = (system("rules"), user("a" * 50), replace(user("pinned"), pinned=True), user("b" * 50), user("c" * 50))
    context = built(history, window=140)
    assert context.messages == (history[0], history[2], history[4])
    assert context.overflow == (history[1], history[3])
    assert context.positions == (1, 3)


def test_calls_go_with_their_results() -> None:
    context = built((CALL, LONG, user("x" * 100)), window=170)
    assert context.messages == (user("x" * 100),)
    assert context.overflow == (CALL, LONG)


def test_fixed_messages_are_counted_and_never_go() -> None:
    run = run_with(window=100)
    context = asyncio.run(ContextBuilder().build([user("Hello")], run=run, fixed=[user("t" * 90)]))
    assert context.messages == ()
    assert context.overflow == (user("Hello"),)
    assert context.tokens > context.budget


def test_the_last_turns_stay() -> None:
    history = tuple(m for n in range(4) for m in (user(f"q{n}"), assistant(f"a{n}")))
    assert built(history, LastTurns(2)).messages == history[4:]
    assert built(history, LastTurns(2)).overflow == history[:4]
    assert built(history, LastTurns(9)).messages == history
    assert built(history, LastTurns(0)).messages == ()


def test_a_token_window_has_a_budget_of_its_own() -> None:
    history = (user("a" * 20), user("b" * 20), user("c" * 20))
    assert built(history, TokenWindow(2 * (20 + MESSAGE_OVERHEAD))).messages == history[1:]


def test_without_a_model_there_is_no_context() -> None:
    with pytest.raises(DefinitionError, match=r"^a context is fitted to a model, and the run has none"):
        asyncio.run(ContextBuilder().build([user("x")], run=Run()))


async def test_a_whole_output_is_fetched_by_its_handle() -> None:
    rows = Message("tool", '[{"a": 1}]', tool_call_id="1")
    tool = fetch_tool([CALL, rows, LONG])
    assert await tool.invoke(tool.bind({"handle": handle_of(rows.content)})) == [{"a": 1}]
    assert await tool.invoke(tool.bind({"handle": handle_of(LONG.content)})) == LONG.content
    with pytest.raises(LookupError) as caught:
        await tool.invoke(tool.bind({"handle": "out_x"}))
    assert str(caught.value) == (
        "there is no output 'out_x' in this conversation; "
        f"handles are '{handle_of(rows.content)}', '{handle_of(LONG.content)}'"
    )


policies = st.one_of(
    st.just(Buffer()),
    st.integers(0, 6).map(LastTurns),
    st.integers(0, 400).map(TokenWindow),
    st.tuples(st.integers(1, 99), st.integers(1, 99)).map(lambda n: RunningSummary(writer(n[0]), tokens=n[1])),
)


def writer(length: int) -> FunctionModel:
    """A model that writes summaries of so many characters."""
    return FunctionModel(lambda _: "s" * length, profile=ModelProfile(context_window=100_000))


@given(conversations())
def test_units_are_the_conversation_and_keep_calls_with_their_results(history: tuple[Message, ...]) -> None:
    units = split(history)
    assert tuple(message for unit in units for message in unit.messages) == history
    assert [unit.start for unit in units] == [sum(len(u.messages) for u in units[:n]) for n in range(len(units))]
    for unit in units:
        called = {call.id for message in unit.messages for call in message.tool_calls}
        assert called == {message.tool_call_id for message in unit.messages if message.role == "tool"}


@given(conversations(), policies, st.integers(0, 1500), st.integers(20, 200))
def test_a_context_keeps_its_promises(
    history: tuple[Message, ...], policy: ContextPolicy, window: int, longest: int
) -> None:
    """The budget holds, pinned messages are there, calls keep their results, the order stays, and nothing is lost."""
    context = built(history, policy, window=window, longest_output=longest)
    stays = context.messages[1:] if context.note else context.messages
    seen = [message for message in history if message in stays]
    cut = [message for message in stays if message not in history]
    assert all(message.role == "tool" and "fetch_output" in message.content for message in cut)
    assert len(cut) == len(context.trimmed)
    ids = [(m.role, m.tool_call_id or m.content) for m in stays]
    assert ids == [pair for m in history if (pair := (m.role, m.tool_call_id or m.content)) in ids]
    whole = {handle_of(m.content) for m in history if m.role == "tool"}
    assert set(context.trimmed) <= whole
    assert len(seen) + len(cut) + len(context.overflow) == len(history)
    assert list(context.overflow) == [history[at] for at in context.positions]
    assert all(m in context.messages for m in history if m.pinned or m.role == "system")
    called = {call.id for m in context.messages for call in m.tool_calls}
    assert called == {m.tool_call_id for m in context.messages if m.role == "tool"}
    pinned = [m for unit in split(history) if unit.pinned for m in unit.messages]
    letters = ContextBuilder().counter(Letters([]))
    least = sum(asyncio.run(letters.each(pinned))) + REPLY_OVERHEAD
    assert context.tokens <= max(context.budget, least)
    assert context.tokens == asyncio.run(letters.count(context.messages))
    assert (context.messages[:1] == (user(context.note),)) >= bool(context.note)
