"""The agent's loop: propose, check, execute, reflect, until it is done or a budget is used up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from agentkit._early import EarlySteps
from agentkit._recorded import recorded_plan, unsaid
from agentkit._reflecting import Reflecting
from agentkit._selecting import Selecting
from agentkit.checker import CheckedPlan, CheckReport, Validator
from agentkit.composite import inline
from agentkit.diagnostics import Code
from agentkit.errors import AgentKitError, ModelError, TaskDeclinedError
from agentkit.events import Event, Executed, PlanChecked, PlanProposed, RunStatus, SkillsUsed, StepStarted
from agentkit.executor import execute
from agentkit.ledger import CallDenied, CallDone
from agentkit.limits import LimitReached
from agentkit.messages import Json
from agentkit.plan import Call, Plan, walk
from agentkit.planning import STOPPED, Attempt, Planner, PlanningEnded, PlanRequest, Proposal, ToolSelector, Verdict
from agentkit.protocols import SubgoalRunner
from agentkit.reflection import NO_REFLECTION, Reflection
from agentkit.results import Outcome
from agentkit.resuming import history
from agentkit.run import NOTHING_YET, Run
from agentkit.spelling import write_json, write_python
from agentkit.toolbox import Toolbox
from agentkit.types import Type, type_of_value
from agentkit.validators import calls_a_tool, denied_calls, has_calls

Prepare: TypeAlias = Callable[[PlanRequest, Run], Awaitable[PlanRequest]]


@dataclass(frozen=True, slots=True)
class Ended:
    """How the loop ended."""

    status: RunStatus
    output: Json = None
    error: str = ""
    plan: Plan | None = None


@dataclass(slots=True)
class Loop:
    """One run of the loop: its budgets and everything that it has learnt so far.

    Attributes:
        run: The run: limits, events, model, human.
        planner: Writes the plans.
        request: The task, as the planner sees it; `attempts`, `given`, `done` and `denied` are this object's own and
            grow.
        reflection: Who judges when.
        inputs: Values of the request's inputs.
        subgoals: Plans and runs `subgoal` steps.
        recorded: Events of an interrupted run, to be gone through again without repeating anything.
        prepare: Fits the conversation into the model's context before each plan.
        selector: Chooses the tools that the planner is told of; the request then has those.
    """

    run: Run
    planner: Planner
    request: PlanRequest
    reflection: Reflection = NO_REFLECTION
    inputs: Mapping[str, Json] = field(default_factory=dict)
    subgoals: SubgoalRunner | None = None
    recorded: tuple[Event, ...] = ()
    prepare: Prepare | None = None
    selector: ToolSelector | None = None
    attempts: list[Attempt] = field(default_factory=list)
    given: dict[str, Json] = field(default_factory=dict)
    given_types: dict[str, Type] = field(default_factory=dict)
    done: list[CallDone] = field(default_factory=list)
    denied: list[CallDenied] = field(default_factory=list)
    number: int = 0
    turns: int = 0
    repairs: int = 0
    replans: int = 0
    accepted: Plan | None = None
    early: EarlySteps | None = None
    reflecting: Reflecting = field(init=False)
    selecting: Selecting = field(init=False)

    def __post_init__(self) -> None:
        self.request = replace(
            self.request, attempts=self.attempts, given=self.given, done=self.done, denied=self.denied
        )
        self.reflecting = Reflecting(self.run, self.request, self.inputs, self.reflection, self.recorded)
        self.selecting = Selecting(self.run, self.request, self.selector, self.recorded)

    async def until_done(self) -> Ended:
        """Go round until the goal is reached, a budget is used up, or nothing more can be tried."""
        try:
            declined = await self.declined()
            if declined is not None:
                return declined
            if self.may_begin_early():
                self.request = replace(self.request, on_prefix=self.begin)
            while True:
                try:
                    ended = await self.turn()
                finally:
                    await self.drop_early()
                if ended is not None:
                    return ended
        except LimitReached as limit:
            return self.stop("stopped", f"stopped: {limit}")
        except ModelError as error:
            return self.stop("failed", f"the model failed: {error}")
        except PlanningEnded as reason:
            return self.stop("stopped", f"stopped: {reason}")
        finally:
            # It leads back to this loop: without it the run is freed at once, not by the garbage collector.
            self.request = replace(self.request, on_prefix=None)

    async def declined(self) -> Ended | None:
        """The end of a task that cannot be done; None if a judge thinks that it can, or nobody was asked."""
        self.offer(await self.selecting.at(0))
        feasible = await self.reflecting.feasibility()
        return None if feasible.done else Ended("declined", f"This cannot be done: {feasible.reason}", feasible.reason)

    async def until_checked(self) -> CheckReport:
        """The first plan that may run; the last one if the checker refused all. Nothing is run.

        Raises:
            TaskDeclinedError: A judge says that the task cannot be done.
            AgentKitError: The planner has no further plan, or the judges of plans refused the last one.
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
        """
        declined = await self.declined()
        if declined is not None:
            raise TaskDeclinedError(declined.output)
        report = None
        while True:
            self.number += 1
            proposal = await self.propose()
            if proposal is None and report is not None and not report.ok:
                return report
            if proposal is None:
                raise AgentKitError(f"the planner has no further plan; {self.last_problem()}")
            report = await self.checked(proposal)
            opinion = None
            if report.checked is not None:
                opinion = await self.reflecting.plan(self.number, proposal.plan, report.checked.certificate)
                if opinion.done:
                    return report
            ended = self.refused(proposal, report, opinion)
            if ended is not None:
                if opinion is None:
                    return report
                raise AgentKitError(ended.error)

    async def turn(self) -> Ended | None:
        """One plan: proposed, checked, run, judged. None means: go on."""
        self.number += 1
        proposal = await self.propose()
        if proposal is None:
            return self.stop("failed", f"the planner has no further plan; {self.last_problem()}")
        report = await self.checked(proposal)
        if report.checked is None:
            return self.refused(proposal, report)
        opinion = await self.reflecting.plan(self.number, proposal.plan, report.checked.certificate)
        if not opinion.done:
            return self.refused(proposal, report, opinion)
        self.repairs = 0
        self.accepted = proposal.plan
        outcome = await self.execute(report.checked)
        self.learn(outcome)
        if self.reflecting.problem is not None:
            self.keep(proposal, report, outcome)
            raise self.reflecting.problem
        if outcome.status == "stopped":
            self.keep(proposal, report, outcome)
            return self.stop("stopped", outcome.error)
        if outcome.in_doubt:
            self.keep(proposal, report, outcome)
            return self.stop("failed", outcome.error)
        if not proposal.final:
            self.keep(proposal, report, outcome)
            return self.next_turn()
        verdict = await self.reflecting.outcome(self.number, proposal.plan, outcome)
        self.keep(proposal, report, outcome, verdict)
        if verdict.done:
            return Ended("done", outcome.value, plan=proposal.plan)
        return self.next_plan(verdict)

    def keep(
        self, proposal: Proposal, report: CheckReport, outcome: Outcome | None = None, verdict: Verdict | None = None
    ) -> None:
        """Remember what became of a plan, for the planner."""
        plan, source, notes = proposal.plan, proposal.source, proposal.notes
        self.attempts.append(Attempt(plan, source, report.diagnostics, outcome, verdict, notes, proposal.repairs))

    def learn(self, outcome: Outcome) -> None:
        """Keep what finished steps gave, for later plans to refer to. Each value is typed once, not once a turn."""
        for name, value in outcome.named.items():
            self.given[name] = value
            self.given_types[name] = type_of_value(value)

    async def propose(self) -> Proposal | None:
        """The next plan, from the planner or from the journal of an interrupted run."""
        recorded = self._recorded()
        used: dict[str, str] = {}
        if recorded is not None:
            self.number = recorded.number
        self.offer(await self.selecting.at(self.number))
        if recorded is not None:
            proposal = Proposal(
                recorded_plan(recorded), recorded.source, recorded.final, recorded.notes, recorded.repairs
            )
        else:
            planned = await self.ask_planner()
            if planned is None:
                return None
            proposal, used = self.inlined(planned)
            if self.early is not None and not self.early.fits(proposal.plan, self.request.toolbox):
                await self.drop_early()
                self.number += 1
        source = proposal.source or write_python(proposal.plan, self.request.toolbox)
        now = self.run.clock.time()
        self.run.events.emit(
            PlanProposed(
                now,
                self.number,
                write_json(proposal.plan),
                source,
                proposal.final,
                self.run.within,
                proposal.notes,
                unsaid(proposal.plan),
                proposal.repairs,
            )
        )
        if used:
            self.run.events.emit(SkillsUsed(now, self.number, used, self.run.within))
        return proposal

    def inlined(self, proposal: Proposal) -> tuple[Proposal, dict[str, str]]:
        """A plan with the steps of tools that are plans in place of their calls, and which these are.

        One that is wrong as it was written stays so, for the checker to speak of what the planner wrote.
        """
        tools = self.selecting.request.toolbox
        plan, used = inline(proposal.plan, tools)
        if plan is proposal.plan:
            return proposal, {}
        report = self.request.check(proposal.plan, partial=not proposal.final, given_types=self.given_types)
        if any(problem.code is not Code.UNKNOWN_TOOL for problem in report.errors):
            return proposal, {}
        return replace(proposal, plan=plan, source=proposal.source or write_python(proposal.plan, tools)), used

    async def ask_planner(self) -> Proposal | None:
        """The planner's answer; one that gives up before anything has run is asked again with more tools."""
        while True:
            request = self.request
            if self.number != request.plan_number:
                request = replace(request, number=self.number)
            if self.prepare is not None:
                request = await self.prepare(request, self.run)
            tried = any(attempt.outcome is not None for attempt in self.attempts)
            try:
                planned = await self.planner.propose(request, self.run)
            except PlanningEnded:
                if tried or not await self.selecting.no_plan(self.number):
                    raise
            else:
                if planned is not None or tried or not await self.selecting.no_plan(self.number):
                    return planned
            self.offer(self.selecting.toolbox)

    def offer(self, toolbox: Toolbox) -> None:
        """Tell planners and judges of these tools."""
        more = self.selecting.has_more
        if toolbox is not self.request.toolbox or more is not self.request.more_tools:
            self.request = self.reflecting.request = replace(self.request, toolbox=toolbox, more_tools=more)

    async def checked(self, proposal: Proposal) -> CheckReport:
        """What the checker says of a plan, once more if it calls tools that had not been selected and now are.

        A plan that was stopped where it calls such a tool is to be written to its end; what it has spent on repairs
        that could not help is given back.
        """
        report = self.check(proposal)
        if report.ok or not await self.selecting.missing(self.number, proposal.plan, report.diagnostics):
            return report
        self.offer(self.selecting.toolbox)
        if proposal.notes.get(STOPPED):
            self.repairs -= proposal.repairs
            return replace(report, diagnostics=self.selecting.told(report.diagnostics))
        return self.check(proposal)

    def check(self, proposal: Proposal) -> CheckReport:
        """What the checker says of a plan; recorded as an event."""
        report = self.report(proposal)
        self.run.events.emit(
            PlanChecked(
                self.run.clock.time(),
                self.number,
                report.ok,
                tuple(str(diagnostic) for diagnostic in report.diagnostics),
                tuple(diagnostic.code.value for diagnostic in report.diagnostics),
                report.checked.certificate.to_json() if report.checked else {},
                self.run.within,
                self.fingerprints(proposal.plan) if report.checked else {},
            )
        )
        return report

    def report(self, proposal: Proposal) -> CheckReport:
        """What the checker says of a plan."""
        partial, validators = not proposal.final, self.validators(proposal)
        return self.request.check(proposal.plan, partial=partial, validators=validators, given_types=self.given_types)

    # steps that begin while the plan is still being written

    def may_begin_early(self) -> bool:
        """Whether a step may run before the plan is accepted: nobody wants to judge the plan or its steps first."""
        judged = self.reflection.judges("plan") or self.reflection.judges("step") or self.request.constraints
        return not judged

    def begin(self, plan: Plan) -> None:
        """Begin what is ready, and harmless, of a plan that is still being written."""
        proposal, _ = self.inlined(Proposal(plan, final=False))
        report = self.report(proposal)
        if report.checked is None:
            return
        if self.early is None:
            self.early = EarlySteps(self.run, self.number, self.inputs)
        self.early.extend(report.checked)

    async def drop_early(self) -> None:
        """Cancel what has begun early and is not part of a plan that was run."""
        early, self.early = self.early, None
        if early is not None:
            await early.close()

    def fingerprints(self, plan: Plan) -> dict[str, str]:
        """Those of the tools that a plan calls, so that a resumed run can tell whether they are the same."""
        tools = self.request.toolbox
        return {step.tool: tools[step.tool].fingerprint for step in walk(plan.steps) if isinstance(step, Call)}

    def validators(self, proposal: Proposal) -> tuple[Validator, ...]:
        """What a plan must pass besides the checker's own rules.

        The agent's validators judge a plan before it begins. One that was under way when the run was interrupted has
        passed them, and the world is no longer as they saw it.
        """
        found = [] if self.was_running() else list(self.request.validators)
        if self.denied:
            found.insert(0, denied_calls(self.denied, self.selecting.request.toolbox, self.given))
        if self.request.tool_choice == "required" and proposal.final and not self.has_called():
            found.append(calls_a_tool)
        return (*found, *self.reflecting.validators(self.number, partial=not proposal.final))

    def has_called(self) -> bool:
        """Whether a plan with a tool call has run."""
        return any(has_calls(attempt.plan) for attempt in self.attempts if attempt.outcome is not None)

    async def execute(self, checked: CheckedPlan) -> Outcome:
        """Run a plan; steps that the journal knows to be finished are not run again."""
        before = self._recorded()
        interrupted = before is not None and before.number == self.number
        past = history(self.recorded, self.number) if interrupted else NOTHING_YET
        outcome = await execute(
            checked,
            inputs=self.inputs,
            run=self.run,
            number=self.number,
            history=past,
            subgoals=self.subgoals,
            watch=self.reflecting.watch(self.number, checked.plan, checked.certificate),
            begun=None if self.early is None else self.early.execution,
        )
        now = self.run.clock.time()
        self.run.events.emit(Executed(now, self.number, outcome.status, outcome.value, outcome.error, self.run.within))
        return outcome

    def _recorded(self) -> PlanProposed | None:
        """What the planner wrote before the run was interrupted."""
        for event in self.recorded:
            if isinstance(event, PlanProposed) and event.number >= self.number and event.within == self.run.within:
                return event
        return None

    # budgets

    def refused(self, proposal: Proposal, report: CheckReport, opinion: Verdict | None = None) -> Ended | None:
        """A plan that the checker or a judge refused: go on with a repair, if the budget allows."""
        self.keep(proposal, report, None, opinion)
        if self.was_running():
            return self.stop(
                "failed",
                "the plan that was under way when the run was interrupted does not pass the check any more, and "
                f"another one might repeat what it did; resume with what it needs; {self.last_problem()}",
            )
        self.repairs += 1 + proposal.repairs
        if self.repairs <= self.request.limits.repairs:
            return None
        return self.stop("failed", f"no valid plan after {self.repairs} tries; {self.last_problem()}")

    def was_running(self) -> bool:
        """Whether the present plan had begun to run before the run was interrupted."""
        prefix, number = self.run.within, self.number
        return self.reflecting.was_accepted(number) and any(
            isinstance(event, StepStarted) and event.plan == number and _in_run(event.step, prefix)
            for event in self.recorded
        )

    def last_problem(self) -> str:
        """What was wrong with the last attempt."""
        if not self.attempts:
            return "none was tried"
        last = self.attempts[-1]
        if last.outcome is None and last.verdict is not None:
            return f"the last one was judged: {last.verdict.reason}"
        if last.outcome is None:
            return "the last one's problems: " + "; ".join(str(diagnostic) for diagnostic in last.errors[:5])
        return f"the last one ended with: {last.verdict.reason if last.verdict else last.outcome.error}"

    def next_turn(self) -> Ended | None:
        """One turn of a planner that plans a step at a time is over."""
        self.turns += 1
        if self.turns < self.request.limits.turns:
            return None
        return self.stop("stopped", f"stopped: {LimitReached('turns', self.request.limits.turns)}")

    def next_plan(self, verdict: Verdict) -> Ended | None:
        """A plan ran and the goal is not reached: go on with another, if the budget allows."""
        self.replans += 1
        self.done.extend(self.run.ledger.keep(self.selecting.request.toolbox, within=self.run.within))
        self.denied[:] = self.run.ledger.denied
        lost = self.reflecting.lost()
        if self.replans <= self.request.limits.replans and not lost:
            return None
        return self.stop("failed", verdict.reason or lost)

    def stop(self, status: RunStatus, reason: str) -> Ended:
        """The end without the goal: why, and what was done so far."""
        done = [name for attempt in self.attempts if attempt.outcome for name in attempt.outcome.finished]
        so_far = f"; done so far: {', '.join(done[:20])}" if done else ""
        return Ended(status, None, f"{reason}{so_far}", self.accepted)


def _in_run(step: str, within: str) -> bool:
    """Whether a step instance is of the run with this prefix itself, and not of one of its subgoals."""
    return step.startswith(within) and "/" not in step[len(within) :]
