"""What is read out of the journal of an interrupted run, and what a resumed run makes of it."""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from agentkit import Agent, JournalStore, Limits, Policy, RunResult, Tool, read_python, tool, write_json
from agentkit._recorded import recorded_plan, unsaid
from agentkit.checker import check
from agentkit.errors import JournalError
from agentkit.events import (
    ApprovalGiven,
    Event,
    ModelCalled,
    PlanChecked,
    PlanProposed,
    RunResumed,
    StepFinished,
    StepRetried,
    StepStarted,
)
from agentkit.messages import Usage
from agentkit.planners.intent import ModelIntent
from agentkit.planners.simulation import StripsValidator
from agentkit.planning import Intent, PlanRequest
from agentkit.protocols import ApprovalRequest, Decision
from agentkit.resuming import RETRY, check_tools, elapsed, history, settle, used
from agentkit.run import Run
from agentkit.testing import FakeClock, ScriptedModel
from agentkit.toolbox import Toolbox
from examples.blocksworld.domain import Table, problem_of
from tests.plans import World


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    return JournalStore(tmp_path / "runs.sqlite")


def started(step: str, effect: str = "write", plan: int = 1, cost: float = 0.0) -> StepStarted:
    return StepStarted(1.0, step, plan, "tool", effect, {}, "key", cost)


def finished(step: str, status: str = "done", plan: int = 1) -> StepFinished:
    return StepFinished(2.0, step, plan, status, 7)  # type: ignore[arg-type]


def test_a_write_without_result_is_in_doubt() -> None:
    past = history([started("a"), started("b"), finished("b")], 1)
    assert list(past.started) == ["a"]
    assert list(past.finished) == ["b"]


def test_a_cancelled_write_is_in_doubt_and_a_cancelled_read_runs_again() -> None:
    events = [started("w"), finished("w", "cancelled"), started("r", "read"), finished("r", "cancelled")]
    past = history(events, 1)
    assert list(past.started) == ["w"]
    assert not past.finished


def test_what_had_begun_of_a_plan_that_was_never_proposed_counts_as_not_begun() -> None:
    proposed, resumed = PlanProposed(1.0, 1, {}), RunResumed(1.0)
    assert not history([finished("a"), resumed, proposed], 1).finished
    assert list(history([finished("a"), proposed, finished("b"), resumed], 1).finished) == ["a", "b"]
    assert list(history([finished("a"), resumed, finished("b"), proposed, resumed], 1).finished) == ["b"]


def test_skipped_steps_are_decided_anew() -> None:
    assert not history([finished("a", "skipped")], 1).finished


def test_only_the_plan_asked_for_counts() -> None:
    past = history([finished("a"), finished("b", plan=2), ApprovalGiven(1.0, "w", 2, True)], 2)
    assert list(past.finished) == ["b"]
    assert past.approved == {"w": True}


def test_a_decision_gives_a_step_in_doubt_its_value() -> None:
    events = settle((started("a"), finished("a", "failed")), {"a": {"sent": True}})
    assert history(events, 1).finished["a"].value == {"sent": True}


def test_a_decision_to_retry_forgets_that_the_step_started() -> None:
    past = history(settle((started("a"),), {"a": RETRY}), 1)
    assert not past.started
    assert not past.finished


def test_a_decision_about_an_unknown_step_is_refused() -> None:
    with pytest.raises(JournalError, match="the run has started no step 'b'; it has started: a"):
        settle((started("a"),), {"b": 1})


def test_what_was_used_before_counts() -> None:
    events = [ModelCalled(1.0, "plan", "m", usage=Usage(10, 0, 5, 1)), started("a"), started("b", "read")]
    assert used(events) == Usage(10, 0, 5, 1, 2)


def test_tool_calls_count_with_their_attempts_and_their_cost_and_model_steps_do_not() -> None:
    retried = StepRetried(2.0, "a", 1, 1, "broke", 0.1)
    model_step = StepStarted(1.0, "g", 1, "generate", "read")
    events = [started("a", cost=0.25), retried, retried, started("b", "read", cost=0.5), model_step]
    assert used(events) == Usage(tool_calls=4, cost=1.25)


