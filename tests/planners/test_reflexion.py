"""Reflexion: a try that is judged not good enough leads to a lesson, and the next try is made with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.events import PlanProposed
from agentkit.limits import Limits
from agentkit.messages import ModelProfile
from agentkit.planners.react import ReAct
from agentkit.planners.reflexion import ListLessons, Reflexion
from agentkit.planning import Situation
from agentkit.reflection import Reflection
from agentkit.results import RunResult
from agentkit.run import Run
from agentkit.testing import ScriptedModel
from tests.plans import BASIC

HAT, SCARF, GLOVE = (f'answer(price_of("{name}"))' for name in ("hat", "scarf", "glove"))


def at_least(dollars: float) -> Reflection:
    def dear_enough(situation: Situation) -> str:
        value = situation.outcome.value if situation.outcome else 0
        return "" if value >= dollars else f"{value} is less than {dollars}"

    return Reflection(outcome=dear_enough)


def scripted(*replies: str) -> ScriptedModel:
    return ScriptedModel(replies, profile=ModelProfile())


async def run(model: ScriptedModel, *, least: float = 20, limits: Limits | None = None, **options: Any) -> RunResult:
    agent = Agent(model, tools=[BASIC], planner=Reflexion(**options), reflection=at_least(least))
    return await agent.run("Something dear?", limits=limits)


def lessons(result: RunResult) -> list[object]:
    return [event.notes.get("lesson") for event in result.events if isinstance(event, PlanProposed)]


async def test_the_next_try_is_made_with_the_lesson_of_the_last() -> None:
    model = scripted(GLOVE, "The glove is too cheap; take the hat.", HAT)
    result = await run(model)
    assert result.output == 20.0
    assert lessons(result) == [None, "The glove is too cheap; take the hat."]
    reflected, second = model.requests[1].messages[-1].content, model.requests[2].messages[-1].content
    assert GLOVE in reflected
    assert "9.0 is less than 20" in reflected
    assert second.startswith(
        "Something dear?\n\nLearnt from earlier tries at this task:\n- The glove is too cheap; take the hat.\n\n"
        f"The last try:\n{GLOVE}"
    )
    assert model.requests[0].messages[0] == model.requests[2].messages[0]


async def test_lessons_of_all_tries_add_up() -> None:
    model = scripted(GLOVE, "Not the glove.", SCARF, "Not the scarf.", HAT)
    assert (await run(model)).output == 20.0
    assert "- Not the glove.\n- Not the scarf." in model.requests[4].messages[-1].content


async def test_a_plan_that_is_only_refused_is_repaired_within_the_same_try() -> None:
    model = scripted('answer(price_off("hat"))', HAT)
    result = await run(model)
    assert (result.output, lessons(result)) == (20.0, [None, None])


async def test_a_try_may_have_many_turns() -> None:
    """With ReAct inside, the second try begins a new conversation."""
    model = scripted(
        'Thought: I look.\nAction: p = price_of(name="glove")',
        "Action: answer(p)",
        "Look at the hat instead.",
        'Thought: The hat.\nAction: q = price_of(name="hat")',
        "Action: answer(q)",
    )
    result = await run(model, planner=ReAct())
    assert result.output == 20.0
    assert [len(request.messages) for request in model.requests] == [2, 4, 2, 2, 4]


async def test_tries_are_bounded() -> None:
    model = scripted(GLOVE, "Hm.", GLOVE)
    result = await run(model, limits=Limits(replans=1))
    assert (result.status, model.remaining) == ("failed", 0)
    assert "9.0 is less than 20" in result.error


async def test_lessons_are_kept_for_later_runs_and_recalled_for_tasks_like_them() -> None:
    store = ListLessons()
    await run(scripted(GLOVE, "Take the hat.", HAT), lessons=store)
    assert store.lessons == [("Something dear?", "Take the hat.")]
    model = scripted(HAT)
    await run(model, lessons=store)
    assert "Learnt from tasks like this one:\n- Take the hat." in model.requests[0].messages[-1].content


async def test_lessons_are_recalled_once_a_run() -> None:
    class Counting:
        asked = 0

        async def recall(self, task: str, run: Run) -> Sequence[str]:
            self.asked += 1
            return [f"lesson {self.asked}"]

        async def add(self, task: str, lesson: str, run: Run) -> None:
            return None

    store = Counting()
    model = scripted("answer(nope)", GLOVE, "Hm.", HAT)
    result = await run(model, lessons=store)
    assert (result.output, store.asked) == (20.0, 1)
    assert "- lesson 1" in model.requests[3].messages[-1].content


async def test_the_list_recalls_the_lessons_of_the_likest_tasks() -> None:
    store = ListLessons(most=2)
    for task, lesson in [("book a flight to Hanoi", "a"), ("buy a hat", "b"), ("book a flight", "c"), ("sing", "d")]:
        await store.add(task, lesson, Run())
    await store.add("book a flight to Oslo", "another user's", Run(user="bob"))
    assert await store.recall("book a flight to Oslo", Run()) == ["a", "c"]
    with pytest.raises(DefinitionError, match="most is 0; give 1 or more"):
        ListLessons(most=0)


async def test_without_a_model_it_says_what_it_needs() -> None:
    with pytest.raises(DefinitionError, match="plan-and-execute needs a model"):
        await Agent(tools=[BASIC], planner=Reflexion()).run("?")
