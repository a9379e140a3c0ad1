"""Joining and intersecting types."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

from agentkit.types.flows import Flow, accepts, element_at, flows, numbers_apart
from agentkit.types.kinds import (
    ANY,
    BOOLEAN,
    NEVER,
    NULL,
    NUMBER,
    STRING,
    AnyType,
    ArrayType,
    BooleanType,
    IntegerType,
    LiteralType,
    NeverType,
    NullType,
    NumberType,
    ObjectType,
    RefinedType,
    Scalar,
    StringType,
    Type,
    UnionType,
    literal,
    refined,
)

_MOST_MEMBERS = 24
_MOST_LITERALS = 1_000


def join(types: Iterable[Type]) -> Type:
    """The type of values of any of `types`: flat, without duplicates, and without members that others contain.

    Returns:
        `NEVER` for no types; `ANY` if any of them is; otherwise the one type left, or a union. Very wide unions are
        widened: scalars to their base types, everything else to `ANY`.
    """
    types = list(types)
    if len(types) == 1 and not isinstance(types[0], UnionType | LiteralType):
        return types[0]
    given = list(types)
    if len(given) == 1 and not isinstance(given[0], LiteralType | UnionType):
        return given[0]
    values: list[Scalar] = []
    members: dict[Type, None] = {}
    for member in _flat(given):
        if isinstance(member, AnyType):
            return ANY
        if isinstance(member, LiteralType):
            values.extend(member.values)
        else:
            members[member] = None
    others = list(members) if len(members) <= _MOST_MEMBERS else _widened(members)
    if len(values) > _MOST_LITERALS:
        others, values = [*others, *{_base(value): None for value in values}], []
    others = _maximal(others)
    left = literal(*(value for value in values if not any(accepts(other, value) is Flow.YES for other in others)))
    if isinstance(left, LiteralType) and _covers_booleans(left):
        left = literal(*(value for value in left.values if not isinstance(value, bool)))
        others = [*others, BOOLEAN]
    found = [*others] if isinstance(left, NeverType) else [left, *others]
    if not found:
        return NEVER
    return found[0] if len(found) == 1 else UnionType(tuple(found))


def _flat(types: Iterable[Type]) -> Iterable[Type]:
    for member in types:
        if isinstance(member, UnionType):
            yield from _flat(member.members)
        elif not isinstance(member, NeverType):
            yield member


def _maximal(members: list[Type]) -> list[Type]:
    kept: list[Type] = []
    for member in members:
        if any(flows(member, other) is Flow.YES for other in kept):
            continue
        kept = [other for other in kept if flows(other, member) is not Flow.YES]
        kept.append(member)
    return kept


def _covers_booleans(t: LiteralType) -> bool:
    return sum(isinstance(value, bool) for value in t.values) == 2


def _base(value: Scalar) -> Type:
    match value:
        case None:
            return NULL
        case bool():
            return BOOLEAN
        case str():
            return STRING
        case _:
            return NUMBER


def _widened(members: Iterable[Type]) -> list[Type]:
    found: dict[Type, None] = {}
    for member in members:
        match member:
            case IntegerType() | NumberType():
                found[NUMBER] = None
            case StringType():
                found[STRING] = None
            case NullType() | BooleanType():
                found[member] = None
            case ArrayType():
                found[ArrayType(ANY)] = None
            case ObjectType():
                found[ObjectType((), ANY)] = None
            case _:
                return [ANY]
    return list(found)


def meet(one: Type, other: Type) -> Type:
    """The type of values of both types; where types cannot say it exactly, a wider one marked `RefinedType`."""
    if isinstance(one, AnyType) or isinstance(other, NeverType) or one == other:
        return other
    if isinstance(other, AnyType) or isinstance(one, NeverType):
        return one
    if isinstance(one, RefinedType):
        return refined(meet(one.of, other))
    if isinstance(other, RefinedType):
        return refined(meet(one, other.of))
    if isinstance(one, UnionType):
        return join(meet(member, other) for member in one.members)
    if isinstance(other, UnionType):
        return join(meet(one, member) for member in other.members)
    if isinstance(one, LiteralType):
        return _filtered(one, other)
    if isinstance(other, LiteralType):
        return _filtered(other, one)
    match one, other:
        case (IntegerType() | NumberType(), IntegerType() | NumberType()):
            return _meet_numbers(one, other)
        case StringType(), StringType():
            return _meet_texts(one, other)
        case ArrayType(), ArrayType():
            return _meet_arrays(one, other)
        case ObjectType(), ObjectType():
            return _meet_objects(one, other)
        case _:
            return NEVER


def _filtered(values: LiteralType, t: Type) -> Type:
    answers = [(value, accepts(t, value)) for value in values.values]
    kept = literal(*(value for value, answer in answers if answer is not Flow.NO))
    return refined(kept) if any(answer is Flow.MAYBE for _, answer in answers) else kept


def _meet_numbers(one: IntegerType | NumberType, other: IntegerType | NumberType) -> Type:
    if numbers_apart(one, other):
        return NEVER
    if isinstance(one, IntegerType) or isinstance(other, IntegerType):
        left, right = whole_numbers(one), whole_numbers(other)
        low, high = _highest(left.minimum, right.minimum), _lowest(left.maximum, right.maximum)
        return NEVER if low is not None and high is not None and low > high else IntegerType(low, high)
    lows = (one.minimum, one.exclusive_minimum), (other.minimum, other.exclusive_minimum)
    highs = (one.maximum, one.exclusive_maximum), (other.maximum, other.exclusive_maximum)
    least, least_open = _tighter(*lows, greater=True)
    most, most_open = _tighter(*highs, greater=False)
    return NumberType(least, most, least_open, most_open)


def whole_numbers(t: IntegerType | NumberType) -> IntegerType:
    """The whole numbers of an interval."""
    if isinstance(t, IntegerType):
        return t
    low = None if t.minimum is None else math.ceil(t.minimum)
    high = None if t.maximum is None else math.floor(t.maximum)
    return IntegerType(
        low + 1 if low is not None and t.exclusive_minimum and low == t.minimum else low,
        high - 1 if high is not None and t.exclusive_maximum and high == t.maximum else high,
    )


_Bound: TypeAlias = tuple[float | None, bool]


def _tighter(one: _Bound, other: _Bound, *, greater: bool) -> _Bound:
    if one[0] is None or other[0] is None:
        return one if other[0] is None else other
    if one[0] == other[0]:
        return one[0], one[1] or other[1]
    return one if (one[0] > other[0]) == greater else other


def _highest(one: int | None, other: int | None) -> int | None:
    found = [bound for bound in (one, other) if bound is not None]
    return max(found) if found else None


def _lowest(one: int | None, other: int | None) -> int | None:
    found = [bound for bound in (one, other) if bound is not None]
    return min(found) if found else None


def _meet_texts(one: StringType, other: StringType) -> Type:
    if flows(one, other) is Flow.NO:
        return NEVER
    low = max(one.min_length, other.min_length)
    high = _lowest(one.max_length, other.max_length)
    met = StringType(one.format or other.format, one.pattern or other.pattern, low, high)
    lost = (other.format not in (None, met.format)) or (other.pattern not in (None, met.pattern))
    return refined(met) if lost else met


def _meet_arrays(one: ArrayType, other: ArrayType) -> Type:
    low = max(one.min_items, other.min_items)
    high = _lowest(one.max_items, other.max_items)
    length = max(len(one.prefix), len(other.prefix))
    prefix = tuple(meet(element_at(one, index), element_at(other, index)) for index in range(length))
    return array_of(meet(one.items, other.items), low, high, prefix)


def array_of(items: Type, low: int, high: int | None, prefix: tuple[Type, ...]) -> Type:
    """An array type whose length takes into account where no element can be; `NEVER` if no list fits."""
    for index, kind in enumerate((*prefix, items)):
        if isinstance(kind, NeverType):
            high = _lowest(high, index)
            prefix = prefix[:index]
            break
    if high is not None and low > high:
        return NEVER
    if high is not None and high <= len(prefix):
        prefix, items = prefix[:high], NEVER
    return ArrayType(items, low, high, prefix)


def _meet_objects(one: ObjectType, other: ObjectType) -> Type:
    fields: dict[str, tuple[Type, bool]] = {}
    for name in dict.fromkeys([field[0] for field in one.fields] + [field[0] for field in other.fields]):
        left, right = _as_field(one, name), _as_field(other, name)
        kind, required = meet(left[0], right[0]), left[1] or right[1]
        if isinstance(kind, NeverType) and required:
            return NEVER
        fields[name] = (kind, required)
    closed = one.additional is None or other.additional is None
    additional = None if one.additional is None or other.additional is None else meet(one.additional, other.additional)
    if isinstance(additional, NeverType):
        additional, closed = None, True
    return object_of(fields, additional, closed=closed)


def _as_field(t: ObjectType, name: str) -> tuple[Type, bool]:
    return t.find(name) or (NEVER if t.additional is None else t.additional, False)


def object_of(fields: dict[str, tuple[Type, bool]], additional: Type | None, *, closed: bool) -> Type:
    """An object type; a field that can never be there is left out of a closed one."""
    kept = tuple(
        (name, kind, required)
        for name, (kind, required) in fields.items()
        if not (closed and isinstance(kind, NeverType) and not required)
    )
    if any(required and isinstance(kind, NeverType) for _, kind, required in kept):
        return NEVER
    return ObjectType(kept, additional)
