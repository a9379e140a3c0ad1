"""Hypothesis strategies that several tests share."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from agentkit.expressions import Expr
from agentkit.plan import Plan
from tests.random_expressions import Expressions
from tests.random_plans import Plans


def expressions(names: Sequence[str], *, size: int = 30) -> st.SearchStrategy[Expr]:
    """Expressions in the form that parsing gives them, over the free names `names` (and names that they bind)."""
    return _randoms.map(lambda draw: Expressions(draw).wild(list(names), draw.randint(1, size), tools=["search"]))


def plans(*, most: int = 12, wild: int = 50) -> st.SearchStrategy[Plan]:
    """Well-formed plans of all kinds: unique ids, references to names in scope."""
    return _randoms.map(lambda draw: Plans(draw, wild=wild).plan(most))


_randoms = st.randoms(use_true_random=False)
