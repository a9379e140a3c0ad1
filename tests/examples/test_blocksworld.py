"""The blocks: what the table refuses the simulation refuses, plans are repaired, and the search solves problems."""

from __future__ import annotations

import pytest

from agentkit import ModelRetry
from agentkit.diagnostics import Code
from agentkit.events import PlanChecked, StepStarted
from agentkit.testing import ScriptedModel
from examples.blocksworld.__main__ import compare, search, table
from examples.blocksworld.domain import Table, Towers, problem_of, words
from examples.blocksworld.problems import least, random_pair, shortest
from examples.blocksworld.solving import Solving

START: Towers = (("b", "a"), ("c",))
GOAL: Towers = (("c", "b", "a"),)
HASTY = """\
pick_up(block="b")
stack(block="b", onto="c")
pick_up(block="a")
stack(block="a", onto="b")
answer("done")
"""
MENDED = 'unstack(block="a", off="b")\nput_down(block="a")\n' + HASTY


async def test_a_plan_that_forgets_a_block_is_refused_repaired_run_and_verified() -> None:
    solving = Solving(START, GOAL)
    model = ScriptedModel([HASTY, MENDED])
    result = await solving.validated(model)
    checked = [event for event in result.events if isinstance(event, PlanChecked)]
    assert [event.codes for event in checked] == [("AK702", "AK702"), ()]
    told = model.requests[1].messages[-1].content
    assert (
        "AK702 at line 1, pick_up_1: pick_up(b) is impossible here: clear(b) does not hold "
        "(true instead: on(a, b), on-table(b)). Expected clear(b). Before it, unstack(a, b) would make it so."
    ) in told
    assert (result.status, solving.solved, solving.table.towers) == ("done", True, [["c", "b", "a"]])
    assert solving.table.moves == 6


async def test_without_the_validator_the_table_itself_refuses_and_the_run_fails() -> None:
    solving = Solving(START, GOAL)
    result = await solving.unaided(ScriptedModel([HASTY]))
    assert (result.status, solving.solved, solving.table.moves) == ("failed", False, 0)
    assert "there is no block 'b' with nothing on it" in result.error


async def test_a_plan_that_claims_the_goal_is_refused() -> None:
    solving = Solving(START, GOAL)
    result = await solving.validated(ScriptedModel(['answer("done")'] * 2), repairs=1)
    assert (result.status, solving.solved) == ("failed", False)
    assert Code.VALIDATOR.value in result.error
    assert not any(isinstance(event, StepStarted) for event in result.events)


@pytest.mark.parametrize("blocks", [3, 4, 5])
async def test_the_search_solves_small_problems_with_shortest_plans(blocks: int) -> None:
    for seed in range(2):
        found = await search(blocks, seed, 1_000)
        assert found.solved
        assert found.actions == found.shortest


async def test_the_search_solves_a_problem_of_eight_blocks_nearly_as_shortly() -> None:
    solving = Solving(*random_pair(8, 1))
    await solving.searched(simulations=400, enough=1)
    assert solving.solved
    assert solving.table.moves <= 1.5 * shortest(solving.problem)


@pytest.mark.parametrize("blocks", [2, 3, 4])
def test_the_informed_search_for_the_shortest_plan_agrees_with_a_blind_one(blocks: int) -> None:
    for seed in range(5):
        problem = problem_of(*random_pair(blocks, seed))
        assert shortest(problem) == shortest(problem, blind=True)


def test_problems_are_the_same_for_the_same_seed_and_never_solved_already() -> None:
    assert random_pair(5, 7) == random_pair(5, 7)
    assert len({random_pair(5, seed) for seed in range(10)}) == 10
    assert all(start != goal for start, goal in (random_pair(2, seed) for seed in range(20)))


def test_the_bound_counts_two_actions_for_each_block_that_has_to_move() -> None:
    goal = {"a": "b", "b": "c", "c": ""}
    assert least(problem_of(START, GOAL).init, goal) == 4


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda table: table.take("b", ""), "there is no block 'b' with nothing on it"),
        (lambda table: table.take("a", ""), "'a' stands on 'b'"),
        (lambda table: table.take("c", "a"), "'c' stands on 'the table'"),
        (lambda table: table.place("a", ""), "the hand does not hold 'a'"),
        (lambda table: (table.take("a", "b"), table.take("c", "")), "the hand holds 'a'"),
        (lambda table: (table.take("a", "b"), table.place("a", "z")), "there is no block 'z' with nothing on it"),
    ],
)
def test_the_table_refuses_what_cannot_be_done(action: object, message: str) -> None:
    assert callable(action)
    with pytest.raises(ModelRetry) as caught:
        action(Table(START))
    assert str(caught.value) == message


def test_towers_are_told_in_words() -> None:
    assert words(START) == "b on the table, a on b, c on the table"


async def test_the_tables_are_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.blocksworld.__main__.BLOCKS", "abc")
    await table(2, 100)
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == "blocks  solved  optimal  actions  shortest  nodes  seconds"
    assert printed[2].startswith("     3    2/2      2/2 ")


async def test_a_model_is_compared_with_the_validator_and_the_search(capsys: pytest.CaptureFixture[str]) -> None:
    await compare(ScriptedModel(['answer("done")'] * 20), 3, 1)
    printed = capsys.readouterr().out
    assert "unaided    0/1" in printed
    assert "validator  0/1" in printed
    assert "search     1/1" in printed
