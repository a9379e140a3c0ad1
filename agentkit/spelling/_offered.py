"""What a model may write: the one narrowing that grammars and schemas of plans share."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agentkit.errors import DefinitionError
from agentkit.plan import KINDS, Unreadable
from agentkit.spelling._calls import OPTIONS
from agentkit.spelling._names import did_you_mean
from agentkit.spelling._phrases import is_identifier
from agentkit.spelling._references import escaped, python_literal
from agentkit.toolbox import Tool

EVERY = frozenset(KINDS.values()) - {KINDS[Unreadable]}
"""The step kinds that can be written."""


def offered(kinds: Collection[str] | None) -> frozenset[str]:
    """The step kinds to offer; None offers all.

    Raises:
        DefinitionError: There is no such kind.
    """
    if kinds is None:
        return EVERY
    for kind in kinds:
        if kind not in EVERY:
            hint = did_you_mean(kind, EVERY)
            listed = ", ".join(sorted(EVERY))
            raise DefinitionError(f"there is no step kind {kind!r}; the kinds are {listed}. {hint}".strip())
    return frozenset(kinds)


def model_calls(kinds: Collection[str], text: str) -> list[str]:
    """The rules of the calls that are steps without a tool, with the rule of their `text`."""
    return [f'"{kind}(" {text} ")"' for kind in ("generate", "ask", "subgoal") if kind in kinds]


def call_rule(tool: Tool, values: Mapping[str, str]) -> str:
    """The rule of a call of `tool`, its required arguments first; empty where a required one has no value.

    Args:
        tool: The tool.
        values: The rule of each argument's value; arguments whose rule is empty are left out.
    """
    required = [one.name for one in tool.parameters if one.required]
    optional = [one.name for one in tool.parameters if not one.required and values[one.name]]
    if not all(values[name] for name in required):
        return ""
    inside = ' ", " '.join(_argument(name, values[name]) for name in required)
    if required:
        inside += "".join(f' (", " {_argument(name, values[name])})?' for name in optional)
    else:
        inside = optional_list([_argument(name, values[name]) for name in optional])
    return f'"{tool.python_name}(" {inside} ")"' if inside else f'"{tool.python_name}()"'


def _argument(name: str, value: str) -> str:
    """``name=value``, or ``**{"name": value}`` where Python has no keyword of that name."""
    if is_identifier(name) and name not in OPTIONS:
        return f'"{name}=" {value}'
    return f'"**{{{escaped(python_literal(name))}: " {value} "}}"'


def optional_list(parts: list[str]) -> str:
    """Grammar of any of `parts`, in their order, each at most once, separated by commas."""
    if not parts:
        return ""
    alternatives = []
    for position, first in enumerate(parts):
        rest = "".join(f' (", " {later})?' for later in parts[position + 1 :])
        alternatives.append(f"{first}{rest}")
    return f"({' | '.join(alternatives)})?"
