"""From Python's syntax trees to expressions."""

from __future__ import annotations

import ast
import math
from typing import Final

from agentkit.expressions._bounds import MAX_BITS, MAX_DEPTH
from agentkit.expressions._calls import OnCall, UnsupportedError, bound_name, fold_sign, read_call, read_date_arithmetic
from agentkit.expressions._templates import template
from agentkit.expressions.nodes import (
    Apply,
    Binary,
    Compare,
    Comprehension,
    Conditional,
    Expr,
    Field,
    Item,
    ListOf,
    Literal,
    Logical,
    Malformed,
    Name,
    ObjectOf,
    Slice,
    Unary,
)

_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not-in",
    ast.Is: "is",
    ast.IsNot: "is-not",
}
_INSTEAD_OF_OPERATOR: Final[dict[type[ast.operator], str]] = {
    ast.BitAnd: "there is no '&'; write and",
    ast.BitOr: "there is no '|'; write or, or a new object such as {'a': x.a, 'b': y.b}",
    ast.BitXor: "there is no '^'; write ** for powers, or != for exclusive or",
    ast.MatMult: "there is no '@'; multiply with *",
    ast.LShift: "there is no '<<'; multiply with *",
    ast.RShift: "there is no '>>'; divide with //",
}
_INSTEAD: Final[dict[type[ast.expr], str]] = {
    ast.NamedExpr: "there is no ':='; name the value in a step of its own",
    ast.Await: "there is no 'await'; call the tool in a step of its own",
    ast.Yield: "there is no 'yield'; write a list",
    ast.YieldFrom: "there is no 'yield'; write a list",
    ast.Set: "sets are not JSON; write a list, and unique(items) to drop repetitions",
    ast.SetComp: "sets are not JSON; write unique([...])",
    ast.Starred: "there is no '*' unpacking; join lists with +",
    ast.Lambda: "lambda is for key= of sorted, min and max only",
}
_CONSTANTS: Final[dict[str, None | bool]] = {"true": True, "false": False, "null": None}
_SHOWN: Final = 200


