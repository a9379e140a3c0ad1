"""The typed tools that read and change a `World`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeVar

from pydantic import Field

from agentkit.errors import ModelRetry
from agentkit.toolbox import Tool, Toolbox, tool
from benchmarks.planning.world import (
    CATALOGUE,
    EARNINGS,
    PEOPLE,
    TODAY,
    WEATHER,
    Action,
    Category,
    Earnings,
    Person,
    Product,
    Receipt,
    Weather,
    World,
)

Value = TypeVar("Value")


def planning_tools(world: World) -> Toolbox:
    """The fourteen tools that act on `world`."""
    return Toolbox([*_shop_tools(world), *_general_tools(world), *_office_tools(world)])


def _shop_tools(world: World) -> tuple[Tool, ...]:
    @tool(effect="read", resources="shop")
    def list_products(category: Category) -> list[Product]:
        """The products of a category, with the units sold last week.

        Args:
            category: The category.
        """
        return [{"name": name, "units": units} for name, units, _, _ in CATALOGUE[category]]

    @tool(effect="read", resources="shop")
    def get_price(name: str) -> float:
        """The price of a product in US dollars.

        Args:
            name: The product's name.
        """
        return _find({name: price for rows in CATALOGUE.values() for name, _, price, _ in rows}, name, "product")

    @tool(effect="read", resources="stock")
    def get_stock(name: str) -> int:
        """The units of a product in stock.

        Args:
            name: The product's name.
        """
        return _find(world.stock, name, "product")

    @tool(effect="write", resources="stock")
    def reorder(name: str, units: Annotated[int, Field(ge=1, le=1000)]) -> Receipt:
        """Order units of a product from the supplier.

        Args:
            name: The product's name.
            units: How many units.
        """
        _find(world.stock, name, "product")
        world.stock[name] += units
        return world.record("reorder", name=name, units=units)

    return list_products, get_price, get_stock, reorder


def _general_tools(world: World) -> tuple[Tool, ...]:
    @tool(effect="pure")
    def pounds_to_kilograms(pounds: float) -> float:
        """Convert pounds to kilograms.

        Args:
            pounds: Weight in pounds.
        """
        return pounds * 0.45359237

    @tool(effect="read", resources="clock")
    def get_today() -> date:
        """Today's date."""
        return TODAY

    @tool(effect="read", resources="weather")
    def list_cities() -> list[str]:
        """The cities whose weather is known."""
        return list(WEATHER)

    @tool(effect="read", resources="weather")
    def get_weather(city: str) -> Weather:
        """Today's weather in a city.

        Args:
            city: The city's name.
        """
        return _find(WEATHER, city, "city")

    # A read, because nothing outside changes; the one resource keeps the draws in program order.
    @tool(effect="read", resources="random")
    def next_random() -> int:
        """The next random number, from 1 to 100."""
        return world.draw()

    @tool(effect="pure")
    def is_prime(number: int) -> bool:
        """Whether a number is prime.

        Args:
            number: The number to test.
        """
        return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))

    return pounds_to_kilograms, get_today, list_cities, get_weather, next_random, is_prime


def _office_tools(world: World) -> tuple[Tool, ...]:
    @tool(effect="read", resources="earnings")
    def get_earnings(company: str) -> Earnings:
        """The last quarter's earnings per share of a company, and what was expected.

        Args:
            company: The company's name.
        """
        return _find(EARNINGS, company, "company")

    @tool(effect="write", resources="shares")
    def trade_shares(company: str, action: Action, shares: Annotated[int, Field(ge=1, le=1000)]) -> Receipt:
        """Buy or sell shares of a company.

        Args:
            company: The company's name.
            action: Whether to buy or to sell.
            shares: How many shares.
        """
        _find(EARNINGS, company, "company")
        return world.record("trade_shares", company=company, action=action, shares=shares)

    @tool(effect="read", resources="people")
    def find_person(name: str) -> Person:
        """Look up somebody who works here: name, email address, and the manager's name (empty if there is none).

        Args:
            name: The person's full name.
        """
        return _find(PEOPLE, name, "person")

    @tool(effect="write", resources="mail")
    def send_email(to: str, subject: str, body: str) -> Receipt:
        """Send an email.

        Args:
            to: The recipient's email address.
            subject: The subject line.
            body: The text.
        """
        return world.record("send_email", to=to, subject=subject, body=body)

    return get_earnings, trade_shares, find_person, send_email


def _find(table: dict[str, Value], name: str, kind: str) -> Value:
    if name not in table:
        raise ModelRetry(f"No {kind} is named {name!r}; known are {', '.join(sorted(table))}.")
    return table[name]
