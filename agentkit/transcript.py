"""A run as a conversation: the messages that it adds, and messages as JSON, exactly.

A run is told in the vocabulary that every provider knows: the task is a user message; each plan that ran is an
assistant message with the plan's text and its calls, followed by one tool message for each call; the answer is an
assistant message. Continue a conversation with them::

    first = await agent.run("How many points does John Doe have?")
    second = await agent.run("How about Emily Doe?", message_history=first.all_messages())
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from agentkit.errors import SessionError
from agentkit.events import Event, PlanChecked, PlanProposed, RunResumed, RunStatus, StepFinished, StepStarted
from agentkit.messages import Json, Message, Role, ToolCall, assistant, user

_LONGEST_RUN_ID = 40
_ROLES = get_args(Role)
_MESSAGE_FIELDS = frozenset({"role", "content", "tool_calls", "tool_call_id", "cache", "pinned"})
_CALL_FIELDS = frozenset({"id", "name", "args"})


@dataclass(slots=True)
class _Told:
    """One plan that ran: its text, and its calls with their ends, in the order of their starts.

    The text is None as long as the plan is being written; a step may begin before it is there.
    """

    source: str | None = None
    started: dict[str, StepStarted] = field(default_factory=dict)
    finished: dict[str, StepFinished] = field(default_factory=dict)


def messages_of(
    task: str, events: Iterable[Event], status: RunStatus, output: Json, error: str, *, run_id: str
) -> tuple[Message, ...]:
    """The messages that a run adds to a conversation.

    Args:
        task: What was asked.
        events: What happened; those of an interrupted run that it continues come first.
        status: How it ended.
        output: The answer, if it ended well.
        error: Why there is none.
        run_id: The run; ids of calls begin with it, so that they differ within a conversation.
    """
    told = _plans(events)
    prefix = re.sub(r"[^A-Za-z0-9_-]", "_", run_id)[:_LONGEST_RUN_ID]
    messages = [user(task)]
    number = 0
    for plan in told:
        if plan.source is None or not plan.started:
            continue
        calls, results = [], []
        for name, start in plan.started.items():
            number += 1
            calls.append(ToolCall(f"{prefix}-{number}", start.action, start.args or {}))
            results.append(Message("tool", _end(plan.finished.get(name)), tool_call_id=calls[-1].id))
        messages += [Message("assistant", plan.source, tool_calls=tuple(calls)), *results]
    answered = status in ("done", "declined")
    messages.append(assistant(text_of(output) if answered else f"({status}: {error})"))
    return tuple(messages)


def _plans(events: Iterable[Event]) -> list[_Told]:
    """The plans of the run itself, in order; what happened within a subgoal is told by the subgoal's answer."""
    plans: dict[int, _Told] = {}
    for event in events:
        if isinstance(event, PlanProposed) and not event.within:
            plans.setdefault(event.number, _Told()).source = event.source
        elif isinstance(event, PlanChecked) and not event.within and not event.accepted:
            plans.pop(event.number, None)
        elif isinstance(event, RunResumed):
            plans = {number: plan for number, plan in plans.items() if plan.source is not None}
        elif isinstance(event, StepStarted) and "/" not in event.step:
            plans.setdefault(event.plan, _Told()).started.setdefault(event.step, event)
        elif isinstance(event, StepFinished) and event.plan in plans:
            plans[event.plan].finished[event.step] = event
    return [plans[number] for number in sorted(plans)]


def _end(event: StepFinished | None) -> str:
    if event is None:
        return "(no result: the run ended before)"
    return text_of(event.value) if event.status == "done" else f"({event.status}: {event.error})"


def text_of(value: Json) -> str:
    """A value as a person would be told: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# JSON


def dump_messages(messages: Iterable[Message]) -> str:
    """Messages as a JSON array; `load_messages` gives equal messages back."""
    return json.dumps([message_to_json(message) for message in messages])


def load_messages(text: str | bytes) -> tuple[Message, ...]:
    """The messages that `dump_messages` wrote.

    Raises:
        SessionError: It is not a JSON array of messages; the text says where and what was expected.
    """
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise SessionError(f"messages are not JSON: {error}") from error
    if not isinstance(rows, list):
        raise SessionError(f"messages are {type(rows).__name__!r} in JSON; expected an array of messages")
    return tuple(message_from_json(row, f"message {number}") for number, row in enumerate(rows))


def message_to_json(message: Message) -> dict[str, Json]:
    """A message as a JSON object, without what has its default value."""
    row: dict[str, Json] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        row["tool_calls"] = [{"id": call.id, "name": call.name, "args": dict(call.args)} for call in message.tool_calls]
    if message.tool_call_id is not None:
        row["tool_call_id"] = message.tool_call_id
    row |= {name: True for name in ("cache", "pinned") if getattr(message, name)}
    return row


def message_from_json(row: Json, where: str = "a message") -> Message:
    """The message that `message_to_json` wrote.

    Raises:
        SessionError: It is something else.
    """
    fields = _fields(row, _MESSAGE_FIELDS, where)
    calls = fields.get("tool_calls", [])
    if not isinstance(calls, list):
        raise SessionError(f"{where} has tool_calls {calls!r}; expected an array")
    wrong = [
        *(["role"] if fields.get("role") not in _ROLES else []),
        *(["content"] if not isinstance(fields.get("content", ""), str) else []),
        *(["tool_call_id"] if not isinstance(fields.get("tool_call_id"), str | None) else []),
        *(name for name in ("cache", "pinned") if not isinstance(fields.get(name, False), bool)),
    ]
    if wrong:
        raise SessionError(
            f"{where} has {wrong[0]} {fields.get(wrong[0])!r}; expected role of {', '.join(_ROLES)}, "
            "content and tool_call_id as text, cache and pinned as true or false"
        )
    read = tuple(_call(call, f"{where}, call {number}") for number, call in enumerate(calls))
    return Message(**{**fields, "tool_calls": read})


def _call(row: Json, where: str) -> ToolCall:
    fields = _fields(row, _CALL_FIELDS, where)
    args = fields.get("args")
    if not (isinstance(fields.get("id"), str) and isinstance(fields.get("name"), str) and isinstance(args, dict)):
        raise SessionError(f"{where} is {row!r}; expected id and name as text, and args as an object")
    return ToolCall(fields["id"], fields["name"], args)


def _fields(row: Json, known: frozenset[str], where: str) -> Mapping[str, Json]:
    if not isinstance(row, dict):
        raise SessionError(f"{where} is {row!r}; expected an object")
    unknown: Sequence[str] = sorted(row.keys() - known)
    if unknown:
        raise SessionError(f"{where} has the unknown field {unknown[0]!r}; it may have: {', '.join(sorted(known))}")
    return row
