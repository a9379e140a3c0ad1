"""World models: what a plan may go on with, and what it would do, predicted without doing it.

Source: Hao et al., "Reasoning with Language Model is Planning with World Model" (RAP), 2023.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from agentkit.errors import DefinitionError, ModelOutputError
from agentkit.messages import Json, Message, ModelSettings, system, user
from agentkit.plan import Plan
from agentkit.planners._model import model_of
from agentkit.planners.prompt import task_text
from agentkit.planning import Attempt, PlanRequest
from agentkit.run import Run
from agentkit.spelling import read_python

Line: TypeAlias = str
"""A step of a plan in restricted Python, such as ``top = top_products(count=1)`` or ``answer(top[0])``."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a step would do.

    Attributes:
        state: The state after it. States that are equal are searched once.
        reward: What it costs besides its length, as a number of at most 0.
    """

    state: Hashable
    reward: float = 0.0


class World(Protocol):
    """One request as a search sees it."""

    async def start(self) -> Hashable:
        """The state that plans start from: now, after everything that this run has already done."""
        ...

    async def actions(self, state: Hashable) -> Sequence[Line]:
        """The steps that a plan may go on with, the most promising first."""
        ...

    async def predict(self, state: Hashable, action: Line) -> Prediction:
        """What a step would do."""
        ...

    async def done(self, state: Hashable) -> bool:
        """Whether a plan may end in a state."""
        ...

    async def value(self, state: Hashable) -> float:
        """How promising a state is, from 0 to 1; of a state where a plan ends, how good that end is."""
        ...

    def plan(self, actions: Sequence[Line]) -> Plan:
        """The plan of some steps, with an answer."""
        ...


class WorldModel(Protocol):
    """Where worlds come from. It keeps nothing of them, so it serves many runs at once."""

    def world(self, request: PlanRequest, run: Run) -> World:
        """The world of a request.

        Raises:
            DefinitionError: It needs something that the run lacks, such as a model.
        """
        ...


GUIDE = """\
You look for the best plan for a task. A plan is a short program in a small subset of Python: each line calls a tool \
below with keyword arguments and gives the result a name, for example top = fetch_top_products(num_products=3); later \
lines use results by their names: cost = price_of(name=top[0].name); the last line is answer(...). Never invent values.
You are shown a task and the lines of a plan so far, each with the result that is expected of it. Nothing has run."""

NEXT = "Write {count} different lines, the best first, with which the plan may go on. If everything is known, answer."
OUTCOME = """\
Predict the result of the last line, briefly, and say how likely it is, from 0 to 1, that a plan with these lines does \
the task."""


@dataclass(frozen=True, slots=True)
class _Imagined:
    """A plan so far, with what is expected of each line."""

    lines: tuple[Line, ...] = ()
    outcomes: tuple[str, ...] = ()
    promise: float = 0.5
    ended: bool = False


class ModelWorld:
    """The run's model as world model: it proposes lines, and predicts the outcome of each; both as constrained JSON.

    One model call for the lines that a state may go on with, and one for each outcome. Lines that the checker refuses
    drop out without one.

    Args:
        branching: How many lines to ask for at each state.
        settings: Sampling settings; temperature 0 by default.

    Raises:
        DefinitionError: `branching` is below 1.
    """

    def __init__(self, branching: int = 3, *, settings: ModelSettings | None = None) -> None:
        if branching < 1:
            raise DefinitionError(f"branching is {branching}; give 1 or more")
        self._branching = branching
        self._settings = settings or ModelSettings(temperature=0.0, max_tokens=500)

    def world(self, request: PlanRequest, run: Run) -> World:
        """The world of a request.

        Raises:
            DefinitionError: The run has no model.
        """
        model_of(run, "TreeSearch")
        return _ImaginedWorld(request, run, self._branching, self._settings)


class _ImaginedWorld:
    """A world in a model's imagination."""

    def __init__(self, request: PlanRequest, run: Run, branching: int, settings: ModelSettings) -> None:
        self._request = request
        self._model = model_of(run, "TreeSearch")
        self._branching = branching
        self._settings = settings.for_profile(self._model.profile)
        parts = (request.instructions, GUIDE, "Tools:\n" + request.toolbox.signatures())
        self._prefix = system("\n\n".join(part for part in parts if part), cache=True)

    async def start(self) -> Hashable:
        """Nothing is planned yet; what has run is part of the task's text."""
        return _Imagined()

    async def actions(self, state: Hashable) -> Sequence[Line]:
        """Lines that the model proposes and the checker accepts after those so far."""
        now = _imagined(state)
        line: dict[str, Json] = {"type": "string", "minLength": 1}
        lines: dict[str, Json] = {"type": "array", "items": line, "minItems": 1, "maxItems": self._branching}
        said = await self._asked(now, NEXT.format(count=self._branching), {"lines": lines}, "search:propose")
        proposed = dict.fromkeys(one.strip() for one in said.get("lines", ()))
        return [one for one in proposed if self._accepted((*now.lines, one))]

    async def predict(self, state: Hashable, action: Line) -> Prediction:
        """The result that the model expects; malformed predictions make a dead end."""
        now = _imagined(state)
        lines = (*now.lines, action)
        ended = self.plan(lines).answer is not None
        then = replace(now, lines=lines, outcomes=(*now.outcomes, ""), ended=ended)
        schema: dict[str, Json] = {
            "outcome": {"type": "string"},
            "promise": {"type": "number", "minimum": 0, "maximum": 1},
        }
        said = await self._asked(then, OUTCOME, schema, "search:predict")
        outcomes = (*now.outcomes, str(said.get("outcome", "")))
        return Prediction(replace(then, outcomes=outcomes, promise=float(said.get("promise", 0.0))))

    async def done(self, state: Hashable) -> bool:
        """Whether the last line is an answer."""
        return _imagined(state).ended

    async def value(self, state: Hashable) -> float:
        """What the model said of the last line."""
        return _imagined(state).promise

    def plan(self, actions: Sequence[Line]) -> Plan:
        """The program of the lines."""
        request = self._request
        names = (*request.inputs, *request.given)
        plan = read_python("\n".join(actions) + "\n", request.toolbox, given=names, partial=True)
        return replace(plan, goal=request.task, inputs={**request.inputs, **plan.inputs})

    def _accepted(self, lines: Sequence[Line]) -> bool:
        plan = self.plan(lines)
        return self._request.check(plan, partial=plan.answer is None).ok

    async def _asked(self, state: _Imagined, ask: str, properties: Mapping[str, Json], purpose: str) -> dict[str, Json]:
        """The model's answer about a state; empty if it gives none of the right form."""
        schema: dict[str, Json] = {
            "type": "object",
            "properties": dict(properties),
            "required": list(properties),
            "additionalProperties": False,
        }
        messages: tuple[Message, ...] = (self._prefix, user(f"{self._told(state)}\n\n{ask}"))
        try:
            said = await self._model.json(messages, schema, purpose=purpose, settings=self._settings)
        except ModelOutputError:
            return {}
        return dict(said)

    def _told(self, state: _Imagined) -> str:
        parts = [f"Task: {task_text(self._request)}"]
        parts += [_happened(attempt) for attempt in self._request.attempts[-3:]]
        shown = [
            f"{line}" + (f"  # expected: {outcome}" if outcome else "")
            for line, outcome in zip(state.lines, state.outcomes, strict=True)
        ]
        parts.append("The plan so far:\n" + ("\n".join(shown) or "(nothing)"))
        return "\n\n".join(parts)


def _imagined(state: Hashable) -> _Imagined:
    if not isinstance(state, _Imagined):
        raise TypeError(f"{state!r} is no state of this world")
    return state


def _happened(attempt: Attempt) -> str:
    """What became of an earlier plan."""
    if attempt.outcome is None:
        reason = attempt.verdict.reason if attempt.verdict else "; ".join(str(one) for one in attempt.errors[:5])
        return f"This plan was refused: {reason}\n{attempt.source.strip()}"
    reason = attempt.verdict.reason if attempt.verdict and attempt.verdict.reason else attempt.outcome.error
    results = json.dumps(attempt.outcome.named, ensure_ascii=False)[:1_000]
    return f"This plan ran and failed: {reason}\n{attempt.source.strip()}\nIts results: {results}"
