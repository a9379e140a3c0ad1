"""Prompts that grow turn by turn: whole for whoever reads events, written once in the journal."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit import Agent, JournalStore, Limits, tool
from agentkit._prompts import PromptRows, PromptsWritten, shorten, whole
from agentkit.events import Event, ModelCalled
from agentkit.messages import Message, ModelProfile, ModelRequest, assistant, user
from agentkit.planners.react import ReAct
from agentkit.testing import FunctionModel

MANY = Limits(turns=1_000, model_calls=1_000, steps=1_000, tool_calls=1_000, tokens=10**9)


@tool(effect="read")
async def look(at: int) -> str:
    """What is there.

    Args:
        at: Where.
    """
    return f"the secret of place {at}"


class _CrashError(BaseException):
    """The process ends here."""


def walker(turns: int) -> Agent:
    """An agent that looks at so many places, one a turn."""

    def reply(request: ModelRequest) -> str:
        turn = len(request.messages) // 2
        return f"Thought: On.\nAction: x{turn} = look(at={turn})" if turn <= turns else "Action: answer('seen')"

    return Agent(FunctionModel(reply, profile=ModelProfile()), tools=[look], planner=ReAct(), limits=MANY)


def calls(events: tuple[Event, ...]) -> list[ModelCalled]:
    return [event for event in events if isinstance(event, ModelCalled)]


async def test_every_event_shows_its_whole_prompt_from_a_run_and_from_its_journal(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "runs.sqlite")
    result = await walker(5).run("Look.", journal=store)
    live, kept = calls(result.events), calls(store.events(result.run_id))
    assert [len(one.prompt) for one in live] == [2, 4, 6, 8, 10, 12]
    assert all(one.prompt[0]["role"] == "system" for one in live)
    assert [one.prompt for one in kept] == [one.prompt for one in live]
    store.close()


async def test_a_long_conversation_takes_as_much_room_as_it_has_messages(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "runs.sqlite")
    result = await walker(60).run("Look.", journal=store)
    store.close()
    with sqlite3.connect(tmp_path / "runs.sqlite") as db:
        rows = [json.loads(row[0]) for row in db.execute("SELECT event FROM events ORDER BY number")]
    prompts = [row["prompt"] for row in rows if row["kind"] == "model_called"]
    assert [len(prompt) for prompt in prompts] == [2] + [2] * 60
    first, last = calls(result.events)[0], calls(result.events)[-1]
    assert last.prompt[0] is first.prompt[0]


async def test_a_resumed_run_writes_prompts_that_can_be_read(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "runs.sqlite")

    def stop(event: Event) -> None:
        if isinstance(event, ModelCalled) and len(event.prompt) == 6:
            raise _CrashError

    with pytest.raises(_CrashError):
        await walker(5).run("Look.", journal=store, run_id="r", listeners=[stop])
    resumed = await walker(5).resume("r", store)
    assert resumed.output == "seen"
    kept = calls(store.events("r"))
    assert [len(one.prompt) for one in kept] == [2, 4, 6, 6, 8, 10, 12]  # the third is asked again
    assert kept[-1].prompt == calls(resumed.events)[-1].prompt
    store.close()


async def test_what_is_forgotten_is_gone_from_every_prompt(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "runs.sqlite")
    result = await walker(3).run("Look.", journal=store)
    store.redact("the secret of place 1")
    prompts = [one.prompt for one in calls(store.events(result.run_id))]
    assert "secret of place 1" not in str(prompts)
    assert "[forgotten]" in str(prompts[-1])
    assert "the secret of place 2" in str(prompts[-1])
    store.close()


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=40))
@settings(max_examples=60, deadline=None)
def test_what_is_shortened_is_whole_again(steps: list[tuple[int, int, int, bool]]) -> None:
    """Conversations that grow, lose messages and take turns, with the beginning of a reply at the end or without."""
    talks: list[list[Message]] = [[user(f"talk {number}")] for number in range(12)]
    rows, written = PromptRows(), PromptsWritten()
    full, kept = [], []
    for number, (talk, added, lost, begun) in enumerate(steps):
        del talks[talk][max(len(talks[talk]) - lost, 1) :]
        talks[talk] += [user(f"message {number}.{position}") for position in range(added)]
        prompt = rows.of((*talks[talk], *([assistant("so far")] if begun else [])))
        full.append({"prompt": list(prompt)})
        kept.append((number, json.loads(json.dumps(shorten({"prompt": prompt}, written.shared(number, prompt))))))
    assert list(whole(kept)) == full
