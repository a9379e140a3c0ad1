"""Where the checker's findings go."""

from __future__ import annotations

from dataclasses import replace

from agentkit._checker_suggestions import instead
from agentkit.diagnostics import Code, Diagnostic, Severity
from agentkit.expressions.nodes import Expr, names
from agentkit.types import Flow, Mismatch, Type, flows, mismatch

Path = tuple[str | int, ...]

_CODES = {
    "enum": Code.NOT_IN_ENUM,
    "range": Code.OUT_OF_RANGE,
    "format": Code.WRONG_FORMAT,
    "missing": Code.MISSING_ARGUMENT,
    "unexpected": Code.UNEXPECTED_ARGUMENT,
}


class Findings:
    """The diagnostics of one check.

    Attributes:
        diagnostics: What was found, in program order.
        runtime_checks: Paths of values whose types only running can tell.
        line: The source line of the step being checked.
        silent: Nothing is recorded, while types are inferred by checking a block ahead.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.runtime_checks: list[str] = []
        self.line: int | None = None
        self.silent = False

    def report(
        self,
        code: Code,
        path: Path,
        message: str,
        *,
        expected: str = "",
        suggestion: str = "",
        severity: Severity = "error",
    ) -> None:
        """Record a diagnostic of the step being checked."""
        self.add(Diagnostic(code, path, message, expected, suggestion, severity, self.line))

    def add(self, diagnostic: Diagnostic) -> None:
        """Record a diagnostic that somebody else made; it gets the current line if it has none."""
        if self.silent:
            return
        if diagnostic.line is None and self.line is not None:
            diagnostic = replace(diagnostic, line=self.line)
        self.diagnostics.append(diagnostic)

    def flow(self, expr: Expr, kind: Type, target: Type, path: Path) -> None:
        """Report if `expr`, of type `kind`, can never be a `target`; note it if only running can tell."""
        flow = flows(kind, target)
        if flow is Flow.NO:
            found = mismatch(kind, target) or Mismatch((), "type", str(target), str(kind))
            literal = not names(expr)
            code = _CODES.get(found.kind, Code.MISTYPED_ARGUMENT) if literal else Code.CANNOT_FLOW
            self.report(
                code,
                (*path, *found.path),
                f"{found.found} cannot be used here.",
                expected=found.expected,
                suggestion="" if found.path else instead(expr, kind, target),
            )
        elif flow is Flow.MAYBE:
            self.note(path)

    def note(self, path: Path) -> None:
        """Note a place whose type is checked when it runs."""
        if not self.silent:
            self.runtime_checks.append(".".join(map(str, path)))


def some(options: list[str], most: int = 12) -> str:
    """A list for a message, cut where it is long."""
    shown = ", ".join(options[:most])
    return f"{shown}, … ({len(options)} in all)" if len(options) > most else shown
