"""The memory's manager: learns from each turn, and keeps what is remembered true.

What a turn says is compared with what is known, and for each piece one of five things happens: it is inserted, merged
with a memory, put in its place, makes it end, or is ignored. Every decision is an event and stands in an audit trail.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias
from weakref import WeakKeyDictionary

from agentkit.errors import DefinitionError, ModelError
from agentkit.events import MemoryDecided
from agentkit.limits import LimitReached
from agentkit.memory._checks import check_least, check_part
from agentkit.memory._related import related
from agentkit.memory._writing import Writing
from agentkit.memory.audit import AuditTrail, Decided
from agentkit.memory.contradictions import Arbiter, ModelArbiter, Policy
from agentkit.memory.deciding import Decider, Related, RuleDecider, Verdict
from agentkit.memory.extraction import Candidate, Extractor, RuleExtractor
from agentkit.memory.feedback import Lessons, ScopedLessons
from agentkit.memory.recall import LongTermMemory
from agentkit.memory.records import Filter, Memory, Provenance, Scope
from agentkit.memory.statements import RELATIONS, Grammar, Relation
from agentkit.messages import Message
from agentkit.remembering import Owner, Turn
from agentkit.run import Run
from agentkit.transcript import text_of

Level: TypeAlias = Literal["user", "agent", "session"]
"""How far what is learnt reaches: all agents of the user, one agent of the user, one conversation."""


class Manager:
    """Learns after each turn: ``AgentMemory(long_term=memory, manager=Manager(memory))``; and by `learn` from anything.

    By default it works by rules and calls no model. It also takes what falls out of a context (the port
    ``overflow=``), and learns lessons from corrections and failures (`lessons`).

    Args:
        memory: Where it reads and writes.
        extract: Finds candidates in a turn; by rules if not given, or ask a model: `ModelExtractor`.
        decide: Decides about candidates; by rules if not given, or ask a model: `ModelDecider`.
        contradictions: What holds when two things contradict each other and nothing says that something has changed.
        arbiter: Settles them under the policy ``judge``; the agent's own model if not given.
        level: How far what is learnt from turns reaches.
        feedback: Learn lessons from corrections in conversations and from tool calls that fail again and again.
        learn_failures_from: How often a tool call must fail in one run, in one way, for a lesson.
        relations: What the rules understand.
        audit: Where decisions are kept; in this process by default.
        similar: How many like memories a candidate is compared with.

    Raises:
        DefinitionError: A part is none, the policy or the level is unknown, or the policy never asks the arbiter.
    """

    def __init__(
        self,
        memory: LongTermMemory,
        *,
        extract: Extractor | None = None,
        decide: Decider | None = None,
        contradictions: Policy = "newest",
        arbiter: Arbiter | None = None,
        level: Level = "agent",
        feedback: bool = True,
        learn_failures_from: int = 2,
        relations: Sequence[Relation] = RELATIONS,
        audit: AuditTrail | None = None,
        similar: int = 5,
    ) -> None:
        check_part("Manager(memory", memory, "recall", "LongTermMemory(store)")
        check_part("Manager(extract", extract, "extract", "an extractor, such as ModelExtractor('openai:…')")
        check_part("Manager(decide", decide, "decide", "a decider, such as ModelDecider('openai:…')")
        check_part("Manager(audit", audit, "decisions", "an audit trail, such as AuditTrail('audit.db')")
        check_least("Manager(similar", similar, 1, "memories")
        check_least("Manager(learn_failures_from", learn_failures_from, 1, "failures")
        _check("contradictions", contradictions, ("newest", "judge", "keep_both"))
        _check("level", level, ("user", "agent", "session"))
        if arbiter is not None and contradictions != "judge":
            raise DefinitionError(
                f"an arbiter is given and contradictions={contradictions!r} never asks it; say contradictions='judge'"
            )
        grammar = Grammar(relations)
        self.memory = memory
        self.audit = audit or AuditTrail()
        self.lessons = Lessons(memory, self, learn_failures_from=learn_failures_from)
        self._extract = extract or RuleExtractor(grammar)
        self._decide = decide or RuleDecider(grammar)
        self._level = level
        self._feedback = feedback
        self._grammar = grammar
        self._similar = similar
        settles = (arbiter or ModelArbiter()) if contradictions == "judge" else None
        self._writing = Writing(memory.store, contradictions, settles, grammar)
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    # the ports of an agent's memory

    async def after_turn(self, turn: Turn, run: Run) -> None:
        """Learn from a turn, with the model, events and budgets of `run`.

        If a model's replies cannot be used, or a budget is used up, what was said is kept as it is, flagged.
        """
        scope = scope_of(turn.owner)
        try:
            found = await self._extract.extract(turn, run, self.memory.now())
        except (ModelError, LimitReached) as error:
            found = [_raw(turn, f"not read: {error}")]
        await self.learn(found, scope=scope, owner=self.owner_of(turn.owner), by="manager", run=run)
        if self._feedback:
            await self.lessons.after_turn(turn, run, owner=self.owner_of(turn.owner))

    async def take(self, messages: Sequence[Message], *, owner: Owner, run: Run) -> None:
        """Keep messages that fall out of a context, word by word, as episodes of their conversation."""
        scope, now = scope_of(owner), self.memory.now()
        for message in messages:
            id = _fingerprint(owner, message)
            if message.content.strip() and await self.memory.store.get(id, scope=scope) is None:
                kept = Memory(
                    id=id,
                    text=message.content,
                    kind="episode",
                    scope=scope,
                    created=now,
                    importance=0.3,
                    provenance=Provenance(by="overflow", run_id=run.id),
                    metadata={"role": message.role},
                )
                await self.memory.store.add(kept, scope=scope)

    def lessons_of(self, owner: Owner) -> ScopedLessons:
        """Where planners that learn from failed tries, such as Reflexion, keep their lessons in a run of `owner`."""
        return self.lessons.of(scope_of(owner), self.owner_of(owner))

    def owner_of(self, owner: Owner) -> Scope:
        """Whose the memories of a turn are, by this manager's level."""
        session = owner.session if self._level == "session" else ""
        return Scope(owner.user, "" if self._level == "user" else owner.agent, session)

    # learning

    async def learn(
        self,
        candidates: Iterable[Candidate | str] | str,
        *,
        scope: Scope,
        owner: Scope | None = None,
        by: str = "user",
        run: Run | None = None,
    ) -> list[Decided]:
        """Decide about candidates and write what is decided.

        Args:
            candidates: What may be worth keeping; a text is a fact, and one text alone one candidate.
            scope: On whose behalf.
            owner: Whose new memories are; `scope` if not given.
            by: Where the candidates come from, for provenance.
            run: The run that they are of: its model, budgets, events.

        Returns:
            A decision on each candidate, in their order.

        Raises:
            MemoryStoreError: The store cannot be read or written.
        """
        given = [candidates] if isinstance(candidates, str) else candidates
        waiting = [Candidate(text=one) if isinstance(one, str) else one for one in given]
        done: list[Decided] = []
        lock = self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:  # two turns at once would each find nothing known, and both insert
            while waiting:
                batch, waiting = waiting[: self._decide.at_once], waiting[self._decide.at_once :]
                done += await self._learn(batch, scope, owner or scope, by, run)
        return done

    async def _learn(
        self, batch: Sequence[Candidate], scope: Scope, owner: Scope, by: str, run: Run | None
    ) -> list[Decided]:
        now = self.memory.now()
        beside: list[list[Related]] = [
            await related(one, self.memory.store, self._grammar, scope, owner, now, self._similar) for one in batch
        ]
        who = self._decide.name
        try:
            verdicts: Sequence[Verdict] = await self._decide.decide(batch, beside, run)
        except (ModelError, LimitReached) as error:
            reason = f"not compared with what is known: {error}"
            batch = [replace(one, flagged=one.flagged or reason) for one in batch]
            verdicts = [Verdict("insert", why=reason) for _ in batch]
        done = []
        for candidate, said in zip(batch, verdicts, strict=True):
            verdict = said
            if candidate.only_known and said.opinion == "insert":
                verdict = Verdict("ignore", why=f"{said.why}, and it is not worth keeping by itself")
            source = Provenance(by=by, run_id=run.id if run else "", quote=candidate.quote)
            written = await self._writing.write(candidate, verdict, scope, owner, source, now, run)
            by_whom = f"{who}, {written.settled_by}" if written.settled_by else who
            decided = Decided(
                at=now,
                action=written.action,
                text=candidate.text,
                memory=written.memory,
                targets=written.targets,
                why=written.why,
                by=by_whom,
                flagged=written.flagged,
                user=owner.user,
                agent=owner.agent,
                session=owner.session,
                run_id=source.run_id,
            )
            await self._record(decided, run)
            if candidate.forget:
                await self.audit.redact(*written.targets)
            done.append(decided)
        return done

    async def _record(self, decided: Decided, run: Run | None) -> None:
        await self.audit.add(decided)
        if run is not None:
            d, at = decided, run.clock.time()
            run.events.emit(MemoryDecided(at, d.action, d.memory, d.targets, d.why, d.by))

    # by hand

    async def edit(self, id: str, text: str, *, scope: Scope, by: str = "user") -> Memory:
        """Put another text into a memory.

        Raises:
            UnknownMemoryError: There is none in the scope.
            MemoryScopeError: It may not be written.
        """
        now = self.memory.now()
        edited = await self._writing.edit(id, text, scope, now)
        await self._record(_by_hand(edited, "replace", "edited", by, now), None)
        return edited

    async def forget(self, *ids: str, scope: Scope, by: str = "user") -> list[str]:
        """Delete memories for good, and their words from the audit trail; returns the ids that were there."""
        store, now = self.memory.store, self.memory.now()
        known = [memory for id in ids if (memory := await store.get(id, scope=scope)) is not None]
        gone = await store.delete(*ids, scope=scope)
        for memory in known:
            await self._record(_by_hand(memory, "delete", "forgotten", by, now), None)
        await self.audit.redact(*gone)
        return gone

    async def sweep(self, *, scope: Scope) -> list[str]:
        """Delete what is to be forgotten by now (`Memory.expires`); returns its ids."""
        now = self.memory.now()
        every = await self.memory.store.list(scope=scope)
        late = [one.id for one in every if one.expires is not None and one.expires <= now and scope.writes(one.scope)]
        return await self.forget(*late, scope=scope, by="expiry") if late else []

    async def flagged(self, *, scope: Scope) -> list[Memory]:
        """The memories that a person should look at, newest first; `Memory.flagged` says why."""
        return await self.memory.store.list(Filter(flagged=True), scope=scope)


def scope_of(owner: Owner) -> Scope:
    """The scope that a run acts in."""
    return Scope(owner.user, owner.agent, owner.session)


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise DefinitionError(f"{name} is {value!r}; choose from {', '.join(known)}")


def _raw(turn: Turn, flagged: str) -> Candidate:
    """A turn as it was, for a person to look at."""
    text = f"The user said: {turn.task}\nThe answer was: {text_of(turn.output)}"
    return Candidate(text=text, kind="episode", quote=turn.task, flagged=flagged)


def _fingerprint(owner: Owner, message: Message) -> str:
    """The same id for the same message of a conversation, so that it is kept once."""
    told = json.dumps([owner.user, owner.agent, owner.session, message.role, message.content])
    return f"said-{hashlib.sha256(told.encode()).hexdigest()[:24]}"


def _by_hand(memory: Memory, action: Literal["replace", "delete"], why: str, by: str, now: float) -> Decided:
    user, agent, session = memory.scope.parts
    return Decided(
        at=now,
        action=action,
        text=memory.text,
        memory=memory.id if action == "replace" else "",
        targets=(memory.id,),
        why=why,
        by=by,
        user=user,
        agent=agent,
        session=session,
    )
