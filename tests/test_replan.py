"""A replan repeats nothing that is done: counted in real effects, through loops, branches, subgoals and crashes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.events import Event, PlanChecked, StepReused
from agentkit.journal import JournalStore
from agentkit.ledger import call_key
from agentkit.limits import Limits
from agentkit.messages import ModelProfile
from agentkit.planning import Situation
from agentkit.protocols import ApprovalRequest, Decision
from agentkit.reflection import Reflection
from agentkit.results import RunResult
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Tool, tool

FREE = ModelProfile(spelling="python", decoding="free", repairs=True)


class Shelf:
    """Counts every effect that really happened; what is slippery falls the first time."""

    def __init__(self, *slippery: str) -> None:
        self.effects: list[str] = []
        self.slippery = set(slippery)

    def tools(self) -> list[Tool]:
        @tool(effect="write", resources="shelf", approval="auto")
        async def put(name: str, count: int = 1) -> str:
            """Put something on the shelf.

            Args:
                name: What.
                count: How many.
            """
            if name in self.slippery:
                self.slippery.remove(name)
                raise RuntimeError(f"{name} slipped")
            self.effects.append(name)
            return f"{name} is number {len(self.effects)}"

        @tool(effect="read", resources="shelf")
        async def look() -> list[str]:
            """What is on the shelf."""
            return list(self.effects)

        return [put, look]

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(self.effects))


async def replanned(shelf: Shelf, *plans: str, **options: Any) -> RunResult:
    model = ScriptedModel(list(plans), profile=FREE)
    return await Agent(model, tools=shelf.tools(), **options).run("Fill the shelf.")


def reused(result: RunResult) -> list[tuple[str, str]]:
    return [(event.step, event.source) for event in result.events if isinstance(event, StepReused)]


async def test_a_loop_of_writes_that_failed_half_way_is_finished_and_not_begun_again() -> None:
    shelf = Shelf("c")
    plan = 'done = [put(name=n) for n in ["a", "b", "c", "d"]]\nanswer(done)'
    result = await replanned(shelf, plan, plan)
    assert result.status == "done"
    assert shelf.counts == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert result.output == ["a is number 1", "b is number 2", "c is number 3", "d is number 4"]
    assert [source for _, source in reused(result)] == ["1/put_1[0]", "1/put_1[1]"]


async def test_branches_at_once_keep_what_the_finished_ones_wrote() -> None:
    shelf = Shelf("b")
    plan = (
        'with parallel() as both:\n    with branch():\n        put(name="a")\n'
        '    with branch():\n        put(name="b")\nanswer(both)'
    )
    result = await replanned(shelf, plan, 'x = put(name="b")\ny = put(name="a")\nanswer([x, y])')
    assert (result.status, result.error) == ("done", "")
    assert shelf.counts == {"a": 1, "b": 1}


async def test_writes_of_a_subgoal_are_not_repeated_by_the_subgoal_of_the_next_plan() -> None:
    shelf = Shelf("z")
    whole = 'one = subgoal("Put a and b.")\ntwo = put(name="z")\nanswer([one, two])'
    inner = 'a = put(name="a")\nb = put(name="b")\nanswer([a, b])'
    result = await replanned(shelf, whole, inner, whole, inner)
    assert (result.status, result.error) == ("done", "")
    assert shelf.counts == {"a": 1, "b": 1, "z": 1}


async def test_a_plan_that_repeats_a_write_twice_had_it_done_twice_and_keeps_both() -> None:
    shelf = Shelf("z")
    twice = 'x = put(name="a")\ny = put(name="a")\nz = put(name="z")\nanswer([x, y, z])'
    thrice = 'x = put(name="a")\ny = put(name="a")\nw = put(name="a")\nz = put(name="z")\nanswer([x, y, w, z])'
    result = await replanned(shelf, twice, thrice)
    assert result.output == ["a is number 1", "a is number 2", "a is number 3", "z is number 4"]
    assert shelf.counts == {"a": 3, "z": 1}


async def test_a_write_that_is_meant_once_more_is_done_once_more() -> None:
    shelf = Shelf("z")
    result = await replanned(
        shelf,
        'x = put(name="a")\nz = put(name="z")\nanswer([x, z])',
        'x = put(name="a", _again=True)\nz = put(name="z")\nanswer([x, z])',
    )
    assert result.status == "done"
    assert shelf.counts == {"a": 2, "z": 1}


async def test_three_plans_in_a_row_do_a_write_once() -> None:
    shelf = Shelf()
    plan = 'x = put(name="a")\nanswer(x)'
    verdicts = iter([False, False, True])

    def third(situation: Situation) -> bool:
        return next(verdicts)

    result = await replanned(shelf, plan, plan, plan, reflection=Reflection(outcome=third))
    assert result.status == "done"
    assert shelf.counts == {"a": 1}
    assert reused(result) == [("x_2", "1/x"), ("x_3", "1/x")]


async def test_arguments_decide_and_defaults_are_arguments_too() -> None:
    shelf = Shelf("z")
    result = await replanned(
        shelf,
        'x = put(name="a")\nz = put(name="z")\nanswer([x, z])',
        'x = put(count=1, name="a")\ny = put(name="a", count=2)\nz = put(name="z")\nanswer([x, y, z])',
    )
    assert result.status == "done"
    assert shelf.counts == {"a": 2, "z": 1}


async def test_the_prompt_says_what_is_done_and_what_is_known() -> None:
    shelf = Shelf("z")
    first = 'x = [put(name=n) for n in ["a", "b"]]\nz = put(name="z")\nanswer(x)'
    model = ScriptedModel([first, "seen = look()\nanswer([x, seen])"], profile=FREE)
    result = await Agent(model, tools=shelf.tools()).run("Fill the shelf.")
    assert result.output == [["a is number 1", "b is number 2"], ["a", "b"]]
    prompt = "\n".join(message.content for message in model.requests[1].messages)
    assert 'x = ["a is number 1", "b is number 2"]' in prompt
    assert 'Done already, and not done again if you call them again: put(name="a"); put(name="b")' in prompt


FIRST = 'x = put(name="a")\ny = put(name="a")\nz = put(name="z")\nanswer([x, y, z])'
SECOND = 'x = put(name="a")\nw = put(name="w")\ny = put(name="a")\nz = put(name="z")\nanswer([x, w, y, z])'


@pytest.mark.parametrize("crash_at", range(1, 25))
async def test_a_crash_anywhere_repeats_no_write_of_either_plan(tmp_path: Path, crash_at: int) -> None:
    """The run ends after any of its events and is resumed; whatever is in doubt, no write happens twice."""
    shelf = Shelf("z")
    store = JournalStore(tmp_path / "runs.sqlite")
    agent = Agent(ScriptedModel([FIRST, SECOND], profile=FREE), tools=shelf.tools())
    with pytest.raises(_CrashError):
        await agent.run("?", journal=store, run_id="r", listeners=[_Crash(crash_at)])
    planned = sum(event.kind == "plan_proposed" for event in store.events("r"))
    again = ScriptedModel([FIRST, SECOND][planned:], profile=FREE)
    result = await Agent(again, tools=shelf.tools()).resume("r", store)
    store.close()
    if result.status == "done":
        assert shelf.counts == {"a": 2, "w": 1, "z": 1}
    else:
        assert "in doubt" in result.error
        assert shelf.counts.get("a", 0) <= 2
        assert all(shelf.counts.get(name, 0) <= 1 for name in "wz")


class _CrashError(BaseException):
    """The process ends here."""


class _Crash:
    """Raises at an event, counted from 1."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, event: Event) -> None:
        self.left -= 1
        if self.left == 0:
            raise _CrashError


