"""The prompt of a planner: a stable prefix (language, tools, examples), then what changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from agentkit.ledger import CallDenied, CallDone
from agentkit.messages import Json, Message, ModelProfile, ToolCall, assistant, system, user
from agentkit.planners.primer import PRIMER
from agentkit.planning import Attempt, Example, PlanRequest
from agentkit.spelling import read_python, write_json
from agentkit.toolbox import Toolbox
from agentkit.types import from_schema, type_of_value, widen

PYTHON_GUIDE = """\
You plan. Write a short program in a small subset of Python that does what the user asks by calling the tools below, \
and ends with answer(...). Write code only: no prose, no imports, no functions, no classes.
- Call tools with keyword arguments and give each result a name: top = fetch_top_products(num_products=3)
- Results are data: top[0].name, len(top), [p.price for p in top if p.price > 10]. Never invent values; \
use a tool where one fits.
- if/else, for, while with a clear end, [f(x=p.name) for p in items], f"text {value}"
- pure functions: len sum min max sorted any all round abs str int float range add_days(date, n) days_between(a, b)
- text = generate(f"...") writes text from data; reply = ask("...") asks the user.
- Answer every part of the request, with values from the results."""

JSON_GUIDE = """\
You plan. Answer with one JSON object, a plan that does what the user asks by calling the tools below, and nothing else.
{"steps": [{"id": "top", "kind": "call", "tool": "fetch_top_products", "args": {"num_products": 3}}, …], \
"answer": "${top[0].name}"}
- A later step refers to an earlier one by "${id}", "${id.field}", "${id[0].field}"; "text ${id} text" makes text.
- Kinds: call, value, if (condition, then, else), for_each (item, in, do), repeat (do, until, max_iterations), \
parallel (branches), generate (prompt), ask (question).
- Never invent values; answer every part of the request."""


def conversation(request: PlanRequest, profile: ModelProfile, *, spelling: str) -> tuple[Message, ...]:
    """The messages that ask for a plan.

    The first message is the same for every task of an agent, so that prompt caches hit. Examples come as turns of the
    conversation, which small models follow best. Earlier attempts follow the task. After a primer, whose turns begin
    with tools, the agent's tools stand there too, and not in the first message.

    Args:
        request: What is asked.
        profile: Of the model that is asked: whether it sees a primer, and refused plans with their diagnostics.
        spelling: ``python`` or ``json``: the guide and the form of the tools.
    """
    guide = PYTHON_GUIDE if spelling == "python" else JSON_GUIDE
    tools = _with_tools(request.toolbox.signatures())
    asked = _joined([*told(request.history), user(task_text(request))])
    if profile.primer and not request.examples:
        messages = [system(_parts(request.instructions, guide), cache=True), *_primer(spelling)]
        first = next(place for place, message in enumerate(asked) if message.role == "user")
        asked[first] = replace(asked[first], content=_parts(tools, asked[first].content))
    else:
        messages = [system(_parts(request.instructions, guide, tools), cache=not request.examples)]
        messages.extend(_examples(request, spelling))
    messages.extend(asked)
    for attempt in _worth_showing(request.attempts, repairs=profile.repairs):
        messages.append(assistant(attempt.source))
        messages.append(user(_complaint(attempt)))
    settled = _settled(request)
    if settled:
        messages[-1] = user(f"{messages[-1].content}\n{settled}")
    return tuple(messages)


def told(history: Iterable[Message]) -> Iterable[Message]:
    """A conversation as a planner's model can follow it, whose replies are plans.

    What an earlier run did stands as its plan, and then, in the user's voice, what the calls gave and what the answer
    was. Everything else stays as it is.
    """
    calls: dict[str, ToolCall] = {}
    results: list[str] = []
    for message in history:
        if message.role == "tool":
            call = calls.get(message.tool_call_id or "")
            results.append(f"- {_called(call) if call else message.tool_call_id} gave {message.content}")
        elif message.role == "assistant" and message.tool_calls:
            yield from _results(results)
            results = ["That ran:"]
            calls = {call.id: call for call in message.tool_calls}
            yield assistant(message.content or "\n".join(_called(call) for call in message.tool_calls))
        elif message.role == "assistant" and results:
            yield from _results([*results, f"The answer was: {message.content}"])
            results = []
        else:
            yield from _results(results)
            results = []
            yield message
    yield from _results(results)


def _results(lines: Sequence[str]) -> Iterable[Message]:
    return (user("\n".join(lines)),) if lines else ()


def _called(call: ToolCall) -> str:
    args = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call.args.items())
    return f"{call.name}({args})"


def _joined(messages: Iterable[Message]) -> list[Message]:
    """The messages with neighbours of the user's made one, since many chat templates want the roles to take turns."""
    joined: list[Message] = []
    for message in messages:
        if joined and message.role == joined[-1].role == "user":
            joined[-1] = replace(joined[-1], content=f"{joined[-1].content}\n\n{message.content}")
        else:
            joined.append(message)
    return joined