def test_time_between_a_crash_and_a_resume_does_not_count() -> None:
    events = [StepRetried(at, "a", 1, 1, "", 0.0) for at in (10.0, 14.0)]
    again = [RunResumed(100.0), StepRetried(103.0, "a", 1, 1, "", 0.0), RunResumed(200.0)]
    assert elapsed(events) == 4.0
    assert elapsed([*events, *again]) == 7.0
    assert elapsed([]) == 0.0


def test_a_subgoal_that_stands_still_is_run_again_and_its_write_can_be_settled() -> None:
    doubt = "in doubt: the subgoal 'x' stands still"
    events: tuple[Event, ...] = (
        StepStarted(1.0, "sub", 2, "subgoal", "read"),
        started("sub@2/w", plan=1),
        StepFinished(2.0, "sub@2/w", 1, "failed", error="in doubt: …"),
        StepFinished(2.0, "sub", 2, "failed", error=doubt),
    )
    assert not history(events, 2).finished
    settled = settle(events, {"sub@2/w": 5})
    assert history(settled, 1).finished["sub@2/w"].value == 5


def checked(**tools: str) -> PlanChecked:
    return PlanChecked(1.0, 1, True, tools=tools)


@tool(effect="read", version="1")
async def look(name: str) -> str:
    """Look.

    Args:
        name: Where.
    """
    return name


@tool(effect="read", version="2")
async def peek(name: str) -> str:
    """Peek.

    Args:
        name: Where.
    """
    return name


def test_tools_that_plans_call_must_be_what_they_were() -> None:
    today = Toolbox(look, peek)
    check_tools("r", [checked(look=look.fingerprint)], today)
    with pytest.raises(JournalError) as caught:
        check_tools("r", [checked(look="other", peek=peek.fingerprint, put="gone")], today)
    assert str(caught.value) == (
        "tools that the plans of the run 'r' call are not what they were (gone: 'put'; with another schema, effect, "
        "resource or version: 'look'). Give the agent the tools that the run began with, start a new run, or resume "
        "with accept_changes=True: its plan is then checked against the tools of today"
    )


def test_a_later_check_of_the_plan_says_which_tools_count() -> None:
    check_tools("r", [checked(look="old"), checked(look=look.fingerprint)], Toolbox(look))


class _CrashError(BaseException):
    """The process ends here."""


class CrashAfter:
    """A listener that ends the process when a step has been recorded as finished."""

    def __init__(self, step: str, kind: type[Event] = StepFinished) -> None:
        self._step = step
        self._kind = kind

    def __call__(self, event: Event) -> None:
        if isinstance(event, self._kind) and getattr(event, "step", "") == self._step:
            raise _CrashError


AUTO = Policy(writes="auto")
PLAN = 'a = look(name="a")\nb = look(name="b")\nc = look(name="c")\nanswer([a, b, c])'


async def interrupted(agent: Agent, store: JournalStore, after: CrashAfter, **options: object) -> None:
    """A run of `agent` named ``r`` that ends like a process does."""
    with pytest.raises(_CrashError):
        await agent.run("?", journal=store, run_id="r", listeners=[after], **options)  # type: ignore[arg-type]


def renewed(one: Tool, version: str) -> Tool:
    return one.replace(version=version)


async def test_a_run_whose_tools_changed_goes_on_only_when_that_is_accepted(store: JournalStore) -> None:
    model = ScriptedModel([PLAN])
    await interrupted(Agent(model, tools=[look, peek]), store, CrashAfter("a"))
    changed = Agent(model, tools=[renewed(look, "9"), peek])
    with pytest.raises(JournalError, match="with another schema, effect, resource or version: 'look'"):
        await changed.resume("r", store)
    assert (await changed.resume("r", store, accept_changes=True)).output == ["a", "b", "c"]
    store.close()


async def test_a_change_of_tools_that_no_plan_calls_does_not_matter(store: JournalStore) -> None:
    model = ScriptedModel([PLAN])
    await interrupted(Agent(model, tools=[look, peek]), store, CrashAfter("a"))
    assert (await Agent(model, tools=[look, renewed(peek, "9")]).resume("r", store)).status == "done"
    store.close()


