"""Plans in plain words and their translation: by a model, or by matching words and types."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.events import ModelCalled, PlanProposed, StepStarted
from agentkit.limits import Limits
from agentkit.messages import GrammarOutput, ModelProfile
from agentkit.planners.matching import MatchTranslator
from agentkit.planners.natural_language import NaturalLanguage
from agentkit.planners.translation import ModelTranslator
from agentkit.results import RunResult
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Tool, Toolbox, tool
from tests.line_grammars import admits
from tests.plans import double, price_of, top_products

STEPS = [
    "Find the 1 product that sells best.",
    "Look up the price of that product.",
    "Answer with the price.",
]
WRITTEN = "\n".join(f"{number}. {text}" for number, text in enumerate(STEPS, start=1))
FREE = ModelProfile()


def scripted(*replies: str) -> ScriptedModel:
    return ScriptedModel(replies, profile=FREE)


def notes(result: RunResult, number: int = 0) -> dict[str, Any]:
    return [dict(event.notes) for event in result.events if isinstance(event, PlanProposed)][number]


def called(result: RunResult) -> list[str]:
    return [event.action for event in result.events if isinstance(event, StepStarted)]


async def test_a_plan_in_words_is_translated_step_by_step() -> None:
    model = scripted(
        WRITTEN, "top = top_products(count=1)", "```python\ncost = price_of(name=top[0].name)\n```", "answer(cost)"
    )
    agent = Agent(model, tools=[top_products, price_of, double], planner=NaturalLanguage())
    result = await agent.run("What does the product that sells best cost?")
    assert result.output == 20.0
    assert notes(result)["steps"] == STEPS
    translation = notes(result)["translation"]
    assert {name: value for name, value in translation.items() if name != "of"} == {
        "steps": 3,
        "translated": 3,
        "failed": 0,
        "wrong_tool": 0,
        "wrong_arguments": 0,
        "tries": 3,
    }
    assert [row["tools"] for row in translation["of"]] == [["top_products"], ["price_of"], []]
    purposes = [event.purpose for event in result.events if isinstance(event, ModelCalled)]
    assert purposes == ["plan", "translate", "translate", "translate"]
    third = model.requests[3].messages
    assert third[: len(model.requests[2].messages)] == model.requests[2].messages


async def test_a_small_model_translates_under_grammars_of_what_is_defined() -> None:
    """Line by line; nothing more is the end of a step, and the answer that of the last one."""
    profile = ModelProfile(grammar=True, prefix=True, decoding="typed")
    translator = ScriptedModel(
        ["top = top_products(count=1)", "", "cost = price_of(name=top[0].name)", "", "answer(cost)"], profile=profile
    )
    agent = Agent(tools=[top_products, price_of], planner=NaturalLanguage(ModelTranslator(translator), steps=STEPS))
    result = await agent.run("What does the product that sells best cost?")
    assert (result.status, result.output) == ("done", 20.0)
    larks = [request.output.lark for request in translator.requests if isinstance(request.output, GrammarOutput)]
    assert [request.prefix for request in translator.requests] == [
        "",
        "top = top_products(count=1)\n",
        "",
        "cost = price_of(name=top[0].name)\n",
        "",
    ]
    assert [admits(lark, "cost = price_of(name=top[0].name)") for lark in larks] == [False, True, True, False, False]
    assert [admits(lark, "answer(cost)") for lark in larks] == [False, False, False, False, True]
    assert not any(admits(lark, 'cost = get_price(name="Fedora")') for lark in larks)


async def test_a_renamed_tool_changes_neither_the_plan_nor_the_prompt_that_asks_for_it() -> None:
    """Granularity: the same plan in words runs before and after, and the planner's model is asked the same."""
    asked = []
    for toolbox in (Toolbox(top_products, price_of), Toolbox(top_products, price_of.replace(name="fetch_price"))):
        model = scripted(WRITTEN)
        agent = Agent(model, tools=[toolbox], planner=NaturalLanguage(MatchTranslator()))
        result = await agent.run("What does the product that sells best cost?")
        assert (result.status, result.output) == ("done", 20.0)
        assert called(result) == list(toolbox)
        asked.append(model.requests[0])
    assert asked[0] == asked[1]


async def test_a_plan_in_words_that_is_already_there_needs_no_planning_model() -> None:
    planner = NaturalLanguage(MatchTranslator(), steps=STEPS)
    result = await Agent(tools=[top_products, price_of], planner=planner).run("?")
    assert (result.output, result.usage.model_calls) == (20.0, 0)