def _primer(spelling: str) -> Iterable[Message]:
    """Worked plans as turns, each after the tools that it calls."""
    for worked in PRIMER:
        yield user(_parts(_with_tools(worked.tools), worked.example.task))
        yield assistant(_written(worked.example, Toolbox(), spelling))


def _with_tools(signatures: str) -> str:
    return f"Tools:\n{signatures}"


def _parts(*parts: str) -> str:
    """The parts of a message that say something, with a line between them."""
    return "\n\n".join(part for part in parts if part)


def _examples(request: PlanRequest, spelling: str) -> Iterable[Message]:
    """The examples as turns, in the spelling that is asked for."""
    for position, example in enumerate(request.examples):
        yield user(example.task)
        text = _written(example, request.toolbox, spelling)
        yield Message("assistant", text, cache=position == len(request.examples) - 1)


def _written(example: Example, toolbox: Toolbox, spelling: str) -> str:
    text = example.plan.strip()
    return text if spelling == "python" else json.dumps(write_json(read_python(text, toolbox)), ensure_ascii=False)


def task_text(request: PlanRequest) -> str:
    """The task, after what is remembered about it and before the names that a plan for it may use."""
    lines = [request.task, *(f"It must hold that {constraint}." for constraint in request.constraints)]
    if request.output is not None:
        lines.append(f"The answer is to be of the type {from_schema(request.output)}.")
    known = [f"{name}: {schema.get('type', 'any')}" for name, schema in request.inputs.items()]
    known += [f"{name} = {_short(value)}" for name, value in request.given.items()]
    parts = [request.recalled, "\n".join(lines)]
    if known:
        parts.append("These names are already defined; use them:\n" + "\n".join(known))
    return "\n\n".join(part for part in parts if part)


def _worth_showing(attempts: Iterable[Attempt], *, repairs: bool) -> list[Attempt]:
    """The attempts that help: the latest refused ones for models that can repair, and whatever ran."""
    return [attempt for attempt in attempts if attempt.outcome is not None or repairs][-3:]


def _complaint(attempt: Attempt) -> str:
    if attempt.outcome is None and attempt.verdict is not None:
        return f"That plan was judged before running, and is not run: {attempt.verdict.reason}. Write another plan."
    if attempt.outcome is None:
        lines = [f"- {diagnostic}" for diagnostic in attempt.errors[:10]]
        return "That plan was refused before running:\n" + "\n".join(lines) + "\nWrite the whole plan again, mended."
    reason = attempt.verdict.reason if attempt.verdict and attempt.verdict.reason else attempt.outcome.error
    return (
        f"That plan ran and did not reach the goal: {reason or 'its answer was judged wrong'}. "
        "Write another plan. Finished steps keep their results under their names; do not repeat them."
    )


def _settled(request: PlanRequest) -> str:
    """Calls that a new plan must not make: those that are done, and those that a person denied."""
    lines = []
    if request.done:
        lines.append("Done already, and not done again if you call them again: " + _calls(request.done))
    if request.denied:
        lines.append("Denied by a person; do not call them again: " + _calls(request.denied))
    return "\n".join(lines)


def _calls(calls: Sequence[CallDone | CallDenied], most: int = 20) -> str:
    shown = [
        f"{call.tool}({', '.join(f'{name}={_short(value, 40)}' for name, value in call.args.items())})"
        for call in calls[:most]
    ]
    more = [f"and {len(calls) - most} more"] if len(calls) > most else []
    return "; ".join([*shown, *more])


def _short(value: Json, most: int = 120) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{widen(type_of_value(value))} beginning {text[:most]}…"
