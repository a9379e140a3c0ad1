"""Evaluation gives what Python would, refuses what is not JSON's business, and stays inside its bounds."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.errors import ExpressionError
from agentkit.expressions import Expr, ListOf, Literal, Malformed, compile_expression, evaluate, parse_expression
from tests.strategies import expressions

SCOPE: dict[str, Any] = {
    "top": [{"name": "mug", "price": 4.5, "units": 7}, {"name": "cap", "price": 12, "units": 3}],
    "info": {"name": "mug", "price": 3, "tags": ["red", "big"], "none": None},
    "n": 4,
    "day": "2026-11-21",
    "word": "kitty",
    "none": None,
    "yes": True,
}


def value_of(text: str, scope: dict[str, Any] | None = None) -> Any:
    return evaluate(parse_expression(text), SCOPE if scope is None else scope)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("top[0].name", "mug"),
        ("top[-1]['price']", 12),
        ("top[1.0].name", "cap"),
        ("info.price * 3", 9),
        ("1 + 2 * 3 - 4 / 2", 5.0),
        ("7 // 2, -7 // 2, 7 % 3, 2 ** 10, 2 ** -1", [3, -4, 1, 1024, 0.5]),
        ("word + '!' * 2", "kitty!!"),
        ("[1] + [2] * 2", [1, 2, 2]),
        ("word[1:3] + word[-1]", "ity"),
        ("[1, 2, 3, 4][::-2]", [4, 2]),
        ("1 < n <= 4 and not yes or 'it' in word", True),
        ("'red' in info.tags, 'x' not in info, n is None, none is None", [True, True, False, True]),
        ("true == 1, 1 == 1.0, [true] == [1], {'a': 1} == {'a': 1.0}", [False, True, False, True]),
        ("'big' if n > 3 else 'small'", "big"),
        ("[p.name for p in top if p.units > 5]", ["mug"]),
        ("{p.name: p.price for p in top}", {"mug": 4.5, "cap": 12}),
        ("[k for k in info if k != 'tags']", ["name", "price", "none"]),
        ("[i * x for i, x in enumerate([5, 6, 7])]", [0, 6, 14]),
        ("[[x * y for y in [1, 2]] for x in [1, 2]]", [[1, 2], [2, 4]]),
        ("sum(p.price * p.units for p in top)", 67.5),
        ("max(top, key=lambda p: p.units).name", "mug"),
        ("sorted(top, key=lambda p: p.price, reverse=True)[0].name", "cap"),
        ("sorted(top, key=lambda p: [p.units % 2, p.name])[0].name", "cap"),
        ("f'{word} costs {info.price:.2f} on {day:%d %B %Y}'", "kitty costs 3.00 on 21 November 2026"),
        ("f'{yes} {none} {info.tags}'", 'true null ["red", "big"]'),
        ("f'{n}'", "4"),
        ("day - timedelta(days=7)", "2026-11-14"),
        ("day + timedelta(weeks=1, days=n)", "2026-12-02"),
        ("(day - '2026-11-01').days", 20),
        ("'now' if yes else 1 / 0", "now"),
        ("none is None or none.x > 1", True),
    ],
)
def test_values_are_those_of_python(text: str, value: Any) -> None:
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("top[2].name", "top[2]: index 2 is outside a list of 2 items"),
        ("[1][1]", "[1][1]: index 1 is outside a list of 1 item"),
        ("info.prise", "info.prise: no field 'prise'; fields are name, price, tags, none"),
        ("top.name", "top.name: a list has no field 'name'"),
        ("none.name", "none.name: null has no field 'name'"),
        ("day.year", "day.year: a text has no field 'year'; write year(…)"),
        ("kg + 1", "kg: nothing defines 'kg' here; names are top, info, n, day, word, none, yes"),
        ("word + 1", 'word + 1: cannot add a text and a number; write f"{a}{b}" to put values into a text'),
        ("yes + 1", "yes + 1: cannot add a boolean and a number"),
        ("none * 2", "none * 2: cannot multiply null and a number"),
        ("1 / (n - 4)", "1 / (n - 4): division by zero"),
        ("0 ** -1", "0 ** -1: division by zero"),
        ("(-8) ** 0.5", "(-8) ** 0.5: the result is not a real number"),
        ("1e308 * 10", "1e+308 * 10: the number is too large"),
        ("10 ** 400 * 1.5", "10 ** 400 * 1.5: the number is too large"),
        ("n if n else 0", "n: the condition is a number; compare explicitly, e.g. x is not None, or len(x) > 0"),
        ("word < n", "word < n: cannot compare a text with a number"),
        ("n in n", "n in n: cannot look into a number; expected a list, an object or a text"),
        ("[x for x in n]", "[x for x in n]: cannot loop over a number; expected a list"),
        ("[a for a, b in [[1]]]", "[a for a, b in [[1]]]: cannot take a list of 1 apart into a, b"),
        ("{n: 1}", "{n: 1}: a key must be a text, not a number; write str(…)"),
        ("search(n)", "search(n): there is no function 'search'"),
        ("round()", "round(): round needs 'number'; it is round(number, ndigits=None) -> number"),
        ("sum(top)", "sum(top): cannot sum an object"),
        ("int('ten')", "int(\"ten\"): 'ten' is not a whole number"),
        ("float('nan')", 'float("nan"): the number is too large'),
        ("max([])", "max([]): the list is empty; give default="),
        ("year('soon')", "year(\"soon\"): 'soon' is not a date such as '2026-11-21'"),
        ("f'{info:.2f}'", "format(info, \".2f\"): cannot format an object as '.2f'"),
        ("top[0:1:0]", "top[0:1:0]: the step must not be 0"),
    ],
)
def test_an_error_names_the_part_and_the_reason(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of(text)
    assert str(caught.value) == message


def test_what_cannot_be_read_cannot_be_evaluated() -> None:
    with pytest.raises(ExpressionError, match="it is not an expression"):
        evaluate(parse_expression("a +"), {})
    with pytest.raises(ExpressionError, match="mend me"):
        evaluate(Malformed("x", "mend me"), {})


BOMBS = [
    "'a' * 10**9",
    "10**9 * 'a'",
    "[0] * 10**9",
    "9**9**9",
    "2.0 ** 9999",
    "(10**1000)**1000",
    "2**4095 * 2**4095",
    "range(10**12)",
    "range(0, -10**30, -1)",
    "range(10**400)",
    "list(range(100000)) + [1]",
    "[[[0] * 1000] * 1000] * 1000 == [[[0] * 1000] * 1000] * 1000",
    "[[[[0] * 1000] * 1000] * 1000] * 1000",
    "str([[[0] * 1000] * 1000] * 1000)",
    "f'{[[[0] * 1000] * 1000] * 1000}'",
    "unique([[[0] * 1000] * 1000] * 1000)",
    "[[x for x in range(100000)] for y in range(100000)]",
    "[[[z for z in range(1000)] for y in range(1000)] for x in range(1000)]",
    "sum([x * y for x in range(90000)][0] for y in range(90000))",
    "[2**4000 % (x + 3) for x in range(100000)][0] + sum([2**4000 * 2**90 for x in range(100000)])",
    "[('a' * 1000000).upper() for x in range(100000)]",
    "[f'{big}{big}' for x in range(100000)]",
    "'{'.join(['a' * 1000000, 'b' * 1000000])",
    "('a' * 1000).replace('a', 'b' * 10000)",
    "('a ' * 400000).split()",
    "('a' * 200000).split('a')",
    "int('9' * 10000)",
    "float('9' * 10000)",
    "f'{1:>1000000000}'",
    "f'{1:.1000000000f}'",
    "format(1, '0' * 1000000)",
    "format_date('2026-11-21', '%1000000000d')",
    "add_days('2026-11-21', 10**9)",
    "add_days('2026-11-21', 10**400)",
    "add_months('2026-11-21', 10**400)",
    "round(1.5, 10**10)",
    "round(10**1200, -10**10)",
    "sorted([[x % 7, x] for x in range(100000)], key=lambda p: [p[0], [p[1]]])",
    "sorted(range(100000), key=lambda x: sum(range(x)))",
    "zip(" + ", ".join(["range(100000)"] * 30) + ")",
    "enumerate(range(100000), 10**4000)",
    "[x for x in range(100000) if x in range(100000)]",
    "min([[0] * 100000 for x in range(100000)], [1])",
    "{f'{x}': range(1000) for x in range(100000)}",
    "(((" + "big + " * 150 + "big)))",
]


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_fails_in_well_under_a_second(text: str) -> None:
    expr = parse_expression(text)
    started = time.thread_time()
    with pytest.raises(ExpressionError) as caught:
        evaluate(expr, {"big": "a" * 600_000})
    assert time.thread_time() - started < 1.0
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    ("inside", "outside", "message"),
    [
        (
            "len('a' * 1000000)",
            "'a' * 1000001",
            "the text would have 1,000,001 characters; at most 1,000,000 are allowed",
        ),
        ("len('a' * 999999 + 'b')", "'a' * 999999 + 'bc'", "the text would have 1,000,001 characters"),
        ("len([0] * 100000)", "[0] * 100001", "the list would have 100,001 items; at most 100,000 are allowed"),
        ("len(range(100000))", "range(100001)", "the list would have 100,001 items"),
        ("len(range(0, 100000) + [])", "range(100000) + [1]", "the list would have 100,001 items"),
        ("2 ** 4095 > 0", "2 ** 4096", "the number would have 4,097 bits; at most 4,096 are allowed"),
        ("f'{1:>100}' != ''", "f'{1:>101}'", "width and precision of a format may be at most 100"),
    ],
)
def test_the_bounds_are_where_they_are_said_to_be(inside: str, outside: str, message: str) -> None:
    assert value_of(inside) in (True, 100_000, 1_000_000)
    with pytest.raises(ExpressionError, match=message):
        value_of(outside)


def test_values_that_share_themselves_are_counted_as_they_are_written() -> None:
    doubling = compile_expression(parse_expression("[x, x]"))
    value: Any = "seed"
    for _ in range(19):
        value = doubling({"x": value})
    with pytest.raises(ExpressionError, match="too large"):
        doubling({"x": value})


def test_values_cannot_be_nested_without_end() -> None:
    wrapping = compile_expression(parse_expression("[x]"))
    value: Any = 1
    for _ in range(199):
        value = wrapping({"x": value})
    with pytest.raises(ExpressionError, match="nested more than 200 deep"):
        wrapping({"x": value})


def test_deep_values_of_tools_do_not_overflow_the_stack() -> None:
    deep: Any = 0
    other: Any = 0
    for _ in range(100_000):
        deep, other = [deep], [other]
    try:
        for text in ("a == b", "str(a)", "a in [b]", "unique([a])", "sorted([a, b])", "f'{a}!'"):
            with pytest.raises(ExpressionError):
                value_of(text, {"a": deep, "b": other})
    finally:
        # Freeing 100,000 nested lists in one go would recurse as well.
        while deep:
            deep, other = deep[0], other[0]


def test_a_deep_expression_is_refused_not_overflown() -> None:
    expr: Expr = Literal(1)
    for _ in range(5_000):
        expr = ListOf((expr,))
    with pytest.raises(ExpressionError, match="the expression is nested more than"):
        compile_expression(expr)({})


@settings(max_examples=800, deadline=None)
@given(expressions(list(SCOPE)))
def test_evaluation_gives_json_or_an_expression_error_and_changes_nothing(expr: Any) -> None:
    scope = copy.deepcopy(SCOPE)
    with contextlib.suppress(ExpressionError):
        json.dumps(evaluate(expr, scope), allow_nan=False)
    assert scope == SCOPE


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-5, 5)), st.integers(-6, 6), st.integers(-6, 6), st.integers(1, 3))
def test_slices_are_pythons(items: list[int], start: int, stop: int, step: int) -> None:
    scope = {"xs": items, "a": start, "b": stop, "c": step}
    assert value_of("xs[a:b:c]", scope) == items[start:stop:step]
    assert value_of("xs[a:]", scope) == items[start:]


def test_a_compiled_expression_may_run_many_times() -> None:
    run = compile_expression(parse_expression("[x * n for x in xs]"))
    assert [run({"xs": [1, 2], "n": n}) for n in (1, 2)] == [[1, 2], [2, 4]]


def test_names_that_a_comprehension_binds_do_not_leak() -> None:
    scope = {"x": 1, "xs": [5, 6]}
    assert value_of("[[x for x in xs], x]", scope) == [[5, 6], 1]
    with pytest.raises(ExpressionError, match="nothing defines 'y' here"):
        value_of("[[y for y in xs], y]", scope)
    assert scope == {"x": 1, "xs": [5, 6]}
