"""Plans that are read while the model writes them: lines checked, bad ones mended, harmless steps begun early."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from agentkit import Agent, JournalStore, Limits, Policy, RunResult, Tool, tool
from agentkit.checker import check
from agentkit.constraints import Budget
from agentkit.errors import ModelUnavailableError
from agentkit.events import (
    Event,
    ModelCalled,
    PlanChecked,
    PlanLine,
    PlanProposed,
    StepFinished,
    StepStarted,
)
from agentkit.messages import ModelProfile, ModelRequest
from agentkit.planners.candidates import Candidates
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.reflection import Reflection
from agentkit.spelling import read_python
from agentkit.task import Task
from agentkit.testing import FakeClock, TimedModel
from agentkit.testing.models import Reply
from tests.spelling.test_python_meaning import TOOLBOX as NUMBERS
from tests.spelling.test_random_programs import Programs

FREE = ModelProfile(decoding="free")
CONTINUES = ModelProfile(decoding="free", prefix=True, repairs=False)
AUTO = Policy(writes="auto")


class Shop:
    """Tools that take two seconds, on a clock of their own; every call leaves a trace."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.calls: list[str] = []

    def tools(self) -> list[Tool]:
        """A read, a write, and a read that fails."""

        @tool(effect="read", resources=("shop",))
        async def look(name: str) -> str:
            """Look something up.

            Args:
                name: What.
            """
            self.calls.append(f"look {name}")
            await self.clock.sleep(2.0)
            return name.upper()

        @tool(effect="write", resources=("shop",))
        async def put(name: str) -> str:
            """Put something away.

            Args:
                name: What.
            """
            self.calls.append(f"put {name}")
            await self.clock.sleep(2.0)
            return name

        @tool(effect="read")
        async def broken(name: str) -> str:
            """Fail.

            Args:
                name: What.
            """
            raise RuntimeError(f"no {name} today")

        return [look, put, broken]

    def model(self, replies: Iterable[Reply], profile: ModelProfile = FREE) -> TimedModel:
        """A model that writes ten tokens a second, after half a second."""
        texts = iter(replies)

        def reply(request: ModelRequest) -> Reply:
            return "written" if request.purpose == "generate" else next(texts)

        return TimedModel(reply, self.clock, ttft=0.5, tokens_per_second=10.0, profile=profile)

    def agent(self, *replies: Reply, profile: ModelProfile = FREE, stream: bool = True, **options: object) -> Agent:
        """An agent whose model gives the replies."""
        defaults: dict[str, object] = {"tools": self.tools(), "planner": PlanAndExecute(stream=stream), "policy": AUTO}
        return Agent(self.model(replies, profile), **{**defaults, **options})  # type: ignore[arg-type]

    async def run(self, *replies: Reply, **options: object) -> RunResult:
        """What comes of a task whose plan the replies are."""
        return await self.agent(*replies, **options).run("Look.", clock=self.clock)  # type: ignore[arg-type]


@pytest.fixture
def shop() -> Shop:
    return Shop()


TWO = 'a = look(name="a")\nb = look(name="b")\nanswer([a, b])\n'
BAD = 'a = look(name="a")\nb = lok(name="b")\nc = look(name="never")\nanswer([a, b])\n'


def kinds(result: RunResult, *wanted: type[Event]) -> list[Event]:
    return [event for event in result.events if isinstance(event, wanted)]


def position(result: RunResult, kind: type[Event]) -> int:
    """Where the first event of a kind is."""
    return next(i for i, event in enumerate(result.events) if isinstance(event, kind))


def started(result: RunResult) -> list[str]:
    return [event.step for event in result.events if isinstance(event, StepStarted)]


def ends(result: RunResult, plan: int = 1) -> dict[str, str]:
    """How the steps of a plan ended; each has ended once."""
    found = [
        (event.step, event.status) for event in result.events if isinstance(event, StepFinished) and event.plan == plan
    ]
    assert len(dict(found)) == len(found), found
    return dict(found)


