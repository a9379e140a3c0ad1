"""What can be written as the next line of a plan, asked of llguidance, which decodes by the same grammar."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from typing_extensions import TypedDict

from agentkit import Toolbox, tool
from agentkit.spelling import LineOption, line_grammar
from agentkit.types import Type, from_schema
from tests.line_grammars import admits


class Week(TypedDict):
    """A week's sales."""

    start: date
    units: int


class Campaign(TypedDict):
    """A campaign."""

    name: str
    budget: float


class Filter(TypedDict):
    """What to look for; no tool gives one."""

    colour: str
    limit: int


@tool(effect="read")
def fetch_sales(product: str, since: date) -> list[Week]:
    """Weeks of a product.

    Args:
        product: Its name.
        since: The first day.
    """
    return []


@tool(effect="read")
def fetch_campaigns(product: str) -> list[Campaign]:
    """Campaigns of a product.

    Args:
        product: Its name.
    """
    return []


@tool(effect="read")
def find_products(wanted: Filter) -> list[str]:
    """Names of products.

    Args:
        wanted: What to look for.
    """
    return []


@tool(effect="pure")
def project(sales: list[Week], campaigns: list[Campaign], weeks: int = 12) -> str:
    """A projection in words.

    Args:
        sales: Recorded weeks.
        campaigns: All campaigns.
        weeks: How far.
    """
    return ""


@tool(effect="pure")
def lbs_to_kg(lbs: float) -> float:
    """Pounds to kilograms.

    Args:
        lbs: Pounds.
    """
    return lbs * 0.45359237


@tool(effect="read")
def is_open(product: str) -> bool:
    """Whether a product can be ordered.

    Args:
        product: Its name.
    """
    return True


SHOP = Toolbox(fetch_sales, fetch_campaigns, find_products, project)
COMPUTING = Toolbox(lbs_to_kg)
ASKED = Toolbox(is_open, is_open.replace(name="open_shop", effect="write"))
SALES, CAMPAIGNS, NAMES = (one.output_type for one in (fetch_sales, fetch_campaigns, find_products))


def writable(line: str, scope: Mapping[str, Type], toolbox: Toolbox = SHOP, **option: Any) -> bool:
    """Whether the grammar of a line with `scope` in sight admits exactly `line` and its newline."""
    return admits(line_grammar(toolbox, [LineOption(0, scope, **option)]), line)


@pytest.mark.parametrize(
    "line",
    [
        'more = fetch_sales(product="Fedora", since="2026-11-01")',
        "units = [p.units for p in sales]",
        "best = sales[0].units",
        'total = sum([p.units for p in sales]) + 3',
        "answer(f\"{sales[0].units} units\")",
        'if sales[0].units > 10:',
        'for p in sales:',
        "found = []",
        'x = [fetch_campaigns(product=p) for p in names]',
        'outlook = project(sales=sales, campaigns=campaigns)',
        'outlook = project(sales=sales, campaigns=campaigns, weeks=len(sales))',
    ],
)  # fmt: skip
def test_what_fits_the_names_and_types_in_scope_can_be_written(line: str) -> None:
    assert writable(line, {"sales": SALES, "campaigns": CAMPAIGNS, "names": NAMES})


@pytest.mark.parametrize(
    "line",
    [
        'x = bing_search(query="Fedora")',  # no such tool
        'sales = fetch_sales(name="Fedora", since="2026-11-01")',  # no such argument
        'sales = fetch_sales(product="Fedora", since="yesterday")',  # not a date
        'sales = fetch_sales(product="Fedora")',  # an argument is missing
        "x = later[0].units",  # no such name
        "x = sales[0].price",  # no such field
        "outlook = project(sales=campaigns, campaigns=campaigns)",  # a list of something else
        "outlook = project(sales=sales, campaigns=campaigns, weeks=names[0])",  # text for a number
        "if names[0]:",  # not a condition
        "import os",
        "x = __import__(\"os\")",
    ],
)  # fmt: skip
def test_what_the_checker_would_refuse_cannot_be_written(line: str) -> None:
    assert not writable(line, {"sales": SALES, "campaigns": CAMPAIGNS, "names": NAMES})


def test_a_record_that_a_tool_makes_is_referred_to_and_never_made_up() -> None:
    invented = 'x = project(sales=[{"start": "2026-11-16", "units": 100}], campaigns=campaigns)'
    assert not writable(invented, {"campaigns": CAMPAIGNS})
    assert not writable("x = project(sales=campaigns, campaigns=campaigns)", {"campaigns": CAMPAIGNS})
    assert writable("x = project(sales=sales, campaigns=campaigns)", {"sales": SALES, "campaigns": CAMPAIGNS})


def test_a_record_that_no_tool_makes_is_written_out() -> None:
    assert writable('x = find_products(wanted={"colour": "red", "limit": 3})', {})


