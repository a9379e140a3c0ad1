"""Reflexion: when a try does not reach the goal, say in words what to learn from it, and try anew with these lessons.

Source: Shinn et al., "Reflexion: Language Agents with Verbal Reinforcement Learning", 2023.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agentkit.errors import DefinitionError
from agentkit.messages import Json, ModelSettings, system, user
from agentkit.planners._model import model_of
from agentkit.planners._turns import observed
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planning import Attempt, LessonStore, Planner, PlanRequest, Proposal
from agentkit.run import Run

GUIDE = """\
You look back at a try at a task that did not reach its goal. Say in one to three sentences what went wrong and what \
to do differently in the next try. Be concrete: name the tool, the value or the line. Write nothing else."""

_SHOWN = 1_500
"""Characters of a value, a plan or a reason that are shown."""


class Reflexion:
    """Another planner, made to learn from its failures.

    A try ends when its answer is judged. The evaluator is whatever judges the agent's outcomes: tests, a function, a
    model. After a try that is not good enough the model reflects on it, and the planner starts anew with the lessons of
    all tries in its task. `Limits.replans` bounds the tries.

    Args:
        planner: Plans each try; plan-and-execute by default.
        lessons: Where lessons are kept for later runs and recalled from; by default in the agent's memory, if it has
            one. With neither they last for one run.
        settings: Sampling settings of the reflection.
    """

    def __init__(
        self,
        planner: Planner | None = None,
        *,
        lessons: LessonStore | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        self._planner = planner or PlanAndExecute()
        self._lessons = lessons
        self._settings = settings or ModelSettings(temperature=0.0, max_tokens=200)

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        """A plan of the present try; the first plan of a further try comes after a reflection on the last one.

        Raises:
            DefinitionError: The agent has no model.
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
        """
        starts = _starts(request.attempts)
        notes: dict[str, Json] = {}
        learnt = [attempt.notes["lesson"] for attempt in request.attempts if attempt.notes.get("lesson")]
        if starts[-1] == len(request.attempts) and len(starts) > 1:
            lesson = await self._reflect(request.attempts[starts[-2] :], request, run)
            notes["lesson"] = lesson
            learnt.append(lesson)
        recalled = await self._recalled(request, run)
        if recalled and not request.attempts:
            notes["recalled"] = recalled
        last = request.attempts[starts[-1] - 1] if len(starts) > 1 else None
        inner = replace(
            request, task=_task(request.task, recalled, learnt, last), attempts=request.attempts[starts[-1] :]
        )
        proposal = await self._planner.propose(inner, run)
        return None if proposal is None else replace(proposal, notes={**proposal.notes, **notes})

    async def _recalled(self, request: PlanRequest, run: Run) -> list[str]:
        """Lessons of earlier runs; looked up once a run, since a prompt that changes is read anew."""
        if request.attempts:
            return list(request.attempts[0].notes.get("recalled", ()))
        lessons = self._lessons or request.lessons
        found = [] if lessons is None else await lessons.recall(request.task, run)
        return [lesson for lesson in found if lesson not in request.recalled]

    async def _reflect(self, tried: Sequence[Attempt], request: PlanRequest, run: Run) -> str:
        model = model_of(run, "Reflexion")
        told = "\n".join(_told(attempt) for attempt in tried)
        messages = (system(GUIDE, cache=True), user(f"Task: {request.task}\n\n{told}"))
        settings = self._settings.for_profile(model.model.profile)
        lesson = await model.text(messages, purpose="reflect", settings=settings)
        lessons = self._lessons or request.lessons
        if lessons is not None:
            await lessons.add(request.task, lesson, run)
        return lesson


class ListLessons:
    """Lessons in a list, for one process, each user's for themselves.

    Those of the tasks that share most words with a task are recalled for it.

    Args:
        most: How many lessons are recalled.

    Raises:
        DefinitionError: `most` is less than 1.
    """

    def __init__(self, most: int = 3) -> None:
        if most < 1:
            raise DefinitionError(f"most is {most}; give 1 or more")
        self._kept: list[tuple[str, str, str]] = []
        self._most = most

    @property
    def lessons(self) -> list[tuple[str, str]]:
        """Tasks with their lessons, of all users, oldest first."""
        return [(task, lesson) for _, task, lesson in self._kept]

    async def recall(self, task: str, run: Run) -> Sequence[str]:
        """The user's lessons of the likest tasks, the likest first and of equal ones the newest."""
        words = _words(task)
        scored = [
            (len(words & _words(other)) / len(words | _words(other)), position, lesson)
            for position, (user, other, lesson) in enumerate(self._kept)
            if user == run.user and words & _words(other)
        ]
        return [lesson for _, _, lesson in sorted(scored, reverse=True)[: self._most]]

    async def add(self, task: str, lesson: str, run: Run) -> None:
        """Keep a lesson of the run's user."""
        self._kept.append((run.user, task, lesson))


def _starts(attempts: Sequence[Attempt]) -> list[int]:
    """Where each try begins: the first at 0, the next after a plan that ran and was judged not to reach the goal."""
    judged = (
        position + 1
        for position, attempt in enumerate(attempts)
        if attempt.outcome is not None and attempt.verdict is not None and not attempt.verdict.done
    )
    return [0, *judged]


def _task(task: str, recalled: Sequence[str], learnt: Sequence[str], last: Attempt | None) -> str:
    """The task with what is to be learnt from earlier tries at it, and at others like it."""
    parts = [task]
    if recalled:
        parts.append("\n".join(["Learnt from tasks like this one:", *(f"- {lesson}" for lesson in recalled)]))
    if learnt:
        parts.append("\n".join(["Learnt from earlier tries at this task:", *(f"- {lesson}" for lesson in learnt)]))
    if last is not None:
        parts.append(f"The last try:\n{_told(last)}")
    return "\n\n".join(parts)


def _told(attempt: Attempt) -> str:
    """A plan and what came of it."""
    lines = [attempt.source.strip()[:_SHOWN], str(observed(attempt, _SHOWN))]
    return "\n".join(line for line in lines if line)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower()))
