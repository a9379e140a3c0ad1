"""San Francisco to Hanoi, two weeks, at most $5,000: Ho Chi Minh City, or one dollar more, misses the goal.

Run it: ``python -m examples.planning.travel``. The constraints are data; they could stand in a file.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import date

from typing_extensions import TypedDict

from agentkit import Agent, RunResult, Task, tool
from agentkit.events import Reflected
from agentkit.protocols import Model
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Tool


class Flight(TypedDict):
    """A return flight."""

    destination: str
    leaves: date
    returns: date
    price: int


class Stay(TypedDict):
    """A stay in a hotel."""

    city: str
    nights: int
    price: int


TASK = Task.read(
    {
        "goal": "Plan two weeks in Hanoi from San Francisco from 2026-12-01, flight and hotel, for at most $5,000. "
        "Answer with the flight and the hotel as they were found.",
        "constraints": [
            {"kind": "equals", "of": "answer.flight.destination", "value": "Hanoi", "message": "wrong destination"},
            {"kind": "equals", "of": "answer.hotel.city", "value": "Hanoi", "message": "wrong city"},
            {
                "kind": "equals",
                "of": "days_between(answer.flight.leaves, answer.flight.returns)",
                "value": 14,
                "message": "not two weeks",
            },
            {"kind": "budget", "max": 5000, "of": "answer.flight.price + answer.hotel.price"},
            {
                "kind": "satisfies",
                "condition": "answer.flight in [c.value for c in calls.find_flight] "
                "and answer.hotel in [c.value for c in calls.find_hotel]",
                "message": "the flight and the hotel are ones that were found",
            },
        ],
    }
)


def tools(flight_price: int = 1400, hotel_price: int = 257) -> list[Tool]:
    """A travel agency.

    Args:
        flight_price: US dollars of the flight to Hanoi; Ho Chi Minh City is $300 less.
        hotel_price: US dollars a night.
    """

    @tool(effect="read")
    async def find_flight(destination: str, leaves: date, returns: date) -> Flight:
        """The best return flight from San Francisco.

        Args:
            destination: The city.
            leaves: The day of the flight there.
            returns: The day of the flight back.
        """
        price = flight_price - (300 if destination == "Ho Chi Minh City" else 0)
        return Flight(destination=destination, leaves=leaves, returns=returns, price=price)

    @tool(effect="read")
    async def find_hotel(city: str, nights: int) -> Stay:
        """The best hotel.

        Args:
            city: The city.
            nights: How many nights.
        """
        return Stay(city=city, nights=nights, price=nights * hotel_price)

    return [find_flight, find_hotel]


def plan_to(city: str, nights: int = 14) -> str:
    """The plan for a trip to a city."""
    return f"""\
flight = find_flight(destination="{city}", leaves="2026-12-01", returns=add_days("2026-12-01", {nights}))
hotel = find_hotel(city="{city}", nights={nights})
answer({{"flight": flight, "hotel": hotel}})
"""


async def plan_trip(model: str | Model, found: list[Tool] | None = None) -> RunResult:
    """Run the task."""
    return await Agent(model, tools=tools() if found is None else found).run(TASK)


def main() -> None:
    """Show what was judged; without a model, with one plan to the wrong city and one to the right one."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedModel([plan_to("Ho Chi Minh City"), plan_to("Hanoi")])
    result = asyncio.run(plan_trip(model))
    for event in result.events:
        if isinstance(event, Reflected):
            print(f"plan {event.number}: {'good' if event.done else event.reason}")
    print(f"{result.status}: {result.output or result.error}")


if __name__ == "__main__":
    main()
