"""Types as Python-like text: how a tool's signature looks in a prompt."""

from __future__ import annotations

import json

from agentkit.types import (
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
    StringType,
    Type,
    UnionType,
)

_TIMES = {"date": "date", "date-time": "datetime", "time": "time", "duration": "timedelta"}
_MOST_VALUES = 40


def python_text(of: Type) -> str:
    """Compact Python-like text, e.g. ``list[{name: str, price?: float}] | None``."""
    match of:
        case AnyType():
            return "Any"
        case NeverType():
            return "Never"
        case NullType():
            return "None"
        case BooleanType():
            return "bool"
        case IntegerType():
            return "int"
        case NumberType():
            return "float"
        case StringType(format=kind):
            return _TIMES.get(kind or "", "str")
        case LiteralType(values):
            return _literal(values)
        case ArrayType():
            return _array(of)
        case ObjectType():
            return _object(of)
        case UnionType(members):
            ordered = sorted(members, key=lambda member: isinstance(member, NullType))
            return " | ".join(dict.fromkeys(python_text(member) for member in ordered))
        case RefinedType(inner):
            return python_text(inner)
        case _:
            return str(of)


def _literal(values: tuple[object, ...]) -> str:
    shown = [json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value) for value in values]
    return " | ".join([*shown[:_MOST_VALUES], "…"] if len(shown) > _MOST_VALUES else shown)


def _array(of: ArrayType) -> str:
    if of.prefix:
        rest = [] if of.max_items == len(of.prefix) else ["..."]
        return f"tuple[{', '.join([*map(python_text, of.prefix), *rest])}]"
    return "list" if isinstance(of.items, AnyType) else f"list[{python_text(of.items)}]"


def _object(of: ObjectType) -> str:
    if not of.fields:
        known = of.additional is not None and not isinstance(of.additional, AnyType)
        return f"dict[str, {python_text(of.additional)}]" if known and of.additional is not None else "dict"
    fields = [f"{_key(name)}{'' if required else '?'}: {python_text(kind)}" for name, kind, required in of.fields]
    return f"{{{', '.join(fields)}}}"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name, ensure_ascii=False)
