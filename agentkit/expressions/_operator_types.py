"""The types of operators' results, for types that are no unions, and what may be asked of types."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from agentkit.expressions.functions import items_of
from agentkit.types import (
    ANY,
    ARRAY,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    AnyType,
    ArrayType,
    Flow,
    LiteralType,
    NeverType,
    RefinedType,
    StringType,
    Type,
    UnionType,
    element_at,
    flows,
    join,
    literal,
    members_of,
)

_ORDERED = (NUMBER, STRING, ARRAY)
_ADDED = join([NUMBER, STRING, ARRAY])
_CONTAINERS = join([ARRAY, OBJECT, STRING])
_MOST_PAIRS = 64


def may(source: Type, target: Type) -> bool:
    """Whether some value of `source` can belong to `target`."""
    return flows(source, target) is not Flow.NO


def operation(op: str, left: Type, right: Type) -> Type | None:
    """The type of ``left op right``; None if it can never be."""
    if _is_simple(left) and _is_simple(right):
        return _one_operation(op, left, right)
    pairs = list(product(_parts(left), _parts(right)))
    if len(pairs) > _MOST_PAIRS:
        return ANY
    results = [result for one, other in pairs if (result := _one_operation(op, one, other)) is not None]
    return join(results) if results else None


def _is_simple(t: Type) -> bool:
    """Whether a type has no alternatives that could behave differently."""
    if isinstance(t, LiteralType):
        return len(t.values) == 1
    return not isinstance(t, UnionType | RefinedType)


def _parts(t: Type) -> Iterable[Type]:
    """The alternatives of a type, with literals of different kinds apart."""
    for member in members_of(t):
        if isinstance(member, LiteralType):
            texts = [value for value in member.values if isinstance(value, str)]
            others = [value for value in member.values if not isinstance(value, str)]
            yield from (part for part in (literal(*texts), literal(*others)) if not isinstance(part, NeverType))
        else:
            yield member


def _one_operation(op: str, left: Type, right: Type) -> Type | None:
    if isinstance(left, AnyType) or isinstance(right, AnyType):
        return _operation_on_any(op, right if isinstance(left, AnyType) else left)
    if may(left, NUMBER) and may(right, NUMBER):
        whole = flows(left, INTEGER) is Flow.YES and flows(right, INTEGER) is Flow.YES
        return INTEGER if whole and op in ("+", "-", "*", "//", "%") else NUMBER
    if op == "+":
        if may(left, STRING) and may(right, STRING):
            return STRING
        if isinstance(left, ArrayType) and isinstance(right, ArrayType):
            most = None if left.max_items is None or right.max_items is None else left.max_items + right.max_items
            return ArrayType(join((items_of(left), items_of(right))), left.min_items + right.min_items, most)
    if op == "*":
        for one, other in ((left, right), (right, left)):
            if may(other, NUMBER) and may(one, STRING):
                return STRING
            if may(other, NUMBER) and isinstance(one, ArrayType):
                return ArrayType(items_of(one))
    return None


def _operation_on_any(op: str, known: Type) -> Type | None:
    if op in ("+", "*"):
        return ANY if may(known, _ADDED) else None
    return NUMBER if may(known, NUMBER) else None


def operation_hint(op: str, left: Type, right: Type) -> str:
    """What to write instead of an operation that there is not; empty if nothing is known."""
    dates = [isinstance(t, StringType) and t.format in ("date", "date-time") for t in (left, right)]
    if op in "+-" and dates[0] and may(right, NUMBER):
        return f"Write add_days(date, {'-n' if op == '-' else 'n'})."
    if op == "-" and all(dates):
        return "Write days_between(start, end)."
    texts = may(left, STRING) or may(right, STRING)
    return 'Write an f-string, e.g. f"{a}{b}".' if texts and op in "+%" else ""


def whole_or_number(t: Type) -> Type:
    """The type of a number with its sign changed."""
    return INTEGER if flows(t, INTEGER) is Flow.YES else NUMBER


def ordered(left: Type, right: Type) -> bool:
    """Whether values of the types may be compared by order."""
    return any(may(left, kind) and may(right, kind) for kind in _ORDERED)


def contained(item: Type, container: Type) -> bool:
    """Whether it can be asked if a value of one type is in one of the other."""
    if not may(container, _CONTAINERS):
        return False
    only_text = all(flows(member, STRING) is Flow.YES for member in members_of(container))
    return not only_text or may(item, STRING)


def element(t: Type, index: int) -> Type | None:
    """The type of the item at a literal index; None if no value of `t` has one there."""
    found: list[Type] = []
    for member in members_of(t):
        if not isinstance(member, ArrayType):
            found += [ANY] if may(member, ARRAY) else []
            continue
        length = member.max_items
        if length is not None and not -length <= index < length:
            continue
        if index >= 0:
            found.append(element_at(member, index))
        elif length is not None and member.min_items == length:
            found.append(element_at(member, length + index))
        else:
            found.append(items_of(member))
    return join(found) if found else None
