"""Placeholders in texts, and the one normal form of templates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from agentkit.expressions._bounds import MAX_SOURCE
from agentkit.expressions.nodes import Apply, Expr, Literal, Template

PLACEHOLDER: Final = re.compile(r"\$\$\{|\$\{")
"""Where a placeholder may begin; with two dollars it is the text ``${``."""


def template(parts: Iterable[str | Expr]) -> Expr:
    """Texts and values one after the other, as a text.

    Inner templates are taken apart and neighbouring texts joined. Without values it is a literal, and one value alone
    becomes ``str(value)``.
    """
    merged: list[str | Expr] = []
    for part in _flat(parts):
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    if not merged:
        return Literal("")
    if len(merged) > 1:
        return Template(tuple(merged))
    only = merged[0]
    if isinstance(only, str):
        return Literal(only)
    return only if isinstance(only, Apply) and only.function in ("str", "format") else Apply("str", (only,))


def _flat(parts: Iterable[str | Expr]) -> Iterable[str | Expr]:
    for part in parts:
        if isinstance(part, Template):
            yield from _flat(part.parts)
        elif isinstance(part, Literal) and isinstance(part.value, str):
            yield part.value
        else:
            yield part


def closing_brace(text: str, start: int) -> int | None:
    """The position of the brace that closes a placeholder whose expression begins at `start`; None if none does.

    Braces inside the expression are matched, and those inside its quoted texts do not count.
    """
    depth, position = 0, start
    end = min(len(text), start + MAX_SOURCE + 1)
    while position < end:
        character = text[position]
        if character in "'\"":
            closed = _closing_quote(text, position, end)
            if closed is None:
                return None
            position = closed
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return position
            depth -= 1
        position += 1
    return None


def _closing_quote(text: str, start: int, end: int) -> int | None:
    """The position of the last quote of the quoted text that begins at `start`."""
    quote = text[start] * 3 if text.startswith(text[start] * 3, start) else text[start]
    position = start + len(quote)
    while position < end:
        if text[position] == "\\":
            position += 2
        elif text.startswith(quote, position):
            return position + len(quote) - 1
        else:
            position += 1
    return None
