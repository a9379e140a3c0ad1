"""Events of the memory of a run: what was recalled, fitted into the context, kept, learnt and offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from agentkit._event import Event
from agentkit.messages import Json


@dataclass(frozen=True, slots=True)
class MemoryRecalled(Event):
    """Long-term memory was asked. `items` are what the planner was shown, each with its id, text and why.

    `left_out` counts what was found and did not fit into the share of the context that is kept for recall.
    """

    kind: ClassVar[str] = "memory_recalled"
    query: str
    items: tuple[Mapping[str, Json], ...] = ()
    tokens: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class SkillsOffered(Event):
    """Skills joined the tools of a run.

    Attributes:
        offered: Their names, with the ids of their records.
        withheld: Those that fit the task and cannot be offered, with the reason.
    """

    kind: ClassVar[str] = "skills_offered"
    offered: Mapping[str, str] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SkillsUsed(Event):
    """Plan `number` called tools that are plans; their steps stand in it instead. `skills` are their names by call."""

    kind: ClassVar[str] = "skills_used"
    number: int
    skills: Mapping[str, str] = field(default_factory=dict)
    within: str = ""


@dataclass(frozen=True, slots=True)
class SkillLearned(Event):
    """The plan of a run was kept as a skill, for the first time or again."""

    kind: ClassVar[str] = "skill_learned"
    name: str
    id: str
    description: str
    successes: int = 1


@dataclass(frozen=True, slots=True)
class ContextBuilt(Event):
    """The conversation was fitted into the context of a model call.

    Attributes:
        budget: Tokens that prompts may have, the share for recall left out.
        tokens: Tokens of the prompt as it was fitted.
        counter: Who counted them: a tokenizer, or ``estimate``.
        kept: Messages of the conversation that the model sees.
        overflow: Messages that it does not see any more.
        kept_in: Where those are.
        trimmed: Handles of tool outputs that it sees the beginning of.
        note: What stands for the messages that fell out, such as a summary.
        within: The subgoal step that the call was for.
    """

    kind: ClassVar[str] = "context_built"
    budget: int
    tokens: int
    counter: str
    kept: int
    overflow: int = 0
    kept_in: str = ""
    trimmed: tuple[str, ...] = ()
    note: str = ""
    within: str = ""


@dataclass(frozen=True, slots=True)
class TurnKept(Event):
    """A turn was added to a session, as its turn `number`."""

    kind: ClassVar[str] = "turn_kept"
    session: str
    number: int
    messages: int


@dataclass(frozen=True, slots=True)
class MemoryFailed(Event):
    """A part of the memory failed; the run went on without it. `doing` says what it was about."""

    kind: ClassVar[str] = "memory_failed"
    doing: str
    error: str


@dataclass(frozen=True, slots=True)
class MemoryDecided(Event):
    """The memory's manager decided about something that it had learnt.

    Attributes:
        action: ``insert``, ``merge``, ``replace``, ``delete`` or ``ignore``.
        memory: The memory that was written; empty if none was.
        targets: The memories that it concerns: replaced, ended, or the reason why nothing was written.
        why: Why, in words.
        by: Who decided: ``rules``, a model's name, a person.
    """

    kind: ClassVar[str] = "memory_decided"
    action: str
    memory: str = ""
    targets: tuple[str, ...] = ()
    why: str = ""
    by: str = ""
