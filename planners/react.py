"""ReAct: a thought, an action, an observation, and again, until the answer.

Source: Yao et al., "ReAct: Synergizing Reasoning and Acting in Language Models", 2022.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal, TypeAlias

from agentkit.errors import DefinitionError
from agentkit.messages import GrammarOutput, Message, ModelProfile, ModelRequest, ModelSettings, assistant, system, user
from agentkit.planners._model import model_of
from agentkit.planners._native import answered, called, offered, spoken_natively
from agentkit.planners._places import place
from agentkit.planners._turns import Conversation, Observation, conversation_of
from agentkit.planners.primer import REACT_PRIMER
from agentkit.planners.prompt import task_text, told
from agentkit.planning import Attempt, PlanningEnded, PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import line_grammar, read_python

Protocol: TypeAlias = Literal["native", "text"]

TEXT_GUIDE = """\
You solve a task step by step. In each turn write one thought and one action, and stop:
Thought: what you know, and what you need next
Action: one line of Python that calls a tool below with keyword arguments and names the result, for example \
top = fetch_top_products(num_products=3)
What the action gave is told to you as an observation. Later actions may use it by its name: \
cost = price_of(name=top[0].name)
When you know the answer, the action is answer(...), for example answer(f"It costs {cost}.")
Never invent values. Pure functions: len sum min max sorted any all round abs str int float range."""

NATIVE_GUIDE = """\
You solve a task step by step with the tools that you have. Before each call say in a sentence what you need next. \
Never invent values. When you know the answer, give it in plain text and call nothing."""

_ACTION = re.compile(r"^[ \t]*Action(?:[ \t]*\d+)?[ \t]*:[ \t]*", re.MULTILINE | re.IGNORECASE)
_THOUGHT = re.compile(r"^[ \t]*Thought(?:[ \t]*\d+)?[ \t]*:[ \t]*", re.IGNORECASE)
_OBSERVATION = re.compile(r"^[ \t]*Observation(?:[ \t]*\d+)?[ \t]*:", re.MULTILINE | re.IGNORECASE)
_ACTIONS = frozenset({"call", "for_each"})
_THOUGHT_BEFORE = r'"Thought: " /[^\n]{1,300}/ "\nAction: "'
_FINISH = re.compile(r"^(?:finish|final)[ \t]*\[(?P<text>.*)\]$", re.IGNORECASE | re.DOTALL)


class ReAct:
    """Plans one step at a time, seeing the result of each before it decides on the next.

    Each action is a plan of one step (or a few calls at once), checked like any other. Models with native tool calling
    use it; the others write a line of restricted Python, in which results of earlier turns can be named. A refused or
    failed action is an observation, from which the model goes on. `Limits.turns` bounds the turns.

    An action that does again what an earlier turn did, with the same result, is pointed out to the model. When it goes
    on repeating itself, the run is stopped and says so.

    Args:
        protocol: ``native`` tool calls or ``text``. By default the model's profile decides; a task with inputs is done
            in text, where these can be named.
        patience: How many repetitions in a row are pointed out to the model before the next one stops the run.
        longest: Characters of one value that an observation shows at most.
        settings: Sampling settings.

    Raises:
        DefinitionError: `protocol` is unknown, `patience` is below 0, or `longest` below 1.
    """

    def __init__(
        self,
        *,
        protocol: Protocol | None = None,
        patience: int = 2,
        longest: int = 4_000,
        settings: ModelSettings | None = None,
    ) -> None:
        if protocol not in (None, "native", "text"):
            raise DefinitionError(f"protocol is {protocol!r}; give 'native', 'text' or None")
        if patience < 0 or longest < 1:
            raise DefinitionError(f"patience is {patience} and longest is {longest}; give at least 0 and at least 1")
        self._protocol = protocol
        self._patience = patience
        self._longest = longest
        self._settings = settings or ModelSettings(temperature=0.0, max_tokens=700)

    async def propose(self, request: PlanRequest, run: Run) -> Proposal:
        """The next action, or the answer.

        Raises:
            DefinitionError: The agent has no model.
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
            PlanningEnded: The model does the same over and over.
        """
        model = model_of(run, "ReAct")
        profile = model.model.profile
        native = (self._protocol or ("native" if profile.tools and not request.inputs else "text")) == "native"
        talk = conversation_of(self, request, run, lambda: self._begin(request, profile, native=native))
        if talk.repeated > self._patience:
            raise PlanningEnded(
                f"the model repeated earlier turns {talk.repeated} times in a row, with the same results; "
                f"the last time it was: {_action(request.attempts[-1])}"
            )
        settings = self._settings.for_profile(profile)
        if native:
            tools = offered(request)
            choice = "required" if _owes_a_call(request) else "auto"
            asked = ModelRequest(tuple(talk.messages), tools=tools, tool_choice=choice, settings=settings)
            response = await model.request(asked, purpose="act")
            return called(response, request) if response.tool_calls else answered(response.text)
        if "stop" in profile.settings:
            settings = replace(settings, stop=(*settings.stop, "\nObservation:"))
        output = _typed(request, profile) if profile.grammar and profile.decoding == "typed" else None
        response = await model.request(
            ModelRequest(tuple(talk.messages), output=output, settings=settings), purpose="act"
        )
        return _acted(response.text, request)

    def _begin(self, request: PlanRequest, profile: ModelProfile, *, native: bool) -> Conversation:
        primer = REACT_PRIMER if profile.primer and not native else ""
        guide = NATIVE_GUIDE if native else f"{TEXT_GUIDE}\n\nTools:\n{request.toolbox.signatures()}"
        plans = "\n\n".join(f"{one.task}\n{one.plan.strip()}" for one in request.examples)
        examples = f"Tasks like yours, and programs that would solve them:\n\n{plans}" if plans else primer
        prefix = "\n\n".join(part for part in (request.instructions, guide, examples) if part)
        before = request.history if native else told(request.history)
        opening = (system(prefix, cache=True), *before, user(task_text(replace(request, given={}))))
        return Conversation(opening, spoken_natively if native else _spoken, self._longest, request.toolbox)


def _typed(request: PlanRequest, profile: ModelProfile) -> GrammarOutput:
    """A thought, and an action that fits the tools and what earlier ones gave."""
    action = replace(place((), 0, request), opens=False)
    kinds = _ACTIONS if profile.kinds is None else _ACTIONS & profile.kinds
    return GrammarOutput(line_grammar(request.toolbox, [action], kinds, before=_THOUGHT_BEFORE))


def _owes_a_call(request: PlanRequest) -> bool:
    """Whether the request requires a call and none has run."""
    return request.tool_choice == "required" and not any(attempt.outcome for attempt in request.attempts)


def _spoken(attempt: Attempt, observation: Observation) -> tuple[Message, ...]:
    return assistant(attempt.source), user(f"Observation: {observation}")


def _acted(reply: str, request: PlanRequest) -> Proposal:
    """The proposal that a reply in the text protocol stands for."""
    said = _OBSERVATION.split(reply, maxsplit=1)[0].strip()
    thought, code = _parted(said)
    source = said if _ACTION.search(said) else f"Thought: {thought}\nAction: {code}"
    names = (*request.inputs, *request.given)
    finish = _FINISH.match(code)
    if finish is not None:
        return replace(answered(finish["text"].strip()), source=said)
    plan = read_python(f"{code}\n", request.toolbox, partial=True, given=names)
    if plan.answer is None and not plan.steps and not plan.problems:
        plan = read_python(code, request.toolbox, given=names)
    final = plan.answer is not None or not (plan.steps or plan.problems)
    plan = replace(plan, goal=request.task, inputs={**request.inputs, **plan.inputs})
    return Proposal(plan, source, final=final, notes={"thought": thought})


def _parted(said: str) -> tuple[str, str]:
    """The thought and the action of a reply; a reply that marks no action is one, after its thought."""
    marks = list(_ACTION.finditer(said))
    if marks:
        end = marks[1].start() if len(marks) > 1 else len(said)
        thought, code = said[: marks[0].start()].strip(), said[marks[0].end() : end]
    elif _THOUGHT.match(said):
        thought, _, code = said.partition("\n")
    else:
        thought, code = "", said
    return _THOUGHT.sub("", thought, count=1).strip(), code.strip()


def _action(attempt: Attempt) -> str:
    """What an attempt called, on one line."""
    code = _parted(attempt.source)[1]
    lines = [line for line in code.splitlines() if not line.startswith("#")]
    return " ".join(" ".join(lines).split())[:200]
