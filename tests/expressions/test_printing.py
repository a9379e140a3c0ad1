"""Printing is the inverse of parsing, in both spellings, and says what people would write."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given, settings

from agentkit.expressions import (
    Apply,
    Binary,
    Expr,
    Field,
    ListOf,
    Literal,
    Malformed,
    Name,
    ObjectOf,
    Template,
    parse_expression,
    parse_template,
    parse_value,
    to_json_value,
    to_source,
)
from tests.strategies import expressions

EXPRESSIONS = expressions(["top", "info", "n"])


@settings(max_examples=600, deadline=None)
@given(EXPRESSIONS)
def test_source_reads_back_as_the_same_expression(expr: Expr) -> None:
    source = to_source(expr)
    assume(len(source) <= 4_000)
    assert parse_expression(source) == expr


@settings(max_examples=600, deadline=None)
@given(EXPRESSIONS)
def test_json_reads_back_as_the_same_expression(expr: Expr) -> None:
    written = to_json_value(expr)
    assume(len(to_source(expr)) <= 4_000)
    assert parse_value(json.loads(json.dumps(written))) == expr


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("(a + b) * c", "(a + b) * c"),
        ("a + (b * c)", "a + b * c"),
        ("a - (b - c)", "a - (b - c)"),
        ("(-2) ** 2", "(-2) ** 2"),
        ("-x ** -2", "-x ** -2"),
        ("(x ** 2) ** 3", "(x ** 2) ** 3"),
        ("(5).a", "(5).a"),
        ("x['from']", 'x["from"]'),
        ("x['name']", "x.name"),
        ("not (a and b) or c", "not (a and b) or c"),
        ("(a if b else c) if d else e", "(a if b else c) if d else e"),
        ("a if b else (c if d else e)", "a if b else c if d else e"),
        ("(a < b) < c", "(a < b) < c"),
        ("[p.name for p in (a if b else c) if p.ok]", "[p.name for p in (a if b else c) if p.ok]"),
        ("{k: v for (k, v) in d.items()}", "{k: v for k, v in items(d)}"),
        ("sorted(top, key=lambda p: p.price, reverse=True)", "sorted(top, key=lambda p: p.price, reverse=True)"),
        ("f'{a}: {b:.2f}'", 'f"{a}: {b:.2f}"'),
        ("f'{d[\"k y\"]}!'", "f\"{d['k y']}!\""),
        ("f'{{}} {a}'", 'f"{{}} {a}"'),
        ("f'{ {1: 2} }.'", 'f"{({1: 2})}."'),
        ("'it\\'s'", '"it\'s"'),
        ("'a\\n\\x00'", '"a\\n\\x00"'),
        ("xs[1:]", "xs[1:]"),
        ("xs[::2]", "xs[::2]"),
        ("()", "[]"),
    ],
)
def test_source_is_canonical(text: str, printed: str) -> None:
    assert to_source(parse_expression(text)) == printed


def test_what_an_f_string_cannot_hold_is_a_concat() -> None:
    expr = Template((Field(Name("d"), 'a"b'), "!"))
    assert to_source(expr) == 'concat(d["a\\"b"], "!")'
    assert parse_expression(to_source(expr)) == expr


def test_json_keeps_literals_and_marks_expressions() -> None:
    expr = ObjectOf(
        (
            (Literal("n"), Literal(3)),
            (Literal("who"), Field(Name("info"), "name")),
            (Literal("text"), Template(("costs $", Name("p"), " or ${x}"))),
            (Literal("sum"), ListOf((Binary("+", Name("a"), Literal(1)), Literal(None)))),
            (Literal("as_text"), Apply("str", (Name("n"),))),
        )
    )
    assert to_json_value(expr) == {
        "n": 3,
        "who": "${info.name}",
        "text": 'costs ${"$"}${p} or $${x}',
        "sum": ["${a + 1}", None],
        "as_text": "${str(n)}",
    }
    assert parse_value(to_json_value(expr)) == expr


@pytest.mark.parametrize("text", ["$", "$$", "a$$$", "$${", "${", "$$${x}$"])
def test_dollars_before_a_value_stay_dollars(text: str) -> None:
    expr = Template((text, Name("x"), text))
    assert parse_value(to_json_value(expr)) == expr


def test_an_object_whose_keys_are_computed_is_one_expression() -> None:
    expr = ObjectOf(((Name("k"), Literal(1)),))
    assert to_json_value(expr) == "${{k: 1}}"
    assert parse_template("${{k: 1}}") == expr


def test_what_could_not_be_read_is_printed_as_it_was() -> None:
    broken = parse_template("${a +}")
    assert isinstance(broken, Malformed)
    assert to_source(broken) == "a +"
    assert to_json_value(broken) == "${a +}"
