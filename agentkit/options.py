"""Options that come as data, from YAML or a command line, for what a word stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from agentkit.errors import DefinitionError

_TYPES: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "nothing",
}
"""Types of plain data, as messages name them."""


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


def check_options(
    make: Callable[..., Any], options: Mapping[str, Any], what: str, *, hidden: Iterable[str] = ()
) -> None:
    """Refuse options that `make` does not take, the lack of one that it needs, and values of another type.

    Only values of plain types are looked at: numbers, texts, true or false, and choices of words.

    Args:
        make: A class or function whose parameters are the options.
        options: Those that are given, by name.
        what: What messages call it, e.g. ``the planner 'react'``.
        hidden: Parameters that data cannot give.

    Raises:
        DefinitionError: An option is unknown or has a wrong value, or one that has no default is missing.
    """
    known: Mapping[str, inspect.Parameter] = {
        name: one for name, one in inspect.signature(make, eval_str=True).parameters.items() if name not in hidden
    }
    have = f"its options are: {', '.join(known)}" if known else "it has none"
    for name in options:
        if name not in known:
            raise DefinitionError(f"{what} has no option {name!r}{did_you_mean(name, known)}; {have}")
    for name, one in known.items():
        if one.default is one.empty and name not in options:
            raise DefinitionError(f"{what} needs the option {name!r}; {have}")
    for name, value in options.items():
        kinds = _plain(known[name].annotation)
        if kinds and not any(_is(value, kind) for kind in kinds):
            raise DefinitionError(f"{what}: {name} is {value!r}; expected {' or '.join(map(_said, kinds))}")


def _plain(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a type if all of them are plain data: types, and words; else nothing."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = [word for part in parts for word in (get_args(part) if get_origin(part) is Literal else (part,))]
    return tuple(kinds) if all(kind in _TYPES or isinstance(kind, str) for kind in kinds) else ()


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, str):
        return bool(value == kind)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _said(kind: Any) -> str:
    return repr(kind) if isinstance(kind, str) else _TYPES[kind]
