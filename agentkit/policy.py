"""Which calls run by themselves, which ask a person first, and which never run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from agentkit.toolbox import Approval, Tool


@dataclass(frozen=True, slots=True)
class Policy:
    """Permission by tool glob, then by the tool's own attribute, then by its effect.

    The most specific glob (the longest) that matches decides.

    Attributes:
        tools: Approval by glob over tool names, e.g. ``{"delete_*": "never", "send_email": "auto"}``.
        writes: Approval of writes that no glob and no tool attribute decides.
        reads: Approval of reads and pure calls that nothing else decides.
    """

    tools: Mapping[str, Approval] = field(default_factory=dict)
    writes: Approval = "ask"
    reads: Approval = "auto"

    def decide(self, tool: Tool) -> Approval:
        """The approval that a call of `tool` needs."""
        matching = [glob for glob in self.tools if fnmatchcase(tool.name, glob)]
        if matching:
            return self.tools[max(matching, key=len)]
        if tool.approval is not None:
            return tool.approval
        return self.writes if tool.effect == "write" else self.reads
