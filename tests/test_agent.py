"""The agent: one loop that plans, checks, repairs, runs, judges and answers, within its budgets."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.checker import CheckedPlan
from agentkit.errors import AgentKitError, DefinitionError, JournalError, ModelUnavailableError, TaskDeclinedError
from agentkit.events import Event, Executed, PlanChecked, RunFinished, StepFinished, StepStarted
from agentkit.expressions.nodes import Literal, Name
from agentkit.journal import JournalStore
from agentkit.limits import Limits
from agentkit.memory import AgentMemory, InMemoryStore, LongTermMemory, LongTermRecaller, Scope, SessionStore
from agentkit.messages import ModelProfile, ModelSettings, assistant, user
from agentkit.plan import Call, Plan
from agentkit.planners.fixed import FixedPlan
from agentkit.planners.intent import ModelIntent, Rule, RuleIntent
from agentkit.planning import Example, Intent, PlanRequest, Proposal, Situation
from agentkit.policy import Policy
from agentkit.reflection import Reflection
from agentkit.run import Run
from agentkit.spelling import read_json, read_python
from agentkit.testing import ScriptedModel
from agentkit.toolbox import tool
from tests.plans import BASIC, PRODUCTS, World

FREE = ModelProfile(spelling="python", decoding="free", repairs=True)
GOOD = 'cost = price_of(name="hat")\nanswer(f"It costs ${cost}.")'


def scripted(*replies: Any, profile: ModelProfile = FREE) -> ScriptedModel:
    return ScriptedModel(list(replies), profile=profile)


def codes(events: tuple[Event, ...]) -> list[tuple[str, ...]]:
    return [event.codes for event in events if isinstance(event, PlanChecked)]


class Shop(Agent):
    """A shop with tools of its own."""

    instructions = "Answer questions about the shop."

    @tool(effect="read")
    async def price(self, name: str) -> float:
        """The price of a product.

        Args:
            name: Its name.
        """
        return next(product["price"] for product in PRODUCTS if product["name"] == name)


async def test_a_task_becomes_a_plan_that_is_checked_run_and_answered() -> None:
    model = scripted(GOOD)
    result = await Agent(model, tools=[BASIC]).run("What does the hat cost?")
    assert (result.status, result.output) == ("done", "It costs $20.0.")
    assert result.plan is not None
    assert result.usage.tool_calls == 1
    assert [event.kind for event in result.events] == [
        "run_started",
        "model_called",
        "plan_proposed",
        "plan_checked",
        "step_started",
        "step_finished",
        "executed",
        "reflected",
        "run_finished",
    ]


async def test_methods_of_a_subclass_are_its_tools() -> None:
    result = await Shop(scripted('answer(price(name="scarf"))')).run("What does the scarf cost?")
    assert result.output == 15.5


def test_run_sync_works_again_and_again() -> None:
    shop = Shop(scripted('answer(price(name="hat"))', 'answer(price(name="hat"))'))
    assert [shop.run_sync("?").output, shop.run_sync("?").output] == [20.0, 20.0]


async def test_a_refused_plan_goes_back_with_its_diagnostics_and_nothing_runs() -> None:
    model = scripted('x = bing_search(q="hat")\nanswer(x)', GOOD)
    result = await Agent(model, tools=[BASIC]).run("What does the hat cost?")
    assert result.status == "done"
    assert codes(result.events) == [("AK201",), ()]
    complaint = model.requests[1].messages[-1].content
    assert "AK201 at line 1, x.tool: there is no tool 'bing_search'" in complaint
    assert [event.step for event in result.events if isinstance(event, StepStarted)] == ["cost"]


async def test_repairs_are_bounded_and_the_failure_names_the_problems() -> None:
    model = scripted(*["answer(nope)"] * 3)
    result = await Agent(model, tools=[BASIC], limits=Limits(repairs=2)).run("?")
    assert (result.status, result.output) == ("failed", None)
    assert result.error.startswith("no valid plan after 3 tries; the last one's problems: AK301")


async def test_a_plan_that_fails_is_replaced_and_keeps_what_was_done() -> None:
    first = 'top = top_products(count=1)\ncost = price_of(name="sombrero")\nanswer([top, cost])'
    model = scripted(first, "answer(top[0].price)")
    result = await Agent(model, tools=[BASIC]).run("What does the best product cost?")
    assert (result.status, result.output) == ("done", 20.0)
    prompt = "\n".join(message.content for message in model.requests[1].messages)
    assert "LookupError: no product 'sombrero'" in prompt
    assert "top = [" in prompt
    assert [event.step for event in result.events if isinstance(event, StepStarted)] == ["top", "cost"]


async def test_replans_are_bounded() -> None:
    bad = 'answer(price_of(name="sombrero"))'
    result = await Agent(scripted(bad, bad), tools=[BASIC], limits=Limits(replans=1)).run("?")
    assert result.status == "failed"
    assert "no product 'sombrero'" in result.error


async def test_a_judge_that_is_not_content_makes_the_agent_plan_again() -> None:
    def dear(situation: Situation) -> bool:
        return bool(situation.facts.answer > 10)

    model = scripted('answer(price_of(name="glove"))', 'answer(price_of(name="hat"))')
    result = await Agent(model, tools=[BASIC], reflection=Reflection(outcome=dear)).run("Something dear?")
    assert result.output == 20.0
    assert "the rule 'dear' does not hold" in model.requests[1].messages[-1].content


async def test_a_request_out_of_scope_is_declined_without_planning() -> None:
    model = scripted("no")
    agent = Agent(model, tools=[BASIC], intent=ModelIntent("A shop.", reply="Only hats here."))
    result = await agent.run("Who won the World Cup?")
    assert (result.status, result.output) == ("declined", "Only hats here.")
    assert len(model.requests) == 1


async def test_the_prompt_begins_the_same_for_every_task_so_that_caches_hit() -> None:
    model = scripted(GOOD, GOOD)
    agent = Agent(model, "Be kind.", tools=[BASIC], examples=[Example("Hat?", GOOD)])
    await agent.run("first")
    await agent.run("second")
    first, second = (request.messages for request in model.requests)
    assert first[:-1] == second[:-1]
    assert first[-2].cache
    assert "Be kind." in first[0].content
    assert "price_of(name: str)" in first[0].content


async def test_a_provider_that_is_down_for_a_moment_is_asked_again() -> None:
    from agentkit.testing import FakeClock

    model = scripted(ModelUnavailableError("overloaded", retry_after=7.0), GOOD)
    clock = FakeClock()
    result = await Agent(model, tools=[BASIC]).run("?", clock=clock)
    assert result.status == "done"
    assert result.usage.model_calls == 2


async def test_a_limit_that_is_used_up_is_an_answer() -> None:
    model = scripted(*["answer(nope)"] * 9)
    result = await Agent(model, tools=[BASIC], limits=Limits(repairs=8, model_calls=2)).run("?")
    assert (result.status, result.error) == ("stopped", "stopped: the limit model_calls=2 is used up")


async def test_events_stream_while_the_run_goes_on() -> None:
    kinds = []
    async with Agent(scripted(GOOD), tools=[BASIC]).run_stream("?") as stream:
        async for event in stream:
            kinds.append(event.kind)  # noqa: PERF401  # the stream is what is tested
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert stream.result.output == "It costs $20.0."


async def test_planning_only_runs_nothing() -> None:
    report = await Agent(scripted(GOOD), tools=[BASIC]).plan("What does the hat cost?")
    assert report.ok
    assert report.checked is not None
    assert report.checked.certificate.tool_calls == 1


async def test_planning_only_declines_what_a_run_declines() -> None:
    prices = RuleIntent((Rule.words("cost", intent=Intent(True)),), Intent(False, "I only know prices."))
    model = scripted(GOOD)
    shop = Agent(model, tools=[BASIC], intent=prices)
    assert (await shop.plan("What does the hat cost?")).ok
    with pytest.raises(TaskDeclinedError) as declined:
        await shop.plan("Tell me a joke.")
    assert declined.value.reply == (await shop.run("Tell me a joke.")).output == "I only know prices."
    assert str(declined.value) == "no plan was written, since the task was declined: I only know prices."
    assert len(model.requests) == 1


async def test_planning_only_shows_what_is_wrong_with_a_plan_that_nobody_mends() -> None:
    report = await Agent(tools=[BASIC], planner=FixedPlan("answer(nope())")).plan("?")
    assert [problem.code.value for problem in report.errors] == ["AK201"]


async def test_planning_only_asks_the_judges_of_tasks_and_plans() -> None:
    def short(situation: Situation) -> str:
        assert situation.plan is not None
        return "" if len(situation.plan.steps) < 2 else "it is too long"

    def possible(situation: Situation) -> str:
        return "" if "the hat" in situation.request.task else "only hats are sold"

    long = f"other = price_of(name='glove')\n{GOOD}"
    model = scripted(long, GOOD, long, long)
    shop = Agent(model, tools=[BASIC], reflection=Reflection(feasibility=possible, plan=short))
    report = await shop.plan("What does the hat cost?")
    assert report.ok
    assert "it is too long" in model.requests[1].messages[-1].content
    with pytest.raises(TaskDeclinedError, match="This cannot be done: only hats are sold"):
        await shop.plan("What does the car cost?")
    with pytest.raises(AgentKitError, match="no valid plan after 2 tries; the last one was judged: it is too long"):
        await shop.plan("What does the hat cost?", limits=Limits(repairs=1))


async def test_planning_only_takes_inputs_the_conversation_and_the_choice_of_tools() -> None:
    model = scripted("answer(price_of(name=product))", "answer(product)", "answer(product)")
    shop = Agent(model, tools=[BASIC])
    before = (user("I like hats."), assistant("Noted."))
    report = await shop.plan("How much is it?", inputs={"product": "hat"}, message_history=before)
    assert report.ok
    assert "I like hats." in str(model.requests[0].messages)
    report = await shop.plan("How much is it?", inputs={"product": "hat"}, tool_choice="none")
    assert report.ok
    assert "price_of" not in str(model.requests[1].messages)
    to_shop = RuleIntent((), Intent(True, agent="shop"))
    front = Agent(model, intent=to_shop, agents=[Agent(tools=[BASIC], name="shop")])
    await front.plan("How much is it?", inputs={"product": "hat"}, tool_choice="none")
    assert "price_of" not in str(model.requests[2].messages)


async def test_planning_only_reads_the_memory_and_keeps_nothing(tmp_path: Path) -> None:
    memory = AgentMemory(session=SessionStore(tmp_path / "talks.db"), long_term=LongTermMemory(InMemoryStore()))
    assert isinstance(memory.long_term, LongTermRecaller)
    await memory.long_term.memory.remember("The customer wants hats of felt.", scope=Scope(user="ann"))
    model = scripted(GOOD, GOOD)
    shop = Agent(model, tools=[BASIC], memory=memory, name="shop")
    await shop.run("What does the hat cost?", user="ann", session="desk")
    kept = await SessionStore(tmp_path / "talks.db").read("desk", user="ann")
    assert (await shop.plan("What do hats of felt cost?", user="ann", session="desk")).ok
    told = str(model.requests[1].messages)
    assert "The customer wants hats of felt." in told
    assert "What does the hat cost?" in told
    assert (await SessionStore(tmp_path / "talks.db").read("desk", user="ann")).messages == kept.messages


async def test_inputs_are_names_that_plans_may_use() -> None:
    model = scripted("answer(price_of(name=product))")
    result = await Agent(model, tools=[BASIC]).run("How much is it?", inputs={"product": "hat"})
    assert result.output == 20.0
    assert "product: string" in model.requests[0].messages[-1].content


async def test_a_subgoal_is_planned_when_it_is_reached() -> None:
    plan = 'cheap = subgoal("the cheapest price", schema={"type": "number"})\nanswer(cheap * 2)'
    model = scripted(plan, 'answer(price_of(name="glove"))')
    result = await Agent(model, tools=[BASIC]).run("Twice the cheapest price?")
    assert result.output == 18.0
    assert "cheap/price_of_1" in [event.step for event in result.events if isinstance(event, StepFinished)]


async def test_one_agent_serves_many_runs_at_once() -> None:
    class Echo:
        async def propose(self, request: PlanRequest, run: Run) -> Proposal:
            return Proposal(Plan((Call("p", "price_of", {"name": Literal(request.task)}),), Name("p")), final=True)

    agent = Agent(tools=[BASIC], planner=Echo())
    results = await asyncio.gather(*(agent.run(name) for name in ("hat", "scarf", "glove") * 10))
    assert [result.output for result in results] == [20.0, 15.5, 9.0] * 10


async def test_a_planner_may_plan_a_turn_at_a_time() -> None:
    class Turns:
        async def propose(self, request: PlanRequest, run: Run) -> Proposal:
            if "top" not in request.given:
                return Proposal(read_python("top = top_products(count=2)", request.toolbox, partial=False), final=False)
            return Proposal(read_python("answer(top[1].name)", request.toolbox, given=["top"]))

    result = await Agent(tools=[BASIC], planner=Turns()).run("?")
    assert (result.status, result.output) == ("done", "scarf")


async def test_turns_are_bounded() -> None:
    class Endless:
        async def propose(self, request: PlanRequest, run: Run) -> Proposal:
            return Proposal(Plan((Call(f"t{len(request.attempts)}", "top_products", {}),)), final=False)

    result = await Agent(tools=[BASIC], planner=Endless(), limits=Limits(turns=3)).run("?")
    assert result.status == "stopped"
    assert result.error.startswith("stopped: the limit turns=3 is used up; done so far: t0, t1, t2")


async def test_a_long_run_keeps_what_was_learnt_and_frees_what_only_running_needed() -> None:
    """Neither the schedules of earlier plans stay, nor do executions leave cycles for the garbage collector."""
    alive: list[int] = []

    class Step:
        async def propose(self, request: PlanRequest, run: Run) -> Proposal:
            turn = len(request.attempts)
            alive.append(sum(isinstance(thing, CheckedPlan) for thing in gc.get_objects()))
            step = Call(f"t{turn}", "top_products", {"count": Literal(1)})
            return Proposal(Plan((step,), answer=Name(step.id)), final=turn == 5)

    gc.disable()
    try:
        result = await Agent(tools=[BASIC], planner=Step()).run("go")
    finally:
        gc.enable()
    assert (result.status, len(alive), len(set(alive))) == ("done", 6, 1)


async def test_a_run_that_is_over_leaves_nothing_for_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            await Agent(scripted(GOOD), tools=[BASIC]).run("What does a hat cost?")
        left = [thing for thing in gc.get_objects() if isinstance(thing, Run)]
    finally:
        gc.enable()
    assert left == []


async def test_a_finished_run_cannot_be_resumed(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "runs.sqlite")
    agent = Agent(scripted(GOOD), tools=[BASIC])
    result = await agent.run("?", journal=store)
    with pytest.raises(JournalError, match="is done; there is nothing to resume"):
        await agent.resume(result.run_id, store)
    store.close()


async def test_an_interrupted_run_goes_on_without_asking_the_model_again(tmp_path: Path) -> None:
    world = World()
    world.gates["b"] = asyncio.Event()
    store = JournalStore(tmp_path / "runs.sqlite")
    source = 'a = put(name="a")\nb = look(name="b")\nanswer([a, b])'
    agent = Agent(scripted(source), tools=world.tools(), policy=Policy(writes="auto"))
    task = asyncio.ensure_future(agent.run("?", journal=store, run_id="r1"))
    while "start b" not in world.log:  # noqa: ASYNC110  # the world says what has begun in a plain list
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    store.close()
    world.gates.clear()
    again = Agent(scripted(), tools=world.tools(), policy=Policy(writes="auto"))
    store = JournalStore(tmp_path / "runs.sqlite")
    result = await again.resume("r1", store)
    store.close()
    assert (result.status, result.output) == ("done", ["a", "b"])
    assert world.log.count("start a") == 1
    assert world.log.count("start b") == 2


async def test_the_journal_holds_every_event_of_a_run(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "runs.sqlite")
    result = await Agent(scripted(GOOD), tools=[BASIC]).run("?", journal=store)
    assert store.events(result.run_id) == result.events
    assert isinstance(result.events[-1], RunFinished)
    store.close()


async def test_a_fixed_plan_runs_without_a_model() -> None:
    plan = read_json(
        {"steps": [{"id": "p", "kind": "call", "tool": "price_of", "args": {"name": "hat"}}], "answer": "${p}"}
    )
    assert (await Agent(tools=[BASIC], planner=FixedPlan(plan)).run("?")).output == 20.0


async def test_a_denied_write_leads_to_another_plan() -> None:
    world = World()
    model = scripted('answer(put(name="x"))', 'answer(look(name="y"))')

    class No:
        async def approve(self, request: Any) -> Any:
            from agentkit.protocols import Decision

            return Decision(False, "leave the box alone")

        async def answer(self, question: str, schema: Any) -> Any:
            return None

    result = await Agent(model, tools=world.tools(), human=No()).run("?")
    assert result.output == "y"
    assert world.log == ["start y", "end y"]
    assert "leave the box alone" in model.requests[1].messages[-1].content


async def test_a_write_in_doubt_ends_the_run_instead_of_leading_to_a_plan_that_repeats_it(tmp_path: Path) -> None:
    world = World()
    world.gates["x"] = asyncio.Event()
    store = JournalStore(tmp_path / "runs.sqlite")
    agent = Agent(scripted('answer(put(name="x"))'), tools=world.tools(), policy=Policy(writes="auto"))
    task = asyncio.ensure_future(agent.run("?", journal=store, run_id="r1"))
    while "start x" not in world.log:  # noqa: ASYNC110  # the world says what has begun in a plain list
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.gates.clear()
    again = Agent(scripted('answer(put(name="x"))'), tools=world.tools(), policy=Policy(writes="auto"))
    result = await again.resume("r1", store)
    assert result.status == "failed"
    assert "in doubt: 'put' had started" in result.error
    assert world.log.count("start x") == 1
    settled = await again.resume("r1", store, decisions={"put_1": "it happened"})
    assert (settled.status, settled.output) == ("done", "it happened")
    assert world.log.count("start x") == 1
    store.close()


PRICE_TAG = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "price": {"type": "number", "maximum": 100}},
    "required": ["name", "price"],
    "additionalProperties": False,
}


async def test_an_answer_that_cannot_have_the_output_schema_is_refused_before_anything_runs() -> None:
    model = scripted(GOOD, 'cost = price_of(name="hat")\nanswer({"name": "hat", "price": cost})')
    result = await Agent(model, tools=[BASIC], output_schema=PRICE_TAG).run("A hat's price tag")
    assert codes(result.events) == [("AK401",), ()]
    assert result.output == {"name": "hat", "price": 20.0}
    checked = [event for event in result.events if isinstance(event, PlanChecked)]
    assert checked[0].diagnostics == (
        "AK401 at line 2, answer: string cannot be used here. Expected {name: string, price: number <= 100}.",
    )


async def test_an_answer_that_only_running_can_tell_is_checked_when_it_is_there_and_replanned() -> None:
    dear = 'cost = price_of(name="hat")\nanswer({"name": "hat", "price": cost * 10})'
    cheap = 'cost = price_of(name="hat")\nanswer({"name": "hat", "price": cost})'
    model = scripted(dear, cheap)
    result = await Agent(model, tools=[BASIC], output_schema=PRICE_TAG).run("A hat's price tag")
    assert result.output == {"name": "hat", "price": 20.0}
    errors = [event.error for event in result.events if isinstance(event, Executed)]
    assert errors == ["the answer is not what was asked for: price: 200.0 is greater than the maximum of 100", ""]


async def test_the_planner_is_told_of_which_type_the_answer_is_to_be() -> None:
    model = scripted('answer("hat")')
    await Agent(model, tools=[BASIC], output_schema={"type": "string", "enum": ["hat", "shoe"]}).run("What sells?")
    assert model.requests[0].messages[-1].content == 'What sells?\nThe answer is to be of the type "hat" | "shoe".'


def test_an_output_schema_that_is_none_is_refused_with_the_agent() -> None:
    with pytest.raises(DefinitionError, match="output_schema of 'shop': output schema, at type: 'price' is not a type"):
        Agent(scripted(), name="shop", output_schema={"type": "price"})


async def test_model_settings_fill_in_what_a_call_does_not_set() -> None:
    model = scripted('text = generate("Say hello.")\nanswer(text)', "Hello.")
    agent = Agent(model, model_settings=ModelSettings(temperature=0.7, max_tokens=50, seed=3))
    assert (await agent.run("Greet")).output == "Hello."
    planning, generating = (request.settings for request in model.requests)
    assert (planning.seed, planning.max_tokens) == (3, 700)  # the planner sets its own length
    assert (generating.temperature, generating.max_tokens, generating.seed) == (0.7, 50, 3)
