"""From refusals to errors that name the sub-expression."""

from __future__ import annotations

from typing import Final

from agentkit.errors import ExpressionError
from agentkit.expressions._bounds import Refusal
from agentkit.expressions.functions import Function
from agentkit.expressions.nodes import Apply, Expr, Lambda
from agentkit.expressions.printing import to_source

_SHOWN_SOURCE: Final = 120


def error_of(expr: Expr, refusal: Refusal) -> ExpressionError:
    """The error that says which sub-expression was refused, and why."""
    source = to_source(expr)
    if len(source) > _SHOWN_SOURCE:
        source = source[:_SHOWN_SOURCE] + "…"
    error = ExpressionError(f"{source}: {refusal}")
    error.__cause__ = refusal
    return error


def misplaced_lambda(function: Function, expr: Apply) -> str:
    """What is wrong with where a call has a lambda, or has none; empty if nothing is."""
    for parameter in function.parameters:
        if not parameter.takes_lambda:
            continue
        given = dict(expr.keywords).get(parameter.name)
        if given is not None and not isinstance(given, Lambda):
            return "key= takes a lambda, e.g. key=lambda item: item.price"
        if not parameter.keyword_only and len(expr.args) > 1:
            return "key= is given by its name, e.g. key=lambda item: item.price"
    return ""