# what a person denied


class Tables:
    """A database whose tables can be dropped, and a person who does not allow it."""

    def __init__(self) -> None:
        self.tables = ["orders", "old_orders"]
        self.asked: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> Decision:
        self.asked.append(request)
        return Decision(request.tool != "drop_table", "keep the table, archive it")

    async def answer(self, question: str, schema: Any) -> Any:
        raise AssertionError("nobody is asked a question")

    def tools(self) -> list[Tool]:
        @tool(effect="write", resources="database")
        async def drop_table(name: str) -> str:
            """Delete a table.

            Args:
                name: The table.
            """
            self.tables.remove(name)
            return f"{name} is gone"

        @tool(effect="write", resources="database")
        async def archive_table(name: str) -> str:
            """Move a table to the archive.

            Args:
                name: The table.
            """
            return f"{name} is archived"

        return [drop_table, archive_table]


DROP = 'gone = drop_table(name="old_orders")\nanswer(gone)'
ARCHIVE = 'kept = archive_table(name="old_orders")\nanswer(kept)'


async def test_deleting_a_table_asks_first_and_a_denial_is_planned_around() -> None:
    database = Tables()
    model = ScriptedModel([DROP, ARCHIVE], profile=FREE)
    result = await Agent(model, tools=database.tools(), human=database).run("Clean up.")
    assert (result.status, result.output) == ("done", "old_orders is archived")
    assert database.tables == ["orders", "old_orders"]
    assert [request.tool for request in database.asked] == ["drop_table", "archive_table"]
    told = model.requests[1].messages[-1].content
    assert "'drop_table' was denied: keep the table, archive it" in told
    assert 'Denied by a person; do not call them again: drop_table(name="old_orders")' in told


