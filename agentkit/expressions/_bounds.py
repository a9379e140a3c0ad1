"""The bounds of evaluation, and the refusals that say which one was met."""

from __future__ import annotations

from typing import Literal, TypeAlias

from agentkit.messages import Json

MAX_SOURCE = 4_000
"""Characters of one expression."""
MAX_DEPTH = 64
"""Nesting of one expression."""
MAX_TEXT = 1_000_000
"""Characters of one text."""
MAX_LIST = 100_000
"""Items of one list."""
MAX_BITS = 4_096
"""Bits of one integer."""
MAX_STEPS = 1_000_000
"""Nodes evaluated, items looked at, and pieces of text moved, in one evaluation."""
MAX_WEIGHT = 2_000_000
"""Values of one result all in all, however deep; eight characters of text count as one."""
MAX_VALUE_DEPTH = 200
"""Nesting of one value."""

_CHARACTERS_A_STEP = 64

Budget: TypeAlias = list[int]
"""One number: the steps left. A list, because closures share and count it down."""

RefusalKind: TypeAlias = Literal["type", "value", "bound"]


class Refusal(Exception):
    """Why an operation cannot be done; evaluation puts the source of the sub-expression before it.

    Attributes:
        kind: ``type`` if values of these types can never be operated on so, ``value`` if it is due to these values,
            ``bound`` if the result or the work would be too large.
    """

    def __init__(self, reason: str, kind: RefusalKind = "value") -> None:
        super().__init__(reason)
        self.kind: RefusalKind = kind


def mistyped(reason: str) -> Refusal:
    """A refusal for values of the wrong type."""
    return Refusal(reason, "type")


def too_large(reason: str) -> Refusal:
    """A refusal for going over a bound."""
    return Refusal(reason, "bound")


def charge(budget: Budget, steps: int) -> None:
    """Take `steps` from the budget.

    Raises:
        Refusal: There are not so many left.
    """
    budget[0] -= steps
    if budget[0] < 0:
        raise too_large(f"takes more than {MAX_STEPS:,} steps")


def charge_text(budget: Budget, length: int) -> None:
    """Take the steps for work on `length` characters."""
    charge(budget, 1 + length // _CHARACTERS_A_STEP)


def check_text(length: int) -> None:
    """Refuse a text of `length` characters if that is too long."""
    if length > MAX_TEXT:
        raise too_large(f"the text would have {length:,} characters; at most {MAX_TEXT:,} are allowed")


def check_list(length: int) -> None:
    """Refuse a list of `length` items if that is too long."""
    if length > MAX_LIST:
        raise too_large(f"the list would have {length:,} items; at most {MAX_LIST:,} are allowed")


def check_integer(value: int) -> int:
    """`value`, unless it has too many bits."""
    if value.bit_length() > MAX_BITS:
        raise too_large(f"the number would have {value.bit_length():,} bits; at most {MAX_BITS:,} are allowed")
    return value


def weigh(value: Json, most: int = MAX_WEIGHT) -> int:
    """How many values `value` holds, counted as it would be written: what is shared counts each time.

    Raises:
        Refusal: It weighs more than `most`, or is nested too deeply.
    """
    level = [value]
    weight = depth = 0
    while level:
        depth += 1
        if depth > MAX_VALUE_DEPTH:
            raise too_large(f"the value is nested more than {MAX_VALUE_DEPTH} deep")
        inner: list[Json] = []
        weight += len(level)
        for part in level:
            kind = type(part)
            if kind is str:
                weight += len(part) >> 3
            elif kind is list:
                inner += part
            elif kind is dict:
                weight += sum(map(len, part)) >> 3
                inner += part.values()
            elif kind is int:
                weight += part.bit_length() >> 5
            if weight + len(inner) > most:
                raise too_large(f"the value would be too large (more than {most:,} parts)")
        level = inner
    return weight


def kind_of(value: Json) -> str:
    """What a value is, as messages name it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"not JSON ({type(value).__name__})"