# beginning early


async def test_a_read_begins_when_its_line_is_complete_and_the_run_is_shorter_for_it(shop: Shop) -> None:
    result = await shop.run(TWO)
    assert result.output == ["A", "B"]
    assert position(result, StepStarted) < position(result, PlanProposed)
    streamed = shop.clock.monotonic()
    other = Shop()
    whole = await other.run(TWO, stream=False)
    assert whole.output == result.output
    assert position(whole, StepStarted) > position(whole, PlanProposed)
    assert streamed < other.clock.monotonic() - 0.5
    assert shop.calls == other.calls


async def test_every_step_ends_once_and_is_counted_once(shop: Shop) -> None:
    result = await shop.run(TWO)
    assert ends(result) == {"a": "done", "b": "done"}
    assert (result.usage.tool_calls, result.usage.model_calls) == (2, 1)
    assert result.plan is not None
    assert [step.id for step in result.plan.steps] == ["a", "b"]


async def test_early_steps_hand_their_values_on_and_loops_of_reads_begin_early_too(shop: Shop) -> None:
    plan = (
        'names = ["x", "y"]\nfound = [look(name=name) for name in names]\nlast = look(name=found[1])\n'
        'said = generate(f"Tell of {last}, and take your time to say what was found and what was not.")\nanswer(said)\n'
    )
    result = await shop.run(plan)
    assert result.output == "written"
    assert shop.calls == ["look x", "look y", "look Y"]
    before = result.events[: position(result, PlanProposed)]
    assert [event.step for event in before if isinstance(event, StepStarted)] == ["look_1[0]", "look_1[1]", "last"]


async def test_writes_and_what_comes_after_them_and_model_steps_wait_for_the_accepted_plan(shop: Shop) -> None:
    plan = (
        'a = look(name="a")\nput(name=a)\nb = look(name="b")\n'
        't = generate("Something long enough that the steps before it would have ended")\nanswer([b, t])\n'
    )
    result = await shop.run(plan)
    assert result.output == ["B", "written"], result.error
    before = result.events[: position(result, PlanChecked)]
    assert [event.step for event in before if isinstance(event, StepStarted)] == ["a"]
    assert shop.calls == ["look a", "put A", "look b"]


async def test_a_read_that_needs_approval_waits_for_the_accepted_plan(shop: Shop) -> None:
    class Yes:
        async def approve(self, request: object) -> object:
            from agentkit.protocols import Decision

            return Decision(True)

        async def answer(self, question: str, schema: object = None) -> str:
            raise AssertionError(question)

    result = await shop.run(TWO, policy=Policy(tools={"look": "ask"}), human=Yes())
    assert result.output == ["A", "B"], result.error
    assert position(result, StepStarted) > position(result, PlanChecked)


async def test_a_block_that_may_still_grow_waits_for_its_end(shop: Shop) -> None:
    plan = 'a = look(name="a")\nif a == "A":\n    b = look(name="b")\nelse:\n    b = look(name="c")\nanswer(b)\n'
    result = await shop.run(plan)
    assert result.output == "B"
    assert shop.calls == ["look a", "look b"]
    lines = [event.text for event in result.events if isinstance(event, PlanLine)]
    assert lines == plan.splitlines()


async def test_a_read_that_fails_early_fails_the_plan_like_any_other(shop: Shop) -> None:
    plan = 'a = broken(name="bread")\nb = look(name=a)\nc = look(name="c")\nanswer([b, c])\n'
    result = await shop.run(plan, limits=Limits(replans=0))
    assert result.status == "failed"
    assert ends(result) == {"a": "failed", "b": "skipped", "c": "done"}
    assert "'a' failed: RuntimeError: no bread today" in result.error


