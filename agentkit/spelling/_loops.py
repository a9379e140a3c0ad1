"""``for`` and comprehensions as steps: `ForEach` where rounds are independent, `Repeat` where they are not."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentkit.expressions.nodes import Apply, Comprehension, Expr, Field, ListOf, Literal, Name, ObjectOf, names
from agentkit.plan import ForEach
from agentkit.spelling._accumulate import Accumulator, Addition, accumulators, addition, gathered, piecewise
from agentkit.spelling._calls import has_steps, literal
from agentkit.spelling._context import Frame, Lowerer, refuse
from agentkit.spelling._desugar import branch, has_break, load, without_continue
from agentkit.spelling._flow import Names, target_names
from agentkit.spelling._repeat import lower_rounds, unpack

_ROUND = "entry"


@dataclass(frozen=True, slots=True)
class Loop:
    """A ``for`` whose list is known.

    Attributes:
        target: What it binds.
        source: Its list.
        node: The expression of its list.
        body: Its body, without ``continue``.
        concurrency: Rounds at once at most.
        line: Its line.
    """

    target: ast.expr
    source: Expr
    node: ast.expr
    body: list[ast.stmt]
    concurrency: int | None
    line: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """The list or object that a comprehension makes: a variable without a step of its own.

    Attributes:
        variable: Its name.
        target: The name that the comprehension is assigned to, if it is.
    """

    variable: str
    target: str | None


def lower_for(low: Lowerer, stmt: ast.For, frame: Frame, live: Names, hidden: Hidden | None = None) -> None:
    """Lower a ``for``.

    Args:
        low: The reader.
        stmt: The loop.
        frame: The block that it stands in.
        live: The names that are read after it.
        hidden: The comprehension that it stands for.
    """
    if stmt.orelse:
        refuse(stmt, "for has no else in a plan.", "Write what follows after the loop.")
    if target_names(stmt.target) & live:
        stmt = _outliving(low, stmt)
    line = low.line
    node, concurrency = _each(stmt.iter)
    body = without_continue(stmt.body, low.flow, low.fresh, live | low.flow.block(stmt.body).reads)
    effect = low.flow.block(body)
    targets = target_names(stmt.target)
    assigned = [name for name in effect.assigns if name not in targets]
    found = [] if has_break(body) else accumulators(body, assigned, frame)
    adding = {one.name for one in found}
    carried = [n for n in assigned if n not in adding and (n in effect.reads or n in live)]
    if has_break(body) or carried:
        lower_rounds(low, ast.copy_location(ast.For(stmt.target, node, body, []), stmt), frame, live)
        return
    source = low.expr(node, frame)
    _for_each(low, Loop(stmt.target, source, node, body, concurrency, line), frame, found, hidden)


def _outliving(low: Lowerer, stmt: ast.For) -> ast.For:
    """A loop whose variable is read after it: an assignment in its body, so that the last one stays."""
    item = low.fresh("item")
    taken = ast.copy_location(ast.Assign([stmt.target], load(item, stmt)), stmt)
    return ast.copy_location(
        ast.For(ast.copy_location(ast.Name(item, ast.Store()), stmt), stmt.iter, [taken, *stmt.body], []), stmt
    )


def _each(node: ast.expr) -> tuple[ast.expr, int | None]:
    """The list of ``each(items, concurrency=n)``, and n."""
    match node:
        case ast.Call(func=ast.Name(id="each"), args=[items], keywords=keywords):
            limits = [keyword.value for keyword in keywords if keyword.arg == "concurrency"]
            if len(limits) != len(keywords):
                refuse(node, "each(...) takes a list and concurrency=.", "Write each(items, concurrency=4).")
            limit = literal(limits[0]) if limits else None
            if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
                refuse(node, "concurrency is a whole number.", "Write each(items, concurrency=4).")
            return items, limit
        case _:
            return node, None


def bind_target(low: Lowerer, target: ast.expr, frame: Frame) -> str:
    """Bind what a loop or comprehension binds in `frame`; the name of its item."""
    if isinstance(target, ast.Name):
        item = low.bind(frame, target.id)
        frame.scope[target.id] = Name(item)
        return item
    item = low.ids.bind_fresh("item")
    unpack(target, Name(item), frame)
    return item


def _for_each(low: Lowerer, loop: Loop, frame: Frame, found: list[Accumulator], hidden: Hidden | None) -> None:
    inner = low.inner(frame, loop.node)
    item = bind_target(low, loop.target, inner)
    if found:
        loop, found = _filtered(low, loop, item, inner, found)
    last = _last_addition(loop, found)
    whole = last is not None and found[0].kind == "append" and _take_over(low, frame, found[0], loop)
    id = _claimed(low, found[0], hidden) if whole else low.auto("for")
    if last is not None:
        pieces = [found[0].name]
        low.block(loop.body[:-1], inner, low.flow.statement(loop.body[-1]).reads)
        low.at(loop.body[-1])
        low.close(inner, low.expr(last.added, inner), "value" if hidden else found[0].name)
    else:
        body, pieces = piecewise(low, loop.body, found) if found else (loop.body, [])
        low.block(body, inner, frozenset(pieces))
        _close_round(low, inner, found, pieces)
    low.line = loop.line
    if not inner.steps:
        return
    rounds = low.emit(frame, ForEach(id, item, loop.source, tuple(inner.steps), loop.concurrency, loop.line))
    if whole:
        frame.scope[found[0].name] = rounds
        return
    for one in found:
        _gather(low, frame, one, rounds, hidden, alone=len(found) == 1)


def _last_addition(loop: Loop, found: Sequence[Accumulator]) -> Addition | None:
    """What the last statement of the body adds, if that is all that the loop adds."""
    if len(found) != 1 or not found[0].once:
        return None
    last = addition(loop.body[-1], found[0].initial)
    return last if last is not None and last.name == found[0].name else None


def _claimed(low: Lowerer, one: Accumulator, hidden: Hidden | None) -> str:
    if hidden is None:
        return low.ids.claim(one.name)
    return low.auto("for") if hidden.target is None else low.ids.claim(hidden.target)


def _take_over(low: Lowerer, frame: Frame, one: Accumulator, loop: Loop) -> bool:
    """Whether the loop's list is all that the name stands for; an empty list that it stood for is dropped."""
    if one.initial != ListOf(()):
        return False
    if frame.scope[one.name] == ListOf(()):
        return True
    step = low.unused_value(frame, one.name)
    if step is None or step.id in names(loop.source):
        return False
    low.drop(frame, step)
    return True


