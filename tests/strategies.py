"""Hypothesis strategies that several tests share."""

from __future__ import annotations

from collections.abc import Sequence

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