async def test_limits_hold_for_steps_that_begin_early(shop: Shop) -> None:
    result = await shop.run(TWO, TWO, TWO, limits=Limits(tool_calls=1))
    assert result.status == "failed"  # the plan as a whole is refused: it may call two
    assert result.usage.tool_calls <= 1
    other = Shop()
    stopped = await other.run(TWO, limits=Limits(parallelism=1))
    assert stopped.output == ["A", "B"]
    assert other.clock.monotonic() > 4.5  # one after the other


async def test_steps_begin_in_the_same_order_every_time() -> None:
    plan = "".join(f'x{i} = look(name="{i}")\n' for i in range(6)) + "y = look(name=x0)\nanswer([x5, y])\n"
    orders = []
    for _ in range(3):
        shop = Shop()
        orders.append(started(await shop.run(plan)))
    assert orders[0] == orders[1] == orders[2] == ["x0", "x1", "x2", "x3", "x4", "x5", "y"]


@pytest.mark.parametrize(
    ("options", "task"),
    [
        ({"reflection": Reflection(plan=[lambda _: ""])}, "Look."),
        ({"reflection": Reflection(step=[lambda _: ""])}, "Look."),
        ({}, Task("Look.", (Budget(5.0),))),
    ],
    ids=["plan judged", "steps judged", "constraints"],
)
async def test_nothing_begins_before_what_somebody_wants_to_judge_first(
    shop: Shop, options: dict[str, object], task: str | Task
) -> None:
    result = await shop.agent(TWO, **options).run(task, clock=shop.clock)  # type: ignore[arg-type]
    assert result.output == ["A", "B"], result.error
    assert position(result, StepStarted) > position(result, PlanChecked)


async def test_writing_a_plan_without_running_it_begins_nothing(shop: Shop) -> None:
    report = await shop.agent(TWO).plan("Look.")
    assert report.ok
    assert shop.calls == []


async def test_candidates_begin_nothing_early(shop: Shop) -> None:
    planner = Candidates(2, lambda _: PlanAndExecute(stream=True))
    result = await shop.run(TWO, TWO, planner=planner)
    assert result.output == ["A", "B"]
    assert shop.calls == ["look a", "look b"]
    assert position(result, StepStarted) > position(result, PlanChecked)


async def test_lines_written_under_a_grammar_begin_early_too(shop: Shop) -> None:
    profile = ModelProfile(grammar=True, prefix=True, decoding="typed", repairs=False)
    lines = TWO.splitlines()

    def reply(request: ModelRequest) -> Reply:
        return lines[request.prefix.count("\n")]

    for stream in (True, False):
        world = Shop()
        model = TimedModel(reply, world.clock, tokens_per_second=10.0, profile=profile)
        planner = PlanAndExecute(stream=stream)
        result = await Agent(model, tools=world.tools(), planner=planner).run("Look.", clock=world.clock)
        assert result.output == ["A", "B"], result.error
        assert (position(result, StepStarted) < position(result, PlanProposed)) == stream


async def test_a_conversation_tells_what_began_early_and_leaves_out_what_was_dropped(shop: Shop) -> None:
    result = await shop.run('a = look(name="a")\n# and so on\n', TWO, limits=Limits(repairs=1))
    task, plan, *results, answer = result.new_messages()
    assert (task.role, plan.content, answer.content) == ("user", TWO.rstrip(), '["A", "B"]')
    assert [call.args for call in plan.tool_calls] == [{"name": "a"}, {"name": "b"}]
    assert [message.content for message in results] == ["A", "B"]


# bad lines


