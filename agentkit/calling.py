"""Calls of a model inside a run: counted, recorded, retried within the run's budgets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from agentkit._prompts import PromptRows
from agentkit.errors import ModelError, ModelOutputError, ModelUnavailableError
from agentkit.eventlog import EventLog
from agentkit.events import ModelCalled
from agentkit.limits import LimitReached, Limits, Meter
from agentkit.messages import (
    Json,
    JsonOutput,
    Message,
    ModelProfile,
    ModelRequest,
    ModelResponse,
    ModelSettings,
    TextDelta,
    Usage,
    assistant,
    user,
)
from agentkit.models.prices import check_priced, most_costly, priced, unpriced
from agentkit.protocols import Clock, Model, ModelStream
from agentkit.tokens import MESSAGE_OVERHEAD, estimate_tokens
from agentkit.types.validation import misfits

Parsed = TypeVar("Parsed")

LONGEST_WAIT = 60.0
"""Seconds between two attempts at most, unless the provider asks for more."""


IN_TOOL = "tool"
"""The purpose of a call that says none: those that tools make."""


class ModelCaller:
    """A model as a run uses it. Two retry budgets live here: transport, and malformed output.

    Replies get their cost here, before they are counted. A model without a known price costs nothing, and its events
    say so; where the limits bound the cost, it is refused.

    Raises:
        DefinitionError: `limits.cost` is set and the model's price is unknown.
    """

    __slots__ = (
        "_clock",
        "_deadline",
        "_events",
        "_limits",
        "_meter",
        "_rows",
        "_settings",
        "_user",
        "intent",
        "model",
    )

    def __init__(
        self,
        model: Model,
        *,
        events: EventLog,
        meter: Meter,
        limits: Limits,
        clock: Clock,
        user: str = "",
        settings: ModelSettings | None = None,
        deadline: float | None = None,
        intent: str = "",
    ) -> None:
        self.model = model
        self.intent = intent
        self._settings = settings or ModelSettings()
        self._deadline = deadline
        self._user = user
        self._events = events
        self._meter = meter
        self._limits = limits
        self._clock = clock
        self._rows = PromptRows()
        if limits.cost is not None:
            check_priced(model, limits.cost)

    @property
    def name(self) -> str:
        """The model id."""
        return self.model.name

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        return self.model.profile

    async def request(self, request: ModelRequest, *, purpose: str = IN_TOOL) -> ModelResponse:
        """One answer of the model; transport failures are retried.

        Raises:
            ModelError: The provider failed for good.
            LimitReached: No model calls, tokens, money or time are left.
        """
        retrying = None
        attempt = 1
        while True:
            try:
                return await self._once(request, purpose)
            except ModelUnavailableError as error:
                if attempt > self._limits.transport_retries:
                    raise
                retrying = retrying or _backoff()
                wait = max(retrying(attempt), error.retry_after or 0.0)
                left = self._left()
                if left is not None and wait >= left:
                    raise self._time_is_over() from error
                await self._clock.sleep(wait)
                attempt += 1

    async def _once(self, request: ModelRequest, purpose: str) -> ModelResponse:
        deadline = asyncio.timeout(self._left())
        self._meter.start_model_call()
        started = self._clock.time()
        try:
            async with deadline:
                response = priced(await self.model.request(self._marked(request, purpose)), self.model)
        except TimeoutError:
            if not deadline.expired():
                raise
            self._record(request, purpose, started, error="the run's time was over")
            raise self._time_is_over() from None
        except asyncio.CancelledError:
            self._record(request, purpose, started, error="cancelled")
            raise
        except ModelError as error:
            self._record(request, purpose, started, error=str(error), failed=error.usage)
            raise
        else:
            self._meter.add(response.usage)
            self._record(request, purpose, started, response=response)
            return response
        finally:
            self._meter.end_model_call()

    async def stream(
        self, request: ModelRequest, *, purpose: str = IN_TOOL
    ) -> AsyncIterator[TextDelta | ModelResponse]:
        """One answer piece by piece; never retried, since pieces have been seen.

        Closing it stops the model. No provider tells what a stopped reply took, so its tokens are estimated then.
        """
        self._left()
        self._meter.start_model_call()
        started = self._clock.time()
        stream = self.model.stream(self._marked(request, purpose))
        ended, said = False, ""
        try:
            while (piece := await self._piece(stream)) is not None:
                if isinstance(piece, ModelResponse):
                    ended, piece = True, priced(piece, self.model)
                    self._meter.add(piece.usage)
                    self._record(request, purpose, started, response=piece)
                else:
                    said += piece.text
                yield piece
        except ModelError as error:
            ended = True
            self._record(request, purpose, started, error=str(error), failed=error.usage)
            raise
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
            if not ended:
                self._record(
                    request, purpose, started, error="stopped by the caller", response=self._stopped(request, said)
                )
            self._meter.end_model_call()

    async def _piece(self, stream: ModelStream) -> TextDelta | ModelResponse | None:
        """The next piece of a stream, within the run's time; None at its end."""
        deadline = asyncio.timeout(self._left())
        try:
            async with deadline:
                return await anext(stream, None)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise self._time_is_over() from None

    def _left(self) -> float | None:
        """Seconds until the run's deadline; None without one."""
        left = None if self._deadline is None else self._deadline - self._clock.time()
        if left is not None and left <= 0:
            raise self._time_is_over()
        return left

    def _time_is_over(self) -> LimitReached:
        return LimitReached("seconds", self._limits.seconds or 0.0)

    async def parsed(self, request: ModelRequest, parse: Callable[[str], Parsed], *, purpose: str = IN_TOOL) -> Parsed:
        """An answer that `parse` accepts; a malformed one goes back to the model with the reason.

        Args:
            request: What to ask.
            parse: Turns the text into a value, or raises `ModelOutputError` saying what is wrong.
            purpose: Who asks, for the events.

        Raises:
            ModelOutputError: Every attempt was malformed; the last reply is in the message.
        """
        attempt = request
        for left in range(self._limits.output_retries, -1, -1):
            response = await self.request(attempt, purpose=purpose)
            try:
                return parse(response.text)
            except ModelOutputError as error:
                if not left:
                    raise ModelOutputError(
                        f"{error}; the reply was {_short(response.text)!r}", model=response.model
                    ) from error
                complaint = user(f"That reply cannot be used: {error}. Answer again, with nothing else.")
                attempt = replace(request, messages=(*request.messages, assistant(response.text), complaint))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def text(self, messages: tuple[Message, ...], *, purpose: str = IN_TOOL, **options: Any) -> str:
        """A text that is not empty."""

        def parse(text: str) -> str:
            if not text.strip():
                raise ModelOutputError("the reply is empty", model=self.model.name)
            return text.strip()

        return await self.parsed(ModelRequest(messages, **options), parse, purpose=purpose)

    async def json(
        self, messages: tuple[Message, ...], schema: dict[str, Json], *, purpose: str = IN_TOOL, **options: Any
    ) -> Json:
        """A JSON value of `schema`, enforced by the provider where it can and validated here in any case."""

        def parse(text: str) -> Json:
            try:
                value = json.loads(text)
            except json.JSONDecodeError as error:
                raise ModelOutputError(f"the reply is not JSON ({error})", model=self.model.name) from error
            if problems := "; ".join(islice(misfits(schema, value), 5)):
                raise ModelOutputError(problems, model=self.model.name)
            return value

        output = JsonOutput(schema) if self.model.profile.json_schema else None
        if output is None:
            ask = user(f"Answer with one JSON value of this JSON Schema and nothing else:\n{json.dumps(schema)}")
            messages = (*messages, ask)
        return await self.parsed(ModelRequest(messages, output=output, **options), parse, purpose=purpose)

    def _stopped(self, request: ModelRequest, said: str) -> ModelResponse:
        """A reply that was stopped, with an estimate of what it took."""
        prompt = sum(MESSAGE_OVERHEAD + estimate_tokens(message.content) for message in request.messages)
        usage = Usage(prompt + estimate_tokens(request.prefix), 0, estimate_tokens(said), model_calls=1)
        usage = replace(usage, cost=most_costly(usage, self.model))
        self._meter.add(usage)
        return ModelResponse(said, usage=usage)

    def _marked(self, request: ModelRequest, purpose: str) -> ModelRequest:
        """The request with what wrappers around the model go by."""
        settings = request.settings.or_else(self._settings.for_profile(self.profile))
        return replace(
            request,
            user=request.user or self._user,
            purpose=request.purpose or purpose,
            intent=request.intent or self.intent,
            settings=settings,
        )

    def _record(
        self,
        request: ModelRequest,
        purpose: str,
        started: float,
        *,
        response: ModelResponse | None = None,
        error: str = "",
        failed: Usage = Usage(model_calls=1),  # noqa: B008 - frozen
    ) -> None:
        now = self._clock.time()
        prompt = self._rows.of(request.messages)
        if request.prefix:
            prompt = (*prompt, {"role": "assistant", "content": request.prefix})
        called = ModelCalled(now, purpose, self.model.name, prompt, error=error, seconds=now - started)
        if response is None:
            self._meter.add(failed)
            called = replace(called, usage=failed)
        else:
            called = replace(
                called,
                reply=response.text,
                usage=response.usage,
                seconds=response.seconds or called.seconds,
                ttft=response.ttft,
                cached=response.cached,
                notes=response.notes,
                unpriced=() if response.usage.cost or response.cached else unpriced(self.model),
                tool_calls=tuple({"name": call.name, "args": dict(call.args)} for call in response.tool_calls),
            )
        self._events.emit(called)


def _backoff() -> Callable[[int], float]:
    """Exponential waits with jitter, in seconds, by attempt."""
    from tenacity import RetryCallState, Retrying, wait_exponential_jitter

    wait = wait_exponential_jitter(multiplier=0.5, max=LONGEST_WAIT)

    def seconds(attempt: int) -> float:
        state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
        state.attempt_number = attempt
        return wait(state)

    return seconds


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