@tool(effect="read")
async def names() -> list[str]:
    """Some names."""
    return ["a", "b", "c"]


async def test_steps_taken_before_count_against_the_limit(store: JournalStore) -> None:
    source = "found = [look(name=name) for name in names()]\nanswer(found)"
    agent = Agent(ScriptedModel([source]), tools=[look, names])
    result = await agent.run("?", limits=Limits(steps=5))
    assert (result.status, result.output) == ("done", ["a", "b", "c"])
    agent = agent.with_model(ScriptedModel([source]))
    [second] = [event.step for event in result.events if isinstance(event, StepFinished) and event.value == "b"]
    await interrupted(agent, store, CrashAfter(second))
    result = await agent.resume("r", store, limits=Limits(steps=4))
    assert result.status == "stopped"
    assert result.error.startswith("stopped: the limit steps=4 is used up; done so far: ")
    assert (await agent.resume("r", store, limits=Limits(steps=5))).output == ["a", "b", "c"]
    store.close()


async def test_a_resumed_run_still_says_whose_cost_is_unknown(store: JournalStore) -> None:
    agent = Agent(ScriptedModel([PLAN], name="openai:mystery"), tools=[look])
    await interrupted(agent, store, CrashAfter("a"))
    assert (await agent.resume("r", store)).unpriced == ("openai:mystery",)
    store.close()


async def test_what_calls_cost_before_counts_against_the_limit(store: JournalStore) -> None:
    agent = Agent(ScriptedModel([PLAN]), tools=[look.replace(cost=1.0)])
    await interrupted(agent, store, CrashAfter("b"), limits=Limits(cost=3.0))
    result = await agent.resume("r", store, limits=Limits(cost=4.0))
    assert (result.status, result.usage.cost) == ("done", 3.0)
    store.close()


def napping(clock: FakeClock) -> Tool:
    @tool(effect="read", resources="bed")
    async def nap(name: str) -> str:
        """Sleep six seconds.

        Args:
            name: What to give back.
        """
        await clock.sleep(6.0)
        return name

    return nap


NAPS = 'a = nap(name="a")\nb = nap(name=f"{a}b")\nc = nap(name=f"{b}c")\nanswer(c)'


async def test_seconds_worked_before_count_and_seconds_in_between_do_not(store: JournalStore) -> None:
    clock = FakeClock()
    agent = Agent(ScriptedModel([NAPS]), tools=[napping(clock)])
    await interrupted(agent, store, CrashAfter("a"), limits=Limits(seconds=10.0), clock=clock)
    await clock.advance(1000.0)
    result = await agent.resume("r", store, clock=clock, limits=Limits(seconds=10.0))
    assert (result.status, result.error) == (
        "stopped",
        "stopped: the limit seconds=10 is used up; done so far: a, b",
    )
    assert (await agent.resume("r", store, clock=clock, limits=Limits(seconds=20.0))).output == "abc"
    store.close()


async def test_a_dry_run_stays_one_when_it_is_resumed(store: JournalStore) -> None:
    world = World()
    agent = Agent(ScriptedModel(['a = look(name="a")\nb = put(name=a)\nanswer(a)']), tools=world.tools(), policy=AUTO)
    await interrupted(agent, store, CrashAfter("a"), dry_run=True)
    result = await agent.resume("r", store)
    assert (result.status, result.output) == ("done", "a")
    assert world.log == ["start a", "end a"]
    store.close()