async def test_a_bad_line_stops_the_model_and_the_plan_goes_on_from_the_good_lines(shop: Shop) -> None:
    agent = shop.agent(BAD, 'b = look(name="b")\nanswer([a, b])\n')
    result = await agent.run("Look.", clock=shop.clock)
    assert result.output == ["A", "B"]
    assert shop.calls == ["look a", "look b"]
    stopped, continued = kinds(result, ModelCalled)
    assert isinstance(stopped, ModelCalled)
    assert isinstance(continued, ModelCalled)
    assert (stopped.error, stopped.reply) == ("stopped by the caller", 'a = look(name="a")\nb = lok(name="b")\n')
    assert (stopped.purpose, continued.purpose) == ("plan", "repair")
    assert stopped.usage.input_tokens > 0
    assert stopped.usage.output_tokens > 0
    model = agent.model
    assert isinstance(model, TimedModel)
    said, complaint = model.requests[1].messages[-2:]
    assert (said.role, said.content) == ("assistant", 'a = look(name="a")\nb = lok(name="b")')
    assert complaint.content == (
        "You were stopped there: that does not pass the check:\n"
        "- AK201 at line 2, b.tool: there is no tool 'lok'. Expected one of: look, put, broken. Did you mean 'look'?\n"
        'These lines are right and stay:\na = look(name="a")\n'
        "Go on after them: write only what follows, mended."
    )


async def test_a_model_that_continues_messages_gets_the_good_lines_as_its_own_and_is_warmer(shop: Shop) -> None:
    agent = shop.agent(f"```python\n{BAD}```", 'b = look(name="b")\nanswer([a, b])\n```\nDone.', profile=CONTINUES)
    result = await agent.run("Look.", clock=shop.clock)
    assert result.output == ["A", "B"]
    model = agent.model
    assert isinstance(model, TimedModel)
    first, second = model.requests
    assert second.prefix == '```python\na = look(name="a")\n'
    assert second.messages == first.messages
    assert (first.settings.temperature, second.settings.temperature) == (0.0, 0.4)


async def test_a_model_that_repeats_the_good_lines_first_is_understood(shop: Shop) -> None:
    result = await shop.run(BAD, f"Sorry, here it is:\n```python\n{TWO}```\nThat should do.")
    assert result.output == ["A", "B"]
    assert shop.calls == ["look a", "look b"]


async def test_when_the_good_lines_are_written_anew_what_had_begun_is_dropped(shop: Shop) -> None:
    first = 'a = look(name="a")\nb = look(name="b")\nc = lok(name="c")\n'
    again = 'a = look(name="a")\nb = look(name="other")\nanswer([a, b])\n'
    result = await shop.run(first, again)
    assert result.output == ["A", "OTHER"]
    assert set(ends(result, 1)) == {"a", "b"}
    assert ends(result, 2) == {"a": "done", "b": "done"}
    assert [event.number for event in result.events if isinstance(event, PlanProposed)] == [2]


async def test_lines_bear_the_number_of_their_plan_after_one_was_dropped(shop: Shop) -> None:
    first = 'a = look(name="a")\nb = look(name="b")\nc = lok(name="c")\n'
    again = 'a = look(name="a")\nb = broken(name="b")\nanswer([a, b])\n'
    result = await shop.run(first, again, TWO)
    assert result.output == ["A", "B"]
    assert [event.number for event in result.events if isinstance(event, PlanProposed)] == [2, 3]
    lines = [(event.number, event.text) for event in result.events if isinstance(event, PlanLine)]
    assert [line for line in lines if line[0] != 1] == [(3, line) for line in TWO.splitlines()]


async def test_the_repairs_of_lines_and_of_plans_are_one_budget(shop: Shop) -> None:
    result = await shop.run(BAD, BAD, BAD, "never asked for", limits=Limits(repairs=2))
    assert result.status == "failed"
    assert result.error.startswith("no valid plan after 3 tries; the last one's problems: AK201 at line 2, b.tool")
    assert result.usage.model_calls == 3
    other = await Shop().run(BAD, 'answer("no")\n', limits=Limits(repairs=0))
    assert (other.status, other.usage.model_calls) == ("failed", 1)


