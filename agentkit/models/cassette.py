"""Cassettes: the calls of a model on file, to be given again without it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from agentkit.errors import (
    DefinitionError,
    ModelError,
    ModelOutputError,
    ModelRefusedError,
    ModelUnavailableError,
)
from agentkit.messages import Json, ModelProfile, ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models._differences import first_difference
from agentkit.models._requests import NOT_SENT, response_from_json, response_to_json, wire
from agentkit.models._wrapper import closing
from agentkit.models.ids import resolve_model
from agentkit.protocols import Model

Mode: TypeAlias = Literal["record", "replay", "auto"]
"""``record`` asks the model and starts the file anew; ``replay`` asks nobody; ``auto`` replays a file that is there."""

VERSION = 1

ABLE = ModelProfile(json_schema=True, grammar=True, tools=True, prefix=True)
"""The profile of a cassette that does not say what its model could do."""

_ERRORS = {kind.__name__: kind for kind in (ModelUnavailableError, ModelRefusedError, ModelOutputError)}
_ERROR_FIELDS = ("model", "status", "retry_after")
_SECRET_VARIABLE = re.compile(r"(API_?KEY|TOKEN|SECRET|PASSWORD)$")
_SECRET = re.compile(r"\b(?:sk|pk|rk|ghp|gho|xox[bp])[-_][A-Za-z0-9_-]{16,}|(?<=Bearer )[A-Za-z0-9._~+/=-]{16,}")
_REDACTED = "[redacted]"
_SHORTEST_SECRET = 8


@dataclass(slots=True)
class _Call:
    """One recorded call; `used` once it has been given again.

    Attributes:
        line: Where it stands in the file.
        request: What was sent.
        reply: How it ended; None for a stream that its reader left.
        pieces: The texts of a stream; None for a call that was no stream.
        used: Given already.
    """

    line: int
    request: Json
    reply: ModelResponse | ModelError | None
    pieces: list[str] | None = None
    used: bool = False


class CassetteModel:
    """Records the calls of a model to a file, and replays them byte for byte: texts, pieces of streams, usage, errors.

    The file holds one JSON object a line: what the model is, then a line for each call, in the order of their ends. In
    a replay each recorded call answers one equal request; requests may come in another order than they were recorded,
    as they do when steps run at once. What is never sent (`user`, `purpose`, `fresh`, `intent`) is neither kept nor
    compared.

    Secrets are replaced before anything is written: the values of environment variables whose names end in API_KEY,
    TOKEN, SECRET or PASSWORD, whatever looks like a provider's key, and what `secrets` adds.

    Args:
        path: The file.
        model: The model to record, or its id; a replay needs none.
        mode: ``record`` asks the model and starts the file anew at the first call; ``replay`` asks nobody; ``auto``
            replays if the file is there and records if not.
        secrets: More texts that must not be written.

    Raises:
        DefinitionError: There is no model to record, no file to replay, or the file cannot be read.
    """

    def __init__(
        self,
        path: str | Path,
        model: Model | str | None = None,
        *,
        mode: Mode = "auto",
        secrets: Iterable[str] = (),
    ) -> None:
        if mode not in ("record", "replay", "auto"):
            raise DefinitionError(f"mode is {mode!r}; expected 'record', 'replay' or 'auto'.")
        self.path = Path(path)
        self._secrets = _Secrets(secrets)
        self._started = False
        replaying = mode == "replay" or (mode == "auto" and self.path.exists())
        self._model: Model | None = None
        if replaying:
            self._tape = _read(self.path)
        elif model is None:
            raise DefinitionError(
                f"there is no recording {str(self.path)!r}. Record it first: give the model to record."
                if mode == "auto"
                else f"the recording {str(self.path)!r} needs a model to record; give one."
            )
        else:
            self._model = resolve_model(model)
            self._tape = _Tape(self._model.name, self._model.profile, [])

    def __repr__(self) -> str:
        return f"CassetteModel({str(self.path)!r}, {self.name!r})"

    @property
    def replaying(self) -> bool:
        """Whether answers come from the file."""
        return self._model is None

    @property
    def models(self) -> tuple[Model, ...]:
        """The model that is recorded; none in a replay, whose responses have their costs."""
        return () if self._model is None else (self._model,)

    @property
    def name(self) -> str:
        """The model id of the model that is, or was, recorded."""
        return self._tape.name

    @property
    def profile(self) -> ModelProfile:
        """What that model can do."""
        return self._tape.profile

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` from the model, or from the file.

        Raises:
            DefinitionError: The file has no such call; the message says what differs from the next unused one.
            ModelError: What the recorded model raised.
        """
        if self._model is None:
            call = self._replay(request)
            return _reply(call, self.path)
        try:
            response = await self._model.request(request)
        except ModelError as error:
            self._write(request, error)
            raise
        self._write(request, response)
        return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece, from the model or from the file."""
        if self._model is None:
            call = self._replay(request)
            for text in [] if call.pieces is None else call.pieces:
                yield TextDelta(text)
            response = _reply(call, self.path)
            if call.pieces is None and response.text:
                yield TextDelta(response.text)
            yield response
            return
        pieces: list[str] = []
        reply: ModelResponse | ModelError | None = None
        try:
            async with closing(self._model.stream(request)) as source:
                async for item in source:
                    if isinstance(item, ModelResponse):
                        reply = item
                    else:
                        pieces.append(item.text)
                    yield item
        except ModelError as error:
            reply = error
            raise
        finally:
            if reply is not None or pieces:
                self._write(request, reply, pieces)

    # replaying

    def _replay(self, request: ModelRequest) -> _Call:
        asked = self._secrets.out_of(wire(request))
        call = next((call for call in self._tape.calls if not call.used and call.request == asked), None)
        if call is None:
            raise DefinitionError(self._mismatch(asked))
        call.used = True
        return call

    def _mismatch(self, asked: Json) -> str:
        again = f"Record {str(self.path)!r} again if the change is meant."
        unused = next((call for call in self._tape.calls if not call.used), None)
        if unused is None:
            return f"the recording {str(self.path)!r} is exhausted: every call was given. {again}"
        return (
            f"no recorded call equals this request. From the next one, at line {unused.line}, it differs first at "
            f"{first_difference(unused.request, asked, 'request')}\n{again}"
        )

    # recording

    def _write(
        self, request: ModelRequest, reply: ModelResponse | ModelError | None, pieces: list[str] | None = None
    ) -> None:
        entry: dict[str, Json] = {"request": wire(request)}
        if pieces is not None:
            entry["pieces"] = pieces
        if isinstance(reply, ModelError):
            entry["error"] = _error_to_json(reply)
        elif reply is not None:
            entry["response"] = response_to_json(reply)
        lines = [self._secrets.out_of(entry)]
        if not self._started:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            profile = _profiles().dump_python(self.profile, mode="json")
            lines.insert(0, {"cassette": VERSION, "model": self.name, "profile": profile})
        with self.path.open("a" if self._started else "w", encoding="utf-8", errors="surrogatepass") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        self._started = True


@dataclass(frozen=True, slots=True)
class _Tape:
    """What a file holds."""

    name: str
    profile: ModelProfile
    calls: list[_Call]


class _Secrets:
    """Takes what must not be written out of JSON values."""

    def __init__(self, more: Iterable[str]) -> None:
        found = [value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name.upper())]
        texts = {text for text in [*found, *more] if len(text) >= _SHORTEST_SECRET}
        known = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
        self._pattern = re.compile(f"{known}|{_SECRET.pattern}" if known else _SECRET.pattern)

    def out_of(self, value: Json) -> Json:
        """The value without secrets."""
        if isinstance(value, str):
            return self._pattern.sub(_REDACTED, value)
        if isinstance(value, Mapping):
            return {key: self.out_of(inner) for key, inner in value.items()}
        return [self.out_of(inner) for inner in value] if isinstance(value, list) else value


def _reply(call: _Call, path: Path) -> ModelResponse:
    """How a recorded call ended."""
    if isinstance(call.reply, ModelError):
        raise call.reply
    if call.reply is None:
        raise DefinitionError(
            f"line {call.line} of the recording {str(path)!r} is a stream that its reader left after "
            f"{len(call.pieces or ())} pieces, and now more is wanted. Record {str(path)!r} again."
        )
    return call.reply


def _error_to_json(error: ModelError) -> dict[str, Json]:
    kind = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS), "ModelRefusedError")
    fields = {name: getattr(error, name, None) for name in _ERROR_FIELDS}
    told = {"type": kind, "message": str(error), "usage": _usages().dump_python(error.usage, mode="json")}
    return told | {name: value for name, value in fields.items() if value is not None}


def _read(path: Path) -> _Tape:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogatepass").removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise DefinitionError(
            f"there is no recording {str(path)!r}. Record it first, with a model and mode='record'."
        ) from None
    rows = list(_rows(path, lines))
    name, profile = "cassette", ABLE
    if rows and "cassette" in rows[0][1]:
        name, profile = _parsed(path, *rows.pop(0), _head)
    return _Tape(name, profile, [_parsed(path, number, row, _call) for number, row in rows])


def _rows(path: Path, lines: list[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, start=1):
        yield number, _parsed(path, number, line, lambda _, line: dict(json.loads(line)))


def _parsed(path: Path, number: int, row: Any, parse: Any) -> Any:
    try:
        return parse(number, row)
    except (ValueError, ValidationError, KeyError, TypeError, AttributeError) as error:
        raise DefinitionError(
            f"line {number} of the recording {str(path)!r} cannot be read: {_problem(error)}. Record it again."
        ) from error


def _problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}: {error}"


def _head(number: int, row: dict[str, Any]) -> tuple[str, ModelProfile]:
    if row["cassette"] != VERSION:
        raise ValueError(f"it has version {row['cassette']!r}, and this agentkit reads {VERSION}")
    return str(row["model"]), _profiles().validate_python(row["profile"])


def _call(number: int, row: dict[str, Any]) -> _Call:
    request = {name: value for name, value in row["request"].items() if name not in NOT_SENT}
    pieces = row.get("pieces")
    if "error" in row:
        told = dict(row["error"])
        kind, usage = told.pop("type"), told.pop("usage", None)
        if kind not in _ERRORS:
            raise ValueError(f"unknown error type {kind!r}")
        error = _ERRORS[kind](told.pop("message"), **told)
        if usage is not None:
            error.usage = _usages().validate_python(usage)
        return _Call(number, request, error, pieces)
    if "response" in row:
        return _Call(number, request, response_from_json(row["response"]), pieces)
    if pieces is None:
        raise ValueError("it has neither a response nor an error")
    return _Call(number, request, None, pieces)


@cache
def _profiles() -> TypeAdapter[ModelProfile]:
    return TypeAdapter(ModelProfile)


@cache
def _usages() -> TypeAdapter[Usage]:
    return TypeAdapter(Usage)
