"""The text of an agent's file: its data, the line of every place in it, and mistakes told with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeAlias, get_args, get_type_hints

from pydantic import ValidationError

from agentkit.errors import DefinitionError
from agentkit.options import did_you_mean

Place: TypeAlias = tuple[str | int, ...]
"""Where something stands in a file: keys and positions."""

_CLASS = re.compile(r" or instance of \w+")
"""What pydantic says of its own classes, which a file cannot hold."""


@dataclass(frozen=True, slots=True)
class Source:
    """The data of a YAML text.

    Attributes:
        name: What messages call the text.
        data: What it says.
        lines: The line of every place in it.
    """

    name: str
    data: Mapping[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, *place: str | int) -> int:
        """The line of a place, or of the nearest one around it; 0 if it is nowhere."""
        return self.lines.get(_known(place, self.lines), 0)

    def at(self, *place: str | int) -> str:
        """A place as messages name it, with its line."""
        line = self.line(*place)
        return f"{self.name}:{line}" if line else self.name


def read(written: str, name: str) -> Source:
    """The data of a YAML text.

    Raises:
        DefinitionError: It is not YAML, or says no keys, or one twice.
    """
    import yaml

    try:
        root = yaml.compose(written, Loader=yaml.SafeLoader)
        data = yaml.safe_load(written)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise DefinitionError(f"{where}: this is not YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(data, dict):
        raise DefinitionError(f"{name}: expected keys such as 'model:' and 'tools:', got {type(data).__name__}")
    lines: dict[Place, int] = {}
    for place, line in _walk(root, ()):
        if place in lines:
            raise DefinitionError(
                f"{name}:{line}: the key {place[-1]!r} stands here again; it is on line {lines[place]} already"
            )
        lines[place] = line
    return Source(name, data, lines)


def _walk(node: Any, place: Place) -> Iterator[tuple[Place, int]]:
    if node.id == "mapping":
        for key, value in node.value:
            inner = (*place, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from _walk(value, inner)
    elif node.id == "sequence":
        for index, value in enumerate(node.value):
            yield (*place, index), value.start_mark.line + 1
            yield from _walk(value, (*place, index))


def told(error: ValidationError, source: Source, definition: type) -> Iterator[str]:
    """What is wrong with a file, in the order of its lines.

    Args:
        error: What pydantic found.
        source: The file.
        definition: What it was to be.
    """
    found: dict[Place, list[Any]] = {}
    for one in error.errors():
        found.setdefault(_real(one["loc"], source.data, missing=one["type"] == "missing"), []).append(one)
    inner = {place[:size] for place in found for size in range(len(place))}
    for place in sorted(found, key=lambda place: source.line(*place)):
        if place not in inner:  # else an alternative that was not meant: something is wrong deeper inside
            yield _said(place, found[place], source, definition)


def _said(place: Place, errors: list[Any], source: Source, definition: type) -> str:
    """What is wrong at a place; of alternatives, with none of them."""
    words = ".".join(map(str, place))
    if any(one["type"] in ("extra_forbidden", "unexpected_keyword_argument") for one in errors):
        known = _keys(place[:-1], definition)
        meant, there_are = did_you_mean(str(place[-1]), known), ", ".join(known)
        return f"{source.at(*place)}: there is no key {words!r}{meant}; there are: {there_are}"
    own = [str(one["ctx"]["error"]) for one in errors if isinstance(one.get("ctx", {}).get("error"), DefinitionError)]
    if own:
        return f"{source.at(*place)}: {words}: {own[0]}"
    messages = " or: ".join(dict.fromkeys(_CLASS.sub("", one["msg"]) for one in errors))
    return f"{source.at(*place)}: {words}: {messages}, got {errors[0]['input']!r}"


def _real(place: Place, data: Any, *, missing: bool) -> Place:
    """A place without the names of alternative types that pydantic puts into it; a missing key ends it."""
    found: list[str | int] = []
    for key in place:
        inside = isinstance(data, Mapping) and key in data
        if inside or (isinstance(data, list) and isinstance(key, int) and key < len(data)):
            found.append(key)
            data = data[key]
    return (*found, place[-1]) if missing else tuple(found)


def _known(place: Place, lines: Mapping[Place, int]) -> Place:
    """The longest beginning of a place that is one of the file: what follows names alternatives of a type."""
    return next((place[:size] for size in range(len(place), 0, -1) if place[:size] in lines), place[:1])


def _keys(place: Place, definition: type) -> list[str]:
    """The keys that an object of the definition may have."""
    model: Any = definition
    for key in place:
        if isinstance(key, str):
            hint = get_type_hints(model)[key]
            model = next(one for one in (hint, *get_args(hint)) if is_dataclass(one) or hasattr(one, "model_fields"))
    return list(getattr(model, "model_fields", None) or [one.name for one in fields(model)])
