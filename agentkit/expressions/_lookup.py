"""Reading fields and items of JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agentkit.expressions._bounds import Refusal, kind_of, mistyped
from agentkit.expressions._operations import as_integer
from agentkit.expressions.functions import FUNCTIONS
from agentkit.messages import Json

_SHOWN_NAMES: Final = 12


def listed(found: Mapping[str, Json]) -> str:
    """The first names of an object or a scope, for messages."""
    shown = [str(name) for name in list(found)[:_SHOWN_NAMES]]
    return (", ".join(shown) or "none") + (", …" if len(found) > _SHOWN_NAMES else "")


def no_field(value: Json, key: str) -> Refusal:
    """Why `value` has no field `key`."""
    if type(value) is dict:
        return Refusal(f"no field {key!r}; fields are {listed(value)}")
    if type(value) is str and key in FUNCTIONS:
        return mistyped(f"a text has no field {key!r}; write {key}(…)")
    return mistyped(f"{kind_of(value)} has no field {key!r}")


def looked_up(value: Json, at: Json) -> Json:
    """The item at an index, or the field of an object.

    Raises:
        Refusal: There is none.
    """
    if type(value) is dict:
        if type(at) is not str:
            raise mistyped(f"an object has no {kind_of(at)} as key; expected a text")
        raise no_field(value, at)
    if type(value) is not list and type(value) is not str:
        raise mistyped(f"{kind_of(value)} has no items")
    if type(at) is str and type(value) is list:
        raise mistyped(f"a list has no field {at!r}; take an item first, e.g. [0]")
    index = as_integer(at, "the index")
    if -len(value) <= index < len(value):
        return value[index]
    unit = "item" if type(value) is list else "character"
    length = f"{len(value):,} {unit}{'' if len(value) == 1 else 's'}"
    raise Refusal(f"index {index} is outside {kind_of(value)} of {length}")
