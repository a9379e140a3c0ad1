"""Reading into types: fields of objects, items of lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentkit.types.algebra import join
from agentkit.types.kinds import (
    ANY,
    NEVER,
    AnyType,
    ArrayType,
    NeverType,
    ObjectType,
    Type,
    members_of,
)

Presence: TypeAlias = Literal["always", "sometimes"]


@dataclass(frozen=True, slots=True)
class Found:
    """What is there, and whether it always is."""

    type: Type
    presence: Presence


@dataclass(frozen=True, slots=True)
class NotFound:
    """It can never be there.

    Attributes:
        problem: Why, as a sentence without a full stop, e.g. ``no field 'prise' in {name: string, price: number}``.
        known: The names of the fields that exist, for suggestions.
    """

    problem: str
    known: tuple[str, ...] = ()


def field_type(t: Type, key: str) -> Found | NotFound:
    """The type of ``value.key`` for values of `t`.

    Returns:
        `Found`; its presence is ``always`` if every value of `t` is an object with that field. `NotFound` if no value
        of `t` has it. Of a union the members that have it count.
    """
    if isinstance(t, ObjectType):
        only = _field(t, key)
        if only is not None:
            return Found(only[0], "always" if only[1] else "sometimes")
    found: list[Type] = []
    known: dict[str, None] = {}
    sure, has_objects = True, False
    for member in members_of(t):
        if isinstance(member, AnyType | NeverType):
            found.append(member)
            sure = sure and isinstance(member, NeverType)
            continue
        field = _field(member, key) if isinstance(member, ObjectType) else None
        if isinstance(member, ObjectType):
            has_objects = True
            known |= dict.fromkeys(name for name, _, _ in member.fields)
        if field is None:
            sure = False
        else:
            found.append(field[0])
            sure = sure and field[1]
    if found:
        return Found(join(found), "always" if sure else "sometimes")
    problem = f"no field {key!r} in {t}" if has_objects else f"{t} has no fields"
    return NotFound(problem, tuple(known))


def _field(t: ObjectType, key: str) -> tuple[Type, bool] | None:
    declared = t.find(key)
    if declared is not None:
        return None if isinstance(declared[0], NeverType) else declared
    return None if t.additional is None else (t.additional, False)


def item_type(t: Type) -> Found | NotFound:
    """The type of the elements of lists of type `t`; ``always`` if every value of `t` is a list with some."""
    found: list[Type] = []
    sure = True
    for member in members_of(t):
        match member:
            case AnyType():
                found.append(ANY)
                sure = False
            case NeverType():
                found.append(NEVER)
            case ArrayType(items, min_items, _, prefix):
                found.append(join((*prefix, items)))
                sure = sure and min_items > 0
            case _:
                sure = False
    if not found:
        return NotFound(f"{t} is not a list")
    return Found(join(found), "always" if sure else "sometimes")
