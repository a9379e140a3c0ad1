"""Kitty Vogue's assistant: the shop's tools, what it is for, and a few examples of good plans."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import platformdirs

from agentkit import Agent, Example, Limits, Model
from agentkit.planners.intent import ModelIntent
from agentkit.planning import Planner
from examples.kitty_vogue.generation import make_generate_query, make_generate_response
from examples.kitty_vogue.shop import TODAY, build_shop
from examples.kitty_vogue.tools import shop_tools

DEFAULT_MODEL = "local:qwen2.5-coder-1.5b"

EXAMPLES = (
    Example(
        "Which three products sold the most units last month, and what is the stock of the first one?",
        """\
month = get_date_range(period="last_month")
top = fetch_top_products(start_date=month.start_date, end_date=month.end_date, num_products=3)
first = fetch_product_info(product_name=top[0].name)
answer(f"The top three are {[p.name for p in top]}; there are {first.stock} of {first.name} in stock.")""",
    ),
    Example(
        "What is 15 % of 1,240?",
        """\
share = calculate(expression="1240 * 15 / 100")
answer(share)""",
    ),
    Example(
        "What are the prices of the two products that sold best last year?",
        """\
year = get_date_range(period="last_year")
top = fetch_top_products(start_date=year.start_date, end_date=year.end_date, num_products=2)
infos = [fetch_product_info(product_name=p.name) for p in top]
answer([f"{p.name}: ${p.price}" for p in infos])""",
    ),
    Example(
        "How many units of the Velvet Collar will we sell in the next three months?",
        """\
past = get_date_range(period="last_5_years")
ahead = get_date_range(period="next_3_months")
sales = fetch_sales(product_name="Velvet Collar", start_date=past.start_date, end_date=past.end_date)
gaps = find_sales_gaps(product_name="Velvet Collar", start_date=past.start_date, end_date=past.end_date)
campaigns = fetch_campaigns(product_name="Velvet Collar")
outlook = project_sales(sales=sales, campaigns=campaigns, start_date=ahead.start_date, end_date=ahead.end_date)
answer({"units": outlook.units, "weeks_without_sales": len(gaps)})""",
    ),
    Example(
        "Is the product with the highest sales last month in the category hats?",
        """\
month = get_date_range(period="last_month")
top = fetch_top_products(start_date=month.start_date, end_date=month.end_date, num_products=1)
info = fetch_product_info(product_name=top[0].name)
if info.category == "hats":
    answer(f"Yes, {info.name} is one of the hats.")
else:
    answer(f"No, {info.name} is in {info.category}.")""",
    ),
)

INTENT = ModelIntent(
    scope=(
        "Kitty Vogue sells hats, clothes, shoes and accessories. Its assistant answers questions about the shop's "
        "products, prices, stock, sales, campaigns and projections, and does arithmetic, dates and unit conversions."
    ),
    in_scope=(
        "How much is the Velvet Collar?",
        "What did we earn last month?",
        "How many pounds are 3 kilograms?",
        "What will sales be in the next three months?",
    ),
    out_of_scope=(
        "Who is the president of France?",
        "Tell me a joke about cats.",
        "What's the weather tomorrow?",
        "Write Python code for quicksort.",
    ),
    reply="I can't help with that: I answer questions about Kitty Vogue's products, sales and campaigns.",
)


def make_agent(
    folder: str | Path, model: str | Model = DEFAULT_MODEL, *, today: date = TODAY, planner: Planner | None = None
) -> Agent:
    """The assistant, over a shop database in `folder` (generated if it is not there yet).

    Args:
        folder: Where the database is.
        model: A model id or a model.
        today: The day that the assistant takes for today.
        planner: How it plans; by default as the model's profile says.
    """
    shop = build_shop(Path(folder) / "kitty_vogue.sqlite", today=today)
    return Agent(
        model,
        "You plan for the assistant of Kitty Vogue, a shop for hats, clothes, shoes and accessories. "
        "Weeks run from Monday to Sunday.",
        name="kitty_vogue",
        description="Answers questions about a shop's products, sales and campaigns.",
        tools=[
            shop_tools(shop, today),
            make_generate_query(shop, today.isoformat()),
            make_generate_response(),
        ],
        examples=EXAMPLES,
        intent=INTENT,
        limits=Limits(replans=1),
        planner=planner,
    )


def kitty_vogue() -> Agent:
    """The assistant with the default model and a database in the user's cache, for ``agentkit run``."""
    return make_agent(Path(platformdirs.user_cache_dir("agentkit")))
