"""Hypothesis strategies that several tests share."""

from __future__ import annotations

from collections.abc import Sequence
from keyword import iskeyword
from typing import Any

from hypothesis import strategies as st

from agentkit.expressions import (
    FUNCTIONS,
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
    Name,
    ObjectOf,
    Slice,
    Unary,
)
from agentkit.expressions._calls import fold_sign
from agentkit.expressions._templates import template
from agentkit.expressions.nodes import children
from agentkit.plan import Ask, Block, Call, ForEach, Generate, If, Parallel, Plan, Repeat, Step, Subgoal, Value

TEXTS = st.text(max_size=6) | st.text("ab\"'{}$\\\n#%:.é", max_size=8)
KEYS = st.sampled_from(["name", "price", "from", "_id", "a b", "", "ﬁ", "year", "days"]) | TEXTS
LITERALS: st.SearchStrategy[Expr] = st.one_of(
    st.none(), st.booleans(), st.integers(-100, 10**20), st.floats(allow_nan=False, allow_infinity=False), TEXTS
).map(Literal)


def expressions(names: Sequence[str], *, max_leaves: int = 12) -> st.SearchStrategy[Expr]:
    """Expressions in the form that parsing gives them, over the free names `names` (and names that they bind)."""
    leaves = LITERALS | st.sampled_from(list(names)).map(Name)
    return st.recursive(leaves, lambda inner: _composed(inner, list(names)), max_leaves=max_leaves)


def _composed(inner: st.SearchStrategy[Expr], names: list[str]) -> st.SearchStrategy[Expr]:
    bound = st.sampled_from([*names, "x", "y", "_"])
    optional = st.none() | inner
    return st.one_of(
        st.builds(_field, inner, KEYS),
        st.builds(_item, inner, inner),
        st.builds(Slice, inner, optional, optional, optional),
        st.builds(_signed, st.sampled_from("+-"), inner),
        st.builds(Unary, st.just("not"), inner),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner, inner),
        st.lists(st.tuples(st.sampled_from(_COMPARISONS), inner), min_size=1, max_size=2).flatmap(
            lambda pairs: inner.map(
                lambda first: Compare(first, tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))
            )
        ),
        st.builds(Logical, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Conditional, inner, inner, inner),
        st.lists(inner, max_size=3).map(lambda items: ListOf(tuple(items))),
        st.lists(st.tuples(LITERALS | inner, inner), max_size=3).map(lambda pairs: ObjectOf(tuple(pairs))),
        st.builds(
            Comprehension,
            inner,
            st.lists(bound, min_size=1, max_size=2, unique=True).map(tuple),
            inner,
            optional,
            optional,
        ),
        st.builds(
            Apply,
            st.sampled_from([*FUNCTIONS, "search"]),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(st.sampled_from(["default", "reverse", "start"]), inner, max_size=2).map(
                lambda keywords: tuple(keywords.items())
            ),
        ),
        st.builds(
            lambda name, items, item, body: Apply(name, (items,), (("key", Lambda(item, body)),)),
            st.sampled_from(["sorted", "min", "max"]),
            inner,
            bound,
            inner,
        ),
        st.lists(TEXTS | inner, min_size=1, max_size=4).map(template),
        st.builds(lambda value, spec: template([Apply("format", (value, Literal(spec))), " "]), inner, _SPECS),
    )


_COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "in", "not-in", "is", "is-not"]
_SPECS = st.sampled_from([".2f", ",", ">10", "%d %B", "'x'", "{"])


def _field(of: Expr, key: str) -> Expr:
    # The difference of two dates has days; it is read as days_between.
    return Field(of, "price" if key == "days" else key)


def _item(of: Expr, index: Expr) -> Expr:
    return _field(of, index.value) if isinstance(index, Literal) and isinstance(index.value, str) else Item(of, index)


def _signed(sign: str, operand: Expr) -> Expr:
    return fold_sign(sign, operand) or Unary(sign, operand)


def _may_be_id(name: str) -> bool:
    return not iskeyword(name) and name not in ("true", "false", "null")


IDS = st.sampled_from(
    ["x", "x_1", "x_2", "results", "p", "n", "if_1", "if_2", "for_1", "loop_1", "search_1", "answer", "total", "r"]
) | st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True).filter(_may_be_id)
"""Names of steps, likely to clash with those that a reader makes up."""
TOOLS = st.sampled_from(["search", "get-weather", "github.create", "send", "sum", "parallel", "open", "class"])
ARGUMENTS = st.sampled_from(["query", "limit", "from", "a-b", "_retry", "schema", "arg1"])
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"type": "string"}, {"type": "array", "items": {"enum": [1, None, "${x}"]}}, {}]
)


