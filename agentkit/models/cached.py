"""A cache of answers: an equal request of the same user is answered without asking the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from agentkit.cache import MISS, CacheStore
from agentkit.errors import ModelError
from agentkit.messages import Json, ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models._requests import digest, response_from_json, response_to_json, wire
from agentkit.models._wrapper import Wrapper, closing
from agentkit.protocols import Model

KIND = "model"
_COMPLETE = ("stop", "tool_calls")


@dataclass(frozen=True, slots=True)
class CachedStats:
    """How a cached model was used.

    Attributes:
        hits: Requests answered from the cache.
        shared: Requests that got the answer to an equal one that was under way.
        misses: Requests that the model answered, to be kept.
        bypassed: Requests that may not be cached.
    """

    hits: int = 0
    shared: int = 0
    misses: int = 0
    bypassed: int = 0


class CachedModel(Wrapper):
    """Answers a request that equals an earlier one from a cache.

    The key is everything that is sent (messages, tools, output, prefix, settings) and the model's name. An entry
    belongs to the request's `user` and is never given to another one. Not cached are requests marked `fresh`, those
    with a temperature above 0, and answers that were cut off. Equal requests at the same time ask the model once;
    streams are answered from the cache and kept in it, but do not wait for each other.

    A cached response says so (`ModelResponse.cached`); its usage is empty, since it cost nothing.

    Args:
        model: The model or its id.
        store: The cache, or the path of its file; in memory where not given.
        ttl: Seconds until an answer expires; None for never.
        sampled: Cache requests with a temperature above 0 too: each gets the one answer that was drawn first.
        shared: Says of a request that its answer is for everybody, whoever asks: it holds nothing of its user.
    """

    def __init__(
        self,
        model: Model | str,
        store: CacheStore | str | Path | None = None,
        *,
        ttl: float | None = None,
        sampled: bool = False,
        shared: Callable[[ModelRequest], bool] | None = None,
    ) -> None:
        super().__init__(model)
        self.store = store if isinstance(store, CacheStore) else CacheStore(":memory:" if store is None else store)
        self.stats = CachedStats()
        self._ttl = ttl
        self._sampled = sampled
        self._shared = shared
        self._flights: dict[tuple[asyncio.AbstractEventLoop, str, str], asyncio.Future[ModelResponse]] = {}

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` from the cache, by an equal request under way, or by the model."""
        if not may_be_cached(request, sampled=self._sampled):
            self._count(bypassed=1)
            return await self.model.request(request)
        started = time.perf_counter()
        scope, key = self._place(request)
        found = self._found(scope, key, started)
        if found is not None:
            return found
        flight_key = (asyncio.get_running_loop(), scope, key)
        while (flight := self._flights.get(flight_key)) is not None:
            await asyncio.wait([flight])
            if not flight.cancelled():
                self._count(shared=1)
                return _share(flight, started)
        return await self._fly(flight_key, request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece; from the cache, the whole text is one piece."""
        cacheable = may_be_cached(request, sampled=self._sampled)
        scope, key = self._place(request)
        if cacheable:
            found = self._found(scope, key, time.perf_counter())
            if found is not None:
                if found.text:
                    yield TextDelta(found.text)
                yield found
                return
        self._count(**{"misses" if cacheable else "bypassed": 1})
        async with closing(self.model.stream(request)) as source:
            async for piece in source:
                if cacheable and isinstance(piece, ModelResponse):
                    self._keep(scope, key, piece)
                yield piece

    def _place(self, request: ModelRequest) -> tuple[str, str]:
        """The scope and the key of a request."""
        everybody = self._shared is not None and self._shared(request)
        return "" if everybody else request.user, digest([self.name, wire(request)])

    def _found(self, scope: str, key: str, started: float) -> ModelResponse | None:
        kept = self.store.get(KIND, scope, key)
        if kept is MISS:
            return None
        response = revived(kept, started)
        if response is not None:
            self._count(hits=1)
        return response

    async def _fly(self, key: tuple[asyncio.AbstractEventLoop, str, str], request: ModelRequest) -> ModelResponse:
        """Ask the model, for everybody who comes with an equal request until it has answered."""
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        self._count(misses=1)
        try:
            response = await self.model.request(request)
            flight.set_result(response)
            self._keep(key[1], key[2], response)
            return response
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # nobody may be waiting; then it has been seen here
            raise
        finally:
            del self._flights[key]
            flight.cancel()

    def _keep(self, scope: str, key: str, response: ModelResponse) -> None:
        if response.finish in _COMPLETE:
            self.store.put(KIND, scope, key, response_to_json(response), ttl=self._ttl)

    def _count(self, **more: int) -> None:
        self.stats = replace(self.stats, **{name: getattr(self.stats, name) + one for name, one in more.items()})


def may_be_cached(request: ModelRequest, *, sampled: bool) -> bool:
    """Whether an answer may serve again: it does not depend on the time, and is not one draw of many."""
    return not request.fresh and (sampled or not request.settings.temperature)


def revived(kept: Json, started: float, note: str = "cache: hit") -> ModelResponse | None:
    """A response that was kept, as it is given again; None if it is of another version.

    Args:
        kept: What was kept.
        started: When it was looked for, by `time.perf_counter`.
        note: What the response says about where it comes from.
    """
    try:
        response = response_from_json(kept)
    except ValidationError:
        return None
    seconds = time.perf_counter() - started
    return replace(response, usage=Usage(), cached=True, ttft=seconds, seconds=seconds, notes=(note, *response.notes))


def _share(flight: asyncio.Future[ModelResponse], started: float) -> ModelResponse:
    """The answer, or the error, of an equal request; the one who asked has paid for it."""
    error = flight.exception()
    if error is None:
        seconds = time.perf_counter() - started
        note = "cache: shared with an equal request under way"
        response = flight.result()
        return replace(response, usage=Usage(), cached=True, seconds=seconds, notes=(note, *response.notes))
    if isinstance(error, ModelError):
        error = copy(error)
        error.usage = Usage()
    raise error
