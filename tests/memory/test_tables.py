"""Typed tables and queues: exact schemas, safe conditions, and takers that never get the same item."""

from __future__ import annotations

import asyncio
import datetime
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, model_validator

from agentkit.agent import Agent
from agentkit.checker import check
from agentkit.diagnostics import Code
from agentkit.errors import DefinitionError, ModelRetry, ToolInputError
from agentkit.memory import Queue, Row, Table
from agentkit.messages import ModelProfile
from agentkit.policy import Policy
from agentkit.spelling import read_python
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Toolbox
from tests.architecture import ROOT


class Address(BaseModel):
    """Where somebody lives."""

    city: str


class Customer(BaseModel):
    """A customer of the shop."""

    name: Annotated[str, Field(min_length=1)]
    points: Annotated[int, Field(ge=0)] = 0
    tier: Literal["new", "gold"] = "new"
    active: bool = True
    since: datetime.date | None = None
    seen: datetime.datetime | None = None
    address: Address | None = None
    tags: list[str] = []

    @model_validator(mode="after")
    def _gold_has_points(self) -> Customer:
        if self.tier == "gold" and self.points < 100:
            raise ValueError("gold needs 100 points")
        return self


class Job(BaseModel):
    """Something to do."""

    what: str


ANN = Customer(name="Ann", points=120, tier="gold", since=datetime.date(2026, 1, 2), address=Address(city="Rome"))
BOB = Customer(name="Bob", points=5, active=False, tags=["x", "y"])


@pytest.fixture
def table(tmp_path: Path) -> Table[Customer]:
    table = Table(Customer, tmp_path / "new" / "shop.db")
    table.insert(ANN)
    table.insert(BOB)
    return table


def names(rows: list[Row[Customer]]) -> list[str]:
    return [row.value.name for row in rows]


def test_rows_come_back_as_they_were(table: Table[Customer], tmp_path: Path) -> None:
    assert table.query() == [Row(1, ANN), Row(2, BOB)]
    again = Table(Customer, tmp_path / "new" / "shop.db")
    assert (len(again), again.query({"id": 2})[0].value) == (2, BOB)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"name": "Ann"}, ["Ann"]),
        ({"points": {"ge": 5, "lt": 120}}, ["Bob"]),
        ({"points": {"in": [120, 7]}}, ["Ann"]),
        ({"tier": {"ne": "gold"}}, ["Bob"]),
        ({"active": False}, ["Bob"]),
        ({"since": None}, ["Bob"]),
        ({"since": {"gt": "2026-01-01"}}, ["Ann"]),
        ({"name": {"contains": "o"}, "points": 5}, ["Bob"]),
        ({"name": {"contains": "%"}}, []),
        ({"name": "' OR 1=1 --"}, []),
        ({}, ["Ann", "Bob"]),
    ],
)
def test_conditions_select_rows(table: Table[Customer], where: dict[str, Any], found: list[str]) -> None:
    assert names(table.query(where)) == found


def test_moments_compare_across_time_zones(tmp_path: Path) -> None:
    table = Table(Customer, tmp_path / "t.db")
    for name, text in (("late", "2026-01-01T10:00:00+00:00"), ("early", "2026-01-01T10:30:00+02:00")):
        table.insert(Customer(name=name, seen=datetime.datetime.fromisoformat(text)))
    assert names(table.query(order_by="seen")) == ["early", "late"]
    assert names(table.query({"seen": {"lt": "2026-01-01T09:00:00Z"}})) == ["early"]
    assert names(table.query({"seen": "2026-01-01T08:30:00Z"})) == ["early"]


def test_rows_are_ordered_and_limited(table: Table[Customer]) -> None:
    assert names(table.query(order_by="points")) == ["Bob", "Ann"]
    assert names(table.query(order_by="name", descending=True, limit=1)) == ["Bob"]


def test_changes_are_held_against_the_model_and_all_or_nothing(table: Table[Customer]) -> None:
    assert table.update({"name": "Bob"}, {"points": 7, "address": {"city": "Oslo"}}) == 1
    assert table.query({"name": "Bob"})[0].value.address == Address(city="Oslo")
    with pytest.raises(ModelRetry, match=r"^row: Value error, gold needs 100 points$"):
        table.update({"id": {"ge": 1}}, {"points": 50})
    assert [row.value.points for row in table.query()] == [120, 7]


def test_rows_are_deleted_by_condition_only(table: Table[Customer]) -> None:
    with pytest.raises(ModelRetry) as caught:
        table.delete({})
    assert str(caught.value) == "delete needs at least one condition; to mean all rows, say {'id': {'ge': 0}}"
    assert table.delete({"name": "Ann"}) == 1
    assert names(table.query()) == ["Bob"]


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ({"nmae": 1}, "there is no column 'nmae' to compare; there are: id, name, points, tier, active, since, seen"),
        ({"address": {"city": "Rome"}}, "there is no column 'address' to compare; there are: id, name, points, tier"),
        ({"tier": {"lt": "new"}}, "tier cannot be compared by 'lt'; it can by: eq, ne, in"),
        ({"active": {"lt": True}}, "active cannot be compared by 'lt'; it can by: eq, ne"),
        ({"points": "many"}, "points: Input should be a valid integer, unable to parse string as an integer"),
        ({"tier": "silver"}, "tier: Input should be 'new' or 'gold', got 'silver'"),
    ],
)
def test_a_wrong_condition_says_what_there_is(table: Table[Customer], where: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModelRetry) as caught:
        table.query(where)
    assert str(caught.value).startswith(problem)


