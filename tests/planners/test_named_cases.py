"""The named cases of planning, as the examples run them."""

from __future__ import annotations

from agentkit.events import Event, ModelCalled, PlanChecked, PlanProposed, Reflected, StepFinished, StepStarted
from agentkit.results import RunResult
from examples.planning import control_flow, decoupled, hops, leap_year, renamed


def called(result: RunResult) -> list[str]:
    return [event.action for event in result.events if isinstance(event, StepStarted)]


def most_at_once(events: tuple[Event, ...], action: str) -> int:
    """How many calls of a tool were under way at the same time."""
    under_way: set[str] = set()
    most = 0
    for event in events:
        if isinstance(event, StepStarted) and event.action == action:
            under_way.add(event.step)
        elif isinstance(event, StepFinished):
            under_way.discard(event.step)
        most = max(most, len(under_way))
    return most


async def test_decoupled_planning_refuses_a_tool_that_is_not_there_before_anything_runs() -> None:
    """`bing_search` is refused with code and suggestion, repaired, and only then run."""
    result = await decoupled.run()
    assert result.status == "done"
    first, second = (event for event in result.events if isinstance(event, PlanChecked))
    assert (first.codes, second.accepted) == (("AK201",), True)
    expected = "there is no tool 'bing_search'. Expected one of: web_search. Did you mean 'web_search'?"
    assert first.diagnostics[0].endswith(expected)
    assert called(result) == ["web_search"]
    kinds = [event.kind for event in result.events]
    assert kinds.index("step_started") > kinds.index("plan_checked", kinds.index("plan_checked") + 1)


async def test_the_prices_of_the_top_100_products_are_fetched_in_parallel() -> None:
    result = await control_flow.run("prices")
    assert result.output == [number + 0.5 for number in range(1, 101)]
    assert most_at_once(result.events, "price") == 100


async def test_ten_web_pages_are_read_at_once() -> None:
    result = await control_flow.run("pages")
    assert len(result.output) == 10
    assert most_at_once(result.events, "read_page") == 10


async def test_nvidia_s_earnings_report_decides_whether_to_buy_or_to_sell() -> None:
    result = await control_flow.run("shares")
    assert result.output == "bought NVIDIA"
    assert called(result) == ["earnings_report", "buy"]


async def test_random_numbers_are_drawn_until_one_is_a_prime() -> None:
    result = await control_flow.run("prime")
    verdicts = [event.value for event in result.events if isinstance(event, StepFinished) and "found" in event.step]
    drawn = called(result).count("random_number")
    assert result.output in {n for n in range(2, 101) if all(n % d for d in range(2, n))}
    assert verdicts == [False] * (drawn - 1) + [True]


async def test_a_question_over_two_articles_is_answered_by_thought_and_action() -> None:
    """ReAct on a HotpotQA-style question."""
    result = await hops.run()
    assert result.output == "1,800 to 7,000 ft"
    assert called(result) == ["search", "search"]
    assert all(event.notes["thought"] for event in result.events if isinstance(event, PlanProposed))


async def test_code_that_fails_a_third_of_its_tests_is_mended_by_the_lesson_of_the_first_try() -> None:
    """Reflexion: evaluator, self-reflection, a new trajectory."""
    result = await leap_year.run()
    assert result.output == "year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)"
    first, second = (event for event in result.events if isinstance(event, Reflected))
    assert first.reason == "1 of 3 tests fail: for year=1900 it gave True, expected False"
    assert second.done
    purposes = [event.purpose for event in result.events if isinstance(event, ModelCalled)]
    assert purposes == ["plan", "reflect", "plan"]


async def test_the_same_plan_in_words_runs_before_and_after_a_tool_is_renamed() -> None:
    before, after = await renamed.run(renamed.BEFORE), await renamed.run(renamed.AFTER)
    assert before.output == after.output == 29.99
    assert called(before) == ["best_selling_product", "get_price"]
    assert called(after) == ["best_selling_product", "catalogue_lookup"]
