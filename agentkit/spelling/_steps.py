"""The expressions of a step: all of them, or others in their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from agentkit.expressions.nodes import Expr
from agentkit.plan import Ask, Block, Call, ForEach, Generate, If, Parallel, Repeat, Step, Subgoal, Value

Change = Callable[[Expr], Expr]
AnyStep = TypeVar("AnyStep", bound=Step)


def expressions(step: Step) -> Iterator[Expr]:
    """The expressions of a step's own fields, without those of the steps inside it."""
    match step:
        case Call(args=args, fallback=fallback):
            yield from args.values()
            if fallback is not None:
                yield fallback
        case Value(value=expr) | Generate(prompt=expr) | Ask(question=expr):
            yield expr
        case If(condition=expr) | ForEach(source=expr):
            yield expr
        case Repeat(until=until, while_=while_, state=state, next=next_):
            yield from (part for part in (until, while_) if part is not None)
            yield from state.values()
            yield from next_.values()
        case Subgoal(goal=goal, inputs=inputs):
            yield goal
            yield from inputs.values()
        case _:
            return


def map_steps(step: AnyStep, change: Change) -> AnyStep:
    """`step` with `change` applied to its expressions and to those of the steps inside it."""
    changed: Step
    match step:
        case Call(args=args, fallback=fallback):
            other = None if fallback is None else change(fallback)
            changed = replace(step, args=_mapped(args, change), fallback=other)
        case Value(value=expr):
            changed = replace(step, value=change(expr))
        case Generate(prompt=expr):
            changed = replace(step, prompt=change(expr))
        case Ask(question=expr):
            changed = replace(step, question=change(expr))
        case Subgoal(goal=goal, inputs=inputs):
            changed = replace(step, goal=change(goal), inputs=_mapped(inputs, change))
        case If(condition=expr, then=then, otherwise=otherwise):
            sides = _block(then, change), _block(otherwise, change)
            changed = replace(step, condition=change(expr), then=sides[0], otherwise=sides[1])
        case ForEach(source=expr, do=do):
            changed = replace(step, source=change(expr), do=_block(do, change))
        case Repeat():
            changed = _repeat(step, change)
        case Parallel(branches=branches):
            changed = replace(step, branches={name: _block(block, change) for name, block in branches.items()})
        case _:
            changed = step
    return changed  # type: ignore[return-value]


def _repeat(step: Repeat, change: Change) -> Repeat:
    return replace(
        step,
        do=_block(step.do, change),
        until=None if step.until is None else change(step.until),
        while_=None if step.while_ is None else change(step.while_),
        state=_mapped(step.state, change),
        next=_mapped(step.next, change),
    )


def _mapped(values: Mapping[str, Expr], change: Change) -> dict[str, Expr]:
    return {name: change(expr) for name, expr in values.items()}


def _block(block: Block, change: Change) -> Block:
    return tuple(map_steps(step, change) for step in block)
