"""What a plan does, whatever its steps are called and in whatever order independent ones stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from hashlib import sha256
from typing import Any

from agentkit.expressions import Expr, Name
from agentkit.expressions.renaming import rename
from agentkit.plan import KINDS, Block, Call, ForEach, Plan, Step, Value
from agentkit.toolbox import Toolbox

_UNTOLD = frozenset({"id", "line"})


def meaning(plan: Plan, toolbox: Toolbox) -> str:
    """A text that is the same for two plans that make the same calls for the same answer.

    Names of steps, the order of calls without effect, and repetitions of these do not count; the order of writes,
    questions and model steps does.
    """
    digest, names = _block(plan.steps, {}, toolbox, valued=plan.answer is None)
    return _hash((digest, None if plan.answer is None else _shown(plan.answer, names)))


def _block(
    block: Block, outer: Mapping[str, Name], toolbox: Toolbox, *, valued: bool = True
) -> tuple[str, dict[str, Name]]:
    """A digest of a block, whose value is that of its last step if it is `valued`; and its steps' names by meaning."""
    names = dict(outer)
    free: set[str] = set()
    ordered: list[str] = []
    last = ""
    for step in block:
        last = _step(step, names, toolbox)
        names[step.id] = Name(last)
        if _has_no_effect(step, toolbox):
            free.add(last)
        else:
            ordered.append(last)
    return _hash((sorted(free), ordered, last if valued else "")), names


def _step(step: Step, names: Mapping[str, Name], toolbox: Toolbox) -> str:
    inner = {**names, step.item: Name("item")} if isinstance(step, ForEach) else names
    return _hash(
        (
            KINDS[type(step)],
            [
                (one.name, _part(getattr(step, one.name), inner if one.name == "do" else names, toolbox))
                for one in fields(step)
                if one.name not in _UNTOLD and not (isinstance(step, ForEach) and one.name == "item")
            ],
        )
    )


def _part(value: Any, names: Mapping[str, Name], toolbox: Toolbox) -> object:
    """A field of a step: an expression, a block, a mapping of either, or plain data."""
    match value:
        case Mapping():
            return sorted((key, _part(item, names, toolbox)) for key, item in value.items())
        case tuple():
            return _block(value, names, toolbox)[0]
        case None | bool() | int() | float() | str() | list():
            return repr(value)
        case _:
            return _shown(value, names)


def _shown(expr: Expr, names: Mapping[str, Name]) -> str:
    return repr(rename(expr, names))


def _has_no_effect(step: Step, toolbox: Toolbox) -> bool:
    match step:
        case Value():
            return True
        case Call(tool=name):
            tool = toolbox.get(name)
            return tool is not None and tool.effect != "write"
        case _:
            return False


def _hash(parts: Iterable[object]) -> str:
    return "s" + sha256(repr(tuple(parts)).encode()).hexdigest()[:24]
