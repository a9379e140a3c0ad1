"""Texts are taken out of a journal: as whole words, in every spelling, and never out of names that programs made."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentkit.agent import Agent
from agentkit.events import PlanProposed, RunStarted, StepStarted
from agentkit.journal import JournalStore
from agentkit.messages import ModelProfile
from agentkit.testing import ScriptedModel
from agentkit.toolbox import tool

FREE = ModelProfile(context_window=8192, spelling="python", decoding="free")


@tool(effect="read")
async def note(text: str) -> dict[str, str]:
    """Give a text back.

    Args:
        text: The text.
    """
    return {text: f"<{text}>", "kind": text}


async def kept(path: Path, text: str) -> str:
    """A run whose task, plan, arguments and values hold a text."""
    journal = JournalStore(path)
    model = ScriptedModel([f"seen = note(text={text!r})\nanswer(seen)"], profile=FREE)
    result = await Agent(model, tools=[note]).run(f"Note {text}", journal=journal)
    journal.close()
    assert result.status == "done", result.error
    return result.run_id


def bytes_below(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("text", ["Ann's door: 4711", 'a "b" \\ c', "zwei\nZeilen", "Zürich ☂", "x${y}z"])
async def test_no_spelling_of_a_text_is_left_in_the_files(tmp_path: Path, text: str) -> None:
    run_id = await kept(tmp_path / "runs.sqlite", text)
    journal = JournalStore(tmp_path / "runs.sqlite")
    changed = journal.redact(text)
    assert changed.keys() == {run_id}
    assert text not in repr(journal.events(run_id))
    assert repr(text)[1:-1] not in repr(journal.events(run_id))
    assert text not in journal.runs()[0].task
    left = bytes_below(tmp_path)
    assert text.encode() not in left
    assert text.encode("ascii", "backslashreplace") not in left
    assert journal.redact(text) == {}


async def test_whole_words_go_and_names_stay(tmp_path: Path) -> None:
    run_id = await kept(tmp_path / "runs.sqlite", "note")
    await kept(tmp_path / "runs.sqlite", "notes")
    journal = JournalStore(tmp_path / "runs.sqlite")
    journal.redact("note")
    events = journal.events(run_id)
    [started] = [event for event in events if isinstance(event, StepStarted)]
    assert (started.action, started.args) == ("note", {"text": "[forgotten]"})
    [proposed] = [event for event in events if isinstance(event, PlanProposed)]
    assert proposed.plan["steps"][0]["tool"] == "note"
    begun = events[0]
    assert isinstance(begun, RunStarted)
    assert begun.task == "Note [forgotten]"


async def test_nothing_is_redacted_for_nothing(tmp_path: Path) -> None:
    await kept(tmp_path / "runs.sqlite", "hats")
    journal = JournalStore(tmp_path / "runs.sqlite")
    assert journal.redact() == journal.redact("", "  ") == {}


async def test_a_journal_that_is_being_written_can_be_redacted(tmp_path: Path) -> None:
    journal = JournalStore(tmp_path / "runs.sqlite")
    model = ScriptedModel(["seen = note(text='hats')\nanswer(seen)"] * 3, profile=FREE)
    agent = Agent(model, tools=[note])
    first = await agent.run("Note hats", journal=journal)
    async with asyncio.TaskGroup() as group:
        group.create_task(agent.run("Note hats", journal=journal))
        group.create_task(asyncio.to_thread(journal.redact, "hats"))
    assert "hats" not in repr(journal.events(first.run_id))
    journal.close()


async def test_an_argument_may_have_the_name_of_a_field(tmp_path: Path) -> None:
    @tool(effect="read")
    async def greet(user: str) -> int:
        """Greet somebody.

        Args:
            user: Who.
        """
        return len(user)

    journal = JournalStore(tmp_path / "runs.sqlite")
    model = ScriptedModel(["answer(greet(user='Anna Smith'))"], profile=FREE)
    result = await Agent(model, tools=[greet]).run("Greet her", journal=journal, user="desk")
    journal.redact("Anna Smith")
    assert "Anna Smith" not in repr(journal.events(result.run_id))
