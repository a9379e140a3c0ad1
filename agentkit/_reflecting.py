"""Reflection and constraints during one loop: who is asked when, with the events that say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agentkit._measures import tools_in
from agentkit.certificate import Certificate
from agentkit.checker import Validator
from agentkit.events import Event, PlanChecked, Reflected, StepFinished
from agentkit.facts import CallsByTool, Facts
from agentkit.messages import Json
from agentkit.plan import Plan
from agentkit.planning import PlanRequest, Point, Situation, Verdict
from agentkit.reflection import NO_REFLECTION, Reflection, judged
from agentkit.results import Outcome
from agentkit.run import Run
from agentkit.validators import goal_constraints

BY_CONSTRAINTS = "constraints"
"""Who says it, in verdicts about constraints."""


@dataclass(slots=True)
class Reflecting:
    """The judgements of one loop.

    Attributes:
        run: The run.
        request: The task with its constraints.
        inputs: Values of the request's inputs.
        reflection: Who judges when.
        recorded: Events of an interrupted run: what was judged before is not judged again.
        problem: What a judge raised while steps were running; the loop raises it when they have ended.
    """

    run: Run
    request: PlanRequest
    inputs: Mapping[str, Json] = field(default_factory=dict)
    reflection: Reflection = NO_REFLECTION
    recorded: tuple[Event, ...] = ()
    problem: Exception | None = None
    _steps: dict[str, Json] = field(default_factory=dict)
    _calls: CallsByTool = field(init=False)
    _ended: int = 0

    def __post_init__(self) -> None:
        self._calls = CallsByTool(self.run.ledger, list(self.request.toolbox))

    def facts(self, *, answer: tuple[Json] | None = None, steps: Mapping[str, Json] | None = None) -> Facts:
        """What the run knows now."""
        return Facts(
            dict(self.inputs),
            self._calls.read(),
            self._steps if steps is None else steps,
            self.run.meter.usage,
            self.run.clock.time() - self.run.started,
            None if answer is None else answer[0],
            answer is not None,
        )

    # before running

    async def feasibility(self) -> Verdict:
        """Whether the task can be done at all."""
        return await self._judge("feasibility", 0)

    async def plan(self, number: int, plan: Plan, certificate: Certificate) -> Verdict:
        """Whether a plan that the checker accepted may run."""
        return await self._judge("plan", number, plan=plan, certificate=certificate)

    async def _judge(
        self, point: Point, number: int, *, plan: Plan | None = None, certificate: Certificate | None = None
    ) -> Verdict:
        judges = self.reflection.judges(point)
        if not judges:
            return Verdict(True)
        verdict = self._before(point, number)
        if verdict is None:
            situation = Situation(point, self.request, self.facts(), plan, certificate)
            verdict = await judged(judges, situation, self.run)
        return self._record(point, number, verdict)

    def validators(self, number: int, *, partial: bool) -> tuple[Validator, ...]:
        """The constraints, as far as a plan shows before it runs that they cannot hold.

        A plan that was under way when the run was interrupted has passed them, and has since used what they count.
        """
        if not self.request.constraints or self.was_accepted(number):
            return ()
        return (goal_constraints(self.request.constraints, self.facts(), self.request.given, partial=partial),)

    # while running

    def watch(
        self, number: int, plan: Plan, certificate: Certificate
    ) -> Callable[[StepFinished], Awaitable[str]] | None:
        """What the executor asks after each step, for the reason to stop; None if nobody wants to know."""
        self._steps = {}
        self._ended = 0
        judges = self.reflection.judges("step")
        if not judges and not self.request.constraints:
            return None

        async def ask(event: StepFinished) -> str:
            if self.problem is not None:
                return str(self.problem)
            try:
                verdict = await self._step(number, plan, certificate, event)
            except Exception as problem:  # noqa: BLE001  # raised again when the steps under way have ended
                self.problem = problem
                return f"judging {event.step!r} failed: {problem}"
            return "" if verdict.done else f"stopped after {event.step!r}: {verdict.reason}"

        return ask

    async def _step(self, number: int, plan: Plan, certificate: Certificate, event: StepFinished) -> Verdict:
        self._steps[event.step] = event.value
        self._ended += 1
        due = self._ended % self.reflection.step_every == 0
        before = self._before("step", number, event.step)
        if before is not None:
            return self._record("step", number, before, event.step)
        broken = self._broken_so_far(event)
        if broken:
            return self._record("step", number, Verdict(False, broken, BY_CONSTRAINTS), event.step)
        judges = self.reflection.judges("step")
        if not judges or not due:
            return Verdict(True)
        situation = Situation("step", self.request, self.facts(), plan, certificate, event)
        return self._record("step", number, await judged(judges, situation, self.run), event.step)

    def _broken_so_far(self, event: StepFinished) -> str:
        """The constraints that this step has broken; those that look only at calls of other tools are not asked."""
        action = self.run.ledger.tool_of(event)
        broken = []
        for constraint in self.request.constraints:
            tools = [tools_in(text) for text in constraint.expressions()]
            if tools and None not in tools and not any(action in one for one in tools if one is not None):
                continue
            broken.append(constraint.so_far(self.facts()))
        return "; ".join(problem for problem in broken if problem)

    # after the whole

    async def outcome(self, number: int, plan: Plan, outcome: Outcome) -> Verdict:
        """Whether the goal is reached: the plan is done, the constraints hold, and the judges are content."""
        verdict = self._before("outcome", number) if outcome.status == "done" else None
        if verdict is None:
            verdict = await self._of_outcome(plan, outcome)
        return self._record("outcome", number, verdict)

    async def _of_outcome(self, plan: Plan, outcome: Outcome) -> Verdict:
        if outcome.status != "done":
            return Verdict(False, outcome.error, "execution")
        judges = self.reflection.judges("outcome")
        if not judges and not self.request.constraints:
            return Verdict(True, "", "execution")
        facts = self.facts(answer=(outcome.value,), steps=outcome.finished)
        broken = [problem for one in self.request.constraints if (problem := one.at_end(facts))]
        if broken:
            return Verdict(False, "; ".join(broken), BY_CONSTRAINTS)
        if not judges:
            return Verdict(True, "", BY_CONSTRAINTS)
        return await judged(judges, Situation("outcome", self.request, facts, plan, None, None, outcome), self.run)

    def lost(self) -> str:
        """Why no further plan can satisfy the constraints; empty if one may."""
        if not self.request.constraints:
            return ""
        facts = self.facts()
        return "; ".join(problem for one in self.request.constraints if (problem := one.lost(facts)))

    # events

    def was_accepted(self, number: int) -> bool:
        """Whether the checker had accepted plan `number` before the run was interrupted."""
        return any(
            isinstance(event, PlanChecked)
            and event.accepted
            and (event.number, event.within) == (number, self.run.within)
            for event in self.recorded
        )

    def _before(self, point: Point, number: int, step: str = "") -> Verdict | None:
        """What was said before the run was interrupted."""
        for event in self.recorded:
            if isinstance(event, Reflected) and (event.point, event.number, event.step, event.within) == (
                point,
                number,
                step,
                self.run.within,
            ):
                return Verdict(event.done, event.reason, event.by, event.score, event.evidence)
        return None

    def _record(self, point: Point, number: int, verdict: Verdict, step: str = "") -> Verdict:
        evidence: Sequence[str] = verdict.evidence
        self.run.events.emit(
            Reflected(
                self.run.clock.time(),
                number,
                verdict.done,
                verdict.reason,
                verdict.by,
                self.run.within,
                point,
                verdict.score,
                tuple(evidence),
                step,
            )
        )
        return verdict
