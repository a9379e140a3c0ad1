"""The strict schema of a plan can say every plan, is made of what strict servers take, and reads back exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from typing_extensions import TypedDict

from agentkit.expressions import parse_value, to_source
from agentkit.plan import KINDS, Plan, Unreadable
from agentkit.spelling import plan_schema, read_json, read_python, write_json
from agentkit.spelling._strict import MAX_ENUM_VALUES, MAX_LEVELS, MAX_PROPERTIES, fits
from agentkit.toolbox import Tool, Toolbox, tool
from benchmarks.planning.tasks import TASKS
from benchmarks.planning.tools import planning_tools
from benchmarks.planning.world import World
from tests.random_plans import ARGUMENTS, TOOLBOX, Plans

TOOLS = planning_tools(World())
KEYWORDS = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "$ref", "description"}


def told(plan: Plan, schema: Mapping[str, Any]) -> Any:
    """The plan as a value of its strict schema."""
    value = _fitted({**write_json(plan), "goal": None}, schema, schema)
    Draft202012Validator(schema).validate(value)
    return value


def _fitted(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        schema = root["$defs"]["step"]
    if "anyOf" in schema:
        return _first_fitting(value, [part for part in schema["anyOf"] if part != {"type": "null"}], root)
    if schema.get("type") == "object":
        fields = schema["properties"]
        if not isinstance(value, Mapping) or not _same_kind(value, fields):
            raise ValueError(value)
        unknown = {name for name in value if name not in fields} - {"kind", "goal"}
        if unknown:
            raise ValueError(unknown)
        return {name: _field(value, name, inner, root) for name, inner in fields.items()}
    if schema.get("type") == "array" and isinstance(value, Mapping) and "name" in schema["items"].get("properties", ()):
        return [_fitted({"name": name, "value": inner}, schema["items"], root) for name, inner in value.items()]
    if schema.get("type") == "array" and isinstance(value, list):
        return [_fitted(inner, schema["items"], root) for inner in value]
    if schema.get("type") == "string" and "enum" not in schema and not isinstance(value, str):
        return _text(value)
    if not Draft202012Validator(schema).is_valid(value):
        raise ValueError(value)
    return value


def _same_kind(value: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    return all(value.get(name) in fields[name]["enum"] for name in ("tool", "kind") if "enum" in fields.get(name, ()))


def _field(value: Mapping[str, Any], name: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    if name not in value:
        if {"type": "null"} not in schema.get("anyOf", ()):
            raise ValueError(name)
        return None
    if name == "schema":
        return json.dumps(value[name])
    return _fitted(value[name], schema, root)


def _first_fitting(value: Any, parts: list[Mapping[str, Any]], root: Mapping[str, Any]) -> Any:
    for part in parts:
        try:
            return _fitted(value, part, root)
        except ValueError:
            continue
    raise ValueError(value)


def _text(value: Any) -> str:
    return f"${{{to_source(parse_value(value))}}}"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_every_reference_plan_can_be_said_and_reads_back(task: Any) -> None:
    plan = read_python(task.reference, TOOLS)
    schema = plan_schema(TOOLS, strict=True)
    assert read_json(json.dumps(told(plan, schema)), strict=True) == plan


def test_random_plans_of_every_kind_can_be_said_and_read_back() -> None:
    schema = plan_schema(TOOLBOX, strict=True)
    for seed in range(200):
        plan = Plans(Random(seed), wild=0).plan()
        told_ = told(Plan(plan.steps, plan.answer or parse_value(1)), schema)
        assert read_json(told_, strict=True) == Plan(plan.steps, plan.answer or parse_value(1))


class Address(TypedDict):
    """Where."""

    street: str
    floor: int | None


class Plain(TypedDict):
    """What."""

    street: str


@tool
def send(
    to: Address | None,
    either: Address | Plain,
    size: Literal["small", "large"] = "small",
    weights: list[float | None] | None = None,
    extra: dict[str, Any] | None = None,
    anything: Any = 3,
) -> int:
    """Send it.

    Args:
        to: Where to.
        either: One of two.
        size: How large.
        weights: How heavy.
        extra: More.
        anything: Or nothing.
    """
    return 1


def objects(schema: Any, depth: int = 0) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Every schema in a schema, with how many objects it is in."""
    if isinstance(schema, Mapping):
        yield schema, depth
        inside = depth + (schema.get("type") == "object")
        for name in ("properties", "$defs"):
            for part in schema.get(name, {}).values():
                yield from objects(part, inside)
        for part in (*schema.get("anyOf", ()), schema.get("items")):
            yield from objects(part, inside)


