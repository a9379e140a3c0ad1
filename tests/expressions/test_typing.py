"""Typing names every problem once, suggests the remedy, and is right about what evaluation then does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import ExpressionError
from agentkit.expressions import Expr, evaluate, parse_expression, type_expression
from agentkit.expressions._bounds import Refusal
from agentkit.expressions.typing import _Typing
from agentkit.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    AnyType,
    ArrayType,
    Flow,
    LiteralType,
    NeverType,
    ObjectType,
    RefinedType,
    StringType,
    Type,
    UnionType,
    flows,
    from_schema,
    join,
    to_schema,
    type_of_value,
)
from tests.strategies import expressions

PRODUCT = ObjectType((("name", STRING, True), ("price", NUMBER, True), ("units", INTEGER, True)))
TYPES: dict[str, Type] = {
    "top": ArrayType(PRODUCT),
    "pair": ArrayType(PRODUCT, 1, 2),
    "info": PRODUCT,
    "n": INTEGER,
    "x": NUMBER,
    "word": STRING,
    "day": StringType(format="date"),
    "yes": BOOLEAN,
    "maybe": from_schema({"type": ["string", "null"]}),
    "any": ANY,
}


def typed(text: str, types: Mapping[str, Type] = TYPES) -> tuple[Type, list[Diagnostic]]:
    found: list[Diagnostic] = []
    return type_expression(parse_expression(text), types, found.append, ("step", "args")), found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("top[0].name", "string"),
        ("top", "list[{name: string, price: number, units: integer}]"),
        ("info.price * 3", "number"),
        ("n + 1", "integer"),
        ("n / 2", "number"),
        ("n ** 2", "number"),
        ("word + '!'", "string"),
        ("-x", "number"),
        ("[n, word]", "[integer, string]"),
        ("[1] + [2]", "list[1 | 2] of 2"),
        ("{'a': n, 'b': 'x'}", '{a: integer, b: "x"}'),
        ("[p.price for p in top]", "list[number]"),
        ("[p.price for p in pair]", "list[number] of 1..2"),
        ("[p.price for p in pair if p.price > 1]", "list[number] of <= 2"),
        ("{p.name: p.units for p in top}", "{...: integer}"),
        ("[i * n for i, p in enumerate(top)]", "list[integer]"),
        ("n if yes else word", "integer | string"),
        ("n if yes else 0.5", "integer | 0.5"),
        ("n > 1 and yes", "boolean"),
        ("f'{n} {top}'", "string"),
        ("sum(p.units for p in top)", "integer"),
        ("sum(p.price for p in top)", "number"),
        ("max(top, key=lambda p: p.price)", "{name: string, price: number, units: integer}"),
        ("max(n, 3)", "integer"),
        ("sorted(top, key=lambda p: p.name)[0].units", "integer"),
        ("len(top)", "integer >= 0"),
        ("info.get('name', 'x')", "string"),
        ("info.get('nmae')", "null"),
        ("day - timedelta(days=7)", "string (date)"),
        ("add_days('2026-11-21', n)", "string (date)"),
        ("start_of_month(day)", "string (date)"),
        ("word.split(',')[0].upper()", "string"),
        ("top[1:]", "list[{name: string, price: number, units: integer}]"),
        ("pair[-1].price", "number"),
        ("maybe.upper()", "string"),
        ("any.whatever[0] + 1", "any"),
        ("any - 1", "number"),
        ("info.items()", "list[[string, string | number]]"),
    ],
)
def test_the_type_of_an_expression(text: str, shown: str) -> None:
    kind, found = typed(text)
    assert found == []
    assert kind == _parsed(shown, kind)


def _parsed(shown: str, kind: Type) -> Type:
    """The type found, if it reads as expected whatever the order of alternatives."""
    assert sorted(str(kind).replace("|", " | ").split()) == sorted(shown.replace("|", " | ").split())
    return kind


@pytest.mark.parametrize(
    ("text", "code", "message", "expected", "suggestion"),
    [
        ("kg + 1", Code.UNKNOWN_NAME, "nothing defines 'kg'.", "", ""),
        ("worf", Code.UNKNOWN_NAME, "nothing defines 'worf'.", "", "Did you mean 'word'?"),
        (
            "info.prise", Code.UNKNOWN_FIELD,
            "info.prise: no field 'prise' in {name: string, price: number, units: integer}.",
            "one of: name, price, units", "Did you mean 'price'?",
        ),
        (
            "top.name", Code.UNKNOWN_FIELD,
            "top.name: list[{name: string, price: number, units: integer}] has no fields.",
            "", "It is a list: refer to one of its items, e.g. top[0].name.",
        ),
        ("day.year", Code.UNKNOWN_FIELD, "day.year: string (date) has no fields.", "", "Write year(day)."),
        ("pair[2]", Code.NO_SUCH_INDEX, "pair[2]: the list has 2 items.", "an index below 2", ""),
        ("[n][1]", Code.NO_SUCH_INDEX, "[n][1]: the list has 1 item.", "an index below 1", ""),
        ("[][0]", Code.NO_SUCH_INDEX, "[][0]: the list is empty.", "", ""),
        (
            "1 if n else 2", Code.NOT_BOOLEAN, "n is integer, not a boolean.", "true or false",
            "Compare explicitly, e.g. len(x) > 0 or x is not None.",
        ),
        (
            "[p for p in top if p.name]", Code.NOT_BOOLEAN, "p.name is string, not a boolean.", "true or false",
            "Compare explicitly, e.g. len(x) > 0 or x is not None.",
        ),
        (
            "word + n", Code.WRONG_OPERAND, "word + n: cannot add string and integer.", "",
            'Write an f-string, e.g. f"{a}{b}".',
        ),
        ("yes + 1", Code.WRONG_OPERAND, "yes + 1: cannot add boolean and 1.", "", ""),
        ("top < 1", Code.WRONG_OPERAND, None, "", ""),
        ("n in n", Code.WRONG_OPERAND, "n in n: cannot look for integer in integer.", "", ""),
        ("[a for a in n]", Code.NOT_ITERABLE, "n is integer, not a list.", "a list", ""),
        ("search(n)", Code.UNKNOWN_FUNCTION, "there is no function 'search'.", "",
         "Tools are called in steps of their own."),
        ("lenn(top)", Code.UNKNOWN_FUNCTION, "there is no function 'lenn'.", "", "Did you mean 'len'?"),
        ("len()", Code.FUNCTION_ARGUMENTS, "len(): len needs 'value'.", "len(value) -> integer >= 0", ""),
        (
            "sorted(top, lambda2=1)", Code.FUNCTION_ARGUMENTS,
            "sorted(top, lambda2=1): sorted has no argument 'lambda2'.",
            "sorted(items, key=None, reverse=False) -> list", "",
        ),
        ("len(n)", Code.WRONG_OPERAND, "len: n is integer.", None, ""),
        ("sum(p.name for p in top)", Code.WRONG_OPERAND, None, "items: list[number]", ""),
        ("max(top)", Code.WRONG_OPERAND, None, "numbers or texts", "Give key=lambda item: item.field."),
        ("add_days('soon', 1)", Code.WRONG_OPERAND, 'add_days: "soon" cannot be used here.', None, ""),
        ("f'{top:.2f}'", Code.WRONG_OPERAND, None, "a number or a text", ""),
        ("f'{x:dollars}'", Code.WRONG_OPERAND, 'format: "dollars" is not a format for a number.',
         'one such as ".2f" or ","', ""),
        ("a +", Code.EXPRESSION, "'a +': it is not an expression: invalid syntax.", "", ""),
    ],
)  # fmt: skip
def test_a_problem_has_a_code_a_message_and_a_remedy(
    text: str, code: Code, message: str | None, expected: str | None, suggestion: str
) -> None:
    _, found = typed(text)
    assert [problem.code for problem in found] == [code]
    assert found[0].path == ("step", "args")
    if message is not None:
        assert found[0].message == message
    if expected is not None:
        assert found[0].expected == expected
    assert found[0].suggestion == suggestion


def test_all_problems_of_an_expression_are_reported_and_none_follows_from_another() -> None:
    _, found = typed("[nope.a.b + 1, info.prise * 2, len(yes), frob(word + 1), nil if word else 0]")
    assert [problem.code for problem in found] == [
        Code.UNKNOWN_NAME,
        Code.UNKNOWN_FIELD,
        Code.WRONG_OPERAND,
        Code.WRONG_OPERAND,
        Code.UNKNOWN_FUNCTION,
        Code.NOT_BOOLEAN,
        Code.UNKNOWN_NAME,
    ]


def test_the_checker_may_say_why_a_name_is_unknown() -> None:
    found: list[Diagnostic] = []
    later = Diagnostic(Code.LATER_STEP, ("a",), "it comes later")
    kind = type_expression(parse_expression("b + c"), {}, found.append, (), lambda n: later if n == "b" else None)
    assert found[0] is later
    assert found[1].code is Code.UNKNOWN_NAME
    assert kind == ANY


def test_alternatives_are_taken_apart_before_they_are_added() -> None:
    """``1 | "a"`` added to itself may be a number or a text."""
    kind, found = typed("(1 if yes else 'a') + (1 if yes else 'a')")
    assert found == []
    assert flows(type_of_value("aa"), kind) is not Flow.NO
    assert flows(type_of_value(2), kind) is not Flow.NO


PRODUCTS = st.fixed_dictionaries(
    {"name": st.text(max_size=3), "price": st.floats(-99, 99) | st.integers(-9, 9), "units": st.integers(-9, 9)}
)
SCOPES = st.fixed_dictionaries(
    {
        "top": st.lists(PRODUCTS, max_size=3),
        "pair": st.lists(PRODUCTS, min_size=1, max_size=2),
        "info": PRODUCTS,
        "n": st.integers(-5, 5),
        "x": st.floats(-9, 9) | st.integers(-3, 3),
        "word": st.text(max_size=4),
        "day": st.dates().map(str),
        "yes": st.booleans(),
    }
)
PRECISE = {name: kind for name, kind in TYPES.items() if name not in ("maybe", "any")}


class Recorder(_Typing):
    """Remembers the types of all parts, to know whether any was imprecise."""

    def __init__(self, report: Any) -> None:
        super().__init__(report, (), None)
        self.kinds: list[Type] = []

    def of(self, expr: Expr, scope: Mapping[str, Type]) -> Type:
        kind = super().of(expr, scope)
        self.kinds.append(kind)
        return kind


def is_precise(t: Type) -> bool:
    match t:
        case AnyType() | UnionType() | RefinedType():
            return False
        case LiteralType(values):
            return len({type(value) for value in values}) == 1
        case ArrayType(items, _, _, prefix):
            kinds = [kind for kind in (*prefix, items) if not isinstance(kind, NeverType)]
            return all(map(is_precise, kinds)) and (not kinds or is_precise(join(kinds)))
        case ObjectType(fields, additional):
            kinds = [kind for _, kind, _ in fields] + ([additional] if additional else [])
            return all(map(is_precise, kinds)) and (not kinds or is_precise(join(kinds)))
        case _:
            return True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('min("name", [[1]])', 'min: cannot compare "name" with [[1]].'),
        ("sorted([n, word])", "sorted: cannot compare integer with string."),
        ("max([n, None])", "max: cannot compare integer with null."),
        ('f"{word:,}"', 'format: "," is not a format for a text.'),
        ('format(maybe, "{")', 'format: "{" is not a format for a value.'),
        ('format(n, "%d")', 'format: "%d" is not a format for a number.'),
    ],
)
def test_what_can_never_be_ordered_or_formatted_is_a_problem(text: str, message: str) -> None:
    found: list[Diagnostic] = []
    type_expression(parse_expression(text), TYPES, found.append, ())
    assert [problem.message for problem in found] == [message]


@pytest.mark.parametrize(
    "text", ["min(n, x)", "min(any, word)", "sorted([[n], [x]])", 'f"{word:>9}"', 'f"{day:%d %B}"']
)
def test_what_may_be_ordered_or_formatted_is_none(text: str) -> None:
    found: list[Diagnostic] = []
    type_expression(parse_expression(text), TYPES, found.append, ())
    assert found == []


WRITTEN = """
top[0].name; info.price * 3; n + n; word + str(n); [p.price for p in top]; sum(p.units for p in top); pair[1]
top[n]; max(top, key=lambda p: p.price).name; sorted(top, key=lambda p: p.name); day - timedelta(days=n)
word[n]; n / n; n ** n; x % n; int(word); float(word); {p.name: p.price for p in top}; info[word]; [word, n]
pair[0].units; len(top) > n and yes; word.split()[0]; zip(top, pair)[0][1].name; unique(top); enumerate(top, n)
[a * b for a, b in zip([1, 2], [n, x])]; min([n, x]); round(x, n); range(n); info.keys(); reversed([n, 1])
top + pair; pair * n; [[n]] * 2; top[1:n]; {word: n}; info.values(); year(day); abs(-x); f'{x:.2f}'
format(n, word); info.get(word, n); any([yes]); all(p.price > x for p in top); add_months(day, n)
days_between(day, day); date(n, n, n); word in top; n in [x]; word in word; list(info); min(n, x)
flatten([[n], [x]]); max(word, word); -n; +x; not yes; n if yes else x; word if yes else n; [1, 'a'][n]
items(info)[0][1]; sorted([[n, word], [1, word]]); (1 if yes else 'a') * 2; [] + top; f'{n:d} {word:>5}'
pair[-2:].price; top[0][word]
"""
SOURCES = st.sampled_from([text.strip() for text in WRITTEN.replace("\n", ";").split(";") if text.strip()])


@settings(max_examples=600, deadline=None)
@given(st.one_of(SOURCES.map(parse_expression), expressions(list(PRECISE))), SCOPES)
def test_what_is_typed_without_problems_evaluates_to_its_type(expr: Expr, scope: dict[str, Any]) -> None:
    found: list[Diagnostic] = []
    recorder = Recorder(found.append)
    kind = recorder.of(expr, PRECISE)
    if found:
        return
    try:
        value = evaluate(expr, scope)
    except ExpressionError as error:
        cause = error.__cause__
        foreseeable = isinstance(cause, Refusal) and cause.kind == "type" and all(map(is_precise, recorder.kinds))
        if foreseeable:
            raise
        return
    assert flows(type_of_value(value), kind) is not Flow.NO, f"{value!r} is not {kind}"
    Draft202012Validator(to_schema(kind)).validate(value)


@settings(max_examples=400, deadline=None)
@given(st.one_of(SOURCES.map(parse_expression), expressions([*PRECISE, "maybe", "any", "nope"])))
def test_typing_never_raises(expr: Expr) -> None:
    found: list[Diagnostic] = []
    kind = type_expression(expr, TYPES, found.append, ())
    assert str(kind)
    assert all(problem.message for problem in found)