def test_constants_are_at_most_added_where_a_tool_computes() -> None:
    assert not writable("kg = 40 / 2.2", {}, COMPUTING)
    assert not writable("answer(40 / 2.2)", {}, COMPUTING)
    assert writable("kg = lbs_to_kg(lbs=40)", {}, COMPUTING)
    assert writable("kg = lbs_to_kg(lbs=12 + 15 + 20.5)", {}, COMPUTING)
    assert writable("more = kg * 2", {"kg": lbs_to_kg.output_type}, COMPUTING)


def test_constants_are_reckoned_with_where_no_tool_computes() -> None:
    assert writable("answer(1240 * 15 / 100)", {})


@pytest.mark.parametrize(
    "line",
    [
        'more = [fetch_campaigns(product=f"product {p}") for p in range(1, 11)]',
        "for p in range(3):",
    ],
)
def test_what_is_numbered_is_gone_through_by_its_numbers(line: str) -> None:
    assert writable(line, {})
    assert not writable("for p in range(names):", {"names": NAMES})


def test_something_may_stand_before_a_line_or_nothing_at_all_be_written() -> None:
    spoken = line_grammar(SHOP, [LineOption(0, {})], before='"Say: "')
    assert admits(spoken, "Say: answer(3)")
    assert not admits(spoken, "answer(3)")
    for or_nothing in (True, False):
        lark = line_grammar(SHOP, [LineOption(0, {})], or_nothing=or_nothing)
        assert admits(lark, "answer(3)")
        assert admits(lark, "", newline=False) == or_nothing


def test_if_while_and_filters_may_ask_a_tool() -> None:
    assert writable("while not is_open(product=names[0]):", {"names": NAMES}, ASKED)
    assert writable("if is_open(product=names[0]):", {"names": NAMES}, ASKED)
    assert writable("open = [is_open(product=p) for p in names if is_open(product=p)]", {"names": NAMES}, ASKED)
    assert not writable("if open_shop(product=names[0]):", {"names": NAMES}, ASKED)  # a write is a step of its own
    assert not writable("if fetch_campaigns(product=names[0]):", {"names": NAMES})  # which is no yes or no


@pytest.mark.parametrize("name", ["answer1", "answers", "print_it", "return_total", "importance", "for", "sales"])
def test_no_name_begins_like_the_end_of_a_plan_or_is_taken(name: str) -> None:
    """A model that writes `answer` and misses the parenthesis would go on for ever."""
    assert not writable(f"{name} = 3", {"sales": SALES})
    assert writable("the_answer = 3", {"sales": SALES})


@pytest.mark.parametrize(
    ("output", "good", "bad"),
    [
        ({"type": "string"}, ['answer("x" if len(names) > 1 else names[0])'], ["answer(1)", "answer(names)"]),
        ({"type": "integer"}, ["answer(sales[0].units)", "answer(3)"], ['answer("3")', "answer(names[0])"]),
        (
            {"type": "array", "items": {"type": "string"}},
            ["answer(names)", 'answer([f"{p.units} units" for p in sales if p.units > 2])'],
            ["answer(sales)", "answer([p.units for p in sales])"],
        ),
        (
            {"type": "object", "properties": {"best": {"type": "string"}}, "required": ["best"]},
            ['answer({"best": names[0]})'],
            ['answer({"worst": names[0]})', "answer(names[0])"],
        ),
    ],
)  # fmt: skip
def test_an_answer_has_the_type_that_is_asked_for(output: dict[str, Any], good: list[str], bad: list[str]) -> None:
    scope = {"sales": SALES, "names": NAMES}
    assert all(writable(line, scope, answer=from_schema(output)) for line in good)
    assert not any(writable(line, scope, answer=from_schema(output)) for line in bad)


def test_arithmetic_goes_into_parentheses_only_so_deep() -> None:
    assert writable("x = ((1 + 2) * 3 + 1) * round(sales[0].units / (4 - 1), 1)", {"sales": SALES})
    assert not writable("x = (2 * (2 * (2 * 2)))", {"sales": SALES})


def test_break_else_and_answers_are_written_only_where_they_can_stand() -> None:
    assert writable("break", {}, in_loop=True)
    assert not writable("break", {})
    assert writable("else:", {}, after_if=True)
    assert not writable("else:", {})
    assert not writable("answer(1)", {}, answer=None)
    assert not writable('if 1 == 1:', {}, opens=False)  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        'answer([f"{p.name}: ${p.budget:.2f}" for p in campaigns if p.budget > 100])',
        "answer(sum([p.units * 2 for p in sales if p.start >= sales[0].start]))",
        'answer({"units": [p.units for p in sales], "campaigns": campaigns})',
        "x = [campaigns[0].budget - p.budget for p in campaigns]",
        "if campaigns[0].name == campaigns[1].name:",
    ],
)
def test_comprehensions_reckon_and_write_about_each_item(line: str) -> None:
    assert writable(line, {"sales": SALES, "campaigns": CAMPAIGNS})
