"""Recordings answer the requests that they were made of, and say what differs otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agentkit.errors import DefinitionError, ModelUnavailableError
from agentkit.messages import (
    GrammarOutput,
    JsonOutput,
    Message,
    ModelRequest,
    ModelResponse,
    ModelSettings,
    ToolCall,
    ToolSchema,
    Usage,
    system,
    user,
)
from agentkit.testing import RecordedModel, ScriptedModel
from tests.conformance.model import collect

ASK = ModelRequest((system("Be brief."), user("one?")))
OTHER = ModelRequest((system("Be brief."), user("two?")))
RICH = ModelRequest(
    (
        user("Schön?"),
        Message("assistant", "", (ToolCall("c", "f", {"x": [1, {"y": None}]}),)),
        Message("tool", "1", (), "c"),
    ),
    tools=(ToolSchema("f", "F.", {"type": "object"}),),
    tool_choice="f",
    output=JsonOutput({"type": "string"}),
    settings=ModelSettings(temperature=0.5, stop=("a",)),
)
REPLY = ModelResponse("Já", (ToolCall("d", "f", {"x": 2}),), "tool_calls", Usage(5, 4, 3, 1, 0, 0.5), 0.1, 0.2, "m")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


async def test_a_replay_gives_what_was_recorded(path: Path) -> None:
    recorder = RecordedModel(
        path, ScriptedModel([REPLY, "two", ModelUnavailableError("down", status=429, retry_after=2.0)])
    )
    grammar = replace(OTHER, output=GrammarOutput("start: /a/"), prefix="b")
    await recorder.request(RICH)
    recorded = await collect(recorder, grammar)
    with pytest.raises(ModelUnavailableError):
        await recorder.request(ASK)

    replay = RecordedModel(path)
    assert await replay.request(RICH) == REPLY
    assert (await collect(replay, grammar))[-1] == recorded[-1]
    with pytest.raises(ModelUnavailableError, match="down") as caught:
        await replay.request(ASK)
    assert (caught.value.status, caught.value.retry_after) == (429, 2.0)


async def test_requests_may_come_in_another_order(path: Path) -> None:
    recorder = RecordedModel(path, ScriptedModel(["1", "2", "3"]))
    for request in (ASK, OTHER, ASK):
        await recorder.request(request)
    replay = RecordedModel(path)
    assert [(await replay.request(request)).text for request in (OTHER, ASK, ASK)] == ["2", "1", "3"]


async def test_a_mismatch_says_what_differs(path: Path) -> None:
    recorder = RecordedModel(path, ScriptedModel(["1", "2"]))
    await recorder.request(ASK)
    await recorder.request(OTHER)
    replay = RecordedModel(path)
    await replay.request(ASK)
    changed = replace(OTHER, messages=(OTHER.messages[0], user("three?")), settings=ModelSettings(seed=1))
    with pytest.raises(DefinitionError) as caught:
        await replay.request(changed)
    assert str(caught.value) == (
        "no recorded call equals this request. From the next one, at line 3, it differs first at "
        'request.messages[1].content: recorded "two?", asked "three?"\n'
        f"Record {str(path)!r} again if the change is meant."
    )


async def test_an_exhausted_recording_says_so(path: Path) -> None:
    await RecordedModel(path, ScriptedModel(["1"])).request(ASK)
    replay = RecordedModel(path)
    await replay.request(ASK)
    with pytest.raises(DefinitionError) as caught:
        await replay.request(ASK)
    assert str(caught.value) == (
        f"the recording {str(path)!r} is exhausted: every call was given. "
        f"Record {str(path)!r} again if the change is meant."
    )


async def test_recording_again_starts_anew(path: Path) -> None:
    for text in ("old", "new"):
        await RecordedModel(path, ScriptedModel([text])).request(ASK)
    replay = RecordedModel(path)
    assert (await replay.request(ASK)).text == "new"
    with pytest.raises(DefinitionError, match="is exhausted"):
        await replay.request(ASK)


def test_a_missing_recording_says_how_to_make_it(path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        RecordedModel(path)
    assert str(caught.value) == (
        f"there is no recording {str(path)!r}. Record it first, with a model and mode='record'."
    )


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "3",
        "{}",
        '{"request": {}}',
        '{"request": {}, "response": {"text": 3}}',
        '{"request": {}, "error": {"type": "OSError"}}',
    ],
)
def test_a_damaged_recording_names_the_line(path: Path, line: str) -> None:
    good = json.dumps({"request": {}, "response": {"text": "x"}})
    path.write_text(f"{good}\n{line}\n", "utf-8")
    with pytest.raises(DefinitionError, match=r"^line 2 of the recording .* cannot be read: .* Record it again\.$"):
        RecordedModel(path)