class Doorman:
    """An intent classifier that counts, and changes its mind after the first time."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    async def classify(self, request: PlanRequest, run: Run) -> Intent:
        return Intent(self.answers.pop(0), "Not here.")


async def test_a_run_that_was_let_in_is_not_judged_again(store: JournalStore) -> None:
    agent = Agent(ScriptedModel([PLAN]), tools=[look], intent=Doorman(True))
    await interrupted(agent, store, CrashAfter("a"))
    assert (await agent.resume("r", store)).status == "done"
    store.close()


async def test_a_declined_run_is_in_the_journal_and_cannot_be_resumed(store: JournalStore) -> None:
    agent = Agent(ScriptedModel([]), intent=Doorman(False))
    assert (await agent.run("?", journal=store, run_id="r")).output == "Not here."
    assert [row.status for row in store.runs()] == ["declined"]
    with pytest.raises(JournalError, match=r"^the run 'r' is declined; there is nothing to resume$"):
        await agent.resume("r", store)
    store.close()


class Yes:
    """Grants everything."""

    async def approve(self, request: ApprovalRequest) -> Decision:
        return Decision(True)

    async def answer(self, question: str, schema: object) -> str:
        return "yes"


async def test_a_plan_that_was_under_way_and_is_refused_now_is_not_replaced_by_one_that_repeats_it(
    store: JournalStore,
) -> None:
    world = World()
    source = 'a = put(name="a")\nb = put(name="b")\nanswer([a, b])'
    model = ScriptedModel([source])
    agent = Agent(model, tools=world.tools())
    await interrupted(agent, store, CrashAfter("a"), human=Yes())
    result = await agent.resume("r", store)
    assert result.status == "failed"
    assert result.error.startswith(
        "the plan that was under way when the run was interrupted does not pass the check any more, and another one "
        "might repeat what it did; resume with what it needs; the last one's problems: "
    )
    result = await agent.resume("r", store, human=Yes())
    assert (result.output, len(model.requests)) == (["a", "b"], 1)
    assert world.log.count("start a") == 1
    store.close()


async def subgoal_in_doubt(world: World, store: JournalStore) -> tuple[Agent, RunResult]:
    model = ScriptedModel(['s = subgoal("fill the box")\nt = look(name="t")\nanswer([s, t])', 'answer(put(name="x"))'])
    agent = Agent(model, tools=world.tools(), policy=AUTO)
    world.gates["x"] = asyncio.Event()
    task = asyncio.ensure_future(agent.run("?", journal=store, run_id="r"))
    while "start x" not in world.log:  # noqa: ASYNC110  # the world says what has begun in a plain list
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    world.gates.clear()
    return agent, await agent.resume("r", store)


async def test_a_write_in_doubt_in_a_subgoal_stops_the_whole_run(store: JournalStore) -> None:
    world = World()
    agent, result = await subgoal_in_doubt(world, store)
    assert result.status == "failed"
    assert "in doubt: the subgoal 'fill the box' stands still: 's/put_1' failed: in doubt: 'put'" in result.error
    assert (await agent.resume("r", store)).status == "failed"
    settled = await agent.resume("r", store, decisions={"s/put_1": "x"})
    assert (settled.status, settled.output) == ("done", ["x", "t"])
    assert world.log.count("start x") == 1
    store.close()


async def test_a_write_in_doubt_in_a_subgoal_can_be_retried(store: JournalStore) -> None:
    world = World()
    agent, _ = await subgoal_in_doubt(world, store)
    settled = await agent.resume("r", store, decisions={"s/put_1": RETRY})
    assert (settled.status, settled.output) == ("done", ["x", "t"])
    assert world.log.count("start x") == 2
    store.close()


async def test_one_of_two_resumes_in_a_process_is_refused(store: JournalStore) -> None:
    world = World()
    plan = 'a = look(name="a")\nb = look(name="b")\nanswer([a, b])'
    agent = Agent(ScriptedModel([plan]), tools=world.tools())
    await interrupted(agent, store, CrashAfter("a"))
    world.gates["b"] = asyncio.Event()
    first = asyncio.ensure_future(agent.resume("r", store))
    await asyncio.sleep(0)
    with pytest.raises(JournalError, match=r"^the run 'r' is being written by this process already$"):
        await agent.resume("r", JournalStore(store.path))
    world.gates["b"].set()
    assert (await first).output == ["a", "b"]
    store.close()


RIVAL = """
import asyncio, sys
from agentkit import Agent, JournalStore, tool
from agentkit.errors import JournalError
from agentkit.testing import ScriptedModel

@tool(effect="read", version="1")
async def look(name: str) -> str:
    '''Look.

    Args:
        name: Where.
    '''
    await asyncio.sleep(1.0)
    return name