def _filtered(
    low: Lowerer, loop: Loop, item: str, inner: Frame, found: list[Accumulator]
) -> tuple[Loop, list[Accumulator]]:
    """A body that is one ``if`` without calls in its condition becomes a filter of the list."""
    match loop.body:
        case [ast.If(test=test, body=body, orelse=[])] if not has_steps(low, test):
            condition = low.pure(test, inner)
            source = Comprehension(Name(item), (item,), loop.source, condition)
            assigned = [one.name for one in found]
            again = accumulators(body, assigned, _with_initials(inner, found))
            return _filtered(low, replace(loop, source=source, body=list(body)), item, inner, again)
        case _:
            return loop, found


def _with_initials(inner: Frame, found: Sequence[Accumulator]) -> Frame:
    return Frame([], inner.scope | {one.name: one.initial for one in found}, inner.depth)


def _close_round(low: Lowerer, inner: Frame, found: Sequence[Accumulator], pieces: Sequence[str]) -> None:
    values = [inner.scope.get(piece, Name(piece)) for piece in pieces]
    if len(values) == 1:
        low.close(inner, values[0], found[0].name)
    elif values:
        pairs = zip(found, values, strict=True)
        low.close(inner, ObjectOf(tuple((Literal(one.name), value) for one, value in pairs)), "round")


def _gather(low: Lowerer, frame: Frame, one: Accumulator, rounds: Expr, hidden: Hidden | None, *, alone: bool) -> None:
    """Let the name of an accumulator stand for its value after the loop."""
    if not alone:
        rounds = Comprehension(Field(Name(_ROUND), one.name), (_ROUND,), rounds)
    before = frame.scope[one.name]
    value = gathered(one, before, rounds)
    if hidden is not None:
        frame.scope[one.name] = value
        return
    step = low.unused_value(frame, one.name)
    if step is not None and step.id not in names(value):
        low.drop(frame, step)
    frame.scope[one.name] = low.emit_value(frame, low.ids.claim(one.name), value)


def collect(
    low: Lowerer,
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
    frame: Frame,
    target: str | None,
) -> Expr:
    """Lower a comprehension that calls tools as the loop that it stands for; its value."""
    variable = low.fresh("part")
    frame.scope[variable] = ObjectOf(()) if isinstance(node, ast.DictComp) else ListOf(())
    stmts = [_innermost(node, variable)]
    for loop in reversed(node.generators):
        for test in reversed(loop.ifs):
            stmts = [branch(test, stmts, [], node)]
        stmts = [ast.copy_location(ast.For(loop.target, loop.iter, stmts, []), node)]
    outer = stmts[0]
    assert isinstance(outer, ast.For)
    own = None if isinstance(node, ast.SetComp) else target
    lower_for(low, outer, frame, frozenset((variable,)), Hidden(variable, own))
    value = frame.scope.pop(variable)
    return Apply("unique", (value,)) if isinstance(node, ast.SetComp) else value


def _innermost(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, variable: str) -> ast.stmt:
    if isinstance(node, ast.DictComp):
        entry = ast.copy_location(ast.Subscript(load(variable, node), node.key, ast.Store()), node)
        return ast.copy_location(ast.Assign([entry], node.value), node)
    append = ast.copy_location(ast.Attribute(load(variable, node), "append", ast.Load()), node)
    return ast.copy_location(ast.Expr(ast.copy_location(ast.Call(append, [node.elt], []), node)), node)
