"""The explicit forms: ``with parallel()``, ``with choose(…)``, ``with for_each(…)``, ``with repeat(…)``.

Each names all the fields of its step, so that any plan can be written; models write ``parallel`` and leave the others.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from agentkit.diagnostics import Code
from agentkit.expressions.nodes import Expr, Field, Name
from agentkit.messages import Json
from agentkit.plan import Block, ForEach, If, Parallel, Repeat
from agentkit.spelling._calls import literal
from agentkit.spelling._context import Frame, Lowerer, refuse
from agentkit.spelling._desugar import may_answer
from agentkit.spelling._flow import NONE, Names, reads
from agentkit.spelling._unsupported import no_such_statement

_BASES = {"parallel": "parallel", "choose": "if", "for_each": "for", "repeat": "loop"}


def lower_with(low: Lowerer, stmt: ast.With, frame: Frame) -> None:
    """Lower one of the explicit forms."""
    call, name = _header(stmt)
    kind = call.func.id if isinstance(call.func, ast.Name) else ""
    if kind not in _BASES:
        refuse(stmt, *no_such_statement(stmt))
    if may_answer(stmt.body):
        refuse(stmt, f"answer(...) cannot stand inside with {kind}(...).", "Answer after it.")
    id = low.ids.claim(name) if name is not None else low.auto(_BASES[kind])
    lower = {"parallel": _parallel, "choose": _choose, "for_each": _for_each, "repeat": _repeat}[kind]
    lower(low, stmt, call, id, frame)
    if name is not None:
        frame.scope[name] = Name(id)


def _header(stmt: ast.With) -> tuple[ast.Call, str | None]:
    """The call of ``with call(…) as name:``."""
    if len(stmt.items) == 1 and isinstance(stmt.items[0].context_expr, ast.Call):
        match stmt.items[0].optional_vars:
            case None:
                return stmt.items[0].context_expr, None
            case ast.Name(id=name):
                return stmt.items[0].context_expr, name
            case _:
                pass
    return refuse(stmt, *no_such_statement(stmt))


def _options(call: ast.Call, known: Sequence[str]) -> Mapping[str, ast.expr]:
    """The arguments of an explicit form by name; the first may be given without one."""
    found: dict[str, ast.expr] = {}
    for name, value in [*zip(known, call.args, strict=False), *((k.arg, k.value) for k in call.keywords)]:
        if name is None or name not in known or name in found:
            refuse(call, f"this has no argument {name!r}.", f"Its arguments are: {', '.join(known)}.", Code.SHAPE)
        found[name] = value
    if len(call.args) > len(known):
        refuse(call, "there are too many arguments.", f"The arguments are: {', '.join(known) or 'none'}.", Code.SHAPE)
    return found


def _block(low: Lowerer, stmts: Sequence[ast.stmt], frame: Frame, live: Names = NONE) -> Block:
    inner = low.inner(frame, stmts[0])
    low.block(stmts, inner, live)
    return tuple(inner.steps)


def _sections(stmt: ast.With, kind: str, allowed: Sequence[str]) -> list[tuple[ast.Call, str | None, ast.With]]:
    """The ``with`` statements that the body of an explicit form consists of."""
    found = []
    for inner in stmt.body:
        if isinstance(inner, ast.Pass):
            continue
        section = _header(inner) if isinstance(inner, ast.With) else None
        if not isinstance(inner, ast.With) or section is None or not _calls(section[0], allowed):
            wanted = " or ".join(f"with {name}():" for name in allowed)
            refuse(
                inner, f"inside with {kind}(...) there is only {wanted}.", f"Put the steps into {wanted}", Code.SHAPE
            )
        found.append((*section, inner))
    return found


def _calls(call: ast.Call, allowed: Sequence[str]) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in allowed


def _parallel(low: Lowerer, stmt: ast.With, call: ast.Call, id: str, frame: Frame) -> None:
    line = low.line
    _options(call, ())
    branches: dict[str, Block] = {}
    later: dict[str, Expr] = {}
    for header, name, section in _sections(stmt, "parallel", ["branch"]):
        given = _options(header, ("name",))
        key = name if name is not None else literal(given["name"]) if "name" in given else f"branch_{len(branches) + 1}"
        if not isinstance(key, str) or key in branches:
            refuse(section, "each branch has a name of its own.", "Write with branch() as name:", Code.SHAPE)
        branches[key] = _block(low, section.body, frame)
        if name is not None:
            later[name] = Field(Name(id), key)
            later.update((last, Field(Name(id), key)) for last in _last_name(section.body))
    low.line = line
    low.emit(frame, Parallel(id, branches, line))
    for name, value in later.items():
        frame.scope.setdefault(name, value)


def _last_name(stmts: Sequence[ast.stmt]) -> list[str]:
    match stmts[-1]:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
        case _:
            return []


def _choose(low: Lowerer, stmt: ast.With, call: ast.Call, id: str, frame: Frame) -> None:
    line = low.line
    options = _options(call, ("condition",))
    if "condition" not in options:
        refuse(call, "choose(...) has no condition.", "Write with choose(condition) as name:", Code.SHAPE)
    condition = low.expr(options["condition"], frame)
    sides: dict[str, Block] = {"then": (), "otherwise": ()}
    for header, _, section in _sections(stmt, "choose", ["then", "otherwise"]):
        assert isinstance(header.func, ast.Name)
        sides[header.func.id] = _block(low, section.body, frame)
    low.line = line
    low.emit(frame, If(id, condition, sides["then"], sides["otherwise"], line))


def _for_each(low: Lowerer, stmt: ast.With, call: ast.Call, id: str, frame: Frame) -> None:
    line = low.line
    options = _options(call, ("item", "source", "concurrency"))
    item = literal(options["item"]) if "item" in options else None
    if "source" not in options or not isinstance(item, str):
        refuse(call, "for_each(...) takes item= and source=.", 'Write with for_each(item="x", source=xs):', Code.SHAPE)
    source = low.expr(options["source"], frame)
    concurrency = _whole(options, "concurrency")
    inner = low.inner(frame, stmt)
    inner.scope[item] = Name(item)
    low.block(stmt.body, inner, NONE)
    low.line = line
    low.emit(frame, ForEach(id, item, source, tuple(inner.steps), concurrency, line))


def _repeat(low: Lowerer, stmt: ast.With, call: ast.Call, id: str, frame: Frame) -> None:
    line = low.line
    options = _options(call, ("max_iterations", "state", "while_"))
    state = {name: low.expr(value, frame) for name, value in _named(options.get("state")).items()}
    inner = low.inner(frame, stmt)
    inner.scope.update((name, Name(name)) for name in state)
    while_ = low.pure(options["while_"], inner) if "while_" in options else None
    body, until_node, next_nodes = _ending(stmt.body)
    asked = frozenset[str]().union(*map(reads, [*next_nodes.values(), *([until_node] if until_node else [])]))
    low.block(body, inner, asked)
    after = {name: low.expr(value, inner) for name, value in next_nodes.items()}
    until = low.expr(until_node, inner) if until_node is not None else None
    low.line = line
    bound = _whole(options, "max_iterations")
    low.emit(frame, Repeat(id, tuple(inner.steps), until, while_, bound, state, after, line))


def _ending(stmts: list[ast.stmt]) -> tuple[list[ast.stmt], ast.expr | None, dict[str, ast.expr]]:
    """The body of ``with repeat(…)`` without its last lines ``next(name=value)`` and ``until(condition)``."""
    body = list(stmts)
    until: ast.expr | None = None
    after: dict[str, ast.expr] = {}
    while body:
        match body[-1]:
            case ast.Expr(value=ast.Call(func=ast.Name(id="until"), args=[condition], keywords=[])) if until is None:
                until = condition
            case ast.Expr(value=ast.Call(func=ast.Name(id="next"), args=[], keywords=keywords)) if not after:
                after = {keyword.arg: keyword.value for keyword in keywords if keyword.arg is not None}
            case _:
                break
        body.pop()
    return body, until, after


def _named(node: ast.expr | None) -> dict[str, ast.expr]:
    if node is None:
        return {}
    if isinstance(node, ast.Dict):
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        if len(keys) == len(node.values):
            return dict(zip(keys, node.values, strict=True))
    return refuse(node, "state= is not an object with names.", 'Write state={"n": 0}.', Code.SHAPE)


def _whole(options: Mapping[str, ast.expr], name: str) -> int | None:
    value: Json = literal(options[name]) if name in options else None
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        refuse(options[name], f"{name} is not a whole number.", f"Write {name}=5.", Code.SHAPE)
    return value
