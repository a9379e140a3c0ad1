"""A model that records the replies of another one to a file, and gives them again without it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agentkit.errors import (
    DefinitionError,
    ModelError,
    ModelOutputError,
    ModelRefusedError,
    ModelUnavailableError,
)
from agentkit.messages import Json, ModelProfile, ModelRequest, ModelResponse, TextDelta
from agentkit.protocols import Model
from agentkit.testing.models import ABLE, words

_ERRORS = {kind.__name__: kind for kind in (ModelUnavailableError, ModelRefusedError, ModelOutputError)}
_ERROR_FIELDS = ("model", "status", "retry_after")


@dataclass(slots=True)
class _Entry:
    """One recorded call; `used` once it has been given again."""

    line: int
    request: Json
    reply: ModelResponse | ModelError
    used: bool = False


class RecordedModel:
    """Records to `path` when given a model, and replays from `path` when not.

    The file holds one JSON object a line: ``{"request": …, "response": …}`` or ``{"request": …, "error": …}``.
    Recording starts the file anew at its first request. In a replay each recorded call answers one equal request;
    requests may come in another order than they were recorded, as they do when steps run at once.

    Args:
        path: The file.
        model: The model to record; None replays.
        name: The model id in a replay.
        profile: What the model can do in a replay.
    """

    def __init__(
        self,
        path: str | Path,
        model: Model | None = None,
        *,
        name: str = "test:recorded",
        profile: ModelProfile = ABLE,
    ) -> None:
        self.path = Path(path)
        self._model = model
        self._name = model.name if model is not None else name
        self._profile = model.profile if model is not None else profile
        self._recording = False
        self._entries = list(_read(self.path)) if model is None else []

    @property
    def name(self) -> str:
        """The model id."""
        return self._name

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        return self._profile

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` from the model, or from the recording.

        Raises:
            DefinitionError: The recording has no such call; the message says what differs from the next unused one.
            ModelError: What the recorded model raised.
        """
        if self._model is None:
            return self._replay(request)
        try:
            response = await self._model.request(request)
        except ModelError as error:
            self._write(request, error)
            raise
        self._write(request, response)
        return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece; a replay sends the recorded text word by word."""
        if self._model is None:
            response = self._replay(request)
            for piece in words(response.text):
                yield TextDelta(piece)
            yield response
            return
        try:
            async for item in self._model.stream(request):
                if isinstance(item, ModelResponse):
                    self._write(request, item)
                yield item
        except ModelError as error:
            self._write(request, error)
            raise

    def _replay(self, request: ModelRequest) -> ModelResponse:
        asked = _dump(request)
        entry = next((e for e in self._entries if not e.used and e.request == asked), None)
        if entry is None:
            raise DefinitionError(self._mismatch(asked))
        entry.used = True
        if isinstance(entry.reply, ModelError):
            raise entry.reply
        return entry.reply

    def _mismatch(self, asked: Json) -> str:
        again = f"Record {str(self.path)!r} again if the change is meant."
        unused = next((e for e in self._entries if not e.used), None)
        if unused is None:
            return f"the recording {str(self.path)!r} is exhausted: every call was given. {again}"
        differences = "; ".join(_differences(unused.request, asked, "request"))
        return (
            f"no recorded call equals this request. From the next one, at line {unused.line}, "
            f"it differs in {differences}. {again}"
        )

    def _write(self, request: ModelRequest, reply: ModelResponse | ModelError) -> None:
        if isinstance(reply, ModelError):
            fields = {field: getattr(reply, field, None) for field in _ERROR_FIELDS}
            told = {"type": type(reply).__name__, "message": str(reply)}
            entry = {"error": told | {field: value for field, value in fields.items() if value is not None}}
        else:
            entry = {"response": _responses().dump_python(reply, mode="json")}
        entry = {"request": _dump(request), **entry}
        with self.path.open("a" if self._recording else "w", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._recording = True


@cache
def _requests() -> TypeAdapter[ModelRequest]:
    return TypeAdapter(ModelRequest)


@cache
def _responses() -> TypeAdapter[ModelResponse]:
    return TypeAdapter(ModelResponse)


def _dump(request: ModelRequest) -> Json:
    return _requests().dump_python(request, mode="json")


def _read(path: Path) -> Iterator[_Entry]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DefinitionError(
            f"there is no recording {str(path)!r}. Record it first: RecordedModel({str(path)!r}, model)."
        ) from None
    for number, line in enumerate(lines, start=1):
        try:
            yield _entry(number, json.loads(line))
        except (ValueError, ValidationError, KeyError, TypeError, AttributeError) as error:
            raise DefinitionError(
                f"line {number} of the recording {str(path)!r} cannot be read: {_problem(error)}. Record it again."
            ) from error


def _problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}: {error}"


def _entry(number: int, entry: Any) -> _Entry:
    if "error" not in entry:
        return _Entry(number, entry["request"], _responses().validate_python(entry["response"]))
    told = dict(entry["error"])
    kind = told.pop("type")
    if kind not in _ERRORS:
        raise ValueError(f"unknown error type {kind!r}")
    return _Entry(number, entry["request"], _ERRORS[kind](told.pop("message"), **told))


def _differences(recorded: Json, asked: Json, path: str) -> Iterator[str]:
    """Where two JSON values differ, deepest places only."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for key in sorted(recorded.keys() | asked.keys()):
            yield from _differences(recorded.get(key), asked.get(key), f"{path}.{key}")
    elif isinstance(recorded, list) and isinstance(asked, list) and len(recorded) == len(asked):
        for i, pair in enumerate(zip(recorded, asked, strict=True)):
            yield from _differences(*pair, f"{path}[{i}]")
    elif recorded != asked:
        yield f"{path} (recorded {_short(recorded)}, asked {_short(asked)})"


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:57]}…{text[-57:]}"