print("ready", flush=True)
sys.stdin.readline()
try:
    print(asyncio.run(Agent(ScriptedModel([]), tools=[look]).resume("r", JournalStore(sys.argv[1]))).output, flush=True)
except JournalError as error:
    print(error, flush=True)
"""


async def test_of_two_processes_that_resume_at_once_one_does(store: JournalStore) -> None:
    await interrupted(Agent(ScriptedModel([PLAN]), tools=[look]), store, CrashAfter("a"))
    store.close()
    rivals = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", RIVAL, str(store.path), stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        for _ in range(2)
    ]
    for rival in rivals:
        assert rival.stdout is not None
        assert await rival.stdout.readline() == b"ready\n"
    told = [out.decode().strip() for out, _ in await asyncio.gather(*(rival.communicate(b"\n") for rival in rivals))]
    assert "['a', 'b', 'c']" in told
    [other] = [line for line in told if line != "['a', 'b', 'c']"]
    assert re.fullmatch(r"the run 'r' is being written by another process \(.+:\d+\)", other)
    assert [event.step for event in store.events("r") if isinstance(event, StepStarted)] == ["a", "b", "c"]
    store.close()


async def test_a_limit_that_is_used_up_while_the_request_is_judged_ends_the_run_with_an_answer() -> None:
    intent = ModelIntent("sells hats")
    result = await Agent(ScriptedModel([]), intent=intent).run("?", limits=Limits(model_calls=0))
    assert (result.status, result.error) == ("stopped", "stopped: the limit model_calls=0 is used up")


def test_a_recorded_plan_keeps_the_lines_of_its_steps_and_its_answer() -> None:
    plan = read_python("a = look(name='a')\n\nanswer(a)", Toolbox(look))
    event = PlanProposed(1.0, 1, write_json(plan), unsaid=unsaid(plan))
    back = recorded_plan(event)
    assert back == plan
    assert ([step.line for step in back.steps], back.answer_line) == ([1], 3)


TOWERS = (("b", "a"), ("c",))
DOWN = 'a = unstack(block="a", off="b")\nb = put_down(block="a")\n'
UP = """\
c = pick_up(block="b")
d = stack(block="b", onto="c")
e = pick_up(block="a")
f = stack(block="a", onto="b")
answer("built")
"""


def builder(table: Table, *replies: str) -> Agent:
    """An agent whose plans are simulated from what is really on the table."""
    validator = StripsValidator(problem_of(TOWERS, (("c", "b", "a"),)), state=table.facts)
    return Agent(ScriptedModel(replies), tools=table.tools(), validators=[validator], policy=AUTO)


async def test_a_plan_that_was_half_done_is_not_judged_as_if_it_began_now(store: JournalStore) -> None:
    table = Table(TOWERS)
    agent = builder(table, DOWN + UP)
    await interrupted(agent, store, CrashAfter("c"))
    half_done = read_python(DOWN + UP, agent.toolbox)
    assert not check(half_done, agent.toolbox, policy=AUTO, validators=agent.validators).ok
    result = await agent.resume("r", store)
    assert (result.status, result.output, table.towers) == ("done", "built", [["c", "b", "a"]]), result.error
    assert table.moves == 6
    store.close()


async def test_the_plan_after_one_that_was_half_done_is_judged_from_what_is_there(store: JournalStore) -> None:
    table = Table(TOWERS)
    again = UP.replace('pick_up(block="b")', 'pick_up(block="b", _again=True)')
    clear = 'a = unstack(block="a", off="c")\nb = put_down(block="a", _again=True)\n'
    agent = builder(table, DOWN + UP, again, clear + again)
    await interrupted(agent, store, CrashAfter("c"))
    table.place("b", "")  # while nobody ran, somebody else put the block down, and another one in its way
    table.take("a", "")
    table.place("a", "c")
    result = await agent.resume("r", store)
    assert (result.status, result.output, table.towers) == ("done", "built", [["c", "b", "a"]]), result.error
    refused = [event for event in result.events if isinstance(event, PlanChecked) and not event.accepted]
    assert "stack(b, c) is impossible here: clear(c) does not hold" in str([event.diagnostics for event in refused])
    store.close()
