"""Lessons: from corrections, edits, reasons and failures, recalled for like tasks, one user's for that user only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import MemoryScopeError, UnknownMemoryError
from agentkit.events import MemoryFailed, StepFinished
from agentkit.limits import Limits
from agentkit.memory import AgentMemory, InMemoryStore, LongTermMemory, Manager, Scope, SqliteStore, repeated_failures
from agentkit.messages import ModelProfile, ModelRequest, assistant, user
from agentkit.planners.reflexion import Reflexion
from agentkit.planning import Situation
from agentkit.reflection import Reflection
from agentkit.results import RunResult
from agentkit.run import Run
from agentkit.testing import FakeClock, FunctionModel, ScriptedModel
from agentkit.toolbox import tool

ANNA = Scope("anna", "desk")
REVENUE = "What was our revenue last month?"
FREE = ModelProfile(context_window=8192, spelling="python", decoding="free")


@pytest.fixture
def manager() -> Manager:
    return Manager(LongTermMemory(InMemoryStore(), clock=FakeClock()))


@tool(effect="read")
async def price_of(name: str) -> float:
    """The price of a product.

    Args:
        name: The product.
    """
    if name != name.lower():
        raise LookupError(f"no product {name!r}; names are in lower case")
    return 20.0


def shop(manager: Manager, model: Any, **more: Any) -> Agent:
    memory = AgentMemory(long_term=manager.memory, manager=manager)
    return Agent(model, tools=[price_of], memory=memory, name="desk", **more)


def failures(result: RunResult) -> int:
    return sum(isinstance(event, StepFinished) and event.status == "failed" for event in result.events)


async def texts(manager: Manager, scope: Scope = ANNA) -> list[str]:
    return [lesson.text for lesson in await manager.lessons.list(scope=scope)]


async def test_a_correction_becomes_a_lesson_with_its_scope_and_its_source(manager: Manager) -> None:
    decided = await manager.lessons.correct(REVENUE, "No, use net revenue", scope=ANNA)
    [lesson] = await manager.lessons.list(scope=ANNA)
    assert (lesson.text, lesson.kind, lesson.scope) == ("Use net revenue.", "lesson", ANNA)
    assert (lesson.context, lesson.metadata["trigger"]) == (REVENUE, "correction")
    assert (lesson.provenance.by, lesson.provenance.quote) == ("user", "No, use net revenue")
    assert (decided.action, decided.memory) == ("insert", lesson.id)


@pytest.mark.parametrize(
    ("said", "lesson"),
    [
        ("No, use net revenue", "Use net revenue."),
        ("That's wrong, use net revenue!", "Use net revenue!"),
        ("Actually, use net revenue", "Use net revenue."),
        ("I meant the north warehouse.", "The north warehouse."),
        ("net revenue, please", "Net revenue, please."),
    ],
)
async def test_of_a_correction_what_is_to_be_done_is_kept(manager: Manager, said: str, lesson: str) -> None:
    await manager.lessons.correct(REVENUE, said, scope=ANNA)
    assert await texts(manager) == [lesson]


async def test_an_edit_says_what_was_changed(manager: Manager) -> None:
    scope, learn = ANNA, manager.lessons.edited
    assert await learn("Write to Ann", "Dear Ann, we ship today.", "Dear Ann, we ship today.", scope=scope) is None
    await learn("Write to Ann", "Dear Ann, we ship today.", "Hello Ann, we ship on Monday.", scope=scope)
    await learn("Count the hats", 3, 4, scope=scope)
    assert sorted(await texts(manager)) == [
        'The user changed the answer to: "4".',
        'The user changed the answer: "Hello" instead of "Dear", "on Monday." instead of "today.".',
    ]


async def test_a_thumbs_down_keeps_its_reason(manager: Manager) -> None:
    await manager.lessons.thumbs_down(REVENUE, "too long, one sentence is enough", scope=ANNA)
    assert await texts(manager) == ["The user did not like the answer: Too long, one sentence is enough."]


async def test_a_correction_in_a_conversation_is_recalled_for_a_like_task(manager: Manager) -> None:
    model = ScriptedModel(["answer(120)", "answer(100)", "answer(90)"], profile=FREE)
    desk = shop(manager, model)
    await desk.run(REVENUE, user="anna")
    chat = [user(REVENUE), assistant("120")]
    await desk.run("No, use net revenue.", user="anna", message_history=chat)
    await desk.run("What was our revenue this month?", user="anna")
    assert f"- {REVENUE}: Use net revenue." in model.requests[-1].messages[-1].content


@pytest.mark.parametrize("said", ["No, I live in Porto.", "No thanks?", "Nothing else."])
async def test_what_corrects_no_answer_is_no_lesson(manager: Manager, said: str) -> None:
    chat = [user(REVENUE), assistant("120")]
    desk = shop(manager, ScriptedModel(["answer(1)"], profile=FREE))
    await desk.run(said, user="anna", message_history=chat)
    assert await texts(manager) == []


def forgetful(request: ModelRequest) -> str:
    """Writes names as they are asked for, unless its prompt says that this fails."""
    asked = request.messages[-1].content
    name = "hat" if "worked" in asked or "lower case" in asked else "Hat"
    return f'answer(price_of(name="{name}"))'


async def test_a_failure_that_was_repeated_stops_being_repeated_and_only_for_its_user(manager: Manager) -> None:
    """The first run fails twice before its third plan gets it right; later ones of the same user do not fail at all."""
    slow = ScriptedModel(
        ['answer(price_of(name="Hat"))', 'answer(price_of(name="Hat"))', 'answer(price_of(name="hat"))'], profile=FREE
    )
    first = await shop(manager, slow).run("What does the Hat cost?", user="anna")
    assert (first.output, failures(first)) == (20.0, 2)
    [lesson] = await manager.lessons.list(scope=ANNA)
    assert lesson.text == (
        "price_of(name='Hat') failed: LookupError: no product 'Hat'; names are in lower case. "
        "price_of(name='hat') worked."
    )
    assert (lesson.metadata, lesson.provenance.by) == ({"trigger": "tool_failure", "tool": "price_of"}, "manager")
    assert lesson.provenance.run_id == first.run_id
    model = FunctionModel(forgetful, profile=FREE)
    again = await shop(manager, model).run("What does this Hat cost now?", user="anna")
    assert (again.output, failures(again)) == (20.0, 0)
    model.requests.clear()
    other = await shop(manager, model, limits=Limits(replans=0)).run("What does this Hat cost now?", user="bob")
    assert failures(other) == 1
    assert "lower case" not in str(model.requests)


async def test_one_failure_is_not_yet_a_lesson(manager: Manager) -> None:
    model = ScriptedModel(['answer(price_of(name="Hat"))', 'answer(price_of(name="hat"))'], profile=FREE)
    result = await shop(manager, model).run("What does the Hat cost?", user="anna")
    assert failures(result) == 1
    assert repeated_failures(result.events) == []
    assert await texts(manager) == []
    eager = Manager(manager.memory, learn_failures_from=1)
    await eager.lessons.failures("What does the Hat cost?", result.events, scope=ANNA)
    assert len(await texts(eager)) == 1


async def test_retries_of_one_call_count_as_failures() -> None:
    calls: list[int] = []

    @tool(effect="read", retries=1)
    async def stock() -> int:
        """The stock."""
        calls.append(1)
        raise OSError("the warehouse is closed")

    result = await Agent(ScriptedModel(["answer(stock())"], profile=FREE), tools=[stock], limits=Limits(replans=0)).run(
        "How many?", clock=FakeClock()
    )
    [failure] = repeated_failures(result.events)
    assert (failure.tool, failure.times) == ("stock", 2)
    assert failure.lesson == "stock() failed: OSError: the warehouse is closed."


@pytest.mark.parametrize(
    ("policy", "left"),
    [("newest", ["Use net revenue."]), ("keep_both", ["Use gross revenue.", "Use net revenue."])],
)
async def test_lessons_that_contradict_each_other_follow_the_policy(policy: Any, left: list[str]) -> None:
    manager = Manager(LongTermMemory(InMemoryStore()), contradictions=policy)
    await manager.lessons.correct(REVENUE, "Use gross revenue", scope=ANNA)
    await manager.lessons.correct("What was our revenue this month?", "No, use net revenue", scope=ANNA)
    assert sorted(await texts(manager)) == left


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("Round to two decimals.", "Round to three decimals.", True),
        ("Answer in German.", "Answer in French.", True),
        ("Show the total.", "Do not show the total.", True),
        ("Use net revenue.", "Show the total.", False),
        ("Use net revenue.", "Use net revenue.", False),
    ],
)
async def test_lessons_contradict_each_other_if_they_tell_different_things_of_the_same(
    manager: Manager, one: str, other: str, clash: bool
) -> None:
    await manager.lessons.correct(REVENUE, one, scope=ANNA)
    decided = await manager.lessons.correct(REVENUE, other, scope=ANNA)
    assert (decided.action == "replace") == clash


async def test_lessons_of_unlike_tasks_do_not_touch_each_other(manager: Manager) -> None:
    await manager.lessons.correct("How many hats did we sell?", "Round to two decimals", scope=ANNA)
    decided = await manager.lessons.correct("Weigh every parcel", "Round to three decimals", scope=ANNA)
    assert decided.action == "insert"


async def test_the_user_lists_edits_and_withdraws_lessons(manager: Manager) -> None:
    decided = await manager.lessons.correct(REVENUE, "No, use net revenue", scope=ANNA)
    id, lessons = decided.memory, manager.lessons
    await lessons.edit(id, "Use net revenue in euros.", scope=ANNA)
    assert [one.text for one in await lessons.recall("Which revenue?", scope=ANNA)] == ["Use net revenue in euros."]
    await lessons.withdraw(id, scope=ANNA)
    assert await lessons.list(scope=ANNA) == []
    assert await lessons.recall("Which revenue?", scope=ANNA) == []
    assert [one.id for one in await lessons.list(scope=ANNA, withdrawn=True)] == [id]


async def test_another_user_s_lessons_cannot_be_read_or_changed(manager: Manager) -> None:
    bob = Scope("bob", "desk")
    id = (await manager.lessons.correct(REVENUE, "No, use net revenue", scope=ANNA)).memory
    assert await manager.lessons.list(scope=bob, withdrawn=True) == []
    assert await manager.lessons.recall(REVENUE, scope=bob) == []
    with pytest.raises(UnknownMemoryError) as caught:
        await manager.lessons.edit(id, "Use gross revenue.", scope=bob)
    assert str(caught.value) == f"there is no lesson {id!r} in {bob!r}; list() shows those that there are"
    with pytest.raises(UnknownMemoryError):
        await manager.lessons.withdraw(id, scope=bob)
    with pytest.raises(MemoryScopeError):
        await manager.lessons.correct(REVENUE, "Use gross revenue", scope=bob, owner=ANNA)
    assert await texts(manager) == ["Use net revenue."]


async def test_a_lesson_for_all_users_is_taught_by_a_scope_that_names_none(manager: Manager) -> None:
    await manager.lessons.correct(REVENUE, "Use net revenue", scope=Scope("", "desk"))
    assert await texts(manager, Scope("bob", "desk")) == ["Use net revenue."]


def is_a_price(situation: Situation) -> str:
    value = situation.outcome.value if situation.outcome else 0
    return "" if value == 20.0 else f"{value} is not a price"


FAILED_ONCE = ("answer(1)", "Ask price_of for the price.", 'answer(price_of(name="hat"))')
RIGHT = 'answer(price_of(name="hat"))'


@pytest.mark.parametrize("managed", [True, False], ids=["with a manager", "with a long-term memory alone"])
async def test_reflexion_keeps_its_lessons_in_the_agents_memory_by_itself(manager: Manager, *, managed: bool) -> None:
    def is_the_price(situation: Situation) -> bool:
        return situation.outcome is not None and situation.outcome.value == 20.0

    good, lesson = 'answer(price_of(name="hat"))', "Ask price_of for the price."
    model = ScriptedModel(["answer(1)", lesson, good, good, good], profile=FREE)
    memory = AgentMemory(long_term=manager.memory, manager=manager if managed else None)
    judges = Reflection(outcome=is_the_price)
    desk = Agent(model, tools=[price_of], planner="reflexion", reflection=judges, memory=memory, name="desk")
    for name in ("anna", "anna", "bob"):
        assert (await desk.run("The price of the hat?", user=name)).output == 20.0
    [kept] = await manager.lessons.list(scope=Scope(user="anna", agent="desk"))
    assert (kept.text, kept.metadata["trigger"], kept.scope) == (lesson, "reflection", Scope("anna", "desk"))
    second, third = (request.messages[-1].content for request in model.requests[-2:])
    assert second.count(lesson) == 1
    assert lesson not in third


async def test_lessons_of_failed_tries_reach_as_far_as_the_manager_says() -> None:
    manager = Manager(LongTermMemory(InMemoryStore()), level="user")
    model, memory = ScriptedModel([*FAILED_ONCE, RIGHT], profile=FREE), AgentMemory(manager=manager)
    for name in ("desk", "shop"):
        agent = Agent(
            model,
            name=name,
            tools=[price_of],
            planner="reflexion",
            reflection=Reflection(outcome=is_a_price),
            memory=memory,
        )
        await agent.run("The price of the hat?", user="anna")
    assert "- Ask price_of for the price." in model.requests[-1].messages[-1].content


async def test_a_dry_run_teaches_nothing(manager: Manager) -> None:
    model = ScriptedModel(FAILED_ONCE, profile=FREE)
    memory = AgentMemory(manager=manager)
    desk = Agent(model, tools=[price_of], planner="reflexion", reflection=Reflection(outcome=is_a_price), memory=memory)
    await desk.run("The price of the hat?", user="anna", dry_run=True)
    assert await manager.lessons.list(scope=Scope("*", "*", "*")) == []


async def test_lessons_that_cannot_be_read_or_kept_cost_no_answer() -> None:
    manager = Manager(LongTermMemory(SqliteStore(":memory:")))
    model = ScriptedModel(FAILED_ONCE, profile=FREE)
    memory = AgentMemory(manager=manager)
    desk = Agent(model, tools=[price_of], planner="reflexion", reflection=Reflection(outcome=is_a_price), memory=memory)
    await manager.memory.store.aclose()
    result = await desk.run("The price of the hat?", user="anna")
    failed = [event.doing for event in result.events if isinstance(event, MemoryFailed)]
    assert (result.output, failed[:2]) == (20.0, ["recalling lessons", "keeping a lesson"])


async def test_lessons_can_be_given_to_reflexion_by_hand(manager: Manager) -> None:
    model = ScriptedModel([*FAILED_ONCE, RIGHT], profile=FREE)
    planner = Reflexion(lessons=manager.lessons.store(agent="desk"))
    desk = Agent(model, tools=[price_of], planner=planner, reflection=Reflection(outcome=is_a_price))
    for _ in range(2):
        assert (await desk.run("The price of the hat?", user="anna")).output == 20.0
    assert "Learnt from tasks like this one:\n- Ask price_of" in model.requests[-1].messages[-1].content


async def test_the_same_lesson_is_kept_once(manager: Manager, tmp_path: Path) -> None:
    store, run = manager.lessons.store(agent="desk"), Run(user="anna")
    for _ in range(2):
        await store.add("The price of the hat?", "Ask price_of.", run)
    assert await store.recall("The price of the hat?", run) == ["Ask price_of."]
    assert await texts(manager) == ["Ask price_of."]
