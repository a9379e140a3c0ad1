"""Why a name is not in scope: never defined, defined later, inside a block, or in another branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from agentkit.diagnostics import Code, Diagnostic
from agentkit.plan import Block, If, blocks
from agentkit.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a step is defined: the compound steps around it, outermost first, and whether one of them branches."""

    order: int
    inside: tuple[str, ...]
    branch: bool


class Names:
    """The places of all step ids of a plan, looked up when a name is not in scope.

    Attributes:
        at: The id of the step that the checker is at.
    """

    def __init__(self, steps: Block) -> None:
        self.at = ""
        self._steps = steps

    @cached_property
    def _places(self) -> dict[str, _Place]:
        found: dict[str, _Place] = {}
        _collect(self._steps, (), found, branch=False)
        return found

    def diagnose(
        self, name: str, scope: Mapping[str, object], path: tuple[str | int, ...], toolbox: Toolbox
    ) -> Diagnostic:
        """Why `name`, which is not in `scope`, cannot be used at `path`."""
        place = self._places.get(name)
        if place is None:
            return _unknown(name, scope, path, toolbox)
        if name in self._places[self.at].inside:
            return Diagnostic(
                Code.LATER_STEP,
                path,
                f"{name!r} is used inside itself, before it has a value.",
                suggestion="Refer to a step of the block, or to an earlier step.",
            )
        here = path[0] if path else ""
        if place.order >= self._places[self.at].order and here != "answer":
            return Diagnostic(
                Code.LATER_STEP,
                path,
                f"{name!r} is used before it is defined.",
                suggestion=f"Move the step {name!r} before this one, or refer to an earlier step.",
            )
        outer = next((id for id in place.inside if id in scope), None)
        if place.branch:
            return Diagnostic(
                Code.WRONG_BRANCH,
                path,
                f"{name!r} is defined in one branch of {place.inside[-1]!r} only.",
                suggestion=f"Refer to {place.inside[-1]!r}, whose value is that of the branch taken.",
            )
        return Diagnostic(
            Code.OUT_OF_SCOPE,
            path,
            f"{name!r} is inside {place.inside[-1]!r} and cannot be seen from outside.",
            suggestion=f"Refer to {outer!r} itself." if outer else "Move the reference into that block.",
        )


def _collect(block: Block, inside: tuple[str, ...], found: dict[str, _Place], *, branch: bool) -> None:
    for step in block:
        found.setdefault(step.id, _Place(len(found), inside, branch))
        for _, inner in blocks(step):
            _collect(inner, (*inside, step.id), found, branch=isinstance(step, If))


def _unknown(name: str, scope: Mapping[str, object], path: tuple[str | int, ...], toolbox: Toolbox) -> Diagnostic:
    if name in toolbox:
        hint = f"{name!r} is a tool: call it as a step, {name}(...)."
    else:
        close = get_close_matches(name, list(scope), n=1)
        hint = f"Did you mean {close[0]!r}?" if close else ""
    visible = ", ".join(list(scope)[-12:])
    return Diagnostic(
        Code.UNKNOWN_NAME,
        path,
        f"nothing defines {name!r}.",
        expected=f"one of: {visible}" if visible else "a name that is defined before; none is",
        suggestion=hint,
    )
