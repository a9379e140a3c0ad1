"""The success rates of the named cases: each is judged by what was really done."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agentkit.messages import ModelProfile
from agentkit.testing import ScriptedModel
from examples.planning import control_flow, leap_year, rate, rooms, travel

SHARES = control_flow.CASES["shares"].plan
MADE_UP = """\
found = web_search(query="film with the most Oscars 1998")
answer("Steven Spielberg, or: " + found[0:3])
"""


@pytest.mark.parametrize("name", rate.CASES)
async def test_the_plans_beside_the_examples_are_right(name: str) -> None:
    assert await rate.ended_how(rate.CASES[name]) == ("right", "")


@pytest.mark.parametrize(
    ("name", "replies", "why"),
    [
        ("a search, planned and checked first", ['answer("James Cameron")'], "nothing was searched"),
        ("a search, planned and checked first", [MADE_UP], "the answer is 'Steven Spielberg, or: Tit'"),
        ("prices of the top 100, in parallel", ["answer([1.5])"], "the answer is [1.5]"),
        ("ten pages at once", [f"answer({[str(n) for n in range(10)]})"], "the answer is ['0', '1', "),
        ("buy or sell by the report", [SHARES.replace(">", "<")], "it did ['sold NVIDIA']"),
        ("draw until a prime", ["answer(7)"], "it drew [], which is not up to the first prime"),
        ("two hops (ReAct)", ['Action: answer("1,800 to 7,000 ft")'], "it has not read both articles"),
        (
            "code mended by its tests (Reflexion)",
            ['answer("year % 4 == 0 and year != 1900")'],
            "'year % 4 == 0 and year != 1900' is wrong for 5 of 801 years",
        ),
        (
            "words translated after a rename",
            ["best = best_selling_product()", "price = catalogue_lookup(product=best)", "answer(19.99)"],
            "the answer is 19.99",
        ),
    ],
)
async def test_a_run_that_says_done_and_is_not_right_counts_as_wrong(
    name: str, replies: Sequence[str], why: str
) -> None:
    case = rate.CASES[name]
    how, told = await rate.ended_how(case, ScriptedModel([*replies] * 3, profile=ModelProfile(tools=False)))
    assert how == "wrong"
    assert told.startswith(why)
    assert case.right


async def test_what_the_agents_own_judges_catch_counts_as_not_done() -> None:
    forty, city = rooms.FORTY, travel.plan_to("Ho Chi Minh City")
    for name, replies in {
        "50 people into 30 rooms": [forty] * 3,
        "two weeks in Hanoi under $5,000": [city] * 3,
        "code mended by its tests (Reflexion)": list(leap_year.REPLIES[:2]) * 3,
    }.items():
        how, _ = await rate.ended_how(rate.CASES[name], ScriptedModel(replies, profile=ModelProfile()))
        assert how == "not done", name
