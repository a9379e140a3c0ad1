"""Which of two plans is better? Asked of a model, in both orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from agentkit.certificate import Certificate
from agentkit.errors import ModelOutputError
from agentkit.messages import GrammarOutput, ModelRequest, ModelSettings, system, user
from agentkit.planners._model import model_of
from agentkit.planners.prompt import task_text
from agentkit.planning import PlanRequest
from agentkit.run import Run

Preference: TypeAlias = Literal["first", "second", "tie"]

GUIDE = """\
You compare two plans for a task. Both can run. Which one is more likely to give exactly what was asked, with every \
part of the task covered and nothing done that was not asked? Answer with one letter: A or B."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan to be judged: its text, and what it can do at most."""

    source: str
    certificate: Certificate


class Judge(Protocol):
    """Compares plans for a task."""

    async def prefer(self, request: PlanRequest, first: Candidate, second: Candidate, run: Run) -> Preference:
        """Which plan is better."""
        ...


class ModelJudge:
    """Asks the run's model twice, with the plans in both orders; when it contradicts itself, that is a tie.

    Models favour a position whatever stands there: Wang et al., "Large Language Models are not Fair Evaluators", 2023.
    """

    async def prefer(self, request: PlanRequest, first: Candidate, second: Candidate, run: Run) -> Preference:
        """Which plan is better; two model calls.

        Raises:
            DefinitionError: The agent has no model.
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
        """
        straight = await self._letter(request, first, second, run)
        swapped = await self._letter(request, second, first, run)
        if straight == swapped:
            return "tie"
        return "first" if straight == "A" else "second"

    async def _letter(self, request: PlanRequest, a: Candidate, b: Candidate, run: Run) -> str:
        model = model_of(run, "the judge")
        profile = model.model.profile
        parts = [request.instructions, GUIDE, "Tools:\n" + request.toolbox.signatures()]
        prefix = system("\n\n".join(part for part in parts if part), cache=True)
        asked = f"Task: {task_text(request)}\n\n{_shown('A', a)}\n\n{_shown('B', b)}\n\nWhich plan is better, A or B?"
        output = GrammarOutput('start: "A" | "B"') if profile.grammar else None
        settings = ModelSettings(temperature=0.0, max_tokens=4).for_profile(profile)
        return await model.parsed(
            ModelRequest((prefix, user(asked)), output=output, settings=settings), _a_or_b, purpose="judge"
        )


def _shown(letter: str, candidate: Candidate) -> str:
    return f"Plan {letter} ({candidate.certificate}):\n{candidate.source.strip()}"


def _a_or_b(text: str) -> str:
    letter = text.strip().removeprefix("Plan ").strip(" .:*()\"'").upper()[:1]
    if letter not in ("A", "B"):
        raise ModelOutputError("the reply is neither A nor B")
    return letter
