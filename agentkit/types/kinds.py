"""The types themselves: frozen, hashable descriptions of sets of JSON values, with compact text for models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = None | bool | int | float | str

_SHOWN_VALUES = 12


class Type:
    """Base of all types; ``str(t)`` is the text that a model reads, e.g. ``list[{name: string, price: number}]``."""

    __slots__ = ()

    def describe(self) -> str:
        """Compact readable text of the type."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.describe()


@dataclass(frozen=True, slots=True)
class AnyType(Type):
    """Every JSON value: nothing is known before run time."""

    def describe(self) -> str:
        """``any``."""
        return "any"


@dataclass(frozen=True, slots=True)
class NeverType(Type):
    """No value at all."""

    def describe(self) -> str:
        """``nothing``."""
        return "nothing"


@dataclass(frozen=True, slots=True)
class NullType(Type):
    """Only null."""

    def describe(self) -> str:
        """``null``."""
        return "null"


@dataclass(frozen=True, slots=True)
class BooleanType(Type):
    """True and false; booleans are not numbers."""

    def describe(self) -> str:
        """``boolean``."""
        return "boolean"


@dataclass(frozen=True, slots=True)
class IntegerType(Type):
    """Whole numbers (``1.0`` is one, as in JSON Schema) within inclusive bounds."""

    minimum: int | None = None
    maximum: int | None = None

    def describe(self) -> str:
        """E.g. ``integer 1..10``."""
        return "integer" + _bounds(self.minimum, self.maximum)


@dataclass(frozen=True, slots=True)
class NumberType(Type):
    """Numbers within bounds, which are inclusive unless said otherwise."""

    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False

    def describe(self) -> str:
        """E.g. ``number > 0``."""
        if not self.exclusive_minimum and not self.exclusive_maximum:
            return "number" + _bounds(self.minimum, self.maximum)
        parts = []
        if self.minimum is not None:
            parts.append(f"{'>' if self.exclusive_minimum else '>='} {self.minimum}")
        if self.maximum is not None:
            parts.append(f"{'<' if self.exclusive_maximum else '<='} {self.maximum}")
        return " ".join(["number", *parts])


@dataclass(frozen=True, slots=True)
class StringType(Type):
    """Texts, with JSON Schema's format and pattern, and lengths in characters."""

    format: str | None = None
    pattern: str | None = None
    min_length: int = 0
    max_length: int | None = None

    def describe(self) -> str:
        """E.g. ``string (date)``."""
        notes = [self.format] if self.format else []
        if self.pattern is not None:
            notes.append(f"matching /{self.pattern}/")
        if length := _bounds(self.min_length or None, self.max_length).strip():
            notes.append(f"{length} characters")
        return f"string ({', '.join(notes)})" if notes else "string"


@dataclass(frozen=True, slots=True, eq=False)
class LiteralType(Type):
    """Exactly these scalars. ``true`` differs from ``1``; ``1`` and ``1.0`` are one number; order does not matter."""

    values: tuple[Scalar, ...]

    def _key(self) -> frozenset[tuple[bool, Scalar]]:
        return frozenset((type(value) is bool, value) for value in self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiteralType) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def describe(self) -> str:
        """E.g. ``"a" | "b"``."""
        shown = [json.dumps(value, ensure_ascii=False) for value in self.values[:_SHOWN_VALUES]]
        if len(self.values) > _SHOWN_VALUES:
            shown.append(f"… ({len(self.values)} values)")
        return " | ".join(shown)


@dataclass(frozen=True, slots=True)
class ArrayType(Type):
    """Lists. Read element types with `item_type`, which knows about `prefix`.

    Attributes:
        items: The type of the elements after `prefix`; `NEVER` where there can be none.
        min_items: The least length.
        max_items: The greatest length; None where it is not known.
        prefix: The types of the first elements, of tuples and of lists written out.
    """

    items: Type
    min_items: int = 0
    max_items: int | None = None
    prefix: tuple[Type, ...] = ()

    def describe(self) -> str:
        """E.g. ``list[string]``, or ``[integer, string]`` for a tuple."""
        if not self.prefix:
            if self.max_items == 0:
                return "[]"
            length = _bounds(self.min_items or None, self.max_items).strip()
            return f"list[{self.items}]" + (f" of {length}" if length else "")
        shown = [str(item) for item in self.prefix]
        if self.max_items is None or self.max_items > len(self.prefix):
            shown.append(f"...{self.items}")
        return f"[{', '.join(shown)}]"


