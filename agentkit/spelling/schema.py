"""The JSON Schema of a valid plan, closed over a toolbox: only known tools, each with its own arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agentkit.messages import Json
from agentkit.spelling._offered import offered
from agentkit.spelling._strict import inlined, strict_schema
from agentkit.spelling.special_tokens import without_special
from agentkit.toolbox import Tool, Toolbox

_STEPS = {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1}
_VALUE: dict[str, Json] = {}
_REFERENCE = {"type": "string", "pattern": r"\$\{"}
_ID = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}


def plan_schema(toolbox: Toolbox, kinds: Collection[str] | None = None, *, strict: bool = False) -> dict[str, Json]:
    """The JSON Schema (Draft 2020-12) of plans that call only the tools of `toolbox`.

    An argument is a value of its own schema, or a text with a reference in it.

    Args:
        toolbox: The tools.
        kinds: Step kinds to offer; None offers all.
        strict: Fit OpenAI's strict structured outputs, and others alike: every property required and absent ones null,
            objects closed, no keywords beyond types and enums, within the limits on size. Values of any type are texts
            such as ``"${3}"``, and objects with free keys lists of ``{"name", "value"}``; `read_json` reads them with
            ``strict=True``.

    Raises:
        DefinitionError: There is no such kind.
    """
    steps_offered = offered(kinds)
    if strict:
        return strict_schema(toolbox, steps_offered)
    steps = [_call(tool) for tool in toolbox.values()] if "call" in steps_offered else []
    steps += [_step(kind, fields) for kind, fields in _kinds().items() if kind in steps_offered]
    return {
        "type": "object",
        "properties": {
            "goal": {"type": "string"},
            "inputs": {"type": "object"},
            "steps": dict(_STEPS),
            "answer": dict(_VALUE),
        },
        "required": ["steps", "answer"],
        "additionalProperties": False,
        "$defs": {"step": {"anyOf": steps}},
    }


def _step(kind: str, fields: Mapping[str, tuple[dict[str, Json], bool]]) -> dict[str, Json]:
    """A step of a kind: its fields, each with whether it must be there."""
    properties: dict[str, Json] = {"id": _ID, "kind": {"const": kind}}
    properties.update((name, schema) for name, (schema, _) in fields.items())
    required = ["id", "kind", *(name for name, (_, needed) in fields.items() if needed)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _call(tool: Tool) -> dict[str, Json]:
    args = without_special(
        {
            "type": "object",
            "properties": {one.name: _argument(inlined(one.schema, tool.input_schema)) for one in tool.parameters},
            "required": [one.name for one in tool.parameters if one.required],
            "additionalProperties": tool.input_schema.get("additionalProperties", False),
        }
    )
    on_error = {
        "anyOf": [
            {"enum": ["fail", "skip"]},
            {"type": "object", "properties": {"value": _VALUE}, "required": ["value"], "additionalProperties": False},
        ]
    }
    fields: dict[str, tuple[dict[str, Json], bool]] = {
        "tool": ({"const": tool.name}, True),
        "args": (args, bool(args["required"])),
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
    return {"anyOf": [inner, dict(_REFERENCE)]} if inner else inner


def _kinds() -> dict[str, dict[str, tuple[dict[str, Json], bool]]]:
    """The fields of every kind but call."""
    text = {"type": "string"}
    condition = {"type": ["string", "boolean"]}
    names = {"type": "object", "additionalProperties": _VALUE}
    schema = {"type": "object"}
    count = {"type": "integer", "minimum": 1}
    return {
        "value": {"value": (_VALUE, True)},
        "if": {"condition": (condition, True), "then": (_STEPS, True), "else": (_STEPS, False)},
        "for_each": {"item": (_ID, True), "in": (_VALUE, True), "do": (_STEPS, True), "concurrency": (count, False)},
        "repeat": {
            "do": (_STEPS, True),
            "until": (condition, False),
            "while": (condition, False),
            "max_iterations": (count, False),
            "state": (names, False),
            "next": (names, False),
        },
        "generate": {"prompt": (text, True), "schema": (schema, False)},
        "ask": {"question": (text, True), "schema": (schema, False)},
        "subgoal": {"goal": (text, True), "schema": (schema, False), "inputs": (names, False)},
        "parallel": {"branches": ({"type": "object", "additionalProperties": _STEPS, "minProperties": 1}, True)},
    }
