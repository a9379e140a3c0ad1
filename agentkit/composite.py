"""Tools that are plans: a call of one is replaced by its steps before the plan that calls it is checked and run.

So whatever holds for the steps of a plan holds for those inside: they are certified, approved, limited, recorded in the
journal and resumed one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from agentkit._schema_problems import listed
from agentkit._schema_remote import read_schemas
from agentkit._toolbox_settings import read_settings
from agentkit._toolbox_tool import Tool
from agentkit.checker import CheckedPlan, check
from agentkit.context import RunContext
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import ToolDefinitionError, ToolError
from agentkit.expressions.nodes import Expr, Name, names
from agentkit.expressions.renaming import rename
from agentkit.limits import Limits
from agentkit.messages import Json
from agentkit.plan import (
    Ask,
    Block,
    Call,
    ForEach,
    Generate,
    If,
    Parallel,
    Plan,
    Repeat,
    Step,
    Subgoal,
    Value,
    walk,
)
from agentkit.policy import Policy
from agentkit.schedule import WORLD
from agentkit.toolbox import Effect, Toolbox, ToolSettings
from agentkit.types import to_schema

Change: TypeAlias = "Callable[[Expr, Step | None, str], Expr]"
"""Makes another expression of one; it is told the step (None for the plan's answer) and the field or argument."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PlanTool(Tool):
    """A tool whose call stands for the steps of a plan; made by `plan_tool`, put in their place by `inline`.

    Attributes:
        plan: The plan; its inputs are the tool's parameters, its answer is the result.
    """

    plan: Plan

    async def _call(self, bound: dict[str, Any], context: RunContext[Any] | None) -> Any:
        raise ToolError(
            f"{self.name!r} is a plan, not a function: agents put its steps in place of the call before they run a "
            "plan; where you run plans yourself, call agentkit.composite.inline(plan, toolbox) first"
        )


def plan_tool(
    plan: Plan,
    toolbox: Toolbox,
    *,
    name: str,
    description: str,
    policy: Policy | None = None,
    limits: Limits | None = None,
    approver: bool = True,
    tags: Iterable[str] = (),
) -> PlanTool:
    """A tool that is a plan over `toolbox`, checked.

    Its effect is the strongest of its steps', its resources are theirs, it asks if one of them asks, and its cost and
    time are the certificate's.

    Args:
        plan: The plan. Its inputs become the parameters.
        toolbox: The tools that it calls.
        name: What plans call it by.
        description: What it does, for the model.
        policy: Which calls are allowed and which ask.
        limits: What it may use.
        approver: Whether somebody can be asked for approval.
        tags: Words to select it by.

    Raises:
        PlanRejectedError: The plan does not pass the check.
        ToolDefinitionError: A schema or the name cannot be a tool's.
    """
    probe = fresh("result", {step.id for step in walk(plan.steps)} | set(plan.inputs))
    last = plan.steps[-1].id if plan.steps else ""
    answer = plan.answer if plan.answer is not None else Name(last)
    whole = replace(plan, steps=(*plan.steps, Value(probe, answer)), answer=Name(probe))
    report = check(whole, toolbox, policy=policy, limits=limits, approver=approver)
    checked = report.require()
    values, problems = read_settings(
        {"name": name, "description": description, "tags": tuple(tags), **_settings_of(checked)}
    )
    parameters: dict[str, Json] = {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in plan.inputs.items()},
        "required": list(plan.inputs),
        "additionalProperties": False,
    }
    shape, schema_problems = read_schemas(parameters, to_schema(report.types[probe]))
    if shape is None or problems or schema_problems:
        raise ToolDefinitionError(listed(f"{name!r} cannot be a tool", [*problems, *schema_problems]))
    return PlanTool(_shape=shape, origin=f"the plan {plan.goal!r}", plan=replace(plan, answer=answer), **values)


def _settings_of(checked: CheckedPlan) -> ToolSettings:
    effects = checked.schedule.effects
    effect: Effect = "write" if effects.writes else "read" if effects.reads else "pure"
    touched = effects.writes | effects.reads
    return {
        "effect": effect,
        "resources": () if WORLD in touched else tuple(sorted(touched)),
        "approval": "ask" if checked.certificate.approvals else "auto",
        "cost": checked.certificate.cost or 0.0,
        "expected_seconds": checked.certificate.seconds,
    }


def inline(plan: Plan, tools: Mapping[str, Tool]) -> tuple[Plan, dict[str, str]]:
    """The plan with the steps of `PlanTool`s in place of their calls.

    The steps of a call ``x`` are named ``x__…``; its result is still ``x``.

    Returns:
        The plan, and the `PlanTool` that each replaced call named, by the call's id.
    """
    calls = [step for step in walk(plan.steps) if isinstance(step, Call) and _is_plan(step, tools)]
    if not calls:
        return plan, {}
    refused = [one for call in calls for one in _refused(call)]
    if refused:
        return replace(plan, problems=(*plan.problems, *refused)), {}
    taken = {step.id for step in walk(plan.steps)} | set(plan.inputs)
    return replace(plan, steps=_inlined(plan.steps, tools, taken)), {call.id: call.tool for call in calls}


def _is_plan(call: Call, tools: Mapping[str, Tool]) -> bool:
    return isinstance(tools.get(call.tool), PlanTool)


def _refused(call: Call) -> list[Diagnostic]:
    """What can be said of one call and not of several steps."""
    said = {"on_error='value'": call.on_error == "value", "retry": call.retry is not None}
    said["timeout"] = call.timeout is not None
    return [
        Diagnostic(
            Code.UNSUPPORTED,
            (call.id,),
            f"{call.tool!r} stands for several steps, so its call cannot have {what}.",
            expected="a plain call, or on_error='skip'",
            suggestion=f"Leave {what} out.",
            line=call.line,
        )
        for what, is_said in said.items()
        if is_said
    ]


