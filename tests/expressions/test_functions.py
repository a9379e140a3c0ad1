"""Each pure function does what its line in the reference says, for good input and bad."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit.errors import ExpressionError
from agentkit.expressions import FUNCTIONS, RESERVED, evaluate, parse_expression

SCOPE: dict[str, Any] = {
    "xs": [3, 1, 2, 3],
    "words": ["b", "a"],
    "o": {"a": 1, "b": [2]},
    "rows": [{"n": 2}, {"n": 1}],
    "day": "2026-01-31",
    "moment": "2026-01-31T10:30:00+01:00",
}

CASES: dict[str, list[tuple[str, Any]]] = {
    "len": [("len(xs)", 4), ("len(o)", 2), ("len('abc')", 3)],
    "sum": [("sum(xs)", 9), ("sum([])", 0), ("sum(xs, 0.5)", 9.5)],
    "min": [("min(xs)", 1), ("min(4, 2)", 2), ("min([], default=0)", 0), ("min(rows, key=lambda r: r.n).n", 1)],
    "max": [("max(words)", "b"), ("max(1, 2.5)", 2.5), ("max([1, 2], [1, 3])", [1, 3])],
    "sorted": [
        ("sorted(xs)", [1, 2, 3, 3]),
        ("sorted(words, reverse=True)", ["b", "a"]),
        ("sorted(o)", ["a", "b"]),
        ("sorted(rows, key=lambda r: r.n)[0].n", 1),
        ("sorted(words, key=len)", ["b", "a"]),
    ],
    "any": [("any([False, True])", True), ("any(x > 5 for x in xs)", False)],
    "all": [("all([])", True), ("all(x > 0 for x in xs)", True)],
    "round": [("round(2.5)", 2), ("round(2.456, 2)", 2.46), ("round(1234, -2)", 1200)],
    "abs": [("abs(-3)", 3), ("abs(-0.5)", 0.5)],
    "str": [("str(5)", "5"), ("str('a')", "a"), ("str(o)", '{"a": 1, "b": [2]}'), ("str(True)", "true")],
    "int": [("int('12')", 12), ("int(3.9)", 3), ("int(True)", 1)],
    "float": [("float('2.5')", 2.5), ("float(2)", 2.0)],
    "bool": [("bool('')", False), ("bool(xs)", True), ("bool(None)", False)],
    "range": [("range(3)", [0, 1, 2]), ("range(1, 4)", [1, 2, 3]), ("range(5, 0, -2)", [5, 3, 1]), ("range(0)", [])],
    "list": [("list(xs)", [3, 1, 2, 3]), ("list(o)", ["a", "b"])],
    "enumerate": [("enumerate(words)", [[0, "b"], [1, "a"]]), ("enumerate(words, 1)[0]", [1, "b"])],
    "zip": [("zip(xs, words)", [[3, "b"], [1, "a"]])],
    "reversed": [("reversed(xs)", [3, 2, 1, 3])],
    "flatten": [("flatten([[1], [], [2, 3]])", [1, 2, 3]), ("flatten([])", [])],
    "unique": [("unique(xs)", [3, 1, 2]), ("unique([1, True, 1.0, o, o])", [1, True, {"a": 1, "b": [2]}])],
    "get": [("get(o, 'a')", 1), ("o.get('z', 9)", 9), ("o.get('z')", None)],
    "keys": [("o.keys()", ["a", "b"])],
    "values": [("o.values()", [1, [2]])],
    "items": [("o.items()", [["a", 1], ["b", [2]]])],
    "contains": [("contains(xs, 2)", True), ("contains('abc', 'bc')", True), ("contains(o, 'z')", False)],
    "lower": [("'AbC'.lower()", "abc")],
    "upper": [("upper('ß')", "SS")],
    "title": [("'kitty vogue'.title()", "Kitty Vogue")],
    "strip": [("'  a '.strip()", "a"), ("strip('--a-', '-')", "a")],
    "split": [("'a b  c'.split()", ["a", "b", "c"]), ("'a,b'.split(',')", ["a", "b"])],
    "join": [("', '.join(words)", "b, a"), ("'-'.join([1, None])", "1-null"), ("''.join([])", "")],
    "replace": [("'aXa'.replace('a', 'b')", "bXb")],
    "startswith": [("'abc'.startswith('ab')", True)],
    "endswith": [("'abc'.endswith('b')", False)],
    "format": [
        ("format(3.14159, '.2f')", "3.14"),
        ("format(1234567, ',')", "1,234,567"),
        ("format(0.25, '.0%')", "25%"),
    ],
    "date": [
        ("date(moment)", "2026-01-31"),
        ("date(2026, 2, 3)", "2026-02-03"),
        ("datetime.fromisoformat(day)", "2026-01-31"),
    ],
    "add_days": [
        ("add_days(day, 1)", "2026-02-01"),
        ("add_days(moment, -31)", "2025-12-31T10:30:00+01:00"),
        ("add_days(day, 2.0)", "2026-02-02"),
    ],
    "add_months": [("add_months(day, 1)", "2026-02-28"), ("add_months(day, -2)", "2025-11-30")],
    "days_between": [("days_between('2026-01-01', day)", 30), ("days_between(day, '2026-01-01')", -30)],
    "weekday": [("weekday('2026-11-21')", 5), ("'2026-11-23'.weekday()", 0)],
    "year": [("year(day)", 2026)],
    "month": [("month(day)", 1)],
    "day": [("day(moment)", 31)],
    "start_of_week": [("start_of_week('2026-11-21')", "2026-11-16")],
    "start_of_month": [("start_of_month(moment)", "2026-01-01")],
    "format_date": [
        ("format_date(day, '%A, %-d %B %Y')", "Saturday, 31 January 2026"),
        ("day.strftime('%d.%m.%y %%')", "31.01.26 %"),
        ("format_date(moment, '%H:%M %I %p')", "10:30 10 AM"),
    ],
}


@pytest.mark.parametrize(("text", "value"), [case for cases in CASES.values() for case in cases])
def test_a_function_gives_what_it_says(text: str, value: Any) -> None:
    found = evaluate(parse_expression(text), SCOPE)
    assert found == value
    assert type(found) is type(value)


def test_every_function_is_documented_reserved_and_tested() -> None:
    assert set(CASES) == set(FUNCTIONS)
    for name, function in FUNCTIONS.items():
        assert function.signature.startswith(f"{name}(")
        assert " -> " in function.signature
        assert function.doc.endswith(".")
        assert name in RESERVED


@pytest.mark.parametrize(
    "text",
    [
        "len(None)", "sum('ab')", "sum(['a'])", "sum([True])", "min([None])", "max([1, 'a'])", "sorted([1, 'a'])",
        "sorted([{}, {}])", "sorted(xs, reverse=1)", "sorted(xs, lambda x: x)", "any([1])", "all(['a'])", "round('2')",
        "round(1.5, 0.5)", "abs('x')", "abs(True)", "int('1.5')", "int([])", "int('')", "float('inf')",
        "float('1e999')", "zip()", "flatten([1])", "flatten(1)",
        "range('3')", "range(1, 2, 0)", "list('abc')", "enumerate(3)", "zip(xs, 3)", "unique(None)", "get(xs, 0)",
        "get(o, 1)", "keys(xs)", "values('a')", "items(None)", "contains(1, 2)", "lower(1)", "strip('a', 1)",
        "split('a', '')", "split(1)", "join(1, xs)", "join(',', 1)", "replace('a', '', 'b')", "startswith('a', 1)",
        "format(1, 'q')", "format('a', '.2f')", "format(1.5, 'd')", "format(True, 'd')", "date('2026-13-01')",
        "date(2026, 2, 30)", "date('yesterday')", "date(2026)", "add_days(day, 0.5)", "add_days(day, 4000000)",
        "add_days(day, -4000000)", "add_months(day, 10**9)", "weekday(5)", "year(None)", "format_date(day, '%Q')",
        "format_date(day, '%')", "format_date('soon', '%Y')", "date('٢٠٢٦-٠١-٠١')",
    ],
)  # fmt: skip
def test_bad_input_is_an_expression_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(parse_expression(text), SCOPE)
