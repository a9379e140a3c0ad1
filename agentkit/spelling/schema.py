"""The JSON Schema of a valid plan, closed over a toolbox: only known tools, each with its own arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from agentkit.messages import Json
from agentkit.plan import KINDS, Unreadable
from agentkit.toolbox import Tool, Toolbox

_STEPS = {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1}
_VALUE: dict[str, Json] = {}
_REFERENCE = {"type": "string", "pattern": r"\$\{"}
_ID = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}

_STRICT_UNSUPPORTED = frozenset(
    ("pattern", "format", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
) | {"minItems", "maxItems", "default", "uniqueItems", "multipleOf", "title", "examples"}


def plan_schema(toolbox: Toolbox, kinds: Collection[str] | None = None, *, strict: bool = False) -> dict[str, Json]:
    """The JSON Schema (Draft 2020-12) of plans that call only the tools of `toolbox`.

    An argument is a value of its own schema, or a text with a reference in it.

    Args:
        toolbox: The tools.
        kinds: Step kinds to offer; None offers all.
        strict: Fit OpenAI's strict structured outputs: every property required and absent ones null, no keywords that
            it does not take. Values of any type are then texts, written as ``"${…}"``.
    """
    every = set(KINDS.values()) - {KINDS[Unreadable]}
    offered = every if kinds is None else every & set(kinds)
    steps = [_call(tool, strict=strict) for tool in toolbox.values()] if "call" in offered else []
    steps += [_step(kind, fields) for kind, fields in _kinds(strict=strict).items() if kind in offered]
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {"steps": dict(_STEPS), "answer": _any(strict=strict)},
        "required": ["steps", "answer"],
        "additionalProperties": False,
        "$defs": {"step": {"anyOf": steps}},
    }
    if not strict:
        schema["properties"] = {"goal": {"type": "string"}, "inputs": {"type": "object"}, **schema["properties"]}
    return _strict(schema) if strict else schema


def _any(*, strict: bool) -> dict[str, Json]:
    return {"type": "string"} if strict else dict(_VALUE)


def _step(kind: str, fields: Mapping[str, tuple[dict[str, Json], bool]]) -> dict[str, Json]:
    """A step of a kind: its fields, each with whether it must be there."""
    properties: dict[str, Json] = {"id": _ID, "kind": {"const": kind}}
    properties.update((name, schema) for name, (schema, _) in fields.items())
    required = ["id", "kind", *(name for name, (_, needed) in fields.items() if needed)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _call(tool: Tool, *, strict: bool) -> dict[str, Json]:
    properties = {one.name: _argument(one.schema) for one in tool.parameters}
    closed = not strict and tool.input_schema.get("additionalProperties", False)
    args = {
        "type": "object",
        "properties": properties,
        "required": [one.name for one in tool.parameters if one.required],
        "additionalProperties": closed,
    }
    on_error = {
        "anyOf": [
            {"enum": ["fail", "skip"]},
            {"type": "object", "properties": {"value": _VALUE}, "required": ["value"], "additionalProperties": False},
        ]
    }
    fields: dict[str, tuple[dict[str, Json], bool]] = {
        "tool": ({"const": tool.name}, True),
        "args": (args, bool(args["required"])),
    }
    if not strict:
        fields |= {
            "retry": ({"type": "integer", "minimum": 0}, False),
            "timeout": ({"type": "number", "exclusiveMinimum": 0}, False),
            "on_error": (on_error, False),
            "again": ({"type": "boolean"}, False),
        }
    return _step("call", fields)


def _argument(schema: Mapping[str, Json]) -> dict[str, Json]:
    """A literal of the argument's schema, or a reference, also inside lists and objects."""
    inner: dict[str, Json] = {name: value for name, value in schema.items() if name != "default"}
    if "items" in inner and isinstance(inner["items"], Mapping):
        inner["items"] = _argument(inner["items"])
    if isinstance(inner.get("properties"), Mapping):
        inner["properties"] = {name: _argument(value) for name, value in inner["properties"].items()}
    if "$ref" in inner or "$defs" in inner:
        inner = {}
    return {"anyOf": [inner, dict(_REFERENCE)]} if inner else inner


def _kinds(*, strict: bool) -> dict[str, dict[str, tuple[dict[str, Json], bool]]]:
    """The fields of every kind but call."""
    value = _any(strict=strict)
    text = {"type": "string"}
    condition = text if strict else {"type": ["string", "boolean"]}
    names = {"type": "object", "additionalProperties": value}
    schema = {"type": "object"}
    kinds: dict[str, dict[str, tuple[dict[str, Json], bool]]] = {
        "value": {"value": (value, True)},
        "if": {"condition": (condition, True), "then": (_STEPS, True), "else": (_STEPS, False)},
        "for_each": {"item": (_ID, True), "in": (value, True), "do": (_STEPS, True)},
        "repeat": {"do": (_STEPS, True), "until": (condition, False), "while": (condition, False)},
        "generate": {"prompt": (text, True)},
        "ask": {"question": (text, True)},
        "subgoal": {"goal": (text, True)},
    }
    kinds["repeat"]["max_iterations"] = ({"type": "integer", "minimum": 1}, False)
    if strict:
        return kinds
    kinds["parallel"] = {"branches": ({"type": "object", "additionalProperties": _STEPS, "minProperties": 1}, True)}
    kinds["for_each"]["concurrency"] = ({"type": "integer", "minimum": 1}, False)
    kinds["repeat"] |= {"state": (names, False), "next": (names, False)}
    for kind in ("generate", "ask", "subgoal"):
        kinds[kind]["schema"] = (schema, False)
    kinds["subgoal"]["inputs"] = (names, False)
    return kinds


def _strict(schema: Any) -> Any:
    """`schema` as OpenAI's strict mode takes it."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {
        name: {key: _strict(part) for key, part in value.items()} if name in ("properties", "$defs") else _strict(value)
        for name, value in schema.items()
        if name not in _STRICT_UNSUPPORTED
    }
    if "const" in kept:
        kept = {"type": "string", "enum": [kept["const"]]}
    if isinstance(kept.get("properties"), dict) and kept.get("type") == "object":
        required = set(kept.get("required", ()))
        kept["properties"] = {
            name: value if name in required else {"anyOf": [value, {"type": "null"}]}
            for name, value in kept["properties"].items()
        }
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    return kept
