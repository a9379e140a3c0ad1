"""What the shop's database says, as records: products, sales, gaps and campaigns."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from agentkit.errors import ModelRetry
from examples.kitty_vogue.shop import last_week, monday


class TopProduct(TypedDict):
    """A product with its sales in a period; revenue in US dollars."""

    name: str
    units: int
    revenue: float


class ProductInfo(TypedDict):
    """A product; price in US dollars, stock in units."""

    name: str
    category: str
    price: float
    stock: int
    launched: date


class WeeklySales(TypedDict):
    """A recorded week: its Monday, units sold, revenue in US dollars."""

    week_start: date
    units: int
    revenue: float


class CampaignInfo(TypedDict):
    """A marketing campaign, past or planned; budget in US dollars."""

    name: str
    start_date: date
    end_date: date
    budget: float
    channel: str


class ShopReader:
    """Read-only access to a shop; a connection a question, so that threads do not share one.

    What cannot be answered is a `ModelRetry` that says what to ask instead.

    Args:
        path: The database.
        today: The day that counts as today.
    """

    def __init__(self, path: Path, today: date) -> None:
        self._uri = f"{path.resolve().as_uri()}?mode=ro"
        self._today = today

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        bound = [value.isoformat() if isinstance(value, date) else value for value in values]
        with closing(sqlite3.connect(self._uri, uri=True)) as connection:
            return connection.execute(sql, bound).fetchall()

    def top_products(self, start: date, end: date, count: int) -> list[TopProduct]:
        """The `count` products with the most units in the weeks that start in the period, best first."""
        _check_order(start, end)
        rows = self.rows(
            "SELECT p.name, SUM(s.units), ROUND(SUM(s.revenue), 2) FROM weekly_sales s JOIN products p"
            " ON p.id = s.product_id WHERE s.week_start BETWEEN ? AND ? GROUP BY p.id"
            " ORDER BY SUM(s.units) DESC, SUM(s.revenue) DESC, p.name LIMIT ?",
            start,
            end,
            count,
        )
        if not rows:
            first, last = self.rows("SELECT MIN(week_start), MAX(week_start) FROM weekly_sales")[0]
            raise ModelRetry(
                f"No week with sales starts between {start} and {end}; there are weeks that start "
                f"on Mondays from {first} to {last}."
            )
        return [{"name": name, "units": units, "revenue": revenue} for name, units, revenue in rows]

    def product(self, name: str) -> tuple[int, ProductInfo]:
        """A product and its number, by name in any case and spacing."""
        wanted = " ".join(name.split()).casefold()
        known: dict[str, str] = {}
        for number, known_name, category, price, stock, launched in self.rows(
            "SELECT id, name, category, price, stock, launched FROM products ORDER BY id"
        ):
            known[known_name.casefold()] = known_name
            if known_name.casefold() == wanted:
                return number, {
                    "name": known_name,
                    "category": category,
                    "price": price,
                    "stock": stock,
                    "launched": date.fromisoformat(launched),
                }
        close = difflib.get_close_matches(wanted, known, n=3)
        if close:
            raise ModelRetry(f"No product is named {name!r}. Did you mean {_either(known[match] for match in close)}?")
        raise ModelRetry(f"No product is named {name!r}. The products are: {', '.join(known.values())}.")

    def sales(self, name: str, start: date, end: date) -> list[WeeklySales]:
        """The recorded weeks of a product that start in the period, oldest first."""
        _check_order(start, end)
        number, _ = self.product(name)
        rows = self.rows(
            "SELECT week_start, units, revenue FROM weekly_sales WHERE product_id = ? AND week_start BETWEEN ? AND ?"
            " ORDER BY week_start",
            number,
            start,
            end,
        )
        return [
            {"week_start": date.fromisoformat(week), "units": units, "revenue": revenue}
            for week, units, revenue in rows
        ]

    def gaps(self, name: str, start: date, end: date) -> list[date]:
        """The Mondays in the period whose week has no record although the product was on sale."""
        recorded = {week["week_start"] for week in self.sales(name, start, end)}
        _, info = self.product(name)
        (first,) = self.rows("SELECT MIN(week_start) FROM weekly_sales")[0]
        begin = max(start, monday(info["launched"]), date.fromisoformat(first))
        return [day for day in mondays_between(begin, min(end, last_week(self._today)[0])) if day not in recorded]

    def campaigns(self, name: str) -> list[CampaignInfo]:
        """All campaigns of a product, oldest first."""
        number, _ = self.product(name)
        rows = self.rows(
            "SELECT name, start_date, end_date, budget, channel FROM campaigns WHERE product_id = ?"
            " ORDER BY start_date",
            number,
        )
        return [
            {
                "name": title,
                "start_date": date.fromisoformat(start),
                "end_date": date.fromisoformat(end),
                "budget": budget,
                "channel": channel,
            }
            for title, start, end, budget, channel in rows
        ]


def _check_order(start: date, end: date) -> None:
    if start > end:
        raise ModelRetry(f"start_date {start} is after end_date {end}; exchange them.")


def mondays_between(start: date, end: date) -> list[date]:
    """The Mondays of a period, both ends included."""
    first = start + timedelta(days=-start.weekday() % 7)
    return [first + timedelta(weeks=i) for i in range(max(0, (end - first).days // 7 + 1))]


def _either(names: Iterable[str]) -> str:
    return " or ".join(repr(name) for name in names)
