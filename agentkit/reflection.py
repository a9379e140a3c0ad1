"""Reflection: four points at which a task, a plan, a step or an outcome is judged, each on or off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import TypeAlias

from agentkit.errors import DefinitionError
from agentkit.messages import Json
from agentkit.planning import Judge, Point, Situation, Verdict
from agentkit.run import Run

Rule: TypeAlias = Callable[[Situation], Verdict | bool | str | Awaitable[Verdict | bool | str]]
"""A judge as a function: a verdict, whether it is content, or what is wrong (empty if nothing is)."""

Judges: TypeAlias = Judge | Rule | Sequence[Judge | Rule]


@dataclass(frozen=True, slots=True)
class Reflection:
    """Who judges when. A point without judges is off and costs nothing. All judges of a point must be content.

    Attributes:
        feasibility: Before anything is planned. If they are not content, the run is declined with the reason.
        plan: A plan that the checker accepted, before it runs. If they are not content, it goes back for repair.
        step: A step that is done. If they are not content, nothing more of the plan starts, and the agent plans again.
        outcome: A plan that ran to its end, after the task's constraints. If they are not content, it plans again.
        step_every: Judge every so many steps only.
    """

    feasibility: Judges = ()
    plan: Judges = ()
    step: Judges = ()
    outcome: Judges = ()
    step_every: int = 1

    def __post_init__(self) -> None:
        if self.step_every < 1:
            raise DefinitionError(f"step_every is {self.step_every}; give 1 or more")

    def judges(self, point: Point) -> tuple[Judge, ...]:
        """The judges of a point, functions wrapped."""
        given = getattr(self, point)
        if isinstance(given, tuple) and not given:
            return ()
        many = given if isinstance(given, Sequence) else (given,)
        return tuple(one if hasattr(one, "judge") else _RuleJudge(one) for one in many)

    def for_subgoal(self) -> Reflection:
        """What holds inside a subgoal: its plans and steps are judged, its outcome is a step of the plan around it."""
        return replace(self, feasibility=(), outcome=())


NO_REFLECTION = Reflection()


class _RuleJudge:
    """Judges by a function."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._name = str(getattr(rule, "__name__", "rule"))

    async def judge(self, situation: Situation, run: Run) -> Verdict:
        found = self._rule(situation)
        verdict = await found if isawaitable(found) else found
        if isinstance(verdict, Verdict):
            return verdict if verdict.by else replace(verdict, by=self._name)
        if isinstance(verdict, str):
            return Verdict(not verdict, verdict, self._name)
        return Verdict(verdict, "" if verdict else f"the rule {self._name!r} does not hold", self._name)


async def judged(judges: Sequence[Judge], situation: Situation, run: Run) -> Verdict:
    """The verdict of all: the first that is not content, or the last. Evidence is checked."""
    verdict = Verdict(True)
    for judge in judges:
        verdict = await judge.judge(situation, run)
        if verdict.done and verdict.evidence and situation.point in ("step", "outcome"):
            problem = problem_of_evidence(verdict, grounds(situation))
            if problem:
                reason = f"the verdict of {verdict.by!r} is refused: {problem}"
                verdict = replace(verdict, done=False, reason=reason)
        if not verdict.done:
            break
    return verdict


def grounds(situation: Situation) -> dict[str, Json]:
    """What a verdict may name as evidence: the values of the steps that are done, loops by their iterations too."""
    return {**situation.request.given, **situation.facts.steps}


def problem_of_evidence(verdict: Verdict, known: Mapping[str, Json]) -> str:
    """Why the evidence of a verdict shows nothing; empty if it does."""
    for name in verdict.evidence:
        if name not in known and not any(step.startswith(f"{name}[") for step in known):
            return f"it names {name!r} as evidence, a step that did not run to its end"
        if name in known and known[name] in (None, "", [], {}):
            return f"it names {name!r} as evidence, a step that gave nothing"
    return ""
