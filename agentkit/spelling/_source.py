"""From a model's text to Python syntax trees: the plan without what is around it, and the good part before an error."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from agentkit.diagnostics import Code, Diagnostic
from agentkit.spelling._text import MAX_TEXT, unfenced

_UNFINISHED = ("was never closed", "expected an indented block", "unterminated triple-quoted", "unexpected EOF")
_MOST_CUTS = 40


@dataclass(frozen=True, slots=True)
class Source:
    """The readable part of a text.

    Attributes:
        body: Its statements.
        lines: Its lines.
        before: Lines of the text before it; line numbers of problems count from the text's first line.
        problem: Why the rest could not be read.
    """

    body: list[ast.stmt]
    lines: list[str]
    before: int = 0
    problem: Diagnostic | None = None


def parse_source(text: str, *, partial: bool) -> Source:
    """Parse `text` as Python, without running anything.

    Args:
        text: The plan, perhaps in a Markdown code block with prose around it.
        partial: The text is still being written: what is unfinished at its end is not a problem.
    """
    if len(text) > MAX_TEXT:
        too_large = Diagnostic(Code.TOO_LARGE, (), f"the plan has {len(text):,} characters.", f"at most {MAX_TEXT:,}")
        return Source([], [], 0, too_large)
    body, before = unfenced(text, ("python", "py", "python3"))
    lines = re.split(r"(?<=\n)", body)
    if partial:
        lines.pop()  # empty after a line break, and unfinished otherwise
    tree, error = _parse("".join(lines))
    if tree is not None:
        return Source(tree.body, lines, before)
    at = error.lineno or 1
    problem = None
    if not (partial and any(sign in (error.msg or "") for sign in _UNFINISHED)):
        problem = _syntax_problem(error, lines, at, before)
    return Source(_good_prefix(lines, at), lines, before, problem)


def _parse(text: str) -> tuple[ast.Module | None, SyntaxError]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text), SyntaxError()
        except SyntaxError as error:
            return None, error
        except (RecursionError, MemoryError):
            return None, SyntaxError("too deeply nested")
        except ValueError as error:
            return None, SyntaxError(str(error))


def _syntax_problem(error: SyntaxError, lines: list[str], at: int, before: int) -> Diagnostic:
    shown = lines[at - 1].strip() if 0 < at <= len(lines) else ""
    if len(shown) > 80:
        shown = shown[:79] + "…"
    message = f"the text is not Python: {error.msg}: {shown!r}." if shown else f"the text is not Python: {error.msg}."
    suggestion = "Write the plan only, without prose around it." if at == 1 else "Mend this line."
    return Diagnostic(Code.SYNTAX, (), message, suggestion=suggestion, line=at + before)


def _good_prefix(lines: list[str], at: int) -> list[ast.stmt]:
    """The statements before the line `at` that parse on their own."""
    end = min(at - 1, len(lines))
    for _ in range(_MOST_CUTS):
        if end <= 0:
            return []
        tree, error = _parse("".join(lines[:end]))
        if tree is not None:
            return tree.body
        end = min(end - 1, max((error.lineno or end) - 1, 0) if error.lineno and error.lineno < end else end - 1)
    return []