class _Steps:
    """Draws steps with ids that are unique in their plan, over names that are in scope."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw
        self._taken: set[str] = set()

    def fresh(self) -> str:
        name = self._draw(IDS)
        while name in self._taken:
            name += "q"
        self._taken.add(name)
        return str(name)

    def expr(self, scope: Sequence[str]) -> Expr:
        expr: Expr = self._draw(expressions(scope or ["given"], max_leaves=4).filter(_only_functions))
        return expr

    def exprs(self, names: st.SearchStrategy[str], scope: Sequence[str]) -> dict[str, Expr]:
        return {name: self.expr(scope) for name in self._draw(st.lists(names, max_size=2, unique=True))}

    def block(self, scope: Sequence[str], depth: int, least: int = 1) -> Block:
        steps: list[Step] = []
        seen = list(scope)
        for _ in range(self._draw(st.integers(least, 3))):
            steps.append(self.step(seen, depth))
            seen.append(steps[-1].id)
        return tuple(steps)

    def step(self, scope: Sequence[str], depth: int) -> Step:
        kinds = [self._call, self._value, self._talk]
        if depth:
            kinds += [self._if, self._for_each, self._repeat, self._parallel]
        step: Step = self._draw(st.sampled_from(kinds))(scope, depth - 1)
        return step

    def _call(self, scope: Sequence[str], depth: int) -> Step:
        on_error = self._draw(st.sampled_from(["fail", "skip", "value"]))
        fallback = self.expr(scope) if on_error == "value" else None
        retry, timeout = self._draw(st.none() | st.integers(0, 5)), self._draw(st.none() | st.sampled_from([1, 2.5]))
        args = self.exprs(ARGUMENTS, scope)
        return Call(
            self.fresh(), self._draw(TOOLS), args, retry, timeout, on_error, fallback, self._draw(st.booleans())
        )

    def _value(self, scope: Sequence[str], depth: int) -> Step:
        plain = st.sampled_from([ListOf(()), *(Name(name) for name in scope)])
        return Value(self.fresh(), self._draw(plain) if self._draw(st.booleans()) else self.expr(scope))

    def _talk(self, scope: Sequence[str], depth: int) -> Step:
        text, schema = self.expr(scope), self._draw(st.none() | SCHEMAS)
        kind = self._draw(st.sampled_from([Generate, Ask, Subgoal]))
        if kind is Subgoal:
            return Subgoal(self.fresh(), text, schema, self.exprs(ARGUMENTS, scope))
        return Generate(self.fresh(), text, schema) if kind is Generate else Ask(self.fresh(), text, schema)

    def _if(self, scope: Sequence[str], depth: int) -> Step:
        condition = self.expr(scope)
        then, otherwise = self.block(scope, depth), self.block(scope, depth, least=0)
        return If(self.fresh(), condition, then, otherwise)

    def _for_each(self, scope: Sequence[str], depth: int) -> Step:
        source, item = self.expr(scope), self._draw(IDS)
        do = self.block([*scope, item], depth)
        return ForEach(self.fresh(), item, source, do, self._draw(st.none() | st.integers(1, 9)))

    def _repeat(self, scope: Sequence[str], depth: int) -> Step:
        state = self.exprs(IDS, scope)
        inner = [*scope, *state]
        do = self.block(inner, depth)
        seen = [*inner, *(step.id for step in do)]
        after = self.exprs(st.sampled_from(list(state)), seen) if state else {}
        until = self.expr(seen) if self._draw(st.booleans()) else None
        while_ = self.expr(inner) if self._draw(st.booleans()) else None
        return Repeat(self.fresh(), do, until, while_, self._draw(st.none() | st.integers(1, 9)), state, after)

    def _parallel(self, scope: Sequence[str], depth: int) -> Step:
        names = self._draw(st.lists(st.sampled_from(["left", "right side", "x", "class"]), max_size=2, unique=True))
        return Parallel(self.fresh(), {name: self.block(scope, depth) for name in names})


def _only_functions(expr: Expr) -> bool:
    """Whether an expression calls nothing that Python would read as a tool."""
    if isinstance(expr, Apply) and expr.function not in FUNCTIONS:
        return False
    return all(map(_only_functions, children(expr)))


@st.composite
def plans(draw: st.DrawFn, depth: int = 2) -> Plan:
    """Well-formed plans of all kinds: unique ids, references to names in scope."""
    drawn = _Steps(draw)
    inputs = {drawn.fresh(): draw(SCHEMAS) for _ in range(draw(st.integers(0, 1)))}
    steps = drawn.block(list(inputs), depth, least=0)
    scope = [*inputs, *(step.id for step in steps)]
    answer = drawn.expr(scope) if draw(st.booleans()) else None
    goal = draw(st.sampled_from(["", "Do it.", 'Say "hi"', "Two\nlines", "back\\slash"]) | st.text(max_size=9))
    return Plan(steps, answer, goal, inputs)
