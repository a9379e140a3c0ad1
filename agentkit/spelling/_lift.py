"""Take the calls out of an expression: each becomes a step before it, and keeps the condition it stood under."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from copy import copy

from agentkit.expressions.nodes import Compare, Expr, Field, ListOf, Literal, Name, Unary
from agentkit.plan import If, Parallel
from agentkit.spelling._calls import emit_call, has_steps, is_parallel, is_step
from agentkit.spelling._context import Frame, Lowerer, refuse
from agentkit.spelling._loops import collect

Lower = Callable[[Frame], Expr]


def lift(low: Lowerer, node: ast.expr, frame: Frame) -> ast.expr:
    """`node` with names of steps in place of calls; the steps are added to `frame` in the order of evaluation."""
    if not has_steps(low, node):
        return node
    match node:
        case ast.Lambda():
            refuse(node, "a lambda cannot call a tool.", "Call it in a for loop, and use its results.")
        case ast.NamedExpr():
            refuse(node, "there is no ':='.", "Name the value in a line of its own: x = …")
        case ast.Call() | ast.IfExp() | ast.BoolOp() | ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
            value = valued(low, node, frame, None)
            if value is not None:
                return _stand_in(low, node, value, frame)
        case ast.DictComp():
            return _stand_in(low, node, collect(low, node, frame, None), frame)
        case _:
            pass
    return _lift_parts(low, node, frame)


def valued(low: Lowerer, node: ast.expr, frame: Frame, target: str | None) -> Expr | None:
    """Lower a node that is a step as a whole, with the id of `target` if given; None if it is not."""
    match node:
        case ast.Call() if is_step(low, node):
            return _call(low, node, frame, target)
        case ast.IfExp() if has_steps(low, node.body) or has_steps(low, node.orelse):
            condition = low.expr(node.test, frame)
            return choose(
                low,
                frame,
                condition,
                lambda inner: low.expr(node.body, inner),
                lambda inner: low.expr(node.orelse, inner),
                target,
            )
        case ast.BoolOp() if any(has_steps(low, value) for value in node.values[1:]):
            return _logical(low, node, frame, target)
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp() if _has_inner_steps(low, node):
            return collect(low, node, frame, target)
        case _:
            return None


def _has_inner_steps(low: Lowerer, node: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp) -> bool:
    """Whether a comprehension calls tools for its items, not only for its list."""
    parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    conditions = [test for loop in node.generators for test in loop.ifs]
    later = [loop.iter for loop in node.generators[1:]]
    return any(has_steps(low, part) for part in (*parts, *conditions, *later))


def _stand_in(low: Lowerer, node: ast.expr, value: Expr, frame: Frame) -> ast.expr:
    """A name that stands for `value` where `node` stood."""
    if isinstance(value, Name) and value.id not in frame.scope:
        name = value.id
    else:
        name = low.fresh("value")
        frame.scope[name] = value
    return ast.copy_location(ast.Name(name, ast.Load()), node)


def _lift_parts(low: Lowerer, node: ast.expr, frame: Frame) -> ast.expr:
    """A copy of `node` with each part lifted."""
    changed = copy(node)
    for name, value in ast.iter_fields(node):
        setattr(changed, name, _lift_part(low, value, frame))
    return changed


def _lift_part(low: Lowerer, value: object, frame: Frame) -> object:
    match value:
        case ast.expr():
            return lift(low, value, frame)
        case list():
            return [_lift_part(low, item, frame) for item in value]
        case ast.keyword():
            return ast.copy_location(ast.keyword(value.arg, lift(low, value.value, frame)), value)
        case ast.comprehension():
            return ast.comprehension(value.target, lift(low, value.iter, frame), value.ifs, value.is_async)
        case _:
            return value


def choose(low: Lowerer, frame: Frame, condition: Expr, then: Lower, otherwise: Lower, target: str | None) -> Expr:
    """An `If` whose value is that of the side taken."""
    line = low.line
    id = low.ids.join(target) if target is not None else low.auto("if")
    sides = []
    for lower in (then, otherwise):
        inner = low.inner(frame, ast.Pass())
        low.close(inner, lower(inner), target or "value")
        sides.append(tuple(inner.steps))
        low.line = line
    return low.emit(frame, If(id, condition, sides[0], sides[1], line))


def _logical(low: Lowerer, node: ast.BoolOp, frame: Frame, target: str | None) -> Expr:
    """``a and f(b)`` is f(b) if a, and a otherwise; the pure operands before the first call are one condition."""
    split = next(i for i, value in enumerate(node.values) if i > 0 and has_steps(low, value))
    first = low.expr(_joined(node, node.values[:split]), frame)
    rest = _joined(node, node.values[split:])

    def later(inner: Frame) -> Expr:
        return low.expr(rest, inner)

    def settled(_: Frame) -> Expr:
        return Literal(isinstance(node.op, ast.Or)) if _is_boolean(first) else first

    if isinstance(node.op, ast.And):
        return choose(low, frame, first, later, settled, target)
    return choose(low, frame, first, settled, later, target)


def _joined(node: ast.BoolOp, values: Sequence[ast.expr]) -> ast.expr:
    return values[0] if len(values) == 1 else ast.copy_location(ast.BoolOp(node.op, list(values)), node)


def _is_boolean(expr: Expr) -> bool:
    return isinstance(expr, Compare) or (isinstance(expr, Unary) and expr.op == "not")


def _call(low: Lowerer, node: ast.Call, frame: Frame, target: str | None) -> Expr:
    if not is_parallel(node):
        return emit_call(low, node, frame, target)
    match node.args:
        case [ast.Starred(value=value)] if not node.keywords:
            found = valued(low, value, frame, target)
            return low.expr(value, frame) if found is None else found
        case _:
            return _parallel(low, node, frame, target)


def _parallel(low: Lowerer, node: ast.Call, frame: Frame, target: str | None) -> Expr:
    """``parallel(a=f(), b=g())``; of positional arguments, the value is the list of theirs."""
    parts = [(f"branch_{position + 1}", value) for position, value in enumerate(node.args)]
    for keyword in node.keywords:
        if keyword.arg is None:
            refuse(node, "branches cannot be spread with '**'.", "Write each branch by its name.")
        parts.append((keyword.arg, keyword.value))
    if not parts or any(isinstance(value, ast.Starred) for _, value in parts):
        refuse(node, "parallel(...) takes the calls to run.", "Write parallel(left=f(x), right=g(y)).")
    id = low.ids.claim(target) if target is not None else low.auto("parallel")
    branches = {}
    for name, value in parts:
        inner = low.inner(frame, value)
        low.close(inner, low.expr(value, inner), name)
        branches[name] = tuple(inner.steps)
    low.at(node)
    whole = low.emit(frame, Parallel(id, branches, low.line))
    if not node.args:
        return whole
    return ListOf(tuple(Field(whole, name) for name in branches))
