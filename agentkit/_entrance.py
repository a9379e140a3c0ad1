"""The entrance of a run: what kind of request it is, and which agent with which tools takes it on.

A request is judged by the agent's intent classifier. It goes on as it is, with a part of the tools, or to another
agent, whose own classifier is then asked; or it is declined, or a person is asked what is meant. Every verdict and
every answer is an event, and what an interrupted run has in its journal is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Protocol

from agentkit._asking import answer_of
from agentkit._loop import Ended
from agentkit._selecting import calls_of
from agentkit.errors import DefinitionError, ModelError
from agentkit.events import Event, IntentClarified, IntentJudged, PlanProposed
from agentkit.limits import LimitReached
from agentkit.messages import ModelSettings
from agentkit.models.ids import resolve_model
from agentkit.plan import JsonSchema
from agentkit.planning import Example, Intent, IntentClassifier, Planner, PlanRequest, ToolSelector, clarified
from agentkit.policy import Policy
from agentkit.protocols import Model
from agentkit.reflection import Reflection
from agentkit.run import Run
from agentkit.toolbox import Toolbox

MAX_QUESTIONS = 2
"""How often a person is asked what is meant before the run ends with the question."""


class Acts(Protocol):
    """What an agent brings to a run."""

    @property
    def name(self) -> str: ...
    @property
    def intent(self) -> IntentClassifier | None: ...
    @property
    def agents(self) -> Sequence[Acts]: ...
    @property
    def toolbox(self) -> Toolbox: ...
    @property
    def instructions(self) -> str: ...
    @property
    def examples(self) -> Sequence[Example]: ...
    @property
    def validators(self) -> Sequence[Any]: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def output_schema(self) -> JsonSchema | None: ...
    @property
    def model(self) -> str | Model | None: ...
    @property
    def model_settings(self) -> ModelSettings: ...
    @property
    def planner(self) -> Planner | str | Mapping[str, Any] | None: ...
    @property
    def reflection(self) -> Reflection: ...
    @property
    def selector(self) -> ToolSelector | None: ...


@dataclass(slots=True)
class Entered:
    """A request that has come in.

    Attributes:
        agent: Who takes it on.
        request: The request as that agent sees it.
        ended: How the run ends right here; None if it goes on.
    """

    agent: Acts
    request: PlanRequest
    ended: Ended | None = None


async def enter(
    agent: Acts, request: PlanRequest, run: Run, recorded: Sequence[Event], tool_choice: str | Sequence[str] = "auto"
) -> Entered:
    """Judge a request until it is clear what becomes of it.

    Args:
        agent: The agent that was asked.
        request: What it was asked.
        run: The run.
        recorded: Events of an interrupted run.
        tool_choice: Which tools the caller allows.

    Raises:
        DefinitionError: An intent names an agent or a tool that the agent does not have.
    """
    entered = Entered(agent, request)
    if agent.intent is None or _was_planning_without_verdict(recorded):
        return entered
    try:
        await _Entrance(run, recorded, tool_choice).judge(entered)
    except LimitReached as limit:
        entered.ended = Ended("stopped", error=f"stopped: {limit}")
    except ModelError as error:
        entered.ended = Ended("failed", error=f"the model failed: {error}")
    return entered


def acting(agent: Acts, recorded: Iterable[Event]) -> Acts:
    """The agent that has taken over the interrupted run of `agent`; itself if none has.

    Raises:
        DefinitionError: It has gone.
    """
    for event in recorded:
        if isinstance(event, IntentJudged) and event.agent:
            agent = _named(agent, event.agent)
    return agent


@dataclass(slots=True)
class _Entrance:
    run: Run
    recorded: Sequence[Event]
    tool_choice: str | Sequence[str]
    _past: list[Event] = field(init=False)
    _asked: int = 0

    def __post_init__(self) -> None:
        past: list[Event] = [event for event in self.recorded if isinstance(event, IntentJudged | IntentClarified)]
        self._past = past[::-1]

    async def judge(self, entered: Entered) -> None:
        """Ask the agent's classifier, the person, and the classifiers of agents that take over."""
        passed = [entered.agent.name]
        while entered.agent.intent is not None and entered.ended is None:
            intent = await self._intent(entered.agent.intent, entered)
            match intent.outcome:
                case "ambiguous":
                    await self._ask_back(intent.question, entered)
                case "out_of_scope":
                    entered.ended = Ended("declined", intent.reply)
                case "in_scope":
                    came_from = entered.agent
                    if intent.label:
                        self.run.label(intent.label)
                    if intent.agent:
                        self._hand_over(_named(came_from, intent.agent), entered)
                    _narrow(intent, entered)
                    if entered.agent is came_from:
                        return
                    passed.append(entered.agent.name)
                    if len(set(passed)) < len(passed):
                        entered.ended = Ended("failed", error=f"the agents hand the request round: {', '.join(passed)}")

    async def _intent(self, classifier: IntentClassifier, entered: Entered) -> Intent:
        if self._past and isinstance(event := self._past[-1], IntentJudged):
            self._past.pop()
            return _read(event)
        intent = await classifier.classify(entered.request, self.run)
        self.run.events.emit(_written(intent, entered.agent.name, self.run.clock.time()))
        return intent

    async def _ask_back(self, question: str, entered: Entered) -> None:
        """Add a person's answer to the task; without a person the run ends with the question."""
        request = entered.request
        if self._past and isinstance(event := self._past[-1], IntentClarified):
            self._past.pop()
            answer = event.answer
        elif self.run.human is None or self._asked == MAX_QUESTIONS:
            entered.ended = Ended("declined", question)
            return
        else:
            answer = str(await answer_of(self.run.human, question, None))
            self.run.events.emit(IntentClarified(self.run.clock.time(), question, answer))
        self._asked += 1
        entered.request = replace(request, task=clarified(request.task, question, answer))

    def _hand_over(self, other: Acts, entered: Entered) -> None:
        """The request as another agent sees it; the run, its budgets and the conversation stay."""
        request, run = entered.request, self.run
        brought = [tool for name, tool in request.toolbox.items() if name not in entered.agent.toolbox]
        entered.agent = other
        entered.request = replace(
            request,
            toolbox=Toolbox(_of_choice(other.toolbox, self.tool_choice), brought),
            instructions=other.instructions,
            examples=tuple(other.examples),
            validators=tuple(other.validators),
            policy=other.policy,
            output=other.output_schema,
        )
        if other.model is not None:
            run.settings = other.model_settings
            run.model = run.calling(resolve_model(other.model))