class SyntaxReader:
    """Reads syntax trees. What expressions do not have becomes `Malformed` in its place; nothing raises.

    Args:
        on_call: Tried first for every call that is not of a pure function; what it returns stands for the call.
    """

    def __init__(self, on_call: OnCall | None = None) -> None:
        self._on_call = on_call
        self._depth = 0

    def read(self, node: ast.expr) -> Expr:
        """The expression of a syntax tree."""
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise UnsupportedError(f"the expression is nested more than {MAX_DEPTH} deep; split it into steps")
            return self._read(node)
        except UnsupportedError as error:
            return Malformed(_source(node), str(error))
        finally:
            self._depth -= 1

    def _read(self, node: ast.expr) -> Expr:
        match node:
            case ast.Constant(value=value):
                return _constant(value)
            case ast.Name(id=id):
                return Literal(_CONSTANTS[id]) if id in _CONSTANTS else Name(_plain_name(id))
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript(value=value, slice=index):
                return self._subscript(value, index)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp():
                return self._binary(node)
            case ast.Compare(left=first, ops=ops, comparators=rest):
                symbols = tuple(_COMPARE[type(op)] for op in ops)
                return Compare(self.read(first), symbols, tuple(self.read(part) for part in rest))
            case ast.BoolOp(op=op, values=values):
                return Logical("and" if isinstance(op, ast.And) else "or", tuple(self.read(part) for part in values))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return Conditional(self.read(test), self.read(body), self.read(orelse))
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return ListOf(tuple(self.read(item) for item in items))
            case ast.Dict(keys=keys, values=values):
                return ObjectOf(
                    tuple((self._key(key), self.read(value)) for key, value in zip(keys, values, strict=True))
                )
            case ast.ListComp(elt=element, generators=loops) | ast.GeneratorExp(elt=element, generators=loops):
                return self._comprehension(element, None, loops)
            case ast.DictComp(key=key, value=element, generators=loops):
                return self._comprehension(element, key, loops)
            case ast.Call():
                return read_call(node, self.read, self._on_call)
            case ast.JoinedStr(values=parts):
                return template(self._part(part) for part in parts)
            case _:
                raise UnsupportedError(_INSTEAD.get(type(node), "this is not part of expressions"))

    def _attribute(self, node: ast.Attribute) -> Expr:
        if node.attr.startswith("_"):
            raise UnsupportedError(
                f"attributes beginning with '_' do not exist; for a field of that name write x[{node.attr!r}]"
            )
        difference = node.value
        if node.attr == "days" and isinstance(difference, ast.BinOp) and isinstance(difference.op, ast.Sub):
            return Apply("days_between", (self.read(difference.right), self.read(difference.left)))
        return Field(self.read(node.value), node.attr)

    def _subscript(self, value: ast.expr, index: ast.expr) -> Expr:
        of = self.read(value)
        if isinstance(index, ast.Slice):
            bounds = [None if part is None else self.read(part) for part in (index.lower, index.upper, index.step)]
            return Slice(of, *bounds)
        found = self.read(index)
        if isinstance(found, Literal) and isinstance(found.value, str):
            return Field(of, found.value)
        return Item(of, found)

    def _unary(self, node: ast.UnaryOp) -> Expr:
        if isinstance(node.op, ast.Invert):
            raise UnsupportedError("there is no '~'; write not x")
        operand = self.read(node.operand)
        if isinstance(node.op, ast.Not):
            return Unary("not", operand)
        sign = "-" if isinstance(node.op, ast.USub) else "+"
        return fold_sign(sign, operand) or Unary(sign, operand)

    def _binary(self, node: ast.BinOp) -> Expr:
        if (moved := read_date_arithmetic(node, self.read)) is not None:
            return moved
        symbol = _BINARY.get(type(node.op))
        if symbol is None:
            raise UnsupportedError(_INSTEAD_OF_OPERATOR[type(node.op)])
        return Binary(symbol, self.read(node.left), self.read(node.right))

    def _key(self, key: ast.expr | None) -> Expr:
        if key is None:
            raise UnsupportedError("there is no '**' unpacking; write each field by its name")
        return self.read(key)

    def _comprehension(self, element: ast.expr, key: ast.expr | None, loops: list[ast.comprehension]) -> Expr:
        if len(loops) != 1:
            raise UnsupportedError("a comprehension has one 'for'; put a second one into a comprehension of its own")
        loop = loops[0]
        if loop.is_async:
            raise UnsupportedError("there is no 'async for'; write for")
        conditions = [self.read(test) for test in loop.ifs]
        condition = (
            None if not conditions else conditions[0] if len(conditions) == 1 else Logical("and", tuple(conditions))
        )
        return Comprehension(
            self.read(element),
            _targets(loop.target),
            self.read(loop.iter),
            condition,
            None if key is None else self.read(key),
        )

    def _part(self, part: ast.expr) -> str | Expr:
        """One part of an f-string."""
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            return part.value
        if not isinstance(part, ast.FormattedValue):
            return self.read(part)
        value = self.read(part.value)
        if part.conversion not in (-1, ord("s")):
            return Malformed(_source(part.value), "'!r', '!a' and '=' are not part of expressions; write {x}")
        spec = part.format_spec
        if not isinstance(spec, ast.JoinedStr) or not spec.values:
            return value
        texts = [
            piece.value for piece in spec.values if isinstance(piece, ast.Constant) and isinstance(piece.value, str)
        ]
        if len(texts) != len(spec.values):
            return Malformed(_source(part.value), "a format is fixed text, such as '.2f', without values in it")
        return Apply("format", (value, Literal("".join(texts))))


def _constant(value: object) -> Literal:
    if value is None or isinstance(value, bool | str):
        return Literal(value)
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise UnsupportedError(f"the number has more than {MAX_BITS:,} bits")
        return Literal(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnsupportedError("the number is too large")
        return Literal(value)
    if isinstance(value, bytes):
        raise UnsupportedError('bytes are not JSON; write a text, "..."')
    if isinstance(value, complex):
        raise UnsupportedError("complex numbers are not JSON; write a real number")
    raise UnsupportedError("'...' is not a value")


def _plain_name(name: str) -> str:
    if name.startswith("_") and name != "_":
        raise UnsupportedError(f"{name!r} is not a name of a plan; names begin with a letter")
    return name


def _targets(target: ast.expr) -> tuple[str, ...]:
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    if len(parts) == 1 and parts[0] is not target:
        raise UnsupportedError("write 'for x in', without a comma")
    found = [bound_name(part.id) for part in parts if isinstance(part, ast.Name)]
    if not found or len(found) != len(parts):
        raise UnsupportedError("'for' binds names, e.g. for x in items, or for a, b in pairs")
    return tuple(found)


def _source(node: ast.expr) -> str:
    try:
        text = ast.unparse(node)
    except (RecursionError, ValueError, AttributeError):
        return "…"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
