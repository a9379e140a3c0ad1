"""Single decisions of a memory's manager are judged by what is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from agentkit.evals.memory_decisions import decision_samples, evaluate_decisions
from agentkit.memory import Candidate, ModelDecider, Related, RuleDecider, Verdict
from agentkit.messages import ModelProfile
from agentkit.run import Run
from agentkit.testing import ScriptedModel

UNREAD = '{"earlier": {"who": "x", "topic": "x", "value": "x"}, "later": {"who": "x", "topic": "x", "value": "x"}}'
SAMPLES = decision_samples(18)


class OfTheFirst(RuleDecider):
    """Does the same with the first memory that may be concerned."""

    def __init__(self, verdict: str) -> None:
        super().__init__()
        self._verdict = verdict

    async def decide(
        self, candidates: Sequence[Candidate], related: Sequence[Sequence[Related]], run: Run | None
    ) -> Sequence[Verdict]:
        return [Verdict(self._verdict, tuple(r.memory.id for r in one[:1])) for one in related]  # type: ignore[arg-type]


def test_samples_are_of_three_sorts_in_turn_and_name_what_they_concern() -> None:
    assert Counter(sample.sort for sample in SAMPLES) == {"change": 6, "again": 6, "new": 6}
    assert decision_samples(18) == SAMPLES != decision_samples(18, seed=8)
    for sample in SAMPLES:
        concerned = [memory for memory in sample.known if memory.id == sample.target]
        assert len(concerned) == (sample.sort != "new")
        assert all(memory.created <= sample.said for memory in sample.known)
        assert sample.text not in {memory.text for memory in sample.known}


async def test_who_keeps_everything_is_right_about_what_is_new_only() -> None:
    report = await evaluate_decisions(SAMPLES, decide=OfTheFirst("insert"))
    assert [report.accuracy(sort) for sort in ("change", "again", "new")] == [0, 0, 1]
    assert report.accuracy() == pytest.approx(1 / 3)


async def test_who_replaces_whatever_is_near_is_right_only_if_it_was_that() -> None:
    report = await evaluate_decisions(SAMPLES, decide=OfTheFirst("replace"))
    assert report.accuracy("new") == 0
    assert [right for right in report.right if right] == [
        True
        for sample, decided in zip(report.samples, report.decided, strict=True)
        if sample.target and decided.targets == (sample.target,)
    ]


async def test_rules_are_right_about_most_and_all_that_is_new() -> None:
    report = await evaluate_decisions(SAMPLES)
    assert report.accuracy("new") == 1
    assert report.accuracy() > 0.6
    assert len(report.seconds) == len(SAMPLES)


async def test_a_models_tokens_and_calls_are_counted() -> None:
    model = ScriptedModel([UNREAD] * 99, profile=ModelProfile(repairs=False))
    run = Run(model=model)
    report = await evaluate_decisions(SAMPLES[:3], decide=ModelDecider(), run=run)
    assert report.usage == run.meter.usage
    assert report.usage.model_calls == len(model.requests)