async def test_the_translator_may_be_another_and_weaker_model() -> None:
    strong, weak = scripted(WRITTEN), scripted("a = top_products(count=1)", "b = price_of(name=a[0].name)", "answer(b)")
    planner = NaturalLanguage(ModelTranslator(weak))
    result = await Agent(strong, tools=[top_products, price_of], planner=planner).run("?")
    assert (result.output, len(strong.requests), len(weak.requests)) == (20.0, 1, 3)
    assert result.usage.model_calls == 4
    agent = Agent(scripted(WRITTEN), tools=[top_products], planner=planner)
    stopped = await agent.run("?", limits=Limits(model_calls=1))
    assert stopped.error == "stopped: the limit model_calls=1 is used up"


async def test_a_step_that_the_checker_refuses_is_translated_again_at_once() -> None:
    model = scripted(
        WRITTEN, "a = top_products(count=1)", "b = prices(of=a)", "b = price_of(name=a[0].name)", "answer(b)"
    )
    result = await Agent(model, tools=[top_products, price_of], planner=NaturalLanguage()).run("?")
    assert result.output == 20.0
    assert "there is no tool 'prices'" in model.requests[3].messages[-1].content


async def test_a_plan_that_is_refused_keeps_its_steps_and_only_the_wrong_one_is_told() -> None:
    """The translator's mistakes are counted, and are not the planner's."""
    model = scripted(
        *(WRITTEN, "a = top_products(count=1)", "b = prices(a)", "b = price_of(nam=a[0].name)", "answer(a)"),
        *("a = top_products(count=1)", "b = price_of(name=a[0].name)", "answer(b)"),
    )
    result = await Agent(model, tools=[top_products, price_of], planner=NaturalLanguage()).run("?")
    assert result.output == 20.0
    first = notes(result)["translation"]
    assert (first["translated"], first["wrong_arguments"]) == (2, 1)
    assert first["of"][1]["codes"] == ["AK202", "AK203"]
    assert (first["of"][1]["tries"], first["tries"]) == (["wrong_tool", "wrong_arguments"], 4)
    assert notes(result, 1)["steps"] == STEPS
    assert [event.purpose for event in result.events if isinstance(event, ModelCalled)].count("plan") == 1
    assert "'price_of' has no argument 'nam'" in model.requests[6].messages[-1].content


async def test_a_plan_that_fails_when_it_runs_is_planned_again_in_words() -> None:
    model = scripted(
        "1. Look up the price of the sombrero.\n2. Answer with it.",
        'p = price_of(name="sombrero")',
        "answer(p)",
        "1. Look up the price of the hat.\n2. Answer with it.",
        'q = price_of(name="hat")',
        "answer(q)",
    )
    result = await Agent(model, tools=[price_of], planner=NaturalLanguage()).run("?")
    assert result.output == 20.0
    assert "no product 'sombrero'" in model.requests[3].messages[-1].content


async def test_a_reply_without_numbered_steps_is_asked_for_again() -> None:
    model = scripted("I would look it up.", "1. Answer with 3.", "answer(3)")
    result = await Agent(model, tools=[price_of], planner=NaturalLanguage()).run("?")
    assert result.output == 3
    assert "the reply has no numbered steps" in model.requests[1].messages[-1].content


def test_no_steps_are_refused() -> None:
    with pytest.raises(DefinitionError, match=r"steps is \[\]; give a list of at least one step in words"):
        NaturalLanguage(steps=[])


# matching


@tool(effect="read")
async def weather(city: str, day: str = "today") -> str:
    """The weather forecast for a city.

    Args:
        city: The city.
        day: The day.
    """
    return f"sunny in {city} {day}"


async def matched(*steps: str, tools: tuple[Tool, ...] = (top_products, price_of, double, weather)) -> RunResult:
    return await Agent(tools=tools, planner=NaturalLanguage(MatchTranslator(), steps=steps)).run("?")


@pytest.mark.parametrize(
    ("steps", "output"),
    [
        (['Get the weather forecast for "Hanoi".', "Tell the forecast."], "sunny in Hanoi today"),
        (["Find the two best-selling products.", "Look up the price of each product.", "Answer."], [20.0, 15.5]),
        (["Calculate twice the number 21."], 42.0),
        (["Find the top products, 1 of them.", "Calculate twice the number, its price.", "Report it."], 40.0),
        (["Find 1 best-selling product.", "Say the name."], "hat"),
    ],
)
async def test_simple_steps_are_matched_to_tools_and_their_arguments(steps: list[str], output: object) -> None:
    result = await matched(*steps)
    told = notes(result)["translation"]["of"]
    assert result.output == output, told


async def test_a_step_that_matches_nothing_is_counted_as_failed() -> None:
    result = await matched("Paint the garden fence green.", "Answer with it.")
    assert result.status == "failed"
    assert notes(result)["translation"]["of"][0]["status"] == "failed"
