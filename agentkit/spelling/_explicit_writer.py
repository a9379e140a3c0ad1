"""Writes any plan as Python: every step under its own id, compound steps in their explicit forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentkit.expressions.nodes import Expr
from agentkit.expressions.printing import quoted, to_source
from agentkit.plan import Block, ForEach, If, Parallel, Repeat, Step, Unreadable
from agentkit.spelling._phrases import phrase
from agentkit.toolbox import Toolbox

INDENT = "    "


def indented(lines: Sequence[str]) -> list[str]:
    """Lines one level deeper; an empty block is ``pass``."""
    return [f"{INDENT}{line}" for line in lines] or [f"{INDENT}pass"]


class ExplicitWriter:
    """Writes steps in their explicit forms. Each is read back as exactly itself, wherever it stands."""

    def __init__(self, toolbox: Toolbox | None) -> None:
        self.toolbox = toolbox

    def source(self, expr: Expr) -> str:
        """The source of an expression."""
        return to_source(expr)

    def block(self, block: Block) -> list[str]:
        """The lines of a block."""
        return [line for step in block for line in self.step(step)]

    def step(self, step: Step) -> list[str]:
        """The lines of a step."""
        match step:
            case If():
                return self._if(step)
            case ForEach():
                return self._for_each(step)
            case Repeat():
                return self._repeat(step)
            case Parallel():
                return self._parallel(step)
            case Unreadable(text=text):
                return [f"pass  # cannot be read: {' '.join(text.split())}"]
            case _:
                return [f"{step.id} = {phrase(step, self.toolbox)}"]

    def _if(self, step: If) -> list[str]:
        lines = [f"with choose({to_source(step.condition)}) as {step.id}:"]
        inside = ["with then():", *indented(self.block(step.then))]
        if step.otherwise:
            inside += ["with otherwise():", *indented(self.block(step.otherwise))]
        return [*lines, *indented(inside)]

    def _for_each(self, step: ForEach) -> list[str]:
        limit = "" if step.concurrency is None else f", concurrency={step.concurrency}"
        header = f"with for_each(item={quoted(step.item)}, source={to_source(step.source)}{limit}) as {step.id}:"
        return [header, *indented(self.block(step.do))]

    def _repeat(self, step: Repeat) -> list[str]:
        options = [] if step.max_iterations is None else [f"max_iterations={step.max_iterations}"]
        if step.state:
            options.append(f"state={_object(step.state)}")
        if step.while_ is not None:
            options.append(f"while_={to_source(step.while_)}")
        inside = self.block(step.do)
        if step.next:
            inside.append(f"next({', '.join(f'{name}={to_source(expr)}' for name, expr in step.next.items())})")
        if step.until is not None:
            inside.append(f"until({to_source(step.until)})")
        return [f"with repeat({', '.join(options)}) as {step.id}:", *indented(inside)]

    def _parallel(self, step: Parallel) -> list[str]:
        inside: list[str] = []
        for name, block in step.branches.items():
            inside += [f"with branch({quoted(name)}):", *indented(self.block(block))]
        return [f"with parallel() as {step.id}:", *indented(inside)]


def _object(values: Mapping[str, Expr]) -> str:
    return "{" + ", ".join(f"{quoted(name)}: {to_source(expr)}" for name, expr in values.items()) + "}"
