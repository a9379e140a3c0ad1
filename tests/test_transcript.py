"""A run as messages, messages as JSON, and a conversation that goes on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.agent import Agent
from agentkit.errors import SessionError
from agentkit.events import RunStarted, from_json, to_json
from agentkit.journal import JournalStore
from agentkit.limits import Limits
from agentkit.messages import Message, ModelProfile, ToolCall, assistant, user
from agentkit.planners.prompt import told
from agentkit.testing import ScriptedModel
from agentkit.transcript import dump_messages, load_messages
from tests.plans import BASIC

FREE = ModelProfile(spelling="python", decoding="free", repairs=True)
GOOD = 'cost = price_of(name="hat")\nanswer(f"It costs ${cost}.")'


def agent(*replies: str, **options: Any) -> tuple[Agent, ScriptedModel]:
    model = ScriptedModel(replies, profile=FREE)
    return Agent(model, tools=[BASIC], **options), model


async def test_a_run_is_told_as_task_plan_calls_results_and_answer() -> None:
    shop, _ = agent(GOOD)
    result = await shop.run("What does the hat cost?", run_id="run 1")
    assert result.new_messages() == (
        user("What does the hat cost?"),
        Message("assistant", GOOD, tool_calls=(ToolCall("run_1-1", "price_of", {"name": "hat"}),)),
        Message("tool", "20.0", tool_call_id="run_1-1"),
        assistant("It costs $20.0."),
    )
    assert result.all_messages() == result.new_messages()


async def test_the_next_run_sees_the_conversation_and_its_messages_hold_both() -> None:
    shop, model = agent(GOOD, 'answer(price_of(name="scarf"))')
    first = await shop.run("What does the hat cost?")
    second = await shop.run("How about the scarf?", message_history=load_messages(dump_messages(first.all_messages())))
    assert [(message.role, message.content) for message in model.requests[1].messages[1:]] == [
        ("user", "What does the hat cost?"),
        ("assistant", GOOD),
        (
            "user",
            'That ran:\n- price_of(name="hat") gave 20.0\nThe answer was: It costs $20.0.\n\nHow about the scarf?',
        ),
    ]
    assert second.all_messages() == (*first.all_messages(), *second.new_messages())
    assert len({m.tool_call_id for m in second.all_messages() if m.tool_call_id}) == 2


async def test_a_plan_that_failed_and_the_one_after_it_are_both_told() -> None:
    shop, _ = agent('x = price_of(name="sombrero")\nanswer(x)', "answer(1)", limits=Limits(replans=1))
    messages = (await shop.run("?")).new_messages()
    assert [message.role for message in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[2].content.startswith("(failed: LookupError: no product 'sombrero'")
    assert messages[3].content == "1"


async def test_a_run_without_an_answer_says_why() -> None:
    shop, _ = agent("answer(nope)", limits=Limits(repairs=0))
    *_, last = (await shop.run("?")).new_messages()
    assert last.content.startswith("(failed: no valid plan after 1 tries")


async def test_a_resumed_run_knows_the_conversation(tmp_path: Any) -> None:
    journal = JournalStore(tmp_path / "journal.db")
    shop, _ = agent('answer(price_of(name="sombrero"))', limits=Limits(replans=0))
    before = (user("Hello"), assistant("Hi"))
    failed = await shop.run("Go on", message_history=before, journal=journal, run_id="one")
    assert failed.status == "failed"
    again, model = agent("answer(2)")
    result = await again.resume("one", journal, limits=Limits())
    assert result.history == before
    assert [m.content for m in model.requests[0].messages[1:3]] == ["Hello", "Hi"]
    assert result.new_messages()[0] == user("Go on")
    journal.close()


def test_an_event_with_a_history_reads_back() -> None:
    event = RunStarted(1.0, "r", "a", "t", history=({"role": "user", "content": "x"},))
    assert from_json(to_json(event)) == event


def test_a_conversation_of_people_is_left_as_it_is() -> None:
    history = [user("Hello"), assistant("Hi"), user("And?")]
    assert list(told(history)) == history


def test_calls_without_a_plan_s_text_are_written_as_calls() -> None:
    call = Message("assistant", tool_calls=(ToolCall("1", "f", {"x": [1, "a"]}),))
    assert list(told([call, Message("tool", "3", tool_call_id="1"), user("Next")])) == [
        assistant('f(x=[1, "a"])'),
        user('That ran:\n- f(x=[1, "a"]) gave 3'),
        user("Next"),
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
calls = st.builds(ToolCall, st.text(), st.text(), st.dictionaries(st.text(), json_values, max_size=3))
any_messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        content=st.text(),
        tool_calls=st.lists(calls, max_size=2).map(tuple),
        tool_call_id=st.none() | st.text(),
        cache=st.booleans(),
        pinned=st.booleans(),
    ),
    max_size=5,
).map(tuple)


@given(any_messages)
def test_messages_read_back_exactly(messages: tuple[Message, ...]) -> None:
    assert load_messages(dump_messages(messages)) == messages


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "messages are not JSON: "),
        ("{}", "messages are 'dict' in JSON; expected an array of messages"),
        ("[1]", "message 0 is 1; expected an object"),
        (
            '[{"role": "user", "text": "x"}]',
            (
                "message 0 has the unknown field 'text'; "
                "it may have: cache, content, pinned, role, tool_call_id, tool_calls"
            ),
        ),
        (
            '[{"role": "human"}]',
            (
                "message 0 has role 'human'; expected role of system, user, assistant, tool, "
                "content and tool_call_id as text, cache and pinned as true or false"
            ),
        ),
        ('[{"role": "user", "tool_calls": 1}]', "message 0 has tool_calls 1; expected an array"),
        (
            '[{"role": "assistant", "tool_calls": [{"id": "1", "name": "f", "args": []}]}]',
            (
                "message 0, call 0 is {'id': '1', 'name': 'f', 'args': []}; "
                "expected id and name as text, and args as an object"
            ),
        ),
    ],
)
def test_what_is_not_messages_is_told(text: str, problem: str) -> None:
    with pytest.raises(SessionError) as caught:
        load_messages(text)
    assert str(caught.value).startswith(problem)
