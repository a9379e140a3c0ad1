"""The steps that do something by themselves: calls, values, model steps, questions and subgoals."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from agentkit._asking import answer_of, decision_of
from agentkit._bounded import bounded
from agentkit._fits import misfit
from agentkit._gates import gate_of
from agentkit._program import Program
from agentkit._states import BROKEN, DONE, MISSING, End
from agentkit._tool_cache import MISS, ToolCache
from agentkit.context import RunContext
from agentkit.errors import (
    AgentKitError,
    ExpressionError,
    JournalError,
    ModelRetry,
    ToolInputError,
    ToolOutputError,
    ToolTimeoutError,
)
from agentkit.events import ApprovalAsked, ApprovalGiven, Status, StepFinished, StepRetried, StepReused, StepStarted
from agentkit.ledger import CallDone
from agentkit.limits import LimitReached
from agentkit.messages import Json, user
from agentkit.plan import Ask, Call, Generate, JsonSchema, Step, Subgoal, Value
from agentkit.policy import Policy
from agentkit.protocols import ApprovalRequest, SubgoalRunner
from agentkit.results import IN_DOUBT
from agentkit.run import History, Run
from agentkit.schedule import Node
from agentkit.toolbox import Tool

Scope = Mapping[str, Json]


class _Denied(Exception):
    """A person, or nobody, said no."""


class Leaves:
    """Runs leaf steps of one execution, records what happens, and turns failures into data.

    Attributes:
        program: The expressions of the plan.
        subgoals: Plans and runs `subgoal` steps; without it they fail.
        stopped: The first limit that was used up, if any; it stops everything that has not started.
        on_cancel: Why steps are cancelled, when they are.
    """

    __slots__ = (
        "_cache",
        "_gate",
        "_history",
        "_number",
        "_policy",
        "_run",
        "on_cancel",
        "program",
        "stopped",
        "subgoals",
    )

    def __init__(
        self,
        run: Run,
        number: int,
        history: History,
        policy: Policy,
        program: Program,
        subgoals: SubgoalRunner | None,
    ) -> None:
        self._run = run
        self._number = number
        self._history = history
        self._policy = policy
        self.program = program
        self.subgoals = subgoals
        self.stopped: LimitReached | None = None
        self.on_cancel = "the run was cancelled"
        self._gate = asyncio.Semaphore(run.limits.parallelism)
        self._cache = ToolCache(run.cache, run.user)
        if history.finished:
            run.ledger.retake(number, history.finished)

    def before_step(self) -> None:
        """Count a step that is about to run.

        Raises:
            LimitReached: No steps, or no time, are left.
        """
        self._run.meter.start_step()
        remaining = self._run.remaining()
        if remaining is not None and remaining <= 0:
            raise LimitReached("seconds", self._run.limits.seconds or 0.0)

    def stop(self, limit: LimitReached) -> None:
        """Remember the first limit that was used up."""
        if self.stopped is None:
            self.stopped = limit

    def finished(
        self,
        name: str,
        status: Status,
        *,
        value: Json = None,
        error: str = "",
        started: float | None = None,
        cached: bool = False,
    ) -> StepFinished:
        """Record the end of a step instance."""
        now = self._run.clock.time()
        seconds = 0.0 if started is None else now - started
        event = StepFinished(now, name, self._number, status, value, error, seconds, cached=cached)
        self._run.events.emit(event)
        return event

    async def run(self, node: Node, scope: Scope, name: str) -> End:
        """Run a leaf step and record its one end."""
        step = node.step
        if type(step) is Value:
            return self._value(step, scope, name)
        done = self._history.finished.get(name)
        if done is not None:
            return self._replay(step, done)
        action = self._actions[type(step)]
        started = self._run.clock.time()
        event: StepFinished | None = None
        try:
            value = await action(self, node, step, scope, name)
            event = self.finished(name, "done", value=value, started=started)
            end = End(DONE, value, "", event)
        except LimitReached as limit:
            self.stop(limit)
            end = self._broken(self.finished(name, "cancelled", error=f"stopped: {limit}", started=started))
        except _FromCache as found:
            event = self.finished(name, "done", value=found.value, started=started, cached=True)
            end = End(DONE, found.value, "", event)
        except _DryRun as shown:
            event = self.finished(name, "skipped", error=str(shown), started=started)
            end = End(MISSING, None, event.error, event)
        except _Denied as denial:
            end = self._failed(step, scope, name, "denied", str(denial), started)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self.finished(name, "cancelled", error=self.on_cancel, started=started)
                raise
            end = self._failed(step, scope, name, "failed", "the call cancelled itself", started)
        except JournalError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a tool may raise anything; it becomes data
            end = self._failed(step, scope, name, "failed", _reason(error), started)
        if self._run.journal is not None and node.tool is not None and node.tool.effect == "write":
            await self._run.journal.flush()
        return end

    # ends

    def _value(self, step: Value, scope: Scope, name: str) -> End:
        try:
            value = self.program.value(step.id, scope)
        except ExpressionError as error:
            return self._broken(self.finished(name, "failed", error=str(error)))
        return End(DONE, value, "", self.finished(name, "done", value=value))

    def _broken(self, event: StepFinished) -> End:
        return End(BROKEN, None, event.error, event)

    def _failed(self, step: Step, scope: Scope, name: str, status: Status, error: str, started: float) -> End:
        """The end of a step that failed or was denied, as its `on_error` wants it."""
        on_error = step.on_error if isinstance(step, Call) else "fail"
        if isinstance(step, Call) and on_error == "value":
            try:
                value = None if step.fallback is None else self.program.value(step.id, scope)
            except ExpressionError as problem:
                return self._broken(self.finished(name, status, error=f"{error}; and: {problem}", started=started))
            note = f"went on with the plan's fallback after: {error}"
            return End(DONE, value, "", self.finished(name, "done", value=value, error=note, started=started))
        event = self.finished(name, status, error=error, started=started)
        return End(MISSING, None, error, event) if on_error == "skip" else self._broken(event)

    def _replay(self, step: Step, done: StepFinished) -> End:
        """The end of a step that had ended before the process did; it is recorded again and not run again."""
        event = StepFinished(
            self._run.clock.time(), done.step, self._number, done.status, done.value, done.error, 0.0, replayed=True
        )
        self._run.events.emit(event)
        if done.status == "done":
            return End(DONE, done.value, "", event)
        if isinstance(step, Call) and step.on_error == "skip":
            return End(MISSING, None, done.error, event)
        return self._broken(event)

    # model steps, questions, subgoals

    async def _generate(self, node: Node, step: Generate, scope: Scope, name: str) -> Json:
        model = self._run.model
        if model is None:
            raise AgentKitError("the plan asks a model and the run has none; give the agent a model")
        prompt = self.program.value(step.id, scope)
        self._start(name, "generate", args={"prompt": prompt})
        messages = (user(_text(prompt)),)
        if step.schema is None:
            return await self._within(model.text(messages, purpose="generate"))
        return await self._within(model.json(messages, dict(step.schema), purpose="generate"))

    async def _ask(self, node: Node, step: Ask, scope: Scope, name: str) -> Json:
        human = self._run.human
        if human is None:
            raise AgentKitError("the plan asks a person and nobody can be asked; run it with a human")
        question = _text(self.program.value(step.id, scope))
        self._start(name, "ask", args={"question": question})
        answer = await self._within(answer_of(human, question, step.schema))
        return _of_schema(answer, step.schema, "the answer")

    async def _subgoal(self, node: Node, step: Subgoal, scope: Scope, name: str) -> Json:
        if self.subgoals is None:
            raise AgentKitError("the plan has a subgoal and nothing here can plan it; run it with an agent")
        goal = _text(self.program.value(step.id, scope))
        inputs = self.program.args(step.id, scope)
        self._start(name, "subgoal", args={"goal": goal, "inputs": inputs})
        own_name = name if self._number == 1 else f"{name}@{self._number}"
        answer = await self._within(self.subgoals(goal, inputs, step.schema, own_name))
        return _of_schema(answer, step.schema, "the subgoal's answer")

    # calls

    async def _call(self, node: Node, step: Call, scope: Scope, name: str) -> Json:
        tool = node.tool
        assert tool is not None, "a checked plan calls known tools only"
        args = self.program.args(step.id, scope)
        bound = tool.bind(args)
        key = ""
        if tool.effect == "write":
            key = idempotency_key(self._run.id, self._number, name)
            self._check_doubt(tool, name)
            done = self._done_before(tool, step, args, name)
            if done is not None:
                return done.value
        if self._policy.decide(tool) == "ask" and not self._run.dry_run:
            await self._approve(tool, args, name)
        if self._run.dry_run and tool.effect == "write":
            raise _DryRun(f"dry run: {tool.name} was not called with {args!r}")
        found = self._cache.get(tool, args)
        if found is not MISS:
            raise _FromCache(found)
        try:
            async with gate_of(tool), self._gate:
                value = await self._attempts(tool, step, args, bound, name, key)
        finally:
            self._cache.written(tool)
        self._cache.put(tool, args, value)
        return value

    def _check_doubt(self, tool: Tool, name: str) -> None:
        """Refuse to repeat a write that may have happened, unless the tool recognises its idempotency key."""
        if name in self._history.started and not tool.idempotent:
            raise AgentKitError(
                f"{IN_DOUBT}{tool.name!r} had started when the process ended and no result was recorded; "
                "look whether it happened, then resume with a decision for this step"
            )

    def _done_before(self, tool: Tool, step: Call, args: dict[str, Json], name: str) -> CallDone | None:
        """The same write by a plan that this one replaces; recorded, and not done again unless the plan insists."""
        if step.again or name in self._history.started:
            return None
        done = self._run.ledger.take(tool, args, name)
        if done is not None:
            self._run.events.emit(StepReused(self._run.clock.time(), name, self._number, tool.name, done.name))
        return done

    async def _approve(self, tool: Tool, args: dict[str, Json], name: str) -> None:
        """Wait for a person's permission, unless it was given before a crash."""
        granted = self._history.approved.get(name)
        reason = "denied before"
        if granted is None:
            before = self._run.ledger.denial(tool, args)
            if before is not None:
                raise _Denied(f"{tool.name!r} was denied before in this run" + _because(before.reason))
            human = self._run.human
            if human is None:
                raise _Denied(f"{tool.name!r} needs approval and nobody can be asked")
            now = self._run.clock.time
            self._run.events.emit(ApprovalAsked(now(), name, self._number, tool.name, args))
            request = ApprovalRequest(name, tool.name, args, tool.effect, tool.resources)
            decision = await self._within(decision_of(human, request))
            granted, reason = decision.granted, decision.reason
            self._run.events.emit(ApprovalGiven(now(), name, self._number, granted, reason))
        if not granted:
            raise _Denied(f"{tool.name!r} was denied" + _because(reason))

    async def _attempts(
        self, tool: Tool, step: Call, args: dict[str, Json], bound: dict[str, Any], name: str, key: str
    ) -> Json:
        self._start(name, tool.name, effect=tool.effect, args=args, key=key, cost=tool.cost)
        if key and self._run.journal is not None:
            await self._run.journal.flush()
        retries = tool.retries if step.retry is None else step.retry
        timeout = tool.timeout if step.timeout is None else step.timeout
        if not retries:
            return await self._attempt(tool, bound, name, key, timeout, 0)
        attempt = partial(self._attempt, tool, bound, name, key, timeout)
        return await self._retrying(attempt, tool, name, retries)

    async def _attempt(
        self, tool: Tool, bound: dict[str, Any], name: str, key: str, timeout: float | None, number: int
    ) -> Json:
        run = self._run
        run.meter.start_tool_call(tool.cost)
        context: RunContext[Any] = RunContext(
            deps=run.deps,
            usage=run.meter.usage,
            retry=number,
            idempotency_key=key,
            run_id=run.id,
            step=name,
            user=run.user,
            model=run.model,
        )
        return await self._within(tool.invoke(bound, context), timeout)

    async def _retrying(self, attempt: Callable[[int], Awaitable[Json]], tool: Tool, name: str, retries: int) -> Json:
        from tenacity import (
            AsyncRetrying,
            RetryCallState,
            retry_if_exception,
            stop_after_attempt,
            wait_exponential_jitter,
        )

        def before_sleep(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            delay = state.next_action.sleep if state.next_action else 0.0
            now = self._run.clock.time()
            text = _reason(error) if error else ""
            self._run.events.emit(StepRetried(now, name, self._number, state.attempt_number, text, delay))

        retrying = AsyncRetrying(
            stop=stop_after_attempt(retries + 1),
            wait=wait_exponential_jitter(multiplier=0.1, max=30.0, jitter=0.1),
            retry=retry_if_exception(lambda error: _may_repeat(tool, error)),
            sleep=self._run.clock.sleep,
            before_sleep=before_sleep,
            reraise=True,
        )
        async for one in retrying:
            with one:
                return await attempt(one.retry_state.attempt_number - 1)
        raise AssertionError("unreachable: the last attempt returns or raises")

    # shared

    def _start(
        self, name: str, action: str, *, args: Json, effect: str = "read", key: str = "", cost: float = 0.0
    ) -> None:
        self._run.events.emit(StepStarted(self._run.clock.time(), name, self._number, action, effect, args, key, cost))

    async def _within(self, work: Coroutine[Any, Any, Json], timeout: float | None = None) -> Json:
        """The result of `work`, within its own timeout and the run's deadline."""
        remaining = self._run.remaining()
        if remaining is not None and (timeout is None or remaining < timeout):
            try:
                return await bounded(work, remaining)
            except TimeoutError:
                if (self._run.remaining() or 0.0) > 0:
                    raise
                raise LimitReached("seconds", self._run.limits.seconds or 0.0) from None
        if timeout is None:
            return await work
        try:
            return await bounded(work, timeout)
        except TimeoutError as error:
            raise ToolTimeoutError(f"no result within {timeout:g} s") from error

    _actions: Mapping[type[Step], Callable[..., Awaitable[Json]]] = {
        Call: _call,
        Generate: _generate,
        Ask: _ask,
        Subgoal: _subgoal,
    }


class _FromCache(Exception):
    """The result of an equal call, which need not be made."""

    def __init__(self, value: Json) -> None:
        super().__init__(value)
        self.value = value


class _DryRun(Exception):
    """A write that a dry run only shows."""


def idempotency_key(run_id: str, number: int, step: str) -> str:
    """The key of one write: the same for every attempt and every resume, and for nothing else."""
    return hashlib.sha256(f"{run_id}/{number}/{step}".encode()).hexdigest()[:32]


def _may_repeat(tool: Tool, error: BaseException) -> bool:
    """Whether another attempt can help, and cannot do a write twice."""
    if isinstance(error, ModelRetry | ToolInputError | LimitReached | JournalError) or not isinstance(error, Exception):
        return False
    uncertain = isinstance(error, ToolTimeoutError | ToolOutputError)
    return not (uncertain and tool.effect == "write" and not tool.idempotent)


def _reason(error: BaseException) -> str:
    """An exception in words: agentkit's own speak for themselves, others are named."""
    if isinstance(error, AgentKitError):
        return str(error)
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value)


def _of_schema(value: Json, schema: JsonSchema | None, what: str) -> Json:
    problem = "" if schema is None else misfit(value, schema)
    if problem:
        raise AgentKitError(f"{what} does not fit the step's schema: {problem}")
    return value
