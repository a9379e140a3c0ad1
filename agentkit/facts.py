"""What a run has come to know, for constraints and judges to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentkit.ledger import Ledger
from agentkit.messages import Json, Usage


@dataclass(frozen=True, slots=True)
class Facts:
    """The values of a run so far.

    In an expression they are names: ``calls.book_flight[0].value.price``, ``answer.destination``, ``usage.cost``.

    Attributes:
        inputs: The run's inputs by name.
        calls: For every tool, the calls of it that were done, oldest first: ``{"args": …, "value": …, "step": …}``.
            The calls of replaced plans are among them; a write whose result was reused is there once.
        steps: The values of the steps that are done, by name.
        usage: Tokens, calls and money so far.
        seconds: Since the run started.
        answer: The plan's answer, once there is one.
        answered: Whether there is one.
    """

    inputs: Mapping[str, Json] = field(default_factory=dict)
    calls: Mapping[str, Sequence[Mapping[str, Json]]] = field(default_factory=dict)
    steps: Mapping[str, Json] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    answer: Json = None
    answered: bool = False

    def scope(self) -> dict[str, Json]:
        """The facts as the names that an expression may refer to; `answer` only once there is one."""
        usage = {"cost": self.usage.cost, "tool_calls": self.usage.tool_calls, "model_calls": self.usage.model_calls}
        names: dict[str, Json] = {
            "inputs": self.inputs,
            "calls": self.calls,
            "steps": self.steps,
            "usage": usage,
            "seconds": self.seconds,
        }
        if self.answered:
            names["answer"] = self.answer
        return names


class CallsByTool:
    """The calls of a run by tool, kept up to date without reading any call twice."""

    __slots__ = ("_by_tool", "_ledger", "_read")

    def __init__(self, ledger: Ledger, tools: Sequence[str]) -> None:
        self._ledger = ledger
        self._read = 0
        self._by_tool: dict[str, list[dict[str, Any]]] = {name: [] for name in tools}

    def read(self) -> dict[str, list[dict[str, Any]]]:
        """Every call so far."""
        calls = self._ledger.calls
        for position in range(self._read, len(calls)):
            call = calls[position]
            row = {"args": call.args, "value": call.value, "step": call.step}
            self._by_tool.setdefault(call.tool, []).append(row)
        self._read = len(calls)
        return self._by_tool