@dataclass(frozen=True, slots=True)
class ObjectType(Type):
    """Objects.

    Attributes:
        fields: ``(name, type, required)`` of each declared field.
        additional: The type of fields that are not declared; None if there can be none (a closed object).
    """

    fields: tuple[tuple[str, Type, bool], ...] = ()
    additional: Type | None = None

    def find(self, name: str) -> tuple[Type, bool] | None:
        """The type of a declared field and whether it is required; None if it is not declared."""
        for field, kind, required in self.fields:
            if field == name:
                return kind, required
        return None

    def describe(self) -> str:
        """E.g. ``{name: string, price?: number}``."""
        if not self.fields and isinstance(self.additional, AnyType):
            return "object"
        shown = [f"{_key(name)}{'' if required else '?'}: {kind}" for name, kind, required in self.fields]
        if self.additional is not None and not isinstance(self.additional, AnyType):
            shown.append(f"...: {self.additional}")
        return "{" + ", ".join(shown) + "}"


@dataclass(frozen=True, slots=True, eq=False)
class UnionType(Type):
    """Values of any of the members; made by `join`, which normalises. Order does not matter."""

    members: tuple[Type, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnionType) and frozenset(self.members) == frozenset(other.members)

    def __hash__(self) -> int:
        return hash(frozenset(self.members))

    def describe(self) -> str:
        """E.g. ``string | null``; null comes last."""
        ordered = sorted(self.members, key=lambda member: isinstance(member, NullType))
        return " | ".join(str(member) for member in ordered)


@dataclass(frozen=True, slots=True)
class RefinedType(Type):
    """Values of `of` that satisfy something more, which types do not express (``multipleOf``, ``not``, …).

    Whatever flows into `of` may flow into it, but is never sure to; as a source it is as good as `of`.
    """

    of: Type

    def describe(self) -> str:
        """As `of`."""
        return str(self.of)


ANY = AnyType()
NEVER = NeverType()
NULL = NullType()
BOOLEAN = BooleanType()
INTEGER = IntegerType()
NUMBER = NumberType()
STRING = StringType()
ARRAY = ArrayType(ANY)
OBJECT = ObjectType((), ANY)
UNKNOWN = RefinedType(ANY)
"""A type that could not be read: anything may be right, nothing is sure to be."""


def refined(t: Type) -> Type:
    """`t` with a further condition that types do not express."""
    return t if isinstance(t, RefinedType | NeverType) else RefinedType(t)


def unrefined(t: Type) -> Type:
    """`t` without the conditions that types do not express."""
    return t.of if isinstance(t, RefinedType) else t


def members_of(t: Type) -> Iterable[Type]:
    """The alternatives of `t`: the members of a union, else `t` itself; conditions of `RefinedType` are dropped."""
    if isinstance(t, RefinedType):
        return members_of(t.of)
    if isinstance(t, UnionType):
        return [inner for member in t.members for inner in members_of(member)]
    return (t,)


def literal(*values: Scalar) -> Type:
    """The type of exactly these scalars, duplicates removed; `NEVER` if there are none."""
    distinct: dict[tuple[bool, Scalar], Scalar] = {}
    for value in values:
        distinct.setdefault((type(value) is bool, value), value)
    return LiteralType(tuple(distinct.values())) if distinct else NEVER


def _bounds(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if low is not None and high is not None:
        return f" {low}" if low == high else f" {low}..{high}"
    return f" >= {low}" if low is not None else f" <= {high}"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name, ensure_ascii=False)
