"""JSON values in messages about plans that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping

from agentkit.messages import Json


def kind_of(value: Json) -> str:
    """What a JSON value is, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "an object"
        case _:
            return "a list"


def excerpt(value: Json) -> str:
    """A JSON value as text, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 200 else text[:199] + "…"
