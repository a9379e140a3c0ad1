"""The executor: as fast as data and effects allow, one status a step, nothing hangs and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from agentkit.errors import DefinitionError, ModelRetry
from agentkit.events import ApprovalAsked, StepFinished, StepRetried, StepStarted
from agentkit.executor import execute
from agentkit.limits import Limits
from agentkit.messages import Json
from agentkit.policy import Policy
from agentkit.protocols import ApprovalRequest, Decision
from agentkit.results import Outcome
from agentkit.run import History, Run
from agentkit.testing import FakeClock, ScriptedModel
from agentkit.toolbox import Toolbox, tool
from tests.plans import BASIC, World, call, checked, value


@pytest.fixture
def world() -> World:
    return World()


def statuses(outcome: Outcome) -> dict[str, str]:
    return {name: step.status for name, step in outcome.steps.items()}


async def run_world(world: World, *steps: Mapping[str, Any], answer: Any = "ok", **options: Any) -> Outcome:
    toolbox = Toolbox(*world.tools(**options.pop("settings", {})))
    return await execute(checked(*steps, answer=answer, toolbox=toolbox, **options))


# values


async def test_a_plan_answers_with_the_values_of_its_steps() -> None:
    plan = checked(call("top", "top_products", count=2), answer="${[p.name for p in top]}")
    outcome = await execute(plan)
    assert (outcome.status, outcome.value) == ("done", ["hat", "scarf"])


async def test_references_resolve_structurally_into_arguments() -> None:
    plan = checked(
        call("top", "top_products"),
        call("price", "price_of", name="${top[1].name}"),
        answer={"text": "It costs ${price}.", "twice": "${price * 2}"},
    )
    assert (await execute(plan)).value == {"text": "It costs 15.5.", "twice": 31.0}


async def test_a_branch_not_taken_does_not_run() -> None:
    step = {
        "id": "choice",
        "kind": "if",
        "condition": "${len(top) > 5}",
        "then": [call("a", "double", number=1)],
        "else": [value("b", "few")],
    }
    outcome = await execute(checked(call("top", "top_products"), step, answer="${choice}"))
    assert outcome.value == "few"
    assert "a" not in outcome.steps


async def test_for_each_gives_a_list_in_the_order_of_its_items() -> None:
    step = {
        "id": "prices",
        "kind": "for_each",
        "item": "p",
        "in": "${top}",
        "do": [call("price", "price_of", name="${p.name}")],
    }
    outcome = await execute(checked(call("top", "top_products"), step, answer="${prices}"))
    assert outcome.value == [20.0, 15.5, 9.0]
    assert set(outcome.steps) == {"top", "prices", "price[0]", "price[1]", "price[2]"}


async def test_repeat_carries_state_and_ends_by_its_condition() -> None:
    step = {
        "id": "loop",
        "kind": "repeat",
        "state": {"n": 1},
        "while": "${n < 100}",
        "do": [call("twice", "double", number="${n}")],
        "next": {"n": "${twice}"},
        "max_iterations": 20,
    }
    assert (await execute(checked(step, answer="${loop.n}"))).value == 128


async def test_repeat_without_state_has_the_value_of_its_last_round() -> None:
    step = {"id": "r", "kind": "repeat", "do": [value("x", 7)], "until": "${x == 7}", "max_iterations": 5}
    outcome = await execute(checked(step, answer="${r}"))
    assert outcome.value == 7
    assert "x[1]" not in outcome.steps


async def test_a_loop_that_runs_no_round_keeps_its_first_state() -> None:
    step = {
        "id": "loop",
        "kind": "repeat",
        "state": {"n": 5},
        "while": "${n < 0}",
        "do": [value("x", 1)],
        "next": {"n": "${x}"},
        "max_iterations": 3,
    }
    assert (await execute(checked(step, answer="${loop.n}"))).value == 5


async def test_parallel_gives_an_object_of_its_branches() -> None:
    step = {
        "id": "both",
        "kind": "parallel",
        "branches": {"left": [call("a", "double", number=1)], "right": [call("b", "double", number=2)]},
    }
    assert (await execute(checked(step, answer="${both.left + both.right}"))).value == 6


# scheduling


async def test_independent_steps_run_at_once(world: World) -> None:
    steps = [call(f"s{i}", "think", name=f"s{i}", seconds=0.02) for i in range(10)]
    await run_world(world, *steps)
    assert world.most_running == 10


async def test_steps_start_in_program_order(world: World) -> None:
    steps = [call(f"s{i}", "think", name=f"s{i}") for i in range(10)]
    await run_world(world, *steps)
    assert [line for line in world.log if line.startswith("start")] == [f"start s{i}" for i in range(10)]


async def test_a_step_starts_when_its_own_inputs_are_ready_without_barriers(world: World) -> None:
    """The slow step of the first layer does not hold the second step of the other chain."""
    outcome = await run_world(
        world,
        call("slow", "think", name="slow", seconds=0.1),
        call("quick", "think", name="quick"),
        call("after", "think", name="${'after-' + quick}"),
        answer="${after}",
    )
    assert outcome.value == "after-quick"
    assert world.log.index("start after-quick") < world.log.index("end slow")


async def test_writes_of_one_resource_keep_program_order(world: World) -> None:
    await run_world(
        world,
        call("a", "put", name="a", seconds=0.03),
        call("b", "put", name="b"),
        call("c", "look", name="c"),
    )
    assert world.log == ["start a", "end a", "start b", "end b", "start c", "end c"]


async def test_reads_between_writes_run_at_once_and_hold_the_next_write(world: World) -> None:
    await run_world(
        world,
        call("a", "look", name="a", seconds=0.02),
        call("b", "look", name="b", seconds=0.03),
        call("w", "put", name="w"),
    )
    assert world.log[:2] == ["start a", "start b"]
    assert world.log.index("start w") > world.log.index("end b")


async def test_writes_of_different_resources_do_not_wait_for_each_other(world: World) -> None:
    await run_world(world, call("a", "put", name="a", seconds=0.02), call("b", "stack", name="b"))
    assert world.log.index("start b") < world.log.index("end a")


async def test_a_write_on_the_world_waits_for_everything_and_holds_everything(world: World) -> None:
    await run_world(
        world,
        call("a", "look", name="a", seconds=0.02),
        call("s", "shout", name="s", seconds=0.02),
        call("b", "stack", name="b"),
    )
    assert world.log == ["start a", "end a", "start s", "end s", "start b", "end b"]


async def test_parallel_lets_writes_overlap(world: World) -> None:
    step = {
        "id": "both",
        "kind": "parallel",
        "branches": {
            "left": [call("a", "put", name="a", seconds=0.02)],
            "right": [call("b", "put", name="b", seconds=0.02)],
        },
    }
    await run_world(world, step)
    assert world.most_running == 2


async def test_iterations_with_writes_run_one_after_the_other(world: World) -> None:
    step = {
        "id": "each",
        "kind": "for_each",
        "item": "i",
        "in": ["a", "b", "c"],
        "do": [call("w", "put", name="${i}", seconds=0.01)],
    }
    await run_world(world, step)
    assert world.most_running == 1
    assert world.log[::2] == ["start a", "start b", "start c"]


async def test_concurrency_of_a_loop_is_bounded(world: World) -> None:
    step = {
        "id": "each",
        "kind": "for_each",
        "item": "i",
        "in": "${range(12)}",
        "do": [call("w", "look", name="${str(i)}", seconds=0.01)],
        "concurrency": 3,
    }
    await run_world(world, step)
    assert world.most_running == 3


async def test_a_tool_is_never_called_more_often_at_once_than_it_allows(world: World) -> None:
    steps = [call(f"s{i}", "look", name=f"s{i}", seconds=0.005) for i in range(8)]
    await run_world(world, *steps, settings={"max_concurrency": 2})
    assert world.most_running == 2


async def test_parallelism_of_the_run_is_bounded(world: World) -> None:
    steps = [call(f"s{i}", "look", name=f"s{i}", seconds=0.005) for i in range(8)]
    toolbox = Toolbox(*world.tools())
    limits = Limits(parallelism=3)
    await execute(checked(*steps, toolbox=toolbox, limits=limits), run=Run(limits=limits))
    assert world.most_running == 3


# failures


async def test_a_failure_skips_what_depends_on_it_and_nothing_else(world: World) -> None:
    world.failures["bad"] = 1
    outcome = await run_world(
        world,
        call("bad", "think", name="bad"),
        call("after", "think", name="${bad}"),
        call("last", "think", name="${after}"),
        call("other", "think", name="other", seconds=0.01),
    )
    assert outcome.status == "failed"
    assert statuses(outcome) == {"bad": "failed", "after": "skipped", "last": "skipped", "other": "done"}
    assert outcome.error == "'bad' failed: RuntimeError: bad broke"
    assert outcome.steps["last"].error == "it needs 'after'"


async def test_a_failed_write_holds_back_later_effects_on_its_resource(world: World) -> None:
    world.failures["w"] = 1
    outcome = await run_world(
        world,
        call("w", "put", name="w"),
        call("again", "put", name="again"),
        call("elsewhere", "stack", name="elsewhere"),
    )
    assert statuses(outcome) == {"w": "failed", "again": "skipped", "elsewhere": "done"}


async def test_on_error_skip_fails_nothing_else(world: World) -> None:
    world.failures["bad"] = 1
    outcome = await run_world(
        world,
        {**call("bad", "think", name="bad"), "on_error": "skip"},
        call("after", "think", name="${bad}"),
        call("other", "think", name="other"),
        answer="${other}",
    )
    assert (outcome.status, outcome.value) == ("done", "other")
    assert statuses(outcome) == {"bad": "failed", "after": "skipped", "other": "done"}


async def test_on_error_value_goes_on_with_the_fallback(world: World) -> None:
    world.failures["bad"] = 1
    outcome = await run_world(
        world, {**call("bad", "think", name="bad"), "on_error": {"value": "instead"}}, answer="${bad}"
    )
    assert outcome.value == "instead"
    assert "RuntimeError: bad broke" in outcome.steps["bad"].error


async def test_a_failed_iteration_lets_the_others_finish(world: World) -> None:
    world.failures["b"] = 1
    step = {
        "id": "each",
        "kind": "for_each",
        "item": "i",
        "in": ["a", "b", "c"],
        "do": [call("w", "look", name="${i}", seconds=0.01)],
    }
    outcome = await run_world(world, step)
    assert statuses(outcome) == {"w[0]": "done", "w[1]": "failed", "w[2]": "done", "each": "failed"}
    assert outcome.error == "'each' failed: 'w[1]' failed: RuntimeError: b broke"


async def test_an_answer_that_cannot_be_computed_fails_the_plan_and_says_why() -> None:
    outcome = await execute(checked(call("top", "top_products", count=1), answer="${top[len(top)].name}"))
    assert outcome.status == "failed"
    assert outcome.error.startswith("the answer cannot be computed: top[len(top)]")


@tool(effect="read")
async def lies() -> int:
    """Say that it returns a number."""
    return "seven"  # type: ignore[return-value]


@tool(effect="read")
async def cancels_itself() -> int:
    """Raise CancelledError, as a tool does whose own client gave up."""
    raise asyncio.CancelledError


@tool(effect="read")
async def exits() -> int:
    """Try to end the process."""
    raise SystemExit(3)


@tool(effect="read", timeout=0.05)
async def hangs() -> int:
    """Never return."""
    await asyncio.Event().wait()
    return 1


@tool(effect="read", timeout=0.05)
async def hangs_stubbornly() -> int:
    """Never return, and swallow every cancellation."""
    ends = time.monotonic() + 2.0
    while time.monotonic() < ends:
        try:
            await asyncio.sleep(2.0)
        except asyncio.CancelledError:
            continue
    return 1


@tool(effect="read", timeout=0.05)
def blocks() -> int:
    """Block the thread that it runs in."""
    time.sleep(1.0)
    return 1


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("lies", "lies"),
        ("cancels_itself", "the call cancelled itself"),
        ("exits", "SystemExit: 3"),
        ("hangs", "no result within 0.05 s"),
        ("hangs_stubbornly", "no result within 0.05 s"),
        ("blocks", "no result within 0.05 s"),
    ],
)
async def test_a_misbehaving_tool_neither_hangs_the_run_nor_loses_its_siblings(name: str, error: str) -> None:
    toolbox = Toolbox(BASIC, lies, cancels_itself, exits, hangs, hangs_stubbornly, blocks)
    plan = checked(call("bad", name), call("good", "double", number=2), answer="${good}", toolbox=toolbox)
    outcome = await asyncio.wait_for(execute(plan), 5)
    assert statuses(outcome) == {"bad": "failed", "good": "done"}
    assert error in outcome.steps["bad"].error
    assert outcome.steps["good"].value == 4


async def test_a_bad_output_is_caught_before_any_other_step_sees_it() -> None:
    plan = checked(call("n", "lies"), call("twice", "double", number="${n}"), toolbox=Toolbox(BASIC, lies))
    outcome = await execute(plan)
    assert statuses(outcome) == {"n": "failed", "twice": "skipped"}


# retries


async def test_a_failing_call_is_retried_with_growing_waits_and_events(world: World) -> None:
    world.failures["flaky"] = 2
    clock = FakeClock()
    run = Run(clock=clock)
    plan = checked({**call("s", "look", name="flaky"), "retry": 3}, answer="${s}", toolbox=Toolbox(*world.tools()))
    outcome = await execute(plan, run=run)
    assert outcome.value == "flaky"
    retries = [event for event in run.events if isinstance(event, StepRetried)]
    assert [event.attempt for event in retries] == [1, 2]
    assert retries[0].error == "RuntimeError: flaky broke"
    assert 0 < retries[0].delay < retries[1].delay
    assert run.meter.usage.tool_calls == 3


async def test_retries_that_are_used_up_fail_with_the_last_error(world: World) -> None:
    world.failures["flaky"] = 9
    outcome = await run_world(world, {**call("s", "look", name="flaky"), "retry": 1})
    assert outcome.steps["s"].error == "RuntimeError: flaky broke"
    assert world.log.count("start flaky") == 2


async def test_a_tool_that_wants_other_arguments_is_not_retried_with_the_same() -> None:
    calls = 0

    @tool(effect="read", retries=3)
    async def picky(name: str) -> str:
        """Accept nothing.

        Args:
            name: Whatever.
        """
        nonlocal calls
        calls += 1
        raise ModelRetry("say it in French")

    outcome = await execute(checked(call("s", "picky", name="x"), toolbox=Toolbox(picky)))
    assert (calls, outcome.steps["s"].error) == (1, "say it in French")


@pytest.mark.parametrize(("idempotent", "attempts"), [(False, 1), (True, 3)])
async def test_a_write_that_may_have_happened_is_repeated_only_if_it_is_idempotent(
    idempotent: bool, attempts: int
) -> None:
    calls = 0

    @tool(effect="write", retries=2, timeout=0.02, idempotent=idempotent)
    async def send() -> str:
        """Send something, and never hear back."""
        nonlocal calls
        calls += 1
        await asyncio.sleep(5)
        return "sent"

    outcome = await execute(checked(call("s", "send"), toolbox=Toolbox(send)))
    assert (outcome.status, calls) == ("failed", attempts)


# approvals


class Person:
    """Grants, denies, and answers as told."""

    def __init__(self, granted: bool = True, answer: Json = "blue", reason: str = "") -> None:
        self.granted = granted
        self.reply = answer
        self.reason = reason
        self.asked: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> Decision:
        self.asked.append(request)
        return Decision(self.granted, self.reason)

    async def answer(self, question: str, schema: Mapping[str, Json] | None) -> Json:
        return self.reply


async def test_a_write_waits_for_permission(world: World) -> None:
    person = Person()
    plan = checked(call("w", "put", name="gift"), toolbox=Toolbox(*world.tools()), policy=Policy())
    outcome = await execute(plan, run=Run(human=person))
    assert outcome.status == "done"
    assert [(request.tool, request.args, request.resources) for request in person.asked] == [
        ("put", {"name": "gift"}, ("box",))
    ]


async def test_a_denied_write_does_not_happen_and_says_why(world: World) -> None:
    plan = checked(call("w", "put", name="gift"), toolbox=Toolbox(*world.tools()), policy=Policy())
    run = Run(human=Person(granted=False, reason="too dear"))
    outcome = await execute(plan, run=run)
    assert (outcome.status, statuses(outcome), world.log) == ("failed", {"w": "denied"}, [])
    assert outcome.steps["w"].error == "'put' was denied: too dear"
    assert any(isinstance(event, ApprovalAsked) for event in run.events)


async def test_reads_never_ask(world: World) -> None:
    person = Person(granted=False)
    plan = checked(call("r", "look", name="x"), toolbox=Toolbox(*world.tools()), policy=Policy())
    assert (await execute(plan, run=Run(human=person))).status == "done"
    assert not person.asked


async def test_a_dry_run_executes_reads_and_shows_writes(world: World) -> None:
    plan = checked(
        call("r", "look", name="r"),
        call("w", "put", name="w"),
        call("s", "think", name="${w}"),
        toolbox=Toolbox(*world.tools()),
        policy=Policy(),
    )
    outcome = await execute(plan, run=Run(dry_run=True))
    assert world.log == ["start r", "end r"]
    assert statuses(outcome) == {"r": "done", "w": "skipped", "s": "skipped"}
    assert outcome.steps["w"].error == "dry run: put was not called with {'name': 'w'}"


# limits


async def test_a_used_up_limit_is_an_outcome_that_keeps_what_was_done() -> None:
    steps = [call(f"s{i}", "double", number=i) for i in range(5)]
    limits = Limits(tool_calls=10)
    outcome = await execute(checked(*steps, limits=limits), run=Run(limits=Limits(tool_calls=3)))
    assert (outcome.status, outcome.error) == ("stopped", "stopped: the limit tool_calls=3 is used up")
    assert sorted(outcome.finished) == ["s0", "s1", "s2"]
    assert {step.status for step in outcome.steps.values()} == {"done", "cancelled"}


async def test_the_deadline_ends_a_call_that_hangs(world: World) -> None:
    toolbox = Toolbox(*world.tools())
    limits = Limits(seconds=0.1)
    plan = checked(
        call("q", "think", name="q"), call("s", "think", name="s", seconds=30), toolbox=toolbox, limits=limits
    )
    outcome = await asyncio.wait_for(execute(plan, run=Run(limits=limits)), 3)
    assert (outcome.status, outcome.error) == ("stopped", "stopped: the limit seconds=0.1 is used up")
    assert statuses(outcome) == {"q": "done", "s": "cancelled"}


async def test_cancelling_the_run_ends_every_started_step(world: World) -> None:
    world.gates["s"] = asyncio.Event()
    run = Run()
    plan = checked(call("s", "think", name="s"), toolbox=Toolbox(*world.tools()))
    task = asyncio.ensure_future(execute(plan, run=run))
    await asyncio.sleep(0.01)
    assert world.log == ["start s"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ends = [event for event in run.events if isinstance(event, StepFinished)]
    assert [(event.step, event.status) for event in ends] == [("s", "cancelled")]


# model steps, questions


async def test_generate_asks_the_model_with_the_interpolated_prompt() -> None:
    model = ScriptedModel(["A fine hat."])
    step = {"id": "text", "kind": "generate", "prompt": "Praise ${top[0].name}"}
    plan = checked(call("top", "top_products", count=1), step, answer="${text}")
    outcome = await execute(plan, run=Run(model=model))
    assert outcome.value == "A fine hat."
    assert model.requests[0].messages[-1].content == "Praise hat"


async def test_generate_with_a_schema_repairs_malformed_output_within_its_own_budget() -> None:
    model = ScriptedModel(["not json", '{"n": "x"}', '{"n": 3}'])
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    step = {"id": "data", "kind": "generate", "prompt": "Count", "schema": schema}
    outcome = await execute(checked(step, answer="${data.n}"), run=Run(model=model))
    assert (outcome.value, len(model.requests)) == (3, 3)


async def test_ask_takes_the_persons_answer_and_checks_it() -> None:
    step = {"id": "size", "kind": "ask", "question": "Which size?", "schema": {"type": "integer"}}
    plan = checked(step, answer="${size}")
    assert (await execute(plan, run=Run(human=Person(answer=42)))).value == 42
    refused = await execute(plan, run=Run(human=Person(answer="large")))
    assert refused.steps["size"].error == (
        "the answer does not fit the step's schema: 'large' is not of type 'integer'"
    )


# inputs


async def test_inputs_are_checked_before_anything_runs() -> None:
    plan = checked(call("p", "price_of", name="${product}"), answer="${p}", inputs={"product": {"type": "string"}})
    assert (await execute(plan, inputs={"product": "hat"})).value == 20.0
    with pytest.raises(DefinitionError) as problem:
        await execute(plan, inputs={"product": 7, "size": 1})
    assert str(problem.value) == (
        "the plan cannot start: unknown input 'size'; input 'product': 7 is not of type 'string'; "
        "its inputs are: product"
    )


# replay


async def test_steps_that_had_finished_are_not_run_again(world: World) -> None:
    plan = checked(
        call("a", "put", name="a"), call("b", "think", name="${a}"), answer="${b}", toolbox=Toolbox(*world.tools())
    )
    past = History(finished={"a": StepFinished(1.0, "a", 1, "done", "from before")})
    outcome = await execute(plan, history=past)
    assert outcome.value == "from before"
    assert world.log == ["start from before", "end from before"]
    assert outcome.steps["a"].replayed


@pytest.mark.parametrize(("idempotent", "status"), [(True, "done"), (False, "failed")])
async def test_a_write_in_doubt_is_repeated_only_under_its_idempotency_key(
    world: World, idempotent: bool, status: str
) -> None:
    toolbox = Toolbox(*world.tools(idempotent=idempotent))
    past = History(started={"a": StepStarted(1.0, "a", 1, "put", "write")})
    outcome = await execute(checked(call("a", "put", name="a"), toolbox=toolbox), history=past)
    assert outcome.steps["a"].status == status
    if not idempotent:
        assert outcome.steps["a"].error.startswith("in doubt: 'put' had started when the process ended")
        assert world.log == []


async def test_two_runs_of_one_plan_at_once_do_not_touch_each_other() -> None:
    plan = checked(call("p", "price_of", name="${n}"), answer="${p}", inputs={"n": {"type": "string"}})
    outcomes = await asyncio.gather(*(execute(plan, inputs={"n": name}) for name in ("hat", "scarf") * 20))
    assert [outcome.value for outcome in outcomes] == [20.0, 15.5] * 20


# loops that would go on


async def test_a_loop_that_names_no_bound_stops_the_run_where_it_would_go_on() -> None:
    """Anything else would be a wrong answer that looks like a right one."""
    loop = {
        "id": "r",
        "kind": "repeat",
        "state": {"n": 0},
        "while": "${n < 150}",
        "do": [call("d", "double", number="${n}")],
        "next": {"n": "${n + 1}"},
    }
    outcome = await execute(checked(loop, answer="${r.n}"))
    assert (outcome.status, outcome.value) == ("stopped", None)
    assert outcome.error == "stopped: the limit loop_iterations=100 is used up"
    assert statuses(outcome)["r"] == "cancelled"


@pytest.mark.parametrize("rounds", [99, 100])
async def test_a_loop_that_names_no_bound_and_ends_within_it_is_done(rounds: int) -> None:
    loop = {
        "id": "r",
        "kind": "repeat",
        "state": {"n": 0},
        "while": f"${{n < {rounds}}}",
        "do": [call("d", "double", number="${n}")],
        "next": {"n": "${n + 1}"},
    }
    outcome = await execute(checked(loop, answer="${r.n}"))
    assert (outcome.status, outcome.value) == ("done", rounds)


async def test_a_loop_that_names_its_bound_ends_there() -> None:
    loop = {
        "id": "r",
        "kind": "repeat",
        "max_iterations": 3,
        "until": "${d > 100}",
        "do": [call("d", "double", number=1)],
    }
    outcome = await execute(checked(loop, answer="${r}"))
    assert (outcome.status, outcome.value) == ("done", 2)


def test_a_tool_that_ignores_its_cancellation_does_not_keep_the_event_loop_open() -> None:
    """`asyncio.run` waits for all tasks when it ends; the one that was left behind is not among them."""
    released = threading.Event()

    @tool(effect="read", timeout=0.01)
    async def stubborn() -> int:
        """Never give up."""
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return 1

    plan = checked(call("s", "stubborn"), answer="${s}", toolbox=Toolbox(stubborn))
    ended: list[Outcome] = []
    thread = threading.Thread(target=lambda: ended.append(asyncio.run(execute(plan))), daemon=True)
    thread.start()
    thread.join(10)
    released.set()
    assert [outcome.status for outcome in ended] == ["failed"]
