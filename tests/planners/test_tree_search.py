"""Tree search: over a world that is computed, over one that a model imagines, and what happens when a plan fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import DefinitionError, ToolError
from agentkit.events import PlanProposed, StepStarted
from agentkit.judges import Scorer
from agentkit.limits import Limits
from agentkit.messages import Json, ModelProfile, ModelRequest
from agentkit.plan import Plan
from agentkit.planners.registry import planner
from agentkit.planners.simulation import StripsValidator
from agentkit.planners.strips_world import DISCOUNT, Relaxed, StripsWorld
from agentkit.planners.tree_search import Backup, TreeSearch
from agentkit.planners.world import Line, ModelWorld, Prediction, World
from agentkit.planning import PlanRequest, Proposal
from agentkit.results import RunResult
from agentkit.run import Run
from agentkit.spelling import read_python
from agentkit.testing import FakeClock, FunctionModel
from agentkit.toolbox import Tool, Toolbox, tool
from examples.blocksworld.domain import Table, Towers, problem_of
from examples.blocksworld.problems import random_pair, shortest
from tests.plans import BASIC

SUSSMAN: tuple[Towers, Towers] = ((("a", "c"), ("b",)), (("c", "b", "a"),))
"""The anomaly: working at one of its two goals first undoes it for the other. Six actions."""


def proposals(result: RunResult) -> list[PlanProposed]:
    return [event for event in result.events if isinstance(event, PlanProposed)]


async def found(start: Towers, goal: Towers, **options: Any) -> Proposal:
    problem = problem_of(start, goal)
    search = TreeSearch(StripsWorld(problem), **{"simulations": 600, "enough": 20, **options})
    return await search.propose(PlanRequest("Build it.", Toolbox(*Table(start).tools())), Run())


# computed worlds


async def test_the_sussman_anomaly_is_solved_with_the_shortest_plan() -> None:
    proposal = await found(*SUSSMAN)
    assert proposal.notes["lines"] == [
        'unstack(block="c", off="a")',
        'put_down(block="c")',
        'pick_up(block="b")',
        'stack(block="b", onto="c")',
        'pick_up(block="a")',
        'stack(block="a", onto="b")',
    ]


@pytest.mark.parametrize("backup", ["max", "mean"])
@pytest.mark.parametrize("blocks", [3, 4])
async def test_small_problems_are_solved_with_shortest_plans(blocks: int, backup: Backup) -> None:
    for seed in range(4):
        start, goal = random_pair(blocks, seed)
        proposal = await found(start, goal, backup=backup)
        assert len(proposal.notes["lines"]) == shortest(problem_of(start, goal))


async def test_the_same_seed_gives_the_same_search_and_the_seed_matters() -> None:
    pair = random_pair(5, 1)
    first = await found(*pair, seed=3)
    assert await found(*pair, seed=3) == first
    others = [await found(*pair, seed=seed) for seed in range(4, 8)]
    assert any(other.notes["search"] != first.notes["search"] for other in others)


async def test_the_notes_say_what_the_search_did() -> None:
    proposal = await found(*SUSSMAN)
    told = proposal.notes["search"]
    assert set(told) == {"simulations", "nodes", "plans", "value", "deepest", "ended", "steps"}
    assert (told["ended"], told["value"]) == ("nothing left", round(DISCOUNT**6, 4))
    assert {row["step"] for row in told["steps"]} == {'unstack(block="c", off="a")', 'pick_up(block="b")'}
    assert sum(row["visits"] for row in told["steps"]) == told["simulations"] <= 600
    json.dumps(proposal.notes)


async def test_a_goal_that_cannot_be_reached_ends_the_run_and_says_so() -> None:
    problem = problem_of(*SUSSMAN)
    table = Table(SUSSMAN[0])
    cut = [one for one in table.tools() if one.name != "stack"]
    result = await Agent(tools=cut, planner=TreeSearch(StripsWorld(problem))).run("Build it.")
    assert (result.status, result.error) == (
        "stopped",
        (
            "stopped: no plan of at most 30 steps reaches the goal: the search has looked at all 9 that the world "
            "model predicts"
        ),
    )


async def test_a_search_that_is_too_short_says_what_to_do() -> None:
    problem = problem_of(*SUSSMAN)
    table = Table(SUSSMAN[0])
    result = await Agent(tools=table.tools(), planner=TreeSearch(StripsWorld(problem), simulations=3)).run("Build it.")
    assert result.error == (
        "stopped: the search found no plan that reaches the goal in simulations=3; allow more, or give a value that "
        "tells better which states are near the goal"
    )


async def test_a_goal_that_is_reached_already_needs_no_step() -> None:
    start, _ = SUSSMAN
    assert (await found(start, start)).notes["lines"] == []


async def test_the_run_s_time_bounds_a_search_that_is_computed() -> None:
    start, goal = random_pair(7, 3)
    search = TreeSearch(StripsWorld(problem_of(start, goal)), simulations=100_000, enough=1_000)
    clock = FakeClock()
    agent = Agent(tools=Table(start).tools(), planner=search)

    async def wait() -> int:
        """Other runs have their turns while the search goes on."""
        turns = 0
        while turns < 50:
            await asyncio.sleep(0)
            turns += 1
        await clock.sleep(3)
        return turns

    result, turns = await asyncio.gather(agent.run("Build it.", limits=Limits(seconds=2), clock=clock), wait())
    assert (result.status, result.error, turns) == ("stopped", "stopped: the limit seconds=2 is used up", 50)


async def test_no_plan_is_longer_than_the_depth() -> None:
    told = (await found(*SUSSMAN, depth=6)).notes["search"]
    assert (told["deepest"], told["plans"] > 0) == (6, True)


def test_the_heuristic_is_the_length_of_a_plan_in_which_nothing_becomes_false() -> None:
    problem = problem_of(*SUSSMAN)
    relaxed = Relaxed(problem, problem.operations())
    assert relaxed.steps(problem.init) == 6
    assert relaxed.steps(frozenset(problem.init - {("clear", "c")})) == float("inf")


class Slippery(Table):
    """A table on which one placing of a block fails once: the block stays in the hand, or falls on the table."""

    def __init__(self, towers: Towers, slip: tuple[str, str], *, falls: bool = False) -> None:
        super().__init__(towers)
        self.slips = [slip]
        self.falls = falls

    def place(self, block: str, onto: str) -> str:
        if (block, onto) not in self.slips:
            return super().place(block, onto)
        self.slips.clear()
        if self.falls:
            super().place(block, "")
        raise ToolError(f"{block!r} slips")


@pytest.mark.parametrize("observed", [True, False])
async def test_after_a_failure_the_next_plan_starts_from_what_is_there_and_repeats_nothing(observed: bool) -> None:
    """What failed is tried again where there is no other way."""
    table = Slippery(SUSSMAN[0], ("c", ""))
    problem = problem_of(*SUSSMAN)
    state = table.facts if observed else None
    validators = [StripsValidator(problem, state=table.facts)]
    search = TreeSearch(StripsWorld(problem, state=state), simulations=600)
    result = await Agent(tools=table.tools(), planner=search, validators=validators).run("Build it.")
    assert (result.status, problem.reached(table.facts())) == ("done", True), result.error
    first, second = (event.notes["lines"] for event in proposals(result))
    assert first[:2] == ['unstack(block="c", off="a")', 'put_down(block="c")']
    assert second == first[1:]


async def test_a_call_that_was_done_before_and_is_needed_again_is_done_again() -> None:
    """The block falls on the table, so that the new plan has to pick it up as the old one did."""
    start: Towers = (("a",), ("b",))
    table = Slippery(start, ("a", "b"), falls=True)
    problem = problem_of(start, (("b", "a"),))
    search = TreeSearch(StripsWorld(problem, state=table.facts))
    result = await Agent(tools=table.tools(), planner=search).run("Build it.")
    assert (result.status, problem.reached(table.facts())) == ("done", True), result.error
    assert [event.action for event in result.events if isinstance(event, StepStarted)] == ["pick_up", "stack"] * 2
    assert "_again=True" in proposals(result)[1].source


async def test_a_fallback_that_agrees_with_what_happened_runs_without_a_new_search() -> None:
    world = Paths(
        {"": ["one()", "other()"], "one()": ["bad()", "good()"], "other()": ["good()"]},
        {"one()bad()": 1.0, "one()good()": 0.9, "other()good()": 0.8},
    )
    result, done = await walked(world, fails="bad")
    assert (result.status, done) == ("done", ["one", "good"])
    assert [event.notes["lines"] for event in proposals(result)] == [["one()", "bad()"], ["good()"]]
    assert world.searches == 1
    assert "search" not in proposals(result)[1].notes


async def test_without_a_fallback_that_agrees_the_search_starts_again_without_the_failed_step() -> None:
    world = Paths(
        {"": ["one()", "other()"], "one()": ["good()"], "other()": ["good()"]},
        {"one()good()": 1.0, "other()good()": 0.9},
    )
    result, done = await walked(world, fails="one", fallbacks=0)
    assert (result.status, done) == ("done", ["other", "good"])
    assert world.searches == 2


async def test_a_plan_that_the_validators_refuse_is_passed_over() -> None:
    world = Paths({"": ["one()", "other()"]}, {"one()": 1.0, "other()": 0.5})
    result, done = await walked(world, refuses="one")
    assert (result.status, done) == ("done", ["other"])
    assert proposals(result)[0].notes["search"]["plans"] == 1


async def test_costs_of_steps_count() -> None:
    world = Paths(
        {"": ["one()", "other()"], "other()": ["good()"]}, {"one()": 1.0, "other()good()": 1.0}, {"one()": -0.5}
    )
    _, done = await walked(world)
    assert done == ["other", "good"]


async def test_a_state_that_is_reached_a_shorter_way_takes_its_plans_along() -> None:
    """The long way is found first, with what is behind it."""
    ways = {"": ["one()", "bad()"], "one()": ["other()"], "one()other()": ["good()"]}
    world = Paths(ways, {"one()other()good()": 1.0}, same={"bad()": "one()other()"}, first={"one()": 1.0})
    _, done = await walked(world)
    assert done == ["bad", "good"]


async def test_states_are_valued_by_a_function_or_by_a_judge_if_one_is_given() -> None:
    ends = {"one()": 0.2, "other()": 0.2}
    _, done = await walked(Paths({"": ["one()", "other()"]}, ends), value=lambda state: float(state == "other()"))
    assert done == ["other"]
    judge = Scorer(lambda situation: float("other" in str(situation.plan)), at_least=0.5)
    _, done = await walked(Paths({"": ["one()", "other()"]}, ends), value=judge)
    assert done == ["other"]


class Paths:
    """A world as a table: what follows each path, and what its end is worth."""

    def __init__(
        self,
        ways: Mapping[str, Sequence[Line]],
        ends: Mapping[str, float],
        rewards: Mapping[str, float] | None = None,
        same: Mapping[str, str] | None = None,
        first: Mapping[str, float] | None = None,
    ) -> None:
        self.ways, self.ends, self.rewards, self.same, self.first = ways, ends, rewards or {}, same or {}, first or {}
        self.searches = 0
        self.request = PlanRequest("", BASIC)

    def world(self, request: PlanRequest, run: Run) -> World:
        made = Paths(self.ways, self.ends, self.rewards, self.same, self.first)
        made.request = request
        made.start = self.start  # type: ignore[method-assign]
        return made

    async def start(self) -> Hashable:
        self.searches += 1
        return ""

    async def actions(self, state: Hashable) -> Sequence[Line]:
        return self.ways.get(str(state), ())

    async def predict(self, state: Hashable, action: Line) -> Prediction:
        path = f"{state}{action}"
        return Prediction(self.same.get(path, path), self.rewards.get(action, 0.0))

    async def done(self, state: Hashable) -> bool:
        return state in self.ends

    async def value(self, state: Hashable) -> float:
        return self.ends.get(str(state), self.first.get(str(state), 0.1))

    def plan(self, actions: Sequence[Line]) -> Plan:
        text = "\n".join((*actions, 'answer("there")'))
        return read_python(text, self.request.toolbox, given=tuple(self.request.given))


async def walked(world: Paths, *, fails: str = "", refuses: str = "", **options: Any) -> tuple[RunResult, list[str]]:
    """A run over the steps of a table, of which one fails or is refused; and the steps that were done."""
    done: list[str] = []

    def make(name: str) -> Tool:
        async def step() -> str:
            """Go on."""
            if name == fails:
                raise ToolError("no way")
            done.append(name)
            return name

        return tool(name=name, effect="write", resources="way", approval="auto", retries=0)(step)

    def validate(plan: Plan, certificate: object) -> list[Any]:

        return (
            [Diagnostic(Code.VALIDATOR, (), "not this way.")]
            if refuses and f"tool='{refuses}'" in str(plan.steps)
            else []
        )

    tools = [make(name) for name in ("one", "other", "good", "bad")]
    agent = Agent(tools=tools, planner=TreeSearch(world, **options), validators=[validate])
    return await agent.run("Go there."), done


# imagined worlds

JSON_MODEL = ModelProfile(json_schema=True)
LOOK, PRICE = "top = top_products(count=1)", "cost = price_of(name=top[0].name)"


def imagining(request: ModelRequest) -> str:
    """A model that knows the way, and has one worse idea at each step."""
    asked = request.messages[-1].content
    plan = asked.rpartition("The plan so far:\n")[2].partition("\n\n")[0]
    if "Predict the result" in asked:
        last = plan.splitlines()[-1]
        return json.dumps({"outcome": "as hoped", "promise": 0.2 if "guess" in last or "hat" in last else 0.9})
    if "price_of" in plan:
        return json.dumps({"lines": ["answer(cost)"]})
    if "top_products" in plan:
        return json.dumps({"lines": [PRICE, "x = no_such_tool()"]})
    return json.dumps({"lines": [LOOK, "cost = price_of(name='hat')"]})


async def test_a_model_imagines_the_way_and_the_plan_is_run() -> None:
    model = FunctionModel(imagining, profile=JSON_MODEL)
    result = await Agent(model, tools=[BASIC], planner=TreeSearch(ModelWorld(2), enough=1)).run("The best one's price?")
    assert (result.status, result.output) == ("done", 20.0), result.error
    assert proposals(result)[0].notes["lines"] == [LOOK, PRICE, "answer(cost)"]
    assert [request.purpose for request in model.requests[:2]] == ["search:propose", "search:predict"]
    assert "# expected: as hoped" in model.requests[-1].messages[-1].content


async def test_lines_that_the_checker_refuses_cost_no_prediction() -> None:
    model = FunctionModel(imagining, profile=JSON_MODEL)
    await Agent(model, tools=[BASIC], planner=TreeSearch(ModelWorld(2), enough=1)).run("The best one's price?")
    predicted = [request.messages[-1].content for request in model.requests if request.purpose == "search:predict"]
    assert len(predicted) == 4
    assert not any("no_such_tool" in text for text in predicted)


async def test_when_the_model_calls_are_used_up_the_best_plan_so_far_runs() -> None:
    model = FunctionModel(imagining, profile=JSON_MODEL)
    agent = Agent(model, tools=[BASIC], planner=TreeSearch(ModelWorld(2), enough=9))
    result = await agent.run("The best one's price?", limits=Limits(model_calls=8))
    assert (result.status, result.output, result.usage.model_calls) == ("done", 20.0, 8)
    assert proposals(result)[0].notes["search"]["ended"] == "the limit model_calls=8 is used up"
    result = await agent.run("The best one's price?", limits=Limits(model_calls=3))
    assert (result.status, result.error) == ("stopped", "stopped: the limit model_calls=3 is used up")


async def test_malformed_replies_are_dead_ends() -> None:
    model = FunctionModel(lambda request: "I would rather not.", profile=JSON_MODEL)
    result = await Agent(model, tools=[BASIC], planner=TreeSearch()).run("The best one's price?")
    assert result.error.startswith("stopped: no plan of at most 30 steps reaches the goal")


async def test_a_new_search_is_told_what_happened() -> None:
    def answers(request: ModelRequest) -> str:
        asked = request.messages[-1].content
        if "Predict" in asked:
            return json.dumps({"outcome": "a price", "promise": 0.9})
        name = "hat" if "This plan ran and failed" in asked else "sombrero"
        return json.dumps({"lines": [f"answer(price_of(name={name!r}))"]})

    model = FunctionModel(answers, profile=JSON_MODEL)
    result = await Agent(model, tools=[BASIC], planner=TreeSearch()).run("The hat's price?")
    assert (result.status, result.output) == ("done", 20.0), result.error
    assert "no product 'sombrero'" in model.requests[-1].messages[-1].content


# definitions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"simulations": 0}, "simulations is 0, depth 30, enough 3, fallbacks 2 and exploration 0.1; give at least"),
        ({"discount": 0.0}, "discount is 0.0; give more than 0 and at most 1"),
        ({"backup": "sum"}, "backup is 'sum'; give 'max' or 'mean'"),
        ({"branching": 0}, "branching is 0; give 1 or more"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Json], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        planner("tree_search", **options)


def test_a_weight_of_nothing_is_refused() -> None:
    with pytest.raises(DefinitionError, match="weight is 0; give more than 0"):
        StripsWorld(problem_of(*SUSSMAN), weight=0)


async def test_a_world_of_a_model_needs_a_model() -> None:
    with pytest.raises(DefinitionError, match="TreeSearch needs a model"):
        await TreeSearch().propose(PlanRequest("x", BASIC), Run())


async def test_a_search_chosen_by_word_can_let_a_judge_value_states() -> None:
    def answers(request: ModelRequest) -> str:
        if request.purpose == "reflect:plan":
            return json.dumps({"reason": "r", "score": 0.9 if "hat" in str(request.messages) else 0.1, "content": True})
        return imagining(request)

    model = FunctionModel(answers, profile=JSON_MODEL)
    chosen = {"name": "tree_search", "judge": True, "enough": 1, "branching": 2}
    result = await Agent(model, tools=[BASIC], planner=chosen).run("A price?")
    assert result.status == "done"
    assert any(request.purpose == "reflect:plan" for request in model.requests)
