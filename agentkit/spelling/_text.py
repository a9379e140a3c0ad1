"""Bounds on what is read, and the plan inside what a model wrote around it."""

from __future__ import annotations

import re

MAX_TEXT = 1_000_000
"""Characters of a plan's text."""
MAX_STEPS = 10_000
"""Steps of a plan, those inside blocks included."""
MAX_NESTING = 32
"""Blocks inside blocks."""

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([A-Za-z0-9_+-]*)[^\n]*$", re.MULTILINE)


def unfenced(text: str, languages: tuple[str, ...]) -> tuple[str, int]:
    """The first Markdown code block of `text` in one of `languages` (or in none), and the lines before it.

    Text without a fence is returned as it is; a fence that is never closed runs to the end.
    """
    fences = list(_FENCE.finditer(text))
    for opening in fences:
        if opening[2].lower() not in (*languages, ""):
            continue
        closing = next(
            (f for f in fences if f.start() > opening.end() and f[1].startswith(opening[1]) and not f[2]), None
        )
        start = opening.end() + 1
        return text[start : closing.start() if closing else len(text)], text.count("\n", 0, start)
    return text, 0