def _inlined(block: Block, tools: Mapping[str, Tool], taken: set[str]) -> Block:
    found: list[Step] = []
    for step in block:
        match step:
            case Call(tool=name) if isinstance(tool := tools.get(name), PlanTool):
                found += _steps_of(step, tool, taken)
            case Parallel(branches=branches):
                inner = {name: _inlined(one, tools, taken) for name, one in branches.items()}
                found.append(replace(step, branches=inner))
            case If(then=then, otherwise=otherwise):
                both = _inlined(then, tools, taken), _inlined(otherwise, tools, taken)
                found.append(replace(step, then=both[0], otherwise=both[1]))
            case ForEach(do=do) | Repeat(do=do):
                found.append(replace(step, do=_inlined(do, tools, taken)))
            case _:
                found.append(step)
    return tuple(found)


def _steps_of(call: Call, tool: PlanTool, taken: set[str]) -> list[Step]:
    """The steps that a call stands for: arguments that refer to something, the plan's steps, the result."""
    plan = tool.plan
    own = _names_bound(plan.steps)
    new = {name: fresh(f"{call.id}__{name}", taken) for name in sorted(own | set(plan.inputs))}
    taken.update(new.values())
    # A constant goes where it is used. What has names may not: a comprehension there could bind the same name.
    scope: dict[str, Expr] = {name: Name(new[name]) for name in new}
    scope.update({name: expr for name, expr in call.args.items() if not names(expr)})
    given: list[Step] = [Value(new[name], expr, call.line) for name, expr in call.args.items() if names(expr)]
    steps = [_marked(step, call) for step in map_steps(plan.steps, lambda expr, *_: rename(expr, scope), new.get)]
    assert plan.answer is not None, "plan_tool gives every plan an answer"
    return [*given, *steps, Value(call.id, rename(plan.answer, scope), call.line)]


def _marked(step: Step, call: Call) -> Step:
    """An inner step with the line, and the wishes, of the call that it is part of."""
    match step:
        case Call():
            on_error = call.on_error if step.on_error == "fail" else step.on_error
            return replace(step, line=call.line, again=call.again or step.again, on_error=on_error)
        case Parallel(branches=branches):
            inner = {name: tuple(_marked(one, call) for one in block) for name, block in branches.items()}
            return replace(step, line=call.line, branches=inner)
        case If(then=then, otherwise=otherwise):
            both = [tuple(_marked(one, call) for one in block) for block in (then, otherwise)]
            return replace(step, line=call.line, then=both[0], otherwise=both[1])
        case ForEach(do=do) | Repeat(do=do):
            return replace(step, line=call.line, do=tuple(_marked(one, call) for one in do))
        case _:
            return replace(step, line=call.line)


def _names_bound(block: Block) -> set[str]:
    """Every name that the steps of a block define: ids, items, states."""
    bound: set[str] = set()
    for step in walk(block):
        bound.add(step.id)
        if isinstance(step, ForEach):
            bound.add(step.item)
        elif isinstance(step, Repeat):
            bound.update(step.state)
    return bound


def map_steps(block: Block, change: Change, name: Callable[[str], str | None] = lambda id: id) -> Block:
    """A block, inner blocks included, with every expression changed, and every name that it defines.

    Args:
        block: The steps.
        change: Makes the new expressions.
        name: Gives the new names; None leaves one as it is. References are `change`'s business.
    """
    return tuple(_mapped(step, change, lambda id: name(id) or id) for step in block)


def _mapped(step: Step, change: Change, name: Callable[[str], str]) -> Step:
    def maybe(expr: Expr | None, field: str) -> Expr | None:
        return None if expr is None else change(expr, step, field)

    def each(exprs: Mapping[str, Expr], spelled: Callable[[str], str] = lambda key: key) -> dict[str, Expr]:
        return {spelled(key): change(expr, step, key) for key, expr in exprs.items()}

    def inner(block: Block) -> Block:
        return map_steps(block, change, name)

    id = name(step.id)
    match step:
        case Call(args=args, fallback=fallback):
            return replace(step, id=id, args=each(args), fallback=maybe(fallback, "fallback"))
        case Value(value=value):
            return replace(step, id=id, value=change(value, step, "value"))
        case Parallel(branches=branches):
            return replace(step, id=id, branches={key: inner(block) for key, block in branches.items()})
        case If(condition=condition, then=then, otherwise=otherwise):
            test = change(condition, step, "condition")
            return replace(step, id=id, condition=test, then=inner(then), otherwise=inner(otherwise))
        case ForEach(item=item, source=source, do=do):
            return replace(step, id=id, item=name(item), source=change(source, step, "in"), do=inner(do))
        case Repeat(do=do, state=state, next=following):
            until, while_ = maybe(step.until, "until"), maybe(step.while_, "while")
            first, later = each(state, name), each(following, name)
            return replace(step, id=id, do=inner(do), until=until, while_=while_, state=first, next=later)
        case Generate(prompt=prompt):
            return replace(step, id=id, prompt=change(prompt, step, "prompt"))
        case Ask(question=question):
            return replace(step, id=id, question=change(question, step, "question"))
        case Subgoal(goal=goal, inputs=inputs):
            return replace(step, id=id, goal=change(goal, step, "goal"), inputs=each(inputs))
        case _:
            return replace(step, id=id)


def fresh(name: str, taken: set[str]) -> str:
    """`name`, with a number if it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
