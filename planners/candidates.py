"""Several plans at once: those that the checker refuses dropped, equal ones merged, the best of the rest run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from agentkit.certificate import Certificate
from agentkit.checker import CheckedPlan
from agentkit.errors import DefinitionError
from agentkit.limits import LimitReached
from agentkit.messages import Json, ModelSettings
from agentkit.planners._meaning import meaning
from agentkit.planners._together import together
from agentkit.planners.judge import Candidate, Judge
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planning import Planner, PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import read_json, write_json, write_python

Ranking: TypeAlias = Literal["vote", "certificate"]

TEMPERATURE = 0.6
"""Of the samples after the first, which is greedy."""


@dataclass(slots=True)
class _Ranked:
    """Plans that mean the same: the cheapest of them, and how many there are."""

    proposal: Proposal
    checked: CheckedPlan
    votes: int = 1
    points: float = 0.0


class Candidates:
    """Samples several plans at once and proposes the best one; when it fails, the next best, without asking again.

    Plans that the checker refuses have no part in it, and plans that mean the same count as one with several votes:
    names of steps and the order of independent reads make no difference. If all are refused, the first is proposed, so
    that its problems can be repaired.

    Args:
        count: How many plans to sample.
        make: Makes the planner of one sample from its number, counted from 0; by default plan-and-execute, greedy for
            the first sample and at `TEMPERATURE` with a seed of its own for the others.
        by: What makes a plan better: ``vote``, how many samples agree on it, good for small models; or
            ``certificate``, what it costs at most: money, then tool and model calls, then its critical path. Either
            breaks the ties of the other.
        judge: Compares the plans pairwise and goes before `by`, which then breaks its ties.
        judged: How many of the best plans the judge compares; with n plans it is asked n·(n-1)/2 times.
        fallbacks: How many of the next best plans are kept for the case that the best one fails.

    Raises:
        DefinitionError: A number is too small, or `by` is unknown.
    """

    def __init__(
        self,
        count: int = 5,
        make: Callable[[int], Planner] | None = None,
        *,
        by: Ranking = "vote",
        judge: Judge | None = None,
        judged: int = 3,
        fallbacks: int = 2,
    ) -> None:
        if count < 1:
            raise DefinitionError(f"count is {count}; give 1 or more candidates")
        if by not in ("vote", "certificate"):
            raise DefinitionError(f"by is {by!r}; give 'vote' or 'certificate'")
        if judged < 2 or fallbacks < 0:
            raise DefinitionError(f"judged is {judged} and fallbacks is {fallbacks}; give at least 2 and at least 0")
        self._planners = [(make or _sampler)(number) for number in range(count)]
        self._by = by
        self._judge = judge
        self._judged = judged
        self._fallbacks = fallbacks

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        """The best plan of a new sample, or the next best one of the last.

        Raises:
            ModelError: The model failed for good, for every sample.
            LimitReached: A budget of the run is used up.
        """
        kept = _fallback(request)
        if kept is not None:
            return kept
        asked = replace(request, on_prefix=None)
        sampled = await together(planner.propose(asked, run) for planner in self._planners)
        proposals = [proposal for proposal in sampled if proposal is not None]
        if not proposals:
            return None
        ranked = _merged(proposals, request)
        if not ranked:
            return proposals[0]
        ranked.sort(key=self._worth)
        judged = self._judge is not None and await _compare(ranked[: self._judged], self._judge, request, run)
        if judged:
            ranked[: self._judged] = sorted(ranked[: self._judged], key=lambda one: (-one.points, *self._worth(one)))
        best, *others = ranked
        counts: dict[str, Json] = {
            "asked": len(self._planners),
            "valid": sum(one.votes for one in ranked),
            "votes": [one.votes for one in ranked],
        }
        if judged:
            counts["points"] = [one.points for one in ranked]
        rest = [_kept(one.proposal) for one in others[: self._fallbacks]]
        return replace(best.proposal, notes={**best.proposal.notes, "candidates": counts, "next": rest})

    def _worth(self, one: _Ranked) -> tuple[float, ...]:
        """What candidates are sorted by; the smallest is the best."""
        cost = _cost(one.checked.certificate)
        return (-one.votes, *cost) if self._by == "vote" else (*cost, -one.votes)


def _sampler(number: int) -> Planner:
    settings = ModelSettings(max_tokens=700, seed=number, temperature=TEMPERATURE if number else 0.0)
    return PlanAndExecute(settings=settings)


def _merged(proposals: Sequence[Proposal], request: PlanRequest) -> list[_Ranked]:
    """The valid plans, those that mean the same as one."""
    found: dict[str, _Ranked] = {}
    for proposal in proposals:
        checked = _checked(proposal, request)
        if checked is None:
            continue
        one = found.setdefault(meaning(proposal.plan, request.toolbox), _Ranked(proposal, checked, votes=0))
        one.votes += 1
        if _cost(checked.certificate) < _cost(one.checked.certificate):
            one.proposal, one.checked = proposal, checked
    return list(found.values())


def _checked(proposal: Proposal, request: PlanRequest) -> CheckedPlan | None:
    return request.check(proposal.plan, partial=not proposal.final, validators=request.validators).checked


def _cost(certificate: Certificate) -> tuple[float, float, float]:
    """US dollars, tool and model calls, and seconds, each infinite where nothing bounds it."""
    calls = (certificate.tool_calls, certificate.model_calls, certificate.subgoals)
    return (
        math.inf if certificate.cost is None else certificate.cost,
        sum(math.inf if count is None else count for count in calls),
        certificate.seconds,
    )


async def _compare(ranked: Sequence[_Ranked], judge: Judge, request: PlanRequest, run: Run) -> bool:
    """Give each plan a point for every other that it is better than, and both half a point for a tie.

    Returns:
        Whether the judge got to its end; if a limit was in its way, the plans are there all the same.
    """
    shown = [
        Candidate(one.proposal.source or write_python(one.proposal.plan), one.checked.certificate) for one in ranked
    ]
    for (one, candidate), (other, rival) in itertools.combinations(zip(ranked, shown, strict=True), 2):
        try:
            preferred = await judge.prefer(request, candidate, rival, run)
        except LimitReached:
            return False
        one.points += {"first": 1.0, "tie": 0.5, "second": 0.0}[preferred]
        other.points += {"first": 0.0, "tie": 0.5, "second": 1.0}[preferred]
    return True


def _kept(proposal: Proposal) -> dict[str, Json]:
    return {"plan": write_json(proposal.plan), "source": proposal.source, "final": proposal.final}


def _fallback(request: PlanRequest) -> Proposal | None:
    """The next best plan of the last sample, if it would still pass; the loop repeats no write that is done."""
    last = request.attempts[-1] if request.attempts else None
    rest = list(last.notes.get("next", ())) if last is not None else []
    while rest:
        row = rest.pop(0)
        proposal = Proposal(read_json(row["plan"]), row["source"], row["final"], {"next": rest})
        if _checked(proposal, request) is not None:
            return proposal
    return None
