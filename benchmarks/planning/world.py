"""A small deterministic world in memory: a shop, a stock exchange, an office, the weather, random numbers.

One `World` is one run: build a new one for each plan, then look at what it recorded in `World.effects`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from typing_extensions import TypedDict

from agentkit.messages import Json

TODAY = date(2026, 3, 2)
"""The day on which every task is asked: a Monday."""

DRAWS = (15, 22, 9, 50, 17, 34, 6, 41, 8, 23, 90, 12, 77, 5, 64, 29)
"""What `next_random` returns, in order and then again from the start; the first prime is the fifth number."""

Category = Literal["hats", "shoes", "toys"]
Action = Literal["buy", "sell"]


class Product(TypedDict):
    """A product with the units sold last week."""

    name: str
    units: int


class Weather(TypedDict):
    """Today's weather in a city, in degrees Celsius."""

    city: str
    celsius: float
    rain: bool


class Earnings(TypedDict):
    """Earnings per share of the last quarter, and what analysts had expected, in US dollars."""

    eps: float
    expected_eps: float


class Person(TypedDict):
    """Somebody who works here; `manager` is a name, empty for the head of the company."""

    name: str
    email: str
    manager: str


class Receipt(TypedDict):
    """Proof that something was done, numbered from 1."""

    number: int


@dataclass(frozen=True, slots=True)
class Effect:
    """A side effect as it was recorded: which tool did it, with which arguments."""

    tool: str
    args: dict[str, Json]


CATALOGUE: dict[Category, tuple[tuple[str, int, float, int], ...]] = {
    "hats": (("Fedora", 12, 34.5, 4), ("Beret", 3, 27.9, 0), ("Beanie", 9, 19.8, 25)),
    "shoes": (("Boots", 5, 43.6, 7), ("Slippers", 8, 29.3, 2), ("Heels", 2, 57.7, 11)),
    "toys": (("Feather Wand", 20, 6.5, 60), ("Laser Dot", 14, 11.25, 3), ("Catnip Ball", 31, 4.2, 0)),
}
"""By category: name, units sold last week, price in US dollars, units in stock."""

WEATHER: dict[str, Weather] = {
    "Hanoi": {"city": "Hanoi", "celsius": 31.0, "rain": True},
    "Oslo": {"city": "Oslo", "celsius": -3.5, "rain": False},
    "Lima": {"city": "Lima", "celsius": 22.5, "rain": False},
    "Cairo": {"city": "Cairo", "celsius": 35.0, "rain": False},
    "London": {"city": "London", "celsius": 11.0, "rain": True},
}

EARNINGS: dict[str, Earnings] = {
    "NVIDIA": {"eps": 5.2, "expected_eps": 4.9},
    "Intel": {"eps": 0.1, "expected_eps": 0.3},
    "Apple": {"eps": 2.4, "expected_eps": 2.1},
    "Tesla": {"eps": 0.5, "expected_eps": 0.8},
}

PEOPLE: dict[str, Person] = {
    "Ann Lee": {"name": "Ann Lee", "email": "ann@shop.example", "manager": "Bo Chen"},
    "Bo Chen": {"name": "Bo Chen", "email": "bo@shop.example", "manager": "Cy Diaz"},
    "Cy Diaz": {"name": "Cy Diaz", "email": "cy@shop.example", "manager": ""},
    "Di Evans": {"name": "Di Evans", "email": "di@shop.example", "manager": "Cy Diaz"},
}


class World:
    """The state of one run.

    Attributes:
        effects: What write tools did, in order.
    """

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.stock = {name: stock for rows in CATALOGUE.values() for name, _, _, stock in rows}
        self._drawn = 0

    def draw(self) -> int:
        """The next random number."""
        self._drawn += 1
        return DRAWS[(self._drawn - 1) % len(DRAWS)]

    def record(self, tool_name: str, /, **args: Json) -> Receipt:
        """Note a side effect."""
        self.effects.append(Effect(tool_name, args))
        return {"number": len(self.effects)}
