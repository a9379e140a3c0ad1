"""Types read JSON Schema soundly, say YES and NO only when sure, and explain themselves."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentkit.types import (
    ANY,
    ARRAY,
    BOOLEAN,
    INTEGER,
    NEVER,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    UNKNOWN,
    ArrayType,
    Flow,
    Found,
    IntegerType,
    Mismatch,
    NotFound,
    NumberType,
    ObjectType,
    StringType,
    Type,
    UnionType,
    field_type,
    flows,
    from_schema,
    item_type,
    join,
    literal,
    meet,
    mismatch,
    refined,
    to_schema,
    type_of_value,
    unrefined,
    widen,
)

DATE = StringType(format="date")
PRODUCT = ObjectType((("name", STRING, True), ("price", NUMBER, True)))

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 6)
    | st.sampled_from([0.5, 1.0, 2.5])
    | st.sampled_from(["", "a", "ab", "abc", "2026-11-21", "2026-11-31", "x@y.z"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def _keyword(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    small = st.integers(-2, 4)
    lists = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"]).map(
            lambda t: {"type": t}
        ),
        st.lists(st.sampled_from(["null", "integer", "string", "array"]), min_size=1, max_size=2, unique=True).map(
            lambda t: {"type": t}
        ),
        st.lists(values, min_size=1, max_size=3).map(lambda v: {"enum": v}),
        values.map(lambda v: {"const": v}),
        small.map(lambda n: {"minimum": n}),
        small.map(lambda n: {"maximum": n}),
        small.map(lambda n: {"exclusiveMinimum": n}),
        small.map(lambda n: {"exclusiveMaximum": n}),
        st.integers(1, 3).map(lambda n: {"multipleOf": n}),
        st.integers(0, 3).map(lambda n: {"minLength": n}),
        st.sampled_from(["^a", "b$", "."]).map(lambda p: {"pattern": p}),
        st.integers(0, 2).map(lambda n: {"minItems": n}),
        st.integers(0, 2).map(lambda n: {"maxItems": n}),
        st.just({"uniqueItems": True}),
        inner.map(lambda s: {"items": s}),
        lists.map(lambda s: {"prefixItems": s}),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=2).map(lambda p: {"properties": p}),
        st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(lambda r: {"required": r}),
        inner.map(lambda s: {"additionalProperties": s}),
        inner.map(lambda s: {"patternProperties": {"^a": s}}),
        lists.map(lambda s: {"anyOf": s}),
        lists.map(lambda s: {"oneOf": s}),
        lists.map(lambda s: {"allOf": s}),
        inner.map(lambda s: {"not": s}),
    )


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


schemas = st.recursive(
    st.booleans() | st.just({}) | st.sampled_from([{"type": "string"}, {"type": "number"}]),
    lambda inner: st.lists(_keyword(inner), min_size=1, max_size=4).map(_merged),
    max_leaves=8,
)


@settings(max_examples=600, deadline=None)
@given(schemas, values)
def test_a_yes_is_always_valid_and_a_no_is_never(schema: Any, value: Any) -> None:
    answer = flows(type_of_value(value), from_schema(schema))
    valid = Draft202012Validator(schema).is_valid(value)
    assert answer is Flow.MAYBE or (answer is Flow.YES) == valid


@settings(max_examples=400, deadline=None)
@example({"type": "null", "not": False}, {"type": "null", "not": {"uniqueItems": True}}, None)
@given(schemas, schemas, values)
def test_flows_between_schemas_agree_with_every_value(source: Any, target: Any, value: Any) -> None:
    answer = flows(from_schema(source), from_schema(target))
    if Draft202012Validator(source).is_valid(value) and answer is not Flow.MAYBE:
        assert Draft202012Validator(target).is_valid(value) == (answer is Flow.YES)


@settings(max_examples=400, deadline=None)
@given(schemas, schemas, values)
def test_join_and_meet_are_union_and_intersection(one: Any, other: Any, value: Any) -> None:
    joined, met = join([from_schema(one), from_schema(other)]), meet(from_schema(one), from_schema(other))
    in_one, in_other = Draft202012Validator(one).is_valid(value), Draft202012Validator(other).is_valid(value)
    if in_one or in_other:
        assert flows(type_of_value(value), joined) is not Flow.NO
    if in_one and in_other:
        assert flows(type_of_value(value), met) is not Flow.NO


@settings(max_examples=300, deadline=None)
@given(schemas)
def test_a_type_survives_its_own_schema(schema: Any) -> None:
    t = from_schema(schema)
    written = json.loads(json.dumps(to_schema(t)))
    assert flows(t, from_schema(written)) is not Flow.NO or t == NEVER
    assert flows(from_schema(written), unrefined(t)) is not Flow.NO or t == NEVER


@settings(max_examples=300, deadline=None)
@given(schemas, schemas)
def test_there_is_a_reason_exactly_where_the_answer_is_no(source: Any, target: Any) -> None:
    one, other = from_schema(source), from_schema(target)
    assert (mismatch(one, other) is not None) == (flows(one, other) is Flow.NO)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        scalars,
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(["type", "items", "$ref", "properties", "enum", "required", "anyOf", "minimum"]), s
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_may_stand_where_a_schema_should(schema: Any) -> None:
    t = from_schema(schema)
    assert str(t)
    assert hash(t) == hash(from_schema(schema))


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (True, "any"),
        (False, "nothing"),
        ({}, "any"),
        ({"type": "integer", "minimum": 1, "maximum": 10}, "integer 1..10"),
        ({"type": "integer", "exclusiveMinimum": 0}, "integer >= 1"),
        ({"type": "number", "exclusiveMinimum": 0}, "number > 0"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"type": "string", "minLength": 1, "pattern": "^a"}, "string (matching /^a/, >= 1 characters)"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, "integer | null"),
        ({"enum": ["a", "b"]}, '"a" | "b"'),
        ({"const": True}, "true"),
        ({"type": "array", "items": {"type": "string"}}, "list[string]"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}, "list[string] of 1..3"),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, "[integer, ...string]"),
        ({"type": "object"}, "object"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "{...: number}"),
        (
            {"type": "object", "properties": {"a b": {"type": "null"}, "c": {}}, "required": ["c"]},
            '{"a b"?: null, c: any}',
        ),
    ],
)
def test_a_type_reads_as_a_model_would_write_it(schema: Any, text: str) -> None:
    assert str(from_schema(schema)) == text


def test_references_and_compositions_are_unfolded() -> None:
    schema = {
        "$defs": {"Named": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
        "definitions": {"Money": {"type": "number", "minimum": 0}},
        "type": "array",
        "items": {
            "allOf": [
                {"$ref": "#/$defs/Named"},
                {"type": "object", "properties": {"price": {"$ref": "#/definitions/Money"}}, "required": ["price"]},
            ]
        },
    }
    assert str(from_schema(schema)) == "list[{name: string, price: number >= 0}]"


def test_a_recursive_schema_is_unfolded_once_and_open_below() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "v": {"type": "integer"}}}
    t = from_schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert str(t) == "{next?: any, v?: integer}"
    assert flows(type_of_value({"next": {"v": "anything"}}), t) is Flow.MAYBE
    assert flows(type_of_value({"v": "text"}), t) is Flow.NO


def test_a_schema_that_doubles_at_every_reference_is_read_in_bounded_time() -> None:
    bomb = {f"d{n}": {"type": "array", "prefixItems": [{"$ref": f"#/$defs/d{n + 1}"}] * 4} for n in range(40)}
    started = time.process_time()
    t = from_schema({"$ref": "#/$defs/d0", "$defs": bomb})
    assert flows(STRING, t) is Flow.NO
    assert len(str(t)) < 1_000_000
    assert time.process_time() - started < 2


def test_a_schema_that_lists_properties_can_be_taken_as_closed() -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    assert field_type(from_schema(schema), "nmae") == Found(ANY, "sometimes")
    assert field_type(from_schema(schema, closed=True), "nmae") == NotFound(
        "no field 'nmae' in {name?: string}", ("name",)
    )


@pytest.mark.parametrize(
    ("source", "target", "answer"),
    [
        (ANY, ANY, Flow.YES),
        (ANY, STRING, Flow.MAYBE),
        (STRING, ANY, Flow.YES),
        (NEVER, STRING, Flow.YES),
        (STRING, NEVER, Flow.NO),
        (STRING, UNKNOWN, Flow.MAYBE),
        (UNKNOWN, STRING, Flow.MAYBE),
        (refined(NUMBER), NUMBER, Flow.YES),
        (NUMBER, refined(NUMBER), Flow.MAYBE),
        (join([STRING, NULL]), STRING, Flow.MAYBE),
        (STRING, join([STRING, NULL]), Flow.YES),
        (NUMBER, INTEGER, Flow.MAYBE),
        (INTEGER, NUMBER, Flow.YES),
        (BOOLEAN, INTEGER, Flow.NO),
        (BOOLEAN, literal(True), Flow.MAYBE),
        (literal(True), literal(1), Flow.NO),
        (literal(1.0), INTEGER, Flow.YES),
        (STRING, literal("a"), Flow.MAYBE),
        (literal("a", "c"), literal("a", "b"), Flow.MAYBE),
        (STRING, DATE, Flow.MAYBE),
        (DATE, STRING, Flow.YES),
        (DATE, StringType(format="email"), Flow.NO),
        (DATE, StringType(format="date-time"), Flow.MAYBE),
        (literal("2026-11-21"), DATE, Flow.YES),
        (literal("2026-11-31"), DATE, Flow.NO),
        (literal("tomorrow"), DATE, Flow.NO),
        (literal("2026-11-21T10:00:00Z"), StringType(format="date-time"), Flow.YES),
        (literal("2026-11-21T25:00:00Z"), StringType(format="date-time"), Flow.NO),
        (literal("10:30"), StringType(format="time"), Flow.YES),
        (literal("me@example.org"), StringType(format="email"), Flow.YES),
        (literal("me"), StringType(format="email"), Flow.NO),
        (literal("https://example.org/a"), StringType(format="uri"), Flow.YES),
        (literal("no uri"), StringType(format="uri"), Flow.NO),
        (literal("x"), StringType(format="private"), Flow.MAYBE),
        (literal("abc"), StringType(pattern="^b"), Flow.NO),
        (literal("abc"), StringType(max_length=2), Flow.NO),
        (literal("a" * 40), StringType(pattern="^(a+)+$"), Flow.MAYBE),
        (IntegerType(1, 3), IntegerType(0, 5), Flow.YES),
        (IntegerType(1, 9), IntegerType(0, 5), Flow.MAYBE),
        (IntegerType(6, 9), IntegerType(0, 5), Flow.NO),
        (NumberType(maximum=0), NumberType(minimum=0, exclusive_minimum=True), Flow.NO),
        (INTEGER, NumberType(minimum=0), Flow.MAYBE),
        (NumberType(minimum=0), NumberType(minimum=0, exclusive_minimum=True), Flow.MAYBE),
        (NumberType(maximum=0, exclusive_maximum=True), NumberType(maximum=0), Flow.YES),
        (ArrayType(INTEGER), ArrayType(NUMBER), Flow.YES),
        (ArrayType(STRING), ArrayType(NUMBER), Flow.NO),
        (ArrayType(STRING, 1), ArrayType(NUMBER), Flow.NO),
        (type_of_value([]), ArrayType(NUMBER), Flow.YES),
        (type_of_value([]), ArrayType(NUMBER, 1), Flow.NO),
        (type_of_value([1, "a"]), ArrayType(NUMBER), Flow.NO),
        (PRODUCT, OBJECT, Flow.YES),
        (OBJECT, PRODUCT, Flow.MAYBE),
        (PRODUCT, ObjectType((("name", STRING, True),)), Flow.NO),
        (PRODUCT, ObjectType((("name", STRING, True),), ANY), Flow.YES),
        (PRODUCT, ObjectType((("id", STRING, True),), ANY), Flow.NO),
        (PRODUCT, ObjectType((("id", STRING, False),), ANY), Flow.YES),
        (ObjectType((("a", STRING, False),)), ObjectType(()), Flow.MAYBE),
        (STRING, ARRAY, Flow.NO),
    ],
)
def test_what_flows_where(source: Type, target: Type, answer: Flow) -> None:
    assert flows(source, target) is answer


@pytest.mark.parametrize(
    ("value", "target", "reason"),
    [
        ("12", INTEGER, Mismatch((), "type", "integer", '"12"')),
        (11, IntegerType(1, 10), Mismatch((), "range", "integer 1..10", "11")),
        (1.5, INTEGER, Mismatch((), "type", "integer", "1.5")),
        ("red", literal("blue", "green"), Mismatch((), "enum", '"blue" | "green"', '"red"')),
        (5, literal("blue"), Mismatch((), "type", '"blue"', "5")),
        ("soon", DATE, Mismatch((), "format", "string (date)", '"soon"')),
        ("", StringType(min_length=1), Mismatch((), "range", "string (>= 1 characters)", '""')),
        ("x", join([INTEGER, NULL]), Mismatch((), "type", "integer | null", '"x"')),
        (-1, join([IntegerType(0), NULL]), Mismatch((), "range", "integer >= 0", "-1")),
        ([1, "b"], ArrayType(INTEGER), Mismatch((1,), "type", "integer", '"b"')),
        ([], ArrayType(INTEGER, 1), Mismatch((), "range", "at least 1 items", "0 items")),
        ({"name": "x"}, PRODUCT, Mismatch(("price",), "missing", "number", '{name: "x"}')),
        (
            {"name": "x", "price": 1, "prise": 2},
            PRODUCT,
            Mismatch(("prise",), "unexpected", "{name: string, price: number}", "2"),
        ),
        ([{"name": 1, "price": 1}], ArrayType(PRODUCT), Mismatch((0, "name"), "type", "string", "1")),
    ],
)
def test_the_innermost_reason_is_told(value: Any, target: Type, reason: Mismatch) -> None:
    assert mismatch(type_of_value(value), target) == reason


def test_join_flattens_dedupes_and_absorbs() -> None:
    assert join([]) == NEVER
    assert join([STRING, STRING]) == STRING
    assert join([INTEGER, NUMBER]) == NUMBER
    assert join([literal("a"), STRING]) == STRING
    assert join([literal("a"), literal("b"), literal("a")]) == literal("b", "a")
    assert join([literal(True), literal(False)]) == BOOLEAN
    assert join([STRING, ANY]) == ANY
    assert join([join([STRING, NULL]), INTEGER]) == UnionType((INTEGER, NULL, STRING))
    assert join(ObjectType(((f"f{n}", STRING, True),)) for n in range(99)) == ObjectType((), ANY)


def test_widening_forgets_what_only_one_value_tells() -> None:
    assert str(widen(type_of_value({"n": 1, "xs": [1, 2.5], "s": "a"}))) == "{n: integer, xs: list[number], s: string}"
    assert widen(join([literal("a"), NULL])) == join([STRING, NULL])
    assert widen(type_of_value([])) == ArrayType(NEVER)


def test_booleans_are_not_the_numbers_that_python_takes_them_for() -> None:
    assert literal(True) != literal(1)
    assert literal(1) == literal(1.0)
    assert str(literal(1, True)) == "1 | true"
    assert type_of_value([True, 1]) != type_of_value([1, True])


def test_fields_are_found_in_unions_and_suggested_when_missing() -> None:
    maybe = join([PRODUCT, NULL])
    assert field_type(PRODUCT, "price") == Found(NUMBER, "always")
    assert field_type(maybe, "price") == Found(NUMBER, "sometimes")
    assert field_type(ANY, "x") == Found(ANY, "sometimes")
    assert field_type(ObjectType((), NUMBER), "x") == Found(NUMBER, "sometimes")
    assert field_type(maybe, "prise") == NotFound(
        "no field 'prise' in {name: string, price: number} | null", ("name", "price")
    )
    assert field_type(STRING, "x") == NotFound("string has no fields")


def test_items_are_found_in_lists_and_tuples() -> None:
    assert item_type(ArrayType(STRING, 1)) == Found(STRING, "always")
    assert item_type(type_of_value([1, "a"])) == Found(join([literal(1), literal("a")]), "always")
    assert item_type(join([ARRAY, NULL])) == Found(ANY, "sometimes")
    assert item_type(type_of_value([])) == Found(NEVER, "sometimes")
    assert item_type(STRING) == NotFound("string is not a list")
