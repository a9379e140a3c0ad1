"""Reading takes what models write, says what to write instead of the rest, and never raises."""

from __future__ import annotations

import ast
import time
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.expressions import (
    Apply,
    Binary,
    Comprehension,
    Expr,
    Field,
    Item,
    Lambda,
    ListOf,
    Literal,
    Malformed,
    Name,
    ObjectOf,
    Template,
    Unary,
    from_ast,
    parse_expression,
    parse_template,
    parse_value,
)

SETS = "sets are not JSON; write a list, and unique(items) to drop repetitions"
ONE_FOR = "a comprehension has one 'for'; put a second one into a comprehension of its own"
A, B, D, X = Name("a"), Name("b"), Name("d"), Name("x")


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("-5", Literal(-5)),
        ("+5.0", Literal(5.0)),
        ("- -5", Literal(5)),
        ("-a", Unary("-", A)),
        ("-True", Unary("-", Literal(True))),
        ("true", Literal(True)),
        ("[null, false, None]", ListOf((Literal(None), Literal(False), Literal(None)))),
        ("(1, 2)", ListOf((Literal(1), Literal(2)))),
        ("'a' 'b'", Literal("ab")),
        ("f'ab'", Literal("ab")),
        ("f'{a}'", Apply("str", (A,))),
        ("f'{a!s}'", Apply("str", (A,))),
        ("f'{a:.2f}'", Apply("format", (A, Literal(".2f")))),
        ("f'n: {a:.2f}' '!'", Template(("n: ", Apply("format", (A, Literal(".2f"))), "!"))),
        ("f\"{'x'} {f'{a}-'}\"", Template(("x ", A, "-"))),
        ("concat('a', b, '')", Template(("a", B))),
        ("a['k']", Field(A, "k")),
        ("a['two words']", Field(A, "two words")),
        ("a[b]", Item(A, B)),
        ("a.lower()", Apply("lower", (A,))),
        ("', '.join(a)", Apply("join", (Literal(", "), A))),
        ("d.get('k', 1)", Apply("get", (D, Literal("k"), Literal(1)))),
        ("d.isoformat()", D),
        ("d.date()", Apply("date", (D,))),
        ("d.strftime('%Y')", Apply("format_date", (D, Literal("%Y")))),
        ("d - timedelta(days=7)", Apply("add_days", (D, Literal(-7)))),
        ("d - datetime.timedelta(weeks=a)", Apply("add_days", (D, Unary("-", Binary("*", A, Literal(7)))))),
        ("timedelta(1) + d", Apply("add_days", (D, Literal(1)))),
        ("(a - b).days", Apply("days_between", (B, A))),
        ("datetime.date.fromisoformat(a)", Apply("date", (A,))),
        ("datetime.date(2026, 1, 2)", Apply("date", (Literal(2026), Literal(1), Literal(2)))),
        ("sum(x for x in a)", Apply("sum", (Comprehension(X, ("x",), A),))),
        ("sorted(a, key=lambda x: x.n)", Apply("sorted", (A,), (("key", Lambda("x", Field(X, "n"))),))),
        ("max(a, key=len)", Apply("max", (A,), (("key", Lambda("item", Apply("len", (Name("item"),)))),))),
        ("search(a, n=1)", Apply("search", (A,), (("n", Literal(1)),))),
        ("{'k': a}", ObjectOf(((Literal("k"), A),))),
        ("  a  ", A),
        ("ａ", A),
    ],
)
def test_what_models_write_has_one_form(text: str, expr: Expr) -> None:
    assert parse_expression(text) == expr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the expression is empty"),
        ("a +", "it is not an expression: invalid syntax"),
        ("a && b", "it is not an expression: invalid syntax; write 'and' and 'or'"),
        ("a ? b : c", "it is not an expression: invalid syntax; write 'a if condition else b'"),
        ("(a := 1)", "there is no ':='; name the value in a step of its own"),
        ("await a", "there is no 'await'; call the tool in a step of its own"),
        ("{1, 2}", SETS),
        ("[*a]", "there is no '*' unpacking; join lists with +"),
        ("f(**a)", "'**' unpacking is not part of expressions; write each argument by its name"),
        ("{**a}", "there is no '**' unpacking; write each field by its name"),
        ("lambda x: x", "lambda is for key= of sorted, min and max only"),
        ("b'a'", 'bytes are not JSON; write a text, "..."'),
        ("1j", "complex numbers are not JSON; write a real number"),
        ("...", "'...' is not a value"),
        ("a | b", "there is no '|'; write or, or a new object such as {'a': x.a, 'b': y.b}"),
        ("~a", "there is no '~'; write not x"),
        ("a._b", "attributes beginning with '_' do not exist; for a field of that name write x['_b']"),
        ("_a", "'_a' is not a name of a plan; names begin with a letter"),
        ("'{}'.format(a)", "there is no method 'format'; write an f-string, e.g. f\"{x} and {y:.2f}\""),
        ("a.append(b)", "there is no method 'append'; lists do not change; write items + [x]"),
        ("date.today()", "there is no method 'today'; expressions have no clock; call a tool that gives the date"),
        ("timedelta(days=1)", "timedelta can only be added to a date; write add_days(date, n)"),
        ("d + timedelta(hours=1)", "timedelta takes days= or weeks=; for months write add_months(date, n)"),
        ("[x for a in b for x in a]", ONE_FOR),
        ("f'{a!r}'", "'!r', '!a' and '=' are not part of expressions; write {x}"),
        ("f'{a:{b}}'", "a format is fixed text, such as '.2f', without values in it"),
        ("1e999", "the number is too large"),
        ("sorted(a, key=b)", "key= takes a lambda, e.g. key=lambda item: item.price"),
        ("a()()", "only functions can be called, by their names"),
        ("1 +" * 1500 + "1", "the expression is longer than 4,000 characters; split it into steps"),
        ("(" * 70 + ")" * 70, "the expression is nested more than 64 deep; split it into steps"),
        ("_a + {1}.b", "'_a' is not a name of a plan; names begin with a letter; " + SETS),
    ],
)  # fmt: skip
def test_the_rest_is_told_what_to_write_instead(text: str, problem: str) -> None:
    assert parse_expression(text) == Malformed(text, problem)


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("plain", Literal("plain")),
        ("", Literal("")),
        ("${a}", A),
        ("${ 5 }", Literal(5)),
        (" ${a}", Template((" ", A))),
        ("${a}${b}", Template((A, B))),
        ("costs $${a}", Literal("costs ${a}")),
        ("$$", Literal("$$")),
        ("$a {b}", Literal("$a {b}")),
        ("x ${ {'}': a}['}'] } y", Template(("x ", Field(ObjectOf(((Literal("}"), A),)), "}"), " y"))),
        ("x ${'it''s }'} y", Literal("x its } y")),
        ("${f'{a}'}", Apply("str", (A,))),
        ("a ${b +} c", Template(("a ", Malformed("b +", "it is not an expression: invalid syntax"), " c"))),
        ("${a", Malformed("${a", "a '${' is never closed; close it with '}', or write $${ for the text '${'")),
        ("${}", Malformed("", "the expression is empty")),
    ],
)
def test_a_template_is_a_value_or_a_text_around_values(text: str, expr: Expr) -> None:
    assert parse_template(text) == expr


