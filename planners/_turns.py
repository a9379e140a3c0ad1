"""The conversation of a planner that plans turn by turn: it only grows, and a turn costs the same early and late."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from agentkit.messages import Json, Message
from agentkit.planners._meaning import meaning
from agentkit.planning import Attempt, PlanRequest
from agentkit.run import Run
from agentkit.toolbox import Toolbox
from agentkit.types import type_of_value, widen


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of an attempt.

    Attributes:
        values: What its steps gave, as text by step id.
        remark: Why it was refused, why it failed, that it repeats an earlier one; empty if there is nothing to say.
    """

    values: Mapping[str, str]
    remark: str = ""

    def __str__(self) -> str:
        lines = [f"{id} = {value}" for id, value in self.values.items()]
        return "\n".join([*lines, self.remark] if self.remark else lines) or "Nothing was called."


Spoken = Callable[[Attempt, Observation], Iterable[Message]]
"""The messages that show an attempt and what came of it."""


@dataclass(slots=True)
class Conversation:
    """What the model has been shown of one request. It follows from the request alone.

    Attributes:
        tools: The tools that it tells of.
        messages: The messages so far.
        shown: How many attempts they show.
        last: The last of these.
        repeated: How many turns up to now only did again what an earlier one had done, with the same result.
    """

    opening: tuple[Message, ...]
    spoken: Spoken
    longest: int
    tools: Toolbox
    messages: list[Message] = field(default_factory=list)
    shown: int = 0
    last: Attempt | None = None
    repeated: int = 0
    first_turns: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.messages.extend(self.opening)

    def goes_on_with(self, request: PlanRequest) -> bool:
        """Whether the request is the one that this conversation is about, some attempts later, with the same tools."""
        attempts = request.attempts
        if request.toolbox is not self.tools:
            return False
        return len(attempts) >= self.shown and (self.last is None or attempts[self.shown - 1] is self.last)

    def catch_up(self, request: PlanRequest) -> None:
        """Show the attempts that are new."""
        for position in range(self.shown, len(request.attempts)):
            self.last = request.attempts[position]
            self.shown = position + 1
            observation = observed(self.last, self.longest)
            notice = self._notice(self.last, request)
            if notice:
                observation = replace(observation, remark=f"{observation.remark}\n{notice}".lstrip())
            self.messages.extend(self.spoken(self.last, observation))

    def _notice(self, attempt: Attempt, request: PlanRequest) -> str:
        """Tell the model that it goes round in circles, if it does."""
        if attempt.outcome is None:
            return ""
        did = f"{meaning(attempt.plan, request.toolbox)} {_results(attempt)}"
        first = self.first_turns.setdefault(did, self.shown)
        if first == self.shown:
            self.repeated = 0
            return ""
        self.repeated += 1
        return (
            f"This is what you did in turn {first}, with the same result. Doing it again changes nothing: "
            "call something else, change the arguments, or answer."
        )


def conversation_of(key: object, request: PlanRequest, run: Run, begin: Callable[[], Conversation]) -> Conversation:
    """The conversation of planner `key` in this run, up to date; `begin` opens it, and does so again if it is lost."""
    known = run.memo.get(key)
    if not isinstance(known, Conversation) or not known.goes_on_with(request):
        known = run.memo[key] = begin()
    known.catch_up(request)
    return known


def observed(attempt: Attempt, longest: int) -> Observation:
    """What came of an attempt, in words for the model.

    Args:
        attempt: A plan of this run.
        longest: Characters of one value at most; longer ones are shown by their type and beginning.
    """
    outcome = attempt.outcome
    if outcome is None and attempt.verdict is not None:
        return Observation({}, f"Nothing was run. The action was judged: {attempt.verdict.reason}")
    if outcome is None:
        lines = [f"- {diagnostic}" for diagnostic in attempt.errors[:10]]
        return Observation({}, "\n".join(["Nothing was run. The action was refused:", *lines]))
    values = outcome.named
    seen = {step.id: shown(values[step.id], longest) for step in attempt.plan.steps if step.id in values}
    if outcome.status != "done":
        return Observation(seen, f"It failed: {outcome.error}")
    if attempt.verdict is not None and not attempt.verdict.done:
        reason = attempt.verdict.reason or "it was judged wrong"
        return Observation(seen, f"That answer does not reach the goal: {reason}. Go on.")
    return Observation(seen)


def shown(value: Json, longest: int) -> str:
    """A value as JSON; a long one as its type and its beginning."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text):,} characters of {widen(type_of_value(value))})"


def _results(attempt: Attempt) -> str:
    outcome = attempt.outcome
    if outcome is None:
        return ""
    if outcome.status != "done":
        return outcome.error
    values = outcome.named
    return json.dumps([values.get(step.id) for step in attempt.plan.steps])
