"""`AgentMemory`: what an agent remembers with, put together from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from agentkit.errors import AgentKitError, DefinitionError
from agentkit.events import ContextBuilt, MemoryFailed, MemoryRecalled, TurnKept
from agentkit.memory._checks import check_part
from agentkit.memory.context import FETCH, Context, ContextBuilder, fetch_tool, has_long_outputs
from agentkit.memory.manager import Manager
from agentkit.memory.policies import ContextPolicy
from agentkit.memory.recall import LongTermMemory
from agentkit.memory.records import KINDS, Scope
from agentkit.memory.sessions import Conversation, SessionStore
from agentkit.memory.skills import SkillLibrary
from agentkit.memory.units import measured, split
from agentkit.messages import Message
from agentkit.planning import LessonStore, PlanRequest
from agentkit.remembering import MemoryManager, Overflow, Owner, Recaller, Reminder, Turn
from agentkit.run import Run

RECALLED = "What you remember that may matter:"
"""What stands before recalled memories in a prompt."""


_IN_WORDS = tuple(kind for kind in KINDS if kind != "skill")
"""What is recalled as text; skills are offered as tools."""


class LongTermRecaller:
    """Long-term memory as a run reads it: on behalf of the run's user, agent and session.

    Args:
        memory: What is asked.
        k: How many memories at most.
    """

    def __init__(self, memory: LongTermMemory, *, k: int = 10) -> None:
        self.memory = memory
        self.k = k

    async def recall(
        self, query: str, *, conversation: Sequence[Message], owner: Owner, run: Run
    ) -> Sequence[Reminder]:
        """What may matter to `query`, each with its ranks and scores in words."""
        scope = Scope(owner.user, owner.agent, owner.session)
        found = await self.memory.recall(
            query, scope=scope, k=self.k, kinds=_IN_WORDS, conversation=conversation, explain=True
        )
        return [
            Reminder(
                hit.memory.id,
                f"{hit.memory.context}: {hit.memory.text}" if hit.memory.context else hit.memory.text,
                hit.memory.kind,
                ", ".join(f"{part}: rank {place.rank} ({place.score:.3g})" for part, place in hit.why.items()),
                hit.score,
            )
            for hit in found.hits
        ]


class AgentMemory:
    """An agent's memory: ``Agent(…, memory=AgentMemory(…))``. Every part is optional.

    Before a run plans, its session is read, long-term memory is asked about the task, and what it says goes into the
    prompt, as far as the reserve has room for it. Before every plan, the conversation is fitted into the budget. After
    the run, its turn is added to the session, what fell out of the context is handed on, and the manager learns.

    Args:
        short_term: How conversations are fitted into the context: a builder, or a policy in a builder of its own.
        session: Where sessions are kept, for ``agent.run(…, session="…")``: a store, or the path of its file.
        long_term: What is asked before a run plans: long-term memory, or whatever answers the port.
        manager: What decides after a run what to keep.
        skills: What learns from plans that worked, and offers them as tools.
        overflow: What takes messages that fall out of the context. Without one they stay in the session, or in the
            history that the caller gave.

    Raises:
        DefinitionError: A part is none.
    """

    def __init__(
        self,
        *,
        short_term: ContextBuilder | ContextPolicy | None = None,
        session: SessionStore | str | Path | None = None,
        long_term: LongTermMemory | Recaller | None = None,
        manager: MemoryManager | None = None,
        overflow: Overflow | None = None,
        skills: SkillLibrary | None = None,
    ) -> None:
        if not isinstance(short_term, ContextBuilder):
            check_part("AgentMemory(short_term", short_term, "choose", "a ContextBuilder, or a policy: LastTurns(10)")
        if not isinstance(session, str | Path):
            check_part("AgentMemory(session", session, "read", "a SessionStore, or the path of its file")
        check_part("AgentMemory(long_term", long_term, "recall", "LongTermMemory(SqliteStore('memory.db'))")
        check_part("AgentMemory(manager", manager, "after_turn", "Manager(LongTermMemory(…))")
        check_part("AgentMemory(overflow", overflow, "take", "what keeps messages, such as a Manager")
        check_part("AgentMemory(skills", skills, "offer", "SkillLibrary(LongTermMemory(…))")
        self.short_term = short_term if isinstance(short_term, ContextBuilder) else ContextBuilder(short_term)
        self.session = SessionStore(session) if isinstance(session, str | Path) else session
        self.long_term = LongTermRecaller(long_term) if isinstance(long_term, LongTermMemory) else long_term
        self.manager = manager
        self.overflow = overflow
        self.skills = skills

    async def open(self, request: PlanRequest, run: Run, owner: Owner) -> OpenMemory:
        """Read the session, recall what may matter, and offer `fetch_output` where tool outputs may be cut.

        Raises:
            DefinitionError: A session is named and no store is given, or a history besides the session.
            SessionError: The session cannot be read, or is somebody else's.
        """
        conversation = await self._conversation(request, run, owner)
        request = replace(request, history=conversation.messages, lessons=self._lessons(owner))
        if self.skills is not None:
            try:
                request = await self.skills.offer(request, run, owner)
            except AgentKitError as error:
                run.events.emit(MemoryFailed(run.clock.time(), "offering skills", str(error)))
        if run.model is None:
            return OpenMemory(self, request, owner, conversation)
        counter = self.short_term.counter(run.model.model)
        units = await measured(split(request.history), counter, self.short_term.longest_output)
        if has_long_outputs(units) and FETCH not in request.toolbox:
            request = replace(request, toolbox=request.toolbox.with_(fetch_tool(request.history)))
        if self.long_term is not None:
            request = replace(request, recalled=await self._recall(self.long_term, request, run, owner))
        return OpenMemory(self, request, owner, conversation)

    async def _conversation(self, request: PlanRequest, run: Run, owner: Owner) -> Conversation:
        if not owner.session:
            return Conversation(request.history)
        if self.session is None:
            raise DefinitionError(
                f"the run names the session {owner.session!r} and the agent's memory keeps no sessions; "
                "give it a store: AgentMemory(session='sessions.db')"
            )
        if request.history:
            raise DefinitionError(
                f"the run has a message_history and the session {owner.session!r}; give one of them: "
                "a session brings its own history"
            )
        return await self.session.read(owner.session, user=owner.user, without_run=run.id)

    def _lessons(self, owner: Owner) -> LessonStore | None:
        """Where lessons of failed tries are kept: with the manager's, or in the long-term memory itself."""
        manager = self.manager
        if not isinstance(manager, Manager) and isinstance(self.long_term, LongTermRecaller):
            manager = Manager(self.long_term.memory)
        return _CarefulLessons(manager.lessons_of(owner)) if isinstance(manager, Manager) else None

    async def _recall(self, long_term: Recaller, request: PlanRequest, run: Run, owner: Owner) -> str:
        """What long-term memory says about a task, in words, as far as the reserve has room for it."""
        try:
            found = await long_term.recall(request.task, conversation=request.history, owner=owner, run=run)
        except AgentKitError as error:
            run.events.emit(MemoryFailed(run.clock.time(), "recall", str(error)))
            return ""
        shown, text, tokens = await self._fitting(found, run)
        items = tuple(asdict(memory) for memory in shown)
        run.events.emit(MemoryRecalled(run.clock.time(), request.task, items, tokens, len(found) - len(shown)))
        return text

    async def _fitting(self, found: Sequence[Reminder], run: Run) -> tuple[list[Reminder], str, int]:
        """The best memories that fit into the reserve, as text, and what it costs."""
        assert run.model is not None, "memories are recalled for a model"
        model = run.model.model
        counter, room = self.short_term.counter(model), self.short_term.recall_budget(model.profile)
        shown: list[Reminder] = []
        text, tokens = "", 0
        for memory in found:
            longer = "\n".join([RECALLED, *(f"- {one.text}" for one in (*shown, memory))])
            [cost] = await counter.texts([longer])
            if cost <= room:
                shown.append(memory)
                text, tokens = longer, cost
        return shown, text, tokens


