"""Random expressions: of any form, and of a type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

from agentkit.expressions import (
    FUNCTIONS,
    Apply,
    Binary,
    Compare,
    Comprehension,
    Conditional,
    Expr,
    Field,
    Item,
    Lambda,
    ListOf,
    Literal,
    Logical,
    Name,
    ObjectOf,
    Slice,
    Unary,
)
from agentkit.expressions._calls import fold_sign
from agentkit.expressions._templates import template

Tag: TypeAlias = str | tuple["Tag"] | Mapping[str, "Tag"]
"""What a value is: ``int``, ``text``, ``bool`` or ``any``, ``(tag,)`` for a list of such, a mapping for an object."""

KEYS = ("name", "price", "from", "_id", "a b", "", "ﬁ", "year", "class", '"', "${x}")
CHARACTERS = "ab\"'{}$\\\n#%:.é \x00𝕩"
NUMBERS = (0, 1, 2, 3, 7, -1, -100, 10**20, 0.5, -0.0, 1e300, 1e-9)
OPERATORS = ("+", "-", "*", "/", "//", "%", "**")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in", "not-in", "is", "is-not")
SPECS = (".2f", ",", ">10", "%d %B", "'x'", "{", "")


class Expressions:
    """Draws expressions in the form that parsing gives them."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw

    def text(self) -> str:
        """A short text, often of characters that spellings must take care of."""
        return "".join(self.draw.choice(CHARACTERS) for _ in range(self.draw.randrange(6)))

    def literal(self) -> Expr:
        """A scalar."""
        match self.draw.randrange(4):
            case 0:
                return Literal(self.draw.choice((None, True, False)))
            case 1:
                return Literal(self.draw.choice(NUMBERS))
            case 2:
                return Literal(self.draw.choice(KEYS))
            case _:
                return Literal(self.text())

    # of any form

    def wild(self, names: Sequence[str], size: int, *, tools: Sequence[str] = ()) -> Expr:
        """An expression of any form over free names, with at most about `size` nodes.

        Args:
            names: The free names.
            size: How large it may be.
            tools: Names beside those of functions that may be called.
        """
        if size <= 1:
            return Name(self.draw.choice(names)) if names and self.draw.randrange(2) else self.literal()
        form = self.draw.choice(_FORMS)
        parts = self.draw.randint(1, 3)

        def inner(more: Sequence[str] = ()) -> Expr:
            return self.wild([*names, *more], (size - 1) // max(parts, 2), tools=tools)

        return form(self, inner, [*FUNCTIONS, *tools], parts)

    def bound(self) -> str:
        """A name that a comprehension or lambda binds."""
        return self.draw.choice(("x", "y", "_", "top", "item"))

    # of a type

    def of(self, tag: Tag, scope: Mapping[str, Tag], depth: int = 2) -> Expr:
        """An expression that is of type `tag` where names are what `scope` says."""
        known = [expr for name, kind in scope.items() for expr in _paths(Name(name), kind, tag, 2)]
        if known and self.draw.randrange(3):
            return self.draw.choice(known)
        if isinstance(tag, tuple):
            return self._list(tag[0], scope, depth)
        if isinstance(tag, Mapping):
            return ObjectOf(tuple((Literal(key), self.of(kind, scope, depth - 1)) for key, kind in tag.items()))
        forms = {"int": self._int, "text": self._text, "bool": self._bool}
        return forms[tag](scope, depth) if tag in forms else self.of(self.scalar(), scope, depth)

    def scalar(self) -> str:
        """The tag of a scalar."""
        return self.draw.choice(("int", "text", "bool"))

    def _int(self, scope: Mapping[str, Tag], depth: int) -> Expr:
        if depth <= 0:
            return Literal(self.draw.randrange(9))
        match self.draw.randrange(7):
            case 0 | 1:
                return Literal(self.draw.randrange(-3, 99))
            case 2:
                op = self.draw.choice("+-*")
                return Binary(op, self.of("int", scope, depth - 1), self.of("int", scope, depth - 1))
            case 3:
                items = self.of((self.draw.choice(("int", "text")),), scope, depth - 1)
                return Apply("len", (items,))
            case 4:
                return Apply("sum", (self.of(("int",), scope, depth - 1),))
            case 5:
                sides = self.of("int", scope, depth - 1), self.of("int", scope, depth - 1)
                return Conditional(self.of("bool", scope, depth - 1), *sides)
            case _:
                return Apply("abs", (self.of("int", scope, depth - 1),))

    def _text(self, scope: Mapping[str, Tag], depth: int) -> Expr:
        if depth <= 0 or self.draw.randrange(2):
            return Literal(self.draw.choice(("hat", "scarf", self.text())))
        match self.draw.randrange(3):
            case 0:
                parts = [self.text(), self.of("any", scope, depth - 1), " ", self.of("int", scope, depth - 1)]
                return template(parts)
            case 1:
                return Apply(self.draw.choice(("upper", "strip")), (self.of("text", scope, depth - 1),))
            case _:
                return Apply("join", (Literal(", "), self.of(("text",), scope, depth - 1)))

    def _bool(self, scope: Mapping[str, Tag], depth: int) -> Expr:
        if depth <= 0:
            return Literal(bool(self.draw.randrange(2)))
        match self.draw.randrange(4):
            case 0:
                return Unary("not", self.of("bool", scope, depth - 1))
            case 1:
                op = self.draw.choice(("and", "or"))
                return Logical(op, (self.of("bool", scope, depth - 1), self.of("bool", scope, depth - 1)))
            case 2:
                kind = self.draw.choice(("int", "text"))
                return Compare(self.of(kind, scope, depth - 1), ("in",), (self.of((kind,), scope, depth - 1),))
            case _:
                op = self.draw.choice(("==", "<", ">=", "!="))
                return Compare(self.of("int", scope, depth - 1), (op,), (self.of("int", scope, depth - 1),))

    def _list(self, tag: Tag, scope: Mapping[str, Tag], depth: int) -> Expr:
        if depth <= 0 or self.draw.randrange(2):
            return ListOf(tuple(self.of(tag, scope, depth - 1) for _ in range(self.draw.randrange(4))))
        kind: Tag = self.draw.choice(("int", "text"))
        item = self.draw.choice(("x", "y"))
        inner = {**scope, item: kind}
        test = self.of("bool", inner, depth - 1) if self.draw.randrange(2) else None
        return Comprehension(self.of(tag, inner, depth - 1), (item,), self.of((kind,), scope, depth - 1), test)


def _paths(expr: Expr, kind: Tag, wanted: Tag, depth: int) -> list[Expr]:
    """References into `expr`, which is of type `kind`, that are of the type wanted."""
    if kind == wanted or wanted == "any":
        return [expr]
    found: list[Expr] = []
    if isinstance(kind, Mapping) and depth:
        for key, inner in kind.items():
            found += _paths(Field(expr, key), inner, wanted, depth - 1)
    if isinstance(kind, tuple) and isinstance(kind[0], Mapping) and isinstance(wanted, tuple):
        found += [
            Comprehension(Field(Name("p"), key), ("p",), expr) for key, one in kind[0].items() if one == wanted[0]
        ]
    return found


_Inner: TypeAlias = Callable[..., Expr]
_Form: TypeAlias = Callable[[Expressions, _Inner, Sequence[str], int], Expr]


def _field(of: Expr, key: str) -> Expr:
    # The difference of two dates has days; it is read as days_between.
    return Field(of, "price" if key == "days" else key)


def _item(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    of, index = inner(), inner()
    return _field(of, index.value) if isinstance(index, Literal) and isinstance(index.value, str) else Item(of, index)


def _slice(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    bounds = [inner() if made.draw.randrange(2) else None for _ in range(3)]
    return Slice(inner(), *bounds)


def _unary(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    sign, operand = made.draw.choice(("+", "-", "not")), inner()
    return (None if sign == "not" else fold_sign(sign, operand)) or Unary(sign, operand)


def _compare(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    count = made.draw.randint(1, 2)
    return Compare(
        inner(), tuple(made.draw.choice(COMPARISONS) for _ in range(count)), tuple(inner() for _ in range(count))
    )


def _logical(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    return Logical(made.draw.choice(("and", "or")), tuple(inner() for _ in range(max(parts, 2))))


def _object(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    return ObjectOf(tuple((made.literal() if made.draw.randrange(3) else inner(), inner()) for _ in range(parts - 1)))


def _comprehension(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    targets = tuple(dict.fromkeys(made.bound() for _ in range(made.draw.randint(1, 2))))
    test, key = (inner(targets) if made.draw.randrange(3) == 0 else None for _ in range(2))
    return Comprehension(inner(targets), targets, inner(), test, key)


def _apply(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    names = dict.fromkeys(made.draw.choice(("default", "reverse", "start")) for _ in range(made.draw.randrange(2)))
    args = tuple(inner() for _ in range(parts - 1))
    return Apply(made.draw.choice(functions), args, tuple((name, inner()) for name in names))


def _keyed(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    item = made.bound()
    return Apply(made.draw.choice(("sorted", "min", "max")), (inner(),), (("key", Lambda(item, inner((item,)))),))


def _formatted(made: Expressions, inner: _Inner, functions: Sequence[str], parts: int) -> Expr:
    return template([Apply("format", (inner(), Literal(made.draw.choice(SPECS)))), " "])


_FORMS: tuple[_Form, ...] = (
    lambda made, inner, functions, parts: _field(inner(), made.draw.choice(KEYS)),
    _item,
    _slice,
    _unary,
    lambda made, inner, functions, parts: Binary(made.draw.choice(OPERATORS), inner(), inner()),
    _compare,
    _logical,
    lambda made, inner, functions, parts: Conditional(inner(), inner(), inner()),
    lambda made, inner, functions, parts: ListOf(tuple(inner() for _ in range(parts))),
    _object,
    _comprehension,
    _apply,
    _keyed,
    lambda made, inner, functions, parts: template([made.text(), inner(), made.text(), inner()]),
    _formatted,
)
