"""The expression language as frozen data.

Every value in a plan is one of these nodes: a JSON literal, a reference, an operation on them, or a text template.
Nodes are immutable and hashable, so plans are too. `Literal` holds scalars only: lists and objects are `ListOf` and
`ObjectOf`, so that one value has one shape in both spellings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A JSON scalar. ``true``, ``1`` and ``1.0`` are three different literals, though Python takes them for equal."""

    value: None | bool | int | float | str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Name:
    """A reference to an input, a step, or a name that an enclosing construct binds."""

    id: str


@dataclass(frozen=True, slots=True)
class Field:
    """``of.key``: key lookup in a JSON object."""

    of: Expr
    key: str


@dataclass(frozen=True, slots=True)
class Item:
    """``of[index]``: list index or object key."""

    of: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Slice:
    """``of[start:stop:step]`` of a list or a text."""

    of: Expr
    start: Expr | None = None
    stop: Expr | None = None
    step: Expr | None = None


@dataclass(frozen=True, slots=True)
class Unary:
    """``-x``, ``+x`` or ``not x``."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """``left op right`` with op one of ``+ - * / // % **``."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare:
    """``first ops[0] rest[0] ops[1] rest[1] …`` with ops of ``== != < <= > >= in not-in is is-not``."""

    first: Expr
    ops: tuple[str, ...]
    rest: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Logical:
    """``a and b and …`` or ``a or b or …``."""

    op: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """``then if condition else otherwise``."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class ListOf:
    """``[a, b, …]``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """``{k: v, …}``; keys evaluate to text."""

    items: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True, slots=True)
class Comprehension:
    """``[element for targets in source if condition]``; with `key`, ``{key: element for …}``."""

    element: Expr
    targets: tuple[str, ...]
    source: Expr
    condition: Expr | None = None
    key: Expr | None = None


@dataclass(frozen=True, slots=True)
class Lambda:
    """``lambda item: body``; allowed only as ``key=`` of sorted, min and max."""

    item: str
    body: Expr


@dataclass(frozen=True, slots=True)
class Apply:
    """A call of one of the fixed pure functions (`agentkit.expressions.FUNCTIONS`)."""

    function: str
    args: tuple[Expr, ...] = ()
    keywords: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """Text with interpolated values, at least one of them; ``f"{x:.2f}"`` is ``Apply("format", …)`` as a part."""

    parts: tuple[str | Expr, ...]


@dataclass(frozen=True, slots=True)
class Malformed:
    """Text that is not an expression; kept so that the checker can report it among all other problems."""

    text: str
    problem: str


Expr: TypeAlias = (
    Literal
    | Name
    | Field
    | Item
    | Slice
    | Unary
    | Binary
    | Compare
    | Logical
    | Conditional
    | ListOf
    | ObjectOf
    | Comprehension
    | Lambda
    | Apply
    | Template
    | Malformed
)


def children(expr: Expr) -> Iterator[Expr]:
    """The direct sub-expressions of `expr`, in source order."""
    match expr:
        case Literal() | Name() | Malformed():
            return
        case Field(of):
            yield of
        case Item(of, index):
            yield of
            yield index
        case Slice(of, start, stop, step):
            yield of
            yield from (part for part in (start, stop, step) if part is not None)
        case Unary(_, operand):
            yield operand
        case Binary(_, left, right):
            yield left
            yield right
        case Compare(first, _, rest):
            yield first
            yield from rest
        case Logical(_, operands):
            yield from operands
        case Conditional(condition, then, otherwise):
            yield condition
            yield then
            yield otherwise
        case ListOf(items):
            yield from items
        case ObjectOf(pairs):
            for key, value in pairs:
                yield key
                yield value
        case Comprehension(element, _, source, condition, key):
            yield source
            yield from (part for part in (condition, key) if part is not None)
            yield element
        case Lambda(_, body):
            yield body
        case Apply(_, args, keywords):
            yield from args
            for _, value in keywords:
                yield value
        case Template(parts):
            yield from (part for part in parts if not isinstance(part, str))


def deeper_than(expr: Expr, most: int) -> bool:
    """Whether `expr` has more than `most` levels."""
    level = [expr]
    for _ in range(most):
        level = [child for parent in level for child in children(parent)]
        if not level:
            return False
    return True


_NO_NAMES: frozenset[str] = frozenset()


def names(expr: Expr) -> frozenset[str]:
    """The free names of `expr`: what it refers to outside itself."""
    while isinstance(expr, Field):
        expr = expr.of
    if isinstance(expr, Name):
        return frozenset((expr.id,))
    if isinstance(expr, Literal):
        return _NO_NAMES
    match expr:
        case Comprehension(element, targets, source, condition, key):
            inner = names(element)
            for part in (condition, key):
                if part is not None:
                    inner |= names(part)
            return names(source) | (inner - frozenset(targets))
        case Lambda(item, body):
            return names(body) - {item}
        case _:
            found = _NO_NAMES
            for child in children(expr):
                found |= names(child)
            return found