class _CarefulLessons:
    """Lessons of a run: a memory that fails costs no answer, and a dry run teaches nothing."""

    def __init__(self, lessons: LessonStore) -> None:
        self._lessons = lessons

    async def recall(self, task: str, run: Run) -> Sequence[str]:
        """The lessons that may help with a task, best first."""
        try:
            return await self._lessons.recall(task, run)
        except AgentKitError as error:
            run.events.emit(MemoryFailed(run.clock.time(), "recalling lessons", str(error)))
            return ()

    async def add(self, task: str, lesson: str, run: Run) -> None:
        """Keep a lesson."""
        if run.dry_run:
            return
        try:
            await self._lessons.add(task, lesson, run)
        except AgentKitError as error:
            run.events.emit(MemoryFailed(run.clock.time(), "keeping a lesson", str(error)))


class OpenMemory:
    """The memory of one run."""

    def __init__(self, memory: AgentMemory, request: PlanRequest, owner: Owner, conversation: Conversation) -> None:
        self._memory = memory
        self._request = request
        self._owner = owner
        self._conversation = conversation
        self._fallen: dict[int, Message] = {}

    @property
    def request(self) -> PlanRequest:
        """The task as planners are to see it."""
        return self._request

    async def prepare(self, request: PlanRequest, fixed: Sequence[Message], run: Run) -> PlanRequest:
        """The request with as much of the conversation as fits; see `ContextBuilder`.

        What was recalled has a part of the window of its own, so it does not count here.
        """
        if not self._conversation.messages or run.model is None:
            return request
        notes = self._conversation.notes
        built = await self._memory.short_term.build(
            self._conversation.messages, run=run, fixed=fixed, task=request.task, notes=notes
        )
        self._fallen.update(zip(built.positions, built.overflow, strict=True))
        run.events.emit(
            ContextBuilt(
                run.clock.time(),
                built.budget,
                built.tokens,
                built.counter,
                len(built.messages) - bool(built.note),
                len(built.overflow),
                self._kept_in(built),
                built.trimmed,
                built.note,
                run.within,
            )
        )
        return replace(request, history=built.messages)

    def _kept_in(self, built: Context) -> str:
        if not built.overflow:
            return ""
        places = ["the overflow port"] if self._memory.overflow is not None else []
        places.append(f"session {self._owner.session!r}" if self._owner.session else "the caller's history")
        return " and ".join(places)

    async def close(self, turn: Turn, run: Run) -> None:
        """Add the turn to the session, hand on what fell out of the context, and let the manager learn.

        Raises:
            SessionError: The turn cannot be kept; nothing else is tried then.
        """
        memory, owner = self._memory, self._owner
        store = memory.session if owner.session else None
        if store is not None:
            number = await store.add(
                owner.session, turn.messages, run_id=run.id, at=run.clock.time(), status=turn.status, user=owner.user
            )
            if self._conversation.notes:
                await store.note(owner.session, self._conversation.notes)
            run.events.emit(TurnKept(run.clock.time(), owner.session, number, len(turn.messages)))
        turn = replace(turn, owner=owner, history=self._request.history)
        await self._hand_on(turn, store, run)
        if memory.skills is not None:
            try:
                await memory.skills.after_run(turn, self._request, run)
            except AgentKitError as error:
                run.events.emit(MemoryFailed(run.clock.time(), "learning a skill", str(error)))

    async def _hand_on(self, turn: Turn, store: SessionStore | None, run: Run) -> None:
        """Give the turn to those who learn from it; what could not be handed on is handed on with a later turn."""
        memory = self._memory
        if memory.overflow is None and memory.manager is None:
            return
        fallen = sorted(self._fallen)
        if store is not None:
            places = self._conversation.places
            claimed = set(await store.claim(self._owner.session, [places[at] for at in fallen]))
            fallen = [at for at in fallen if places[at] in claimed]
        turn = replace(turn, overflow=tuple(self._fallen[at] for at in fallen))
        doing = "handing on what fell out of the context"
        try:
            if memory.overflow is not None and turn.overflow:
                await memory.overflow.take(turn.overflow, owner=turn.owner, run=run)
            doing = "learning from the turn"
            if memory.manager is not None:
                await memory.manager.after_turn(turn, run)
        except AgentKitError as error:
            run.events.emit(MemoryFailed(run.clock.time(), doing, str(error)))
            if store is not None:
                await store.give_back(self._owner.session, [self._conversation.places[at] for at in fallen])
