"""Forgetting what is only true of one value: literals, lengths and bounds."""

from __future__ import annotations

from agentkit.types.algebra import join
from agentkit.types.kinds import (
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    ArrayType,
    IntegerType,
    LiteralType,
    NumberType,
    ObjectType,
    RefinedType,
    Scalar,
    StringType,
    Type,
    UnionType,
)


def widen(t: Type) -> Type:
    """The kind of value that `t` is, for a name whose value will change: ``0`` is widened to ``integer``.

    Formats of texts stay, since they are kept by what produces them; enums, bounds and lengths go.
    """
    match t:
        case LiteralType(values):
            return join(_kind(value) for value in values)
        case IntegerType():
            return INTEGER
        case NumberType():
            return NUMBER
        case StringType(format=format):
            return StringType(format=format)
        case ArrayType(items, prefix=prefix):
            return ArrayType(join(widen(item) for item in (*prefix, items)))
        case ObjectType(fields, additional):
            return ObjectType(
                tuple((name, widen(kind), required) for name, kind, required in fields),
                None if additional is None else widen(additional),
            )
        case UnionType(members):
            return join(widen(member) for member in members)
        case RefinedType(of):
            return widen(of)
        case _:
            return t


def _kind(value: Scalar) -> Type:
    if value is None:
        return NULL
    return {bool: BOOLEAN, int: INTEGER, float: NUMBER, str: STRING}[type(value)]
