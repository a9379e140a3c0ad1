"""Kitty Vogue's tools, called as a plan calls them: JSON in, validated JSON out."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from agentkit import Agent, Limits, RunContext
from agentkit.errors import DefinitionError, ModelRetry, ToolInputError
from agentkit.events import ModelCalled
from agentkit.messages import Json
from agentkit.protocols import Model
from agentkit.run import Run
from agentkit.testing import FunctionModel, ScriptedModel
from agentkit.toolbox import Toolbox
from examples.kitty_vogue.expected import is_correct, reference_key
from examples.kitty_vogue.generation import (
    RESPONSE_PROMPT,
    SQL_PROMPT,
    make_generate_query,
    make_generate_response,
    query_problem,
)
from examples.kitty_vogue.shop import SCHEMA, TODAY, build_shop
from examples.kitty_vogue.tools import calendar_tools, sales_tools, shop_tools

LAST_WEEK = {"start_date": "2026-02-23", "end_date": "2026-03-01"}
FIVE_YEARS = {"start_date": "2021-03-01", "end_date": "2026-03-01"}
FEDORA = {"product_name": "Fruity Fedora"}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shop(tmp_path_factory.mktemp("shop") / "shop.sqlite")


@pytest.fixture(scope="module")
def tools(db: Path) -> Toolbox:
    return shop_tools(db)


async def call(tools: Toolbox, name: str, **args: Json) -> Json:
    tool = tools[name]
    return await tool.invoke(tool.bind(args))


async def ask(model: Model, tools: Toolbox, name: str, **args: Json) -> Json:
    """Call a tool in a run that has a model."""
    tool = tools[name]
    return await tool.invoke(tool.bind(args), RunContext(None, model=Run(model=model).model))


def test_the_toolbox_has_what_the_assistant_needs(tools: Toolbox) -> None:
    assert set(tools) == {
        "get_today_date",
        "get_date_range",
        "fetch_top_products",
        "fetch_product_info",
        "fetch_sales",
        "find_sales_gaps",
        "fetch_campaigns",
        "project_sales",
        "list_tables",
        "run_query",
        "execute_sql",
        "lbs_to_kg",
        "calculate",
    }
    tools.validate()
    assert {name for name, tool in tools.items() if tool.effect == "write"} == {"execute_sql"}


def test_reads_and_writes_of_the_database_are_kept_in_order(tools: Toolbox) -> None:
    """They name one resource; whatever names none would wait for, and hold up, everything else."""
    assert {tool.resources for name, tool in tools.items() if name not in {"get_today_date", "get_date_range"}} == {
        ("shop",),
        (),
    }
    assert {name for name, tool in tools.items() if not tool.resources} == {"project_sales", "lbs_to_kg", "calculate"}


def test_signatures_are_precise_enough_to_plan_with(tools: Toolbox) -> None:
    assert tools["fetch_top_products"].signature() == (
        "fetch_top_products(start_date: date, end_date: date, num_products: int)"
        " -> list[{name: str, units: int, revenue: float}]"
    )
    assert tools["get_today_date"].signature() == "get_today_date() -> date"


async def test_the_price_of_last_weeks_best_seller_step_by_step(tools: Toolbox) -> None:
    assert await call(tools, "get_today_date") == "2026-03-02"
    week = await call(tools, "get_date_range", period="last_week")
    assert week == LAST_WEEK
    top = await call(tools, "fetch_top_products", **week, num_products=1)
    info = await call(tools, "fetch_product_info", product_name=top[0]["name"])
    assert is_correct("best_seller_price", info["price"])
    assert info["launched"] < "2021-03-01"


async def test_pounds(tools: Toolbox) -> None:
    assert is_correct("pounds_to_kilograms", await call(tools, "lbs_to_kg", lbs=40))
    assert is_correct("division", await call(tools, "calculate", expression="199999 / 292"))


async def test_the_projection_step_by_step(tools: Toolbox) -> None:
    """Five years of sales, gaps noticed, campaigns fetched, three months projected."""
    past = await call(tools, "get_date_range", period="last_5_years")
    ahead = await call(tools, "get_date_range", period="next_3_months")
    sales = await call(tools, "fetch_sales", **FEDORA, **past)
    gaps = await call(tools, "find_sales_gaps", **FEDORA, **past)
    campaigns = await call(tools, "fetch_campaigns", **FEDORA)
    projection = await call(tools, "project_sales", sales=sales, campaigns=campaigns, **ahead)
    facts = reference_key().projection
    assert [date.fromisoformat(day) for day in gaps] == list(facts.missing_weeks)
    assert len(sales) + len(gaps) == 261
    assert [c["name"] for c in campaigns if c["end_date"] < "2026-03-02"] == list(facts.past_campaigns)
    assert len(projection["weeks"]) == 13
    assert projection["revenue"] == pytest.approx(sum(week["revenue"] for week in projection["weeks"]), abs=0.1)
    assert projection["low"] < projection["revenue"] < projection["high"]
    assert is_correct("projection", projection["revenue"])


async def test_top_products_agree_with_the_answer_key(tools: Toolbox) -> None:
    top = await call(tools, "fetch_top_products", **LAST_WEEK, num_products=3)
    assert is_correct("top3_names", top)
    month = await call(tools, "get_date_range", period="last_month")
    assert is_correct("top_month", await call(tools, "fetch_top_products", **month, num_products=1))
    everything = await call(tools, "fetch_top_products", **LAST_WEEK, num_products=100)
    assert is_correct("revenue_last_week", sum(product["revenue"] for product in everything))


async def test_product_names_are_found_in_any_case_and_spacing(tools: Toolbox) -> None:
    info = await call(tools, "fetch_product_info", product_name="  fruity   FEDORA ")
    assert info == {
        "name": "Fruity Fedora",
        "category": "hats",
        "price": 34.5,
        "stock": 212,
        "launched": "2019-06-06",
    }


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        (
            "fetch_product_info",
            {"product_name": "Fruity Fedoras"},
            "No product is named 'Fruity Fedoras'. Did you mean 'Fruity Fedora'?",
        ),
        (
            "fetch_sales",
            {"product_name": "Fruity Fedora", "start_date": "2026-03-01", "end_date": "2026-02-01"},
            "start_date 2026-03-01 is after end_date 2026-02-01; exchange them.",
        ),
        (
            "fetch_top_products",
            {"start_date": "2019-01-01", "end_date": "2019-02-01", "num_products": 1},
            (
                "No week with sales starts between 2019-01-01 and 2019-02-01; there are weeks that start on Mondays "
                "from 2021-03-01 to 2026-02-23."
            ),
        ),
        (
            "project_sales",
            {"sales": [], "campaigns": [], "start_date": "2026-03-02", "end_date": "2026-05-31"},
            (
                "These sales cannot be projected: a projection needs at least 104 recorded weeks, got 0. "
                "Fetch sales from an earlier day on."
            ),
        ),
        (
            "project_sales",
            {"sales": [], "campaigns": [], "start_date": "2026-03-03", "end_date": "2026-03-04"},
            "The period from 2026-03-03 to 2026-03-04 holds 0 Mondays; give one with 1 to 104.",
        ),
    ],
)
async def test_a_tool_asks_for_better_arguments(
    tools: Toolbox, name: str, args: Mapping[str, Json], message: str
) -> None:
    with pytest.raises(ModelRetry) as error:
        await call(tools, name, **args)
    assert str(error.value) == message


async def test_an_unknown_name_without_a_neighbour_lists_the_products(tools: Toolbox) -> None:
    with pytest.raises(ModelRetry, match=r"^No product is named 'Xyzzy'\. The products are: Fruity Fedora, Bengal"):
        await call(tools, "fetch_product_info", product_name="Xyzzy")


@pytest.mark.parametrize("count", [0, 101, 1.5])
async def test_arguments_outside_the_schema_are_refused(tools: Toolbox, count: float) -> None:
    with pytest.raises(ToolInputError):
        await call(tools, "fetch_top_products", **LAST_WEEK, num_products=count)


async def test_weeks_before_the_launch_and_after_today_are_no_gaps(tools: Toolbox) -> None:
    long = {"start_date": "2015-01-01", "end_date": "2030-01-01"}
    assert await call(tools, "find_sales_gaps", product_name="Panama Paws", **long) == []
    assert len(await call(tools, "find_sales_gaps", **FEDORA, **long)) == 11


async def test_other_days_are_other_weeks(db: Path) -> None:
    tools = Toolbox(*calendar_tools(date(2026, 2, 22)), *sales_tools(db, date(2026, 2, 22)))
    assert await call(tools, "get_date_range", period="last_week") == {
        "start_date": "2026-02-09",
        "end_date": "2026-02-15",
    }
    assert await call(tools, "get_date_range", period="last_year") == {
        "start_date": "2025-01-01",
        "end_date": "2025-12-31",
    }


async def test_tools_see_what_a_write_changed(tmp_path: Path) -> None:
    tools = shop_tools(build_shop(tmp_path / "shop.sqlite"))
    await call(tools, "execute_sql", sql="UPDATE products SET price = 20 WHERE name = 'Fruity Fedora'")
    assert (await call(tools, "fetch_product_info", **FEDORA))["price"] == 20


async def test_many_questions_at_once(tools: Toolbox) -> None:
    calls = [call(tools, "fetch_sales", **FEDORA, **FIVE_YEARS) for _ in range(20)]
    assert {len(sales) for sales in await asyncio.gather(*calls)} == {250}


class TestGeneration:
    GOOD = "SELECT price FROM products WHERE name = 'Fruity Fedora'"

    @pytest.mark.parametrize("reply", [f'{{"sql": "{GOOD};"}}', GOOD, f"Here it is:\n```sql\n{GOOD};\n```"])
    async def test_a_question_becomes_a_query_that_runs(self, db: Path, reply: str) -> None:
        model = ScriptedModel([reply])
        tools = Toolbox(make_generate_query(db, today=TODAY.isoformat()))
        sql = await ask(model, tools, "generate_query", question="What does the Fruity Fedora cost?")
        with closing(sqlite3.connect(db)) as connection:
            assert connection.execute(sql).fetchall() == [(34.5,)]
        prompt = model.requests[0].messages[0].content
        assert SCHEMA in prompt
        assert "Today is 2026-03-02." in prompt
        assert prompt.endswith("Question: What does the Fruity Fedora cost?")

    async def test_a_bad_query_goes_back_to_the_model_with_the_reason(self, db: Path) -> None:
        model = ScriptedModel(['{"sql": "SELECT cost FROM products"}', f'{{"sql": "{self.GOOD}"}}'])
        tools = Toolbox(make_generate_query(db, today="2026-03-02"))
        assert await ask(model, tools, "generate_query", question="q") == self.GOOD
        assert model.requests[1].messages[-1].content == (
            "That reply cannot be used: no such column: cost. Answer again, with nothing else."
        )

    async def test_the_tool_gives_up_after_three_bad_queries(self, db: Path) -> None:
        model = FunctionModel(lambda _: "DROP TABLE products")
        tools = Toolbox(make_generate_query(db, today="2026-03-02"))
        with pytest.raises(ModelRetry) as error:
            await ask(model, tools, "generate_query", question="Drop it all")
        assert str(error.value) == (
            "No usable query for 'Drop it all': it is not a SELECT statement; the reply was 'DROP TABLE products'. "
            "Ask in other words, or in parts."
        )
        assert len(model.requests) == 3

    async def test_without_a_model_the_tools_say_what_they_need(self, db: Path) -> None:
        tools = Toolbox(make_generate_query(db, today="2026-03-02"))
        with pytest.raises(DefinitionError, match=r"^this tool asks the run's model and the run has none; give the "):
            await call(tools, "generate_query", question="q")

    async def test_the_calls_of_a_run_are_counted_and_bounded(self, db: Path) -> None:
        plan = 'sql = generate_query(question="q")\nanswer(sql)'
        model = ScriptedModel([plan, self.GOOD, plan, self.GOOD])
        agent = Agent(model, tools=[make_generate_query(db, today="2026-03-02")])
        result = await agent.run("What does the Fedora cost?")
        assert (result.output, result.usage.model_calls) == (self.GOOD, 2)
        assert [event.purpose for event in result.events if isinstance(event, ModelCalled)] == ["plan", "query"]
        result = await agent.run("What does the Fedora cost?", limits=Limits(model_calls=1))
        assert (result.status, result.error) == ("stopped", "stopped: the limit model_calls=1 is used up")

    @pytest.mark.parametrize(
        ("sql", "problem"),
        [
            ("DELETE FROM products", "it is not a SELECT statement"),
            ("", "it is not a SELECT statement"),
            ("PRAGMA user_version", "it is not a SELECT statement"),
            ("SELECT 1; DROP TABLE products", "You can only execute one statement at a time."),
            ("WITH x AS (SELECT 1) DELETE FROM products", "not authorized"),
            ("SELECT load_extension('x')", "not authorized to use function: load_extension"),
            ("SELECT nope FROM products", "no such column: nope"),
            ("SELECT * FROM customers", "no such table: customers"),
            ("SELECT", "incomplete input"),
        ],
    )
    def test_only_one_reading_statement_that_fits_the_schema_is_let_through(
        self, db: Path, sql: str, problem: str
    ) -> None:
        assert query_problem(sql, db) == problem

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT COUNT(*) FROM weekly_sales;",
            "with t(x) as (select 1 union all select x + 1 from t where x < 5) select sum(x) from t",
            "SELECT name FROM products WHERE id IN (SELECT product_id FROM campaigns) ORDER BY price -- done",
        ],
    )
    def test_reading_statements_are_let_through(self, db: Path, sql: str) -> None:
        assert query_problem(sql, db) is None

    async def test_data_becomes_a_sentence(self) -> None:
        model = ScriptedModel([" It costs $34.50. "])
        tools = Toolbox(make_generate_response())
        answer = await ask(model, tools, "generate_response", question="What does it cost?", data=[{"price": 34.5}])
        assert answer == "It costs $34.50."
        assert model.requests[0].messages[-1].content == RESPONSE_PROMPT.format(
            question="What does it cost?", data='[{"price": 34.5}]'
        )

    async def test_an_empty_sentence_is_refused(self) -> None:
        tools = Toolbox(make_generate_response())
        with pytest.raises(ModelRetry, match="The model gave no answer to 'Why'"):
            await ask(ScriptedModel([" "] * 3), tools, "generate_response", question="Why", data=None)

    def test_the_prompts_take_braces(self) -> None:
        assert SQL_PROMPT.format(today="2026-03-02", question="{x}").endswith("Question: {x}")
