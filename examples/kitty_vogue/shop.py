"""The Kitty Vogue shop as a SQLite database: products, price history, five years of weekly sales, campaigns.

Everything is generated from a seed, so that the same day and seed always give the same rows. Sales follow a trend, a
yearly season, the Christmas rush, the price and the campaigns, with noise. Some weeks were never recorded: they are
listed with their reasons in `catalogue.GAPS` and are simply absent from the table ``weekly_sales``, as they would be
in a real shop; finding them is the assistant's business.
"""

from __future__ import annotations

import math
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

from examples.kitty_vogue.catalogue import CAMPAIGNS, GAPS, PRODUCTS, Product

TODAY = date(2026, 3, 2)
"""The reference day of the example: a Monday, so that last week is 23 February to 1 March 2026."""

WEEKS = 261
"""Weeks of sales before the reference week: five years."""

SCHEMA = """\
CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  category TEXT NOT NULL,
  price REAL NOT NULL,         -- today's price, US dollars
  launched TEXT NOT NULL,      -- date, YYYY-MM-DD
  stock INTEGER NOT NULL       -- units
);
CREATE TABLE price_history (
  product_id INTEGER NOT NULL REFERENCES products(id),
  valid_from TEXT NOT NULL,    -- date, YYYY-MM-DD
  price REAL NOT NULL,         -- US dollars
  PRIMARY KEY (product_id, valid_from)
);
CREATE TABLE weekly_sales (
  product_id INTEGER NOT NULL REFERENCES products(id),
  week_start TEXT NOT NULL,    -- the week's Monday, YYYY-MM-DD
  units INTEGER NOT NULL,
  revenue REAL NOT NULL,       -- US dollars
  PRIMARY KEY (product_id, week_start)
);
CREATE TABLE campaigns (
  id INTEGER PRIMARY KEY,
  product_id INTEGER NOT NULL REFERENCES products(id),
  name TEXT NOT NULL,
  start_date TEXT NOT NULL,    -- first day, YYYY-MM-DD
  end_date TEXT NOT NULL,      -- last day, YYYY-MM-DD
  budget REAL NOT NULL,        -- US dollars
  channel TEXT NOT NULL        -- email, social, influencer or print
);
"""

_VERSION = 1
_NOISE = 0.08
_ELASTICITY = -0.8
_CHRISTMAS = 1.45


def monday(day: date) -> date:
    """The Monday of the week that contains `day`."""
    return day - timedelta(days=day.weekday())


def last_week(today: date = TODAY) -> tuple[date, date]:
    """Monday and Sunday of the week before the one that contains `today`."""
    start = monday(today) - timedelta(weeks=1)
    return start, start + timedelta(days=6)


def last_month(today: date = TODAY) -> tuple[date, date]:
    """First and last day of the month before the one that contains `today`."""
    end = today.replace(day=1) - timedelta(days=1)
    return end.replace(day=1), end


def build_shop(path: str | Path, *, today: date = TODAY, seed: int = 7, fresh: bool = False) -> Path:
    """Write the shop's database, unless it is there already.

    A database of the same day and seed is left as it is, changes made since included; one of another day or seed is
    replaced. The file appears complete or not at all.

    Args:
        path: Where the database goes; missing folders are made.
        today: The reference day. Sales end with the week before it.
        seed: Seed of the noise in the sales.
        fresh: Rebuild even if the database is there, which undoes changes made to it.

    Returns:
        The path of the database.

    Raises:
        FileExistsError: Something else than a shop is at `path`; it is not touched.
    """
    target = Path(path)
    stamp = zlib.crc32(f"kitty-vogue/{_VERSION}/{today.isoformat()}/{seed}".encode()) & 0x7FFFFFFF
    if target.exists() and _stamp_of(target) == stamp and not fresh:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
    os.close(handle)
    try:
        connection = sqlite3.connect(name)
        try:
            fill_shop(connection, today=today, seed=seed)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {stamp}")
        finally:
            connection.close()
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
    return target


