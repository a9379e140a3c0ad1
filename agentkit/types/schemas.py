"""Types from JSON Schema (Draft 2020-12), to JSON Schema, and of values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from agentkit.messages import Json
from agentkit.types.algebra import array_of, join, meet, object_of, whole_numbers
from agentkit.types.flows import Flow, flows
from agentkit.types.kinds import (
    ANY,
    ARRAY,
    BOOLEAN,
    NEVER,
    NULL,
    UNKNOWN,
    AnyType,
    ArrayType,
    BooleanType,
    IntegerType,
    LiteralType,
    NeverType,
    NullType,
    NumberType,
    ObjectType,
    RefinedType,
    StringType,
    Type,
    UnionType,
    refined,
)

_MOST_NODES = 10_000
_MOST_DEPTH = 48
_EXACT_ITEMS = 32

# Keywords that narrow a schema in ways that types do not express: a value can then be wrong, but never surely right.
_REFINING: Final = frozenset(
    ("not", "if", "then", "else", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef")
)
_REFINING_NUMBERS: Final = frozenset(("multipleOf",))
_REFINING_ARRAYS: Final = frozenset(("uniqueItems", "contains", "minContains", "maxContains"))
_REFINING_OBJECTS: Final = frozenset(
    ("minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired", "dependencies")
)


def from_schema(schema: Mapping[str, Json] | bool, *, closed: bool = False) -> Type:
    """The type of the values that `schema` accepts.

    Understands ``$ref`` within the schema, ``anyOf oneOf allOf enum const type``, ``items prefixItems``,
    ``properties required additionalProperties``, bounds, lengths, ``format`` and ``pattern``. Whatever it does not
    express (``not``, ``multipleOf``, an unknown ``$ref``, malformed parts) makes the type a `RefinedType`: values are
    then checked at run time, never refused before. A recursive ``$ref`` is unfolded once and is `UNKNOWN` inside.
    Large schemas (over 10,000 nodes unfolded) become `UNKNOWN` where the bound is reached.

    Args:
        schema: A JSON Schema (Draft 2020-12), or a boolean.
        closed: Take objects that list properties, and say nothing of others, to have no others. True for the outputs
            of functions whose schemas come from type hints; by the letter of JSON Schema such objects are open.

    Returns:
        The type. Building it costs tens of microseconds: keep it.
    """
    return _Reader(schema, closed).read(schema, 0)


class _Reader:
    def __init__(self, root: Mapping[str, Json] | bool, closed: bool) -> None:
        self._root = root
        self._closed = closed
        self._size = 0
        self._known: dict[str, tuple[Type, int]] = {}
        self._open: set[str] = set()

    def read(self, schema: Json, depth: int) -> Type:
        self._size += 1
        if self._size > _MOST_NODES or depth > _MOST_DEPTH:
            return UNKNOWN
        if isinstance(schema, bool):
            return ANY if schema else NEVER
        if not isinstance(schema, Mapping):
            return UNKNOWN
        found = self._own(schema, depth)
        if "$ref" in schema:
            found = meet(self._referred(schema["$ref"], depth), found)
        for part in _schemas(schema.get("allOf")):
            found = meet(found, self.read(part, depth + 1))
        if options := _schemas(schema.get("anyOf")):
            found = meet(join(self.read(option, depth + 1) for option in options), found)
        if options := _schemas(schema.get("oneOf")):
            found = meet(_exclusive([self.read(option, depth + 1) for option in options]), found)
        return refined(found) if not _REFINING.isdisjoint(schema) else found

    def _referred(self, pointer: Json, depth: int) -> Type:
        if not isinstance(pointer, str) or not pointer.startswith("#") or pointer in self._open:
            return UNKNOWN
        if pointer in self._known:
            found, size = self._known[pointer]
            self._size += size
            return found if self._size <= _MOST_NODES else UNKNOWN
        before = self._size
        self._open.add(pointer)
        found = self.read(_resolve(self._root, pointer), depth + 1)
        self._open.discard(pointer)
        if not self._open:
            # Inside another reference the answer may have been cut at the recursion; it is good for that one only.
            self._known[pointer] = (found, self._size - before)
        return found

    def _own(self, schema: Mapping[str, Json], depth: int) -> Type:
        found: Type = ANY
        if isinstance(values := schema.get("enum"), Sequence) and not isinstance(values, str):
            found = join(type_of_value(value) for value in values)
        if "const" in schema:
            found = meet(found, type_of_value(schema["const"]))
        named = schema.get("type")
        kinds = [named] if isinstance(named, str) else list(named) if isinstance(named, Sequence) else None
        if kinds is not None:
            return meet(found, join(self._kind(kind, schema, depth) for kind in kinds))
        if _KEYWORDS.isdisjoint(schema):
            return found
        # Without "type" a keyword speaks only of the values it is about, and all others pass.
        return meet(found, join(self._kind(kind, schema, depth) for kind in _KINDS))

    def _kind(self, kind: Json, schema: Mapping[str, Json], depth: int) -> Type:
        match kind:
            case "null":
                return NULL
            case "boolean":
                return BOOLEAN
            case "integer" | "number":
                bounds = _numbers(schema)
                whole = whole_numbers(bounds) if kind == "integer" else bounds
                empty = whole.minimum is not None and whole.maximum is not None and whole.minimum > whole.maximum
                return NEVER if empty else _refined_by(_REFINING_NUMBERS, schema, whole)
            case "string":
                return _text(schema)
            case "array":
                return _refined_by(_REFINING_ARRAYS, schema, self._array(schema, depth))
            case "object":
                return _refined_by(_REFINING_OBJECTS, schema, self._object(schema, depth))
            case _:
                return UNKNOWN

    def _array(self, schema: Mapping[str, Json], depth: int) -> Type:
        if "items" not in schema and "prefixItems" not in schema and "minItems" not in schema:
            return ARRAY if "maxItems" not in schema else array_of(ANY, 0, _count(schema, "maxItems"), ())
        prefix = tuple(self.read(part, depth + 1) for part in _schemas(schema.get("prefixItems")))
        items = self.read(schema.get("items", True), depth + 1)
        return array_of(items, _count(schema, "minItems") or 0, _count(schema, "maxItems"), prefix)

    def _object(self, schema: Mapping[str, Json], depth: int) -> Type:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        wanted = dict.fromkeys(name for name in _schemas(schema.get("required")) if isinstance(name, str))
        extra = schema.get("additionalProperties", not (self._closed and properties))
        additional = self.read(extra, depth + 1)
        if "patternProperties" in schema:
            additional = ANY
        fields = {str(name): (self.read(part, depth + 1), name in wanted) for name, part in properties.items()} | {
            name: (additional, True) for name in wanted if name not in properties
        }
        never = isinstance(additional, NeverType)
        return object_of(fields, None if never else additional, closed=never)


_KINDS: Final = ("null", "boolean", "number", "string", "array", "object")
_SCALAR_KEYWORDS: Final = frozenset(
    ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "format")
)
_INNER_KEYWORDS: Final = frozenset(
    ("items", "prefixItems", "minItems", "maxItems", "properties", "required", "additionalProperties")
)
_KEYWORDS: Final = _SCALAR_KEYWORDS | _INNER_KEYWORDS | _REFINING_NUMBERS | _REFINING_ARRAYS | _REFINING_OBJECTS


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _schemas(value: Json) -> list[Json]:
    return list(value) if _is_list(value) else []


def _exclusive(options: list[Type]) -> Type:
    """``oneOf``: exact if no value can satisfy two options."""
    apart = len(options) <= 16 and all(
        flows(one, other) is Flow.NO for index, one in enumerate(options) for other in options[:index]
    )
    return join(options) if apart else refined(join(options))


def _refined_by(keywords: frozenset[str], schema: Mapping[str, Json], found: Type) -> Type:
    return found if keywords.isdisjoint(schema) else refined(found)


def _resolve(root: Json, pointer: str) -> Json:
    found = root
    for part in unquote(pointer[1:]).split("/")[1:] if pointer != "#" else ():
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif _is_list(found) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found if pointer == "#" or pointer.startswith("#/") else None


def _numbers(schema: Mapping[str, Json]) -> NumberType:
    low, high = _number(schema, "minimum"), _number(schema, "maximum")
    low_open = high_open = False
    above, below = _number(schema, "exclusiveMinimum"), _number(schema, "exclusiveMaximum")
    if above is not None and (low is None or above >= low):
        low, low_open = above, True
    if below is not None and (high is None or below <= high):
        high, high_open = below, True
    return NumberType(low, high, low_open, high_open)


def _number(schema: Mapping[str, Json], key: str) -> float | None:
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _count(schema: Mapping[str, Json], key: str) -> int | None:
    value = _number(schema, key)
    return None if value is None or value < 0 else int(value)


def _text(schema: Mapping[str, Json]) -> Type:
    pattern, form = schema.get("pattern"), schema.get("format")
    low, high = _count(schema, "minLength") or 0, _count(schema, "maxLength")
    if high is not None and low > high:
        return NEVER
    return StringType(form if isinstance(form, str) else None, pattern if isinstance(pattern, str) else None, low, high)


def type_of_value(value: Json) -> Type:
    """The most precise type of a JSON value: literals, exact lengths, closed objects.

    Lists of more than 32 items have one joined item type instead of one for each position.
    """
    return _type_of(value, 0)


def _type_of(value: Json, depth: int) -> Type:
    if value is None or isinstance(value, bool | int | float | str):
        return LiteralType((value,))
    if depth > _MOST_DEPTH:
        return ANY
    if isinstance(value, Mapping):
        return ObjectType(tuple((str(name), _type_of(part, depth + 1), True) for name, part in value.items()))
    if isinstance(value, Sequence):
        return list_of([_type_of(part, depth + 1) for part in value])
    return ANY


def list_of(items: Sequence[Type]) -> ArrayType:
    """The type of a list whose elements have these types, in this order."""
    length = len(items)
    if length > _EXACT_ITEMS:
        return ArrayType(join(items), length, length)
    return ArrayType(NEVER, length, length, tuple(items))


def to_schema(t: Type) -> dict[str, Json]:
    """A JSON Schema (Draft 2020-12) of the type; further conditions of a `RefinedType` are not in it."""
    return _WRITERS[type(t)](t)


def _write_number(t: Type) -> dict[str, Json]:
    assert isinstance(t, IntegerType | NumberType)
    schema: dict[str, Json] = {"type": "integer" if isinstance(t, IntegerType) else "number"}
    if t.minimum is not None:
        schema["exclusiveMinimum" if isinstance(t, NumberType) and t.exclusive_minimum else "minimum"] = t.minimum
    if t.maximum is not None:
        schema["exclusiveMaximum" if isinstance(t, NumberType) and t.exclusive_maximum else "maximum"] = t.maximum
    return schema


def _write_text(t: Type) -> dict[str, Json]:
    assert isinstance(t, StringType)
    pairs = {"format": t.format, "pattern": t.pattern, "minLength": t.min_length or None, "maxLength": t.max_length}
    return {"type": "string"} | {key: value for key, value in pairs.items() if value is not None}


def _write_literal(t: Type) -> dict[str, Json]:
    assert isinstance(t, LiteralType)
    return {"const": t.values[0]} if len(t.values) == 1 else {"enum": list(t.values)}


def _write_array(t: Type) -> dict[str, Json]:
    assert isinstance(t, ArrayType)
    schema: dict[str, Json] = {"type": "array"}
    if t.prefix:
        schema["prefixItems"] = [to_schema(item) for item in t.prefix]
    if not isinstance(t.items, AnyType):
        schema["items"] = False if isinstance(t.items, NeverType) else to_schema(t.items)
    if t.min_items:
        schema["minItems"] = t.min_items
    if t.max_items is not None:
        schema["maxItems"] = t.max_items
    return schema


def _write_object(t: Type) -> dict[str, Json]:
    assert isinstance(t, ObjectType)
    schema: dict[str, Json] = {"type": "object"}
    if t.fields:
        schema["properties"] = {name: to_schema(kind) for name, kind, _ in t.fields}
    if required := [name for name, _, needed in t.fields if needed]:
        schema["required"] = required
    if not isinstance(t.additional, AnyType):
        schema["additionalProperties"] = False if t.additional is None else to_schema(t.additional)
    return schema


def _write_union(t: Type) -> dict[str, Json]:
    assert isinstance(t, UnionType)
    return {"anyOf": [to_schema(member) for member in t.members]}


def _write_refined(t: Type) -> dict[str, Json]:
    assert isinstance(t, RefinedType)
    return to_schema(t.of)


_WRITERS: Final[dict[type[Type], Callable[[Type], dict[str, Json]]]] = {
    AnyType: lambda t: {},
    NeverType: lambda t: {"not": {}},
    NullType: lambda t: {"type": "null"},
    BooleanType: lambda t: {"type": "boolean"},
    IntegerType: _write_number,
    NumberType: _write_number,
    StringType: _write_text,
    LiteralType: _write_literal,
    ArrayType: _write_array,
    ObjectType: _write_object,
    UnionType: _write_union,
    RefinedType: _write_refined,
}
