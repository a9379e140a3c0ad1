"""The JSON Schema of a plan for strict structured outputs, which take only a part of JSON Schema.

Every property is required and absent ones are null, objects are closed, and keywords about numbers, lengths and
patterns are left out, since servers differ in them. What this part cannot say is written otherwise: an object with free
keys is a list of ``{"name", "value"}``, a value of any type a text such as ``"${3}"`` or ``"${top[0].price}"``. The
first property of each step tells the steps apart, because OpenAI refuses alternatives that begin alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from agentkit.messages import Json
from agentkit.toolbox import Tool, Toolbox

MAX_PROPERTIES = 5_000
MAX_ENUM_VALUES = 1_000
MAX_TEXT = 120_000
MAX_LONG_ENUM = 15_000
MAX_LEVELS = 10
"""OpenAI's limits on a schema: properties and enum values in all, the characters of their names and values, those of
the values of an enum with more than 250 of them, and objects inside objects."""

LONG_ENUM = 250
ARGUMENT_LEVELS = 5
"""How deep objects inside an argument are spelled out; deeper ones are texts."""

_Schema = dict[str, Json]
_TEXT: _Schema = {"type": "string"}
_BLOCK: _Schema = {"type": "array", "items": {"$ref": "#/$defs/step"}}
_SCALARS = frozenset(("string", "number", "integer", "boolean", "null"))
_UNION = ("anyOf", "oneOf")
_NOT_SAID = frozenset(("allOf", "not", "if", "then", "else", "dependentSchemas", "dependentRequired", "prefixItems"))
_NOT_SAID |= {"$ref", "$dynamicRef", "patternProperties", "propertyNames", "contains"}


def strict_schema(toolbox: Toolbox, kinds: Collection[str]) -> _Schema:
    """The strict schema of plans that call only the tools of `toolbox` and have only steps of `kinds`.

    Where the tools are too many for a schema that knows their arguments, arguments are names with texts.
    """
    exact = _plan([_call(tool) for tool in toolbox.values()], kinds)
    return exact if fits(exact) else _plan(list(_any_call(toolbox)), kinds)


def _plan(calls: Sequence[_Schema], kinds: Collection[str]) -> _Schema:
    steps = [*(calls if "call" in kinds else ()), *(_step(kind) for kind in _FIELDS if kind in kinds)]
    return {**_object({"steps": _BLOCK, "answer": _TEXT}), "$defs": {"step": {"anyOf": steps}}}


def _object(properties: Mapping[str, Json], optional: Collection[str] = ()) -> _Schema:
    found = {name: _or_null(schema) if name in optional else schema for name, schema in properties.items()}
    return {"type": "object", "properties": found, "required": list(found), "additionalProperties": False}


def _or_null(schema: Mapping[str, Json]) -> _Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _named(value: _Schema) -> _Schema:
    """An object with free keys."""
    return {"type": "array", "items": _object({"name": _TEXT, "value": value})}


def _only(text: str) -> _Schema:
    return {"type": "string", "enum": [text]}


# steps

_FIELDS: Mapping[str, tuple[Mapping[str, _Schema], tuple[str, ...]]] = {
    "value": ({"value": _TEXT}, ()),
    "if": ({"condition": _TEXT, "then": _BLOCK, "else": _BLOCK}, ("else",)),
    "for_each": (
        {"item": _TEXT, "in": _TEXT, "do": _BLOCK, "concurrency": {"type": "integer"}},
        ("concurrency",),
    ),
    "repeat": (
        {"state": _named(_TEXT), "while": _TEXT, "do": _BLOCK, "next": _named(_TEXT), "until": _TEXT}
        | {"max_iterations": {"type": "integer"}},
        ("state", "while", "next", "until", "max_iterations"),
    ),
    "parallel": ({"branches": _named(_BLOCK)}, ()),
    "generate": ({"prompt": _TEXT, "schema": _TEXT}, ("schema",)),
    "ask": ({"question": _TEXT, "schema": _TEXT}, ("schema",)),
    "subgoal": ({"goal": _TEXT, "inputs": _named(_TEXT), "schema": _TEXT}, ("inputs", "schema")),
}
"""The fields of each kind but call, and those that may be null. A schema is a JSON text."""

_SETTINGS: Mapping[str, _Schema] = {
    "retry": {"type": "integer"},
    "timeout": {"type": "number"},
    "on_error": {"anyOf": [{"type": "string", "enum": ["fail", "skip"]}, _object({"value": _TEXT})]},
    "again": {"type": "boolean"},
}


def _step(kind: str) -> _Schema:
    fields, optional = _FIELDS[kind]
    return _object({"kind": _only(kind), "id": _TEXT, **fields}, optional)


def _call(tool: Tool) -> _Schema:
    arguments = {one.name: _argument(inlined(one.schema, tool.input_schema)) for one in tool.parameters}
    args = _object(arguments, [one.name for one in tool.parameters if not one.required])
    return _object({"tool": _only(tool.name), "id": _TEXT, "args": args, **_SETTINGS}, tuple(_SETTINGS))


def _any_call(toolbox: Toolbox) -> Iterator[_Schema]:
    """One call for all tools, by as many names as fit."""
    names = list(toolbox)
    enum: _Schema = {"type": "string", "enum": names}
    tool = enum if fits({"properties": {"tool": enum}}) else _TEXT
    if names:
        yield _object({"tool": tool, "id": _TEXT, "args": _named(_TEXT), **_SETTINGS}, tuple(_SETTINGS))


# arguments


def inlined(schema: Mapping[str, Json], root: Mapping[str, Json], levels: int = ARGUMENT_LEVELS) -> _Schema:
    """A schema with what it refers to in `root` in place of its references; what is deeper may be anything."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found = root.get("$defs", {}).get(reference.removeprefix("#/$defs/")) if levels else None
        return {} if found is None else {**inlined(found, root, levels - 1), **_beside(schema)}
    made = dict(schema)
    for name in ("properties", "patternProperties"):
        if isinstance(made.get(name), Mapping):
            made[name] = {key: inlined(inner, root, levels) for key, inner in made[name].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(made.get(name), Mapping):
            made[name] = inlined(made[name], root, levels)
    for name in (*_UNION, "allOf", "prefixItems"):
        if isinstance(made.get(name), list):
            made[name] = [inlined(inner, root, levels) for inner in made[name]]
    return made


def _beside(schema: Mapping[str, Json]) -> _Schema:
    return {name: value for name, value in schema.items() if name in ("description", "default")}


def _argument(schema: Mapping[str, Json], level: int = 1) -> _Schema:
    """A literal of the argument's schema, or a text: a literal one, or a reference."""
    literal = _literal(schema, level)
    said = {"description": schema["description"]} if isinstance(schema.get("description"), str) else {}
    if literal is None or literal == _TEXT:
        return {**_TEXT, **said}
    return {"anyOf": [literal, _TEXT], **said}


def _literal(schema: Mapping[str, Json], level: int) -> _Schema | None:
    """The strict form of a schema, without null; None if there is none, or nothing is left."""
    if level > ARGUMENT_LEVELS or _NOT_SAID & schema.keys():
        return None
    if "const" in schema or "enum" in schema:
        return _values([schema["const"]] if "const" in schema else schema["enum"])
    union = next((schema[name] for name in _UNION if name in schema), None)
    kinds = schema.get("type")
    if union is None and isinstance(kinds, list):
        union = [{**schema, "type": kind} for kind in kinds]
    if isinstance(union, list):
        return _union(union, level)
    if kinds in _SCALARS:
        return None if kinds == "null" else {"type": kinds}
    if kinds == "array" and isinstance(schema.get("items"), Mapping):
        return {"type": "array", "items": _nullable(schema["items"], level)}
    if kinds == "object" and schema.get("properties") and not schema.get("additionalProperties"):
        required = schema.get("required", ())
        fields = {name: _argument(inner, level + 1) for name, inner in schema["properties"].items()}
        return _object(fields, [name for name in fields if name not in required])
    return None


def _nullable(schema: Mapping[str, Json], level: int) -> _Schema:
    """The items of a list, where null is a value like others: nothing is absent there."""
    item = _argument(schema, level)
    options = schema.get("type")
    parts = next((schema[name] for name in _UNION if name in schema), ())
    null = {"type": "null"} in parts or options == "null" or (isinstance(options, list) and "null" in options)
    return _or_null(item) if null else item


def _values(values: Sequence[Json]) -> _Schema | None:
    """An enum of scalars, as far as it may be long."""
    kept = [value for value in values if value is not None]
    if not kept or any(isinstance(value, list | Mapping) for value in kept):
        return None
    if len(kept) > LONG_ENUM and sum(len(str(value)) for value in kept) > MAX_LONG_ENUM:
        return None
    return {"enum": kept} if not all(isinstance(value, str) for value in kept) else {"type": "string", "enum": kept}


def _union(parts: Sequence[Mapping[str, Json]], level: int) -> _Schema | None:
    found = [_literal(part, level) for part in parts if part.get("type") != "null"]
    kept = [part for part in found if part is not None]
    firsts = [next(iter(part["properties"])) for part in kept if part.get("type") == "object"]
    if len(kept) < len(found) or not kept or len(set(firsts)) < len(firsts):
        return None
    return kept[0] if len(kept) == 1 else {"anyOf": kept}


# limits


def fits(schema: Mapping[str, Json]) -> bool:
    """Whether a schema keeps OpenAI's limits on its size; `ARGUMENT_LEVELS` keeps those on its depth."""
    names: list[str] = []
    values: list[Json] = []
    for part in _parts(schema):
        names += [*part.get("properties", ()), *part.get("$defs", ())]
        values += part.get("enum", ())
    characters = sum(map(len, names)) + sum(len(str(value)) for value in values)
    return len(names) <= MAX_PROPERTIES and len(values) <= MAX_ENUM_VALUES and characters <= MAX_TEXT


def _parts(schema: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """A schema and all schemas inside it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    for part in (*inner, *([schema["items"]] if "items" in schema else ())):
        yield from _parts(part)
