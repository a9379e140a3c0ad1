"""Goal constraints: checked on the plan, after steps and at the end; from code and from data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.certificate import Certificate
from agentkit.constraints import Budget, Constraint, Count, Deadline, Equals, Satisfies
from agentkit.errors import DefinitionError
from agentkit.events import PlanChecked, Reflected, StepStarted
from agentkit.facts import Facts
from agentkit.journal import JournalStore
from agentkit.limits import Limits
from agentkit.messages import ModelProfile, Usage
from agentkit.policy import Policy
from agentkit.results import RunResult
from agentkit.task import Task, read_constraint, read_constraints, write_constraints
from agentkit.testing import FakeClock, ScriptedModel
from agentkit.toolbox import Tool, tool
from tests.plans import call, checked, report_of

FREE = ModelProfile(spelling="python", decoding="free", repairs=True)


class Shop:
    """Buys things, and remembers what."""

    def __init__(self) -> None:
        self.bought: list[str] = []

    def tools(self) -> list[Tool]:
        @tool(effect="write", resources="shop", approval="auto", cost=0.5, expected_seconds=2.0)
        async def buy(name: str, price: float) -> float:
            """Buy something; gives what it cost.

            Args:
                name: What.
                price: Its price.
            """
            self.bought.append(name)
            return price

        @tool(effect="read")
        async def look(name: str) -> str:
            """Look at something.

            Args:
                name: At what.
            """
            return name

        return [buy, look]


async def run(shop: Shop, *plans: str, constraints: Any, **options: Any) -> RunResult:
    agent = Agent(ScriptedModel(list(plans), profile=FREE), tools=shop.tools(), limits=options.pop("limits", None))
    return await agent.run(Task("Buy things.", constraints), **options)


def codes(result: RunResult) -> list[tuple[str, ...]]:
    return [event.codes for event in result.events if isinstance(event, PlanChecked)]


def reasons(result: RunResult) -> list[tuple[str, str]]:
    return [(event.point, event.reason) for event in result.events if isinstance(event, Reflected) and not event.done]


SPENT = "sum([c.value for c in calls.buy])"


async def test_a_budget_is_held_after_each_step_and_what_was_spent_stays_spent() -> None:
    shop = Shop()
    plan = 'x = [buy(name=n, price=40.0) for n in ["a", "b", "c", "d"]]\nanswer(x)'
    result = await run(shop, plan, "answer(1)", constraints=[Budget(100, of=SPENT)], limits=Limits(replans=1))
    assert shop.bought == ["a", "b", "c"]
    over = f"{SPENT} is 120, and the budget is 100"
    assert reasons(result) == [("step", over), ("outcome", f"stopped after 'buy_1[2]': {over}"), ("outcome", over)]
    assert result.status == "failed"


async def test_a_budget_for_the_run_is_held_against_the_plan_s_fees_before_it_runs() -> None:
    shop = Shop()
    dear = 'x = [buy(name=n, price=1.0) for n in ["a", "b", "c"]]\nanswer(x)'
    cheap = 'x = buy(name="a", price=1.0)\nanswer(x)'
    result = await run(shop, dear, cheap, constraints=[Budget(1.0)])
    assert codes(result) == [("AK701",), ()]
    assert (result.status, shop.bought) == ("done", ["a"])
    told = next(event for event in result.events if isinstance(event, PlanChecked)).diagnostics[0]
    assert told == (
        "AK701 at plan: the run may cost $1.5 in all, and the budget is 1. "
        "Expected the cost of the run in US dollars is at most 1."
    )


@pytest.mark.parametrize(
    ("constraint", "plan", "code"),
    [
        (Count("calls.buy", min=3), 'x = buy(name="a", price=1.0)\nanswer(x)', ("AK701",)),
        (Count("calls.buy", min=1), 'x = buy(name="a", price=1.0)\nanswer(x)', ()),
        (Count("calls.buy", max=1), 'x = buy(name="a", price=1.0)\ny = buy(name="b", price=x)\nanswer(y)', ("AK701",)),
        (Count("calls.buy", min=2), 'x = subgoal("buy two")\nanswer(x)', ()),
        (
            Count("calls.buy", max=1),
            'x = buy(name="a", price=1.0) if look(name="a") == "a" else buy(name="b", price=2.0)\nanswer(x)',
            (),
        ),
        (Deadline(seconds=3), 'x = buy(name="a", price=1.0)\ny = buy(name="b", price=x)\nanswer(y)', ("AK701",)),
        (Deadline(seconds=3), 'x = buy(name="a", price=1.0)\nanswer(x)', ()),
        (Equals("answer.city", "Hanoi"), 'answer({"city": "Hue"})', ("AK701",)),
        (Equals("answer.city", "Hanoi"), 'answer({"city": "Hanoi"})', ()),
        (Satisfies("answer > 3", "more than three"), "answer(2)", ("AK701",)),
    ],
)
async def test_what_a_plan_shows_is_checked_before_it_runs(
    constraint: Constraint, plan: str, code: tuple[str, ...]
) -> None:
    agent = Agent(ScriptedModel([plan], profile=FREE), tools=Shop().tools(), limits=Limits(repairs=0))
    report = await agent.plan(Task("Buy.", [constraint]))
    assert tuple(one.code.value for one in report.errors) == code


async def test_a_count_speaks_of_the_calls_that_were_made() -> None:
    shop = Shop()
    one = 'x = buy(name="a", price=1.0)\nanswer(x)'
    hidden = 'names = ["b"]\nx = [buy(name=n, price=1.0) for n in names]\nanswer(1)'
    result = await run(shop, hidden, one, constraints=[Count("unique([c.args.name for c in calls.buy])", min=2)])
    assert result.status == "done"
    assert shop.bought == ["b", "a"]
    assert reasons(result) == [
        ("outcome", "the count is 1, but the count of unique([c.args.name for c in calls.buy]) is at least 2")
    ]


async def test_a_deadline_that_has_passed_ends_the_run_without_further_plans() -> None:
    clock = FakeClock()

    @tool(effect="read")
    async def wait() -> int:
        """Wait an hour."""
        await clock.sleep(3600)
        return 1

    model = ScriptedModel(["x = wait()\nanswer(x)"], profile=FREE)
    result = await Agent(model, tools=[wait]).run(Task("?", [Deadline(seconds=60)]), clock=clock)
    assert result.status == "failed"
    assert result.error == ("stopped after 'x': the run has taken 3.6e+03 s, and 60 s are allowed; done so far: x")
    assert model.remaining == 0


@pytest.mark.parametrize(
    ("by", "arrival", "problem"),
    [
        ("2026-12-24", "2026-12-24T23:00:00+07:00", ""),
        ("2026-12-24", "2026-12-25", "answer is 2026-12-25, later than 2026-12-24"),
        ("2026-12-24T12:00", "2026-12-24T12:01", "answer is 2026-12-24T12:01, later than 2026-12-24T12:00"),
        ("2026-12-24", "soon", "answer is 'soon', not a date or time of ISO 8601"),
    ],
)
def test_a_date_must_not_pass(by: str, arrival: str, problem: str) -> None:
    facts = Facts(answer=arrival, answered=True)
    assert Deadline(by=by, of="answer").at_end(facts) == problem


@pytest.mark.parametrize(
    ("constraint", "answer", "problem"),
    [
        (Equals("answer", 1), True, "answer is True, not 1"),
        (Equals("answer", 1), 1.0, ""),
        (
            Equals("answer.city", "Hue", "wrong city"),
            {"city": "Hoi An"},
            "wrong city: answer.city is 'Hoi An', not 'Hue'",
        ),
        (Budget(3, of="answer"), "three", "answer is 'three', not a number"),
        (Budget(3, of="answer"), 3, ""),
        (
            Count("answer", min=1, max=2),
            [1, 2, 3],
            "the count is 3, but the count of answer is at least 1 and at most 2",
        ),
        (Satisfies("len(answer) > 0", "there is an answer"), [], "it does not hold that there is an answer"),
        (Satisfies(lambda facts: facts.answer == 1, "it is one"), 2, "it does not hold that it is one"),
        (Satisfies(lambda facts: "two" if facts.answer == 2 else ""), 2, "two"),
        (Satisfies("answer + 1", "sums"), 2, "it does not hold that sums"),
    ],
)
def test_what_is_said_of_an_answer(constraint: Constraint, answer: Any, problem: str) -> None:
    assert constraint.at_end(Facts(answer=answer, answered=True)) == problem


def test_an_answer_of_another_shape_is_a_goal_failure_that_says_so() -> None:
    problem = Equals("answer.city", "Hanoi").at_end(Facts(answer="Hanoi", answered=True))
    assert problem.startswith("answer.city cannot be computed: ")
    assert "a text has no field 'city'" in problem


async def test_a_condition_that_always_holds_is_asked_after_each_step() -> None:
    shop = Shop()
    quiet = Satisfies("len(calls.buy) < 2", "at most one thing is bought", always=True)
    plan = 'x = [buy(name=n, price=1.0) for n in ["a", "b", "c"]]\nanswer(x)'
    result = await run(shop, plan, constraints=[quiet], limits=Limits(replans=0))
    assert shop.bought == ["a", "b"]
    assert result.error.startswith("stopped after 'buy_1[1]': it does not hold that at most one thing is bought")


async def test_the_planner_is_told_what_must_hold() -> None:
    model = ScriptedModel(["answer(1)"], profile=FREE)
    constraints = [Budget(5, of="answer"), Satisfies("answer > 0", "it is positive")]
    await Agent(model, tools=Shop().tools()).run(Task("Buy.", constraints))
    assert model.requests[0].messages[-1].content == (
        "Buy.\nIt must hold that answer is at most 5.\nIt must hold that it is positive."
    )


# data


ALL: list[Constraint] = [
    Budget(5000, of="answer.total", message="too dear"),
    Deadline(seconds=10),
    Deadline(by="2026-12-24", of="answer.arrival"),
    Count("calls.buy", min=1),
    Equals("answer", {"a": [1]}),
    Satisfies("answer > 0", "positive", always=True),
]


def test_constraints_are_the_same_after_a_way_through_data() -> None:
    import json

    assert read_constraints(json.loads(json.dumps(write_constraints(ALL)))) == tuple(ALL)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"kind": "wish"},
            "a constraint has the kind 'wish'; the kinds are budget, deadline, count, equals, satisfies",
        ),
        ({"kind": "budget", "most": 1}, "a constraint of kind 'budget' has no field 'most'; it has max, of, message"),
        ({"kind": "count", "of": "answer"}, "needs min, max or both"),
        ({"kind": "equals", "of": "price", "value": 1}, "nothing defines 'price'; constraints may use answer, calls"),
        ({"kind": "equals", "of": "answer +", "value": 1}, "Equals(of='answer +'"),
        ({"kind": "budget"}, "a constraint of kind 'budget' cannot be made of {}: max: Field required"),
        ({"kind": "budget", "max": "much"}, "max: Input should be a valid number"),
        ({"kind": "deadline", "by": "soon", "of": "answer"}, "'soon' is not a date or time of ISO 8601"),
    ],
)
def test_data_that_is_no_constraint_is_refused_by_name(row: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        read_constraint(row)
    assert message in str(refused.value)


async def test_a_constraint_about_a_tool_that_there_is_not_is_refused_before_the_run() -> None:
    agent = Agent(ScriptedModel([], profile=FREE), tools=Shop().tools())
    with pytest.raises(DefinitionError, match=r"calls\.buys: .*'buys'"):
        await agent.run(Task("?", [Count("calls.buys", min=1)]))
    with pytest.raises(DefinitionError, match=r"'prize'"):
        await agent.run(Task("?", [Budget(1, of="sum([c.args.prize for c in calls.buy])")]))


def test_a_task_comes_from_data() -> None:
    assert Task.read({"goal": "g", "constraints": [{"kind": "budget", "max": 1}]}) == Task("g", (Budget(1),))
    with pytest.raises(DefinitionError, match=r"^a task has a field 'aim'; its fields are goal and constraints$"):
        Task.read({"goal": "g", "aim": "x"})
    with pytest.raises(DefinitionError, match=r"^a task has no goal in words; its fields are goal and constraints$"):
        Task.read({})


class _StopError(BaseException):
    """The process ends here."""


async def crashed(store: JournalStore, shop: Shop, constraints: list[Constraint]) -> None:
    def crash(event: Any) -> None:
        if isinstance(event, StepStarted) and event.step == "seen":
            raise _StopError

    plan = 'x = buy(name="a", price=9.0)\nseen = look(name="b")\nanswer([x, seen])'
    agent = Agent(ScriptedModel([plan], profile=FREE), tools=shop.tools())
    with pytest.raises(_StopError):
        await agent.run(Task("?", constraints), journal=store, run_id="r", listeners=[crash])


async def test_constraints_hold_after_a_crash(tmp_path: Path) -> None:
    shop, store = Shop(), JournalStore(tmp_path / "runs.sqlite")
    await crashed(store, shop, [Equals("answer[0]", 8.0), Budget(10, of=SPENT)])
    agent = Agent(ScriptedModel([], profile=FREE), tools=shop.tools())
    result = await agent.resume("r", store, limits=Limits(replans=0))
    store.close()
    assert (result.status, shop.bought) == ("failed", ["a"])
    assert result.error.startswith("answer[0] is 9.0, not 8.0")


async def test_a_function_must_be_given_again_to_resume(tmp_path: Path) -> None:
    shop, store = Shop(), JournalStore(tmp_path / "runs.sqlite")
    good = Satisfies(lambda facts: len(facts.calls["buy"]) == 1, "one thing was bought")
    await crashed(store, shop, [good])
    agent = Agent(ScriptedModel([], profile=FREE), tools=shop.tools())
    with pytest.raises(DefinitionError) as refused:
        await agent.resume("r", store)
    assert str(refused.value) == (
        "the run has a constraint that a journal cannot hold: 'one thing was bought'; "
        "pass the task's constraints again: agent.resume(…, constraints=[…])"
    )
    result = await agent.resume("r", store, constraints=[good])
    store.close()
    assert (result.status, shop.bought) == ("done", ["a"])


# the certificate


def test_the_certificate_counts_the_calls_of_each_tool() -> None:
    loop = {"id": "l", "kind": "for_each", "item": "i", "in": [1, 2, 3], "do": [call("d", "double", number="${i}")]}
    plan = checked(call("a", "double", number=1), loop, call("b", "price_of", name="hat"), answer="${[a, l, b]}")
    assert plan.certificate.calls == {"double": (1, 4), "price_of": (1, 1)}
    assert Certificate.from_json(plan.certificate.to_json()) == plan.certificate
    unknown = {**loop, "in": "${range(n)}"}
    assert report_of(
        unknown, answer="${l}", inputs={"n": {"type": "integer"}}, policy=Policy()
    ).require().certificate.calls == {"double": (0, None)}


def test_facts_are_names_of_expressions() -> None:
    facts = Facts(inputs={"n": 1}, usage=Usage(cost=0.5), seconds=2.0)
    assert sorted(facts.scope()) == ["calls", "inputs", "seconds", "steps", "usage"]
    assert Satisfies("usage.cost < 1 and inputs.n == 1 and seconds == 2").at_end(facts) == ""
