"""What the calls of a run have done, read off its events: so that a new plan repeats no write and no denied call."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agentkit.eventlog import EventLog
from agentkit.events import (
    ApprovalAsked,
    ApprovalGiven,
    Event,
    StepFinished,
    StepReused,
    StepStarted,
)
from agentkit.messages import Json
from agentkit.toolbox import Tool

_NOT_CALLS = frozenset({"generate", "ask", "subgoal"})
_StepOfPlan = tuple[int, str]


@dataclass(frozen=True, slots=True)
class CallDone:
    """A tool call that was done. `step` is its instance in plan number `plan`."""

    tool: str
    args: Mapping[str, Json]
    value: Json
    effect: str
    step: str
    plan: int

    @property
    def name(self) -> str:
        """What `StepReused.source` calls it: plan and step."""
        return f"{self.plan}/{self.step}"


@dataclass(frozen=True, slots=True)
class CallDenied:
    """A tool call that a person did not permit."""

    tool: str
    args: Mapping[str, Json]
    reason: str


@dataclass(slots=True)
class _Kept:
    """A write of a plan that was replaced, and the step of the present plan that stands for it, if any."""

    call: CallDone
    taken_by: str | None = None


class Ledger:
    """The calls of one run. It reads the events when it is asked, so a run that never asks pays nothing.

    A plan that is replaced leaves its finished writes in the ledger (`keep`). When a later plan makes the same call, it
    takes the earlier result instead (`take`): each kept write stands for one call of a plan.
    """

    __slots__ = (
        "_asked",
        "_calls",
        "_denied",
        "_events",
        "_kept",
        "_names",
        "_read",
        "_refused",
        "_reused",
        "_started",
    )

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._read = 0
        self._started: dict[_StepOfPlan, StepStarted] = {}
        self._reused: dict[_StepOfPlan, StepReused] = {}
        self._asked: dict[_StepOfPlan, ApprovalAsked] = {}
        self._refused: dict[_StepOfPlan, str] = {}
        self._calls: list[CallDone] = []
        self._denied: list[CallDenied] = []
        self._kept: dict[str, list[_Kept]] = {}
        self._names: set[str] = set()

    def recall(self, recorded: Iterable[Event]) -> None:
        """Know what an interrupted run had begun; a step that is replayed tells only how it ended."""
        for event in recorded:
            if not isinstance(event, StepFinished):
                self._note(event)

    @property
    def calls(self) -> Sequence[CallDone]:
        """Every call that was done, in the order in which they ended; a reused result is not a call."""
        self._catch_up()
        return self._calls

    def tool_of(self, end: StepFinished) -> str:
        """The tool that a step has called; empty if it has called none."""
        self._catch_up()
        started = self._started.get((end.plan, end.step))
        return "" if started is None or started.action in _NOT_CALLS else started.action

    def keep(self, tools: Mapping[str, Tool], *, within: str) -> list[CallDone]:
        """A plan is replaced: keep its finished writes for later plans, and free those that its steps stood for.

        Args:
            tools: The run's tools, for the defaults of their arguments.
            within: The run's prefix of step names: only its own calls, and those of its subgoals, are kept.

        Returns:
            The writes that are newly kept.
        """
        new = []
        for call in self.calls:
            if call.effect == "write" and call.step.startswith(within) and call.name not in self._names:
                self._names.add(call.name)
                self._kept.setdefault(call_key(call.tool, call.args, tools.get(call.tool)), []).append(_Kept(call))
                new.append(call)
        for kept in self._all_kept():
            if kept.taken_by is not None and kept.taken_by.startswith(within):
                kept.taken_by = None
        return new

    def take(self, tool: Tool, args: Mapping[str, Json], step: str) -> CallDone | None:
        """The kept write that the call of `step` would repeat, and stands for from now on; None if there is none."""
        if not self._kept:
            return None
        for kept in self._kept.get(call_key(tool.name, args, tool), ()):
            if kept.taken_by is None:
                kept.taken_by = step
                return kept.call
        return None

    def retake(self, number: int, finished: Container[str]) -> None:
        """Take again what the finished steps of plan `number` stood for before the run was interrupted."""
        if not self._kept:
            return
        for (plan, step), event in self._reused.items():
            if plan == number and step in finished:
                for kept in self._all_kept():
                    if kept.call.name == event.source:
                        kept.taken_by = step

    def denial(self, tool: Tool, args: Mapping[str, Json]) -> CallDenied | None:
        """What a person said when this very call was not permitted; None if that has not happened."""
        self._catch_up()
        if not self._denied:
            return None
        key = call_key(tool.name, args, tool)
        same = (one for one in self._denied if one.tool == tool.name and call_key(tool.name, one.args, tool) == key)
        return next(same, None)

    @property
    def denied(self) -> Sequence[CallDenied]:
        """The calls that were not permitted."""
        self._catch_up()
        return self._denied

    def _all_kept(self) -> Iterable[_Kept]:
        return (kept for group in self._kept.values() for kept in group)

    def _catch_up(self) -> None:
        for event in self._events.since(self._read):
            self._read += 1
            self._note(event)

    def _note(self, event: Event) -> None:
        match event:
            case StepStarted():
                self._started[event.plan, event.step] = event
            case StepReused():
                self._reused[event.plan, event.step] = event
            case ApprovalAsked():
                self._asked[event.plan, event.step] = event
            case ApprovalGiven(granted=False):
                self._refused[event.plan, event.step] = event.reason
            case StepFinished():
                self._ended(event)
            case _:
                pass

    def _ended(self, event: StepFinished) -> None:
        key = event.plan, event.step
        if key in self._refused and key in self._asked:
            asked = self._asked[key]
            self._denied.append(CallDenied(asked.tool, asked.args, self._refused.pop(key)))
        started = self._started.get(key)
        if event.status != "done" or event.error or started is None or key in self._reused:
            return
        if started.action not in _NOT_CALLS:
            args = started.args if isinstance(started.args, Mapping) else {}
            self._calls.append(CallDone(started.action, args, event.value, started.effect, event.step, event.plan))


def call_key(name: str, args: Mapping[str, Json], tool: Tool | None) -> str:
    """A call as text: equal for calls that say the same, defaults and the order of arguments aside."""
    said = dict(args)
    for parameter in tool.parameters if tool is not None else ():
        if parameter.name not in said and "default" in parameter.schema:
            said[parameter.name] = parameter.schema["default"]
    return name + json.dumps(_plain(said), sort_keys=True, separators=(",", ":"))


def _plain(value: Json) -> Json:
    """The value with whole floats as integers: 1.0 and 1 are the same argument."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
