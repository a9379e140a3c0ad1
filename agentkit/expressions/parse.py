"""From text, Python syntax trees and JSON to expressions. Nothing is executed, and nothing raises."""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Mapping
from typing import Final

from agentkit.expressions._bounds import MAX_DEPTH, MAX_SOURCE
from agentkit.expressions._calls import OnCall
from agentkit.expressions._syntax import SyntaxReader
from agentkit.expressions._templates import PLACEHOLDER, closing_brace, template
from agentkit.expressions.nodes import Expr, ListOf, Literal, Malformed, ObjectOf, children, deeper_than
from agentkit.messages import Json

MAX_PLACEHOLDERS: Final = 1_000
"""Placeholders in one text."""

_SHOWN: Final = 200
_PROBLEMS_SHOWN: Final = 3
_MOST_CHAINED: Final = 200

_QUOTED_OR_BRACKET: Final = re.compile(
    r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[(\[{]|[)\]}]", re.DOTALL
)
_BRACKET: Final = re.compile(r"[(\[{]|[)\]}]")
_FORMATTED: Final = re.compile(r"[fF][rR]?['\"]")
_SIGNS: Final = re.compile(rf"(?:[-+~]\s*){{{MAX_DEPTH + 1}}}")
_NOTS: Final = re.compile(rf"(?:not\s+){{{MAX_DEPTH + 1}}}")
# Python warns about both where it parses them; the text is a model's, and what it means is checked here.
_WARNED_ABOUT: Final = re.compile(r"\\|\d[A-Za-z]")


def parse_expression(text: str) -> Expr:
    """Read an expression.

    Args:
        text: Python's syntax, of which expressions are a subset; at most 4,000 characters and 64 levels of nesting.

    Returns:
        The expression; `Malformed`, with what is wrong and what to write instead, if it is not one.
    """
    source = text.strip()
    if not source:
        return Malformed(text, "the expression is empty")
    if len(source) > MAX_SOURCE:
        return Malformed(text, f"the expression is longer than {MAX_SOURCE:,} characters; split it into steps")
    if _nested_too_deeply(source):
        return Malformed(text, f"the expression is nested more than {MAX_DEPTH} deep; split it into steps")
    try:
        tree = _parsed(source)
    except SyntaxError as error:
        return Malformed(text, _syntax_problem(source, error))
    except (ValueError, RecursionError, MemoryError):
        return Malformed(text, "the expression cannot be read; write it in plain characters and with less nesting")
    found = SyntaxReader().read(tree.body)
    problems = list(dict.fromkeys(part.problem for part in _malformed_parts(found)))
    return Malformed(text, "; ".join(problems[:_PROBLEMS_SHOWN])) if problems else found


def from_ast(node: ast.expr, on_call: OnCall | None = None) -> Expr:
    """Read a syntax tree that was parsed elsewhere.

    Args:
        node: The tree.
        on_call: Tried first for every call that is not of a pure function; what it returns stands for the call.

    Returns:
        The expression. Parts of it that expressions do not have are `Malformed` in their places.
    """
    return SyntaxReader(on_call).read(node)


def parse_template(text: str) -> Expr:
    """Read a text of the JSON spelling.

    ``"${expr}"`` alone is the value of the expression; with other text around it, a text; ``$${`` is a literal ``${``.
    A text without placeholders is a literal.
    """
    if "${" not in text:
        return Literal(text)
    parts: list[str | Expr] = []
    position = count = 0
    while (opening := PLACEHOLDER.search(text, position)) is not None:
        parts.append(text[position : opening.start()])
        position = opening.end()
        if len(opening[0]) == len("$${"):
            parts.append("${")
            continue
        end = closing_brace(text, position)
        count += 1
        if end is None:
            return Malformed(text, "a '${' is never closed; close it with '}', or write $${ for the text '${'")
        if count > MAX_PLACEHOLDERS:
            return Malformed(text, f"the text has more than {MAX_PLACEHOLDERS:,} placeholders")
        parts.append(parse_expression(text[position:end]))
        position = end + 1
    parts.append(text[position:])
    filled = [part for part in parts if part != ""]
    if len(filled) == 1 and not isinstance(filled[0], str):
        return filled[0]
    return template(filled)


def parse_value(value: Json) -> Expr:
    """Read a JSON value of the JSON spelling: texts may hold expressions, the names of fields are literal."""
    found = _value(value, 0)
    return _too_deep(value) if deeper_than(found, 2 * MAX_DEPTH) else found


def _value(value: Json, depth: int) -> Expr:
    if isinstance(value, str):
        return parse_template(value)
    if value is None or isinstance(value, bool | int):
        return Literal(value)
    if isinstance(value, float):
        return Literal(value) if math.isfinite(value) else Malformed(repr(value), "the number is not JSON")
    if depth >= MAX_DEPTH:
        return _too_deep(value)
    if isinstance(value, list | tuple):
        return ListOf(tuple(_value(item, depth + 1) for item in value))
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            return Malformed(_shown(value), "the names of fields must be texts")
        return ObjectOf(tuple((Literal(name), _value(part, depth + 1)) for name, part in value.items()))
    return Malformed(_shown(value), f"a {type(value).__name__} is not JSON")


def _too_deep(value: Json) -> Malformed:
    return Malformed(_shown(value), f"the value is nested more than {MAX_DEPTH} deep")


def _shown(value: Json) -> str:
    try:
        return repr(value)[:_SHOWN]
    except RecursionError:
        return "…"


def _malformed_parts(expr: Expr) -> list[Malformed]:
    if isinstance(expr, Malformed):
        return [expr]
    return [part for child in children(expr) for part in _malformed_parts(child)]


def _parsed(source: str) -> ast.Expression:
    if _WARNED_ABOUT.search(source) is None:
        return ast.parse(source, mode="eval")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, mode="eval")


def _nested_too_deeply(source: str) -> bool:
    """Whether Python's own parser might recurse deeply; looked at first, since it may then take the process down."""
    if _depth(_QUOTED_OR_BRACKET, source) > MAX_DEPTH:
        return True
    if _FORMATTED.search(source) and _depth(_BRACKET, source) > MAX_DEPTH:
        return True
    if any(source.count(word) > _MOST_CHAINED for word in ("lambda", "else", "**")):
        return True
    return _SIGNS.search(source) is not None or _NOTS.search(source) is not None


def _depth(pattern: re.Pattern[str], source: str) -> int:
    depth = deepest = 0
    for found in pattern.finditer(source):
        if found[0] in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in ")]}":
            depth -= 1
    return deepest


_HINTS: Final = (
    (re.compile(r"&&|\|\|"), "write 'and' and 'or'"),
    (re.compile(r"\?[^:]*:"), "write 'a if condition else b'"),
    (re.compile(r"===|!=="), "write == or !="),
    (re.compile(r"(?<![=!<>])=(?!=)"), "write == to compare; values are named in steps"),
    (re.compile(r"!(?!=)"), "write 'not x'"),
    (re.compile(r"=>"), "write [f(x) for x in items]"),
    (re.compile(r"^\s*\{"), "write ${name}, with one pair of braces"),
)


def _syntax_problem(source: str, error: SyntaxError) -> str:
    message = error.msg.removeprefix("f-string: ")
    hint = next((text for pattern, text in _HINTS if pattern.search(source)), "")
    return f"it is not an expression: {message}" + (f"; {hint}" if hint else "")
