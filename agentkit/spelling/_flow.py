"""Which names the statements of a source read, assign and leave alive."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

Names = frozenset[str]
NONE: Names = frozenset()

MUTATORS = frozenset(("append", "extend", "insert", "sort", "reverse", "update", "pop", "remove", "clear", "add"))
"""Methods that change what they are called on; those of them that have a meaning are assignments in a plan."""


class Undecided(ast.stmt):
    """Names whose values from before are read no more, and which only some of the paths that follow assign.

    No source has it: what takes jumps out of statements puts it before them. Where a name is not known yet, it stands
    for null on the paths that do not assign it, on which nothing reads it.
    """

    names: Names = NONE


@dataclass(frozen=True, slots=True)
class Effect:
    """What statements do to names.

    Attributes:
        reads: Names whose value from before the statements is read.
        kills: Names that are assigned on every path.
        assigns: Names that are assigned on some path, in order of appearance.
    """

    reads: Names = NONE
    kills: Names = NONE
    assigns: tuple[str, ...] = ()


class Flow:
    """Effects of statements, each computed once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[ast.stmt, Effect]] = {}

    def block(self, stmts: Sequence[ast.stmt]) -> Effect:
        """The effect of statements in sequence."""
        reads: set[str] = set()
        kills: set[str] = set()
        assigns: dict[str, None] = {}
        for stmt in stmts:
            effect = self.statement(stmt)
            reads |= effect.reads - kills
            kills |= effect.kills
            assigns.update(dict.fromkeys(effect.assigns))
        return Effect(frozenset(reads), frozenset(kills), tuple(assigns))

    def statement(self, stmt: ast.stmt) -> Effect:
        """The effect of one statement."""
        known = self._known.get(id(stmt))
        if known is None:
            known = (stmt, self._effect(stmt))
            self._known[id(stmt)] = known
        return known[1]

    def live_after(self, stmts: Sequence[ast.stmt], live: Names) -> list[Names]:
        """For each statement, the names whose value is read after it; known for compound statements only."""
        after: list[Names] = [NONE] * len(stmts)
        alive = set(live)
        for index in range(len(stmts) - 1, -1, -1):
            stmt = stmts[index]
            if isinstance(stmt, ast.If | ast.For | ast.While | ast.With):
                after[index] = frozenset(alive)
            effect = self.statement(stmt)
            alive -= effect.kills
            alive |= effect.reads
        return after

    def _effect(self, stmt: ast.stmt) -> Effect:
        match stmt:
            case ast.Assign(targets=targets, value=value):
                return _assigned(targets, reads(value))
            case ast.AnnAssign(target=target, value=value):
                return _assigned([target], reads(value)) if value is not None else Effect()
            case ast.AugAssign(target=target, value=value):
                effect = _assigned([target], reads(value))
                return Effect(effect.reads | frozenset(effect.assigns), effect.kills, effect.assigns)
            case ast.Expr(value=value):
                changed = mutated(value)
                return Effect(reads(value), NONE, (changed,) if changed else ())
            case ast.If(test=test, body=body, orelse=orelse):
                then, other = self.block(body), self.block(orelse)
                assigns = tuple(dict.fromkeys((*then.assigns, *other.assigns)))
                return Effect(reads(test) | then.reads | other.reads, then.kills & other.kills, assigns)
            case ast.For(target=target, iter=source, body=body):
                inner = self.block(body)
                bound = target_names(target)
                assigns = tuple(dict.fromkeys((*sorted(bound), *inner.assigns)))
                return Effect(reads(source) | (inner.reads - bound), NONE, assigns)
            case ast.While(test=test, body=body):
                inner = self.block(body)
                return Effect(reads(test) | inner.reads, NONE, inner.assigns)
            case ast.With(items=items, body=body):
                return self._with(items, body)
            case Undecided(names=names):
                return Effect(kills=names)
            case ast.Return(value=value):
                return Effect(reads(value) if value is not None else NONE)
            case _:
                return Effect(reads(stmt), NONE, tuple(would_assign(stmt)))

    def _with(self, items: list[ast.withitem], body: list[ast.stmt]) -> Effect:
        inner = self.block(body)
        header: Names = NONE
        bound: list[str] = []
        for item in items:
            header |= reads(item.context_expr)
            if item.optional_vars is not None:
                bound.extend(target_names(item.optional_vars))
        return Effect(header | inner.reads, frozenset(bound), (*bound, *inner.assigns))


def _assigned(targets: Sequence[ast.expr], read: Names) -> Effect:
    names: list[str] = []
    partly: list[str] = []
    for target in targets:
        match target:
            case ast.Name(id=name):
                names.append(name)
            case ast.Tuple() | ast.List():
                names.extend(sorted(target_names(target)))
            case ast.Subscript(value=ast.Name(id=name), slice=index):
                partly.append(name)
                read |= reads(index) | {name}
            case _:
                read |= reads(target)
    return Effect(read, frozenset(names), (*names, *partly))


def target_names(target: ast.expr) -> Names:
    """The names that an assignment target binds."""
    return frozenset(node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def mutated(value: ast.expr) -> str | None:
    """The name that a bare method call changes, as ``results.append(x)`` does."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in MUTATORS:
            return name
        case _:
            return None


def reads(node: ast.AST) -> Names:
    """The names that `node` reads, but for those that it binds itself and those that it calls."""
    found: set[str] = set()
    _read(node, found)
    return frozenset(found)


def _read(node: ast.AST, found: set[str]) -> None:
    match node:
        case ast.Name(id=name):
            found.add(name)
        case ast.Call(func=func, args=args, keywords=keywords):
            if not isinstance(func, ast.Name):
                _read(func, found)
            for part in (*args, *keywords):
                _read(part, found)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            _read_comprehension(node, found)
        case ast.Lambda(args=arguments, body=body):
            inner: set[str] = set()
            _read(body, inner)
            found |= inner - {argument.arg for argument in arguments.args}
        case _:
            for child in ast.iter_child_nodes(node):
                _read(child, found)


def _read_comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, found: set[str]) -> None:
    bound: set[str] = set()
    inner: set[str] = set()
    for generator in node.generators:
        sources: set[str] = set()
        _read(generator.iter, sources)
        found |= sources - bound
        bound |= target_names(generator.target)
        for condition in generator.ifs:
            _read(condition, inner)
    for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
        _read(part, inner)
    found |= inner - bound


def would_assign(stmt: ast.stmt) -> list[str]:
    """The names that a statement of any kind would assign, were it run."""
    match stmt:
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [(alias.asname or alias.name).split(".")[0] for alias in names if alias.name != "*"]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case _:
            stored = (n.id for n in ast.walk(stmt) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
            return list(dict.fromkeys(stored))


def every_assigned(tree: ast.AST) -> Names:
    """Every name that the source binds anywhere, in any way."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.With):
            found |= _named_in_header(node)
    return frozenset(found)


def _named_in_header(stmt: ast.With) -> set[str]:
    """The names that ``with for_each(item="x", …)`` and ``with repeat(state={"n": 0}, …)`` bind by texts."""
    texts: list[ast.expr | None] = []
    for item in stmt.items:
        if isinstance(item.context_expr, ast.Call):
            for keyword in item.context_expr.keywords:
                value = keyword.value
                texts += value.keys if isinstance(value, ast.Dict) else [value]
    return {text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)}


def first_uses(tree: ast.AST) -> dict[str, int]:
    """The line on which each name is first read."""
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            lines[node.id] = min(lines.get(node.id, node.lineno), node.lineno)
    return lines