def fill_shop(connection: sqlite3.Connection, *, today: date = TODAY, seed: int = 7) -> None:
    """Create the shop's tables and rows in an empty database.

    Args:
        connection: Where to; committed at the end.
        today: The reference day. Sales end with the week before it.
        seed: Seed of the noise in the sales.
    """
    week0 = monday(today)
    connection.executescript(SCHEMA)
    for number, product in enumerate(PRODUCTS, start=1):
        launched = week0 - timedelta(weeks=product.launched) + timedelta(days=3)
        connection.execute(
            "INSERT INTO products VALUES (?, ?, ?, ?, ?, ?)",
            (number, product.name, product.category, product.price, launched.isoformat(), product.stock),
        )
        connection.executemany(
            "INSERT INTO price_history VALUES (?, ?, ?)",
            [(number, max(launched, week0 - timedelta(weeks=ago)).isoformat(), price) for ago, price in product.prices],
        )
        connection.executemany(
            "INSERT INTO weekly_sales VALUES (?, ?, ?, ?)",
            [(number, week.isoformat(), units, revenue) for week, units, revenue in _sales(product, week0, seed)],
        )
    connection.executemany("INSERT INTO campaigns VALUES (?, ?, ?, ?, ?, ?, ?)", _campaign_rows(week0))
    connection.commit()


_APPLICATION_ID = 0x4B495454  # "KITT"


def _stamp_of(path: Path) -> int:
    """The stamp of the shop at `path`; raises FileExistsError if something else is there."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (stamp,) = connection.execute("PRAGMA user_version").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        application, stamp = 0, 0
    if application != _APPLICATION_ID:
        raise FileExistsError(f"{str(path)!r} exists and is not a Kitty Vogue shop; give another path, or remove it.")
    return int(stamp)


def _sales(product: Product, week0: date, seed: int) -> Iterator[tuple[date, int, float]]:
    noise = Random(f"{seed}/{product.name}")
    missing = {gap.starts - i for gap in GAPS if gap.product == product.name for i in range(gap.weeks)}
    for ago in range(WEEKS, 0, -1):
        # Drawn for every week, so that a gap or a later launch does not shift the noise of the other weeks.
        wobble = math.exp(_NOISE * _standard_normal(noise))
        if ago > product.launched or ago in missing:
            continue
        week = week0 - timedelta(weeks=ago)
        price = [price for since, price in product.prices if since >= ago][-1]
        units = max(0, round(_demand(product, week, ago, price) * wobble))
        yield week, units, round(units * price, 2)


def _demand(product: Product, week: date, ago: int, price: float) -> float:
    """Expected units of a week: trend x season x Christmas x price x campaigns."""
    number = week.isocalendar().week
    trend = math.exp(product.growth * (WEEKS - ago) / 52.18)
    season = math.exp(product.swing * math.cos(2 * math.pi * (number - product.peak) / 52.18))
    christmas = _CHRISTMAS if 49 <= number <= 51 else 1.0
    elasticity = float((price / product.prices[0][1]) ** _ELASTICITY)
    lift = math.prod(
        campaign.lift
        for campaign in CAMPAIGNS
        if campaign.product == product.name and campaign.starts - campaign.weeks < ago <= campaign.starts
    )
    return product.weekly * trend * season * christmas * elasticity * lift


def _standard_normal(random: Random) -> float:
    """Box-Muller, written out because only `Random.random` is promised to stay the same between Python versions."""
    return math.sqrt(-2.0 * math.log(1.0 - random.random())) * math.cos(2.0 * math.pi * random.random())


def _campaign_rows(week0: date) -> list[tuple[int, int, str, str, str, float, str]]:
    numbers = {product.name: number for number, product in enumerate(PRODUCTS, start=1)}
    rows = []
    for number, plan in enumerate(sorted(CAMPAIGNS, key=lambda campaign: -campaign.starts), start=1):
        start = week0 - timedelta(weeks=plan.starts)
        days = start.isoformat(), (start + timedelta(weeks=plan.weeks, days=-1)).isoformat()
        rows.append((number, numbers[plan.product], plan.name, *days, plan.budget, plan.channel))
    return rows
