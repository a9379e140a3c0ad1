"""The checker's rules for calls: the tool, the permission, the arguments, the settings."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from agentkit._checker_report import Findings, Path, some
from agentkit.diagnostics import Code
from agentkit.plan import Call
from agentkit.policy import Policy
from agentkit.toolbox import Tool, Toolbox
from agentkit.types import ANY, NULL, Type, join

MAX_RETRIES = 10
"""Retries that a call may ask for at most."""

MAX_TIMEOUT = 86_400.0
"""Seconds that a call may ask for at most: a day."""


class CallChecker:
    """Checks calls against a toolbox and a policy."""

    def __init__(self, toolbox: Toolbox, policy: Policy, findings: Findings, *, approver: bool) -> None:
        self._toolbox = toolbox
        self._policy = policy
        self._findings = findings
        self._approver = approver

    def check(self, step: Call, given: Mapping[str, Type], fallback: Type | None, path: Path) -> Type:
        """Report what is wrong with a call whose argument types are `given`; the type of its value."""
        self._check_settings(step, path)
        tool: Tool | None = self._toolbox.get(step.tool)
        if tool is None:
            self._unknown_tool(step, path)
            return ANY
        self._check_permission(tool, path)
        self._check_arguments(step, tool, given, path)
        if step.on_error == "value":
            return join((tool.output_type, NULL if fallback is None else fallback))
        result: Type = tool.output_type
        return result

    def _check_settings(self, step: Call, path: Path) -> None:
        if step.retry is not None and not 0 <= step.retry <= MAX_RETRIES:
            self._findings.report(
                Code.OUT_OF_RANGE, (*path, "retry"), f"retry is {step.retry}.", expected=f"0 to {MAX_RETRIES}"
            )
        if step.timeout is not None and not 0 < step.timeout <= MAX_TIMEOUT:
            self._findings.report(
                Code.OUT_OF_RANGE,
                (*path, "timeout"),
                f"timeout is {step.timeout:g} s.",
                expected=f"more than 0 and at most {MAX_TIMEOUT:g} s",
            )

    def _unknown_tool(self, step: Call, path: Path) -> None:
        close, known = self._toolbox.closest(step.tool), list(self._toolbox)
        self._findings.report(
            Code.UNKNOWN_TOOL,
            (*path, "tool"),
            f"there is no tool {step.tool!r}.",
            expected=f"one of: {some(known)}" if known else "no tool calls, since there are no tools",
            suggestion=f"Did you mean {close[0]!r}?" if close else "",
        )

    def _check_permission(self, tool: Tool, path: Path) -> None:
        approval = self._policy.decide(tool)
        if approval == "never":
            self._findings.report(
                Code.FORBIDDEN,
                path,
                f"the policy forbids calling {tool.name!r}.",
                suggestion="Reach the goal without it.",
            )
        elif approval == "ask" and not self._approver:
            self._findings.report(
                Code.NO_APPROVER,
                path,
                f"{tool.name!r} needs approval and nobody can be asked.",
                suggestion="Reach the goal without it, or run with an approver.",
            )

    def _check_arguments(self, step: Call, tool: Tool, given: Mapping[str, Type], path: Path) -> None:
        known = tool.argument_types
        for parameter in tool.parameters:
            if parameter.required and parameter.name not in given:
                self._findings.report(
                    Code.MISSING_ARGUMENT,
                    (*path, "args"),
                    f"{tool.name!r} needs the argument {parameter.name!r}.",
                    expected=f"{parameter.name}: {known[parameter.name]}",
                )
        for name, kind in given.items():
            target = known.get(name, tool.other_arguments)
            if target is not None:
                self._findings.flow(step.args[name], kind, target, (*path, "args", name))
                continue
            close = get_close_matches(name, list(known), n=1)
            self._findings.report(
                Code.UNEXPECTED_ARGUMENT,
                (*path, "args", name),
                f"{tool.name!r} has no argument {name!r}.",
                expected=f"one of: {some(list(known))}" if known else "no arguments",
                suggestion=f"Did you mean {close[0]!r}?" if close else "",
            )
