"""Turns a validator's errors into lines that say which argument, what was expected and what was got."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic_core import ErrorDetails

from agentkit.messages import Json

Path: TypeAlias = tuple[str | int, ...]

_SHOWN_CHARACTERS = 80


class RefusedError(Exception):
    """A value does not satisfy a schema. Internal: the tool raises its own error from these lines."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def listed(heading: str, problems: Iterable[str]) -> str:
    """A heading and its problems, one a line."""
    return "\n  - ".join((heading + ":", *problems))


def shown(value: Any) -> str:
    """`value` as text of bounded length."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a value of the user's own type, whose repr may do anything
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def missing(name: str) -> str:
    """The line of an argument that is not there."""
    return f"argument {name!r} is missing"


def unexpected(name: str, known: Collection[str]) -> str:
    """The line of an argument that the tool does not have."""
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"argument {name!r} does not exist; did you mean {close[0]!r}?"
    return f"argument {name!r} does not exist; there are: {', '.join(known) or 'no arguments'}"


def argument_problems(errors: Iterable[ErrorDetails], args: Json, known: Collection[str]) -> list[str]:
    """A line for each place in `args` that pydantic complains about."""
    lines: list[str] = []
    for path, found in _by_place(errors, args).items():
        kinds = {error["type"] for error in found}
        if len(path) == 1 and "missing" in kinds:
            lines.append(missing(str(path[0])))
        elif len(path) == 1 and "extra_forbidden" in kinds:
            lines.append(unexpected(str(path[0]), known))
        else:
            where = f"argument {path_text(path)!r}" if path else "the arguments"
            lines.append(f"{where}: {_complaint(found)}")
    return lines


def result_problems(errors: Iterable[ErrorDetails], result: Json) -> list[str]:
    """A line for each place in a tool's result that pydantic complains about."""
    places = _by_place(errors, result)
    return [f"{path_text(('result', *path))}: {_complaint(found)}" for path, found in places.items()]


def path_text(path: Path) -> str:
    """A path as it would be written, e.g. ``filters.price[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def place(error: ErrorDetails, data: Json) -> Path:
    """Where in `data` the error is: pydantic's location without the names of the union members it tried."""
    path: list[str | int] = []
    inside: Any = data
    part: Any
    for part in error["loc"]:
        is_key = isinstance(inside, Mapping) and part in inside
        if is_key or (isinstance(inside, list | tuple) and isinstance(part, int) and part < len(inside)):
            path.append(part)
            inside = inside[part]
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    return tuple(path)


def _by_place(errors: Iterable[ErrorDetails], data: Json) -> dict[Path, list[ErrorDetails]]:
    found: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        found.setdefault(place(error, data), []).append(error)
    return found


def _complaint(errors: Sequence[ErrorDetails]) -> str:
    """What was expected at one place and what was there; a union's members are joined by "or"."""
    texts = dict.fromkeys(_expectation(error) for error in errors)
    text = " or ".join(expected for expected, _ in texts)
    text = f"expected {text}" if all(is_noun for _, is_noun in texts) else text
    if errors[0]["type"] in {"missing", "json_invalid"}:
        return text
    return f"{text}, got {shown(errors[0]['input'])}"


def _expectation(error: ErrorDetails) -> tuple[str, bool]:
    """Pydantic's message, and whether it reads well after "expected"."""
    message = error["msg"]
    if error["type"] == "missing":
        return "this field is missing", False
    if error["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return "this field does not exist", False
    prefix = "Input should be "
    if message.startswith(prefix):
        rest = message.removeprefix(prefix)
        bound = rest.startswith(("greater", "less"))
        return (f"a value {rest}" if bound else rest.removeprefix("a valid ")), True
    return message[0].lower() + message[1:], False
