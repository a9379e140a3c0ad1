"""The typed tool registry: `tool` makes tools of functions, a `Toolbox` holds those that a plan may call."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, TypeAlias

from agentkit._schema import Parameter
from agentkit._schema_problems import listed, shown
from agentkit._toolbox_functions import FunctionTool, tool, tools_of, without_instance
from agentkit._toolbox_settings import Approval, Effect, ToolSettings
from agentkit._toolbox_tool import Tool
from agentkit.errors import DefinitionError, ToolDefinitionError
from agentkit.expressions.functions import RESERVED

__all__ = [
    "RESERVED_NAMES",
    "Approval",
    "Effect",
    "FunctionTool",
    "Parameter",
    "Tool",
    "ToolSettings",
    "Toolbox",
    "tool",
    "tools_of",
]

Tools: TypeAlias = "Tool | Toolbox | Iterable[Tools]"
"""A tool, a toolbox, or any iterable of these."""

RESERVED_NAMES: Final[frozenset[str]] = (
    frozenset(RESERVED)
    | frozenset(("answer", "generate", "ask", "subgoal", "parallel", "branch", "each", "input", "print"))
    | frozenset(("choose", "then", "otherwise", "for_each", "repeat", "next", "until"))
    | frozenset(keyword.kwlist)
)
"""Names that mean something else in a plan; no tool may have one."""

_CLOSE_TEXT = 0.6
_CLOSE_WORDS = 0.4


class Toolbox(Mapping[str, Tool]):
    """The tools that a plan may call, by name; never changes.

    Args:
        tools: Tools, toolboxes, and iterables of them. The same tool may come twice.

    Raises:
        DefinitionError: Something is not a tool, or names clash or are reserved; the message lists everything.
    """

    __slots__ = ("__dict__", "_by_python_name", "_tools")

    def __init__(self, *tools: Tools) -> None:
        self._tools: dict[str, Tool] = {}
        self._by_python_name: dict[str, Tool] = {}
        problems = [problem for item in _flat(tools) if (problem := self._add(item))]
        if problems:
            raise DefinitionError(listed("these tools do not make a toolbox", problems))

    def _add(self, item: Any) -> str:
        """Take a tool in; what is wrong with it, if anything."""
        if not isinstance(item, Tool):
            hint = "decorate it with @tool" if callable(item) else "give tools, toolboxes or iterables of them"
            return f"{shown(item)} is not a tool: {hint}"
        if item.needs_instance:
            return without_instance(item)
        if item.name in RESERVED_NAMES or item.python_name in RESERVED_NAMES:
            name = item.name if item.name in RESERVED_NAMES else item.python_name
            what = (
                f"calls the pure function {name}(...)" if name in RESERVED else f"reads {name!r} as a word of its own"
            )
            return (
                f"no tool can be named {item.name!r}, since a plan {what}: "
                f"rename it with @tool(name={f'{item.name}_tool'!r}), or .replace(name=…)"
            )
        other = self._by_python_name.setdefault(item.python_name, item)
        if other is not item and not other.same_as(item):
            return _clash(other, item)
        self._tools[item.name] = other
        return ""

    def __getitem__(self, name: str) -> Tool:
        try:
            return self._tools[name]
        except KeyError:
            close = self.closest(name)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise KeyError(f"there is no tool {name!r}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def get(self, name: str, default: Any = None) -> Any:
        """The tool of this name, or `default`."""
        return self._tools.get(name, default)

    def __or__(self, other: Tools) -> Toolbox:
        return Toolbox(self, other)

    def __repr__(self) -> str:
        return f"Toolbox({', '.join(self._tools)})"

    def with_(self, *tools: Tools) -> Toolbox:
        """A toolbox that has these tools too."""
        return Toolbox(self, *tools)

    def select(self, *globs: str, tags: str | Iterable[str] = ()) -> Toolbox:
        """The tools whose name matches one of the globs and that have one of the tags; neither given, all.

        Args:
            globs: Names with ``*``, ``?`` and ``[…]``, e.g. ``"fetch_*"``.
            tags: Tags, or one.

        Raises:
            DefinitionError: A glob without wildcards names no tool.
        """
        wanted = frozenset((tags,) if isinstance(tags, str) else tags)
        for glob in globs:
            if glob not in self._tools and not re.search(r"[*?\[]", glob):
                close = self.closest(glob)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise DefinitionError(f"there is no tool {glob!r} to select{hint}")
        return Toolbox(
            item
            for item in self._tools.values()
            if (not globs or any(fnmatchcase(item.name, glob) for glob in globs)) and (not wanted or wanted & item.tags)
        )

    def by_python_name(self, name: str) -> Tool | None:
        """The tool with this identifier (see `Tool.python_name`), if there is one."""
        return self._by_python_name.get(name)

    def closest(self, name: str, n: int = 3) -> list[str]:
        """Up to `n` names that are like `name` in letters or share words with it, the likest first."""
        words = _words(name)
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(name.lower())
        scored = []
        for candidate in self._tools:
            matcher.set_seq1(candidate.lower())
            letters = matcher.ratio() if matcher.quick_ratio() >= _CLOSE_TEXT else 0.0
            theirs = _words(candidate)
            shared = 2 * len(words & theirs) / max(len(words) + len(theirs), 1)
            if letters >= _CLOSE_TEXT or shared >= _CLOSE_WORDS:
                scored.append((-max(letters, shared), candidate))
        return [candidate for _, candidate in sorted(scored)[:n]]

    def signatures(self) -> str:
        """All tools for a prompt: a line each, with the first line of its description as a comment."""
        return "\n".join(
            f"{item.signature()}  # {item.description.strip().splitlines()[0]}" for item in self._tools.values()
        )

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of all tools, in any order: it changes when a stored plan may no longer fit."""
        parts = sorted(item.fingerprint for item in self._tools.values())
        return sha256("".join(parts).encode()).hexdigest()[:16]

    def validate(self) -> None:
        """Build every tool's schemas now, rather than when they are first needed.

        Raises:
            ToolDefinitionError: Some cannot be built; the message lists all of them.
        """
        problems = []
        for item in self._tools.values():
            try:
                _ = item.input_schema, item.output_schema
            except ToolDefinitionError as error:
                problems.append(str(error))
        if problems:
            raise ToolDefinitionError("\n".join(problems))


def _flat(tools: Any) -> Iterator[Any]:
    for item in tools:
        if isinstance(item, Toolbox):
            yield from item.values()
        elif isinstance(item, Iterable) and not isinstance(item, str | bytes | Mapping):
            yield from _flat(item)
        else:
            yield item


def _clash(one: Tool, other: Tool) -> str:
    hint = "rename one of them with .replace(name=…)"
    if one.name == other.name:
        return f"two tools are named {one.name!r}: {one.origin} and {other.origin}; {hint}"
    return (
        f"{one.name!r} ({one.origin}) and {other.name!r} ({other.origin}) are both "
        f"{one.python_name!r} in a Python plan; {hint}"
    )


def _words(name: str) -> frozenset[str]:
    """The words of a name, without plural endings: ``fetchTopProducts`` is fetch, top, product."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    return frozenset(word.removesuffix("s") for word in re.findall(r"[a-z]+|\d+", spaced))
