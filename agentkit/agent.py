"""The agent: tools, a planner, a model and rules, tied into one loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Self

from agentkit._entrance import acting, enter
from agentkit._loop import Ended, Loop, Prepare
from agentkit._requests import remembered, request_of
from agentkit._schema_remote import schema_problems
from agentkit._subgoals import Subgoals
from agentkit.cache import CacheStore
from agentkit.checker import CheckReport, Validator
from agentkit.constraints import Constraint
from agentkit.errors import AgentKitError, DefinitionError, TaskDeclinedError
from agentkit.events import Event, RunFinished, RunResumed, RunStarted
from agentkit.journal import JournalStore
from agentkit.limits import Limits, Meter
from agentkit.messages import Json, Message, ModelSettings
from agentkit.models.ids import resolve_model
from agentkit.plan import JsonSchema
from agentkit.planners.prompt import conversation
from agentkit.planners.registry import from_data
from agentkit.planning import Example, IntentClassifier, Planner, PlanRequest, ToolSelector
from agentkit.policy import Policy
from agentkit.protocols import Clock, Human, Journal, Model
from agentkit.reflection import NO_REFLECTION, Reflection
from agentkit.remembering import Owner, Remembers, RunMemory, Turn
from agentkit.results import RunResult
from agentkit.resuming import beginning, check_tools, elapsed, settle, used
from agentkit.run import Run, check_rules, new_run_id
from agentkit.streaming import RunStream
from agentkit.task import Task, read_constraints, write_constraints
from agentkit.toolbox import Tool, Toolbox, tools_of
from agentkit.transcript import message_from_json, message_to_json, messages_of

Listener = Callable[[Event], None]


class Agent:
    """An agent: give it a task, it plans, checks the plan, runs it, and answers.

    Define one by the constructor, or by subclassing with class attributes and `@tool` methods; an argument of the
    constructor goes before a class attribute of the same name. An agent is a definition: it keeps no state of a run, so
    one agent can serve many runs at once.

    Args:
        model: A model id such as ``openai:gpt-5``, ``anthropic:…``, ``local:qwen2.5-coder-1.5b``,
            ``http://host:port/v1#name``, or a `Model`. None for planners that need none.
        instructions: What the agent is for, in words that the planner reads.
        tools: Tools, toolboxes or both, besides the agent's own `@tool` methods.
        planner: How tasks become plans: a planner, its name such as ``react``, or an object with its ``name`` and
            options (see `agentkit.planners.registry`); plan-and-execute by default.
        policy: Which calls need approval, and which are forbidden. By default writes ask.
        limits: What a run may use.
        examples: Tasks with good plans, for the planner's prompt.
        intent: Says what becomes of a request before anything is planned: it is planned, kept to some tools, handed to
            another agent, asked back, or declined.
        agents: Other agents that an intent may hand a request to, by their names.
        reflection: Who judges when: before planning, before running, after each step, after the whole.
        validators: Checks of plans beside the checker's own, such as a simulator of the agent's domain.
        human: Who approves and answers; without one, a call that needs approval is refused by the checker.
        output_schema: The JSON Schema that answers must have: plans whose answer cannot are refused before they run.
        model_settings: Temperature, seed and so on of every model call that does not set its own.
        cache: Keeps the results of tools that allow it (`@tool(cache=SECONDS)`); without one, none are kept.
        selector: Chooses the tools that a planner is told of, such as `agentkit.tools.selection.ToolRetrieval`, where
            there are more than a prompt should hold; by default all are.
        memory: What it remembers with, such as `agentkit.memory.AgentMemory`; by default nothing.
        name: The agent's name, for events and the journal; the class's name by default.
        description: One sentence for people and for other agents.

    Raises:
        DefinitionError: The definition contradicts itself; the message says where.
    """

    name: str = ""
    description: str = ""
    model: str | Model | None = None
    instructions: str = ""
    tools: ClassVar[Sequence[Tool | Toolbox]] = ()
    planner: Planner | str | Mapping[str, Any] | None = None
    policy: Policy = Policy()
    limits: Limits = Limits()
    examples: Sequence[Example] = ()
    intent: IntentClassifier | None = None
    reflection: Reflection = NO_REFLECTION
    validators: Sequence[Validator] = ()
    human: Human | None = None
    output_schema: JsonSchema | None = None
    model_settings: ModelSettings = ModelSettings()
    cache: CacheStore | None = None
    memory: Remembers | None = None
    selector: ToolSelector | None = None
    agents: Sequence[Agent] = ()

    def __init__(
        self,
        model: str | Model | None = None,
        instructions: str | None = None,
        *,
        tools: Iterable[Tool | Toolbox] = (),
        planner: Planner | str | Mapping[str, Any] | None = None,
        policy: Policy | None = None,
        limits: Limits | None = None,
        examples: Sequence[Example] | None = None,
        intent: IntentClassifier | None = None,
        reflection: Reflection | None = None,
        validators: Sequence[Validator] | None = None,
        human: Human | None = None,
        output_schema: JsonSchema | None = None,
        model_settings: ModelSettings | None = None,
        cache: CacheStore | None = None,
        memory: Remembers | None = None,
        selector: ToolSelector | None = None,
        agents: Sequence[Agent] | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "model": model,
            "instructions": instructions,
            "planner": planner,
            "policy": policy,
            "limits": limits,
            "examples": examples,
            "intent": intent,
            "reflection": reflection,
            "validators": validators,
            "human": human,
            "output_schema": output_schema,
            "model_settings": model_settings,
            "cache": cache,
            "memory": memory,
            "selector": selector,
            "agents": agents,
            "name": name,
            "description": description,
        }
        for attribute, value in given.items():
            if value is not None:
                setattr(self, attribute, value)
        self.name = self.name or type(self).__name__
        check_rules(policy=self.policy, limits=self.limits, human=self.human)
        self.toolbox = Toolbox(tools_of(self), type(self).tools, tools)
        self.model = None if self.model is None else resolve_model(self.model)
        self.planner = from_data(self.planner or "plan_execute")
        if self.output_schema is not None and (problems := schema_problems(self.output_schema, "output")):
            raise DefinitionError(f"output_schema of {self.name!r}: {'; '.join(problems)}")

    async def run(
        self,
        task: str | Task,
        *,
        inputs: Mapping[str, Json] | None = None,
        input_schemas: Mapping[str, JsonSchema] | None = None,
        deps: Any = None,
        message_history: Sequence[Message] = (),
        limits: Limits | None = None,
        tool_choice: str | Sequence[str] = "auto",
        human: Human | None = None,
        journal: JournalStore | None = None,
        listeners: Sequence[Listener] = (),
        dry_run: bool = False,
        clock: Clock | None = None,
        run_id: str | None = None,
        user: str = "",
        session: str = "",
    ) -> RunResult:
        """Do a task.

        Args:
            task: What is asked, in words, or a `Task` with constraints.
            inputs: Named values that plans may refer to.
            input_schemas: Their JSON Schemas; derived from the values where absent.
            deps: Whatever the tools need; they find it in `RunContext.deps`.
            message_history: The conversation before this task, e.g. `RunResult.all_messages` of an earlier run.
            limits: What this run may use, instead of the agent's own limits.
            tool_choice: ``auto``; ``required``: at least one tool is called before the answer; ``none``: no tool is
                called; or the tools that this run may call, as names or globs.
            human: Who approves and answers, instead of the agent's own.
            journal: Where to keep the run, so that it can be resumed after a crash.
            listeners: Called with every event as it happens.
            dry_run: Execute reads, only show writes.
            clock: Time, for tests.
            run_id: The run's name; a new one by default.
            user: For whom the run works: budgets, rate limits and caches around the model go by it, and tools find it
                in `RunContext.user`.
            session: The conversation that this run continues, kept by the agent's memory; it may be a new one.

        Returns:
            The result. Refused plans, failed tools, denied approvals and used-up limits are results, not exceptions.

        Raises:
            DefinitionError: An input or a constraint is wrong, or the definition lacks something that the task needs.
            JournalError: The journal cannot be written.
            SessionError: The session cannot be read or written, or is somebody else's.
        """
        run_id = run_id or new_run_id()
        with _writing(journal, run_id, new=True) as written:
            run = self._new_run(run_id, deps, limits, human, written, tuple(listeners), dry_run, clock, user=user)
            request = request_of(self, task, run, inputs, input_schemas, message_history, tool_choice)
            chosen = tool_choice if isinstance(tool_choice, str) else list(tool_choice)
            now, given = run.clock.time(), dict(inputs or {})
            before = tuple(message_to_json(message) for message in message_history)
            goal, kept = request.task, write_constraints(request.constraints)
            run.events.emit(
                RunStarted(now, run_id, self.name, goal, given, user, chosen, before, dry_run, session, kept)
            )
            return await self._drive(run, request, inputs or {}, (), session, tool_choice)

    def with_model(self, model: str | Model) -> Self:
        """The same agent with another model."""
        other = copy(self)
        other.model = resolve_model(model)
        return other

    def run_sync(self, task: str | Task, **options: Any) -> RunResult:
        """`run`, for code that is not async. Takes the same arguments."""
        return asyncio.run(self.run(task, **options))

    @asynccontextmanager
    async def run_stream(self, task: str | Task, **options: Any) -> AsyncIterator[RunStream]:
        """`run`, with the events as they happen.

        Example::

            async with agent.run_stream("…") as stream:
                async for event in stream:
                    ...
            print(stream.result.output)

        Takes the same arguments as `run`. Leaving the block early cancels the run.
        """
        stream = RunStream()
        listeners = (*options.pop("listeners", ()), stream.put)
        async with asyncio.TaskGroup() as group:
            task_of_run = group.create_task(stream.fill(self.run(task, listeners=listeners, **options)))
            try:
                yield stream
                await stream.drain()
            finally:
                task_of_run.cancel()

    async def plan(
        self,
        task: str | Task,
        *,
        inputs: Mapping[str, Json] | None = None,
        input_schemas: Mapping[str, JsonSchema] | None = None,
        message_history: Sequence[Message] = (),
        limits: Limits | None = None,
        tool_choice: str | Sequence[str] = "auto",
        human: Human | None = None,
        listeners: Sequence[Listener] = (),
        clock: Clock | None = None,
        user: str = "",
        session: str = "",
    ) -> CheckReport:
        """Write and check a plan as `run` would, repairs included, without running anything.

        What comes before a plan comes here too: the memory is read, though nothing is kept in it; the request is
        classified; judges say whether it can be done, and whether the plan is good.

        Takes the arguments of `run`, without those of running.

        Raises:
            TaskDeclinedError: The task is out of scope, ambiguous, or cannot be done.
            DefinitionError: As for `run`.
            ModelError: The model failed for good.
            LimitReached: A budget is used up.
        """
        run = self._new_run(new_run_id(), None, limits, human, None, tuple(listeners), False, clock, user=user)
        request = request_of(self, task, run, inputs, input_schemas, message_history, tool_choice)
        started = await self._enter(run, request, inputs or {}, (), session, tool_choice)
        if isinstance(started.loop, Loop):
            return await started.loop.until_checked()
        if started.loop.status == "declined":
            raise TaskDeclinedError(started.loop.output)
        raise AgentKitError(started.loop.error)

    async def resume(
        self,
        run_id: str,
        journal: JournalStore,
        *,
        deps: Any = None,
        human: Human | None = None,
        listeners: Sequence[Listener] = (),
        limits: Limits | None = None,
        decisions: Mapping[str, Json] | None = None,
        accept_changes: bool = False,
        clock: Clock | None = None,
        constraints: Sequence[Constraint] | None = None,
    ) -> RunResult:
        """Go on with a run that was interrupted.

        Finished steps are not run again. A write that had started and has no result is in doubt: it is repeated under
        its idempotency key if its tool takes one; otherwise the step fails and says so, unless `decisions` settles it.

        Args:
            run_id: The run.
            journal: The journal that holds it.
            deps: Whatever the tools need.
            human: Who approves and answers.
            listeners: Called with every event as it happens.
            limits: What the run may use, what it used before included, its time too.
            decisions: For steps in doubt: the value that the step has had, or `RETRY` to run it again.
            accept_changes: Go on although tools that its plans call have changed since.
            clock: Time, for tests.
            constraints: Those of the task. The journal knows them, except those that hold functions.

        Raises:
            JournalError: No such run, it is already done, another process is running it, or its tools have changed.
        """
        with journal.writing(run_id) as written:
            recorded = journal.events(run_id)
            started = beginning(run_id, recorded)
            if not accept_changes:
                check_tools(run_id, recorded, acting(self, recorded).toolbox)
            recorded = settle(recorded, decisions or {})
            dry_run, user = started.dry_run, started.user
            run = self._new_run(
                run_id, deps, limits, human, written, tuple(listeners), dry_run, clock, recorded, user=user
            )
            before = tuple(message_from_json(row) for row in started.history)
            task = Task(started.task, read_constraints(started.constraints) if constraints is None else constraints)
            request = request_of(self, task, run, started.inputs, None, before, started.tool_choice)
            run.events.emit(RunResumed(run.clock.time()))
            return await self._drive(run, request, started.inputs, recorded, started.session, started.tool_choice)

    # the one path that every way of running takes

    async def _drive(
        self,
        run: Run,
        request: PlanRequest,
        inputs: Mapping[str, Json],
        recorded: tuple[Event, ...],
        session: str,
        tool_choice: str | Sequence[str],
    ) -> RunResult:
        """Run the loop to its end and record how it ended."""
        run.ledger.recall(recorded)
        memory, request, loop = await self._enter(run, request, inputs, recorded, session, tool_choice)
        ended = await loop.until_done() if isinstance(loop, Loop) else loop
        if memory is not None and not run.dry_run:
            happened = (*recorded, *run.events)
            told = messages_of(request.task, happened, ended.status, ended.output, ended.error, run_id=run.id)
            await memory.close(Turn(request.task, ended.status, ended.output, told, (), Owner(), run.id), run)
        usage = run.meter.usage
        run.events.emit(RunFinished(run.clock.time(), ended.status, ended.output, ended.error, usage))
        if run.journal is not None:
            await run.journal.flush()
        return RunResult(
            ended.output,
            ended.status,
            ended.error,
            ended.plan,
            usage,
            run.events.snapshot(),
            run.id,
            task=request.task,
            history=request.history,
            earlier=recorded,
        )

    async def _enter(
        self,
        run: Run,
        request: PlanRequest,
        inputs: Mapping[str, Json],
        recorded: tuple[Event, ...],
        session: str,
        tool_choice: str | Sequence[str],
    ) -> _Started:
        """Everything that comes before the first plan: what is remembered, and whose request it is."""
        memory = await remembered(self.memory, request, run, Owner(run.user, self.name, session))
        request = request if memory is None else memory.request
        prepare = None if memory is None else _preparing(memory)
        entered = await enter(self, request, run, recorded, tool_choice)
        agent, request = entered.agent, entered.request
        if entered.ended is not None:
            return _Started(memory, request, entered.ended)
        planner, selector, judging = from_data(agent.planner), agent.selector, agent.reflection
        below = Subgoals(planner, run, request, recorded, judging, prepare, selector)
        loop = Loop(run, planner, request, judging, inputs, below, recorded, prepare, selector)
        return _Started(memory, request, loop)

    def _new_run(
        self,
        run_id: str,
        deps: Any,
        limits: Limits | None,
        human: Human | None,
        journal: Journal | None,
        listeners: tuple[Listener, ...],
        dry_run: bool,
        clock: Clock | None,
        recorded: Sequence[Event] = (),
        *,
        user: str = "",
    ) -> Run:
        limits = limits or self.limits
        return Run(
            id=run_id,
            limits=limits,
            model=None if self.model is None else resolve_model(self.model),
            human=human or self.human,
            journal=journal,
            deps=deps,
            clock=clock,
            dry_run=dry_run,
            listeners=listeners,
            meter=Meter(limits, usage=used(recorded)),
            user=user,
            settings=self.model_settings,
            cache=self.cache,
            elapsed=elapsed(recorded),
        )


class _Started(NamedTuple):
    """A run before its first plan: its loop, or how it ends without one."""

    memory: RunMemory | None
    request: PlanRequest
    loop: Loop | Ended


def _writing(journal: JournalStore | None, run_id: str, *, new: bool) -> AbstractContextManager[Journal | None]:
    return nullcontext() if journal is None else journal.writing(run_id, new=new)


def _preparing(memory: RunMemory) -> Prepare:
    """Fits the conversation into the context before each plan, beside all that the prompt holds in any case."""

    async def prepare(request: PlanRequest, run: Run) -> PlanRequest:
        if run.model is None:
            return request
        profile = run.model.model.profile
        alone = replace(request, history=(), recalled="")
        fixed = conversation(alone, profile, spelling=profile.spelling)
        return await memory.prepare(request, fixed, run)

    return prepare
