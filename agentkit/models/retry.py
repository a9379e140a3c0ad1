"""The transport retry budget: more tries when a provider could not be reached or would not serve."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from agentkit.errors import DefinitionError, ModelError, ModelUnavailableError
from agentkit.messages import ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models._wrapper import Wrapper, charge, close_stream, open_stream, told
from agentkit.models.prices import priced
from agentkit.protocols import Model, ModelStream

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState


class RetryingModel(Wrapper):
    """Tries `model` again after a `ModelUnavailableError`, and only after that.

    Waits grow exponentially with jitter, and are never shorter than the provider's ``retry_after``. A provider that
    asks for a wait longer than `longest_wait` is not tried again. A stream is tried again until its first piece has
    arrived; what was already handed on cannot be taken back, so a later failure is raised. The usage of an answer, or
    of the last error, holds that of the failed tries too.

    Args:
        model: The model to try, or its model id.
        attempts: Tries in all, the first included.
        first_wait: Seconds before the second try; the next waits double.
        longest_wait: The longest wait in seconds.
        jitter: At most so many random seconds are added to a wait.
        sleep: Waits so many seconds; tests pass a fake clock's.
    """

    def __init__(
        self,
        model: Model | str,
        *,
        attempts: int = 4,
        first_wait: float = 0.5,
        longest_wait: float = 60.0,
        jitter: float = 0.5,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if attempts < 1:
            raise DefinitionError(f"attempts is {attempts!r}; expected at least 1 (one try, no retry).")
        super().__init__(model)
        self._attempts = attempts
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._jitter = jitter
        self._sleep = sleep

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request`, in as many attempts as the budget allows; the last error is raised."""
        tries = _Tries()
        response: ModelResponse = await self._retrying()(tries.counted, self.model.request, request)
        return tries.told(priced(response, self.model))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece; see the class for which failures are tried again."""
        tries = _Tries()
        opened: tuple[TextDelta | ModelResponse, ModelStream]
        opened = await self._retrying()(tries.counted, self._open, request)
        first, source = opened
        async with AsyncExitStack() as stack:
            stack.push_async_callback(close_stream, source)
            try:
                yield tries.told(priced(first, self.model)) if isinstance(first, ModelResponse) else first
                async for piece in source:
                    yield tries.told(priced(piece, self.model)) if isinstance(piece, ModelResponse) else piece
            except ModelError as error:
                raise charge(error, tries.spent) from None

    async def _open(self, request: ModelRequest) -> tuple[TextDelta | ModelResponse, ModelStream]:
        return await open_stream(self.model.stream(request))

    def _retrying(self) -> AsyncRetrying:
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        return AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=retry_if_exception(self._worth_another_try),
            sleep=self._sleep,
            reraise=True,
        )

    def _worth_another_try(self, error: BaseException) -> bool:
        return isinstance(error, ModelUnavailableError) and (error.retry_after or 0.0) <= self._longest_wait

    def _wait(self, state: RetryCallState) -> float:
        from tenacity import wait_exponential_jitter

        backoff = wait_exponential_jitter(multiplier=self._first_wait, max=self._longest_wait, jitter=self._jitter)(
            state
        )
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, ModelUnavailableError) else None
        return max(backoff, asked or 0.0)


class _Tries:
    """What the failed tries of one call used."""

    def __init__(self) -> None:
        self.spent = Usage()

    async def counted(self, attempt: Callable[[ModelRequest], Awaitable[Any]], request: ModelRequest) -> Any:
        """One try; its error accounts for the tries before it."""
        try:
            return await attempt(request)
        except ModelError as error:
            charged = charge(error, self.spent)
            self.spent = charged.usage
            raise charged from error.__cause__

    def told(self, response: ModelResponse) -> ModelResponse:
        """A response with what the failed tries used."""
        if self.spent == Usage():
            return response
        return told(response, spent=self.spent, note=f"retry: {self.spent.model_calls} tries failed before")
