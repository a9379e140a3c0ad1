"""``if`` as a step: what its branches assign becomes its value."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from agentkit.expressions.nodes import Expr, Field, Literal, Name, ObjectOf, Unary
from agentkit.plan import If
from agentkit.spelling._context import ANSWER, Frame, Lowerer
from agentkit.spelling._desugar import may_answer
from agentkit.spelling._flow import Names


def lower_if(low: Lowerer, stmt: ast.If, frame: Frame, live: Names) -> None:
    """Lower an ``if``: names that are read later and known after both branches are its value.

    One such name gives the step its id; several are fields of an object. A name that only one branch defines stays
    inside it, where the checker finds references to it.
    """
    condition = low.expr(stmt.test, frame)
    line = low.line
    results = [ANSWER] if may_answer([stmt]) else _results(low, stmt, frame, live)
    single = results[0] if len(results) == 1 else None if results else _last_of_both(stmt)
    id = low.auto("if") if single is None or single == ANSWER else low.ids.join(single)
    wanted = [single] if single is not None else results
    then = _branch(low, stmt.body, frame, live, wanted, "then")
    low.line = line
    otherwise = _branch(low, stmt.orelse, frame, live, wanted, "else")
    low.line = line
    _emit(low, frame, If(id, condition, tuple(then.steps), tuple(otherwise.steps), line))
    _bind(frame, id, wanted)


def _results(low: Lowerer, stmt: ast.If, frame: Frame, live: Names) -> list[str]:
    """The names whose value the ``if`` decides and that are read after it."""
    then, other = low.flow.block(stmt.body), low.flow.block(stmt.orelse)
    assigned = dict.fromkeys((*then.assigns, *other.assigns))
    return [
        name
        for name in assigned
        if name in live and (name in frame.scope or (name in then.kills and name in other.kills))
    ]


def _last_of_both(stmt: ast.If) -> str | None:
    """The name that both branches assign last, though nothing reads it."""
    last = {_assigned_name(block[-1]) if block else None for block in (stmt.body, stmt.orelse)}
    name = last.pop()
    return name if not last else None


def _assigned_name(stmt: ast.stmt) -> str | None:
    match stmt:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            return None


def _branch(
    low: Lowerer, stmts: Sequence[ast.stmt], frame: Frame, live: Names, wanted: Sequence[str], side: str
) -> Frame:
    """One branch, closed with the value of the names `wanted`."""
    inner = low.inner(frame, stmts[0] if stmts else ast.Pass())
    alias = _final_alias(stmts, wanted)
    if alias is None:
        low.block(stmts, inner, live | frozenset(wanted))
    else:
        low.block(stmts[:-1], inner, live | {alias})
        meant = inner.scope.get(alias, Name(alias))
        if inner.steps and meant == Name(inner.steps[-1].id):
            inner.scope[wanted[0]] = meant
        else:
            low.block(stmts[-1:], inner, live | frozenset(wanted))
    if len(wanted) == 1:
        _close(low, inner, _value(inner, wanted[0]), wanted[0])
    elif wanted:
        _close(low, inner, ObjectOf(tuple((Literal(name), _value(inner, name)) for name in wanted)), side)
    return inner


def _close(low: Lowerer, inner: Frame, value: Expr, base: str) -> None:
    if value == Literal(None) and not inner.steps:
        return
    low.close(inner, value, "answer" if base == ANSWER else base)


def _value(inner: Frame, name: str) -> Expr:
    return inner.scope.get(name, Literal(None) if name == ANSWER else Name(name))


def _final_alias(stmts: Sequence[ast.stmt], wanted: Sequence[str]) -> str | None:
    """`y` of a last line ``x = y``, where x is what the branch is for: it says which value, and computes nothing."""
    if len(wanted) != 1 or not stmts:
        return None
    match stmts[-1]:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)) if name == wanted[0] and other != name:
            return other
        case _:
            return None


def _emit(low: Lowerer, frame: Frame, step: If) -> None:
    """Add the step; one with nothing to do but otherwise asks the opposite, and one with nothing at all is left out."""
    if not step.then and not step.otherwise:
        return
    if not step.then:
        condition = step.condition
        opposite = (
            condition.operand if isinstance(condition, Unary) and condition.op == "not" else Unary("not", condition)
        )
        step = If(step.id, opposite, step.otherwise, (), step.line)
    low.emit(frame, step)


def _bind(frame: Frame, id: str, wanted: Sequence[str]) -> None:
    if len(wanted) == 1:
        frame.scope[wanted[0]] = Name(id)
    for name in wanted if len(wanted) > 1 else ():
        frame.scope[name] = Field(Name(id), name)