def test_a_json_value_is_read_deeply_and_its_field_names_are_literal() -> None:
    assert parse_value({"${a}": ["${a}", "b", 1.5, None]}) == ObjectOf(
        ((Literal("${a}"), ListOf((A, Literal("b"), Literal(1.5), Literal(None)))),)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {"a": object()}, b"x", {1, 2}])
def test_what_is_not_json_is_malformed(value: Any) -> None:
    assert "Malformed" in repr(parse_value(value))


def test_json_nested_without_end_is_malformed() -> None:
    value: Any = []
    for _ in range(50_000):
        value = [value]
    found = parse_value(value)
    try:
        assert isinstance(found, ListOf)
        for _ in range(64):
            assert isinstance(found, ListOf)
            found = found.items[0]
        assert isinstance(found, Malformed)
        assert found.problem == "the value is nested more than 64 deep"
    finally:
        while value:
            value = value[0]


def test_calls_that_are_not_pure_are_offered_first() -> None:
    seen: list[str] = []

    def lift(call: ast.Call) -> Expr | None:
        seen.append(ast.unparse(call.func))
        return Name("step_1") if seen[-1] == "search" else None

    tree = ast.parse("len(search(q='a').items) + other(1) + a.lower()", mode="eval").body
    found = from_ast(tree, on_call=lift)
    assert seen == ["search", "other"]
    assert found == Binary(
        "+",
        Binary("+", Apply("len", (Field(Name("step_1"), "items"),)), Apply("other", (Literal(1),))),
        Apply("lower", (A,)),
    )


def test_problems_stay_in_their_places_in_a_tree() -> None:
    found = from_ast(ast.parse("[a, _b, {1}]", mode="eval").body)
    assert isinstance(found, ListOf)
    assert [type(item) for item in found.items] == [Name, Malformed, Malformed]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3999, "[" * 3999, "{" * 3999, "-" * 3999 + "1", "not " * 999 + "a", "a" + ".a" * 1999, "a" + "[0]" * 1300,
        "lambda:" * 500 + "1", "1 if 1 else " * 300 + "1", "1**" * 1300 + "1", "1+" * 1999 + "1", "f'" * 1000,
        "f'{" * 1000, "f'{" + "(" * 1500 + ")" * 1500 + "}'", "'" * 3999, '"' * 3999, "'\"" * 1999, "\\" * 3999,
        "a(" * 1999, "\x00", "\ud800", "1or 2", "'\\d'", "0777", "1_", "a\nb", "#", "a;b", "${" * 1999, "9" * 3999,
        "[x for x in " * 300, "f'{f'{f'{a}'}'}'", "~" * 3999 + "1", "x" * 3999, "\U0001d4b3", "𝐚.__𝐜lass__",
    ],
    ids=range(36),
)  # fmt: skip
def test_hostile_text_is_read_quickly_and_without_raising(text: str) -> None:
    started = time.process_time()
    parse_expression(text)
    parse_template("${" + text + "}")
    parse_template(text)
    assert time.process_time() - started < 0.5


def test_a_long_text_is_searched_once() -> None:
    started = time.process_time()
    assert isinstance(parse_template("${" * 500_000), Malformed)
    assert isinstance(parse_template("${a}" * 250_000), Malformed)
    assert isinstance(parse_template("${'" * 300_000), Malformed)
    assert parse_template("$" * 1_000_000) == Literal("$" * 1_000_000)
    assert time.process_time() - started < 1.0


WORDS = """( ) [ ] { } ' " ''' f' ${ $${ \\ . , : := = == != < ** // - + ~ not and or if else for in is lambda x a 1 1.5
1e9 0x None true _ __class__ len( sorted( key= timedelta( days= .days .lower() async await yield * @ # ; ! ? é"""
PIECES = st.sampled_from([*WORDS.split(), "\n", " "])


@settings(max_examples=1500, deadline=None)
@given(st.text(max_size=60) | st.lists(PIECES, max_size=25).map(" ".join) | st.lists(PIECES, max_size=25).map("".join))
def test_arbitrary_text_never_raises(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse_expression(text)
        parse_template(text)
        parse_template("${" + text + "}")
