"""agentkit: a plan is a typed program. A model writes it, a checker proves it, an executor runs it, memory keeps it.

The names here are what most programs need; everything else is in its module. Nothing is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.cache import CacheStore
    from agentkit.checker import CheckedPlan, CheckReport, check
    from agentkit.context import RunContext
    from agentkit.definition import load_agent
    from agentkit.diagnostics import Code, Diagnostic
    from agentkit.errors import AgentKitError, ModelRetry
    from agentkit.executor import execute
    from agentkit.journal import JournalStore
    from agentkit.limits import Limits
    from agentkit.models.ids import resolve_model
    from agentkit.plan import Plan
    from agentkit.planning import Example
    from agentkit.policy import Policy
    from agentkit.protocols import Decision, Human, Model
    from agentkit.results import Outcome, RunResult
    from agentkit.run import Run
    from agentkit.spelling import read_json, read_python, write_json, write_python
    from agentkit.task import Task
    from agentkit.toolbox import Tool, Toolbox, tool

_HOMES = {
    "Agent": "agent",
    "AgentKitError": "errors",
    "CacheStore": "cache",
    "CheckReport": "checker",
    "CheckedPlan": "checker",
    "Code": "diagnostics",
    "Decision": "protocols",
    "Diagnostic": "diagnostics",
    "Example": "planning",
    "Human": "protocols",
    "JournalStore": "journal",
    "Limits": "limits",
    "Model": "protocols",
    "ModelRetry": "errors",
    "Outcome": "results",
    "Plan": "plan",
    "Policy": "policy",
    "Run": "run",
    "RunContext": "context",
    "RunResult": "results",
    "Task": "task",
    "Tool": "toolbox",
    "Toolbox": "toolbox",
    "check": "checker",
    "execute": "executor",
    "read_json": "spelling",
    "read_python": "spelling",
    "load_agent": "definition",
    "resolve_model": "models.ids",
    "tool": "toolbox",
    "write_json": "spelling",
    "write_python": "spelling",
}

__all__ = [
    "Agent",
    "AgentKitError",
    "CacheStore",
    "CheckReport",
    "CheckedPlan",
    "Code",
    "Decision",
    "Diagnostic",
    "Example",
    "Human",
    "JournalStore",
    "Limits",
    "Model",
    "ModelRetry",
    "Outcome",
    "Plan",
    "Policy",
    "Run",
    "RunContext",
    "RunResult",
    "Task",
    "Tool",
    "Toolbox",
    "check",
    "execute",
    "load_agent",
    "read_json",
    "read_python",
    "resolve_model",
    "tool",
    "write_json",
    "write_python",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'agentkit' has no attribute {name!r}")
    return getattr(import_module(f"agentkit.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
