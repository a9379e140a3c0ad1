"""The evaluation of memory managers tells good ones from bad ones."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.evals.memory_updates import ONE_VALUE_EACH, evaluate_updates
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
    assert report.accuracy("unchanged") == 1
    assert (report.accuracy("update"), report.accuracy("contradiction")) == (0, 0)


async def test_who_ignores_everything_is_never_right() -> None:
    report = await evaluate_updates(people=PEOPLE, decide=Always(Verdict("ignore")))
    assert [report.accuracy(change) for change in ("update", "contradiction", "unchanged")] == [0, 0, 0]


async def test_rules_lose_nothing_and_what_they_are_told_helps_them() -> None:
    plain, told = [await evaluate_updates(people=PEOPLE, relations=known) for known in ((), ONE_VALUE_EACH)]
    default = await evaluate_updates(people=PEOPLE)
    assert plain.accuracy("unchanged") == default.accuracy("unchanged") == told.accuracy("unchanged") == 1
    assert plain.accuracy("contradiction") <= default.accuracy("contradiction") < told.accuracy("contradiction")