@pytest.mark.parametrize("toolbox", [TOOLS, TOOLBOX, Toolbox([send])])
def test_the_schema_is_made_of_what_strict_servers_take(toolbox: Toolbox) -> None:
    schema = plan_schema(toolbox, strict=True)
    assert schema["type"] == "object"
    assert fits(schema)
    for part, depth in objects(schema):
        assert part.keys() <= KEYWORDS | {"$defs"}
        assert part, "a schema that takes anything"
        assert depth <= MAX_LEVELS
        if part.get("type") == "object":
            assert part["required"] == list(part["properties"])
            assert part["additionalProperties"] is False
        firsts = [
            (name, json.dumps(inner))
            for one in part.get("anyOf", ())
            for name, inner in list(one.get("properties", {}).items())[:1]
        ]
        assert len(set(firsts)) == len(firsts), "OpenAI refuses alternatives that begin alike"


def test_an_absent_argument_is_null_and_null_itself_is_a_text() -> None:
    plan = Plan(
        read_python('x = send(to={"street": "A", "floor": None}, either={"street": "B"}, extra={"a": None})').steps
    )
    schema = plan_schema(Toolbox([send]), strict=True)
    value = told(Plan(plan.steps, parse_value("${x}")), schema)
    assert value["steps"][0]["args"] == {
        "to": {"street": "A", "floor": "${None}"},
        "either": '${{"street": "B"}}',
        "size": None,
        "weights": None,
        "extra": '${{"a": None}}',
        "anything": None,
    }
    assert read_json(value, strict=True).steps == plan.steps


def test_null_is_a_value_where_the_schema_was_not_strict() -> None:
    data = {"steps": [{"id": "x", "kind": "call", "tool": "send", "args": {"to": None}}]}
    assert list(read_json(data).steps[0].args) == ["to"]  # type: ignore[union-attr]
    assert list(read_json(data, strict=True).steps[0].args) == []  # type: ignore[union-attr]


def test_a_schema_that_is_no_json_object_is_a_problem() -> None:
    plan = read_json({"steps": [{"id": "x", "kind": "generate", "prompt": "Say.", "schema": "text"}]})
    assert [str(one) for one in plan.problems] == ["AK103 at x.schema: 'schema' is text. Expected a JSON Schema."]


def test_kinds_and_tools_narrow_the_schema() -> None:
    schema = plan_schema(TOOLBOX, ["call", "if"], strict=True)
    firsts = [next(iter(one["properties"].items())) for one in schema["$defs"]["step"]["anyOf"]]
    assert [(name, *inner["enum"]) for name, inner in firsts] == [
        *(("tool", name) for name in ARGUMENTS),
        ("kind", "if"),
    ]
    every = plan_schema(TOOLBOX, strict=True)["$defs"]["step"]["anyOf"]
    assert {one["properties"]["kind"]["enum"][0] for one in every if "kind" in one["properties"]} == set(
        KINDS.values()
    ) - {"call", KINDS[Unreadable]}


def _many(count: int, properties: int) -> Toolbox:
    fields = {f"field_{n}": {"type": "string"} for n in range(properties)}
    schema = {"type": "object", "properties": fields, "required": []}
    return Toolbox(
        Tool.from_schema(name=f"tool_{n}", description="Do it.", input_schema=schema, call=lambda args: args)
        for n in range(count)
    )


@pytest.mark.parametrize(("count", "properties"), [(700, 8), (MAX_ENUM_VALUES + 1, 0), (3, MAX_PROPERTIES // 3)])
def test_more_tools_than_fit_are_offered_by_name(count: int, properties: int) -> None:
    toolbox = _many(count, properties)
    schema = plan_schema(toolbox, strict=True)
    assert fits(schema)
    plan = read_json(
        {
            "steps": [
                {"id": "x", "kind": "call", "tool": "tool_2", "args": {"field_1": "a"}},
                {"id": "y", "kind": "generate", "prompt": "Say ${x}.", "schema": {"type": "object"}},
            ],
            "answer": "${y}",
        }
    )
    assert read_json(told(plan, schema), strict=True) == plan
