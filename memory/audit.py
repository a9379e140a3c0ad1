"""The audit trail of a memory's manager: who decided what about which memory, when and why."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from agentkit.memory.records import Scope
from agentkit.memory.tables import Table

Action: TypeAlias = Literal["insert", "merge", "replace", "delete", "ignore"]
"""What became of something that was learnt."""

REDACTED = "(forgotten)"
"""What stands in the trail for the words of a memory that was forgotten."""


class Decided(BaseModel):
    """One decision.

    Attributes:
        at: When, Unix seconds.
        action: ``insert``; ``merge`` and ``replace``: a new memory for old ones; ``delete``: old ones ended, or were
            forgotten; ``ignore``: nothing was written.
        text: What was learnt.
        memory: The memory that was written; empty if none was.
        targets: The memories that it concerns.
        why: Why, in words.
        by: Who decided: ``rules``, a model, ``user``; with the policy, where two things contradicted each other.
        flagged: Why a person should look at it.
        user: For whom.
        agent: In which agent.
        session: In which conversation.
        run_id: In which run.
    """

    model_config = ConfigDict(frozen=True)

    at: float
    action: Action
    text: str
    memory: str = ""
    targets: tuple[str, ...] = ()
    why: str = ""
    by: str = ""
    flagged: str = ""
    user: str = ""
    agent: str = ""
    session: str = ""
    run_id: str = ""

    def concerns(self, id: str) -> bool:
        """Whether a memory was written, replaced, ended or the reason for it."""
        return id == self.memory or id in self.targets


class AuditTrail:
    """Decisions, oldest first.

    Args:
        path: A SQLite file, which may hold other tables; without it they are kept in this process only.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._table = None if path is None else Table(Decided, path, name="memory_decisions")
        self._list: list[Decided] = []

    async def add(self, decided: Decided) -> None:
        """Keep a decision."""
        if self._table is None:
            self._list.append(decided)
        else:
            await asyncio.to_thread(self._table.insert, decided)

    async def decisions(self, *, scope: Scope, memory: str = "") -> list[Decided]:
        """The decisions that a scope may see, all or those about one memory."""
        if self._table is None:
            every = list(self._list)
        else:
            every = [row.value for row in await asyncio.to_thread(self._table.query)]
        return [
            one
            for one in every
            if scope.reads(Scope(one.user, one.agent, one.session)) and (not memory or one.concerns(memory))
        ]

    async def redact(self, *ids: str) -> None:
        """Take out the words of decisions about memories that are forgotten; that they were taken stays known."""
        wanted = set(ids)

        def is_about(one: Decided) -> bool:
            return bool(wanted & {one.memory, *one.targets})

        said = {"text": REDACTED, "why": REDACTED}
        if self._table is None:
            self._list = [one.model_copy(update=said) if is_about(one) else one for one in self._list]
            return
        for row in await asyncio.to_thread(self._table.query):
            if is_about(row.value):
                await asyncio.to_thread(self._table.update, {"id": row.id}, said)
