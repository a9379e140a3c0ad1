"""What a planner is asked and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from agentkit.certificate import Certificate
from agentkit.checker import CheckReport, Validator, check
from agentkit.constraints import Constraint
from agentkit.diagnostics import Diagnostic
from agentkit.errors import AgentKitError
from agentkit.events import StepFinished
from agentkit.facts import Facts
from agentkit.ledger import CallDenied, CallDone
from agentkit.limits import Limits
from agentkit.messages import Json, Message
from agentkit.plan import JsonSchema, Plan
from agentkit.policy import Policy
from agentkit.results import Outcome
from agentkit.run import Run
from agentkit.toolbox import Toolbox
from agentkit.types import Type

ToolChoice: TypeAlias = Literal["auto", "required", "none"]
"""Whether a plan may call tools, must call at least one, or has none to call."""


@dataclass(frozen=True, slots=True)
class Example:
    """A task and a good plan for it, in restricted Python: the most effective part of a small model's prompt."""

    task: str
    plan: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement, as data.

    Attributes:
        done: Whether the judge is content: the task can be done, the plan is good, the step is right, or the goal is
            reached, as the point of reflection asks.
        reason: Why, in words that a planner can act on.
        by: Who says so.
        score: A number, where the judge gives one.
        evidence: The steps that show it. A verdict is refused if one of them did not run or gave nothing.
    """

    done: bool
    reason: str = ""
    by: str = ""
    score: float | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A plan of this run and what became of it: refused by the checker, or run, or run and judged not done.

    It keeps what the next plan can learn from. What a long run does not need again, such as the schedule of a plan that
    has been executed, is left to be freed.

    Attributes:
        plan: The plan.
        source: Its text as the planner wrote it.
        diagnostics: What the checker said.
        outcome: How it ran; None if it did not.
        verdict: How the outcome was judged; None if it was not.
        notes: What the planner wrote down for itself, see `Proposal.notes`.
        repairs: How many repairs writing it took, see `Proposal.repairs`.
    """

    plan: Plan
    source: str
    diagnostics: tuple[Diagnostic, ...] = ()
    outcome: Outcome | None = None
    verdict: Verdict | None = None
    notes: Mapping[str, Json] = field(default_factory=dict)
    repairs: int = 0

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics for which the checker refused the plan."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error")


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Everything a planner may know.

    Attributes:
        task: What is asked, in words.
        toolbox: The tools that a plan may call.
        instructions: The agent's instructions.
        inputs: JSON Schemas of values that the plan may refer to by name.
        given: Values of steps that have already run in this run; a new plan may refer to them by name.
        attempts: The plans so far, oldest first; the list grows during the run and is never rewritten.
        done: Writes of replaced plans. A plan that makes the same call gets its result; nothing is done twice.
        denied: Calls that a person has denied in this run; a plan that makes one again is refused.
        history: The conversation before this task.
        recalled: What long-term memory says that may matter, in words.
        examples: Tasks with good plans.
        constraints: What must hold besides the task's words.
        policy: Which calls are allowed.
        limits: What the plan may use.
        approver: Whether a person can be asked.
        validators: Domain checks of a plan; the loop runs them, a planner that chooses between plans may.
        tool_choice: ``required`` asks for at least one tool call before the answer; with ``none`` the toolbox is empty.
        output: The JSON Schema that the answer must have, if any.
        on_prefix: Takes each longer beginning of a plan that is still being written, and may begin steps of it that do
            no harm; None if nothing may begin before the plan is accepted. What it is told must be complete: a block
            that may still grow is not part of it.
        more_tools: There are tools besides `toolbox`; one that a plan calls is added when the plan is checked.
        lessons: Where the agent's memory keeps lessons of failed tries; None without such a memory.
        number: The number of the plan that is asked for, where it is not one more than there are attempts.
    """

    task: str
    toolbox: Toolbox
    instructions: str = ""
    inputs: Mapping[str, JsonSchema] = field(default_factory=dict)
    given: Mapping[str, Json] = field(default_factory=dict)
    attempts: Sequence[Attempt] = ()
    done: Sequence[CallDone] = ()
    denied: Sequence[CallDenied] = ()
    history: tuple[Message, ...] = ()
    recalled: str = ""
    examples: tuple[Example, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    approver: bool = True
    validators: tuple[Validator, ...] = ()
    tool_choice: ToolChoice = "auto"
    output: JsonSchema | None = None
    on_prefix: Callable[[Plan], None] | None = None
    lessons: LessonStore | None = None
    number: int = 0
    more_tools: bool = False

    @property
    def plan_number(self) -> int:
        """The number of the plan that is asked for, counted in the run from 1."""
        return self.number or len(self.attempts) + 1

    def check(
        self,
        plan: Plan,
        *,
        partial: bool = False,
        validators: Sequence[Validator] = (),
        given_types: Mapping[str, Type] | None = None,
    ) -> CheckReport:
        """What the checker says of a plan for this request.

        Args:
            plan: The plan.
            partial: It is one turn of a longer run, or the beginning of a plan: it needs no answer.
            validators: Domain checks to run, such as the request's own.
            given_types: Types of the given values, where the caller has them.
        """
        return check(
            plan,
            self.toolbox,
            policy=self.policy,
            limits=self.limits,
            given=self.given,
            given_types=given_types,
            approver=self.approver,
            partial=partial,
            output=self.output,
            validators=validators,
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """A planner's answer.

    Attributes:
        plan: The plan.
        source: Its text as the planner wrote it.
        final: The plan is meant to reach the goal. If not, it is one turn of a longer run, and the planner is asked
            again with its results.
        notes: JSON that the planner wants to find again in `Attempt.notes` when it is asked next. It is kept in the
            event `PlanProposed`, so a planner needs no memory of its own and goes on after a crash.
        repairs: How often the model was stopped at a bad line and asked to go on; they count as `Limits.repairs`.
    """

    plan: Plan
    source: str = ""
    final: bool = True
    notes: Mapping[str, Json] = field(default_factory=dict)
    repairs: int = 0


STOPPED = "stopped"
"""The note of a plan that ends at its first bad line, because its model was stopped there: it is not to be run."""


class PlanningEnded(AgentKitError):
    """Raised by a planner that sees that going on is of no use; the run stops with the message as its reason."""


class Planner(Protocol):
    """Turns a task into a plan. Planners never execute and never check; they may use the checker to steer a model.

    A planner keeps nothing between two calls: what it needs to know of earlier ones is in the request's attempts. What
    it can work out from these it may keep in `Run.memo`, so as not to work it out again.
    """

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        """A plan for `request`, using the model, events and budgets of `run`; None if it has nothing more to try.

        Raises:
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
            PlanningEnded: The planner sees that nothing more will come of it.
        """
        ...


Point: TypeAlias = Literal["feasibility", "plan", "step", "outcome"]
"""When something is judged: before planning, before running, after a step, after the whole."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a judge looks at.

    Attributes:
        point: When it is asked.
        request: The task, with everything that the planner may know.
        facts: What the run has come to know so far.
        plan: The plan, except before planning.
        certificate: What the plan can do at most.
        step: The step that has just ended, after a step.
        outcome: How the plan ran, after the whole.
    """

    point: Point
    request: PlanRequest
    facts: Facts
    plan: Plan | None = None
    certificate: Certificate | None = None
    step: StepFinished | None = None
    outcome: Outcome | None = None


class Judge(Protocol):
    """Judges at a point of reflection."""

    async def judge(self, situation: Situation, run: Run) -> Verdict:
        """Whether it is content, and why.

        Raises:
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
        """
        ...


@dataclass(frozen=True, slots=True)
class Delegation:
    """Who plans a subgoal, and what it may use."""

    planner: Planner
    limits: Limits


@runtime_checkable
class Delegates(Protocol):
    """A planner that does not plan every subgoal itself, or gives it limits of its own."""

    def delegate(self, goal: str, depth: int, left: Limits) -> Delegation:
        """Who plans the subgoal `goal`.

        Args:
            goal: The subgoal.
            depth: How deep it is: 1 for a subgoal of the task, 2 for one of such a subgoal.
            left: What the run that it is in may still use.
        """
        ...


@dataclass(frozen=True, slots=True)
class Picked:
    """A tool that was selected.

    Attributes:
        tool: Its name.
        score: How well it fits; higher is better, and numbers of one selection go together.
        why: Why it was selected, in words.
    """

    tool: str
    score: float = 0.0
    why: str = ""


class ToolSelector(Protocol):
    """Chooses the tools that a planner is told of, where there are more than a prompt should hold.

    Source: Patil et al., "Gorilla: Large Language Model Connected with Massive APIs" (2023).
    """

    async def select(self, request: PlanRequest, run: Run) -> Sequence[Picked]:
        """The tools of `request.toolbox` that may serve the task, best first.

        Raises:
            ModelError: An embedder failed for good.
        """
        ...

    async def widen(self, wanted: Sequence[str], request: PlanRequest, run: Run) -> Sequence[Picked]:
        """More tools, when those that were selected do not do.

        Args:
            wanted: Tools that a plan called and that were not selected, as it named them: some exist in
                `request.toolbox`, some do not and only say what is missing. Empty: the planner found no way.
            request: The task, with every tool that there is.
            run: The run.

        Returns:
            Tools of `request.toolbox`, best first; those that are selected already do no harm.

        Raises:
            ModelError: An embedder failed for good.
        """
        ...


class LessonStore(Protocol):
    """Where lessons of failed tries are kept for later runs."""

    async def recall(self, task: str, run: Run) -> Sequence[str]:
        """Lessons that may help with a task, the best first; none that were learnt for another user than the run's."""
        ...

    async def add(self, task: str, lesson: str, run: Run) -> None:
        """Keep a lesson that a try at a task has given in `run`. The same one may come twice, after a crash."""
        ...


