"""The evaluation of memory managers tells good ones from bad ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

from agentkit.evals.memory_updates import Change, evaluate_updates
from agentkit.memory import Candidate, Related, RuleDecider, Verdict
from agentkit.run import Run

PEOPLE = 6


class Always(RuleDecider):
    """Says the same of everything."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self._verdict = verdict

    async def decide(
        self, candidates: Sequence[Candidate], related: Sequence[Sequence[Related]], run: Run | None
    ) -> Sequence[Verdict]:
        return [self._verdict for _ in candidates]


async def test_who_keeps_everything_loses_nothing_and_updates_nothing() -> None:
    report = await evaluate_updates(people=PEOPLE, decide=Always(Verdict("insert")))
    assert [report.accuracy(change) for change in ("unchanged", "several")] == [1, 1]
    assert [report.accuracy(change) for change in ("update", "contradiction")] == [0, 0]


async def test_who_ignores_everything_is_never_right() -> None:
    report = await evaluate_updates(people=PEOPLE, decide=Always(Verdict("ignore")))
    assert [report.accuracy(change) for change in get_args(Change)] == [0, 0, 0, 0]


async def test_rules_lose_nothing_and_do_what_they_are_told() -> None:
    default, told = [await evaluate_updates(people=2 * PEOPLE, one_value=one) for one in (False, True)]
    assert [report.accuracy("unchanged") for report in (default, told)] == [1, 1]
    assert default.accuracy("several") == 1
    assert min(report.accuracy("update") for report in (default, told)) > 0.5
    assert math.isnan(told.accuracy("several"))
