"""Who judges: a rule, a scorer, or a model."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, TypeAlias

from agentkit.errors import DefinitionError
from agentkit.messages import Json, Message, ModelSettings, assistant, system, user
from agentkit.planning import Point, Situation, Verdict
from agentkit.reflection import grounds, problem_of_evidence
from agentkit.run import Run
from agentkit.spelling import write_python

Score: TypeAlias = Callable[[Situation], float | Awaitable[float]]

_LONGEST_VALUE = 300
_MOST_STEPS = 40


class Scorer:
    """Judges by a number: content if the score is at least the threshold.

    Args:
        score: A function of the situation.
        at_least: The threshold.
        name: Who says so; the function's name by default.
    """

    def __init__(self, score: Score, *, at_least: float, name: str = "") -> None:
        self._score = score
        self._at_least = at_least
        self._name = name or str(getattr(score, "__name__", "scorer"))

    async def judge(self, situation: Situation, run: Run) -> Verdict:
        """The score against the threshold; a score that is no number is below it."""
        found = self._score(situation)
        score = float(await found if isawaitable(found) else found)
        if score >= self._at_least:
            return Verdict(True, "", self._name, score)
        reason = f"the score {score:.3g} of {self._name!r} is below {self._at_least:g}"
        return Verdict(False, reason, self._name, None if math.isnan(score) else score)


_QUESTIONS: Mapping[Point, str] = {
    "feasibility": "Can this task be done with these tools? Be content unless it clearly cannot.",
    "plan": "Is this a good plan for the task? Look for missing parts, wrong arguments and harm.",
    "step": "Is the result of this step what the plan needs, so that going on makes sense?",
    "outcome": "Is the goal reached? Trust only the results of the steps, not what the answer claims. "
    "Name in `evidence` the steps whose results show it.",
}


class ModelJudge:
    """Asks the run's model for a verdict: content or not, why, and which steps show it.

    After the whole, a verdict that is content must name steps as evidence. One that names none, or a step that did not
    run or gave nothing, is asked for once more and then refused.

    Args:
        criteria: What to look at besides the task, in words.
        at_least: Ask for a score from 0 to 1 as well, and be content only from here on.
        settings: Sampling settings; temperature 0 by default.
        name: Who says so.
    """

    def __init__(
        self,
        criteria: str = "",
        *,
        at_least: float | None = None,
        settings: ModelSettings | None = None,
        name: str = "model",
    ) -> None:
        self._criteria = criteria
        self._at_least = at_least
        self._settings = settings or ModelSettings(temperature=0.0, max_tokens=400)
        self._name = name

    async def judge(self, situation: Situation, run: Run) -> Verdict:
        """The model's verdict.

        Raises:
            DefinitionError: The run has no model.
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
        """
        if run.model is None:
            raise DefinitionError(f"the judge {self._name!r} asks a model and the run has none; give the agent a model")
        known = grounds(situation)
        settings = self._settings.for_profile(run.model.model.profile)
        messages = self._messages(situation)
        schema = self._schema(situation.point, known)
        verdict = Verdict(False)
        for _ in range(2):
            said = await run.model.json(messages, schema, purpose=f"reflect:{situation.point}", settings=settings)
            verdict = self._verdict(said)
            problem = self._problem(verdict, situation, known)
            if not problem:
                return verdict
            complaint = f"That verdict is refused: {problem}. Judge again by what the steps really gave."
            messages = (*messages, assistant(json.dumps(said, ensure_ascii=False)), user(complaint))
            verdict = Verdict(False, f"the verdict of {self._name!r} is refused: {problem}", self._name, verdict.score)
        return verdict

    def _problem(self, verdict: Verdict, situation: Situation, known: Mapping[str, Json]) -> str:
        if situation.point != "outcome" or not verdict.done:
            return ""
        if known and not verdict.evidence:
            return "it names no step that shows it"
        return problem_of_evidence(verdict, known)

    def _verdict(self, said: Any) -> Verdict:
        score = said.get("score")
        done, reason = said["content"], said["reason"]
        if done and self._at_least is not None and score < self._at_least:
            done, reason = False, f"{reason} (score {score:g}, below {self._at_least:g})"
        return Verdict(done, reason, self._name, score, tuple(said.get("evidence", ())))

    def _schema(self, point: Point, known: Mapping[str, Json]) -> dict[str, Json]:
        properties: dict[str, Json] = {"reason": {"type": "string"}}
        if point == "outcome":
            step: dict[str, Json] = {"enum": list(known)} if 0 < len(known) <= _MOST_STEPS else {"type": "string"}
            properties["evidence"] = {"type": "array", "items": step}
        if self._at_least is not None:
            properties["score"] = {"type": "number", "minimum": 0, "maximum": 1}
        properties["content"] = {"type": "boolean"}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def _messages(self, situation: Situation) -> tuple[Message, ...]:
        asked = "\n".join(part for part in (_QUESTIONS[situation.point], self._criteria) if part)
        return (
            system(f"You judge the work of an assistant that plans and calls tools. {asked}"),
            user(_told(situation)),
        )


def _told(situation: Situation) -> str:
    """What the model is told about the situation."""
    request = situation.request
    parts = [f"Task: {request.task}"]
    parts += [f"Must hold: {constraint}" for constraint in request.constraints]
    if situation.plan is None:
        parts.append("Tools:\n" + request.toolbox.signatures())
    else:
        parts.append("Plan:\n" + write_python(situation.plan, request.toolbox))
    if situation.step is not None:
        parts.append(f"Step {situation.step.step!r} gave: {_short(situation.step.value)}")
    elif situation.outcome is not None:
        steps = [f"{name} = {_short(value)}" for name, value in list(grounds(situation).items())[:_MOST_STEPS]]
        parts.append("Steps that are done:\n" + ("\n".join(steps) or "none"))
        parts.append(f"Answer: {_short(situation.outcome.value)}")
    return "\n\n".join(parts)


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"
