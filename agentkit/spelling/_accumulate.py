"""Loops that only add to lists, numbers or objects: their rounds are independent, and what they add is gathered after.

``results.append(e)``, ``total += e`` and ``prices[key] = e`` do not make a loop sequential: each round gives what it
adds, and one expression puts the rounds together.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import TypeAlias

from agentkit.expressions.nodes import Apply, Binary, Comprehension, Expr, Item, ListOf, Literal, Name, ObjectOf
from agentkit.plan import Value
from agentkit.spelling._context import Frame, Lowerer
from agentkit.spelling._desugar import assign, constant, load

Kind: TypeAlias = OneOf["append", "extend", "add", "put"]

_ENTRY = "entry"


@dataclass(frozen=True, slots=True)
class Addition:
    """One statement that adds `added` to `name`; for ``put`` the pair of key and value."""

    name: str
    kind: Kind
    added: ast.expr


@dataclass(frozen=True, slots=True)
class Accumulator:
    """A name that a loop only adds to.

    Attributes:
        name: The name.
        kind: How it is added to.
        once: Every round adds exactly one thing, at the top level of the body.
        initial: Its value before the loop, as far as it is known.
    """

    name: str
    kind: Kind
    once: bool
    initial: Expr


def addition(stmt: ast.stmt, initial: Expr | None) -> Addition | None:
    """What a statement adds to a name, if that is all it does; `initial` tells lists from numbers."""
    match stmt:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=[item], keywords=[])):
            if attr == "append":
                return Addition(name, "append", item)
            return Addition(name, "extend", item) if attr == "extend" else None
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
            return _sum(name, op, value, initial)
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.BinOp(left=ast.Name(id=left), op=op, right=value)) if (
            left == name
        ):
            return _sum(name, op, value, initial)
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name), slice=key)], value=value):
            pair = ast.copy_location(ast.List([key, value], ast.Load()), stmt)
            return Addition(name, "put", pair)
        case _:
            return None


def _sum(name: str, op: ast.operator, value: ast.expr, initial: Expr | None) -> Addition | None:
    if isinstance(op, ast.Add) and isinstance(initial, ListOf):
        if isinstance(value, ast.List) and len(value.elts) == 1 and not isinstance(value.elts[0], ast.Starred):
            return Addition(name, "append", value.elts[0])
        return Addition(name, "extend", value)
    if not isinstance(op, ast.Add | ast.Sub) or not _is_number(initial):
        return None
    if isinstance(op, ast.Sub):
        value = ast.copy_location(ast.UnaryOp(ast.USub(), value), value)
    return Addition(name, "add", value)


def _is_number(expr: Expr | None) -> bool:
    return isinstance(expr, Literal) and isinstance(expr.value, int | float) and not isinstance(expr.value, bool)


def initial_value(frame: Frame, name: str) -> Expr | None:
    """The value of `name` where it is a literal, a list or an object that `frame` has computed."""
    bound = frame.scope.get(name)
    if isinstance(bound, Name):
        found = next((step for step in reversed(frame.steps) if step.id == bound.id), None)
        return found.value if isinstance(found, Value) else bound
    return bound


def accumulators(body: Sequence[ast.stmt], assigned: Sequence[str], frame: Frame) -> list[Accumulator]:
    """Those of the names `assigned` in `body` that it only adds to."""
    found = []
    for name in assigned:
        initial = initial_value(frame, name)
        if initial is None:
            continue
        parts = [one for one in _additions(body, initial) if one.name == name]
        kinds = {one.kind for one in parts}
        mentions = sum(isinstance(n, ast.Name) and n.id == name for stmt in body for n in ast.walk(stmt))
        if not parts or mentions != _mentions(body, name, initial) or not _possible(kinds, initial):
            continue
        top = [one for stmt in body if (one := addition(stmt, initial)) is not None and one.name == name]
        once = len(parts) == 1 == len(top) and parts[0].kind != "extend"
        kind: Kind = parts[0].kind if len(kinds) == 1 else "extend"
        found.append(Accumulator(name, kind, once, initial))
    return found


def _possible(kinds: set[Kind], initial: Expr) -> bool:
    if kinds <= {"append", "extend"}:
        return True
    return kinds == {"add"} or (kinds == {"put"} and initial == ObjectOf(()))


def _additions(body: Sequence[ast.stmt], initial: Expr) -> list[Addition]:
    found = (addition(node, initial) for stmt in body for node in ast.walk(stmt) if isinstance(node, ast.stmt))
    return [one for one in found if one is not None]


def _mentions(body: Sequence[ast.stmt], name: str, initial: Expr) -> int:
    """How often `name` is mentioned by the statements that add to it, and not in what they add."""
    count = 0
    for stmt in body:
        for node in ast.walk(stmt):
            one = addition(node, initial) if isinstance(node, ast.stmt) else None
            if one is not None and one.name == name:
                count += 2 if isinstance(node, ast.Assign) and one.kind != "put" else 1
    return count


def piecewise(low: Lowerer, body: Sequence[ast.stmt], found: Sequence[Accumulator]) -> tuple[list[ast.stmt], list[str]]:
    """The body of one round, which gathers what it adds under names of its own; the names, in the same order."""
    pieces = {one.name: low.fresh(one.name) for one in found}
    by_name = {one.name: one for one in found}
    start: list[ast.stmt] = []
    for one in found:
        if not one.once:
            zero = constant(0, body[0]) if one.kind == "add" else ast.copy_location(ast.List([], ast.Load()), body[0])
            start.append(assign(pieces[one.name], zero, body[0]))
    return [*start, *_Pieces(by_name, pieces).block(body)], list(pieces.values())


class _Pieces:
    """Makes additions to accumulators additions to the pieces of one round. What it changes, it copies."""

    def __init__(self, found: dict[str, Accumulator], pieces: dict[str, str]) -> None:
        self._found = found
        self._pieces = pieces

    def statement(self, node: ast.stmt) -> ast.stmt:
        """One statement with its additions changed."""
        for one in self._found.values():
            added = addition(node, one.initial)
            if added is not None and added.name == one.name:
                return self._added(added, one, node)
        if isinstance(node, ast.If | ast.For | ast.While | ast.With):
            changed = copy(node)
            changed.body = self.block(node.body)
            if isinstance(changed, ast.If):
                changed.orelse = self.block(changed.orelse)
            return changed
        return node

    def block(self, stmts: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements with their additions changed."""
        return [self.statement(stmt) for stmt in stmts]

    def _added(self, added: Addition, one: Accumulator, at: ast.stmt) -> ast.stmt:
        piece = self._pieces[one.name]
        if one.once:
            return assign(piece, added.added, at)
        if one.kind == "add":
            total = ast.copy_location(ast.BinOp(load(piece, at), ast.Add(), added.added), at)
            return assign(piece, total, at)
        method = "extend" if added.kind == "extend" else "append"
        function = ast.copy_location(ast.Attribute(load(piece, at), method, ast.Load()), at)
        call = ast.copy_location(ast.Call(function, [added.added], []), at)
        return ast.copy_location(ast.Expr(call), at)


def gathered(one: Accumulator, before: Expr, rounds: Expr) -> Expr:
    """The accumulator's value after the loop, from its value `before` and the list of what each round gave."""
    if one.kind == "add":
        total = Apply("sum", (rounds,))
        return total if one.initial == Literal(0) else Binary("+", before, total)
    items = rounds if one.once else Apply("flatten", (rounds,))
    if one.kind == "put":
        entry = Name(_ENTRY)
        return Comprehension(Item(entry, Literal(1)), (_ENTRY,), items, None, Item(entry, Literal(0)))
    return items if one.initial == ListOf(()) else Binary("+", before, items)
