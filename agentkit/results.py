"""What an execution and a run leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentkit.events import Event, ModelCalled, RunStatus, StepFinished
from agentkit.messages import Json, Message, Usage
from agentkit.plan import Plan
from agentkit.transcript import messages_of

IN_DOUBT = "in doubt: "
"""What the error of a step begins with that had started before a crash and has no recorded result."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the execution of one plan ended.

    Attributes:
        status: ``done``, ``failed`` (a step failed and nothing handled it) or ``stopped`` (a limit was used up).
        value: The plan's answer, if it could be computed.
        steps: How each step instance ended, by its name such as ``price[3]``.
        error: Why it is not done, in words that a planner can act on.
    """

    status: RunStatus
    value: Json = None
    steps: Mapping[str, StepFinished] = field(default_factory=dict)
    error: str = ""

    @property
    def finished(self) -> dict[str, Json]:
        """The values of all steps that were done, by instance."""
        return {name: step.value for name, step in self.steps.items() if step.status == "done"}

    @property
    def named(self) -> dict[str, Json]:
        """The values of the steps that were done, by step id; what ran inside a loop has no single value."""
        local = ((name.rpartition("/")[2], step) for name, step in self.steps.items())
        return {name: step.value for name, step in local if step.status == "done" and name.isidentifier()}

    @property
    def in_doubt(self) -> tuple[str, ...]:
        """Writes that may have happened before a crash: nobody but a person can say, so nothing may repeat them."""
        return tuple(name for name, step in self.steps.items() if step.error.startswith(IN_DOUBT))


@dataclass(frozen=True, slots=True)
class RunResult:
    """What `Agent.run` returns.

    Attributes:
        output: The answer; None unless `status` is ``done`` (or ``declined``: then it is the polite refusal).
        status: ``done``, ``failed``, ``stopped`` or ``declined``.
        error: Why there is no answer, what was done so far included.
        plan: The last plan that the checker accepted, if any.
        usage: Tokens, calls and money of the whole run.
        events: Everything that happened.
        run_id: The run's name in the journal.
        task: What was asked.
        history: The conversation before the task, whole.
        earlier: Events of the interrupted run that this one continued.
    """

    output: Json
    status: RunStatus
    error: str
    plan: Plan | None
    usage: Usage
    events: tuple[Event, ...]
    run_id: str
    task: str = ""
    history: tuple[Message, ...] = ()
    earlier: tuple[Event, ...] = ()

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Models that were called and whose price nobody knows: `usage.cost` lacks what they cost."""
        happened = (*self.earlier, *self.events)
        calls = (event.unpriced for event in happened if isinstance(event, ModelCalled))
        return tuple(dict.fromkeys(name for names in calls for name in names))

    def new_messages(self) -> tuple[Message, ...]:
        """The messages that this run adds to the conversation: task, plans with calls and results, answer."""
        happened = (*self.earlier, *self.events)
        return messages_of(self.task, happened, self.status, self.output, self.error, run_id=self.run_id)

    def all_messages(self) -> tuple[Message, ...]:
        """The conversation with this run at its end, to be continued by ``run(…, message_history=…)``."""
        return (*self.history, *self.new_messages())
