"""What the checker suggests for a value that cannot be used passes when it is done."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pytest
from typing_extensions import TypedDict

from agentkit.checker import check
from agentkit.spelling import read_json, read_python
from agentkit.toolbox import Toolbox, tool


class Hat(TypedDict):
    """A hat."""

    units: int
    name: str


@tool(effect="read")
def hats(count: int = 3) -> list[Hat]:
    """Hats.

    Args:
        count: How many.
    """
    return []


@tool(effect="read")
def price(name: str, site: Literal["north", "south"] = "north") -> float:
    """The price of a hat.

    Args:
        name: Its name.
        site: Where.
    """
    return 1.0


@tool(effect="read")
def total(names: list[str], on: date | None = None, net: bool = True) -> int:
    """What hats cost together.

    Args:
        names: Their names.
        on: When.
        net: Without taxes.
    """
    return 1


@tool(effect="pure")
def today() -> date:
    """The date of today."""
    return date(2026, 11, 21)


TOOLS = Toolbox(hats, price, total, today)


@pytest.mark.parametrize(
    ("wrong", "suggestion", "right"),
    [
        ("price(name=3)", 'Write "3", in quotes.', 'price(name="3")'),
        ('hats(count="3")', "Write 3, without quotes.", "hats(count=3)"),
        ('total(names=[], net="true")', "Write True, without quotes.", "total(names=[], net=True)"),
        ('price(name="x", site="North")', 'Did you mean "north"?', 'price(name="x", site="north")'),
        ('total(names=[], on="tomorrow")', 'Write it like "2026-11-21".', 'total(names=[], on="2026-11-21")'),
        (
            "price(name=hats())",
            "It is a list: add [0].name to pass its first item, or loop over it.",
            "price(name=hats()[0].name)",
        ),
        ("price(name=hats()[0])", "Add .name to pass that field.", "price(name=hats()[0].name)"),
        ('price(name=price(name="x"))', "Write str( ) around it.", 'price(name=str(price(name="x")))'),
        (
            "hats(count=hats()[0].name)",
            "Write int( ) around it, if it spells a number.",
            "hats(count=int(hats()[0].name))",
        ),
        (
            "total(names=hats()[0].name)",
            "A list is wanted: write [ ] around it.",
            "total(names=[hats()[0].name])",
        ),
        ("today() - 7", "Write add_days(date, -n).", "add_days(today(), -7)"),
        ("today() + 7", "Write add_days(date, n).", "add_days(today(), 7)"),
        (
            'today() - date("2026-01-01")',
            "Write days_between(start, end).",
            'days_between(date("2026-01-01"), today())',
        ),
    ],
)
def test_what_is_suggested_passes(wrong: str, suggestion: str, right: str) -> None:
    (problem,) = check(read_python(f"answer({wrong})", TOOLS), TOOLS).errors
    assert problem.suggestion == suggestion
    assert check(read_python(f"answer({right})", TOOLS), TOOLS).ok


@pytest.mark.parametrize("wrong", ["hats(count=2.5)", 'hats(count="some")', "price(name=None)", "total(names=3)"])
def test_nothing_is_suggested_where_nothing_is_known_to_pass(wrong: str) -> None:
    (problem,) = check(read_python(f"answer({wrong})", TOOLS), TOOLS).errors
    assert problem.suggestion == ""


def test_an_expression_of_a_json_plan_without_its_marks_is_told() -> None:
    said = 'In JSON an expression stands in "${…}"; without these marks it is a text.'
    one = [{"id": "a", "kind": "value", "value": 1}]
    steps = [
        {"id": "top", "kind": "call", "tool": "hats"},
        {"id": "c", "kind": "if", "condition": "len(top) > 1", "then": one},
        {"id": "f", "kind": "for_each", "item": "hat", "in": "top", "do": [{"id": "b", "kind": "value", "value": 2}]},
    ]
    found = check(read_json({"steps": steps, "answer": ["${c}", "${f}"]}), TOOLS).errors
    assert [(one.code.name, one.suggestion) for one in found] == [("NOT_BOOLEAN", said), ("NOT_ITERABLE", said)]


def test_a_kind_in_capitals_is_known_again() -> None:
    plan = read_json({"steps": [{"id": "top", "kind": "CALL", "tool": "hats"}], "answer": "${top}"})
    assert check(plan, TOOLS).errors[0].suggestion == "Did you mean 'call'?"


@pytest.mark.parametrize("source", ["answer({name})", "{name} = hats()\nanswer({name}.x)", 'answer("{name}" - 1)'])
def test_what_is_said_of_a_plan_with_endless_words_is_short_enough_for_a_prompt(source: str) -> None:
    plan = read_python(source.replace("{name}", "x" * 3_000), TOOLS)
    assert all(len(str(problem)) < 5_000 for problem in check(plan, TOOLS).errors)
    assert not check(plan, TOOLS).ok
