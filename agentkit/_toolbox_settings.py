"""What can be said about a tool beside its schemas, and what is allowed there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeAlias, TypedDict, get_args

Effect: TypeAlias = Literal["pure", "read", "write"]
"""What a call does to the world: nothing and depends on its arguments only; looks at it; changes it."""

Approval: TypeAlias = Literal["auto", "ask", "never"]
"""Whether a call may go ahead: yes; after a person agreed; not at all."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./:-]{0,127}")


class ToolSettings(TypedDict, total=False):
    """The settings of a tool; all are optional.

    Attributes:
        name: Its name; that of the function where not said.
        description: What it does, for the model; the docstring's text where not said.
        effect: ``pure``, ``read`` or ``write``. Not said, it is a write: the safe guess.
        resources: What it reads or writes, e.g. ``"shop_db"``; nothing means the whole world.
        approval: Overrides what the policy says about tools of this effect.
        retries: How often a failed call is tried again.
        timeout: Seconds that one attempt may take.
        max_concurrency: How many calls may run at once.
        cost: US dollars a call.
        expected_seconds: How long a call usually takes; 0 is unknown.
        idempotent: A repeated call does no more than one; a write says so if it recognises idempotency keys.
            Not said, it is true of everything but writes.
        tags: Words to select it by.
        version: Changes when its behaviour does, so that a resumed run notices.
        cache: Seconds that a result may be given again to an equal call, where the agent has a cache; None for never.
            Not for writes. The result must depend on nothing but the arguments and the user.
    """

    name: str
    description: str
    effect: Effect
    resources: str | Iterable[str]
    approval: Approval | None
    retries: int
    timeout: float | None
    max_concurrency: int | None
    cost: float
    expected_seconds: float
    idempotent: bool
    tags: str | Iterable[str]
    version: str
    cache: float | None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any, least: int) -> bool:
    return type(value) is int and value >= least


def _are_names(values: Any) -> bool:
    return isinstance(values, Iterable) and all(isinstance(value, str) and value for value in values)


_RULES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "name": (
        lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
        "1 to 128 letters, digits and '_ - . / :'",
    ),
    "description": (lambda value: isinstance(value, str), "text"),
    "effect": (lambda value: value in get_args(Effect), "'pure', 'read' or 'write'"),
    "resources": (_are_names, "a name or several"),
    "approval": (lambda value: value is None or value in get_args(Approval), "'auto', 'ask', 'never' or None"),
    "retries": (lambda value: _is_count(value, 0), "a whole number from 0"),
    "timeout": (lambda value: value is None or (_is_number(value) and value > 0), "seconds above 0, or None"),
    "max_concurrency": (lambda value: value is None or _is_count(value, 1), "a whole number from 1, or None"),
    "cost": (lambda value: _is_number(value) and value >= 0, "US dollars from 0"),
    "expected_seconds": (lambda value: _is_number(value) and value >= 0, "seconds from 0"),
    "idempotent": (lambda value: isinstance(value, bool), "True or False"),
    "tags": (_are_names, "a word or several"),
    "version": (lambda value: isinstance(value, str), "text"),
    "cache": (lambda value: value is None or (_is_number(value) and value > 0), "seconds above 0, or None"),
}


def read_settings(given: ToolSettings) -> tuple[dict[str, Any], list[str]]:
    """Settings with their defaults, and what is wrong with them."""
    defaults = {"name": "", "description": "", "effect": "write", "resources": (), "tags": ()}
    settings: dict[str, Any] = {**defaults, **given}
    for name in ("resources", "tags"):
        value = settings[name]
        if isinstance(value, Iterable):
            settings[name] = (value,) if isinstance(value, str) else tuple(value)
    problems = [_problem(name, value) for name, value in settings.items() if not _is_right(name, value)]
    if not str(settings["description"]).strip():
        problems.append("it has no description: write a docstring, or pass description=")
    if settings["effect"] == "pure" and settings["resources"]:
        problems.append("a pure tool touches no resources: remove them, or say effect='read'")
    if settings["effect"] == "write" and settings.get("cache") is not None:
        problems.append("a write cannot be cached: remove cache=, or say effect='read' if it changes nothing")
    if not problems:
        settings["tags"] = frozenset(settings["tags"])
        settings.setdefault("idempotent", settings["effect"] != "write")
    return settings, problems


def _is_right(name: str, value: Any) -> bool:
    return name in _RULES and _RULES[name][0](value)


def _problem(name: str, value: Any) -> str:
    if name not in _RULES:
        return f"there is no setting {name!r}; there are: {', '.join(_RULES)}"
    return f"{name} has to be {_RULES[name][1]}, got {value!r}"
