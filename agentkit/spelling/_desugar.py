"""Loops and early answers in the forms that plans have: ``if`` with ``else``, and one condition that ends a loop.

Everything here turns statements into statements; nothing is lowered yet.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TypeVar

from agentkit.spelling._flow import Flow, reads

Fresh = Callable[[str], str]
Stmts = list[ast.stmt]
Node = TypeVar("Node", bound=ast.AST)


def load(name: str, at: ast.AST) -> ast.expr:
    """A reference to `name`."""
    return _at(ast.Name(name, ast.Load()), at)


def assign(name: str, value: ast.expr, at: ast.AST) -> ast.stmt:
    """``name = value``."""
    return _at(ast.Assign([_at(ast.Name(name, ast.Store()), at)], value), at)


def branch(test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], at: ast.AST) -> ast.stmt:
    """``if test: body else: orelse``, turned round if only the else part has statements."""
    if not body and orelse:
        return branch(negated(test), orelse, [], at)
    return _at(ast.If(test, list(body) or [_at(ast.Pass(), at)], list(orelse)), at)


def negated(test: ast.expr) -> ast.expr:
    """``not test``."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return _at(ast.UnaryOp(ast.Not(), test), test)


def constant(value: bool | int | None, at: ast.AST) -> ast.expr:
    """A literal."""
    return _at(ast.Constant(value), at)


def _at(node: Node, at: ast.AST) -> Node:
    return ast.copy_location(node, at)


def is_answer(stmt: ast.stmt) -> bool:
    """Whether a statement is ``answer(…)`` or ``return …``."""
    match stmt:
        case ast.Expr(value=ast.Call(func=ast.Name(id="answer"))):
            return True
        case ast.Return():
            return True
        case _:
            return False


def may_answer(stmts: Sequence[ast.stmt]) -> bool:
    """Whether some path through the statements answers."""
    return any(is_answer(stmt) or any(may_answer(inner) for inner in _blocks(stmt)) for stmt in stmts)


def must_answer(stmts: Sequence[ast.stmt]) -> bool:
    """Whether every path through the statements answers."""
    return any(
        is_answer(stmt) or (isinstance(stmt, ast.If) and must_answer(stmt.body) and must_answer(stmt.orelse))
        for stmt in stmts
    )


def _blocks(stmt: ast.stmt) -> list[list[ast.stmt]]:
    match stmt:
        case ast.If(body=body, orelse=orelse):
            return [body, orelse]
        case ast.For(body=body) | ast.While(body=body) | ast.With(body=body):
            return [body]
        case _:
            return []


def without_answers_in_loop(loop: ast.For | ast.While, fresh: Fresh) -> Stmts:
    """A loop that ends where it answered: ``found = []``, the loop with ``found = [answer]; break``, and the answer."""
    found = fresh("found")
    body = _found_and_break(loop.body, found, fresh)
    if isinstance(loop, ast.For):
        ended: ast.stmt = _at(ast.For(loop.target, loop.iter, body, loop.orelse), loop)
    else:
        ended = _at(ast.While(loop.test, body, loop.orelse), loop)
    return [assign(found, _at(ast.List([], ast.Load()), loop), loop), ended, _answer_found(found, loop)]


def _answer_found(found: str, at: ast.AST) -> ast.stmt:
    length = _at(ast.Call(load("len", at), [load(found, at)], []), at)
    some = _at(ast.Compare(length, [ast.Gt()], [constant(0, at)]), at)
    first = _at(ast.Subscript(load(found, at), constant(0, at), ast.Load()), at)
    answer = _at(ast.Expr(_at(ast.Call(load("answer", at), [first], []), at)), at)
    return branch(some, [answer], [], at)


def _found_and_break(stmts: Sequence[ast.stmt], found: str, fresh: Fresh) -> Stmts:
    out: Stmts = []
    for stmt in stmts:
        if is_answer(stmt):
            value = _at(ast.List([answered(stmt)], ast.Load()), stmt)
            return [*out, assign(found, value, stmt), _at(ast.Break(), stmt)]
        match stmt:
            case ast.If(test=test, body=body, orelse=orelse) if may_answer([stmt]):
                then = _found_and_break(body, found, fresh)
                out.append(_at(ast.If(test, then, _found_and_break(orelse, found, fresh)), stmt))
            case ast.For() | ast.While() if may_answer([stmt]):
                out.extend(_found_and_break(without_answers_in_loop(stmt, fresh), found, fresh))
            case _:
                out.append(stmt)
    return out