IntentOutcome: TypeAlias = Literal["in_scope", "out_of_scope", "ambiguous"]
"""What a request is found to be."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What becomes of a request.

    Attributes:
        in_scope: Whether it is planned.
        reply: The answer to a request that is declined.
        question: What to ask back; the request is then ambiguous.
        tools: Names and globs of the tools that it needs; empty for all.
        tags: Tags of the tools that it needs; empty for any.
        agent: The name of the agent that takes it over, one of `Agent.agents`; empty for none.
        label: What kind of request it is.
        by: Who says so.
        score: A number, where the classifier gives one.
        why: In words.
    """

    in_scope: bool
    reply: str = ""
    question: str = ""
    tools: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    agent: str = ""
    label: str = ""
    by: str = ""
    score: float | None = None
    why: str = ""

    @property
    def outcome(self) -> IntentOutcome:
        """In scope, out of scope, or ambiguous."""
        if self.question:
            return "ambiguous"
        return "in_scope" if self.in_scope else "out_of_scope"


_ASKED, _ANSWERED = "\n\nAsked back: ", "\nAnswer: "


def clarified(task: str, question: str, answer: str) -> str:
    """A task with what was asked back about it and what the person said."""
    return f"{task}{_ASKED}{' '.join(question.split())}{_ANSWERED}{answer}"


def own_words(task: str) -> list[str]:
    """What the person has said of a task, and then each answer, without the questions that `clarified` put in."""
    first, *rest = task.split(_ASKED)
    return [first, *(part.partition(_ANSWERED)[2] for part in rest)]


class IntentClassifier(Protocol):
    """Looks at a request before anything is planned."""

    async def classify(self, request: PlanRequest, run: Run) -> Intent:
        """What becomes of the request.

        An answer to a question that was asked back is in `request.task`, see `own_words`; where there was nobody to
        answer, the question ends `request.history`.
        """
        ...
