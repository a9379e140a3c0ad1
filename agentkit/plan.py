"""A plan as frozen data: what every planner writes, the checker checks and the executor runs.

A plan has one meaning and two spellings, JSON and restricted Python (`agentkit.spelling`). Reading never fails: what
cannot be read is kept as `Unreadable` steps, `Malformed` expressions and `problems`, so that the checker can report
everything at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentkit.diagnostics import Diagnostic
from agentkit.expressions.nodes import Expr
from agentkit.messages import Json

OnError: TypeAlias = Literal["fail", "skip", "value"]
JsonSchema: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Call:
    """Run a tool. Its value is the tool's output.

    Attributes:
        id: The name that later steps refer to.
        tool: The tool's name.
        args: Argument expressions by parameter name.
        retry: Attempts after the first one; None takes the tool's own.
        timeout: Seconds an attempt may take; None takes the tool's own.
        on_error: ``fail`` fails the plan; ``skip`` skips only what uses the value; ``value`` goes on with `fallback`.
        fallback: The value when `on_error` is ``value``.
        again: After a replan, do a write once more although the same call was done by an earlier plan of the run;
            without it the earlier result is kept.
        line: 1-based source line, where the plan came as text.
    """

    id: str
    tool: str
    args: Mapping[str, Expr] = field(default_factory=dict)
    retry: int | None = None
    timeout: float | None = None
    on_error: OnError = "fail"
    fallback: Expr | None = None
    again: bool = False
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Value:
    """Compute an expression, without calling anything."""

    id: str
    value: Expr
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Parallel:
    """Run blocks at once, whatever their effects. Its value is an object of the branches' values."""

    id: str
    branches: Mapping[str, Block]
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class If:
    """Run one of two blocks. Its value is the value of the branch taken (null for an absent `otherwise`)."""

    id: str
    condition: Expr
    then: Block
    otherwise: Block = ()
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ForEach:
    """Run a block for each item of a list; iterations run at once where effects allow.

    Its value is the list of the block's values, in the order of the items.

    Attributes:
        id: The name that later steps refer to.
        item: The name that the block sees the item as.
        source: The list.
        do: The block.
        concurrency: Iterations at once at most; None leaves it to the limits.
        line: 1-based source line, where the plan came as text.
    """

    id: str
    item: str
    source: Expr
    do: Block
    concurrency: int | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run a block again and again, at most `max_iterations` times.

    Without `state`, its value is the block's value in the last round (null if there was none). With `state`, its value
    is the object of the final state, which also exists when no round ran.

    Attributes:
        id: The name that later steps refer to.
        do: The block; it sees the state's names.
        until: Asked after each round, inside the block's scope; true ends the loop.
        while_: Asked before each round, seeing the state and outer names; false ends the loop.
        max_iterations: The bound; None takes the default bound of the limits.
        state: Names carried from round to round, with their first values.
        next: What each state name becomes after a round, inside the block's scope; absent names keep their value.
        line: 1-based source line, where the plan came as text.
    """

    id: str
    do: Block
    until: Expr | None = None
    while_: Expr | None = None
    max_iterations: int | None = None
    state: Mapping[str, Expr] = field(default_factory=dict)
    next: Mapping[str, Expr] = field(default_factory=dict)
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Generate:
    """Ask the model. Its value is text, or an object of `schema`."""

    id: str
    prompt: Expr
    schema: JsonSchema | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the human. Its value is the answer: text, or a value of `schema`."""

    id: str
    question: Expr
    schema: JsonSchema | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Subgoal:
    """A goal that is planned only when it is reached. Its value is that plan's answer, of `schema`."""

    id: str
    goal: Expr
    schema: JsonSchema | None = None
    inputs: Mapping[str, Expr] = field(default_factory=dict)
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A step that could not be read; `Plan.problems` says why. References to its id are not problems of their own."""

    id: str
    text: str
    line: int | None = field(default=None, compare=False)


Step: TypeAlias = Call | Value | Parallel | If | ForEach | Repeat | Generate | Ask | Subgoal | Unreadable
Block: TypeAlias = tuple[Step, ...]

KINDS: Mapping[type[Step], str] = {
    Call: "call",
    Value: "value",
    Parallel: "parallel",
    If: "if",
    ForEach: "for_each",
    Repeat: "repeat",
    Generate: "generate",
    Ask: "ask",
    Subgoal: "subgoal",
    Unreadable: "unreadable",
}
"""The name of each step kind, as the JSON spelling writes it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A typed program over a toolbox.

    Attributes:
        steps: The program.
        answer: What the plan answers; None if it does not say.
        goal: The task, in words.
        inputs: JSON Schemas of named values that are given when the plan is run.
        problems: What the reader could not read.
        answer_line: The source line of the answer, where the plan came as text.
    """

    steps: Block
    answer: Expr | None = None
    goal: str = ""
    inputs: Mapping[str, JsonSchema] = field(default_factory=dict)
    problems: tuple[Diagnostic, ...] = field(default=(), compare=False)
    answer_line: int | None = field(default=None, compare=False)


def blocks(step: Step) -> tuple[tuple[str, Block], ...]:
    """The blocks of a compound step, each with the field (and branch) that holds it."""
    match step:
        case Parallel(branches=branches):
            return tuple((f"branches.{name}", block) for name, block in branches.items())
        case If(then=then, otherwise=otherwise):
            return (("then", then), ("else", otherwise))
        case ForEach(do=do) | Repeat(do=do):
            return (("do", do),)
        case _:
            return ()


def walk(block: Block) -> Iterator[Step]:
    """Every step of a block, compound steps before the steps inside them, in program order."""
    for step in block:
        yield step
        for _, inner in blocks(step):
            yield from walk(inner)
