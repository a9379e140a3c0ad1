"""Native tool calling: a model's tool calls as a plan, and plans back as messages of its conversation."""

from __future__ import annotations

from agentkit.expressions import Expr, ListOf, Literal, ObjectOf
from agentkit.messages import Json, Message, ModelResponse, ToolCall, ToolSchema, assistant, user
from agentkit.plan import Call, Plan
from agentkit.planners._turns import Observation
from agentkit.planning import Attempt, PlanRequest, Proposal
from agentkit.spelling import write_python


def offered(request: PlanRequest) -> tuple[ToolSchema, ...]:
    """The tools of a request as the model is offered them."""
    return tuple(ToolSchema(tool.python_name, tool.description, tool.input_schema) for tool in request.toolbox.values())


def called(response: ModelResponse, request: PlanRequest) -> Proposal:
    """The calls of a reply as a plan of one turn; several run at once where their effects allow it."""
    taken = {*request.inputs, *request.given}
    steps = []
    calls: list[Json] = []
    for call in response.tool_calls:
        tool = request.toolbox.by_python_name(call.name)
        name = call.name if tool is None else tool.name
        id = _fresh(call.name, taken)
        steps.append(Call(id, name, {key: literal(value) for key, value in call.args.items()}))
        calls.append({"id": id, "name": call.name, "args": dict(call.args)})
    plan = Plan(tuple(steps), goal=request.task, inputs=request.inputs)
    thought = response.text.strip()
    comment = "".join(f"# {line}\n" for line in thought.splitlines())
    written = write_python(Plan(plan.steps), request.toolbox)
    return Proposal(plan, comment + written, final=False, notes={"thought": thought, "calls": calls})


def answered(text: str) -> Proposal:
    """A reply without calls: it is the answer."""
    answer = Literal(text) if text.strip() else None
    return Proposal(Plan((), answer), text, notes={"thought": "", "calls": []})


def spoken_natively(attempt: Attempt, observation: Observation) -> tuple[Message, ...]:
    """An attempt as the model's calls and their results; a remark goes with the first result."""
    calls = attempt.notes.get("calls") or []
    if not calls:
        return assistant(attempt.source), user(str(observation))
    made = tuple(ToolCall(one["id"], one["name"], one["args"]) for one in calls)
    results = [observation.values.get(call.id, "no result") for call in made]
    if observation.remark:
        results[0] = "\n".join(part for part in (observation.values.get(made[0].id), observation.remark) if part)
    said = Message("assistant", attempt.notes.get("thought", ""), tool_calls=made)
    return said, *(Message("tool", text, tool_call_id=call.id) for call, text in zip(made, results, strict=True))


def literal(value: Json) -> Expr:
    """A JSON value as an expression that says nothing but it: a ``${`` in its texts has no meaning."""
    if isinstance(value, dict):
        return ObjectOf(tuple((Literal(key), literal(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ListOf(tuple(literal(item) for item in value))
    return Literal(value)


def _fresh(name: str, taken: set[str]) -> str:
    """An id for a call of the tool `name`, which is not yet taken."""
    base = "".join(character if character.isalnum() else "_" for character in name).strip("_") or "call"
    base = base if base[0].isalpha() else f"call_{base}"
    number = 1
    while f"{base}_{number}" in taken:
        number += 1
    taken.add(f"{base}_{number}")
    return f"{base}_{number}"
