"""Two calls for one answer: the first valid reply wins and the other call is cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Self, TypeAlias

from agentkit.clock import SystemClock
from agentkit.errors import DefinitionError, ModelError, ModelOutputError, ModelUnavailableError
from agentkit.messages import JsonOutput, ModelProfile, ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models._requests import estimated_tokens
from agentkit.models._wrapper import all_failed, charge, closing, joint_profile, told
from agentkit.models.capabilities import check_request
from agentkit.models.ids import resolve_model
from agentkit.models.prices import price_of_model, priced
from agentkit.protocols import Clock, Model, ModelStream
from agentkit.types.validation import misfits

Valid: TypeAlias = Callable[[ModelRequest, ModelResponse], str]
"""What is wrong with a response; empty if nothing is."""

_Attempt: TypeAlias = Callable[[Model], ModelStream]
_Item: TypeAlias = TextDelta | ModelResponse | Exception | None


class HedgedModel:
    """Asks a second time when the first call is slow, has failed or gave an invalid reply; the first valid reply wins.

    The usage of a response holds that of the other call too: what it used if it had ended, or the prompt, as the winner
    counted it, if it was cancelled under way (what a provider charges for a cancelled reply is not known). A stream is
    won by its first piece, and its validity is not judged.

    Args:
        model: The model or its id.
        second: Who is asked the second time; the same model where not given.
        after: Seconds until the second call; 0 makes both at once.
        valid: Says what is wrong with a response, or nothing. By default a reply must not be empty, and must satisfy
            the request's JSON Schema where there is one.
        clock: Time, for tests.

    Raises:
        DefinitionError: `after` is negative.
    """

    def __init__(
        self,
        model: Model | str,
        second: Model | str | None = None,
        *,
        after: float = 0.0,
        valid: Valid | None = None,
        clock: Clock | None = None,
    ) -> None:
        if after < 0:
            raise DefinitionError(f"after is {after!r}; expected seconds from 0.")
        first = resolve_model(model)
        self._models = (first, first if second is None else resolve_model(second))
        self._after = after
        self._valid = valid or usable
        self._clock: Clock = clock or SystemClock()

    @property
    def models(self) -> tuple[Model, ...]:
        """The two models, or the one that is asked twice."""
        return tuple(dict.fromkeys(self._models))

    @property
    def name(self) -> str:
        """The model's id, or ``hedged(first, second)``."""
        names = [model.name for model in self.models]
        return names[0] if len(names) == 1 else f"hedged({', '.join(names)})"

    @property
    def profile(self) -> ModelProfile:
        """What both models can do."""
        return joint_profile(self.models)

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` by the first valid reply.

        Raises:
            ModelError: Both calls failed or gave invalid replies; the message has both reasons.
        """
        check_request(request, self.profile, self.name)

        async def answers(model: Model) -> AsyncGenerator[ModelResponse, None]:
            response = priced(await model.request(request), model)
            problem = self._valid(request, response)
            if problem:
                error = ModelOutputError(f"the reply is not valid: {problem}", model=model.name)
                error.usage = response.usage
                raise error
            yield response

        async with self._race(answers) as race:
            response = await race.winner()
        assert isinstance(response, ModelResponse), "a call that is no stream has no pieces"
        return race.told(response, request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` by the stream whose first piece comes first."""
        check_request(request, self.profile, self.name)
        async with self._race(lambda model: model.stream(request)) as race:
            piece = await race.winner()
            while not isinstance(piece, ModelResponse):
                yield piece
                piece = await race.next()
            yield race.told(priced(piece, race.model), request)

    def _race(self, attempt: _Attempt) -> _Race:
        return _Race(self._models, attempt, self._after, self._clock)


def usable(request: ModelRequest, response: ModelResponse) -> str:
    """What is wrong with a response as an answer to `request`; empty if nothing is."""
    if response.tool_calls:
        return ""
    if not response.text.strip():
        return "it is empty"
    if not isinstance(request.output, JsonOutput):
        return ""
    try:
        value = json.loads(request.prefix + response.text)
    except ValueError as error:
        return f"it is not JSON ({error})"
    return "; ".join(misfits(request.output.schema, value))


class _Race:
    """Two calls, each in a task of its own; neither outlives the block.

    Attributes:
        number: Which call won.
    """

    def __init__(self, models: tuple[Model, Model], attempt: _Attempt, after: float, clock: Clock) -> None:
        self.number = 0
        self._models = models
        self._attempt = attempt
        self._after = after
        self._clock = clock
        self._items: asyncio.Queue[tuple[int, _Item]] = asyncio.Queue()
        self._calls: list[asyncio.Task[None]] = []
        self._timer: asyncio.Task[None] | None = None
        self._failures: dict[int, ModelError] = {}

    async def __aenter__(self) -> Self:
        self._start()
        if self._after:
            self._timer = asyncio.create_task(self._wait())
        else:
            self._start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stop([*self._calls, *([self._timer] if self._timer else [])])

    @property
    def model(self) -> Model:
        """The model that won."""
        return self._models[self.number]

    async def winner(self) -> TextDelta | ModelResponse:
        """The first item of the call that wins; the other call is stopped.

        Raises:
            ModelError: Both failed.
        """
        while True:
            self.number, item = await self._items.get()
            if isinstance(item, TextDelta | ModelResponse):
                await self._stop([call for i, call in enumerate(self._calls) if i != self.number])
                return item
            if item is not None:
                self._lost(item)
            if len(self._calls) < len(self._models):
                self._start()

    async def next(self) -> TextDelta | ModelResponse:
        """The next item of the call that won."""
        while True:
            number, item = await self._items.get()
            if number != self.number or item is None:
                continue
            if isinstance(item, Exception):
                raise charge(item, self._spent()) if isinstance(item, ModelError) else item
            return item

    def told(self, response: ModelResponse, request: ModelRequest) -> ModelResponse:
        """The response with what the other call used."""
        if len(self._calls) == 1:
            return response
        spent = self._spent()
        if not self._failures:
            prompt = response.usage.input_tokens or estimated_tokens(request)
            lost, price = Usage(input_tokens=prompt, model_calls=1), price_of_model(self._models[1 - self.number])
            spent = lost if price is None else replace(lost, cost=price.cost(lost))
        which = ("first", "second")[self.number]
        return told(response, spent=spent, note=f"hedge: the {which} call, of {self.model.name!r}, won")

    def _spent(self) -> Usage:
        """What calls that failed used."""
        return sum((error.usage for error in self._failures.values()), Usage())

    def _lost(self, error: Exception) -> None:
        if not isinstance(error, ModelError):
            raise error
        self._failures[self.number] = error
        if len(self._failures) == len(self._models):
            failures = [(self._models[number].name, error) for number, error in sorted(self._failures.items())]
            raise all_failed("both calls failed", failures, model=self.model.name)

    def _start(self) -> None:
        number = len(self._calls)
        self._calls.append(asyncio.create_task(self._pump(number)))

    async def _pump(self, number: int) -> None:
        """Hand on what a call gives, and how it fails."""
        try:
            async with closing(self._attempt(self._models[number])) as source:
                async for item in source:
                    self._items.put_nowait((number, item))
            ended = ModelOutputError("the stream ended without a response", model=self._models[number].name)
            self._items.put_nowait((number, ended))
        except asyncio.CancelledError:
            stopped = ModelUnavailableError("the call cancelled itself", model=self._models[number].name)
            self._items.put_nowait((number, stopped))
            raise
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for the item
            self._items.put_nowait((number, error))

    async def _wait(self) -> None:
        await self._clock.sleep(self._after)
        self._items.put_nowait((-1, None))

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
