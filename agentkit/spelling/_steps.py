"""The expressions of a step."""

from __future__ import annotations

from collections.abc import Iterator

from agentkit.expressions.nodes import Expr
from agentkit.plan import Ask, Call, ForEach, Generate, If, Repeat, Step, Subgoal, Value


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