def _of_choice(toolbox: Toolbox, choice: str | Sequence[str]) -> Toolbox:
    """The tools that the caller's `tool_choice` allows; its names may be those of another agent's tools."""
    if choice in ("auto", "required"):
        return toolbox
    globs = [] if choice == "none" else [choice] if isinstance(choice, str) else choice
    return Toolbox(tool for name, tool in toolbox.items() if any(fnmatchcase(name, glob) for glob in globs))


def _narrow(intent: Intent, entered: Entered) -> None:
    """Leave the tools that the intent leads to, and the examples that need no others."""
    if not intent.tools and not intent.tags:
        return
    whole, request = entered.agent.toolbox, entered.request
    kept = whole.select(*intent.tools, tags=intent.tags)
    toolbox = Toolbox(tool for name, tool in request.toolbox.items() if name in kept or name not in whole)
    examples = tuple(one for one in request.examples if all(name in toolbox for name in calls_of(one, whole)))
    entered.request = replace(request, toolbox=toolbox, examples=examples)


def _named(agent: Acts, name: str) -> Acts:
    for other in agent.agents:
        if other.name == name:
            return other
    known = ", ".join(repr(other.name) for other in agent.agents) or "none"
    raise DefinitionError(
        f"an intent leads to the agent {name!r}, and {agent.name!r} knows: {known}; "
        "name one of them, or give the other one in Agent(agents=[…])"
    )


def _was_planning_without_verdict(recorded: Sequence[Event]) -> bool:
    """Whether the interrupted run was let in before verdicts were events."""
    judged = any(isinstance(event, IntentJudged) for event in recorded)
    return not judged and any(isinstance(event, PlanProposed) for event in recorded)


def _written(intent: Intent, judge: str, now: float) -> IntentJudged:
    return IntentJudged(
        now,
        intent.outcome,
        judge,
        intent.reply,
        intent.question,
        intent.tools,
        intent.tags,
        intent.agent,
        intent.label,
        intent.by,
        intent.score,
        intent.why,
    )


def _read(event: IntentJudged) -> Intent:
    return Intent(
        event.outcome == "in_scope",
        event.reply,
        question=event.question,
        tools=event.tools,
        tags=event.tags,
        agent=event.agent,
        label=event.label,
        by=event.by,
        score=event.score,
        why=event.why,
    )
