"""The checker's rules for ids: unique, identifiers, and not reserved."""

from __future__ import annotations

from keyword import iskeyword

from agentkit._checker_report import Findings, Path
from agentkit.diagnostics import Code
from agentkit.plan import Plan, Subgoal, blocks, walk
from agentkit.schedule import bound_names

_RESERVED = frozenset({"true", "false", "null"})


def check_ids(plan: Plan, findings: Findings) -> None:
    """Report every id and bound name that is used twice or cannot be a name."""
    seen: set[str] = set(plan.inputs)
    for step in walk(plan.steps):
        findings.line = step.line
        _check_identifier(step.id, (step.id,), findings)
        if step.id in seen:
            findings.report(Code.DUPLICATE_ID, (step.id,), f"the id {step.id!r} is used twice.")
        seen.add(step.id)
        if isinstance(step, Subgoal):
            for name in step.inputs:
                _check_identifier(name, (step.id, "inputs", name), findings)
        for name in bound_names(step):
            path = (step.id, name)
            _check_identifier(name, path, findings)
            if any(inner.id == name for _, block in blocks(step) for inner in block):
                findings.report(Code.DUPLICATE_ID, path, f"{name!r} names both a step and what its loop binds.")
    findings.line = None
    for name in plan.inputs:
        _check_identifier(name, ("inputs", name), findings)


def _check_identifier(name: str, path: Path, findings: Findings) -> None:
    if name.isidentifier() and not iskeyword(name) and not name.startswith("_") and name not in _RESERVED:
        return
    findings.report(
        Code.INVALID_ID,
        path,
        f"{name!r} cannot be a name.",
        expected="letters, digits and underscores, beginning with a letter, and no reserved word",
    )
