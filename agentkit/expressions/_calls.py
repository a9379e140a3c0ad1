"""Calls as models write them: functions, methods of values, and the standard library's way with dates."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final, TypeAlias

from agentkit.expressions._templates import template
from agentkit.expressions.functions import FUNCTIONS
from agentkit.expressions.nodes import Apply, Binary, Expr, Lambda, Literal, Name, Unary

Read: TypeAlias = Callable[[ast.expr], Expr]
OnCall: TypeAlias = Callable[[ast.Call], Expr | None]


class UnsupportedError(Exception):
    """A construct that expressions do not have; the message says what to write instead."""


_METHODS: Final = frozenset(
    ("lower", "upper", "title", "strip", "split", "join", "replace", "startswith", "endswith", "get", "keys")
) | {"values", "items", "weekday"}
_RENAMED_METHODS: Final = {"strftime": "format_date", "date": "date"}
_INSTEAD_OF_METHOD: Final = {
    "format": 'write an f-string, e.g. f"{x} and {y:.2f}"',
    "append": "lists do not change; write items + [x]",
    "extend": "lists do not change; write items + more",
    "sort": "write sorted(items)",
    "reverse": "write reversed(items)",
    "pop": "lists do not change; write items[-1] or items[:-1]",
    "count": "write len([x for x in items if x == y])",
    "index": "write [i for i, x in enumerate(items) if x == y][0]",
    "find": "write part in text",
    "lstrip": "write text.strip()",
    "rstrip": "write text.strip()",
    "capitalize": "write text.title()",
    "update": "objects do not change; write a new one, e.g. {'a': x.a, 'b': y}",
    "today": "expressions have no clock; call a tool that gives the date",
    "now": "expressions have no clock; call a tool that gives the time",
    "utcnow": "expressions have no clock; call a tool that gives the time",
    "strptime": "write date(text), which reads ISO dates",
    "total_seconds": "write days_between(start, end)",
    "dumps": "write str(value), which gives JSON",
    "loads": "tools give JSON values already; read their fields",
}
_UNITS: Final = {"days": 1, "weeks": 7}
_DATE_READERS: Final = ("fromisoformat",)


def read_call(node: ast.Call, read: Read, on_call: OnCall | None) -> Expr:
    """A call as an expression.

    Args:
        node: The call.
        read: Reads the arguments.
        on_call: Tried first for every call that is not of a pure function.

    Raises:
        UnsupportedError: Expressions have no such call.
    """
    function = node.func
    if isinstance(function, ast.Name) and (function.id in FUNCTIONS or function.id == "concat"):
        return _apply(function.id, node, read)
    if isinstance(function, ast.Attribute) and (found := _method(function, node, read)) is not None:
        return found
    if on_call is not None and (lifted := on_call(node)) is not None:
        return lifted
    if isinstance(function, ast.Attribute):
        raise UnsupportedError(_no_method(function.attr))
    if not isinstance(function, ast.Name):
        raise UnsupportedError("only functions can be called, by their names")
    if function.id.startswith("_"):
        raise UnsupportedError(f"there is no function {function.id!r}")
    if function.id == "timedelta":
        raise UnsupportedError("timedelta can only be added to a date; write add_days(date, n)")
    return _apply(function.id, node, read)


def _apply(name: str, node: ast.Call, read: Read, *first: Expr) -> Expr:
    args = (*first, *(read(arg) for arg in node.args))
    keywords = []
    for keyword in node.keywords:
        if keyword.arg is None:
            raise UnsupportedError("'**' unpacking is not part of expressions; write each argument by its name")
        value = (
            _key_function(keyword.value, read) if keyword.arg == "key" and name in _WITH_KEY else read(keyword.value)
        )
        keywords.append((keyword.arg, value))
    if name == "concat" and not keywords:
        return template(args)
    return Apply(name, args, tuple(keywords))


_WITH_KEY: Final = frozenset(("sorted", "min", "max"))


def _key_function(node: ast.expr, read: Read) -> Expr:
    """What follows ``key=``: a lambda, or the name of a function, which stands for one."""
    if isinstance(node, ast.Name) and node.id in FUNCTIONS:
        return Lambda("item", Apply(node.id, (Name("item"),)))
    if not isinstance(node, ast.Lambda):
        raise UnsupportedError("key= takes a lambda, e.g. key=lambda item: item.price")
    arguments = node.args
    if len(arguments.args) != 1 or any(
        (arguments.posonlyargs, arguments.kwonlyargs, arguments.vararg, arguments.kwarg, arguments.defaults)
    ):
        raise UnsupportedError("a lambda has one parameter, e.g. key=lambda item: item.price")
    return Lambda(bound_name(arguments.args[0].arg), read(node.body))


def bound_name(name: str) -> str:
    """A name that an expression binds, if it may be one."""
    if (name.startswith("_") and name != "_") or name in ("true", "false", "null"):
        raise UnsupportedError(f"{name!r} cannot be a name; begin names with a letter")
    return name


def _method(function: ast.Attribute, node: ast.Call, read: Read) -> Expr | None:
    """A call of a method that stands for a pure function."""
    name, value = function.attr, function.value
    if name in _DATE_READERS:
        return _apply("date", node, read)
    if name == "date" and isinstance(value, ast.Name) and value.id == "datetime" and node.args:
        return _apply("date", node, read)
    if name == "isoformat" and not node.args and not node.keywords:
        return read(value)
    if name in _METHODS or name in _RENAMED_METHODS:
        return _apply(_RENAMED_METHODS.get(name, name), node, read, read(value))
    return None


def _no_method(name: str) -> str:
    if name.startswith("_"):
        return f"there is no method {name!r}"
    if instead := _INSTEAD_OF_METHOD.get(name):
        return f"there is no method {name!r}; {instead}"
    return f"there is no method {name!r}; the methods are " + ", ".join(sorted(_METHODS))


def read_date_arithmetic(node: ast.BinOp, read: Read) -> Expr | None:
    """``date + timedelta(days=n)`` and ``date - timedelta(weeks=n)`` as `add_days`; None if it is not that."""
    if not isinstance(node.op, ast.Add | ast.Sub):
        return None
    date, delta = node.left, node.right
    if isinstance(node.op, ast.Add) and _is_timedelta(date):
        date, delta = delta, date
    if not _is_timedelta(delta) or not isinstance(delta, ast.Call):
        return None
    days = _days(delta, read)
    return Apply("add_days", (read(date), days if isinstance(node.op, ast.Add) else _negated(days)))


def _is_timedelta(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr == "timedelta" and isinstance(function.value, ast.Name) and function.value.id == "datetime"
    return isinstance(function, ast.Name) and function.id == "timedelta"


def _days(delta: ast.Call, read: Read) -> Expr:
    parts = [(1, argument) for argument in delta.args]
    for keyword in delta.keywords:
        if keyword.arg not in _UNITS:
            raise UnsupportedError("timedelta takes days= or weeks=; for months write add_months(date, n)")
        parts.append((_UNITS[keyword.arg], keyword.value))
    if not parts or len(delta.args) > 1:
        raise UnsupportedError("write add_days(date, n)")
    total: Expr | None = None
    for factor, value in parts:
        days = _times(read(value), factor)
        total = days if total is None else Binary("+", total, days)
    assert total is not None
    return total


def _times(days: Expr, factor: int) -> Expr:
    if factor == 1:
        return days
    if isinstance(days, Literal) and isinstance(days.value, int) and not isinstance(days.value, bool):
        return Literal(days.value * factor)
    return Binary("*", days, Literal(factor))


def _negated(days: Expr) -> Expr:
    folded = fold_sign("-", days)
    return Unary("-", days) if folded is None else folded


def fold_sign(sign: str, operand: Expr) -> Literal | None:
    """A signed number as a literal; None if `operand` is not a number."""
    if isinstance(operand, Literal) and isinstance(operand.value, int | float) and not isinstance(operand.value, bool):
        return Literal(-operand.value if sign == "-" else operand.value)
    return None
