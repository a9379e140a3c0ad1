"""Skills: plans that worked become tools with parameters, are found for like tasks, and retire when they fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import UnknownMemoryError
from agentkit.events import (
    ApprovalAsked,
    ModelCalled,
    PlanChecked,
    PlanProposed,
    SkillLearned,
    SkillsOffered,
    SkillsUsed,
    StepStarted,
)
from agentkit.journal import JournalStore
from agentkit.limits import Limits
from agentkit.memory import AgentMemory, InMemoryStore, LongTermMemory, Scope, SkillLibrary, SkillsFirst
from agentkit.memory._generalise import generalise
from agentkit.messages import ModelProfile, ModelResponse, ToolCall
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planners.react import ReAct
from agentkit.policy import Policy
from agentkit.protocols import Decision
from agentkit.spelling import read_python, write_python
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Tool, Toolbox, tool
from tests.memory.doubles import embedder

FREE = ModelProfile(context_window=8192, spelling="python", decoding="free")
ANNA = Scope(user="anna", agent="shop")
ONCE = Limits(replans=0)
SOLD: list[str] = []


@tool(effect="read", cost=0.01, expected_seconds=0.5)
async def price_of(product: str, city: str = "Bern") -> float:
    """The price of a product.

    Args:
        product: What is bought.
        city: Where.
    """
    if product == "bad":
        raise ValueError("no such product")
    return {"hat": 20.0, "scarf": 30.0}[product] + len(city)


@tool(effect="read", cost=0.02, expected_seconds=0.25)
async def stock_of(product: str) -> int:
    """How many are left.

    Args:
        product: What is counted.
    """
    return {"hat": 5, "scarf": 2}.get(product, 0)


@tool(effect="write", resources="orders")
async def order(product: str, note: str) -> str:
    """Order a product.

    Args:
        product: What.
        note: For whom.
    """
    SOLD.append(f"{product}: {note}")
    return f"ordered {product}"


HATS = """price = price_of(product="hat", city="Oslo")
left = stock_of(product="hat")
answer(min(3, left) * price)
"""
FIRST = "What do 3 pieces of hat cost in Oslo, if we have them?"
SECOND = "What do 2 pieces of scarf cost in Rome, if we have them?"


def library(**options: Any) -> SkillLibrary:
    return SkillLibrary(LongTermMemory(InMemoryStore(embedder())), **options)


def agent(skills: SkillLibrary, *replies: str, tools: Sequence[Tool] = (), **options: Any) -> Agent:
    model = ScriptedModel(replies, profile=FREE)
    memory = AgentMemory(skills=skills)
    return Agent(model, tools=[*(tools or (price_of, stock_of, order))], memory=memory, name="shop", **options)


def of(kind: type, events: Sequence[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def learnt(skills: SkillLibrary, task: str = FIRST, plan: str = HATS) -> str:
    """The name of the skill that a run gives."""
    result = await agent(skills, plan).run(task, user="anna")
    assert result.status == "done", result.error
    [event] = of(SkillLearned, result.events)
    return str(event.name)


async def test_what_the_task_said_becomes_a_typed_parameter() -> None:
    skills = library()
    assert await learnt(skills) == "pieces_cost"
    [skill] = await skills.skills(scope=ANNA)
    assert skill.description == "What do {number} pieces of {product} cost in {city}, if we have them?"
    assert {name: schema["type"] for name, schema in skill.parameters.items()} == {
        "product": "string",
        "city": "string",
        "number": "integer",
    }
    assert write_python(skill.plan).splitlines()[-3:] == [
        "price = price_of(product=product, city=city)",
        "left = stock_of(product=product)",
        "answer(min(number, left) * price)",
    ]
    assert skill.certificate["tool_calls"] == 2
    assert (skill.scope, skill.successes, skill.example) == (Scope("anna", "shop"), 1, FIRST)


async def test_a_like_task_calls_the_skill_by_name_and_the_steps_run_in_its_place() -> None:
    skills = library()
    name = await learnt(skills)
    shop = agent(skills, f'answer({name}(number=2, product="scarf", city="Rome"))')
    result = await shop.run(SECOND, user="anna")
    assert result.output == 68.0, result.error
    [offered] = of(SkillsOffered, result.events)
    assert [*offered.offered] == [name]
    [used] = of(SkillsUsed, result.events)
    [call] = used.skills
    assert [(event.step, event.action) for event in of(StepStarted, result.events)] == [
        (f"{call}__price", "price_of"),
        (f"{call}__left", "stock_of"),
    ]
    [checked] = of(PlanChecked, result.events)
    assert checked.certificate["tool_calls"] == 2
    assert checked.certificate["cost"] == pytest.approx(0.03)
    [skill] = await skills.skills(scope=ANNA)
    assert (skill.successes, skill.failures) == (2, 0)
    prompt = of(ModelCalled, result.events)[0].prompt
    signature = f"{name}(product: str, city: str, number: int) -> float"
    assert signature in str(prompt)


async def test_a_wrong_argument_of_a_skill_is_the_checkers_to_refuse() -> None:
    skills = library()
    name = await learnt(skills)
    good = f'answer({name}(number=2, product="scarf", city="Rome"))'
    result = await agent(skills, f'answer({name}(number="two", product="scarf"))', good).run(SECOND, user="anna")
    assert result.output == 68.0
    first = of(PlanChecked, result.events)[0]
    assert sorted(first.codes) == ["AK202", "AK204"]


async def test_a_skill_with_a_write_asks_for_the_write_itself() -> None:
    class Yes:
        async def approve(self, request: Any) -> Any:
            asked.append(request.tool)
            return Decision(True)

        async def answer(self, question: str, schema: Any) -> Any:
            raise AssertionError(question)

    asked: list[str] = []
    skills = library()
    plan = 'left = stock_of(product="hat")\ndone = order(product="hat", note=f"for Emma, {left} left")\nanswer(done)\n'
    first = await agent(skills, plan, human=Yes()).run("Order a hat for Emma", user="anna")
    assert first.status == "done", first.error
    [skill] = await skills.skills(scope=ANNA)
    assert skill.certificate["writes"] == {"done": "order"}
    assert list(skill.parameters) == ["product", "name"]
    call = f'answer({skill.name}(product="scarf", name="Max"))'
    second = await agent(skills, call, human=Yes()).run("Order a scarf for Max", user="anna")
    assert second.output == "ordered scarf", second.error
    assert [event.tool for event in of(ApprovalAsked, second.events)] == ["order"]
    assert SOLD[-2:] == ["hat: for Emma, 5 left", "scarf: for Max, 2 left"]
    assert skill.name == "order_skill"
    refused = await agent(skills, "answer(1)").run("Order a scarf for Max", user="anna")
    assert of(SkillsOffered, refused.events)[0].withheld[skill.name].startswith("AK607 at done:")


async def test_a_skill_whose_tool_has_changed_is_not_offered_and_says_why() -> None:
    skills = library()
    name = await learnt(skills)
    changed = price_of.replace(version="2")
    result = await agent(skills, HATS, tools=[changed, stock_of]).run(SECOND, user="anna")
    [event] = of(SkillsOffered, result.events)
    assert (event.offered, event.withheld) == ({}, {name: "the tool 'price_of' has changed"})
    gone = await agent(skills, "answer(1)", tools=[price_of]).run(SECOND, user="anna")
    [event] = of(SkillsOffered, gone.events)
    assert event.withheld == {name: "the tool 'stock_of' is gone"}


async def test_a_skill_that_keeps_failing_is_retired_until_its_plan_works_again() -> None:
    skills = library(retire_after=2)
    name = await learnt(skills)
    bad = f'answer({name}(number=2, product="bad", city="Rome"))'
    for _ in range(2):
        result = await agent(skills, bad, limits=ONCE).run(SECOND, user="anna")
        assert result.status == "failed"
    assert await skills.skills(scope=ANNA) == []
    [skill] = await skills.skills(scope=ANNA, retired=True)
    assert (skill.failures, skill.streak, skill.retired) == (2, 2, "it failed 2 times in a row")
    result = await agent(skills, "answer(1)").run(SECOND, user="anna")
    assert of(SkillsOffered, result.events) == []
    await learnt(skills)
    [skill] = await skills.skills(scope=ANNA)
    assert (skill.successes, skill.streak, skill.retired) == (2, 0, "")


async def test_a_withdrawn_skill_stays_withdrawn() -> None:
    skills = library()
    name = await learnt(skills)
    assert (await skills.withdraw(name, scope=ANNA)).retired == "withdrawn"
    await learnt(skills)
    assert await skills.skills(scope=ANNA) == []
    with pytest.raises(UnknownMemoryError) as error:
        await skills.withdraw("fly", scope=ANNA)
    assert str(error.value) == f"there is no skill 'fly' in {ANNA!r}; there are: {name}."


@pytest.mark.parametrize(
    ("task", "plan"),
    [
        ("What does a hat cost?", 'answer(price_of(product="hat"))'),
        ("What is the usual total?", HATS),
    ],
)
async def test_one_call_or_constants_alone_are_no_skill(task: str, plan: str) -> None:
    skills = library()
    result = await agent(skills, plan).run(task, user="anna")
    assert result.status == "done"
    assert await skills.skills(scope=ANNA, retired=True) == []


async def test_a_failed_run_teaches_nothing() -> None:
    skills = library()
    plan = HATS.replace('"hat"', '"bad"')
    result = await agent(skills, plan, limits=ONCE).run("What do 3 pieces of bad cost in Oslo?", user="anna")
    assert result.status == "failed"
    assert await skills.skills(scope=ANNA) == []


async def test_a_skill_is_its_users_alone() -> None:
    skills = library()
    await learnt(skills)
    result = await agent(skills, HATS).run(SECOND, user="ben")
    assert of(SkillsOffered, result.events) == []


async def test_an_unlike_task_is_not_offered_the_skill() -> None:
    skills = library()
    await learnt(skills)
    result = await agent(skills, "answer(1)").run("Who wrote the letter to the museum?", user="anna")
    assert of(SkillsOffered, result.events) == []


async def test_the_steps_of_a_planner_that_takes_turns_are_one_skill_and_save_its_turns() -> None:
    skills = library()
    turns = ['price = price_of(product="hat", city="Oslo")', 'left = stock_of(product="hat")']
    first = await agent(skills, *turns, "answer(min(3, left) * price)", planner=ReAct()).run(FIRST, user="anna")
    assert first.output == 72.0, first.error
    [skill] = await skills.skills(scope=ANNA)
    call = f'answer({skill.name}(number=2, product="scarf", city="Rome"))'
    second = await agent(skills, call, planner=ReAct()).run(SECOND, user="anna")
    assert second.output == 68.0, second.error
    assert (first.usage.model_calls, second.usage.model_calls) == (3, 1)
    used = [run.usage.input_tokens + run.usage.output_tokens for run in (first, second)]
    assert used[1] < used[0] / 2, used


async def test_a_run_that_used_a_skill_is_resumed_without_the_library(tmp_path: Any) -> None:
    skills = library()
    name = await learnt(skills)
    shop = agent(skills, f'answer({name}(number=2, product="scarf", city="Rome"))')
    journal = JournalStore(tmp_path / "runs.sqlite")
    result = await shop.run(SECOND, user="anna", journal=journal)
    [proposed] = of(PlanProposed, journal.events(result.run_id))
    assert f"'tool': '{name}'" not in str(proposed.plan)
    assert name in proposed.source
    assert set(of(PlanChecked, result.events)[0].tools) == {"price_of", "stock_of"}


async def test_a_skill_may_be_called_inside_a_loop() -> None:
    skills = library()
    name = await learnt(skills)
    loop = f'answer([{name}(number=n, product="hat", city="Rome") for n in [1, 2]])'
    result = await agent(skills, loop).run(SECOND, user="anna")
    assert result.output == [24.0, 48.0], result.error


async def test_learning_from_a_result_by_hand() -> None:
    skills = library()
    shop = Agent(ScriptedModel([HATS], profile=FREE), tools=[price_of, stock_of])
    result = await shop.run(FIRST)
    skill = await skills.learn(result, shop.toolbox, scope=ANNA)
    assert skill is not None
    assert [one.name for one in await skills.skills(scope=ANNA)] == [skill.name]
    failed = dataclasses.replace(result, status="failed")
    assert await skills.learn(failed, shop.toolbox, scope=ANNA) is None


async def test_the_policy_holds_inside_a_skill() -> None:
    skills = library()
    name = await learnt(skills)
    result = await agent(skills, "answer(1)", policy=Policy(tools={"stock_of": "never"})).run(SECOND, user="anna")
    [event] = of(SkillsOffered, result.events)
    assert event.withheld[name].startswith("AK601 at left:")


@pytest.mark.parametrize(
    ("task", "source", "plan", "inputs"),
    [
        (
            "Order 3 hats until 5 March 2026, note 'for the ball'",
            'a = order(product="hat", note=f"for the ball, 3 by 2026-03-05")\nanswer(a)',
            'a = order(product=product, note=f"{text}, {number} by {when}")\nanswer(a)',
            {"product": "hat", "text": "for the ball", "number": 3, "when": "2026-03-05"},
        ),
        (
            "Compare the prices of the top 2 of hat, scarf in Oslo and order two for Emma Stone",
            'p = [price_of(product=x) for x in ["hat", "scarf"]]\nanswer(round(p[0] * 2, 2))',
            "p = [price_of(product=x) for x in [text, text_2]]\nanswer(round(p[0] * number, 2))",
            {"text": "hat", "text_2": "scarf", "number": 2},
        ),
        (
            "Order 2 hats and 2 scarves",
            'a = order(product="hat", note="Anna")\nanswer(a)',
            'a = order(product=product, note="Anna")\nanswer(a)',
            {"product": "hat"},
        ),
    ],
)
def test_constants_of_the_task_are_found_in_arguments_texts_and_lists(
    task: str, source: str, plan: str, inputs: dict[str, Any]
) -> None:
    toolbox = Toolbox(price_of, stock_of, order)
    general = generalise(read_python(source, toolbox), task, toolbox)
    assert general.examples == inputs
    assert [line for line in write_python(general.plan, toolbox).splitlines() if " = input(" not in line][
        -len(plan.splitlines()) :
    ] == plan.splitlines()


async def test_with_skills_first_the_second_task_takes_fewer_tokens_even_of_a_planner_that_was_right_at_once() -> None:
    skills = library()
    first = await agent(skills, HATS, selector=SkillsFirst()).run(FIRST, user="anna")
    [skill] = await skills.skills(scope=ANNA)
    call = f'answer({skill.name}(number=2, product="scarf", city="Rome"))'
    second = await agent(skills, call, selector=SkillsFirst()).run(SECOND, user="anna")
    assert second.output == 68.0, second.error
    used = [run.usage.input_tokens + run.usage.output_tokens for run in (first, second)]
    assert used[1] < used[0], used
    assert "stock_of" not in str(of(ModelCalled, second.events)[0].prompt)


async def test_with_skills_first_a_planner_that_wants_another_tool_gets_it() -> None:
    skills = library()
    await learnt(skills)
    plan = 'answer(stock_of(product="scarf"))'
    result = await agent(skills, plan, selector=SkillsFirst()).run(SECOND, user="anna")
    assert result.output == 2, result.error
    assert result.usage.model_calls == 1


async def test_a_skill_is_called_natively_like_any_tool() -> None:
    skills = library()
    name = await learnt(skills)
    native = ModelProfile(context_window=8192, spelling="python", decoding="free", tools=True)
    call = ToolCall("c1", name, {"number": 2, "product": "scarf", "city": "Rome"})
    replies = [ModelResponse(text="", tool_calls=(call,)), ModelResponse(text="68 dollars")]
    model = ScriptedModel(replies, profile=native)
    memory = AgentMemory(skills=skills)
    shop = Agent(model, tools=[price_of, stock_of], memory=memory, name="shop", planner=ReAct(protocol="native"))
    assert (await shop.run(SECOND, user="anna")).output == "68 dollars"
    assert [message.content for message in model.requests[-1].messages if message.role == "tool"] == ["68.0"]


async def test_a_streamed_plan_may_call_a_skill() -> None:
    skills = library()
    name = await learnt(skills)
    plan = f'a = {name}(number=2, product="scarf", city="Rome")\nb = stock_of(product="hat")\nanswer([a, b])'
    result = await agent(skills, plan, planner=PlanAndExecute(stream=True)).run(SECOND, user="anna")
    assert result.output == [68.0, 5], result.error
    assert [event.step for event in of(StepStarted, result.events)] == ["a__price", "a__left", "b"]
