"""Which steps of a plan are of no use: they change nothing, and nothing refers to them."""

from __future__ import annotations

from collections.abc import Iterator

from agentkit.expressions.nodes import names
from agentkit.plan import Plan, Repeat, Step, Unreadable
from agentkit.schedule import Node, Schedule


def unused_steps(plan: Plan, order: Schedule, *, partial: bool) -> Iterator[Step]:
    """Steps of `plan`, scheduled as `order`, that change nothing and whose value nothing can see."""
    used = set(names(plan.answer)) if plan.answer is not None else set()
    _add_names(order, used)
    last = plan.steps[-1] if plan.steps and (plan.answer is None or partial) else None
    yield from _unused_in(order, used, keep=last)


def _add_names(order: Schedule, used: set[str]) -> None:
    """Every name in the steps' expressions, also in those that a loop evaluates inside."""
    for node in order.nodes:
        used |= node.names
        if isinstance(node.step, Repeat):
            for expr in (node.step.until, node.step.while_, *node.step.next.values()):
                if expr is not None:
                    used |= names(expr)
        for inner in node.blocks:
            _add_names(inner, used)


def _unused_in(order: Schedule, used: set[str], *, keep: Step | None) -> Iterator[Step]:
    for node in order.nodes:
        if node.step is not keep and node.step.id not in used and not _acts(node):
            yield node.step
            continue
        for inner in node.blocks:
            yield from _unused_in(inner, used, keep=inner.nodes[-1].step if inner.nodes else None)


def _acts(node: Node) -> bool:
    """Whether a step, or a step inside it, may change something or ask somebody."""
    if node.effects.writes or isinstance(node.step, Unreadable):
        return True
    return any(_acts(within) for inner in node.blocks for within in inner.nodes)
