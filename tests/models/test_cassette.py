"""Cassettes: what is written, what is given again, and what is never written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import BudgetExceededError, DefinitionError, ModelRefusedError, ModelUnavailableError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta, Usage, system, user
from agentkit.models import CassetteModel
from agentkit.models.cassette import Mode
from agentkit.testing import ScriptedModel
from tests.conformance.model import collect

ASK = ModelRequest((system("Be brief."), user("one?")))
OTHER = replace(ASK, messages=(ASK.messages[0], user("two?")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "calls.jsonl"


def _text(path: Path) -> str:
    return path.read_text("utf-8")


class Broken:
    """A model whose streams come in odd pieces and may break."""

    name = "broken"
    profile = ModelProfile()

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def request(self, request: ModelRequest) -> ModelResponse:
        raise NotImplementedError

    async def stream(self, request: ModelRequest) -> AsyncIterator[TextDelta | ModelResponse]:
        for text in ("o", "ne\u2028 t", "wo"):
            yield TextDelta(text)
        if self._error is not None:
            raise self._error
        yield ModelResponse("one\u2028 two", usage=Usage(3, 1, 2, 1, 0, 0.5), ttft=0.25, seconds=0.5, notes=("n",))


async def test_a_stream_is_given_again_piece_by_piece(path: Path) -> None:
    recorded = await collect(CassetteModel(path, Broken()), ASK)
    replay = CassetteModel(path)
    assert await collect(replay, ASK) == recorded
    assert [type(item).__name__ for item in recorded] == ["TextDelta"] * 3 + ["ModelResponse"]


async def test_a_stream_that_broke_breaks_again_at_the_same_place(path: Path) -> None:
    error = ModelUnavailableError("cut", model="m", status=502, retry_after=3.0)
    error.usage = Usage(input_tokens=3, model_calls=2)
    for inner in (Broken(error), None):
        stream = CassetteModel(path, inner).stream(ASK)
        assert [(await anext(stream)).text for _ in range(3)] == ["o", "ne\u2028 t", "wo"]
        with pytest.raises(ModelUnavailableError, match=r"^cut$") as caught:
            await anext(stream)
        assert (caught.value.model, caught.value.status, caught.value.retry_after) == ("m", 502, 3.0)
        assert caught.value.usage == error.usage


async def test_a_stream_that_its_reader_left_may_be_left_again(path: Path) -> None:
    for inner in (Broken(), None):
        stream = CassetteModel(path, inner).stream(ASK)
        assert await anext(stream) == TextDelta("o")
        await stream.aclose()
    replay = CassetteModel(path)
    with pytest.raises(DefinitionError, match=r"line 2 .* is a stream that its reader left after 1 pieces"):
        await collect(replay, ASK)


async def test_a_request_that_was_streamed_may_be_asked_whole_and_the_other_way_round(path: Path) -> None:
    recorder = CassetteModel(path, ScriptedModel(["one two", "three four"]))
    await collect(recorder, ASK)
    await recorder.request(OTHER)
    replay = CassetteModel(path)
    assert (await replay.request(ASK)).text == "one two"
    assert [item.text for item in await collect(replay, OTHER)] == ["three four", "three four"]


async def test_auto_records_once_and_replays_from_then_on(path: Path) -> None:
    inner = ScriptedModel(["one"])
    first = CassetteModel(path, inner)
    assert not first.replaying
    await first.request(ASK)
    second = CassetteModel(path, inner)
    assert second.replaying
    assert (await second.request(ASK)).text == "one"
    assert len(inner.requests) == 1


async def test_recording_starts_the_file_anew(path: Path) -> None:
    for text in ("old", "new"):
        await CassetteModel(path, ScriptedModel([text]), mode="record").request(ASK)
    assert (await CassetteModel(path, mode="replay").request(ASK)).text == "new"


async def test_a_replay_has_the_name_and_the_profile_of_what_was_recorded(path: Path) -> None:
    profile = ModelProfile(
        4096, json_schema=True, decoding="free", kinds=frozenset({"call"}), settings=frozenset({"seed"})
    )
    await CassetteModel(path, ScriptedModel(["x"], name="openai:gpt-5", profile=profile)).request(ASK)
    replay = CassetteModel(path)
    assert (replay.name, replay.profile) == ("openai:gpt-5", profile)


async def test_for_whom_and_for_what_it_was_asked_is_neither_kept_nor_compared(path: Path) -> None:
    await CassetteModel(path, ScriptedModel(["x"])).request(replace(ASK, user="anna", purpose="plan", fresh=True))
    assert "anna" not in _text(path)
    assert (await CassetteModel(path).request(replace(ASK, user="ben"))).text == "x"


async def test_secrets_are_never_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "acme-0123456789")
    monkeypatch.setenv("DB_PASSWORD", "correct horse")
    asked = replace(
        ASK, messages=(user("Use acme-0123456789, correct horse, my-own-secret and Bearer abcdef.0123456789xyz"),)
    )
    refused = ModelRefusedError("Incorrect API key provided: sk-proj-abcdefghijklmnop1234")
    recorder = CassetteModel(path, ScriptedModel(["acme-0123456789 it is", refused]), secrets=["my-own-secret"])
    await recorder.request(asked)
    with pytest.raises(ModelRefusedError):
        await recorder.request(ASK)
    written = _text(path)
    for secret in ("acme-0123456789", "correct horse", "my-own-secret", "abcdef.0123456789xyz", "sk-proj-abcdefghij"):
        assert secret not in written
    replay = CassetteModel(path, secrets=["my-own-secret"])
    assert (await replay.request(asked)).text == "[redacted] it is"


async def test_an_error_of_a_kind_below_is_given_again_as_its_kind(path: Path) -> None:
    for inner in (ScriptedModel([BudgetExceededError("spent")]), None):
        model = CassetteModel(path, inner)
        with pytest.raises(ModelRefusedError, match="spent") as caught:
            await model.request(ASK)
        assert caught.value.usage == Usage()


LONG = "a\nb\n{}\n" + "d" * 60 + "\n" + "e" * 60


@pytest.mark.parametrize(
    ("messages", "asked", "differs"),
    [
        (["one"], ["two"], '[0].content: recorded "one", asked "two"'),
        (["one"], ["one", "x"], '[1]: only asked, {"role": "user", "content": "x"} (recorded 1 of them, asked 2)'),
        (["one", "x"], ["one"], '[1]: only recorded, {"role": "user", "content": "x"} (recorded 2 of them, asked 1)'),
        (
            [LONG.format("X")],
            [LONG.format("c")],
            f"[0].content:\n--- recorded\n+++ asked\n@@ -2,3 +2,3 @@\n b\n-X\n+c\n {'d' * 60}",
        ),
    ],
    ids=["text", "one more", "one less", "long text"],
)
async def test_a_mismatch_shows_the_first_difference(
    path: Path, messages: list[str], asked: list[str], differs: str
) -> None:
    await CassetteModel(path, ScriptedModel(["x"])).request(ModelRequest(tuple(map(user, messages))))
    with pytest.raises(DefinitionError) as caught:
        await CassetteModel(path).request(ModelRequest(tuple(map(user, asked)), prefix="later"))
    assert str(caught.value) == (
        "no recorded call equals this request. From the next one, at line 2, it differs first at "
        f"request.messages{differs}\nRecord {str(path)!r} again if the change is meant."
    )


async def test_of_a_single_long_line_the_part_that_differs_is_shown(path: Path) -> None:
    await CassetteModel(path, ScriptedModel(["x"])).request(ModelRequest((user("a" * 300 + "b" + "c" * 300),)))
    with pytest.raises(DefinitionError) as caught:
        await CassetteModel(path).request(ModelRequest((user("a" * 300 + "B" + "c" * 300),)))
    assert "request.messages[0].content:\n--- recorded, at character 300\n" in str(caught.value)
    assert f'"{"a" * 60}b{"c" * 59}"\n+++ asked\n"{"a" * 60}B{"c" * 59}"' in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("record", "the recording {path!r} needs a model to record; give one."),
        ("auto", "there is no recording {path!r}. Record it first: give the model to record."),
        ("replay", "there is no recording {path!r}. Record it first, with a model and mode='record'."),
        ("again", "mode is 'again'; expected 'record', 'replay' or 'auto'."),
    ],
)
def test_what_is_missing_is_said(path: Path, mode: Mode, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        CassetteModel(path, mode=mode)
    assert str(caught.value) == message.format(path=str(path))


@pytest.mark.parametrize(
    "head", [{"cassette": 99}, {"cassette": 1}, {"cassette": 1, "model": "m", "profile": {"context_window": "much"}}]
)
def test_a_head_that_cannot_be_read_is_named(tmp_path: Path, head: dict[str, Any]) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps(head) + "\n", "utf-8")
    with pytest.raises(DefinitionError, match=r"^line 1 of the recording .* cannot be read: .* Record it again\.$"):
        CassetteModel(path)
