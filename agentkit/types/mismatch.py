"""Why a value can never be used where another is expected: the innermost reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentkit.types.flows import Flow, accepts, element_at, flows
from agentkit.types.formats import has_format, matches
from agentkit.types.kinds import (
    ArrayType,
    BooleanType,
    IntegerType,
    LiteralType,
    NullType,
    NumberType,
    ObjectType,
    Scalar,
    StringType,
    Type,
    UnionType,
    members_of,
    unrefined,
)

MismatchKind: TypeAlias = Literal["type", "enum", "range", "format", "missing", "unexpected"]
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why no value of the source belongs to the target.

    Attributes:
        path: Where inside the value: field names and positions; ``*`` stands for every item of a list.
        kind: What is wrong there; ``missing`` and ``unexpected`` are fields, and the path ends with their name.
        expected: What would be right, e.g. ``integer 1..10``.
        found: What is there, e.g. ``"twelve"``.
    """

    path: Path
    kind: MismatchKind
    expected: str
    found: str


def mismatch(source: Type, target: Type) -> Mismatch | None:
    """The innermost reason why ``flows(source, target)`` is NO; None if it is not."""
    return _reason(source, target, ()) if flows(source, target) is Flow.NO else None


def _reason(source: Type, target: Type, path: Path) -> Mismatch:
    source, target = unrefined(source), unrefined(target)
    if isinstance(source, UnionType):
        alike = [member for member in source.members if _kind(member) in _kinds(target)]
        return _reason((alike or list(source.members))[0], target, path)
    if isinstance(target, UnionType):
        near = [member for member in members_of(target) if _kind(source) in _kinds(member)]
        if len(near) == 1:
            return _reason(source, near[0], path)
        if near and all(isinstance(member, LiteralType) for member in near):
            return Mismatch(path, "enum", str(target), str(source))
        return Mismatch(path, "type", str(target), str(source))
    match source, target:
        case ArrayType(), ArrayType():
            return _array_reason(source, target, path)
        case ObjectType(), ObjectType():
            return _object_reason(source, target, path)
        case LiteralType(values), _:
            return _literal_reason(values, source, target, path)
        case _, LiteralType():
            kind: MismatchKind = "enum" if _kind(source) in _kinds(target) else "type"
            return Mismatch(path, kind, str(target), str(source))
        case (IntegerType() | NumberType(), IntegerType() | NumberType()):
            return Mismatch(path, "range", str(target), str(source))
        case StringType(), StringType():
            kind = "format" if source.format and target.format else "range"
            return Mismatch(path, kind, str(target), str(source))
        case _:
            return Mismatch(path, "type", str(target), str(source))


def _literal_reason(values: tuple[Scalar, ...], source: Type, target: Type, path: Path) -> Mismatch:
    value = values[0]
    if isinstance(target, LiteralType):
        near = _scalar_kind(value) in _kinds(target)
        return Mismatch(path, "enum" if near else "type", str(target), str(source))
    if isinstance(target, IntegerType | NumberType) and _scalar_kind(value) == "number":
        unbounded = IntegerType() if isinstance(target, IntegerType) else NumberType()
        kind: MismatchKind = "type" if accepts(unbounded, value) is Flow.NO else "range"
        return Mismatch(path, kind, str(target), str(source))
    if isinstance(target, StringType) and isinstance(value, str):
        badly_formed = (target.format is not None and has_format(value, target.format) is False) or (
            target.pattern is not None and matches(value, target.pattern) is False
        )
        return Mismatch(path, "format" if badly_formed else "range", str(target), str(source))
    return Mismatch(path, "type", str(target), str(source))


def _array_reason(source: ArrayType, target: ArrayType, path: Path) -> Mismatch:
    split = max(len(source.prefix), len(target.prefix))
    for index in range(min(source.min_items, split + 1)):
        if target.max_items is not None and index >= target.max_items:
            break
        one, other = element_at(source, index), element_at(target, index)
        if flows(one, other) is Flow.NO:
            return _reason(one, other, (*path, index if index < len(source.prefix) else "*"))
    return Mismatch(
        path, "range", _count(target.min_items, target.max_items), _count(source.min_items, source.max_items)
    )


def _count(low: int, high: int | None) -> str:
    if high is None:
        return f"at least {low} items"
    if low == high:
        return f"{low} item{'' if low == 1 else 's'}"
    return f"at most {high} items" if low == 0 else f"{low} to {high} items"


def _object_reason(source: ObjectType, target: ObjectType, path: Path) -> Mismatch:
    for name, kind, required in target.fields:
        found = source.find(name) or (None if source.additional is None else (source.additional, False))
        if found is None:
            if required:
                return Mismatch((*path, name), "missing", str(kind), str(source))
        elif flows(found[0], kind) is Flow.NO and (required or found[1]):
            return _reason(found[0], kind, (*path, name))
    declared = {name for name, _, _ in target.fields}
    for name, kind, present in source.fields:
        if name in declared or not present:
            continue
        if target.additional is None:
            return Mismatch((*path, name), "unexpected", str(target), str(kind))
        if flows(kind, target.additional) is Flow.NO:
            return _reason(kind, target.additional, (*path, name))
    return Mismatch(path, "type", str(target), str(source))


def _kinds(t: Type) -> set[str]:
    return {
        kind
        for member in members_of(t)
        for kind in (
            [_scalar_kind(value) for value in member.values] if isinstance(member, LiteralType) else [_kind(member)]
        )
    }


def _kind(t: Type) -> str:
    match unrefined(t):
        case LiteralType(values):
            return _scalar_kind(values[0])
        case NullType():
            return "null"
        case BooleanType():
            return "boolean"
        case IntegerType() | NumberType():
            return "number"
        case StringType():
            return "string"
        case ArrayType():
            return "array"
        case ObjectType():
            return "object"
        case _:
            return "any"


def _scalar_kind(value: Scalar) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case _:
            return "number"
