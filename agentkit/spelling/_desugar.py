"""Loops and early answers in the forms that plans have: ``if`` with ``else``, and one condition that ends a loop.

Everything here turns statements into statements; nothing is lowered yet.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from agentkit.spelling._flow import NONE, Flow, Names, Undecided, reads

Fresh = Callable[[str], str]
Stmts = list[ast.stmt]
Jump = type[ast.Break] | type[ast.Continue]
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


def ends_in_answer(stmts: Sequence[ast.stmt]) -> bool:
    """Whether every path to the end of a plan answers; a loop that only an answer ends does."""
    return must_answer(stmts) or any(_answers_for_ever(stmt) or _answers_in_if(stmt) for stmt in stmts)


def _answers_in_if(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.If) and ends_in_answer(stmt.body) and ends_in_answer(stmt.orelse)


def _answers_for_ever(stmt: ast.stmt) -> bool:
    match stmt:
        case ast.While(test=ast.Constant(value=True | 1), body=body):
            return may_answer(body) and not has_break(body)
        case _:
            return False


def _blocks(stmt: ast.stmt) -> list[list[ast.stmt]]:
    match stmt:
        case ast.If(body=body, orelse=orelse):
            return [body, orelse]
        case ast.For(body=body) | ast.While(body=body) | ast.With(body=body):
            return [body]
        case _:
            return []


def without_partial_answers(stmt: ast.If, flow: Flow, fresh: Fresh) -> Stmts:
    """An ``if`` some of whose paths answer, and then what they found: nothing of what follows need be said twice."""
    found = fresh("found")
    ended, _ = _Jumps(ast.Break, flow, fresh, NONE).without(_found_and_break([stmt], found, fresh), needed=False)
    return [assign(found, _at(ast.List([], ast.Load()), stmt), stmt), *ended, _answer_found(found, stmt)]


def drop_dead(stmts: Stmts, *, in_loop: bool = False) -> Iterator[ast.stmt]:
    """Take away what stands after ``break`` or ``continue``, in place; the first statement of each part taken."""
    for position, stmt in enumerate(stmts):
        for inner in _blocks(stmt):
            yield from drop_dead(inner, in_loop=isinstance(stmt, ast.For | ast.While) or in_loop)
        if in_loop and _jumps_always(stmt) and stmts[position + 1 :]:
            yield stmts[position + 1]
            del stmts[position + 1 :]
            return


def _jumps_always(stmt: ast.stmt) -> bool:
    if isinstance(stmt, ast.If):
        return any(map(_jumps_always, stmt.body)) and any(map(_jumps_always, stmt.orelse))
    return isinstance(stmt, ast.Break | ast.Continue)


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


def without_continue(stmts: Sequence[ast.stmt], flow: Flow, fresh: Fresh, kept: Names) -> Stmts:
    """The same without ``continue``: what follows one is what is done otherwise.

    Args:
        stmts: A loop's body.
        flow: The effects of statements.
        fresh: Makes names.
        kept: Names that are read after the body, in the next round or after the loop.
    """
    return _Jumps(ast.Continue, flow, fresh, kept).without(stmts, needed=False)[0]


def without_break(stmts: Sequence[ast.stmt], flow: Flow, fresh: Fresh, kept: Names) -> tuple[Stmts, ast.expr | None]:
    """The same without ``break``, and the condition, at the end of the body, under which the loop is over.

    The arguments are those of `without_continue`.
    """
    return _Jumps(ast.Break, flow, fresh, kept).without(stmts, needed=True)


def has_break(stmts: Sequence[ast.stmt]) -> bool:
    """Whether a loop's body may end the loop."""
    return _any_has(stmts, ast.Break)


def _any_has(stmts: Sequence[ast.stmt], jump: Jump) -> bool:
    return any(_has(stmt, jump) for stmt in stmts)


def _has(stmt: ast.stmt, jump: Jump) -> bool:
    """Whether a statement holds a jump that is about the loop around it."""
    return isinstance(stmt, jump) or (
        isinstance(stmt, ast.If) and (_any_has(stmt.body, jump) or _any_has(stmt.orelse, jump))
    )


