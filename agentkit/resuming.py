"""What the journal of an interrupted run says: what was done, what it has used, and whether its tools are the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agentkit.errors import JournalError
from agentkit.events import (
    ApprovalGiven,
    Event,
    Executed,
    ModelCalled,
    PlanChecked,
    PlanProposed,
    Reflected,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
)
from agentkit.messages import Json, Usage
from agentkit.results import IN_DOUBT
from agentkit.run import History
from agentkit.toolbox import Toolbox

_CALLS = frozenset({"pure", "read", "write"})
_LEAVES_WITHOUT_TOOL = frozenset({"generate", "ask", "subgoal"})


def beginning(run_id: str, recorded: Sequence[Event]) -> RunStarted:
    """How a run that can be gone on with began.

    Raises:
        JournalError: It has no beginning, or is over.
    """
    started = recorded[0]
    if not isinstance(started, RunStarted):
        raise JournalError(f"the run {run_id!r} has no beginning in the journal")
    ends = [event.status for event in recorded if isinstance(event, RunFinished)]
    if ends and ends[-1] in ("done", "declined"):
        raise JournalError(f"the run {run_id!r} is {ends[-1]}; there is nothing to resume")
    return started


def history(events: Iterable[Event], number: int) -> History:
    """What the journal says of the steps of plan `number`.

    Steps that were cancelled, by a crash, a deadline or the user, count as not finished: they run again, except writes
    that had started, which are in doubt. Skipped steps are decided anew, and so are subgoals that stood still because
    a write of theirs was in doubt. What had begun of a plan that was still being written counts as not begun: the plan
    is written again.
    """
    finished: dict[str, StepFinished] = {}
    started: dict[str, StepStarted] = {}
    approved: dict[str, bool] = {}
    subgoals: set[str] = set()
    proposed: set[str] = set()
    for event in events:
        if isinstance(event, PlanProposed) and event.number == number:
            proposed.add(event.within)
        elif isinstance(event, RunResumed):
            finished = {step: end for step, end in finished.items() if _within(step) in proposed}
        if getattr(event, "plan", None) != number:
            continue
        if isinstance(event, StepStarted):
            if event.action == "subgoal":
                subgoals.add(event.step)
            if event.effect == "write":
                started[event.step] = event
                finished.pop(event.step, None)
        elif isinstance(event, StepFinished) and event.status not in ("cancelled", "skipped"):
            if event.step in subgoals and event.error.startswith(IN_DOUBT):
                continue
            finished[event.step] = event
            started.pop(event.step, None)
        elif isinstance(event, ApprovalGiven):
            approved[event.step] = event.granted
    return History(finished, started, approved)


RETRY = object()
"""A decision about a step in doubt: run it again."""


def settle(events: tuple[Event, ...], decisions: Mapping[str, Json]) -> tuple[Event, ...]:
    """The events with a person's decisions about steps put in their place.

    Args:
        events: The events of an interrupted run.
        decisions: By step instance, the value that the step has had, or `RETRY`. The last plan that started a step of
            that name is meant.

    Raises:
        JournalError: A decision names a step that no plan started.
    """
    if not decisions:
        return events
    begun = {event.step: event for event in events if isinstance(event, StepStarted)}
    unknown = [name for name in decisions if name not in begun]
    if unknown:
        raise JournalError(f"the run has started no step {unknown[0]!r}; it has started: {', '.join(begun) or 'none'}")
    plans = {(_within(name), begun[name].plan) for name in decisions}

    def keep(event: Event) -> bool:
        if isinstance(event, StepStarted | StepFinished):
            decision = decisions.get(event.step)
            decided = event.step in decisions and event.plan == begun[event.step].plan
            return not decided or (isinstance(event, StepStarted) and decision is not RETRY)
        if isinstance(event, Reflected) and event.point != "outcome":
            return True
        return not isinstance(event, Executed | Reflected) or (event.within, event.number) not in plans

    settled = [
        StepFinished(begun[name].at, name, begun[name].plan, "done", value)
        for name, value in decisions.items()
        if value is not RETRY
    ]
    return (*(event for event in events if keep(event)), *settled)


def _within(step: str) -> str:
    """The subgoal step that a step instance belongs to, with its slash, as events say it; empty for the run itself."""
    return step[: step.rfind("/") + 1]


def used(events: Iterable[Event]) -> Usage:
    """What an interrupted run has used so far, attempts of tools and their cost included."""
    total = Usage()
    costs: dict[tuple[int, str], float] = {}
    for event in events:
        if isinstance(event, ModelCalled):
            total = total + event.usage
        elif isinstance(event, StepStarted) and event.effect in _CALLS and event.action not in _LEAVES_WITHOUT_TOOL:
            costs[event.plan, event.step] = event.cost
            total = total + Usage(tool_calls=1, cost=event.cost)
        elif isinstance(event, StepRetried):
            total = total + Usage(tool_calls=1, cost=costs.get((event.plan, event.step), 0.0))
    return total


def elapsed(events: Iterable[Event]) -> float:
    """Seconds that an interrupted run has worked: the time between its crashes and its resumes is not in it."""
    total, begin, last = 0.0, None, 0.0
    for event in events:
        if begin is None or isinstance(event, RunResumed):
            total += 0.0 if begin is None else last - begin
            begin = event.at
        last = event.at
    return total + (0.0 if begin is None else last - begin)


def check_tools(run_id: str, events: Iterable[Event], toolbox: Toolbox) -> None:
    """Refuse to go on with plans whose tools are not what they were.

    Args:
        run_id: The run, for the message.
        events: Its events.
        toolbox: The tools of today. Those that no accepted plan of the run calls may have changed.

    Raises:
        JournalError: A tool that a plan calls is gone, or has another schema, effect, resource or version.
    """
    then: dict[str, str] = {}
    for event in events:
        if isinstance(event, PlanChecked):
            then.update(event.tools)
    gone = [name for name in then if name not in toolbox]
    changed = [name for name, was in then.items() if name in toolbox and toolbox[name].fingerprint != was]
    if not gone and not changed:
        return
    parts = [f"gone: {', '.join(map(repr, gone))}"] if gone else []
    if changed:
        parts.append(f"with another schema, effect, resource or version: {', '.join(map(repr, changed))}")
    raise JournalError(
        f"tools that the plans of the run {run_id!r} call are not what they were ({'; '.join(parts)}). Give the agent "
        "the tools that the run began with, start a new run, or resume with accept_changes=True: its plan is then "
        "checked against the tools of today"
    )
