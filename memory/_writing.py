"""Carrying out what was decided about a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentkit.errors import ModelError
from agentkit.limits import LimitReached
from agentkit.memory._related import RELATION, SUBJECT
from agentkit.memory.audit import Action
from agentkit.memory.contradictions import Arbiter, Policy, Settled
from agentkit.memory.deciding import Verdict
from agentkit.memory.extraction import Candidate
from agentkit.memory.records import Memory, Provenance, Scope
from agentkit.memory.statements import Grammar
from agentkit.memory.store import MemoryStore, unknown
from agentkit.messages import Json
from agentkit.run import Run


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a candidate; see `Decided`. `settled_by` is the policy that settled a contradiction."""

    action: Action
    memory: str = ""
    targets: tuple[str, ...] = ()
    why: str = ""
    flagged: str = ""
    settled_by: str = ""


@dataclass(frozen=True, slots=True)
class _Order:
    """One candidate on its way into the store."""

    candidate: Candidate
    scope: Scope
    owner: Scope
    source: Provenance
    now: float

    @property
    def said(self) -> float:
        return self.now if self.candidate.said is None else self.candidate.said

    @property
    def begins(self) -> float:
        return self.said if self.candidate.valid_from is None else self.candidate.valid_from


class Writing:
    """Writes decisions into a store.

    Args:
        store: Where.
        policy: What holds when two things contradict each other.
        arbiter: Who settles that under the policy ``judge``.
        grammar: Reads statements, so that they are found again by what they are about.
    """

    def __init__(self, store: MemoryStore, policy: Policy, arbiter: Arbiter | None, grammar: Grammar) -> None:
        self._store = store
        self._policy = policy
        self._arbiter = arbiter
        self._grammar = grammar

    async def write(
        self,
        candidate: Candidate,
        verdict: Verdict,
        scope: Scope,
        owner: Scope,
        source: Provenance,
        now: float,
        run: Run | None,
    ) -> Written:
        """Carry out a verdict. Targets that were replaced since stand for what replaced them."""
        order = _Order(candidate, scope, owner, source, now)
        targets = await self._targets(verdict.targets, scope, as_they_are=candidate.forget)
        if verdict.opinion == "insert" or (verdict.opinion not in ("insert", "ignore") and not targets):
            return await self._insert(order, verdict.why)
        match verdict.opinion:
            case "ignore":
                await self._store.touch(*(one.id for one in targets), at=now, scope=scope)
                return Written("ignore", "", _ids(targets), verdict.why)
            case "delete":
                return await self._delete(order, targets, verdict.why)
            case "contradict":
                return await self._contradict(order, targets, verdict.why, run)
            case "merge":
                return await self._replace(order, targets, verdict.why, merged=verdict.text)
        return await self._replace(order, targets, verdict.why)

    async def edit(self, id: str, text: str, scope: Scope, now: float) -> Memory:
        """Put another text into a memory.

        Raises:
            UnknownMemoryError: There is none in the scope.
            MemoryScopeError: It may not be written.
        """
        old = await self._store.get(id, scope=scope)
        if old is None:
            raise unknown(id, scope)
        rest = {key: value for key, value in old.metadata.items() if key not in (SUBJECT, RELATION)}
        new = replace(old, text=text, updated=now, flagged="", metadata={**rest, **self._about(text, old.kind)})
        await self._store.update(new, scope=scope)
        return new

    async def _targets(self, ids: Sequence[str], scope: Scope, *, as_they_are: bool) -> list[Memory]:
        """What the targets are by now: an earlier decision of the same turn may have replaced them.

        What is to be forgotten is forgotten with its history, so that is taken as it is.
        """
        found: dict[str, Memory] = {}
        for id in ids:
            memory = await self._store.get(id, scope=scope)
            while memory is not None and memory.superseded_by and not as_they_are:
                memory = await self._store.get(memory.superseded_by, scope=scope)
            if memory is not None:
                found[memory.id] = memory
        return list(found.values())

    async def _insert(self, order: _Order, why: str, *, flagged: str = "", settled_by: str = "") -> Written:
        memory = self._memory(order, order.owner, flagged=flagged)
        await self._store.add(memory, scope=order.scope)
        return Written("insert", memory.id, (), why, memory.flagged, settled_by)

    async def _delete(self, order: _Order, targets: Sequence[Memory], why: str) -> Written:
        """Forgetting removes for good; what is merely over ends, and stays in the history."""
        mine = [one for one in targets if order.scope.writes(one.scope)]
        if not mine:
            return await self._insert(order, f"{why}; what it concerns is not this user's to change")
        if order.candidate.forget:
            await self._store.delete(*_ids(mine), scope=order.scope)
        else:
            for one in mine:
                ended = replace(one, valid_until=max(order.begins, one.valid_from), updated=order.now)
                await self._store.update(ended, scope=order.scope)
        return Written("delete", "", _ids(mine), why)

    async def _replace(
        self, order: _Order, targets: Sequence[Memory], why: str, *, merged: str = "", settled_by: str = ""
    ) -> Written:
        mine = [one for one in targets if order.scope.writes(one.scope)]
        if not mine:
            return await self._insert(order, f"{why}; what it concerns is not this user's to change")
        later = [one for one in mine if one.valid_from > order.said]
        if later and not merged:
            return await self._put_before(order, later, why, settled_by)
        memory = self._memory(order, mine[0].scope, text=merged, old=mine)
        await self._store.add(memory, scope=order.scope)
        return Written("merge" if merged else "replace", memory.id, _ids(mine), why, memory.flagged, settled_by)

    async def _put_before(self, order: _Order, later: Sequence[Memory], why: str, settled_by: str) -> Written:
        """What is learnt late and was true earlier goes into the history; what came after it stays."""
        first = min(later, key=lambda one: one.valid_from)
        memory = replace(
            self._memory(order, first.scope), valid_until=first.valid_from, superseded_by=first.id, supersedes=()
        )
        await self._store.add(memory, scope=order.scope)
        await self._store.update(replace(first, supersedes=(*first.supersedes, memory.id)), scope=order.scope)
        return Written("insert", memory.id, (first.id,), f"{why}; it was true before", memory.flagged, settled_by)

    async def _contradict(self, order: _Order, targets: Sequence[Memory], why: str, run: Run | None) -> Written:
        by = f"policy {self._policy}"
        settled = Settled("new") if self._policy == "newest" else Settled("both")
        if self._arbiter is not None:
            by = self._arbiter.name
            try:
                settled = await self._arbiter.settle(targets[0], order.candidate, order.now, run)
            except (ModelError, LimitReached) as error:
                settled = Settled("both", f"not settled: {error}")
        why = f"{why}; {settled.why}" if settled.why else why
        if settled.keep == "new":
            return await self._replace(order, targets, why, settled_by=by)
        if settled.keep == "old":
            return Written("ignore", "", _ids(targets), why, settled_by=by)
        written = await self._insert(order, why, flagged=f"contradicts {' '.join(_ids(targets))}", settled_by=by)
        for one in targets:
            if order.scope.writes(one.scope):
                await self._store.update(replace(one, flagged=f"contradicts {written.memory}"), scope=order.scope)
        return replace(written, targets=_ids(targets))

    def _memory(
        self, order: _Order, scope: Scope, *, text: str = "", old: Sequence[Memory] = (), flagged: str = ""
    ) -> Memory:
        one = order.candidate
        said = text or one.text
        return Memory(
            text=said,
            kind=old[0].kind if text else one.kind,
            scope=scope,
            context=one.context or (old[0].context if old else ""),
            provenance=order.source,
            created=order.now,
            valid_from=max(order.begins, *(each.valid_from for each in old)) if old else order.begins,
            valid_until=one.valid_until,
            importance=max(one.importance, *(each.importance for each in old)) if old else one.importance,
            supersedes=_ids(old),
            metadata={**one.metadata, **self._about(said, one.kind)},
            flagged=one.flagged or flagged,
        )

    def _about(self, text: str, kind: str) -> dict[str, Json]:
        said = None if kind == "lesson" else self._grammar.read(text)
        return {} if said is None else {SUBJECT: said.subject, RELATION: said.relation}


def _ids(memories: Sequence[Memory]) -> tuple[str, ...]:
    return tuple(one.id for one in memories)
