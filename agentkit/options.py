"""Options that come as data, from YAML or a command line, for what a word stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from agentkit.errors import DefinitionError


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``, did you mean 'x'?`` to go on a message with, if one of the known names is near to `name`."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""


def named(said: object, known: Mapping[str, Any], what: str) -> tuple[str, dict[str, Any]]:
    """The name and the options of something that is chosen by a word, or by an object with ``name``.

    Raises:
        DefinitionError: It has no name, or one that is not known.
    """
    options = {str(key): value for key, value in said.items()} if isinstance(said, Mapping) else {}
    name = options.pop("name", None) if options else said
    there_are = f"there are: {', '.join(known)}"
    if not isinstance(name, str):
        raise DefinitionError(f"{said!r} is no {what}; give a name, or an object with 'name'; {there_are}")
    if name not in known:
        raise DefinitionError(f"there is no {what} {name!r}{did_you_mean(name, known)}; {there_are}")
    return name, options


def check_options(make: Callable[..., Any], options: Iterable[str], what: str, *, hidden: Iterable[str] = ()) -> None:
    """Refuse options that `make` does not take, and the lack of one that it needs.

    Args:
        make: A class or function whose parameters are the options.
        options: The names of those that are given.
        what: What messages call it, e.g. ``the planner 'react'``.
        hidden: Parameters that data cannot give.

    Raises:
        DefinitionError: An option is unknown, or one that has no default is missing.
    """
    given = list(options)
    known: Mapping[str, inspect.Parameter] = {
        name: one for name, one in inspect.signature(make).parameters.items() if name not in hidden
    }
    have = f"its options are: {', '.join(known)}" if known else "it has none"
    for name in given:
        if name not in known:
            raise DefinitionError(f"{what} has no option {name!r}{did_you_mean(name, known)}; {have}")
    for name, one in known.items():
        if one.default is one.empty and name not in given:
            raise DefinitionError(f"{what} needs the option {name!r}; {have}")
