"""Several plans are sampled, checked and counted; the most agreed one is proposed."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field
from typing_extensions import TypedDict

from agentkit.agent import Agent
from agentkit.errors import DefinitionError, ModelUnavailableError
from agentkit.events import ModelCalled, PlanProposed, StepStarted
from agentkit.limits import Limits
from agentkit.messages import ModelProfile
from agentkit.planners.candidates import Candidates
from agentkit.planners.judge import ModelJudge
from agentkit.planning import PlanRequest, Proposal
from agentkit.policy import Policy
from agentkit.results import RunResult
from agentkit.run import Run
from agentkit.spelling import read_python
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Tool, tool
from tests.plans import BASIC, World


class Says:
    """Proposes one text."""

    def __init__(self, source: str) -> None:
        self._source = source

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        if request.attempts:
            return None
        return Proposal(read_python(self._source, request.toolbox), self._source)


def candidates(*sources: str, **options: Any) -> Candidates:
    return Candidates(len(sources), lambda number: Says(sources[number]), **options)


async def answer(*sources: str, **options: Any) -> object:
    result = await Agent(tools=[BASIC], planner=candidates(*sources, **options)).run("?")
    return result.output if result.status == "done" else result.error


def notes(result: RunResult) -> dict[str, Any]:
    return next(dict(event.notes) for event in result.events if isinstance(event, PlanProposed))


async def test_the_most_agreed_plan_runs_whatever_its_steps_are_called() -> None:
    hat, scarf = 'x = price_of(name="hat")\nanswer(x)', 'price = price_of(name="scarf")\nanswer(price)'
    assert await answer(hat, scarf, 'cost = price_of(name="scarf")\nanswer(cost)') == 15.5


async def test_plans_that_the_checker_refuses_have_no_vote() -> None:
    wrong = "answer(nope)"
    assert await answer(wrong, wrong, 'answer(price_of(name="hat"))') == 20.0


async def test_a_tie_goes_to_the_plan_with_fewer_calls() -> None:
    long = 'a = price_of(name="hat")\nb = price_of(name="hat")\nanswer([a, b])'
    assert await answer(long, 'answer(price_of(name="glove"))') == 9.0


async def test_if_all_are_refused_the_first_ones_problems_are_reported() -> None:
    assert "nothing defines 'nope'" in str(await answer("answer(nope)", "answer(also)"))


def test_no_candidates_are_refused() -> None:
    with pytest.raises(DefinitionError, match="count is 0; give 1 or more candidates"):
        Candidates(0)


# meaning


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('a = price_of(name="hat")\nanswer(a)', 'answer(price_of("hat"))'),
        (
            'a = price_of(name="hat")\nb = top_products()\nanswer([a, b])',
            'y = top_products()\nx = price_of(name="hat")\nanswer([x, y])',
        ),
        (
            "answer([price_of(name=p.name) for p in top_products()])",
            "goods = top_products()\nanswer([price_of(name=one.name) for one in goods])",
        ),
    ],
)
async def test_plans_that_mean_the_same_are_one_candidate(one: str, other: str) -> None:
    result = await Agent(tools=[BASIC], planner=candidates(one, other)).run("?")
    assert notes(result)["candidates"] == {"asked": 2, "valid": 2, "votes": [2]}


async def test_the_order_of_writes_is_part_of_what_a_plan_means() -> None:
    one = 'a = put(name="a")\nb = put(name="b")\nanswer([a, b])'
    other = 'b = put(name="b")\na = put(name="a")\nanswer([a, b])'
    agent = Agent(tools=World().tools(), planner=candidates(one, other), policy=Policy(writes="auto"))
    assert notes(await agent.run("?"))["candidates"]["votes"] == [1, 1]


# certificates: the efficient order


class Company(TypedDict):
    """A company."""

    name: str
    raised: float
    revenue: float


COMPANIES = [
    Company(name=f"c{i}", raised=2e9 if i % 10 == 0 else 1e6, revenue=0.0 if i % 4 == 0 else 5e6) for i in range(40)
]


@tool(effect="read", cost=0.001)
async def companies_that_raised(at_least: float) -> Annotated[list[str], Field(max_length=20)]:
    """Names of the companies that have raised at least so many US dollars; there are few.

    Args:
        at_least: US dollars.
    """
    return [company["name"] for company in COMPANIES if company["raised"] >= at_least]


@tool(effect="read", cost=0.001)
async def companies_without_revenue() -> Annotated[list[str], Field(max_length=500)]:
    """Names of the companies that have no revenue; there are many."""
    return [company["name"] for company in COMPANIES if not company["revenue"]]


@tool(effect="read", cost=0.001)
async def revenue_of(name: str) -> float:
    """The revenue of a company in US dollars.

    Args:
        name: Its name.
    """
    return next(company["revenue"] for company in COMPANIES if company["name"] == name)


@tool(effect="read", cost=0.001)
async def raised_by(name: str) -> float:
    """What a company has raised, in US dollars.

    Args:
        name: Its name.
    """
    return next(company["raised"] for company in COMPANIES if company["name"] == name)


async def test_of_two_valid_plans_the_one_that_filters_the_rarer_first_runs() -> None:
    """How many companies without revenue have raised at least $1 billion? At most 20 look-ups beat at most 500."""
    common_first = (
        "idle = companies_without_revenue()\nraised = [raised_by(name=c) for c in idle]\n"
        "answer(len([r for r in raised if r >= 1000000000]))"
    )
    rare_first = (
        "rich = companies_that_raised(at_least=1000000000)\nrevenues = [revenue_of(name=c) for c in rich]\n"
        "answer(len([r for r in revenues if r == 0]))"
    )
    tools: list[Tool] = [companies_that_raised, companies_without_revenue, revenue_of, raised_by]
    planner = candidates(common_first, common_first, rare_first, by="certificate")
    result = await Agent(tools=tools, planner=planner).run(
        "How many companies without revenue have raised at least $1 billion?"
    )
    assert result.output == 2
    assert result.usage.tool_calls == 5
    assert {event.action for event in result.events if isinstance(event, StepStarted)} == {
        "companies_that_raised",
        "revenue_of",
    }
    assert notes(result)["candidates"]["votes"] == [1, 2]


# fallback


async def test_the_next_best_plan_runs_when_the_best_fails_without_asking_again() -> None:
    fails, works, last = 'answer(price_of("sombrero"))', 'answer(price_of("hat"))', "answer(top_products()[0].price)"
    result = await Agent(tools=[BASIC], planner=candidates(fails, fails, works, last)).run("?")
    assert result.output == 20.0
    assert [len(event.notes["next"]) for event in result.events if isinstance(event, PlanProposed)] == [2, 1]


async def test_fallbacks_can_be_turned_off() -> None:
    fails, works = 'answer(price_of("sombrero"))', 'answer(price_of("hat"))'
    assert "no further plan" in str(await answer(fails, fails, works, fallbacks=0))


async def test_a_fallback_repeats_no_write_that_is_done() -> None:
    world = World()
    world.failures["b"] = 1
    one = 'a = put(name="a")\nb = look(name="b")\nanswer([a, b])'
    other = 'a = put(name="a")\nc = think(name="c")\nanswer([a, c])'
    agent = Agent(tools=world.tools(), planner=candidates(one, one, other), policy=Policy(writes="auto"))
    assert (await agent.run("?")).output == ["a", "c"]
    assert world.log.count("start a") == 1


# the judge


HAT, SCARF, GLOVE = (f'answer(price_of("{name}"))' for name in ("hat", "scarf", "glove"))
PLAIN = ModelProfile()


async def judged(*letters: str, plans: tuple[str, ...] = (HAT, SCARF), limits: Limits | None = None) -> RunResult:
    planner = candidates(*plans, judge=ModelJudge())
    model = ScriptedModel(letters, profile=PLAIN)
    return await Agent(model, tools=[BASIC], planner=planner).run("What is the scarf's price?", limits=limits)


async def test_the_judge_s_choice_runs_when_it_is_the_same_in_both_orders() -> None:
    result = await judged("B", "A")
    assert result.output == 15.5
    assert notes(result)["candidates"]["points"] == [1.0, 0.0]
    asked = [event for event in result.events if isinstance(event, ModelCalled)]
    assert [event.purpose for event in asked] == ["judge", "judge"]
    first, second = (event.prompt[-1]["content"] for event in asked)
    assert first.index('"hat"') < first.index("Plan B") < first.rindex('"scarf"')
    assert second.index("Plan B") < second.index('"hat"')


async def test_a_judge_that_contradicts_itself_has_said_nothing() -> None:
    assert (await judged("A", "A")).output == 20.0
    assert notes(await judged("B", "B"))["candidates"]["points"] == [0.5, 0.5]


async def test_three_plans_are_compared_each_with_each() -> None:
    result = await judged("A", "B", "B", "A", "B", "A", plans=(HAT, SCARF, GLOVE))
    assert result.output == 9.0
    assert notes(result)["candidates"]["points"] == [2.0, 1.0, 0.0]


async def test_a_reply_that_is_no_letter_is_asked_again_and_a_limit_leaves_the_ranking() -> None:
    assert (await judged("The second one is better.", "B", "A")).output == 15.5
    limited = await judged("B", limits=Limits(model_calls=1))
    assert (limited.output, "points" in notes(limited)["candidates"]) == (20.0, False)


# budgets


async def test_samples_at_the_same_time_do_not_pass_the_limit_of_model_calls() -> None:
    model = ScriptedModel([HAT, HAT], profile=PLAIN)
    result = await Agent(model, tools=[BASIC], planner=Candidates(5)).run("?", limits=Limits(model_calls=2))
    assert (result.output, result.usage.model_calls) == (20.0, 2)


async def test_a_sample_that_fails_does_not_take_the_others_with_it() -> None:
    down = ModelUnavailableError("overloaded")
    model = ScriptedModel([HAT, down, SCARF], profile=PLAIN)
    limits = Limits(transport_retries=0)
    assert (await Agent(model, tools=[BASIC], planner=Candidates(3)).run("?", limits=limits)).output == 20.0


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(DefinitionError, match="by is 'luck'; give 'vote' or 'certificate'"):
        Candidates(by="luck")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="judged is 1 and fallbacks is 2; give at least 2 and at least 0"):
        Candidates(judged=1)
