"""Which steps of a plan are of no use: they change nothing, and nothing refers to them."""

from __future__ import annotations

from collections.abc import Iterator

from agentkit.expressions.nodes import names
from agentkit.plan import Ask, Block, Call, Plan, Repeat, Step, Subgoal, Unreadable, blocks, walk
from agentkit.schedule import expression_names
from agentkit.toolbox import Toolbox


def unused_steps(plan: Plan, toolbox: Toolbox, *, partial: bool) -> Iterator[Step]:
    """Steps that change nothing and whose value nothing can see."""
    used: set[str] = set(names(plan.answer)) if plan.answer is not None else set()
    for step in walk(plan.steps):
        used |= _all_names(step)
    last = plan.steps[-1] if plan.steps and (plan.answer is None or partial) else None
    yield from _unused_in(plan.steps, used, toolbox, keep=last)


def _unused_in(block: Block, used: set[str], toolbox: Toolbox, *, keep: Step | None) -> Iterator[Step]:
    for step in block:
        inner = [step for _, body in blocks(step) for step in body]
        if step is keep or step.id in used or isinstance(step, Unreadable | Ask | Subgoal):
            needed = True
        else:
            needed = _acts(step, toolbox)
            if not needed:
                yield step
        if needed and inner:
            for _, body in blocks(step):
                yield from _unused_in(body, used, toolbox, keep=body[-1] if body else None)


def _acts(step: Step, toolbox: Toolbox) -> bool:
    """Whether a step, or a step inside it, may change something or ask somebody."""
    if isinstance(step, Call):
        tool = toolbox.get(step.tool)
        return tool is None or tool.effect == "write"
    if isinstance(step, Ask | Subgoal | Unreadable):
        return True
    return any(_acts(inner, toolbox) for _, body in blocks(step) for inner in body)


def _all_names(step: Step) -> frozenset[str]:
    """Every name in a step's own expressions, also in those that a loop evaluates inside."""
    found = expression_names(step)
    if isinstance(step, Repeat):
        for expr in (step.until, step.while_, *step.next.values()):
            if expr is not None:
                found |= names(expr)
    return found
