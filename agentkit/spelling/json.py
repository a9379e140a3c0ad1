"""The JSON spelling of a plan: files, APIs and structured outputs.

``{"goal", "inputs": {name: schema}, "steps": [{"id", "kind", …}], "answer"}``. A string ``"${expr}"`` is a typed value,
``"text ${expr}"`` a template, everything else a literal. For schemas that cannot say "any key" (OpenAI's strict mode),
objects with free keys may also come as lists of ``{"name", "value"}``, an absent field as null, and a schema as text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentkit.diagnostics import Code, Diagnostic
from agentkit.expressions.nodes import Expr
from agentkit.expressions.parse import parse_value
from agentkit.messages import Json
from agentkit.plan import (
    Ask,
    Block,
    Call,
    ForEach,
    Generate,
    If,
    JsonSchema,
    OnError,
    Parallel,
    Plan,
    Repeat,
    Step,
    Subgoal,
    Unreadable,
    Value,
)
from agentkit.spelling._names import did_you_mean
from agentkit.spelling._shown import excerpt, kind_of
from agentkit.spelling._text import MAX_NESTING, MAX_STEPS, MAX_TEXT, unfenced

FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "call": (("tool",), ("args", "retry", "timeout", "on_error", "again")),
    "value": (("value",), ()),
    "parallel": (("branches",), ()),
    "if": (("condition", "then"), ("else",)),
    "for_each": (("item", "in", "do"), ("concurrency",)),
    "repeat": (("do",), ("until", "while", "max_iterations", "state", "next")),
    "generate": (("prompt",), ("schema",)),
    "ask": (("question",), ("schema",)),
    "subgoal": (("goal",), ("schema", "inputs")),
}
"""The required and the optional fields of each step kind, beside ``id`` and ``kind``."""

_PLAN_FIELDS = ("goal", "inputs", "steps", "answer")


def read_json(data: str | Mapping[str, Json], *, strict: bool = False) -> Plan:
    """Read the JSON spelling of a plan.

    Args:
        data: JSON text (a Markdown code block around it is taken off), or the object that it stands for.
        strict: The plan was written under ``plan_schema(…, strict=True)``, where null says that an argument, or a field
            of an object in one, is absent; null itself is then ``"${None}"``.

    Returns:
        The plan. Nothing is raised: `Plan.problems` holds everything that could not be read, with codes AK101, AK103,
        AK104 and AK108, and steps that could not be read are `Unreadable`.
    """
    reader = _Reader(strict=strict)
    raw = reader.parse(data) if isinstance(data, str) else data
    try:
        return reader.plan(raw)
    except RecursionError:
        reader.problem(Code.TOO_LARGE, (), "the plan's values are nested too deeply")
        return Plan((), problems=tuple(reader.problems))


class _Skip(Exception):
    """A step cannot be read; the reason has been noted."""


class _Reader:
    """Reads one plan and notes its problems."""

    def __init__(self, *, strict: bool) -> None:
        self.problems: list[Diagnostic] = []
        self.count = 0
        self.strict = strict

    def problem(
        self, code: Code, path: tuple[str | int, ...], message: str, expected: str = "", suggestion: str = ""
    ) -> None:
        self.problems.append(Diagnostic(code, path, f"{message}.", expected, suggestion))

    def parse(self, text: str) -> Json:
        """The JSON value of `text`; an empty object where it has none."""
        if len(text) > MAX_TEXT:
            self.problem(Code.TOO_LARGE, (), f"the plan has {len(text):,} characters", f"at most {MAX_TEXT:,}")
            return None
        body, before = unfenced(text, ("json",)) if not text.lstrip().startswith("{") else (text, 0)
        try:
            return json.loads(body, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            self.problems.append(
                Diagnostic(
                    Code.SYNTAX, (), f"the plan is not JSON: {error.msg} at column {error.colno}.",
                    expected="a JSON object with 'steps' and 'answer'", line=error.lineno + before,
                )
            )  # fmt: skip
        except ValueError as error:
            self.problem(Code.SYNTAX, (), f"the plan is not JSON: {error}")
        except RecursionError:
            self.problem(Code.TOO_LARGE, (), "the plan's JSON is nested too deeply")
        return None

    def plan(self, raw: Json) -> Plan:
        if not isinstance(raw, Mapping):
            if not self.problems:
                self.problem(Code.SHAPE, (), f"the plan is {kind_of(raw)}", "an object with 'steps' and 'answer'")
            return Plan((), problems=tuple(self.problems))
        self.unknown_fields(raw, (), _PLAN_FIELDS, "plan")
        goal = raw.get("goal")
        if goal is not None and not isinstance(goal, str):
            self.problem(Code.SHAPE, ("goal",), f"'goal' is {kind_of(goal)}", "text")
            goal = ""
        inputs = self.inputs(raw.get("inputs"))
        steps: Block = ()
        if "steps" in raw:
            steps = self.block(raw["steps"], ("steps",), 0)
        else:
            self.problem(Code.SHAPE, (), "the plan has no 'steps'", "a list of steps")
        answer = None if raw.get("answer") is None else parse_value(raw["answer"])
        return Plan(steps, answer, goal or "", inputs, tuple(self.problems))

    def inputs(self, raw: Json) -> dict[str, JsonSchema]:
        found: dict[str, JsonSchema] = {}
        for name, schema in self.named(raw, ("inputs",)):
            if isinstance(schema, Mapping):
                found[name] = schema
            else:
                self.problem(Code.SHAPE, ("inputs", name), f"input {name!r} is {kind_of(schema)}", "a JSON Schema")
        return found

    def block(self, raw: Json, path: tuple[str | int, ...], depth: int) -> Block:
        if not isinstance(raw, Sequence) or isinstance(raw, str):
            self.problem(Code.SHAPE, path, f"{path[-1]!r} is {kind_of(raw)}", "a list of steps")
            return ()
        if depth > MAX_NESTING:
            self.problem(Code.TOO_LARGE, path, "the blocks are nested too deeply", f"at most {MAX_NESTING} levels")
            return ()
        steps: list[Step] = []
        for index, item in enumerate(raw):
            self.count += 1
            if self.count > MAX_STEPS:
                if self.count == MAX_STEPS + 1:
                    self.problem(Code.TOO_LARGE, path, "the plan has too many steps", f"at most {MAX_STEPS:,}")
                break
            steps.append(self.step(item, (*path, index), depth))
        return tuple(steps)

    def step(self, raw: Json, path: tuple[str | int, ...], depth: int) -> Step:
        if not isinstance(raw, Mapping):
            self.problem(Code.SHAPE, path, f"the step is {kind_of(raw)}", "an object with 'id' and 'kind'")
            return Unreadable(f"unreadable_{self.count}", excerpt(raw))
        id = raw.get("id")
        if isinstance(id, str):
            path = (id,)
        else:
            what = "has no 'id'" if id is None else f"has an 'id' that is {kind_of(id)}"
            self.problem(Code.SHAPE, path, f"the step {what}", "a name that later steps refer to")
            id = f"unreadable_{self.count}"
        try:
            kind = self.kind(raw, path)
            return _READERS[kind](self, id, raw, path, depth)
        except _Skip:
            return Unreadable(id, excerpt(raw))

    def kind(self, raw: Mapping[str, Json], path: tuple[str | int, ...]) -> str:
        """The kind of a step whose fields are known and complete."""
        kind = raw.get("kind")
        if kind is None and "tool" in raw:
            kind = "call"
        if not isinstance(kind, str) or kind not in FIELDS:
            what = "has no 'kind'" if kind is None else f"has the unknown kind {kind!r}"
            hint = did_you_mean(kind.lower(), FIELDS) if isinstance(kind, str) else ""
            self.problem(Code.UNKNOWN_KIND, (*path, "kind"), f"the step {what}", f"one of {', '.join(FIELDS)}", hint)
            raise _Skip
        required, optional = FIELDS[kind]
        self.unknown_fields(raw, path, ("id", "kind", *required, *optional), f"{kind} step")
        missing = [name for name in required if name not in raw]
        for name in missing:
            self.problem(Code.SHAPE, (*path, name), f"the {kind} step has no {name!r}")
        if missing:
            raise _Skip
        return kind

    def unknown_fields(
        self, raw: Mapping[str, Json], path: tuple[str | int, ...], known: Sequence[str], what: str
    ) -> None:
        for name in raw:
            if name not in known:
                hint = did_you_mean(str(name), known)
                self.problem(
                    Code.SHAPE, (*path, str(name)), f"the {what} has no field {name!r}", ", ".join(known), hint
                )

    def named(self, raw: Json, path: tuple[str | int, ...]) -> list[tuple[str, Json]]:
        """The entries of an object with free keys, in either of its forms."""
        if raw is None:
            return []
        if isinstance(raw, Mapping):
            return [(str(name), value) for name, value in raw.items()]
        if isinstance(raw, Sequence) and not isinstance(raw, str):
            pairs = [e for e in raw if isinstance(e, Mapping) and set(e) == {"name", "value"}]
            if len(pairs) == len(raw) and all(isinstance(pair["name"], str) for pair in pairs):
                return [(pair["name"], pair["value"]) for pair in pairs]
        self.problem(Code.SHAPE, path, f"{path[-1]!r} is {kind_of(raw)}", "an object")
        return []

    def exprs(self, raw: Json, path: tuple[str | int, ...]) -> dict[str, Expr]:
        return {name: parse_value(value) for name, value in self.named(raw, path)}

    def args(self, raw: Json, path: tuple[str | int, ...]) -> dict[str, Expr]:
        found = dict(self.named(raw, path))
        return self.exprs(_without_absent(found) if self.strict else found, path)

    def optional(self, raw: Mapping[str, Json], name: str) -> Expr | None:
        return None if raw.get(name) is None else parse_value(raw[name])

    def text(self, raw: Mapping[str, Json], name: str, path: tuple[str | int, ...]) -> str:
        value = raw[name]
        if not isinstance(value, str):
            self.problem(Code.SHAPE, (*path, name), f"{name!r} is {kind_of(value)}", "text")
            raise _Skip
        return value

    def number(
        self, raw: Mapping[str, Json], name: str, path: tuple[str | int, ...], *, least: int, whole: bool = True
    ) -> Any:
        value = raw.get(name)
        if value is None:
            return None
        right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool) and value >= least
        if not right:
            what = f"a {'whole ' if whole else ''}number of at least {least}"
            self.problem(Code.SHAPE, (*path, name), f"{name!r} is {excerpt(value)}", what)
            return None
        return value

    def flag(self, raw: Mapping[str, Json], name: str, path: tuple[str | int, ...]) -> bool:
        value = raw.get(name)
        if value is not None and not isinstance(value, bool):
            self.problem(Code.SHAPE, (*path, name), f"{name!r} is {excerpt(value)}", "true or false")
        return value is True

    def schema(self, raw: Mapping[str, Json], path: tuple[str | int, ...]) -> JsonSchema | None:
        value = raw.get("schema")
        if isinstance(value, str):
            value = _parsed(value)
        if value is None or isinstance(value, Mapping):
            return value
        self.problem(Code.SHAPE, (*path, "schema"), f"'schema' is {kind_of(value)}", "a JSON Schema")
        return None

    def on_error(self, raw: Mapping[str, Json], path: tuple[str | int, ...]) -> tuple[OnError, Expr | None]:
        value = raw.get("on_error")
        if value is None or value == "fail":
            return "fail", None
        if value == "skip":
            return "skip", None
        if isinstance(value, Mapping) and set(value) == {"value"}:
            return "value", parse_value(value["value"])
        self.problem(
            Code.SHAPE, (*path, "on_error"), f"'on_error' is {excerpt(value)}", "'fail', 'skip' or {'value': …}"
        )
        return "fail", None


_Path = tuple[str | int, ...]


def _read_call(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    on_error, fallback = reader.on_error(raw, path)
    return Call(
        id,
        reader.text(raw, "tool", path),
        reader.args(raw.get("args"), (*path, "args")),
        reader.number(raw, "retry", path, least=0),
        reader.number(raw, "timeout", path, least=0, whole=False),
        on_error,
        fallback,
        reader.flag(raw, "again", path),
    )


def _read_value(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    return Value(id, parse_value(raw["value"]))


def _read_parallel(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    branches = reader.named(raw["branches"], (*path, "branches"))
    return Parallel(id, {name: reader.block(block, (*path, "branches", name), depth + 1) for name, block in branches})


def _read_if(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    otherwise = raw.get("else")
    return If(
        id,
        parse_value(raw["condition"]),
        reader.block(raw["then"], (*path, "then"), depth + 1),
        () if otherwise is None else reader.block(otherwise, (*path, "else"), depth + 1),
    )


def _read_for_each(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    item = reader.text(raw, "item", path)
    do = reader.block(raw["do"], (*path, "do"), depth + 1)
    return ForEach(id, item, parse_value(raw["in"]), do, reader.number(raw, "concurrency", path, least=1))


def _read_repeat(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    return Repeat(
        id,
        reader.block(raw["do"], (*path, "do"), depth + 1),
        reader.optional(raw, "until"),
        reader.optional(raw, "while"),
        reader.number(raw, "max_iterations", path, least=0),
        reader.exprs(raw.get("state"), (*path, "state")),
        reader.exprs(raw.get("next"), (*path, "next")),
    )


def _read_generate(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    return Generate(id, parse_value(raw["prompt"]), reader.schema(raw, path))


def _read_ask(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    return Ask(id, parse_value(raw["question"]), reader.schema(raw, path))


def _read_subgoal(reader: _Reader, id: str, raw: Mapping[str, Json], path: _Path, depth: int) -> Step:
    inputs = reader.exprs(raw.get("inputs"), (*path, "inputs"))
    return Subgoal(id, parse_value(raw["goal"]), reader.schema(raw, path), inputs)


_READERS: Mapping[str, Callable[[_Reader, str, Mapping[str, Json], _Path, int], Step]] = {
    "call": _read_call,
    "value": _read_value,
    "parallel": _read_parallel,
    "if": _read_if,
    "for_each": _read_for_each,
    "repeat": _read_repeat,
    "generate": _read_generate,
    "ask": _read_ask,
    "subgoal": _read_subgoal,
}


def _parsed(text: str) -> Json:
    """The value of a JSON text, as strict schemas ask for where they cannot say what it is; the text, if it is none."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _without_absent(value: Json) -> Json:
    """A value whose objects have no fields that are null."""
    if isinstance(value, Mapping):
        return {name: _without_absent(inner) for name, inner in value.items() if inner is not None}
    return [_without_absent(inner) for inner in value] if isinstance(value, list) else value


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not a JSON number")