class _Jumps:
    """Takes the jumps of one kind out of statements.

    A jump on some paths through an ``if`` sets a flag, unless what follows can move into the paths that go on.
    """

    def __init__(self, jump: Jump, flow: Flow, fresh: Fresh, kept: Names) -> None:
        self._jump = jump
        self._flow = flow
        self._fresh = fresh
        self._kept = kept

    def without(self, stmts: Sequence[ast.stmt], *, needed: bool) -> tuple[Stmts, ast.expr | None]:
        """Statements without jumps to their end, and the condition under which one was made, if it is `needed`."""
        for position, stmt in enumerate(stmts):
            before, rest = list(stmts[:position]), list(stmts[position + 1 :])
            if isinstance(stmt, self._jump):
                return before, constant(True, stmt)
            if isinstance(stmt, ast.If) and _has(stmt, self._jump):
                after, jumped = self._in_if(stmt, rest, needed=needed)
                return [*before, *after], jumped
        return list(stmts), None

    def _in_if(self, stmt: ast.If, rest: Stmts, *, needed: bool) -> tuple[Stmts, ast.expr | None]:
        """The ``if`` and the `rest` without jumps, and whether one was made."""
        test, body, orelse = stmt.test, stmt.body, stmt.orelse
        if self._only_jumps_last(orelse) and not _any_has(body, self._jump):
            test, body, orelse = negated(test), orelse, body
        if self._only_jumps_last(body) and not _any_has(orelse, self._jump):
            return self._guard(stmt, test, list(body[:-1]), [*orelse, *rest], needed=needed)
        if not rest and not needed:
            then, other = (self.without(block, needed=False)[0] for block in (body, orelse))
            return (self._declared(stmt, branch(test, then, other, stmt)) if then or other else []), None
        flag = self._flag()
        start = assign(flag, constant(False, stmt), stmt)
        first = branch(test, self._flagged(body, flag, stmt), self._flagged(orelse, flag, stmt), stmt)
        known = [start, *self._declared(stmt, first)]
        if not rest:
            return known, load(flag, stmt)
        later = self._flagged(rest, flag, stmt) if needed else self.without(rest, needed=False)[0]
        return [*known, branch(negated(load(flag, stmt)), later, [], stmt)], load(flag, stmt)

    def _flag(self) -> str:
        return self._fresh("stop" if self._jump is ast.Break else "skip")

    def _only_jumps_last(self, stmts: Sequence[ast.stmt]) -> bool:
        return bool(stmts) and isinstance(stmts[-1], self._jump) and not _any_has(stmts[:-1], self._jump)

    def _flagged(self, stmts: Sequence[ast.stmt], flag: str, at: ast.AST) -> Stmts:
        """Statements without jumps that leave in `flag` whether one was made."""
        after, jumped = self.without(stmts, needed=True)
        return after if jumped is None else [*after, assign(flag, jumped, at)]

    def _guard(
        self, stmt: ast.If, test: ast.expr, leaving: Stmts, staying: Stmts, *, needed: bool
    ) -> tuple[Stmts, ast.expr | None]:
        """``if test: leaving; jump`` followed by `staying`."""
        staying, jumped = self.without(staying, needed=needed)
        if not needed:
            return ([branch(test, leaving, staying, stmt)] if leaving or staying else []), None
        if jumped is not None:
            flag = self._flag()
            then = [*leaving, assign(flag, constant(True, stmt), stmt)]
            return [branch(test, then, [*staying, assign(flag, jumped, stmt)], stmt)], load(flag, stmt)
        if not leaving and not staying:
            return [], test
        changed = {*self._flow.block(leaving).assigns, *self._flow.block(staying).assigns}
        if _has_call(test) or changed & reads(test):
            flag = self._flag()
            return [assign(flag, test, stmt), branch(load(flag, stmt), leaving, staying, stmt)], load(flag, stmt)
        return [branch(test, leaving, staying, stmt)], test

    def _declared(self, before: ast.If, after: ast.stmt) -> Stmts:
        """The ``if`` without jumps; what each path that goes on assigned before is now assigned on some paths only."""
        hidden = (self._settled([before]) or NONE) - self._flow.statement(after).kills
        hidden -= self._flow.statement(before).reads | self._kept
        if not hidden:
            return [after]
        undecided = _at(Undecided(), before)
        undecided.names = hidden
        return [undecided, after]

    def _settled(self, stmts: Sequence[ast.stmt]) -> Names | None:
        """The names that are assigned on every path that goes on after the statements; None if none goes on."""
        found: Names = NONE
        for stmt in stmts:
            if isinstance(stmt, ast.Break | ast.Continue):
                return None
            if isinstance(stmt, ast.If):
                sides = [names for side in (stmt.body, stmt.orelse) if (names := self._settled(side)) is not None]
                if not sides:
                    return None
                found |= frozenset.intersection(*sides)
            else:
                found |= self._flow.statement(stmt).kills
        return found


def _has_call(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))
