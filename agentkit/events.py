"""Everything that happens in a run, as one stream of typed events.

The journal, the trace, the command line's progress, the metrics and resume after a crash all read this stream.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from agentkit._event import Event
from agentkit._memory_events import (
    ContextBuilt,
    MemoryDecided,
    MemoryFailed,
    MemoryRecalled,
    SkillLearned,
    SkillsOffered,
    SkillsUsed,
    TurnKept,
)
from agentkit.errors import JournalError
from agentkit.messages import Json, Usage

__all__ = [
    "EVENTS",
    "ApprovalAsked",
    "ApprovalGiven",
    "ContextBuilt",
    "Event",
    "Executed",
    "IntentClarified",
    "IntentJudged",
    "MemoryDecided",
    "MemoryFailed",
    "MemoryRecalled",
    "ModelCalled",
    "PlanChecked",
    "PlanLine",
    "PlanProposed",
    "Reflected",
    "RunFinished",
    "RunResumed",
    "RunStarted",
    "RunStatus",
    "SkillLearned",
    "SkillsOffered",
    "SkillsUsed",
    "Status",
    "StepFinished",
    "StepRetried",
    "StepReused",
    "StepStarted",
    "ToolsSelected",
    "TurnKept",
    "from_json",
    "to_json",
]

Status: TypeAlias = Literal["done", "failed", "skipped", "cancelled", "denied"]
"""How a step ended: exactly one of these."""

RunStatus: TypeAlias = Literal["done", "failed", "stopped", "declined"]
"""How a run ended. ``stopped``: a limit was used up; ``declined``: the task is not this agent's, or cannot be done."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began.

    `history` is the conversation that it was given, as JSON; `session` the one that it continues. A `dry_run` stays one
    on resume.
    """

    kind: ClassVar[str] = "run_started"
    run_id: str
    agent: str
    task: str
    inputs: Mapping[str, Json] = field(default_factory=dict)
    user: str = ""
    tool_choice: Json = "auto"
    history: tuple[Mapping[str, Json], ...] = ()
    dry_run: bool = False
    session: str = ""
    constraints: Sequence[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """An interrupted run goes on; what is done is gone through again in the events that follow, and not run again."""

    kind: ClassVar[str] = "run_resumed"


@dataclass(frozen=True, slots=True)
class PlanProposed(Event):
    """A planner wrote a plan. `number` counts the plans of a run from 1; `plan` is its JSON spelling.

    A plan that is not `final` is one turn of a longer run. `within` names the subgoal that the plan is for. `notes`
    is what the planner wrote down about it, such as a thought; `unsaid` is what JSON does not say of a plan: lines of
    its source, and what could not be read. `repairs` is how often the model was stopped at a bad line while writing.
    """

    kind: ClassVar[str] = "plan_proposed"
    number: int
    plan: Mapping[str, Json]
    source: str = ""
    final: bool = True
    within: str = ""
    notes: Mapping[str, Json] = field(default_factory=dict)
    unsaid: Mapping[str, Json] = field(default_factory=dict)
    repairs: int = 0


@dataclass(frozen=True, slots=True)
class PlanChecked(Event):
    """The checker judged plan `number`. Diagnostics are as text; `accepted` plans may run.

    `tools` are the fingerprints of the tools that an accepted plan calls, by name.
    """

    kind: ClassVar[str] = "plan_checked"
    number: int
    accepted: bool
    diagnostics: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    certificate: Mapping[str, Json] = field(default_factory=dict)
    within: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A step began. `step` is its instance: its id, with iteration indexes such as ``price[3]``.

    `cost` is what each attempt of a tool call costs in US dollars.
    """

    kind: ClassVar[str] = "step_started"
    step: str
    plan: int
    action: str
    effect: str = "pure"
    args: Json = None
    idempotency_key: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class StepRetried(Event):
    """An attempt failed and another follows after `delay` seconds. `attempt` counts from 1."""

    kind: ClassVar[str] = "step_retried"
    step: str
    plan: int
    attempt: int
    error: str
    delay: float


@dataclass(frozen=True, slots=True)
class StepReused(Event):
    """A write was not done again: an earlier plan of the run had made the same call, and its result stands.

    `source` is that call, as the number of its plan, a slash, and its step.
    """

    kind: ClassVar[str] = "step_reused"
    step: str
    plan: int
    tool: str
    source: str


@dataclass(frozen=True, slots=True)
class StepFinished(Event):
    """A step ended, in exactly one status, with its value (done) or the reason (anything else).

    A `replayed` one had ended before the process did; the value of a `cached` one comes from the cache of tool results.
    """

    kind: ClassVar[str] = "step_finished"
    step: str
    plan: int
    status: Status
    value: Json = None
    error: str = ""
    seconds: float = 0.0
    replayed: bool = False
    cached: bool = False


