"""What the planner comparison accepts as the right answer and the right side effects."""

from __future__ import annotations

import pytest

from agentkit.messages import Json
from benchmarks.planning.checking import Unordered, Wanted, answer_matches, effects_match
from benchmarks.planning.world import DRAWS, Effect, World

CHEAPER = "Which is cheaper, the Heels or the Boots?"
UMBRELLA = 'If it rains in London today answer "umbrella", otherwise answer "sunglasses".'


@pytest.mark.parametrize(
    ("expected", "given", "request_text"),
    [
        (18.1436948, 18.14, ""),
        (18.1436948, "40 pounds are 18.14 kg", "How many kilograms are 40 pounds?"),
        (18.1436948, [18.1436948], ""),
        (7, {"stock": 7}, ""),
        (7, 7.0, ""),
        (495.0, "$495.00", ""),
        (-3.5, "It is -3.5 degrees", ""),
        (False, False, ""),
        (False, "No, it is not.", ""),
        ("Boots", "Boots", CHEAPER),
        ("Boots", "the boots are cheaper", CHEAPER),
        ("umbrella", "Take an umbrella", UMBRELLA),
        ("2026-03-12", "It is 2026-03-12.", "Which date is 10 days from today?"),
        ("bo@shop.example", "Ann Lee's manager: bo@shop.example", ""),
        ([13.60777, "2026-03-09"], [13.60777, "2026-03-09"], ""),
        ([13.60777, "2026-03-09"], {"date": "2026-03-09", "kilograms": 13.61}, ""),
        ([13.60777, "2026-03-09"], "13.61 kg, and 2026-03-09", ""),
        (Unordered(("Hanoi", "London")), ["London", "Hanoi"], ""),
        (Unordered(("Hanoi", "London")), "It rains in London and Hanoi.", ""),
        (Unordered((53, 59)), [59, 53], ""),
    ],
)
def test_right_answers_pass_in_any_form(expected: Json | Unordered, given: Json, request_text: str) -> None:
    assert answer_matches(expected, given, request=request_text)


@pytest.mark.parametrize(
    ("expected", "given", "request_text"),
    [
        (18.1436948, 18.2, ""),
        (18.1436948, 40, ""),
        (18.1436948, "40 pounds", "How many kilograms are 40 pounds?"),
        (18.1436948, "18.14 or 88.18", ""),
        (18.1436948, None, ""),
        (1, True, ""),
        (7, [7, 8], ""),
        (7, "seven", ""),
        (False, 0, ""),
        (False, True, ""),
        (False, "Yes and no", ""),
        (False, None, ""),
        ("Boots", "Heels", CHEAPER),
        ("Boots", "Boots or Heels", CHEAPER),
        ("umbrella", "umbrella or sunglasses", UMBRELLA),
        ("Boots", 7, ""),
        ([13.60777, "2026-03-09"], ["2026-03-09", 13.60777], ""),
        ([13.60777, "2026-03-09"], [13.60777], ""),
        ([13.60777, "2026-03-09"], "13.61", ""),
        (Unordered(("Hanoi", "London")), ["London"], ""),
        (Unordered(("Hanoi", "London")), ["London", "London"], ""),
        (Unordered(("Hanoi", "London")), ["London", "Hanoi", "Lima"], ""),
        (Unordered(("Hanoi", "London")), "London, Hanoi, Lima", ""),
        (Unordered((53, 59)), "51, 53 and 59", ""),
    ],
)
def test_wrong_answers_fail(expected: Json | Unordered, given: Json, request_text: str) -> None:
    assert not answer_matches(expected, given, request=request_text)


def email(to: str, body: str) -> Effect:
    return Effect("send_email", {"to": to, "subject": "News", "body": body})


def test_effects_match_in_any_order_and_wording() -> None:
    wanted = [Wanted("send_email", {"to": "a"}, ("57.7",)), Wanted("reorder", {"name": "Boots", "units": 12})]
    happened = [Effect("reorder", {"name": "Boots", "units": 12}), email("a", "They cost 57.7 dollars")]
    assert effects_match(wanted, happened)
    assert effects_match([], [])


@pytest.mark.parametrize(
    "happened",
    [
        [],
        [email("b", "57.7")],
        [email("a", "no price")],
        [email("a", "57.7"), email("a", "57.7")],
        [Effect("reorder", {"to": "a", "body": "57.7"})],
    ],
)
def test_missing_other_and_surplus_effects_fail(happened: list[Effect]) -> None:
    assert not effects_match([Wanted("send_email", {"to": "a"}, ("57.7",))], happened)


def test_one_effect_cannot_stand_for_two() -> None:
    wanted = [Wanted("send_email", mentions=("x",)), Wanted("send_email", mentions=("y",))]
    assert effects_match(wanted, [email("a", "y"), email("b", "x")])
    assert not effects_match(wanted, [email("a", "x y"), email("b", "z")])


def test_every_world_starts_anew() -> None:
    first, second = World(), World()
    first.record("reorder", name="Boots")
    assert [first.draw() for _ in range(len(DRAWS) + 1)] == [*DRAWS, DRAWS[0]]
    assert (second.effects, second.draw()) == ([], DRAWS[0])