async def test_a_plan_refused_as_a_whole_is_repaired_as_a_whole_and_its_early_steps_are_cancelled(shop: Shop) -> None:
    result = await shop.run('a = look(name="a")\n# and so on\n', TWO, limits=Limits(repairs=1))
    assert result.output == ["A", "B"]
    assert ends(result, 1) == {"a": "cancelled"}
    [end] = [event for event in result.events if isinstance(event, StepFinished) and event.plan == 1]
    assert end.error == "the plan that it was begun for was not accepted"
    assert ends(result, 2) == {"a": "done", "b": "done"}


async def test_a_provider_that_breaks_off_is_asked_again_and_nothing_begins_twice(shop: Shop) -> None:
    agent = shop.agent(TWO)
    result = await Agent(
        BreaksOff(agent.model, 'a = look(name="a")\nb = lo'),  # type: ignore[arg-type]
        tools=shop.tools(),
        planner=PlanAndExecute(stream=True),
    ).run("Look.", clock=shop.clock)
    assert result.output == ["A", "B"]
    assert shop.calls == ["look a", "look b"]
    assert result.usage.model_calls == 2


class BreaksOff:
    """A model whose stream ends in the middle."""

    def __init__(self, model: TimedModel, text: str) -> None:
        self.model, self.text = model, text
        self.name, self.profile = model.name, model.profile
        self.request = model.request

    async def stream(self, request: ModelRequest) -> object:
        from agentkit.messages import TextDelta

        yield TextDelta(self.text)
        raise ModelUnavailableError("the line went dead", model=self.name)


async def test_prose_and_comments_around_a_plan_are_no_bad_lines(shop: Shop) -> None:
    result = await shop.run(f"Here is the plan.\n\n```python\n# first a\n{TWO}```\nIt looks both up.")
    assert result.output == ["A", "B"]
    other = await Shop().run(f"I would do this:\n{TWO}And that is all.")
    assert other.output == ["A", "B"]


async def test_prose_alone_is_refused_like_any_text_that_is_no_plan(shop: Shop) -> None:
    result = await shop.run("I cannot do that.", limits=Limits(repairs=0))
    assert result.status == "failed"
    assert "the text is not Python" in result.error


async def test_a_call_over_several_lines_is_one_line(shop: Shop) -> None:
    result = await shop.run('a = look(\n    name="a",\n)\nanswer(a)\n')
    assert result.output == "A"
    result = await Shop().run('a = look(\n    nam="a",\n)\nanswer(a)\n', 'a = look(name="a")\nanswer(a)\n')
    assert result.output == "A", result.error


async def test_a_block_that_turns_out_bad_is_written_again_from_its_head(shop: Shop) -> None:
    bad = 'a = look(name="a")\nfor i in range(2):\n    b = look(name=a)\n    c = look(nam=b)\nanswer(c)\n'
    good = "    c = look(name=b)\nanswer(a)\n"
    result = await shop.run(bad, good)
    assert result.output == "A", result.error
    assert shop.calls == ["look a", "look A", "look A", "look A", "look A"][: len(shop.calls)]


@pytest.mark.parametrize("seed", range(25))
async def test_a_streamed_plan_means_what_it_means_when_it_is_read_whole(seed: int) -> None:
    """No line of a good plan is taken for a bad one, and no step ends twice, whatever begins early."""
    source = Programs(seed).source()
    if not check(read_python(source, NUMBERS), NUMBERS).ok:
        return
    results = []
    for stream in (False, True):
        model = TimedModel(lambda _: source, clock := FakeClock(), tokens_per_second=10.0, profile=FREE)
        planner = PlanAndExecute(stream=stream)
        results.append(await Agent(model, tools=[NUMBERS], planner=planner).run("Compute.", clock=clock))
    whole, streamed = results
    assert (streamed.status, streamed.output) == (whole.status, whole.output), source
    assert (streamed.usage.model_calls, streamed.plan) == (1, whole.plan), source
    [proposed] = [event for event in streamed.events if isinstance(event, PlanProposed)]
    assert ends(streamed, proposed.number) == ends(whole), source


