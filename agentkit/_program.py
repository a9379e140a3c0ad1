"""The expressions of a checked plan, compiled once and lazily, with the checks that only running can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from weakref import WeakKeyDictionary

from agentkit.checker import CheckedPlan
from agentkit.errors import ExpressionError
from agentkit.expressions import compile_expression, to_source
from agentkit.expressions.nodes import Expr, names
from agentkit.messages import Json
from agentkit.plan import Ask, Call, ForEach, Generate, If, Repeat, Step, Subgoal, Value, walk

Evaluate = Callable[[Mapping[str, Json]], Json]
Test = Callable[[Mapping[str, Json]], bool]


class RepeatParts(NamedTuple):
    """The compiled expressions of a `repeat`, and the outer names that they use."""

    state: tuple[tuple[str, Evaluate], ...]
    next: tuple[tuple[str, Evaluate], ...]
    while_: Test | None
    until: Test | None
    free: frozenset[str]


class Program:
    """Compiled expressions by step id."""

    __slots__ = ("_args", "_repeats", "_single", "answer")

    def __init__(self, checked: CheckedPlan) -> None:
        answer = checked.plan.answer
        self.answer: Evaluate | None = None if answer is None else compile_expression(answer)
        self._args: dict[str, tuple[tuple[str, Evaluate], ...]] = {}
        self._single: dict[str, Evaluate] = {}
        self._repeats: dict[str, RepeatParts] = {}
        for step in walk(checked.plan.steps):
            self._compile(step)

    def _compile(self, step: Step) -> None:
        match step:
            case Call(args=args, fallback=fallback):
                self._args[step.id] = _compiled(args)
                if fallback is not None:
                    self._single[step.id] = compile_expression(fallback)
            case Subgoal(goal=goal, inputs=inputs):
                self._single[step.id] = compile_expression(goal)
                self._args[step.id] = _compiled(inputs)
            case Value(value=expr) | Generate(prompt=expr) | Ask(question=expr):
                self._single[step.id] = compile_expression(expr)
            case If(condition=expr):
                self._single[step.id] = _test(expr)
            case ForEach(source=expr):
                self._single[step.id] = _list(expr)
            case Repeat():
                self._repeats[step.id] = _repeat_parts(step)
            case _:
                pass

    def args(self, id: str, scope: Mapping[str, Json]) -> dict[str, Json]:
        """The arguments of a call, or the inputs of a subgoal."""
        return {name: evaluate(scope) for name, evaluate in self._args[id]}

    def value(self, id: str, scope: Mapping[str, Json]) -> Json:
        """The one expression of a step: a value, a prompt, a question, a goal, or a call's fallback."""
        return self._single[id](scope)

    def condition(self, id: str, scope: Mapping[str, Json]) -> bool:
        """The condition of an `if`."""
        return bool(self._single[id](scope))

    def source(self, id: str, scope: Mapping[str, Json]) -> list[Json]:
        """The list of a `for_each`."""
        items: list[Json] = self._single[id](scope)
        return items

    def repeat(self, step: Repeat) -> RepeatParts:
        """The expressions of a `repeat`."""
        return self._repeats[step.id]


_programs: WeakKeyDictionary[CheckedPlan, Program] = WeakKeyDictionary()


def program_of(checked: CheckedPlan) -> Program:
    """The compiled expressions of `checked`, compiled on first use."""
    program = _programs.get(checked)
    if program is None:
        program = _programs[checked] = Program(checked)
    return program


def _compiled(values: Mapping[str, Expr]) -> tuple[tuple[str, Evaluate], ...]:
    return tuple((name, compile_expression(expr)) for name, expr in values.items())


def _test(expr: Expr) -> Test:
    evaluate = compile_expression(expr)

    def test(scope: Mapping[str, Json]) -> bool:
        value = evaluate(scope)
        if value is True or value is False:
            return bool(value)
        raise ExpressionError(f"{to_source(expr)}: the condition is {_kind(value)}, expected true or false")

    return test


def _list(expr: Expr) -> Evaluate:
    evaluate = compile_expression(expr)

    def items(scope: Mapping[str, Json]) -> Json:
        value = evaluate(scope)
        if isinstance(value, list):
            return value
        raise ExpressionError(f"{to_source(expr)}: cannot loop over {_kind(value)}, expected a list")

    return items


def _repeat_parts(step: Repeat) -> RepeatParts:
    inside = [*step.next.values(), *(expr for expr in (step.while_, step.until) if expr is not None)]
    free: frozenset[str] = frozenset().union(*(names(expr) for expr in inside))
    return RepeatParts(
        state=_compiled(step.state),
        next=_compiled(step.next),
        while_=None if step.while_ is None else _test(step.while_),
        until=None if step.until is None else _test(step.until),
        free=free - frozenset(step.state),
    )


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    return {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}.get(
        type(value), "an object"
    )
