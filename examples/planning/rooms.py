"""Fifty people into thirty rooms: a plan that assigns forty and claims success is caught and mended.

Run it: ``python -m examples.planning.rooms``. The first plan is the mistake that models make with long lists: it
stops early, and its answer says that it did not. The constraint looks at what was done, not at what is claimed.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

from agentkit import Agent, RunResult, Task, tool
from agentkit.constraints import Satisfies
from agentkit.events import Reflected
from agentkit.facts import Facts
from agentkit.protocols import Model
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Tool

PEOPLE = [f"person {number}" for number in range(1, 51)]
BEDS = {f"room {number}": 2 if number <= 20 else 1 for number in range(1, 31)}
"""Twenty rooms with two beds and ten with one."""

FORTY = """\
people = guests()
places = beds()
done = [assign(guest=people[i], room=places[i]) for i in range(40)]
answer(f"All {len(people)} people have a room.")
"""
REST = """\
rest = [assign(guest=people[i], room=places[i]) for i in range(40, 50)]
answer(f"All {len(people)} people have a room.")
"""


class Hotel:
    """The house; it remembers who sleeps where."""

    def __init__(self) -> None:
        self.assigned: list[tuple[str, str]] = []

    def tools(self) -> list[Tool]:
        """What a planner may do."""

        @tool(effect="read", resources="house")
        async def guests() -> list[str]:
            """Everybody who needs a room."""
            return PEOPLE

        @tool(effect="read", resources="house")
        async def beds() -> list[str]:
            """The room of every bed; a room with two beds is there twice."""
            return [room for room, count in BEDS.items() for _ in range(count)]

        @tool(effect="write", resources="house", approval="auto")
        async def assign(guest: str, room: str) -> str:
            """Give a guest a bed in a room.

            Args:
                guest: The guest.
                room: The room.
            """
            self.assigned.append((guest, room))
            return f"{guest} sleeps in {room}"

        return [guests, beds, assign]


def everybody_has_a_room(facts: Facts) -> str:
    """Who is without a bed, or which room is too full; empty if all is well."""
    made = [call["args"] for call in facts.calls["assign"]]
    missing = [person for person in PEOPLE if person not in {one["guest"] for one in made}]
    if missing:
        return f"{len(missing)} of {len(PEOPLE)} people have no room: {missing[0]} to {missing[-1]}"
    full = [room for room, count in Counter(one["room"] for one in made).items() if count > BEDS.get(room, 0)]
    return f"too many people in {', '.join(full)}" if full else ""


TASK = Task("Give each of the 50 people one of the 30 rooms.", [Satisfies(everybody_has_a_room)])


async def assign_rooms(hotel: Hotel, model: str | Model | None = None) -> RunResult:
    """Run the task; without a model, with the two plans above."""
    return await Agent(model or ScriptedModel([FORTY, REST]), tools=hotel.tools()).run(TASK)


def main() -> None:
    """Show what was judged and what was done."""
    hotel = Hotel()
    result = asyncio.run(assign_rooms(hotel, sys.argv[1] if len(sys.argv) > 1 else None))
    for event in result.events:
        if isinstance(event, Reflected):
            print(f"plan {event.number}: {'good' if event.done else event.reason}")
    print(f"{result.status}: {result.output or result.error}")
    print(f"{len(hotel.assigned)} assignments were made, {len(set(hotel.assigned))} of them different")


if __name__ == "__main__":
    main()
