"""Several plans are sampled, checked and counted; the most agreed one is proposed."""

from __future__ import annotations

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.planners.candidates import Candidates
from agentkit.planning import PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import read_python
from tests.plans import BASIC


class Says:
    """Proposes one text."""

    def __init__(self, source: str) -> None:
        self._source = source

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        if request.attempts:
            return None
        return Proposal(read_python(self._source, request.toolbox), self._source)


async def answer(*sources: str) -> object:
    planner = Candidates(len(sources), lambda number: Says(sources[number]))
    result = await Agent(tools=[BASIC], planner=planner).run("?")
    return result.output if result.status == "done" else result.error


async def test_the_most_agreed_plan_runs_whatever_its_steps_are_called() -> None:
    hat, scarf = 'x = price_of(name="hat")\nanswer(x)', 'price = price_of(name="scarf")\nanswer(price)'
    assert await answer(hat, scarf, 'cost = price_of(name="scarf")\nanswer(cost)') == 15.5


async def test_plans_that_the_checker_refuses_have_no_vote() -> None:
    wrong = "answer(nope)"
    assert await answer(wrong, wrong, 'answer(price_of(name="hat"))') == 20.0


async def test_a_tie_goes_to_the_plan_with_fewer_calls() -> None:
    long = 'a = price_of(name="hat")\nb = price_of(name="hat")\nanswer([a, b])'
    assert await answer(long, 'answer(price_of(name="glove"))') == 9.0


async def test_if_all_are_refused_the_first_ones_problems_are_reported() -> None:
    assert "nothing defines 'nope'" in str(await answer("answer(nope)", "answer(also)"))


def test_no_candidates_are_refused() -> None:
    with pytest.raises(DefinitionError, match="count is 0; give 1 or more candidates"):
        Candidates(0)