# cancelling and resuming


async def test_cancelling_the_run_cancels_what_has_begun(shop: Shop) -> None:
    events: list[Event] = []
    agent = shop.agent('a = look(name="a")\n' + "# a long comment that takes its time\n" * 20 + "answer(a)\n")
    begun = asyncio.Event()

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepStarted):
            begun.set()

    run = asyncio.create_task(agent.run("Look.", clock=shop.clock, listeners=[listen]))
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [event.status for event in events if isinstance(event, StepFinished)] == ["cancelled"]


def journal_of(events: Sequence[Event], folder: Path) -> JournalStore:
    """The journal that a process leaves which is killed after these events."""
    store = JournalStore(folder / f"{len(events)}.sqlite")
    with store.writing("r", new=True) as journal:
        for event in events:
            journal.append(event)
    return store


SLOW = 'a = look(name="a")\n' + "# a long comment that takes its time\n" * 9 + 'put(name="x")\nanswer(a)\n'


async def test_a_run_killed_at_any_event_resumes_and_a_plan_that_was_not_written_is_written_again(
    tmp_path: Path,
) -> None:
    whole = await Shop().run(SLOW)
    written = position(whole, PlanProposed)
    assert [event.step for event in whole.events[:written] if isinstance(event, StepFinished)] == ["a"]
    for killed in (at for at, event in enumerate(whole.events) if at and not isinstance(event, PlanLine)):
        store = journal_of(whole.events[:killed], tmp_path)
        shop = Shop()
        result = await shop.agent('a = look(name="other")\nanswer(a)\n').resume("r", store, clock=shop.clock)
        if any(isinstance(event, StepStarted) and event.step == "put_1" for event in whole.events[:killed]):
            assert "look a" not in shop.calls
        elif killed > written:
            assert (result.output, "put x" in shop.calls) == ("A", True), killed
        else:
            assert (result.output, shop.calls) == ("OTHER", ["look other"]), killed
        store.close()


async def test_a_run_killed_twice_does_not_take_an_old_plans_reads_for_its_own(tmp_path: Path) -> None:
    whole = await Shop().run(SLOW)
    first = whole.events[: position(whole, PlanProposed)]
    shop = Shop()
    store = journal_of(first, tmp_path)
    again = await shop.agent('put(name="x")\na = look(name="b")\nanswer(a)\n').resume("r", store, clock=shop.clock)
    assert again.output == "B"
    second = again.events[: position(again, PlanChecked)]
    store.close()
    other, last = journal_of((*first, *second), tmp_path), Shop()
    result = await last.agent().resume("r", other, clock=last.clock)
    assert result.output == "B"
    assert last.calls == ["put x", "look b"]
    other.close()


async def test_a_refused_plan_whose_steps_had_begun_is_refused_again_and_repaired_after_a_crash(tmp_path: Path) -> None:
    whole = await Shop().run('a = look(name="a")\n# and so on\n', TWO, limits=Limits(repairs=1))
    cut = position(whole, PlanChecked) + 1
    store, shop = journal_of(whole.events[:cut], tmp_path), Shop()
    result = await shop.agent(TWO, limits=Limits(repairs=1)).resume("r", store, clock=shop.clock)
    assert result.output == ["A", "B"], result.error
    store.close()


async def test_a_plan_that_took_the_number_of_a_dropped_one_is_found_after_a_crash(tmp_path: Path) -> None:
    first = 'a = look(name="a")\nb = look(name="b")\nc = lok(name="c")\n'
    whole = await Shop().run(first, 'a = look(name="a")\nb = look(name="other")\nanswer([a, b])\n')
    cut = position(whole, PlanChecked) + 1
    store, shop = journal_of(whole.events[:cut], tmp_path), Shop()
    result = await shop.agent().resume("r", store, clock=shop.clock)
    assert result.output == ["A", "OTHER"], result.error
    store.close()
