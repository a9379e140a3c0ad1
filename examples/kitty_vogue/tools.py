"""The tools of Kitty Vogue's assistant: the calendar, the shop's sales and campaigns, and a projection."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from agentkit.errors import ModelRetry
from agentkit.toolbox import Tool, Toolbox, tool
from agentkit.tools.maths import calculate
from agentkit.tools.sql import sqlite_tools
from agentkit.tools.units import lbs_to_kg
from examples.kitty_vogue.projection import Span, Week, project
from examples.kitty_vogue.records import (
    CampaignInfo,
    ProductInfo,
    ShopReader,
    TopProduct,
    WeeklySales,
    mondays_between,
)
from examples.kitty_vogue.shop import TODAY, last_month, last_week, monday

MAX_ROWS = 300
"""Rows that a query of the assistant may return: five years of weeks fit."""

RESOURCE = "shop"
"""What all tools on the database read or write, so that plans keep reads and writes in order."""

MAX_WEEKS_AHEAD = 104

Period = Literal["last_week", "last_month", "last_year", "last_5_years", "next_3_months"]


class DateRange(TypedDict):
    """First and last day of a period."""

    start_date: date
    end_date: date


class WeekProjection(TypedDict):
    """An expected week: its Monday, units, revenue in US dollars."""

    week_start: date
    units: float
    revenue: float


class Projection(TypedDict):
    """Projected sales. Revenues are in US dollars; `low` and `high` bound the total revenue with 80 % probability."""

    units: float
    revenue: float
    low: float
    high: float
    campaign_effect: float
    weeks: list[WeekProjection]


def shop_tools(db_path: str | Path, today: date = TODAY) -> Toolbox:
    """Everything that the assistant can do.

    Args:
        db_path: The shop's database, as `build_shop` made it.
        today: The day that the assistant takes for today.
    """
    return Toolbox(
        [
            *calendar_tools(today),
            *sales_tools(db_path, today),
            project_sales,
            *sqlite_tools(db_path, max_rows=MAX_ROWS, resource=RESOURCE),
            lbs_to_kg,
            calculate,
        ]
    )


def calendar_tools(today: date = TODAY) -> tuple[Tool, ...]:
    """Tools that know which day it is."""

    @tool(effect="read", resources="clock")
    def get_today_date() -> date:
        """Today's date."""
        return today

    @tool(effect="read", resources="clock")
    def get_date_range(period: Period) -> DateRange:
        """The first and last day of a period. Weeks run from Monday to Sunday; today is not in a past period.

        Args:
            period: Which period.
        """
        start, end = _period(period, today)
        return {"start_date": start, "end_date": end}

    return get_today_date, get_date_range


def sales_tools(db_path: str | Path, today: date = TODAY) -> tuple[Tool, ...]:
    """Tools that read products, sales and campaigns."""
    shop = ShopReader(Path(db_path), today)

    @tool(effect="read", resources=RESOURCE)
    def fetch_top_products(
        start_date: date, end_date: date, num_products: Annotated[int, Field(ge=1, le=100)]
    ) -> list[TopProduct]:
        """The products that sold the most units in a period, best first.

        Args:
            start_date: First day; weeks that start in the period count.
            end_date: Last day.
            num_products: How many products.
        """
        return shop.top_products(start_date, end_date, num_products)

    @tool(effect="read", resources=RESOURCE)
    def fetch_product_info(product_name: str) -> ProductInfo:
        """Name, category, current price, stock and launch date of a product.

        Args:
            product_name: The product's name.
        """
        _, info = shop.product(product_name)
        return info

    @tool(effect="read", resources=RESOURCE)
    def fetch_sales(product_name: str, start_date: date, end_date: date) -> list[WeeklySales]:
        """The recorded weekly sales of a product, oldest first. Weeks may be missing: see find_sales_gaps.

        Args:
            product_name: The product's name.
            start_date: First day; weeks that start in the period count.
            end_date: Last day.
        """
        return shop.sales(product_name, start_date, end_date)

    @tool(effect="read", resources=RESOURCE)
    def find_sales_gaps(product_name: str, start_date: date, end_date: date) -> list[date]:
        """The Mondays of the weeks in which a product was on sale and no sales were recorded.

        Args:
            product_name: The product's name.
            start_date: First day; weeks that start in the period count.
            end_date: Last day.
        """
        return shop.gaps(product_name, start_date, end_date)

    @tool(effect="read", resources=RESOURCE)
    def fetch_campaigns(product_name: str) -> list[CampaignInfo]:
        """All marketing campaigns of a product, past and planned, oldest first.

        Args:
            product_name: The product's name.
        """
        return shop.campaigns(product_name)

    return fetch_top_products, fetch_product_info, fetch_sales, find_sales_gaps, fetch_campaigns


@tool(effect="pure")
def project_sales(
    sales: list[WeeklySales], campaigns: list[CampaignInfo], start_date: date, end_date: date
) -> Projection:
    """Project a product's sales, from fetch_sales of the last 5 years and its campaigns.

    Args:
        sales: Recorded weeks, at least two years of them, as fetch_sales gives them.
        campaigns: Past and planned campaigns, as fetch_campaigns gives them.
        start_date: First day to project; weeks that start in the period count.
        end_date: Last day to project.
    """
    mondays = mondays_between(start_date, end_date)
    if not 1 <= len(mondays) <= MAX_WEEKS_AHEAD:
        raise ModelRetry(
            f"The period from {start_date} to {end_date} holds {len(mondays)} Mondays; "
            f"give one with 1 to {MAX_WEEKS_AHEAD}."
        )
    history = [Week(week["week_start"], week["units"], week["revenue"]) for week in sales]
    spans = [Span(campaign["start_date"], campaign["end_date"]) for campaign in campaigns]
    try:
        forecast = project(history, spans, mondays)
    except ValueError as error:
        raise ModelRetry(f"These sales cannot be projected: {error}. Fetch sales from an earlier day on.") from error
    return {
        "units": round(forecast.units, 1),
        "revenue": round(forecast.revenue, 2),
        "low": round(forecast.low, 2),
        "high": round(forecast.high, 2),
        "campaign_effect": round(forecast.campaign_effect, 3),
        "weeks": [
            {"week_start": start, "units": round(units, 1), "revenue": round(revenue, 2)}
            for start, units, revenue in forecast.weeks
        ],
    }


def _period(period: Period, today: date) -> tuple[date, date]:
    yesterday = today - timedelta(days=1)
    if period == "last_week":
        return last_week(today)
    if period == "last_month":
        return last_month(today)
    if period == "last_year":
        return date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)
    if period == "last_5_years":
        return monday(today) - timedelta(weeks=261), yesterday
    return today, today + timedelta(days=90)
