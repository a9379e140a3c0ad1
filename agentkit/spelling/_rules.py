"""The rules of a line's grammar, by name, and the terminals that they share."""

from __future__ import annotations

from collections.abc import Iterable

from agentkit.spelling._references import records
from agentkit.toolbox import Toolbox
from agentkit.types import NUMBER, Flow, ObjectType, flows

_TERMINALS = r"""
NL: /\n\n?/
STRING: /"[^"\\\n]{0,200}"/
FTEXT: /[^"{}\\\n]{1,200}/
DATE: /"[0-9]{4}-[01][0-9]-[0-3][0-9]"/
INT: /-?[0-9]{1,9}/
NUM: /-?[0-9]{1,9}(\.[0-9]{1,6})?/
IDX: /-1|[0-9]/
"""


class Rules:
    """Rules by name, in the order they were made, and what they ask of the toolbox."""

    def __init__(self, toolbox: Toolbox, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self._rules: dict[str, list[str]] = {}
        self._terminals: dict[str, str] = {}
        self._made = tuple(dict.fromkeys(kind for tool in toolbox.values() for kind in records(tool.output_type)))
        self.computing = any(
            tool.effect == "pure" and flows(tool.output_type, NUMBER) is Flow.YES for tool in toolbox.values()
        )

    def made_by_a_tool(self, kind: ObjectType) -> bool:
        """Whether some tool gives records of this type, so that a plan has no reason to write one out."""
        return any(required for _, _, required in kind.fields) and any(
            flows(one, kind) is Flow.YES for one in self._made
        )

    def add(self, name: str, alternatives: Iterable[str]) -> str:
        self._rules[name] = list(dict.fromkeys(alternatives))
        return name

    def reserve(self, name: str) -> bool:
        """Whether `name` is new; a reserved rule may refer to itself while it is being made."""
        if name in self._rules:
            return False
        self._rules[name] = []
        return True

    def terminal(self, pattern: str) -> str:
        """The name of the terminal of `pattern`."""
        return self._terminals.setdefault(pattern, f"NEW{len(self._terminals)}")

    def discard(self, name: str) -> None:
        """Take back a reserved rule that came to nothing."""
        del self._rules[name]

    def text(self) -> str:
        rows = [f"{name}: {' | '.join(alternatives)}" for name, alternatives in self._rules.items()]
        rows += [f"{name}: {pattern}" for pattern, name in self._terminals.items()]
        return "\n".join(rows) + _TERMINALS
