"""Give names other meanings inside an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentkit.expressions.nodes import (
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
    Malformed,
    Name,
    ObjectOf,
    Slice,
    Template,
    Unary,
    children,
)

Scope = Mapping[str, Expr]


def rename(expr: Expr, scope: Scope) -> Expr:
    """`expr` with each free name replaced by what `scope` says that it stands for."""
    if not scope:
        return expr
    match expr:
        case Name(id):
            return scope.get(id, expr)
        case Literal() | Malformed():
            return expr
        case Comprehension():
            return _comprehension(expr, scope)
        case Lambda(item, body):
            return Lambda(item, rename(body, _without(scope, (item,))))
        case _:
            return map_children(expr, lambda child: rename(child, scope))


def malformed(expr: Expr) -> Malformed | None:
    """The first part of `expr` that could not be read."""
    if isinstance(expr, Malformed):
        return expr
    return next((found for child in children(expr) if (found := malformed(child)) is not None), None)


def _without(scope: Scope, names: tuple[str, ...]) -> Scope:
    return {name: value for name, value in scope.items() if name not in names} if scope.keys() & names else scope


def _comprehension(expr: Comprehension, scope: Scope) -> Comprehension:
    inner = _without(scope, expr.targets)
    return Comprehension(
        rename(expr.element, inner),
        expr.targets,
        rename(expr.source, scope),
        None if expr.condition is None else rename(expr.condition, inner),
        None if expr.key is None else rename(expr.key, inner),
    )


def map_children(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """`expr` with `change` applied to each of its direct sub-expressions, whatever names it binds."""

    def maybe(part: Expr | None) -> Expr | None:
        return None if part is None else change(part)

    match expr:
        case Field(of, key):
            return Field(change(of), key)
        case Item(of, index):
            return Item(change(of), change(index))
        case Slice(of, start, stop, step):
            return Slice(change(of), maybe(start), maybe(stop), maybe(step))
        case Unary(op, operand):
            return Unary(op, change(operand))
        case Binary(op, left, right):
            return Binary(op, change(left), change(right))
        case Compare(first, ops, rest):
            return Compare(change(first), ops, tuple(map(change, rest)))
        case Logical(op, operands):
            return Logical(op, tuple(map(change, operands)))
        case Conditional(condition, then, otherwise):
            return Conditional(change(condition), change(then), change(otherwise))
        case ListOf(items):
            return ListOf(tuple(map(change, items)))
        case ObjectOf(pairs):
            return ObjectOf(tuple((change(key), change(value)) for key, value in pairs))
        case Apply(function, args, keywords):
            return Apply(function, tuple(map(change, args)), tuple((name, change(value)) for name, value in keywords))
        case Template(parts):
            return Template(tuple(part if isinstance(part, str) else change(part) for part in parts))
        case Comprehension(element, targets, source, condition, key):
            return Comprehension(change(element), targets, change(source), maybe(condition), maybe(key))
        case Lambda(item, body):
            return Lambda(item, change(body))
        case _:
            return expr
