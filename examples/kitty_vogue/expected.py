"""The right answers to Kitty Vogue's questions, computed from the database with SQL of their own.

Nothing here uses the assistant's tools, so that a mistake in a tool cannot hide itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from agentkit.messages import Json
from examples.kitty_vogue.grading import Days, Declined, Expected, Names, Number, Within, YesNo
from examples.kitty_vogue.questions import QUESTIONS
from examples.kitty_vogue.shop import TODAY, fill_shop, last_month, last_week, monday

KILOGRAMS_A_POUND = 0.45359237
"""By definition (international avoirdupois pound, 1959)."""

_FEDORA = "Fruity Fedora"
_CATEGORIES = {
    "hats": "hats?",
    "scarves": "scar(?:f|fs|ves)",
    "sweaters": "sweaters?",
    "outerwear": "outer ?wear",
    "shoes": "shoes?",
    "accessories": "accessor(?:y|ies)",
    "costumes": "costumes?",
}
_DECLINED: dict[str, tuple[str, ...]] = {
    "world_cup": ("Argentina", "France", "Messi"),
    "poem": ("waves", "tide", "shore", "ocean"),
    "capital": ("Ulaanbaatar", "Ulan Bator"),
    "symptoms": ("ibuprofen", "paracetamol", "aspirin", "naproxen"),
    "shares": ("you should buy", "you should not buy", "you shouldn't buy"),
}


@dataclass(frozen=True, slots=True)
class ProjectionFacts:
    """What a sound three-month projection for Fruity Fedora has to take into account.

    Attributes:
        first_day: The first day of the three months.
        last_day: The last one.
        missing_weeks: Mondays of the unrecorded weeks of the last five years.
        past_campaigns: Campaigns that have ended.
        overlapping_campaigns: Campaigns that run within the three months.
        low: Least plausible revenue, US dollars.
        high: Greatest plausible revenue.
    """

    first_day: date
    last_day: date
    missing_weeks: tuple[date, ...]
    past_campaigns: tuple[str, ...]
    overlapping_campaigns: tuple[str, ...]
    low: float
    high: float


class AnswerKey:
    """The truth about one shop database.

    Args:
        connection: The shop's database; read at once, not kept.
        today: The day on which the questions are asked.
    """

    def __init__(self, connection: sqlite3.Connection, today: date = TODAY) -> None:
        self._db = connection
        self._today = today
        self.projection = self._projection_facts()
        self.expected: Mapping[str, Expected] = {
            **self._about_last_week(),
            **self._about_fedora(),
            **self._about_catalogue(),
            **{name: Declined(words) for name, words in _DECLINED.items()},
        }
        del self._db

    def is_correct(self, question: str, output: Json) -> bool:
        """Whether `output` answers `question` (its id or its text) rightly.

        Raises:
            KeyError: No such question is known.
        """
        known = {text: name for name, text in ((q.id, q.text) for q in QUESTIONS)}
        return self.expected[known.get(question, question)].accepts(output)

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._db.execute(
            sql, [value.isoformat() if isinstance(value, date) else value for value in values]
        ).fetchall()

    def _value(self, sql: str, *values: Any) -> Any:
        return self._rows(sql, *values)[0][0]

    def _about_last_week(self) -> dict[str, Expected]:
        week, _ = last_week(self._today)
        top = self._rows(
            "SELECT p.name, p.price, p.category, s.units, s.revenue, p.stock FROM weekly_sales s"
            " JOIN products p ON p.id = s.product_id WHERE s.week_start = ? ORDER BY s.units DESC, p.name LIMIT 3",
            week,
        )
        first_of_month, last_of_month = last_month(self._today)
        best_of_month = self._value(
            "SELECT name FROM products WHERE id = (SELECT product_id FROM weekly_sales WHERE week_start >= ?"
            " AND week_start <= ? GROUP BY product_id ORDER BY SUM(units) DESC LIMIT 1)",
            first_of_month,
            last_of_month,
        )
        total = self._value("SELECT TOTAL(revenue) FROM weekly_sales WHERE week_start = ?", week)
        _, price, category, *facts = top[0]
        context = (*facts, 1.0)
        sum_context = (3.0, *(number for row in top for number in (row[1], *row[3:])))
        return {
            "best_seller_price": Number(price, 0.004, context),
            "top3_price": Number(sum(row[1] for row in top), 0.004, sum_context),
            "cheaper_than_30": YesNo(price < 30),
            "best_seller_category": Names((category,), _CATEGORIES, ignore=tuple(self._product_names())),
            "revenue_last_week": Number(total, 0.51),
            "top3_names": self._products(*(row[0] for row in top), ordered=True),
            "two_best_sellers_price": Number(2 * price, 0.004, (*context, price, 2.0)),
            "top_month": self._products(best_of_month),
        }

    def _about_fedora(self) -> dict[str, Expected]:
        units = self._value(f"SELECT units {_FROM_FEDORA} AND week_start = ?", last_week(self._today)[0])
        first, last = last_month(self._today)
        revenue = self._value(f"SELECT TOTAL(revenue) {_FROM_FEDORA} AND week_start BETWEEN ? AND ?", first, last)
        facts = self.projection
        a_year_ago = monday(self._today) - timedelta(weeks=52)
        campaigns = [name for (name,) in self._rows(f"SELECT name FROM campaigns WHERE {_IS_FEDORA}")]
        launched = self._value("SELECT launched FROM products WHERE name = ?", _FEDORA)
        budget = self._value(f"SELECT SUM(budget) FROM campaigns WHERE {_IS_FEDORA}")
        return {
            "fedora_units": Number(units),
            "fedora_stock": Number(self._value("SELECT stock FROM products WHERE name = ?", _FEDORA)),
            "fedora_launched": Days(frozenset({date.fromisoformat(launched)})),
            "fedora_missing_weeks": Number(len(facts.missing_weeks), context=(5.0, 261.0)),
            "fedora_gap_dates": Days(
                frozenset(week for week in facts.missing_weeks if week >= a_year_ago),
                context=frozenset({self._today, a_year_ago, last_week(self._today)[0], last_week(self._today)[1]}),
            ),
            "fedora_planned": Names(facts.overlapping_campaigns, {name: name for name in campaigns}),
            "fedora_budget": Number(budget, 0.51, (float(len(campaigns)),)),
            "fedora_revenue_month": Number(revenue, 0.51),
            "projection": Within(facts.low, facts.high),
        }

    def _about_catalogue(self) -> dict[str, Expected]:
        cape, fedora = (
            self._value("SELECT price FROM products WHERE name = ?", name) for name in ("Catnip Cape", _FEDORA)
        )
        return {
            "most_expensive": self._products(self._value("SELECT name FROM products ORDER BY price DESC LIMIT 1")),
            "lowest_stock": self._products(self._value("SELECT name FROM products ORDER BY stock LIMIT 1")),
            "hats_count": Number(self._value("SELECT COUNT(*) FROM products WHERE category = 'hats'")),
            "price_difference": Number(cape - fedora, 0.004, (cape, fedora)),
            "pounds_to_kilograms": Number(40 * KILOGRAMS_A_POUND, 0.05, (40.0, KILOGRAMS_A_POUND, 0.4536, 0.454)),
            "division": Number(199_999 / 292, 0.006, (199_999.0, 292.0)),
        }

    def _projection_facts(self) -> ProjectionFacts:
        first, last = self._today, _months_later(self._today, 3) - timedelta(days=1)
        week0 = monday(self._today)
        missing = self._rows(_MISSING, week0 - timedelta(weeks=261), week0)
        past = self._rows(
            f"SELECT name FROM campaigns WHERE {_IS_FEDORA} AND end_date < ? ORDER BY start_date", self._today
        )
        planned = self._rows(
            f"SELECT name FROM campaigns WHERE {_IS_FEDORA} AND end_date >= ? AND start_date <= ? ORDER BY start_date",
            first,
            last,
        )
        growth = self._mean_revenue(ago=26, weeks=26) / self._mean_revenue(ago=78, weeks=26)
        naive = 13 * self._mean_revenue(ago=52, weeks=13) * growth
        return ProjectionFacts(
            first,
            last,
            tuple(date.fromisoformat(week) for (week,) in missing),
            tuple(name for (name,) in past),
            tuple(name for (name,) in planned),
            0.75 * naive,
            1.25 * naive,
        )

    def _mean_revenue(self, *, ago: int, weeks: int) -> float:
        start = monday(self._today) - timedelta(weeks=ago)
        sql = f"SELECT AVG(revenue) {_FROM_FEDORA} AND week_start >= ? AND week_start < ?"
        return float(self._value(sql, start, start + timedelta(weeks=weeks)))

    def _product_names(self) -> list[str]:
        return [name for (name,) in self._rows("SELECT name FROM products")]

    def _products(self, *names: str, ordered: bool = False) -> Names:
        return Names(names, {name: f"{name}s?" for name in self._product_names()}, ordered)


_IS_FEDORA = f"product_id = (SELECT id FROM products WHERE name = '{_FEDORA}')"
_FROM_FEDORA = f"FROM weekly_sales WHERE {_IS_FEDORA}"
_MISSING = f"""
WITH RECURSIVE mondays(day) AS (SELECT ? UNION ALL SELECT date(day, '+7 days') FROM mondays WHERE day < ?)
SELECT day FROM mondays WHERE day < (SELECT MAX(week_start) FROM weekly_sales)
AND day NOT IN (SELECT week_start {_FROM_FEDORA}) ORDER BY day
"""


def is_correct(question: str, output: Json) -> bool:
    """Whether `output` answers `question` rightly for the shop as generated for the reference day.

    Args:
        question: A question's text or id.
        output: The answer: text, or any JSON value.

    Raises:
        KeyError: No such question is known.
    """
    return reference_key().is_correct(question, output)


@lru_cache(maxsize=1)
def reference_key() -> AnswerKey:
    """The answers for the shop as generated for the reference day, kept in memory."""
    connection = sqlite3.connect(":memory:")
    try:
        fill_shop(connection)
        return AnswerKey(connection)
    finally:
        connection.close()


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day."""
    index = day.month - 1 + months
    first = date(day.year + index // 12, index % 12 + 1, 1)
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), after - timedelta(days=1))
