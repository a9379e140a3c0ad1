"""A task: a goal in words, and the constraints that must hold besides; both can come from data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agentkit.constraints import Budget, Constraint, Count, Deadline, Equals, Satisfies
from agentkit.diagnostics import Diagnostic
from agentkit.errors import DefinitionError
from agentkit.expressions import parse_expression, type_expression
from agentkit.messages import Json
from agentkit.toolbox import Toolbox
from agentkit.types import ANY, NUMBER, OBJECT, STRING, ArrayType, ObjectType, Type

KINDS: Mapping[str, type[Any]] = {one.kind: one for one in (Budget, Deadline, Count, Equals, Satisfies)}
"""The constraints that data can say, by the name of their kind."""


def read_constraint(row: Mapping[str, Json]) -> Constraint:
    """A constraint from data, e.g. ``{"kind": "budget", "max": 5000, "of": "answer.total"}``.

    Raises:
        DefinitionError: The kind or a field is unknown, missing or wrong.
    """
    fields = dict(row)
    kind = fields.pop("kind", None)
    made = KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise DefinitionError(f"a constraint has the kind {kind!r}; the kinds are {', '.join(KINDS)}")
    known = [field.name for field in fields_of(made)]
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise DefinitionError(f"a constraint of kind {kind!r} has no field {unknown[0]!r}; it has {', '.join(known)}")
    try:
        constraint: Constraint = TypeAdapter(made).validate_python(fields)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc'])) or kind}: {one['msg']}" for one in error.errors())
        raise DefinitionError(f"a constraint of kind {kind!r} cannot be made of {fields!r}: {problems}") from error
    return constraint


def write_constraints(constraints: Sequence[Constraint]) -> list[Json]:
    """The data that `read_constraints` reads; for a constraint that data cannot hold, its words."""
    return [_written(one) or str(one) for one in constraints]


def read_constraints(rows: Iterable[Json]) -> tuple[Constraint, ...]:
    """The constraints that `write_constraints` wrote.

    Raises:
        DefinitionError: One of them could not be written, because it holds a function.
    """
    read = []
    for row in rows:
        if not isinstance(row, Mapping):
            raise DefinitionError(
                f"the run has a constraint that a journal cannot hold: {row!r}; "
                "pass the task's constraints again: agent.resume(…, constraints=[…])"
            )
        read.append(read_constraint(row))
    return tuple(read)


def _written(constraint: Constraint) -> dict[str, Json] | None:
    kind = getattr(constraint, "kind", None)
    if kind is None or KINDS.get(kind) is not type(constraint):
        return None
    fields = {name: getattr(constraint, name) for name in (field.name for field in fields_of(KINDS[kind]))}
    if any(callable(value) for value in fields.values()):
        return None
    return {"kind": kind, **fields}


@dataclass(frozen=True, slots=True)
class Task:
    """What an agent is asked: a goal in words, and what must hold besides.

    Attributes:
        goal: The goal.
        constraints: All must hold.
    """

    goal: str
    constraints: Sequence[Constraint] = ()

    @classmethod
    def of(cls, task: str | Task) -> Task:
        """The task; plain words have no constraints."""
        return cls(task) if isinstance(task, str) else task

    @classmethod
    def read(cls, row: Mapping[str, Json]) -> Task:
        """A task from data: ``{"goal": "…", "constraints": [{"kind": "budget", …}, …]}``.

        Raises:
            DefinitionError: A field is unknown, missing or wrong.
        """
        unknown = [name for name in row if name not in ("goal", "constraints")]
        if unknown or not isinstance(row.get("goal"), str):
            wrong = f"has a field {unknown[0]!r}" if unknown else "has no goal in words"
            raise DefinitionError(f"a task {wrong}; its fields are goal and constraints")
        return cls(row["goal"], tuple(read_constraint(one) for one in row.get("constraints", ())))


def check_constraints(constraints: Iterable[Constraint], toolbox: Toolbox) -> None:
    """Hold the expressions of constraints against the tools that they speak of.

    Raises:
        DefinitionError: One can never have a value, such as one about calls of a tool that there is not.
    """
    scope: dict[str, Type] = {}
    for constraint in constraints:
        for text in constraint.expressions():
            scope = scope or _scope(toolbox)
            found: list[Diagnostic] = []
            type_expression(parse_expression(text), scope, found.append, ())
            if found:
                one = found[0]
                told = " ".join(part for part in (one.message, one.suggestion) if part)
                raise DefinitionError(f"the constraint {str(constraint)!r} cannot be checked: {text}: {told}")


def _scope(toolbox: Toolbox) -> dict[str, Type]:
    """The types of the names that constraints may use."""
    calls = ObjectType(tuple((name, ArrayType(_call(toolbox, name)), True) for name in toolbox))
    usage = ObjectType((("cost", NUMBER, True), ("tool_calls", NUMBER, True), ("model_calls", NUMBER, True)))
    return {"answer": ANY, "calls": calls, "inputs": OBJECT, "seconds": NUMBER, "steps": OBJECT, "usage": usage}


def _call(toolbox: Toolbox, name: str) -> ObjectType:
    tool = toolbox[name]
    return ObjectType((("args", tool.input_type, True), ("value", tool.output_type, True), ("step", STRING, True)))
