"""The named cases of planning under constraints."""

from __future__ import annotations

import pytest

from agentkit.events import Reflected
from agentkit.results import RunResult
from agentkit.testing import ScriptedModel
from examples.planning import rooms, travel


def judged(result: RunResult) -> list[tuple[bool, str]]:
    return [(event.done, event.reason) for event in result.events if isinstance(event, Reflected)]


async def test_a_plan_that_assigns_forty_of_fifty_and_claims_success_is_caught_and_mended() -> None:
    hotel = rooms.Hotel()
    result = await rooms.assign_rooms(hotel)
    assert judged(result) == [(False, "10 of 50 people have no room: person 41 to person 50"), (True, "")]
    assert (result.status, result.output) == ("done", "All 50 people have a room.")
    assert len(hotel.assigned) == 50
    assert {guest for guest, _ in hotel.assigned} == set(rooms.PEOPLE)


async def test_a_second_plan_that_assigns_all_fifty_again_does_ten_assignments() -> None:
    hotel = rooms.Hotel()
    everybody = rooms.FORTY.replace("range(40)", "range(50)")
    result = await rooms.assign_rooms(hotel, ScriptedModel([rooms.FORTY, everybody]))
    assert result.status == "done"
    assert len(hotel.assigned) == 50


async def test_too_many_people_in_one_room_are_caught_too() -> None:
    hotel = rooms.Hotel()
    crowded = rooms.FORTY.replace("range(40)", "range(50)").replace("places[i]", "places[0]")
    result = await rooms.assign_rooms(hotel, ScriptedModel([crowded] * 3))
    assert (result.status, result.output) == ("failed", None)
    assert result.error.startswith("too many people in room 1; done so far: people, places")


@pytest.mark.parametrize(
    ("city", "nights", "reason"),
    [
        ("Hanoi", 14, ""),
        ("Ho Chi Minh City", 14, "wrong destination: answer.flight.destination is 'Ho Chi Minh City', not 'Hanoi'"),
        ("Hanoi", 13, "not two weeks: days_between(answer.flight.leaves, answer.flight.returns) is 13, not 14"),
    ],
)
async def test_a_trip_that_misses_the_goal_is_refused(city: str, nights: int, reason: str) -> None:
    model = ScriptedModel([travel.plan_to(city, nights)] * 3)
    result = await travel.plan_trip(model, travel.tools())
    [(done, told), *_] = judged(result)
    assert done == (not reason)
    assert told.startswith(reason)


@pytest.mark.parametrize(("total", "passes"), [(4_999, True), (5_000, True), (5_001, False)])
async def test_one_dollar_over_the_budget_is_a_goal_failure(total: int, passes: bool) -> None:
    model = ScriptedModel([travel.plan_to("Hanoi")] * 3)
    result = await travel.plan_trip(model, travel.tools(total - 14 * 250, 250))
    assert result.status == ("done" if passes else "failed")
    if not passes:
        assert judged(result)[0][1] == ("answer.flight.price + answer.hotel.price is 5,001, and the budget is 5,000")


async def test_an_itinerary_that_was_made_up_is_refused_before_it_runs() -> None:
    invented = """\
answer({"flight": {"destination": "Hanoi", "leaves": "2026-12-01", "returns": "2026-12-15", "price": 9000},
        "hotel": {"city": "Hanoi", "nights": 14, "price": 1}})
"""
    model = ScriptedModel([invented, travel.plan_to("Hanoi")])
    result = await travel.plan_trip(model)
    assert result.status == "done"
    assert (
        "AK701 at answer: answer.flight.price + answer.hotel.price is 9,001" in model.requests[1].messages[-1].content
    )


async def test_an_answer_that_is_not_what_was_found_is_caught_at_the_end() -> None:
    cheaper = travel.plan_to("Hanoi").replace('"hotel": hotel', '"hotel": {"city": "Hanoi", "nights": 14, "price": 1}')
    result = await travel.plan_trip(ScriptedModel([cheaper, travel.plan_to("Hanoi")]))
    assert judged(result) == [
        (False, "it does not hold that the flight and the hotel are ones that were found"),
        (True, ""),
    ]
