"""A model that takes time to answer, on a clock that tests own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

from agentkit.errors import DefinitionError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta
from agentkit.protocols import Clock
from agentkit.testing.models import ABLE, FunctionModel, Reply, estimate_tokens


class TimedModel(FunctionModel):
    """A `FunctionModel` whose answers take time: some before the first token, and then so many tokens a second.

    Streams send whole lines, each when its last token is due. A closed stream takes no more time.

    Args:
        function: Takes the request; returns a text or a response (or an awaitable of one), or raises.
        clock: What the time passes on, such as a `FakeClock`.
        ttft: Seconds to the first token.
        tokens_per_second: How fast it writes.
        name: The model id.
        profile: What the model can do.

    Raises:
        DefinitionError: A time is below 0, or the speed is not above 0.
    """

    def __init__(
        self,
        function: Callable[[ModelRequest], Reply | Awaitable[Reply]],
        clock: Clock,
        *,
        ttft: float = 0.5,
        tokens_per_second: float = 50.0,
        name: str = "test:timed",
        profile: ModelProfile = ABLE,
    ) -> None:
        if ttft < 0 or tokens_per_second <= 0:
            raise DefinitionError(
                f"ttft is {ttft:g} s and the speed {tokens_per_second:g} tokens/s; give at least 0 s, and more than 0"
            )
        super().__init__(function, name=name, profile=profile)
        self._clock = clock
        self._ttft = ttft
        self._speed = tokens_per_second

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` completely, after the time that it takes."""
        response = await self._answer(request)
        await self._clock.sleep(self._ttft + estimate_tokens(response.text) / self._speed)
        return self._timed(response)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` line by line, each after the time that it takes."""
        response = await self._answer(request)
        await self._clock.sleep(self._ttft)
        for line in response.text.splitlines(keepends=True):
            await self._clock.sleep(estimate_tokens(line) / self._speed)
            yield TextDelta(line)
        yield self._timed(response)

    def _timed(self, response: ModelResponse) -> ModelResponse:
        seconds = self._ttft + estimate_tokens(response.text) / self._speed
        return replace(response, ttft=self._ttft, seconds=seconds)
