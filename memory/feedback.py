"""Lessons: what people correct and what keeps failing, kept so that like tasks go better the next time."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from agentkit.errors import DefinitionError, UnknownMemoryError
from agentkit.events import Event, StepFinished, StepRetried, StepStarted
from agentkit.memory._sentences import third_person
from agentkit.memory.audit import Decided
from agentkit.memory.extraction import Candidate
from agentkit.memory.recall import LongTermMemory
from agentkit.memory.records import Filter, Memory, Scope
from agentkit.memory.statements import Grammar
from agentkit.messages import Json
from agentkit.remembering import Turn
from agentkit.run import Run
from agentkit.transcript import text_of

Trigger: TypeAlias = Literal["correction", "edit", "thumbs_down", "tool_failure", "reflection"]
"""What a lesson was learnt from; it stands in the record's metadata."""

_TOLD = "use|do not|don't|take|count|show|give|include|exclude|round|sort|write|answer"
_CORRECTION = re.compile(
    r"^(?:(?:no|nope|wrong|incorrect|correction)\b[,.:;!]* "
    r"|(?:that|this|it)(?: is|'s) (?:wrong|not right|incorrect|not what i \w+)[,.:;!]* (?:it should be )?"
    rf"|(?:actually,?|please|you should) (?={_TOLD})|you should have |i (?:meant|asked for) |not [\w ]+, (?:but )?)+"
    r"(?P<what>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST = 500
_SHOWN = 200


class Learns(Protocol):
    """Decides about candidates and keeps what is decided; see `Manager`."""

    async def learn(
        self,
        candidates: Iterable[Candidate | str],
        *,
        scope: Scope,
        owner: Scope | None = None,
        by: str = "user",
        run: Run | None = None,
    ) -> list[Decided]:
        """A decision on each candidate."""
        ...

    async def edit(self, id: str, text: str, *, scope: Scope, by: str = "user") -> Memory:
        """Put another text into a memory."""
        ...


class Lessons:
    """Lessons of one long-term memory: learnt, listed, edited, withdrawn. `Manager.lessons` is one.

    A lesson is a memory of the kind ``lesson``. It belongs to a user, an agent or a session, is found by the task that
    it was learnt at, and says where it comes from. Lessons for like tasks that tell different things follow the
    manager's policy for contradictions.

    Args:
        memory: Where lessons are kept.
        manager: What compares a new lesson with those that are known.
        learn_failures_from: How often a tool call must fail in one run, in one way, for a lesson.
    """

    def __init__(self, memory: LongTermMemory, manager: Learns, *, learn_failures_from: int = 2) -> None:
        self._least = learn_failures_from
        self._memory = memory
        self._manager = manager

    # learning

    async def correct(
        self, task: str, correction: str, *, scope: Scope, owner: Scope | None = None, run: Run | None = None
    ) -> Decided:
        """Learn from what a person said about the answer to `task`, such as "No, use net revenue"."""
        found = _CORRECTION.match(correction.strip()[:_LONGEST])
        text = _sentence(found["what"] if found else correction)
        return await self.learn(task, text, "correction", scope=scope, owner=owner, run=run, quote=correction)

    async def edited(
        self, task: str, before: Json, after: Json, *, scope: Scope, owner: Scope | None = None, run: Run | None = None
    ) -> Decided | None:
        """Learn from how a person changed the answer to `task`; None if nothing was changed."""
        old, new = text_of(before), text_of(after)
        if old == new:
            return None
        text = _edit(old, new)
        return await self.learn(task, text, "edit", scope=scope, owner=owner, run=run, quote=new[:_LONGEST])

    async def thumbs_down(
        self, task: str, reason: str, *, scope: Scope, owner: Scope | None = None, run: Run | None = None
    ) -> Decided:
        """Learn why a person did not like the answer to `task`."""
        text = f"The user did not like the answer: {_sentence(reason)}" if reason.strip() else ""
        return await self.learn(task, text, "thumbs_down", scope=scope, owner=owner, run=run, quote=reason)

    async def failures(
        self, task: str, events: Iterable[Event], *, scope: Scope, owner: Scope | None = None, run: Run | None = None
    ) -> list[Decided]:
        """Learn from tool calls that failed again and again in a run's events, retries counted."""
        return [
            await self.learn(
                task, one.lesson, "tool_failure", scope=scope, owner=owner, run=run, quote=one.error, tool=one.tool
            )
            for one in repeated_failures(events, self._least)
        ]

    async def after_turn(self, turn: Turn, run: Run, *, owner: Scope) -> list[Decided]:
        """Learn from what the turn says about the one before it, and from what failed in it."""
        scope = Scope(turn.owner.user, turn.owner.agent, turn.owner.session)
        done = await self.failures(turn.task, run.events, scope=scope, owner=owner, run=run)
        before = [message.content for message in turn.history if message.role == "user"]
        if before and _is_correction(turn.task):
            done.append(await self.correct(before[-1], turn.task, scope=scope, owner=owner, run=run))
        return done

    async def learn(
        self,
        task: str,
        text: str,
        trigger: Trigger,
        *,
        scope: Scope,
        owner: Scope | None = None,
        run: Run | None = None,
        quote: str = "",
        tool: str = "",
    ) -> Decided:
        """Keep a lesson, as it is.

        Args:
            task: What it was learnt at, and is found by.
            text: The lesson.
            trigger: What it was learnt from.
            scope: On whose behalf.
            owner: Whose it is; `scope` if not given.
            run: The run that it was learnt in.
            quote: The words that it rests on.
            tool: The tool that it is about.

        Raises:
            DefinitionError: The lesson says nothing.
        """
        if not quote.strip(" .") and not text.strip(" ."):
            raise DefinitionError("a lesson needs words: say what was wrong, or what to do instead.")
        metadata: dict[str, Json] = {"trigger": trigger, **({"tool": tool} if tool else {})}
        lesson = Candidate(
            text=text, kind="lesson", context=task[:_LONGEST], quote=quote, importance=0.8, metadata=metadata
        )
        by = {"tool_failure": "manager", "reflection": "agent"}.get(trigger, "user")
        [decided] = await self._manager.learn([lesson], scope=scope, owner=owner, by=by, run=run)
        return decided

    # using

    async def recall(self, task: str, *, scope: Scope, k: int = 3) -> list[Memory]:
        """The lessons that may help with a task, best first."""
        found = await self._memory.recall(task, scope=scope, k=k, kinds=("lesson",))
        return list(found.memories)

    def store(self, *, agent: str = "", k: int = 3) -> ScopedLessons:
        """Lessons as planners keep them, for an agent without this memory: ``Reflexion(lessons=lessons.store())``.

        Args:
            agent: The agent whose lessons they are; empty for all agents of a user.
            k: How many are recalled.
        """
        return ScopedLessons(self, lambda run: (Scope(run.user, agent), Scope(run.user, agent)), k)

    def of(self, scope: Scope, owner: Scope, *, k: int = 3) -> ScopedLessons:
        """Lessons as planners keep them, for one run.

        Args:
            scope: On whose behalf.
            owner: Whose new lessons are.
            k: How many are recalled.
        """
        return ScopedLessons(self, lambda _: (scope, owner), k)

    # by hand

    async def list(self, *, scope: Scope, withdrawn: bool = False) -> Sequence[Memory]:
        """The lessons of a scope, newest first; those that hold, or all."""
        only = Filter(("lesson",), at=None if withdrawn else self._memory.now())
        return await self._memory.store.list(only, scope=scope)

    async def edit(self, id: str, text: str, *, scope: Scope) -> Memory:
        """Put another text into a lesson.

        Raises:
            UnknownMemoryError: There is none in the scope.
            MemoryScopeError: It may not be written.
        """
        return await self._manager.edit((await self._get(id, scope)).id, text, scope=scope)

    async def withdraw(self, id: str, *, scope: Scope) -> Memory:
        """End a lesson: it is recalled no more, and stays in the history. `Manager.forget` deletes.

        Raises:
            UnknownMemoryError: There is none in the scope.
            MemoryScopeError: It may not be written.
        """
        lesson, now = await self._get(id, scope), self._memory.now()
        ended = replace(lesson, valid_until=max(now, lesson.valid_from), updated=now)
        await self._memory.store.update(ended, scope=scope)
        return ended

    async def _get(self, id: str, scope: Scope) -> Memory:
        found = await self._memory.store.get(id, scope=scope)
        if found is None or found.kind != "lesson":
            raise UnknownMemoryError(f"there is no lesson {id!r} in {scope!r}; list() shows those that there are")
        return found


class ScopedLessons:
    """The port that planners recall lessons from and add them to.

    Args:
        lessons: Where they are kept.
        whose: In which scope a run acts, and whose its new lessons are.
        k: How many are recalled.
    """

    def __init__(self, lessons: Lessons, whose: Callable[[Run], tuple[Scope, Scope]], k: int) -> None:
        self._lessons = lessons
        self._whose = whose
        self._k = k

    async def recall(self, task: str, run: Run) -> Sequence[str]:
        """The lessons that may help with a task, best first."""
        scope, _ = self._whose(run)
        return [memory.text for memory in await self._lessons.recall(task, scope=scope, k=self._k)]

    async def add(self, task: str, lesson: str, run: Run) -> None:
        """Keep a lesson; one that is known already is kept once."""
        scope, owner = self._whose(run)
        await self._lessons.learn(task, lesson, "reflection", scope=scope, owner=owner, run=run)


# corrections


def _is_correction(text: str) -> bool:
    """Whether a message corrects the answer before it, and does not tell a fact of the user."""
    found = _CORRECTION.match(text.strip()[:_LONGEST])
    if found is None or text.strip().endswith("?"):
        return False
    return Grammar().read(third_person(found["what"])) is None


def _sentence(text: str) -> str:
    text = text.strip()[:_LONGEST]
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _edit(old: str, new: str) -> str:
    """What was changed, in words: the parts that differ, or the whole where little is left of it."""
    words, others = old.split(), new.split()
    match = difflib.SequenceMatcher(a=words, b=others, autojunk=False)
    if match.ratio() < 0.5:
        return f'The user changed the answer to: "{new[:_SHOWN]}".'
    parts = []
    for kind, a, b, c, d in match.get_opcodes():
        was, now = " ".join(words[a:b])[:_SHOWN], " ".join(others[c:d])[:_SHOWN]
        if kind == "replace":
            parts.append(f'"{now}" instead of "{was}"')
        elif kind == "insert":
            parts.append(f'"{now}" added')
        elif kind == "delete":
            parts.append(f'"{was}" left out')
    return f"The user changed the answer: {', '.join(parts)}."


# failures


@dataclass(frozen=True, slots=True)
class RepeatedFailure:
    """A tool call that failed several times in one way.

    Attributes:
        tool: The tool.
        error: What it said.
        times: How often.
        lesson: What to learn from it.
    """

    tool: str
    error: str
    times: int
    lesson: str


def repeated_failures(events: Iterable[Event], least: int = 2) -> list[RepeatedFailure]:
    """The tools that failed at least `least` times with one error, by the events of a run; retries count."""
    started: dict[tuple[int, str], StepStarted] = {}
    failed: Counter[tuple[str, str]] = Counter()
    args: dict[tuple[str, str], Mapping[str, Json]] = {}
    worked: dict[str, Mapping[str, Json]] = {}
    for event in events:
        if isinstance(event, StepStarted):
            started[event.plan, event.step] = event
            continue
        if not isinstance(event, StepFinished | StepRetried) or (event.plan, event.step) not in started:
            continue
        start = started[event.plan, event.step]
        if isinstance(event, StepRetried) or event.status == "failed":
            key = (start.action, event.error)
            failed[key] += 1
            args.setdefault(key, start.args or {})
        elif event.status == "done":
            worked[start.action] = start.args or {}
    return [
        RepeatedFailure(tool, error, times, _failure(tool, error, args[tool, error], worked.get(tool)))
        for (tool, error), times in failed.items()
        if times >= least
    ]


def _failure(tool: str, error: str, args: Mapping[str, Json], worked: Mapping[str, Json] | None) -> str:
    said = f"{_call(tool, args)} failed: {error.rstrip('.')[:_SHOWN]}."
    return f"{said} {_call(tool, worked)} worked." if worked is not None else said


def _call(tool: str, args: Mapping[str, Json]) -> str:
    return f"{tool}({', '.join(f'{name}={value!r}' for name, value in args.items())})"[:_SHOWN]
