"""The state of one run: what everything that happens in it shares, and nothing that outlives it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from agentkit.cache import CacheStore
from agentkit.calling import ModelCaller
from agentkit.clock import SystemClock
from agentkit.errors import DefinitionError
from agentkit.eventlog import EventLog
from agentkit.events import Event, StepFinished, StepStarted
from agentkit.ledger import Ledger
from agentkit.limits import Limits, Meter
from agentkit.messages import ModelSettings
from agentkit.policy import Policy
from agentkit.protocols import Clock, Human, Journal, Model


@dataclass(frozen=True, slots=True)
class History:
    """What a journal says has already happened to the steps of one plan.

    Attributes:
        finished: Steps that ended for good; they are not run again.
        started: Steps that had started and have no result: in doubt where they are writes.
        approved: Decisions of a person, by step instance.
    """

    finished: Mapping[str, StepFinished] = field(default_factory=dict)
    started: Mapping[str, StepStarted] = field(default_factory=dict)
    approved: Mapping[str, bool] = field(default_factory=dict)


NOTHING_YET = History()


class Run:
    """One run of one agent or plan.

    Attributes:
        id: The run's name, in events, journals and idempotency keys.
        limits: What it may use.
        meter: What it has used.
        events: What has happened.
        ledger: What its calls have done, those of its subgoals included.
        model: The model, with retries, budgets and events; None if there is none.
        human: The person who approves and answers; None if nobody can be asked.
        journal: Where events are kept; None keeps them in memory only.
        deps: Whatever the user's tools need, handed to them in `RunContext.deps`.
        user: For whom the run works; empty for nobody in particular. Budgets, rate limits and caches go by it.
        cache: Keeps results of tools that allow it; None keeps none.
        settings: Of every model call that does not set its own.
        clock: Time.
        dry_run: Writes are shown and not executed.
        started: Unix seconds at which it began; for a resumed run as if it had never been interrupted.
        deadline: Unix seconds at which its time is over, None without a limit.
        within: The subgoal step that this is the run of, empty for the run itself. Names of steps begin with it.
        depth: How many subgoals this run is inside of.
        intent: What kind of request it is about, as the agent's classifier labels it.
        memo: What planners have worked out from the attempts of this run and would only work out again. Losing it
            costs time and nothing else.
    """

    __slots__ = (
        "cache",
        "clock",
        "deadline",
        "depth",
        "deps",
        "dry_run",
        "events",
        "human",
        "id",
        "intent",
        "journal",
        "ledger",
        "limits",
        "memo",
        "meter",
        "model",
        "started",
        "settings",
        "user",
        "within",
    )

    def __init__(
        self,
        *,
        id: str | None = None,
        limits: Limits | None = None,
        model: Model | None = None,
        human: Human | None = None,
        journal: Journal | None = None,
        deps: Any = None,
        clock: Clock | None = None,
        dry_run: bool = False,
        listeners: tuple[Callable[[Event], None], ...] = (),
        meter: Meter | None = None,
        user: str = "",
        elapsed: float = 0.0,
        cache: CacheStore | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        check_rules(limits=limits, human=human)
        self.id = id or new_run_id()
        self.limits = limits or Limits()
        self.clock: Clock = clock or SystemClock()
        self.meter = meter or Meter(self.limits)
        self.human = human
        self.journal = journal
        self.deps = deps
        self.user = user
        self.intent = ""
        self.cache = cache
        self.settings = settings or ModelSettings()
        self.dry_run = dry_run
        self.within = ""
        self.depth = 0
        self.memo: dict[object, Any] = {}
        self.events = EventLog(*((journal.append,) if journal else ()), *listeners)
        self.ledger = Ledger(self.events)
        self.started = self.clock.time() - elapsed
        self.deadline = None if self.limits.seconds is None else self.started + self.limits.seconds
        self.model = None if model is None else self.calling(model)

    def child(self, step: str, limits: Limits | None = None) -> Run:
        """The run of a subgoal: the same events, model, person and budgets.

        Args:
            step: The subgoal's step; names of the child's own steps begin with it.
            limits: What the subgoal may use of the budgets; all of them if not given.
        """
        child = copy(self)
        child.within = f"{step}/"
        child.depth = self.depth + 1
        child.memo = {}
        if limits is not None:
            child.limits = limits
            child.meter = Meter(limits, parent=self.meter)
            child.started = self.clock.time()
            if limits.seconds is not None:
                end = child.started + limits.seconds
                child.deadline = end if self.deadline is None else min(end, self.deadline)
            child.model = None if self.model is None else child.calling(self.model.model)
        return child

    def calling(self, model: Model) -> ModelCaller:
        """A model, to be called within the budgets of this run and with its events; the run's own or another."""
        return ModelCaller(
            model,
            events=self.events,
            meter=self.meter,
            limits=self.limits,
            clock=self.clock,
            user=self.user,
            settings=self.settings,
            deadline=self.deadline,
            intent=self.intent,
        )

    def label(self, intent: str) -> None:
        """Say what kind of request this run is about; models are told from now on."""
        self.intent = intent
        if self.model is not None:
            self.model.intent = intent

    def remaining(self) -> float | None:
        """Seconds until the deadline, None without one."""
        return None if self.deadline is None else self.deadline - self.clock.time()


def check_rules(*, policy: object = None, limits: object = None, human: object = None) -> None:
    """Refuse rules of a run that are of another type, before anything runs under them; None is no rule.

    Raises:
        DefinitionError: One is; the message says what was expected.
    """
    rules = (("policy", policy, Policy, "Policy(writes='auto')"), ("limits", limits, Limits, "Limits(tool_calls=50)"))
    for name, value, kind, example in rules:
        if value is not None and not isinstance(value, kind):
            raise DefinitionError(f"{name} has to be a {kind.__name__}, e.g. {example}, got {value!r}")
    lacking = [name for name in ("approve", "answer") if not callable(getattr(human, name, None))]
    if human is not None and lacking:
        raise DefinitionError(
            "human has to have the methods approve(request) and answer(question, schema), "
            f"and {human!r} lacks {' and '.join(lacking)}"
        )


def new_run_id() -> str:
    """A run id that sorts by time: milliseconds since 1970 and 40 random bits, in hexadecimal."""
    return f"{int(time.time() * 1000):012x}-{secrets.token_hex(5)}"
