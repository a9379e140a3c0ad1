"""Statements to steps: the reader of restricted Python."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from agentkit.diagnostics import Code
from agentkit.expressions.nodes import Binary, Expr, ListOf, Literal, Name, ObjectOf
from agentkit.expressions.renaming import malformed
from agentkit.plan import Unreadable, Value
from agentkit.spelling._branches import lower_if
from agentkit.spelling._calls import has_steps, is_step, literal
from agentkit.spelling._context import ANSWER, Frame, Lowerer, RefusedError, refuse
from agentkit.spelling._desugar import (
    answered,
    is_answer,
    may_answer,
    must_answer,
    without_answers_in_loop,
    without_partial_answers,
)
from agentkit.spelling._explicit import lower_with
from agentkit.spelling._flow import MUTATORS, Names, Undecided, would_assign
from agentkit.spelling._lift import lift, valued
from agentkit.spelling._loops import lower_for
from agentkit.spelling._repeat import lower_while, unpack
from agentkit.spelling._unsupported import no_such_statement

_SHOWN = 200


class Lowering(Lowerer):
    """Reads the statements of one source."""

    def block(self, stmts: Sequence[ast.stmt], frame: Frame, live: Names) -> None:
        """Lower statements into `frame`; `live` are the names that are read after them."""
        after = self.flow.live_after(stmts, live)
        for position, stmt in enumerate(stmts):
            self.at(stmt)
            rest = stmts[position + 1 :]
            if ANSWER in frame.scope:
                self._unreachable(stmts[position:])
                return
            if isinstance(stmt, ast.For | ast.While) and may_answer(stmt.body):
                self.block([*without_answers_in_loop(stmt, self.fresh), *rest], frame, live)
                return
            if isinstance(stmt, ast.If) and _answers_in_part(stmt) and rest:
                self.block([*without_partial_answers(stmt, self.flow, self.fresh), *rest], frame, live)
                return
            if isinstance(stmt, ast.If) and may_answer([stmt]):
                self._guarded(_with_rest(stmt, rest), frame, live)
                if must_answer([stmt]) and rest:
                    self.at(rest[0])
                    self._unreachable(rest)
                return
            self._guarded(stmt, frame, after[position])

    def _unreachable(self, stmts: Sequence[ast.stmt]) -> None:
        """Note statements after the answer: an error if they would do something."""
        does = any(has_steps(self, stmt) and not _is_print(stmt) for stmt in stmts)
        self.report(
            Code.UNREACHABLE,
            "nothing runs after answer(...).",
            "Answer last, or remove what follows.",
            severity="error" if does else "warning",
        )

    def _guarded(self, stmt: ast.stmt, frame: Frame, live: Names) -> None:
        """Lower a statement; one that cannot be becomes an `Unreadable` step of each name that it assigns."""
        steps, scope = len(frame.steps), dict(frame.scope) if isinstance(stmt, ast.If | ast.For | ast.With) else None
        try:
            self._statement(stmt, frame, live)
        except RefusedError as refused:
            del frame.steps[max(steps, 0) :]
            if scope is not None:
                frame.scope = scope
            self.at(refused.node)
            self._unreadable(stmt, frame, refused.code, refused.message, refused.suggestion)
        except RecursionError:
            del frame.steps[steps:]
            message = "the statement is nested too deeply."
            self._unreadable(stmt, frame, Code.TOO_LARGE, message, "Split it into several.")

    def _unreadable(self, stmt: ast.stmt, frame: Frame, code: Code, message: str, suggestion: str) -> None:
        text = _text_of(stmt)
        ids = []
        for name in would_assign(stmt):
            ids.append(self.ids.claim(name))
            frame.scope[name] = self.emit(frame, Unreadable(ids[-1], text, self.line))
        if not ids:
            ids.append(self.auto("unreadable"))
            self.emit(frame, Unreadable(ids[0], text, self.line))
        if isinstance(stmt, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.functions.add(stmt.name)
        self.report(code, message, suggestion, path=(ids[0],))

    def _statement(self, stmt: ast.stmt, frame: Frame, live: Names) -> None:
        if is_answer(stmt):
            self.answer_line = self.line
            frame.scope[ANSWER] = self.expr(answered(stmt), frame)
            return
        match stmt:
            case ast.Pass():
                return
            case Undecided(names=names):
                frame.scope = dict.fromkeys(sorted(names), Literal(None)) | frame.scope
            case ast.Assign(targets=targets, value=value):
                self._assign_all(targets, value, frame)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    self.assign(target, value, frame)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                read = ast.copy_location(ast.Name(name, ast.Load()), target)
                self.assign(target, ast.copy_location(ast.BinOp(read, op, value), stmt), frame)
            case ast.Expr(value=value):
                self._bare(value, frame)
            case ast.If():
                lower_if(self, stmt, frame, live)
            case ast.For():
                lower_for(self, stmt, frame, live)
            case ast.While():
                lower_while(self, stmt, frame, live)
            case ast.With():
                lower_with(self, stmt, frame)
            case _:
                refuse(stmt, *no_such_statement(stmt))

    def lift(self, node: ast.expr, frame: Frame) -> ast.expr:
        """The expression without tool calls, which become steps of `frame` in the order of evaluation."""
        return lift(self, node, frame)

    # assignments

    def _assign_all(self, targets: Sequence[ast.expr], value: ast.expr, frame: Frame) -> None:
        first, *others = targets
        self.assign(first, value, frame)
        for other in others:
            if not isinstance(first, ast.Name):
                refuse(other, "only a name can be assigned twice at once.", "Write the assignments one by one.")
            self.assign(other, ast.copy_location(ast.Name(first.id, ast.Load()), value), frame)

    def assign(self, target: ast.expr, value: ast.expr, frame: Frame) -> None:
        """Lower ``target = value``."""
        match target:
            case ast.Name(id=name):
                frame.scope[name] = self._named(name, value, frame)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._unpack(parts, target, value, frame)
            case ast.Subscript(value=ast.Name(id=name), slice=key) if not isinstance(key, ast.Slice):
                self._put(name, key, value, frame)
            case _:
                refuse(target, "only names can be assigned.", "Give the value a name of its own: x = …")

    def _named(self, name: str, value: ast.expr, frame: Frame) -> Expr:
        """The value of `name` after ``name = value``."""
        if _is_input(value) and frame.depth == 0 and name not in self.inputs:
            return self._input(name, value)
        whole = valued(self, value, frame, name)
        if isinstance(whole, Name):
            return whole
        expr = whole if whole is not None else self.expr(value, frame)
        if isinstance(whole, ListOf):
            return whole
        return self.emit_value(frame, self.ids.claim(name), expr)

    def _input(self, name: str, value: ast.expr) -> Expr:
        assert isinstance(value, ast.Call)
        id = self.ids.claim(name)
        self.inputs[id] = literal(value.args[0])
        return Name(id)

    def _unpack(self, parts: list[ast.expr], target: ast.expr, value: ast.expr, frame: Frame) -> None:
        """``a, b = value``: the right side is computed before any name changes."""
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(parts):
            made = [
                (part, self._named(part.id, one, frame) if isinstance(part, ast.Name) else self.expr(one, frame))
                for part, one in zip(parts, value.elts, strict=True)
            ]
            for part, expr in made:
                unpack(part, expr, frame)
            return
        whole = self.expr(value, frame)
        if isinstance(whole, ListOf) and len(whole.items) == len(parts):
            for part, item in zip(parts, whole.items, strict=True):
                unpack(part, item, frame)
            return
        if not isinstance(whole, Name):
            whole = self.emit_value(frame, self.auto("items"), whole)
        unpack(target, whole, frame)

    def _put(self, name: str, key: ast.expr, value: ast.expr, frame: Frame) -> None:
        """``name[key] = value`` on an object that is known: a new object with the field."""
        bound = frame.scope.get(name)
        made = next((s for s in reversed(frame.steps) if isinstance(bound, Name) and s.id == bound.id), None)
        if not isinstance(made, Value) or not isinstance(made.value, ObjectOf):
            refuse(key, "values do not change.", f"Write a new value: {name}_new = {{'name': value}}.")
        new_key, new_value = self.expr(key, frame), self.expr(value, frame)
        kept = tuple((k, v) for k, v in made.value.items if k != new_key)
        unused = self.unused_value(frame, name)
        if unused is not None:
            self.drop(frame, unused)
        fields = ObjectOf((*kept, (new_key, new_value)))
        frame.scope[name] = self.emit_value(frame, self.ids.claim(name), fields)

    # bare expressions

    def _bare(self, value: ast.expr, frame: Frame) -> None:
        match value:
            case ast.Constant():
                return
            case ast.Call(func=ast.Name(id="print"), args=args):
                for arg in args:
                    self.expr(arg, frame)
                self.report(
                    Code.UNSUPPORTED,
                    "print(...) shows nothing in a plan.",
                    "Remove it, or end with answer(...).",
                    severity="warning",
                )
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=args, keywords=[]) if (
                attr in MUTATORS and not is_step(self, value)
            ):
                self._mutate(value, name, attr, args, frame)
            case _:
                wrong = malformed(self.expr(value, frame))
                if wrong is not None:
                    refuse(value, f"{wrong.text!r} is not part of plans: {wrong.problem}.", "Write it in another way.")

    def _mutate(self, node: ast.expr, name: str, attr: str, args: list[ast.expr], frame: Frame) -> None:
        """``items.append(x)`` and its like: a new value of the same name."""
        before = frame.scope.get(name, Name(name))
        unused = self.unused_value(frame, name)
        match attr, args:
            case "append", [item]:
                added = ListOf((self.expr(item, frame),))
            case "extend", [more]:
                self._rebind(name, Binary("+", before, self.expr(more, frame)), frame)
                return
            case "sort", []:
                self._call_on(name, "sorted", node, frame)
                return
            case "reverse", []:
                self._call_on(name, "reversed", node, frame)
                return
            case _:
                refuse(node, f"values do not change, so there is no {name}.{attr}(...).", "Make a new value: x = …")
        if unused is not None and isinstance(unused.value, ListOf) and unused is self.unused_value(frame, name):
            self.drop(frame, unused)
            self._rebind(name, ListOf((*unused.value.items, *added.items)), frame)
            return
        self._rebind(name, Binary("+", before, added), frame)

    def _call_on(self, name: str, function: str, node: ast.expr, frame: Frame) -> None:
        argument = ast.copy_location(ast.Name(name, ast.Load()), node)
        call = ast.copy_location(
            ast.Call(ast.copy_location(ast.Name(function, ast.Load()), node), [argument], []), node
        )
        self._rebind(name, self.pure(call, frame), frame)

    def _rebind(self, name: str, value: Expr, frame: Frame) -> None:
        frame.scope[name] = self.emit_value(frame, self.ids.claim(name), value)


def _with_rest(stmt: ast.If, rest: Sequence[ast.stmt]) -> ast.If:
    """An ``if`` that may answer, with what follows it in the branches that do not."""
    body = stmt.body if must_answer(stmt.body) else [*stmt.body, *rest]
    orelse = stmt.orelse if stmt.orelse and must_answer(stmt.orelse) else [*stmt.orelse, *rest]
    return ast.copy_location(ast.If(stmt.test, body, orelse), stmt)


def _answers_in_part(stmt: ast.If) -> bool:
    """Whether both branches have paths that do not answer, and one has a path that does."""
    return may_answer([stmt]) and not must_answer(stmt.body) and not (stmt.orelse and must_answer(stmt.orelse))


def _is_print(stmt: ast.stmt) -> bool:
    match stmt:
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
            return True
        case _:
            return False


def _is_input(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="input"), args=[ast.Dict()], keywords=[]):
            return True
        case _:
            return False


def _text_of(stmt: ast.stmt) -> str:
    try:
        text = ast.unparse(stmt)
    except (RecursionError, ValueError):
        return "…"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