def answered(stmt: ast.stmt) -> ast.expr:
    """What an answer statement answers: one value, the list of several, or the object of named ones."""
    match stmt:
        case ast.Return(value=value):
            return value if value is not None else constant(None, stmt)
        case ast.Expr(value=ast.Call(args=[value], keywords=[])):
            return value
        case ast.Expr(value=ast.Call(args=args, keywords=[])) if args:
            return _at(ast.List(list(args), ast.Load()), stmt)
        case ast.Expr(value=ast.Call(args=[], keywords=keywords)) if keywords and all(k.arg for k in keywords):
            keys: list[ast.expr | None] = [_at(ast.Constant(k.arg), stmt) for k in keywords]
            return _at(ast.Dict(keys, [k.value for k in keywords]), stmt)
        case _:
            return constant(None, stmt)


def without_continue(stmts: Sequence[ast.stmt]) -> Stmts:
    """The same without ``continue``: what follows one is what is done otherwise."""
    out: Stmts = []
    for position, stmt in enumerate(stmts):
        if isinstance(stmt, ast.Continue):
            return out
        if isinstance(stmt, ast.If) and _has(stmt, ast.Continue):
            rest = stmts[position + 1 :]
            body = without_continue([*stmt.body, *rest] if _falls_through(stmt.body) else stmt.body)
            orelse = without_continue([*stmt.orelse, *rest] if _falls_through(stmt.orelse) else stmt.orelse)
            if body or orelse:
                out.append(branch(stmt.test, body, orelse, stmt))
            return out
        out.append(stmt)
        if isinstance(stmt, ast.Break):
            return out
    return out


def _falls_through(stmts: Sequence[ast.stmt]) -> bool:
    return not any(isinstance(stmt, ast.Break | ast.Continue) for stmt in stmts)


def _has(stmt: ast.stmt, kind: type[ast.stmt]) -> bool:
    """Whether a statement holds a `kind` that is about the loop around it."""
    if isinstance(stmt, kind):
        return True
    return isinstance(stmt, ast.If) and any(_has(inner, kind) for inner in (*stmt.body, *stmt.orelse))


def has_break(stmts: Sequence[ast.stmt]) -> bool:
    """Whether a loop's body may end the loop."""
    return any(_has(stmt, ast.Break) for stmt in stmts)


def without_break(stmts: Sequence[ast.stmt], flow: Flow, fresh: Fresh) -> tuple[Stmts, ast.expr | None]:
    """The same without ``break``, and the condition, at the end of the body, under which the loop is over."""
    for position, stmt in enumerate(stmts):
        before, rest = list(stmts[:position]), list(stmts[position + 1 :])
        if isinstance(stmt, ast.Break):
            return before, constant(True, stmt)
        if isinstance(stmt, ast.If) and _has(stmt, ast.Break):
            after, stop = _without_break_in(stmt, rest, flow, fresh)
            return [*before, *after], stop
    return list(stmts), None


def _without_break_in(stmt: ast.If, rest: Stmts, flow: Flow, fresh: Fresh) -> tuple[Stmts, ast.expr]:
    test, body, orelse = stmt.test, stmt.body, stmt.orelse
    if _only_breaks_last(orelse) and not has_break(body):
        test, body, orelse = negated(test), orelse, body
    if _only_breaks_last(body) and not has_break(orelse):
        return _guard(stmt, test, list(body[:-1]), [*orelse, *rest], flow, fresh)
    stop = fresh("stop")
    then = _with_stop(body, stop, stmt, flow, fresh)
    other = _with_stop(orelse, stop, stmt, flow, fresh)
    first = branch(test, then, other, stmt)
    if not rest:
        return [first], load(stop, stmt)
    later = _with_stop(rest, stop, stmt, flow, fresh)
    return [first, branch(negated(load(stop, stmt)), later, [], stmt)], load(stop, stmt)


def _only_breaks_last(stmts: Sequence[ast.stmt]) -> bool:
    return bool(stmts) and isinstance(stmts[-1], ast.Break) and not has_break(stmts[:-1])


def _guard(
    stmt: ast.If, test: ast.expr, leaving: Stmts, staying: Stmts, flow: Flow, fresh: Fresh
) -> tuple[Stmts, ast.expr]:
    """``if test: leaving; break`` followed by `staying`."""
    staying, stop = without_break(staying, flow, fresh)
    if stop is not None:
        name = fresh("stop")
        then = [*leaving, assign(name, constant(True, stmt), stmt)]
        return [branch(test, then, [*staying, assign(name, stop, stmt)], stmt)], load(name, stmt)
    if not leaving and not staying:
        return [], test
    changed = {*flow.block(leaving).assigns, *flow.block(staying).assigns}
    if _has_call(test) or changed & reads(test):
        name = fresh("stop")
        return [assign(name, test, stmt), branch(load(name, stmt), leaving, staying, stmt)], load(name, stmt)
    return [branch(test, leaving, staying, stmt)], test


def _with_stop(stmts: Sequence[ast.stmt], stop: str, at: ast.AST, flow: Flow, fresh: Fresh) -> Stmts:
    after, condition = without_break(stmts, flow, fresh)
    return [*after, assign(stop, condition or constant(False, at), at)]


def _has_call(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))