@dataclass(frozen=True, slots=True)
class ApprovalAsked(Event):
    """A call waits for a person's permission."""

    kind: ClassVar[str] = "approval_asked"
    step: str
    plan: int
    tool: str
    args: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ApprovalGiven(Event):
    """A person decided about a call."""

    kind: ClassVar[str] = "approval_given"
    step: str
    plan: int
    granted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelCalled(Event):
    """A model call ended, well or badly. `purpose` says who asked: ``plan``, ``repair``, ``generate`` and so on.

    `cached` replies cost nothing; `notes` are what wrappers around the model did, such as a router's choice.
    `unpriced` names models that may have answered and whose price nobody knows: `usage.cost` is 0 then.
    `tool_calls` are the native ones of the reply, each with its name and arguments.
    """

    kind: ClassVar[str] = "model_called"
    purpose: str
    model: str
    prompt: tuple[Mapping[str, Json], ...] = ()
    reply: str = ""
    error: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    ttft: float | None = None
    cached: bool = False
    notes: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()
    tool_calls: tuple[Mapping[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class PlanLine(Event):
    """A line of plan `number` was written and accepted, while the plan is still being written.

    Where steps had begun and the model then wrote their lines anew, the plan that is proposed has the next number, as
    its steps have: what had begun keeps this one.
    """

    kind: ClassVar[str] = "plan_line"
    number: int
    text: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Executed(Event):
    """Plan `number` was executed to its end."""

    kind: ClassVar[str] = "executed"
    number: int
    status: RunStatus
    value: Json = None
    error: str = ""
    within: str = ""


@dataclass(frozen=True, slots=True)
class Reflected(Event):
    """Something was judged: the task before planning, plan `number`, one of its steps, or its outcome.

    Attributes:
        number: The plan's number; 0 before the first.
        done: Whether the judges are content: it can be done, the plan is good, the step is right, the goal is reached.
        reason: Why, in words.
        by: Who says so.
        within: The subgoal step that the plan is for.
        point: ``feasibility``, ``plan``, ``step`` or ``outcome``.
        score: The judge's number, if it gave one.
        evidence: The steps that show it.
        step: The step instance, at the point ``step``.
    """

    kind: ClassVar[str] = "reflected"
    number: int
    done: bool
    reason: str = ""
    by: str = ""
    within: str = ""
    point: str = "outcome"
    score: float | None = None
    evidence: tuple[str, ...] = ()
    step: str = ""


@dataclass(frozen=True, slots=True)
class IntentJudged(Event):
    """A request was classified, before anything was planned, by the classifier of the agent `judge`.

    The other fields are those of `agentkit.planning.Intent`; `agent` is the one that takes the request over.
    """

    kind: ClassVar[str] = "intent_judged"
    outcome: Literal["in_scope", "out_of_scope", "ambiguous"]
    judge: str
    reply: str = ""
    question: str = ""
    tools: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    agent: str = ""
    label: str = ""
    by: str = ""
    score: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class IntentClarified(Event):
    """A person said what an ambiguous request means."""

    kind: ClassVar[str] = "intent_clarified"
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class ToolsSelected(Event):
    """The tools that planners are told of were chosen (plan `number` 0), or more were added after plan `number`.

    `tools` are those that are new, best first, each with its name, ``score`` and ``why``, `out_of` how many there are
    in all; `reason` says why more were added, `within` for which subgoal step.
    """

    kind: ClassVar[str] = "tools_selected"
    tools: tuple[Mapping[str, Json], ...]
    out_of: int
    number: int = 0
    reason: str = ""
    within: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """A run ended with its output, or the reason why there is none."""

    kind: ClassVar[str] = "run_finished"
    status: RunStatus
    output: Json = None
    error: str = ""
    usage: Usage = field(default_factory=Usage)


EVENTS: Mapping[str, type[Event]] = {cls.kind: cls for cls in Event.__subclasses__()}
"""Every event type by its kind, the name it has in a journal."""


_TUPLES = frozenset(
    {"codes", "diagnostics", "evidence", "history", "items", "notes", "prompt", "tags"}
    | {"targets", "tool_calls", "tools", "trimmed", "unpriced"}
)
"""The fields of events that are tuples, which JSON reads back as lists."""


def to_json(event: Event) -> dict[str, Json]:
    """An event as a JSON object, with its kind."""
    row: dict[str, Any] = {"kind": event.kind}
    for name in event.__dataclass_fields__:
        value = getattr(event, name)
        row[name] = dataclasses.asdict(value) if isinstance(value, Usage) else value
    return row


def from_json(row: Mapping[str, Json]) -> Event:
    """The event that `to_json` wrote.

    Raises:
        JournalError: The kind or a field is not known to this version.
    """
    fields = dict(row)
    kind = fields.pop("kind", None)
    cls = EVENTS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise JournalError(f"unknown event kind {kind!r}; the journal was written by another version of agentkit")
    if isinstance(fields.get("usage"), Mapping):
        fields["usage"] = Usage(**fields["usage"])
    for name in _TUPLES:
        if isinstance(fields.get(name), list):
            fields[name] = tuple(fields[name])
    try:
        return cls(**fields)
    except TypeError as error:
        raise JournalError(f"event {kind!r} does not have the fields of this version: {error}") from error
