"""What the agent's loop asks of a memory, and what a memory asks of its parts.

`agentkit.memory.AgentMemory` is the memory that ships; whatever answers these ports can stand in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentkit.events import RunStatus
from agentkit.messages import Json, Message
from agentkit.planning import PlanRequest
from agentkit.run import Run


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory it is: the person a run works for, the agent, and the conversation. Empty parts name nobody."""

    user: str = ""
    agent: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A memory that may matter to a task.

    Attributes:
        id: Its name in the store, to look it up, mend or forget it.
        text: What is remembered.
        kind: What sort of thing it is, e.g. ``fact`` or ``lesson``.
        why: Why it was recalled, in words: by which ranks or scores.
        score: How well it matches; higher is better.
    """

    id: str
    text: str
    kind: str = "fact"
    why: str = ""
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation, when it is over.

    Attributes:
        task: What was asked.
        status: How the run ended.
        output: The answer, if there is one.
        messages: The messages of the run, see `agentkit.transcript`.
        overflow: Older messages that the model no longer sees, whole; each is handed over once in a session.
        owner: Whose turn it is.
        run_id: The run.
        history: The conversation before the turn.
    """

    task: str
    status: RunStatus
    output: Json
    messages: tuple[Message, ...]
    overflow: tuple[Message, ...]
    owner: Owner
    run_id: str
    history: tuple[Message, ...] = ()


class Recaller(Protocol):
    """Long-term memory, as a run reads it."""

    async def recall(
        self, query: str, *, conversation: Sequence[Message], owner: Owner, run: Run
    ) -> Sequence[Reminder]:
        """What may matter to `query`, said after `conversation`, the best first; nothing that is another user's."""
        ...


class MemoryManager(Protocol):
    """Decides after a turn what is worth keeping, and keeps it true."""

    async def after_turn(self, turn: Turn, run: Run) -> None:
        """Learn from a turn, using the model, events and budgets of `run`."""
        ...


class Overflow(Protocol):
    """Takes messages that no longer fit into the context."""

    async def take(self, messages: Sequence[Message], *, owner: Owner, run: Run) -> None:
        """Keep `messages`; when it returns, they are kept."""
        ...


class RunMemory(Protocol):
    """The memory of one run."""

    @property
    def request(self) -> PlanRequest:
        """The task as planners are to see it: with the conversation, what was recalled, and the memory's tools."""
        ...

    async def prepare(self, request: PlanRequest, fixed: Sequence[Message], run: Run) -> PlanRequest:
        """The request with as much of the conversation as fits.

        Args:
            request: What a planner is about to be asked.
            fixed: The messages that it will send in any case, without the conversation.
            run: The run.
        """
        ...

    async def close(self, turn: Turn, run: Run) -> None:
        """Keep the turn: `turn` has everything but the overflow and the session."""
        ...


class Remembers(Protocol):
    """What an agent remembers with. A definition: the state of a run is in what `open` returns."""

    async def open(self, request: PlanRequest, run: Run, owner: Owner) -> RunMemory:
        """Look up what a run may need to know before it plans.

        Raises:
            SessionError: The session cannot be read, or is somebody else's.
        """
        ...
