"""Expressions over the facts of a run: read, evaluated, and looked into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache

from agentkit.errors import DefinitionError, ExpressionError
from agentkit.expressions import compile_expression, parse_expression
from agentkit.expressions.nodes import Expr, Field, Malformed, Name, children, names
from agentkit.facts import Facts
from agentkit.messages import Json

NAMES = ("answer", "calls", "inputs", "seconds", "steps", "usage")
"""The names that the expressions of constraints may refer to."""


def check_expression(text: str, owner: object) -> Expr:
    """The expression, or an error that names the constraint.

    Raises:
        DefinitionError: It cannot be read, or refers to a name that constraints do not have.
    """
    expr = parse_expression(text)
    if isinstance(expr, Malformed):
        raise DefinitionError(f"{owner!r}: {expr.problem}")
    unknown = sorted(names(expr).difference(NAMES))
    if unknown:
        raise DefinitionError(f"{owner!r}: nothing defines {unknown[0]!r}; constraints may use {', '.join(NAMES)}")
    return expr


@lru_cache(maxsize=256)
def _compiled(text: str) -> Callable[[Mapping[str, Json]], Json]:
    return compile_expression(parse_expression(text))


def value_of(text: str, facts: Facts) -> tuple[Json, str]:
    """The value of an expression, or the reason why there is none."""
    try:
        return _compiled(text)(facts.scope()), ""
    except ExpressionError as error:
        return None, f"{text} cannot be computed: {error}"


def measured(text: str, facts: Facts, *, early: bool = False, count: bool = False) -> tuple[float | None, str]:
    """A number, or the reason why there is none; `early`, what cannot be computed yet is no reason."""
    value, problem = value_of(text, facts)
    if problem:
        return None, "" if early else problem
    if count and isinstance(value, list | dict):
        return len(value), ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value, ""
    return None, "" if early else f"{text} is {value!r}, not a {'list or a number' if count else 'number'}"


def counted_tool(text: str) -> str | None:
    """The tool whose calls the expression ``calls.tool`` counts; None for any other expression."""
    match parse_expression(text):
        case Field(Name("calls"), str(tool)):
            return tool
        case _:
            return None


@lru_cache(maxsize=256)
def tools_in(text: str) -> frozenset[str] | None:
    """The tools whose calls an expression looks at; None if that cannot be said, or if it looks at more than calls."""
    expr = parse_expression(text)
    if not names(expr) <= {"calls", "inputs"}:
        return None
    found: set[str] = set()

    def look(part: Expr) -> bool:
        if isinstance(part, Field) and part.of == Name("calls"):
            found.add(part.key)
            return True
        return part != Name("calls") and all(look(inner) for inner in children(part))

    return frozenset(found) if look(expr) else None


def moment(value: Json) -> datetime | None:
    """A date or time of ISO 8601; None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def said(message: str, problem: str) -> str:
    """A problem, with the constraint's own message first."""
    return f"{message}: {problem}" if message and problem else problem
