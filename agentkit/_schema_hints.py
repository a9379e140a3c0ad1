"""Type hints: resolving them, and closing the gaps between what JSON Schema says and what pydantic accepts."""

from __future__ import annotations

import datetime
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from typing_extensions import Doc

from agentkit.context import RunContext

Hints: TypeAlias = Mapping[str, Any]

_CONTEXT: Final = re.compile(r"([\w.]+\.)?RunContext(\[.*)?", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d*)?")
_TIMES: Final[tuple[Any, ...]] = (datetime.date, datetime.datetime, datetime.time, datetime.timedelta)
_UNRESOLVED = (NameError, AttributeError, TypeError, SyntaxError)


def is_context(annotation: Any) -> bool:
    """Whether an annotation, resolved or still text, is `RunContext` with or without its parameter."""
    if isinstance(annotation, str):
        return _CONTEXT.fullmatch(annotation.strip("'\" ")) is not None
    return (get_origin(annotation) or annotation) is RunContext


def resolve_hints(
    function: Callable[..., Any], names: Hints, skip: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """A function's type hints, and why some of them cannot be resolved (yet).

    Args:
        function: A function or a bound method.
        names: Local names that hints written as text may use.
        skip: A parameter whose hint is not needed.
    """
    target = inspect.unwrap(getattr(function, "__func__", function))
    try:
        return typing.get_type_hints(target, None, dict(names) or None, include_extras=True), {}
    except _UNRESOLVED:
        return _resolve_each(target, names, skip)


def _resolve_each(target: Any, names: Hints, skip: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    hints: dict[str, Any] = {}
    unresolved: dict[str, str] = {}

    def holder() -> None:
        """Carries one annotation at a time."""

    for name, annotation in target.__annotations__.items():
        if name == skip:
            continue
        holder.__annotations__ = {name: annotation}
        try:
            hints |= typing.get_type_hints(holder, target.__globals__, dict(names), include_extras=True)
        except _UNRESOLVED as error:
            text = annotation if isinstance(annotation, str) else type_name(annotation)
            unresolved[name] = f"type hint {text!r} of {subject(name)} cannot be resolved: {error}"
    return hints, unresolved


def subject(name: str) -> str:
    """How messages call a parameter, or the return value."""
    return "the return value" if name == "return" else f"parameter {name!r}"


def type_name(hint: Any) -> str:
    """A type as its author wrote it, roughly."""
    if get_origin(hint) is Annotated:
        return type_name(get_args(hint)[0])
    return hint.__qualname__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")


def metadata_description(hint: Any) -> str:
    """The description inside ``Annotated[…]``: a `Field`, a `Doc` or a plain text."""
    if get_origin(hint) is not Annotated:
        return ""
    for item in reversed(hint.__metadata__):
        text = item.description if isinstance(item, FieldInfo) else getattr(item, "documentation", item)
        if isinstance(text, str) and isinstance(item, FieldInfo | Doc | str):
            return text.strip()
    return ""


def guarded(hint: Any) -> Any:
    """`hint` with the checks that pydantic's strict JSON mode lacks, also inside lists, unions and so on.

    Pydantic takes ``"1493942400"`` for a date, though the schema says ISO 8601, and ``true`` for the 1 of a
    ``Literal[1, 2]``. It refuses ``"2024-05-31"`` for a datetime, which can only mean midnight.
    """
    if hint in _TIMES:
        return Annotated[hint, BeforeValidator(partial(_read_time, hint))]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        kinds = {type(value) for value in args}
        return Annotated[hint, BeforeValidator(_no_boolean)] if int in kinds and bool not in kinds else hint
    if origin is Annotated:
        inner = guarded(args[0])
        return hint if inner is args[0] else Annotated[(inner, *args[1:])]
    inside = tuple(guarded(arg) for arg in args)
    if origin is None or all(new is old for new, old in zip(inside, args, strict=True)):
        return hint
    return Union[inside] if origin in {Union, types.UnionType} else origin[inside]  # noqa: UP007 - members are data


@cache
def _time_reader(kind: Any) -> Callable[[str], Any]:
    return partial(TypeAdapter(kind).validate_strings, strict=True)


def _read_time(kind: Any, value: Any) -> Any:
    """The moment that an ISO 8601 text names; anything that is not text is left for pydantic to judge."""
    if not isinstance(value, str):
        return value
    if _NUMBER.fullmatch(value):
        raise PydanticCustomError("iso8601", "Input should be ISO 8601 text, not a number of seconds")
    if kind is datetime.datetime and len(value) == len("2024-05-31"):
        value += "T00:00:00"
    try:
        return _time_reader(kind)(value)
    except ValidationError as error:
        raise PydanticCustomError("iso8601", "{message}", {"message": error.errors()[0]["msg"]}) from None


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("not_boolean", "Input should be one of the allowed numbers, not a boolean")
    return value
