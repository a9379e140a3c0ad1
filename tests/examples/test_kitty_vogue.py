"""Kitty Vogue's shop, the grading of its answers, and its projection."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentkit.messages import Json
from examples.kitty_vogue import shop
from examples.kitty_vogue.catalogue import CAMPAIGNS, GAPS, PRODUCTS, Product
from examples.kitty_vogue.expected import AnswerKey, is_correct, reference_key
from examples.kitty_vogue.grading import numbers
from examples.kitty_vogue.projection import MIN_WEEKS, Span, Week, project
from examples.kitty_vogue.questions import DEMO, IN_SCOPE, OUT_OF_SCOPE, QUESTIONS
from examples.kitty_vogue.shop import TODAY, build_shop, fill_shop, last_month, last_week, monday

FEDORA = PRODUCTS[0]


@contextmanager
def memory_shop(today: date = TODAY, seed: int = 7) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    try:
        fill_shop(connection, today=today, seed=seed)
        yield connection
    finally:
        connection.close()


@pytest.fixture(scope="module")
def db() -> Iterator[sqlite3.Connection]:
    with memory_shop() as connection:
        yield connection


def dump(seed: int) -> list[str]:
    with memory_shop(seed=seed) as connection:
        return list(connection.iterdump())


class TestShop:
    def test_the_same_day_and_seed_give_the_same_shop(self) -> None:
        assert dump(7) == dump(7)
        assert dump(7) != dump(8)

    def test_building_is_fast(self, tmp_path: Path) -> None:
        started = time.process_time()
        build_shop(tmp_path / "shop.sqlite")
        assert time.process_time() - started < 2

    def test_building_twice_keeps_what_happened_in_between(self, tmp_path: Path) -> None:
        path = build_shop(tmp_path / "deep" / "shop.sqlite")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE products SET stock = 5 WHERE name = 'Fruity Fedora'")
        assert build_shop(path) == path
        assert stock_of_fedora(path) == 5

    def test_fresh_undoes_changes(self, tmp_path: Path) -> None:
        path = build_shop(tmp_path / "shop.sqlite")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM products")
        build_shop(path, fresh=True)
        assert stock_of_fedora(path) == FEDORA.stock

    def test_another_day_or_seed_replaces_the_shop(self, tmp_path: Path) -> None:
        path = build_shop(tmp_path / "shop.sqlite")
        build_shop(path, today=date(2026, 6, 10), seed=3)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT MAX(week_start) FROM weekly_sales").fetchone() == ("2026-06-01",)
        assert list(tmp_path.iterdir()) == [path], "no half-built file is left behind"

    @pytest.mark.parametrize("content", [b"a diary", b""])
    def test_a_file_that_is_not_a_shop_is_never_overwritten(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "diary.txt"
        path.write_bytes(content)
        with pytest.raises(FileExistsError) as error:
            build_shop(path, fresh=True)
        assert (
            str(error.value) == f"{str(path)!r} exists and is not a Kitty Vogue shop; give another path, or remove it."
        )
        assert path.read_bytes() == content

    def test_five_years_of_mondays_end_with_last_week(self, db: sqlite3.Connection) -> None:
        (first, last) = db.execute("SELECT MIN(week_start), MAX(week_start) FROM weekly_sales").fetchone()
        assert (first, last) == ("2021-03-01", "2026-02-23")
        weeks = [date.fromisoformat(week) for (week,) in db.execute("SELECT DISTINCT week_start FROM weekly_sales")]
        assert {week.weekday() for week in weeks} == {0}
        assert len(weeks) == shop.WEEKS

    @pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
    def test_the_missing_weeks_are_exactly_the_documented_ones(self, db: sqlite3.Connection, product: Product) -> None:
        recorded = {
            week
            for (week,) in db.execute(
                "SELECT week_start FROM weekly_sales WHERE product_id = (SELECT id FROM products WHERE name = ?)",
                (product.name,),
            )
        }
        documented = {gap.starts - i for gap in GAPS if gap.product == product.name for i in range(gap.weeks)}
        on_sale = range(min(shop.WEEKS, product.launched), 0, -1)
        missing = {ago for ago in on_sale if (TODAY - timedelta(weeks=ago)).isoformat() not in recorded}
        assert missing == documented
        assert len(recorded) == len(on_sale) - len(missing)

    def test_revenue_is_units_at_the_price_of_the_week(self, db: sqlite3.Connection) -> None:
        wrong = db.execute(
            "SELECT * FROM weekly_sales s WHERE ABS(revenue - units * (SELECT price FROM price_history h WHERE"
            " h.product_id = s.product_id AND h.valid_from <= s.week_start ORDER BY valid_from DESC LIMIT 1)) > 0.006"
            " AND week_start > (SELECT launched FROM products WHERE id = s.product_id)"
        ).fetchall()
        assert wrong == []

    def test_prices_are_distinct_and_end_with_the_current_one(self, db: sqlite3.Connection) -> None:
        prices = [price for (price,) in db.execute("SELECT price FROM products")]
        assert len(set(prices)) == len(prices) == len(PRODUCTS)
        latest = db.execute(
            "SELECT COUNT(*) FROM products p WHERE price = (SELECT price FROM price_history WHERE product_id = p.id"
            " ORDER BY valid_from DESC LIMIT 1)"
        ).fetchone()
        assert latest == (len(PRODUCTS),)

    def test_sunhats_sell_in_summer_and_mittens_in_winter(self, db: sqlite3.Connection) -> None:
        def units(name: str, months: tuple[str, str]) -> int:
            (total,) = db.execute(
                "SELECT SUM(units) FROM weekly_sales WHERE product_id = (SELECT id FROM products WHERE name = ?)"
                " AND strftime('%m', week_start) IN (?, ?) AND week_start BETWEEN '2022-01-01' AND '2025-12-31'",
                (name, *months),
            ).fetchone()
            return int(total)

        assert units("Siamese Sunhat", ("06", "07")) > 2 * units("Siamese Sunhat", ("01", "02"))
        assert units("Meow Mittens", ("01", "02")) > 2 * units("Meow Mittens", ("06", "07"))

    @pytest.mark.parametrize("today", [TODAY, date(2025, 7, 9), date(2025, 12, 31), date(2026, 10, 18)])
    @pytest.mark.parametrize("seed", [1, 2, 7])
    def test_last_week_has_a_clear_best_seller_by_units_and_by_revenue(self, today: date, seed: int) -> None:
        with memory_shop(today, seed) as connection:
            rows = connection.execute(
                "SELECT product_id, units, revenue FROM weekly_sales WHERE week_start = ? ORDER BY units DESC",
                (last_week(today)[0].isoformat(),),
            ).fetchall()
        assert rows[0][1] > 1.15 * rows[1][1]
        assert max(rows, key=lambda row: float(row[2])) == rows[0]

    def test_last_month_has_another_best_seller_than_last_week(self) -> None:
        key = reference_key()
        assert key.is_correct("top_month", "Meow Mittens")
        assert key.is_correct("top3_names", ["Purrfect Poncho", "Meow Mittens", "Bobcat Beanie"])

    def test_campaigns_sell(self, db: sqlite3.Connection) -> None:
        """Weeks under a campaign sell more than the same weeks of the other years, allowing for growth."""
        campaign = next(c for c in CAMPAIGNS if c.name == "Cool Cats Tour")
        start = TODAY - timedelta(weeks=campaign.starts)

        def mean(first: date) -> float:
            (units,) = db.execute(
                "SELECT AVG(units) FROM weekly_sales WHERE product_id = 1 AND week_start >= ? AND week_start < ?",
                (first.isoformat(), (first + timedelta(weeks=campaign.weeks)).isoformat()),
            ).fetchone()
            return float(units)

        quiet = mean(start - timedelta(weeks=5))
        assert mean(start) > 1.3 * quiet

    def test_calendar_helpers(self) -> None:
        assert last_week(date(2026, 3, 2)) == last_week(date(2026, 3, 8)) == (date(2026, 2, 23), date(2026, 3, 1))
        assert last_week(date(2026, 3, 1)) == (date(2026, 2, 16), date(2026, 2, 22))
        assert last_month(date(2024, 3, 31)) == (date(2024, 2, 1), date(2024, 2, 29))
        assert last_month(date(2026, 1, 1)) == (date(2025, 12, 1), date(2025, 12, 31))
        assert monday(date(2026, 3, 1)) == date(2026, 2, 23)


def stock_of_fedora(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT stock FROM products WHERE name = 'Fruity Fedora'").fetchone()[0]


class TestProjection:
    def history(self, db: sqlite3.Connection, product: int) -> tuple[list[Week], list[Span]]:
        weeks = [
            Week(date.fromisoformat(start), units, revenue)
            for start, units, revenue in db.execute(
                "SELECT week_start, units, revenue FROM weekly_sales WHERE product_id = ?", (product,)
            )
        ]
        spans = [
            Span(date.fromisoformat(start), date.fromisoformat(end))
            for start, end in db.execute("SELECT start_date, end_date FROM campaigns WHERE product_id = ?", (product,))
        ]
        return weeks, spans

    @pytest.mark.parametrize("seed", range(1, 6))
    def test_three_months_of_fedoras_come_out_near_what_demand_would_be(self, seed: int) -> None:
        """Missing weeks, a campaign ahead and price changes included, the total is within 12 % of the expectation."""
        with memory_shop(seed=seed) as connection:
            weeks, spans = self.history(connection, 1)
        mondays = [TODAY + timedelta(weeks=i) for i in range(13)]
        truth = sum(shop._demand(FEDORA, day, -i, FEDORA.price) * FEDORA.price for i, day in enumerate(mondays))
        forecast = project(weeks, spans, mondays)
        assert forecast.revenue == pytest.approx(truth, rel=0.12)
        assert forecast.low < forecast.revenue < forecast.high
        assert forecast.campaign_effect == pytest.approx(1.5, abs=0.12)

    def test_campaigns_matter(self, db: sqlite3.Connection) -> None:
        weeks, spans = self.history(db, 1)
        mondays = [TODAY + timedelta(weeks=i) for i in range(13)]
        planned_dropped = [span for span in spans if span.end < TODAY]
        assert project(weeks, planned_dropped, mondays).revenue < 0.93 * project(weeks, spans, mondays).revenue

    def test_a_product_without_campaigns_is_projected_without_their_effect(self, db: sqlite3.Connection) -> None:
        weeks, _ = self.history(db, 5)
        assert project(weeks, [], [TODAY]).campaign_effect == 1.0

    def test_a_perfectly_regular_history_is_continued(self) -> None:
        start = date(2022, 1, 3)
        weeks = [Week(start + timedelta(weeks=i), 100, 250.0) for i in range(150)]
        forecast = project(weeks, [], [start + timedelta(weeks=150), start + timedelta(weeks=151)])
        assert forecast.units == pytest.approx(200)
        assert forecast.revenue == pytest.approx(500)
        assert forecast.low == pytest.approx(500)

    def test_too_little_history_is_refused(self, db: sqlite3.Connection) -> None:
        weeks, spans = self.history(db, 1)
        with pytest.raises(ValueError, match=f"needs at least {MIN_WEEKS} recorded weeks, got 20"):
            project(weeks[:20], spans, [TODAY])
        with pytest.raises(ValueError, match="no recorded week has sales"):
            project([Week(week.start, 0, 0.0) for week in weeks], spans, [TODAY])


RIGHT: list[tuple[str, Json]] = [
    ("best_seller_price", 38.2),
    ("best_seller_price", "$38.20"),
    ("best_seller_price", {"name": "Purrfect Poncho", "price": 38.2}),
    ("best_seller_price", "Last week (2026-02-23 to 2026-03-01) the Purrfect Poncho sold best: $38.20."),
    ("best_seller_price", "The Purrfect Poncho sold 181 units last week and costs 38.20 dollars."),
    ("pounds_to_kilograms", 18.1436948),
    ("pounds_to_kilograms", "40 pounds are about 18.14 kg."),
    ("pounds_to_kilograms", "18.1kg"),
    ("projection", "About $40,900 (likely between $38,000 and $43,000); 11 weeks are missing."),
    ("projection", {"revenue": 40900.5, "low": 38000, "high": 43000}),
    ("top_month", "Meow Mittens"),
    ("top_month", {"name": "Meow Mittens", "units": 494}),
    ("fedora_units", 55),
    ("fedora_units", "55 units of Fruity Fedora were sold in the week of February 23, 2026."),
    ("top3_price", 72.9),
    ("top3_price", "The top 3 cost $38.20, $14.90 and $19.80: $72.90 together."),
    ("cheaper_than_30", False),
    ("cheaper_than_30", "No, it costs $38.20."),
    ("best_seller_category", "The Purrfect Poncho is in the sweaters category."),
    ("fedora_stock", "There are 212 Fruity Fedoras in stock."),
    ("revenue_last_week", "$32,583.75"),
    ("top3_names", "1. Purrfect Poncho 2. Meow Mittens 3. Bobcat Beanie"),
    ("fedora_launched", "2019-06-06"),
    ("fedora_launched", "It was launched on June 6, 2019."),
    ("fedora_missing_weeks", 11),
    ("fedora_gap_dates", ["2025-03-31", "2025-04-07", "2025-04-14"]),
    ("fedora_gap_dates", "The weeks of 31 March 2025, 7 April 2025 and 14 April 2025 are missing."),
    ("fedora_planned", "Spring Fling (April 6 to May 3, 2026)"),
    ("fedora_budget", 27300),
    ("most_expensive", "Tabby Tuxedo"),
    ("price_difference", "The cape costs $64.90 and the fedora $34.50, so $30.40 more."),
    ("lowest_stock", ["Mainecoon Mackintosh"]),
    ("hats_count", "5"),
    ("fedora_revenue_month", 6486.0),
    ("two_best_sellers_price", "2 x $38.20 = $76.40"),
    ("division", 684.9280821917808),
    ("division", "199,999 / 292 = 684.93"),
    ("world_cup", "Sorry, I can only help with questions about the Kitty Vogue shop."),
    ("poem", "I can't help with that; I answer questions about Kitty Vogue's sales."),
    ("capital", "That is outside of what I can answer."),
    ("symptoms", "I’m unable to give medical advice."),
    ("shares", "I cannot advise on shares."),
]

WRONG: list[tuple[str, Json]] = [
    ("best_seller_price", 14.9),
    ("best_seller_price", 38),
    ("best_seller_price", None),
    ("best_seller_price", True),
    ("best_seller_price", "Purrfect Poncho"),
    ("best_seller_price", "$382.0"),
    ("best_seller_price", "38.20 or 14.90"),
    ("best_seller_price", [38.2, 14.9, 19.8]),
    ("best_seller_price", "I can't answer that."),
    ("pounds_to_kilograms", 88.18),
    ("pounds_to_kilograms", 18),
    ("pounds_to_kilograms", 40),
    ("pounds_to_kilograms", "40 pounds"),
    ("projection", "$12,000"),
    ("projection", "It will grow."),
    ("top_month", "Purrfect Poncho"),
    ("top_month", "Either Meow Mittens or Purrfect Poncho"),
    ("fedora_units", 56),
    ("fedora_units", "5.5"),
    ("top3_price", [38.2, 14.9, 19.8]),
    ("cheaper_than_30", True),
    ("cheaper_than_30", "Yes and no."),
    ("cheaper_than_30", 38.2),
    ("best_seller_category", "hats"),
    ("best_seller_category", "Purrfect Poncho"),
    ("top3_names", "Meow Mittens, Purrfect Poncho, Bobcat Beanie"),
    ("top3_names", ["Purrfect Poncho", "Meow Mittens"]),
    ("fedora_launched", "2019-06-05"),
    ("fedora_missing_weeks", 10),
    ("fedora_gap_dates", ["2025-03-31", "2025-04-07"]),
    ("fedora_gap_dates", ["2025-03-31", "2025-04-07", "2025-04-14", "2025-04-21"]),
    ("fedora_planned", ["Spring Fling", "High Summer"]),
    ("price_difference", 99.4),
    ("division", 685.5),
    ("world_cup", "Argentina"),
    ("world_cup", "Sorry, I can only talk about the shop, but Argentina won."),
    ("poem", "Blue and wide it rolls along, singing sailors' evening song."),
    ("capital", ""),
    ("capital", None),
    ("shares", "Purrfect Poncho"),
]


class TestGrading:
    @pytest.mark.parametrize(("question", "output"), RIGHT, ids=str)
    def test_right_answers_pass_in_any_form(self, question: str, output: Json) -> None:
        assert is_correct(question, output)

    @pytest.mark.parametrize(("question", "output"), WRONG, ids=str)
    def test_wrong_answers_fail(self, question: str, output: Json) -> None:
        assert not is_correct(question, output)

    def test_every_question_is_graded_by_id_and_by_text(self) -> None:
        assert {question.id for question in QUESTIONS} == set(reference_key().expected)
        assert {question for question, _ in RIGHT} == {question.id for question in QUESTIONS}
        assert all(
            is_correct(question.text, output) for question in QUESTIONS for id_, output in RIGHT if id_ == question.id
        )
        assert len(IN_SCOPE) >= 15
        assert len(OUT_OF_SCOPE) == 5
        assert set(DEMO) <= set(QUESTIONS)

    def test_an_unknown_question_is_an_error(self) -> None:
        with pytest.raises(KeyError):
            is_correct("What is love?", "42")

    def test_the_truth_follows_the_database(self) -> None:
        with memory_shop() as connection:
            connection.execute("UPDATE products SET price = 12.5 WHERE name = 'Purrfect Poncho'")
            key = AnswerKey(connection)
        assert key.is_correct("best_seller_price", 12.5)
        assert key.is_correct("cheaper_than_30", True)

    def test_the_facts_of_the_projection(self) -> None:
        facts = reference_key().projection
        assert (facts.first_day, facts.last_day) == (date(2026, 3, 2), date(2026, 6, 1))
        assert facts.missing_weeks[0] == date(2022, 5, 30)
        assert facts.overlapping_campaigns == ("Spring Fling",)
        assert len(facts.past_campaigns) == 6
        truth = sum(
            shop._demand(FEDORA, TODAY + timedelta(weeks=i), -i, FEDORA.price) * FEDORA.price for i in range(13)
        )
        assert facts.low < truth < facts.high

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("18.14kg and -3 and −4", [18.14, -3, -4]),
            ("1,234.50 dollars on 2026-02-23, March 3rd, 4 May 2025", [1234.5]),
            ("the 3rd of 7 at .5", [7, 0.5]),
            ("version 1.2.3 of A4", []),
            ("2-3", [2, 3]),
        ],
    )
    def test_numbers_are_found_in_sentences(self, text: str, found: list[float]) -> None:
        assert numbers(text) == found
        assert all(map(math.isfinite, numbers(text)))