async def test_a_denied_call_that_is_proposed_again_is_refused_before_anybody_is_asked() -> None:
    database = Tables()
    model = ScriptedModel([DROP, DROP, ARCHIVE], profile=FREE)
    result = await Agent(model, tools=database.tools(), human=database).run("Clean up.")
    assert (result.status, result.output) == ("done", "old_orders is archived")
    assert [request.tool for request in database.asked] == ["drop_table", "archive_table"]
    checks = [event for event in result.events if isinstance(event, PlanChecked)]
    assert [event.codes for event in checks] == [(), ("AK608",), ()]
    [told] = checks[1].diagnostics
    assert told == (
        "AK608 at line 1, gone: a person has denied this call of 'drop_table': keep the table, archive it. "
        "Expected a plan without it. Reach the goal another way, or answer what cannot be done and why."
    )


async def test_a_denied_call_whose_arguments_only_running_can_tell_is_denied_without_asking_again() -> None:
    database = Tables()
    hidden = 'names = ["old_orders"]\ngone = [drop_table(name=n) for n in names]\nanswer(gone)'
    model = ScriptedModel([DROP, hidden, ARCHIVE], profile=FREE)
    result = await Agent(model, tools=database.tools(), human=database).run("Clean up.")
    assert (result.status, result.output) == ("done", "old_orders is archived")
    assert [request.tool for request in database.asked] == ["drop_table", "archive_table"]
    assert "'drop_table' was denied before in this run: keep the table, archive it" in (
        model.requests[2].messages[-1].content
    )


async def test_another_table_may_be_asked_for() -> None:
    database = Tables()
    model = ScriptedModel([DROP, 'gone = drop_table(name="orders")\nanswer(gone)', ARCHIVE], profile=FREE)
    await Agent(model, tools=database.tools(), human=database, limits=Limits(replans=2)).run("Clean up.")
    assert [request.args["name"] for request in database.asked if request.tool == "drop_table"] == [
        "old_orders",
        "orders",
    ]


def test_a_call_is_the_same_whatever_the_order_of_its_arguments_and_the_spelling_of_a_number() -> None:
    put, _ = Shelf().tools()
    same: list[dict[str, Any]] = [{"name": "a"}, {"name": "a", "count": 1}, {"count": 1.0, "name": "a"}]
    assert len({call_key("put", args, put) for args in same}) == 1
    assert call_key("put", {"name": "a", "count": 2}, put) != call_key("put", {"name": "a"}, put)
    assert call_key("put", {"name": "a", "count": True}, None) != call_key("put", {"name": "a", "count": 1}, None)