def test_unique_fields_are_kept_unique(tmp_path: Path) -> None:
    table = Table(Customer, tmp_path / "t.db", unique="name")
    table.insert(BOB)
    with pytest.raises(ModelRetry, match=r"^refused: UNIQUE constraint failed: customer\.name$"):
        table.insert(BOB)
    with pytest.raises(DefinitionError, match=r"^unique names 'nmae', which is no field of 'Customer'$"):
        Table(Customer, tmp_path / "t.db", unique="nmae")


def test_a_table_of_another_shape_is_refused(table: Table[Customer], tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        Table(Job, tmp_path / "new" / "shop.db", name="customer")
    assert 'has a table \'customer\' of another shape: ["name: text", "points: number"' in str(caught.value)
    with pytest.raises(DefinitionError, match=r"^'Cust; DROP' cannot name a table; expected lower-case letters"):
        Table(Customer, tmp_path / "t.db", name="Cust; DROP")

    class Named(BaseModel):
        id: str

    with pytest.raises(DefinitionError, match=r"^the model 'Named' cannot be a table: it needs fields, and none named"):
        Table(Named, tmp_path / "t.db")


@given(st.lists(st.text(), min_size=1, max_size=4), st.text())
def test_no_text_breaks_out_of_a_condition(texts: list[str], other: str) -> None:
    """Whatever text is kept or asked for, exactly the rows with that text are found, changed and deleted."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = Table(Job, Path(folder) / "t.db")
        for text in texts:
            jobs.insert(Job(what=text))
        for asked in (*texts, other, f"{other}' OR '1'='1"):
            assert [row.value.what for row in jobs.query({"what": asked})] == [text for text in texts if text == asked]
            holding = [text for text in texts if "\0" not in text + asked and asked in text]
            if "\0" not in "".join(texts) + asked:
                assert [row.value.what for row in jobs.query({"what": {"contains": asked}})] == holding
        assert jobs.delete({"what": texts[0]}) == texts.count(texts[0])


async def test_an_agent_uses_a_table_and_a_queue(tmp_path: Path) -> None:
    table, queue = Table(Customer, tmp_path / "t.db"), Queue(Job, tmp_path / "t.db")
    plan = """\
insert_customer(name="Ann", points=120)
insert_customer(name="Bob", points=5)
update_customer(where={"name": "Bob"}, changes={"points": 6})
best = query_customer(where={"points": {"ge": 100}}, order_by="points")
left = push_job(what=f"Call {best[0].name}")
job = pop_job()
answer([best[0].name, left, job.what, len(peek_job())])
"""
    model = ScriptedModel([plan], profile=ModelProfile(spelling="python", decoding="free"))
    agent = Agent(model, tools=[*table.tools(), *queue.tools()], policy=Policy(writes="auto"))
    result = await agent.run("Do it")
    assert (result.output, result.error) == (["Ann", 1, "Call Ann", 0], "")
    assert [row.value.points for row in table.query()] == [120, 6]


def test_the_checker_knows_the_model_behind_the_tools(table: Table[Customer]) -> None:
    box = Toolbox(*table.tools())
    assert {name: (tool.effect, tool.resources) for name, tool in box.items()} == {
        "insert_customer": ("write", ("table:customer",)),
        "query_customer": ("read", ("table:customer",)),
        "update_customer": ("write", ("table:customer",)),
        "delete_customer": ("write", ("table:customer",)),
    }
    wrong = 'x = insert_customer(nmae="Ann", tier="silver")\ny = query_customer()\nanswer(y[0].emali)'
    report = check(read_python(wrong, box), box)
    assert {problem.code for problem in report.errors} == {
        Code.UNEXPECTED_ARGUMENT,
        Code.MISSING_ARGUMENT,
        Code.NOT_IN_ENUM,
        Code.UNKNOWN_FIELD,
    }


async def test_a_tool_refuses_to_delete_everything(table: Table[Customer]) -> None:
    delete = Toolbox(*table.tools())["delete_customer"]
    with pytest.raises(ToolInputError):
        delete.bind({"where": {}})


def test_a_queue_is_first_in_first_out(tmp_path: Path) -> None:
    queue = Queue(Job, tmp_path / "q.db")
    assert queue.pop() is None
    assert [queue.push(Job(what=str(n))) for n in range(3)] == [1, 2, 3]
    assert queue.peek(2) == [Job(what="0"), Job(what="1")]
    assert [queue.pop(), queue.pop(), len(queue)] == [Job(what="0"), Job(what="1"), 1]


TAKER = """
import sys
from pydantic import BaseModel
from agentkit.memory import Queue
class Job(BaseModel):
    what: str
queue = Queue(Job, sys.argv[1])
while (job := queue.pop()) is not None:
    print(job.what)
"""


async def test_two_processes_never_take_the_same_item(tmp_path: Path) -> None:
    queue = Queue(Job, tmp_path / "q.db")
    for n in range(60):
        queue.push(Job(what=str(n)))
    command = [sys.executable, "-c", TAKER, str(tmp_path / "q.db")]
    takers = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE) for _ in range(2)
    ]
    taken = [(await taker.communicate())[0].split() for taker in takers]
    assert sorted(int(item) for items in taken for item in items) == list(range(60))
    assert [items == sorted(items, key=int) for items in taken] == [True, True]


def test_a_table_and_a_queue_are_of_a_pydantic_model(tmp_path: Path) -> None:
    wrong: Any = dict
    for make in (Table, Queue):
        with pytest.raises(DefinitionError) as refused:
            make(wrong, tmp_path / "shop.db")
        expected = "<class 'dict'> cannot be a table or a queue: expected a class of pydantic's BaseModel"
        assert str(refused.value) == expected
