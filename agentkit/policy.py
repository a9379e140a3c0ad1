"""Which calls run by themselves, which ask a person first, and which never run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import ClassVar, get_args

from agentkit.errors import DefinitionError
from agentkit.toolbox import Approval, Tool


class _WrongPolicyError(DefinitionError, ValueError):
    """A policy that says what it cannot. A `ValueError` too, so that files with policies can say where."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Permission by tool glob, then by the tool's own attribute, then by its effect.

    The most specific glob that matches decides: a plain name before a pattern, then the longer one.

    Attributes:
        tools: Approval by glob over tool names, e.g. ``{"delete_*": "never", "send_email": "auto"}``.
        writes: Approval of writes that no glob and no tool attribute decides.
        reads: Approval of reads and pure calls that nothing else decides.

    Raises:
        DefinitionError: Something is not ``auto``, ``ask`` or ``never``; the message lists all.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    tools: Mapping[str, Approval] = field(default_factory=dict)
    writes: Approval = "ask"
    reads: Approval = "auto"

    def __post_init__(self) -> None:
        said = {"writes": self.writes, "reads": self.reads}
        said |= {f"tools[{glob!r}]": approval for glob, approval in self.tools.items()}
        problems = [f"{where} is {word!r}" for where, word in said.items() if word not in get_args(Approval)]
        if problems:
            raise _WrongPolicyError(f"a policy says 'auto', 'ask' or 'never', and {'; '.join(problems)}")

    def decide(self, tool: Tool) -> Approval:
        """The approval that a call of `tool` needs."""
        matching = [glob for glob in self.tools if fnmatchcase(tool.name, glob)]
        if matching:
            return self.tools[max(matching, key=_specificity)]
        if tool.approval is not None:
            return tool.approval
        return self.writes if tool.effect == "write" else self.reads


def _specificity(glob: str) -> tuple[bool, int]:
    return not any(wildcard in glob for wildcard in "*?["), len(glob)
