"""What the words of an agent's file stand for: ready-made tools, policies of a memory, selectors of tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from agentkit.cache import CacheStore
from agentkit.embeddings import MiniLM
from agentkit.errors import DefinitionError
from agentkit.memory import Buffer, ContextPolicy, LastTurns, SkillsFirst, TokenWindow
from agentkit.options import check_options, named
from agentkit.planning import ToolSelector
from agentkit.toolbox import Tool
from agentkit.tools import dates, files, maths, sql, text, units, web
from agentkit.tools.selection import ToolRetrieval

Made = TypeVar("Made")


def _maths() -> tuple[Tool, ...]:
    return maths.TOOLS


def _units() -> tuple[Tool, ...]:
    return units.TOOLS


def _text() -> tuple[Tool, ...]:
    return text.TOOLS


FAMILIES: Mapping[str, Callable[..., tuple[Tool, ...]]] = {
    "maths": _maths,
    "units": _units,
    "dates": dates.date_tools,
    "text": _text,
    "sql": sql.sqlite_tools,
    "files": files.file_tools,
    "web": web.http_tools,
}
"""The ready-made tools that a file can ask for, and the functions whose arguments are their options."""

POLICIES: Mapping[str, Callable[..., ContextPolicy]] = {
    "buffer": Buffer,
    "last_turns": LastTurns,
    "token_window": TokenWindow,
}
"""How a conversation is fitted into the context, for policies that need nothing but data."""


def _retrieval(
    k: int = 10, *, always: Sequence[str] = (), embedder: str = "none", cache: str | None = None, neighbours: int = 5
) -> ToolRetrieval:
    if embedder not in ("none", "minilm"):
        raise DefinitionError(f"embedder is {embedder!r}; give 'none' or 'minilm'")
    found = MiniLM() if embedder == "minilm" else None
    kept = None if cache is None else CacheStore(cache)
    return ToolRetrieval(k, always=always, embedder=found, cache=kept, neighbours=neighbours)


def _skills_first(otherwise: Any = None) -> SkillsFirst:
    return SkillsFirst(None if otherwise is None else chosen(otherwise, SELECTORS, "selector"))


SELECTORS: Mapping[str, Callable[..., ToolSelector]] = {"retrieval": _retrieval, "skills_first": _skills_first}
"""How the tools that planners are told of are chosen."""

_NOT_DATA = frozenset({"clock", "certificates"})
_PATHS = frozenset({"root", "path", "session", "file", "cache"})


def chosen(said: object, known: Mapping[str, Callable[..., Made]], what: str) -> Made:
    """What a word, or an object with ``name`` and options, stands for."""
    name, options = named(said, known, what)
    return called(known[name], options, name)


def called(make: Callable[..., Made], options: Mapping[str, Any], name: str) -> Made:
    """What `make` gives for options from the file."""
    check_options(make, options, repr(name), hidden=_NOT_DATA)
    return make(**options)


def resolved(said: Any, home: Path) -> Any:
    """Options with their paths made relative to the file's folder, those of planners inside planners too."""
    if not isinstance(said, Mapping):
        return said
    return {
        key: str(home / value) if key in _PATHS and isinstance(value, str) else resolved(value, home)
        for key, value in said.items()
    }
