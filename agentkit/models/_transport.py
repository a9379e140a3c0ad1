"""One call to a provider's SDK: a client for the running event loop, one attempt, a deadline, agentkit's own errors."""

from __future__ import annotations

import asyncio
import json
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any, Protocol, TypeAlias
from weakref import WeakKeyDictionary

from agentkit.messages import Json, ModelProfile, ModelRequest, ModelResponse, TextDelta
from agentkit.models._provider_errors import Endpoint, cut_short, not_understood, translate
from agentkit.models.capabilities import check_request
from agentkit.models.safety import check_requests_allowed

CONNECT_SECONDS = 10.0
"""How long a connection may take to open; the call's own timeout covers everything else."""


class StreamReader(Protocol):
    """Puts one streamed reply together."""

    def feed(self, event: Json) -> str | None:
        """Take one event: the text it adds, an empty text for generated tokens of another kind, None for neither."""
        ...

    def result(self) -> ModelResponse | None:
        """The reply, or None when the stream ended before its last event."""
        ...


class Wire(Protocol):
    """One provider API: how a request is written and a reply is read."""

    def resource(self, client: Any) -> Any:
        """The part of the SDK's client whose ``create`` speaks this API."""
        ...

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The arguments of ``create`` for `request`."""
        ...

    def parse(self, reply: Json) -> ModelResponse:
        """Read a complete reply."""
        ...

    def reader(self) -> StreamReader:
        """A fresh reader for one stream."""
        ...

    @property
    def stream_options(self) -> dict[str, Any]:
        """More arguments of ``create`` for a stream."""
        ...

    @property
    def repeats_prefix(self) -> bool:
        """Whether a complete reply begins with the request's prefix, where a streamed one does not."""
        ...


class ClientPool:
    """One SDK client an event loop: connections kept alive in one loop cannot be used, nor closed, in another.

    A client lives in an async generator, which its loop closes at its end (``asyncio.run`` does that), so that nobody
    has to remember to. A pool that is dropped earlier asks the loops to close its clients then.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lives: _Lives = WeakKeyDictionary()
        weakref.finalize(self, _drop, self._lives).atexit = False

    async def get(self) -> Any:
        """The running loop's client."""
        for loop in [loop for loop in self._lives if loop.is_closed()]:
            _alive.discard(self._lives.pop(loop)[1])
        loop = asyncio.get_running_loop()
        if loop not in self._lives:
            life = _live(self._make())
            self._lives[loop] = (await anext(life), life)
        return self._lives[loop][0]

    async def aclose(self) -> None:
        """Close the running loop's client; the next call makes a new one."""
        client_and_life = self._lives.pop(asyncio.get_running_loop(), None)
        if client_and_life:
            await client_and_life[1].aclose()


_Life: TypeAlias = AsyncGenerator[Any, None]
_Lives: TypeAlias = WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Any, _Life]]

_alive: set[_Life] = set()
"""Keeps clients until they are closed: a loop only closes the generators that still exist when it ends."""


def _live(client: Any) -> _Life:
    async def live() -> _Life:
        try:
            yield client
        finally:
            _alive.discard(life)
            await client.close()

    life = live()
    _alive.add(life)
    return life


def _drop(lives: _Lives) -> None:
    for loop, (_, life) in lives.items():
        if loop.is_closed():
            _alive.discard(life)
        else:
            asyncio.run_coroutine_threadsafe(_end(life), loop)


async def _end(life: _Life) -> None:
    await life.aclose()


class ApiModel:
    """What every model behind an SDK shares. Subclasses choose the SDK, the endpoint and the wire format."""

    def __init__(
        self,
        endpoint: Endpoint,
        profile: ModelProfile,
        wire: Wire,
        *,
        timeout: float,
        load_sdk: Callable[[], ModuleType],
        make_client: Callable[[], Any],
        client: Any | None,
    ) -> None:
        self._endpoint = endpoint
        self._profile = profile
        self._wire = wire
        self._timeout = timeout
        self._load_sdk = load_sdk
        self._own_client = client
        self._pool = ClientPool(make_client)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def name(self) -> str:
        """The model id."""
        return self._endpoint.name

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        return self._profile

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` completely, in one attempt.

        Raises:
            DefinitionError: The request asks for something that the profile excludes.
            ModelUnavailableError: The provider cannot be reached, is overloaded, limits the rate, or timed out.
            ModelRefusedError: The provider rejects the request or the model refuses to answer.
            ModelOutputError: The reply cannot be read.
        """
        if request.prefix and self._wire.repeats_prefix:  # cutting it off would be a guess
            return await self._streamed(request)
        started = time.perf_counter()
        create, body = await self._prepare(request)
        timeout = request.settings.timeout or self._timeout
        with self._translated(timeout):
            async with asyncio.timeout(timeout):
                raw = await create.with_raw_response.create(**body)
        response = self._wire.parse(self._decode(raw.http_response.content))
        return replace(response, seconds=time.perf_counter() - started)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece, in one attempt; see `request` for what it raises.

        The timeout counts the time spent waiting for the provider, not the time that the caller takes between pieces.
        A stream that ends before the provider said that the reply is complete raises `ModelUnavailableError`.
        """
        started = time.perf_counter()
        ttft: float | None = None
        reader = self._wire.reader()
        async with aclosing(self._events(request)) as events:
            async for event in events:
                piece = reader.feed(event)
                if piece is not None and ttft is None:
                    ttft = time.perf_counter() - started
                if piece:
                    yield TextDelta(piece)
        response = reader.result()
        if response is None:
            raise cut_short(self._endpoint, "the stream ended without its last event")
        yield replace(response, ttft=ttft, seconds=time.perf_counter() - started)

    async def _streamed(self, request: ModelRequest) -> ModelResponse:
        async with aclosing(self.stream(request)) as stream:
            async for item in stream:
                if isinstance(item, ModelResponse):
                    return item
        raise cut_short(self._endpoint, "the stream ended without its last event")

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Only needed to free them before the loop ends."""
        await self._pool.aclose()

    async def _prepare(self, request: ModelRequest) -> tuple[Any, dict[str, Any]]:
        check_request(request, self._profile, self.name)
        check_requests_allowed(self.name, self._endpoint.url)
        body = self._wire.body(request)
        with self._translated(0.0):
            client = self._own_client or await self._pool.get()
        return self._wire.resource(client), body

    async def _events(self, request: ModelRequest) -> AsyncGenerator[Json, None]:
        create, body = await self._prepare(request)
        timeout = request.settings.timeout or self._timeout
        left = timeout
        stream: Any = None
        with self._translated(timeout):
            try:
                clock = time.perf_counter()
                async with asyncio.timeout(left):
                    stream = await create.create(**body, **self._wire.stream_options, stream=True)
                left -= time.perf_counter() - clock
                iterator = aiter(stream)
                while True:
                    clock = time.perf_counter()
                    async with asyncio.timeout(left):
                        event = await _next(iterator)
                    left -= time.perf_counter() - clock
                    if event is _END:
                        return
                    yield event if isinstance(event, dict) else event.to_dict(warnings=False)
            finally:
                if stream is not None:
                    await stream.close()

    def _decode(self, content: bytes) -> Json:
        try:
            reply = json.loads(content)
        except ValueError:
            raise not_understood(self._endpoint, "it is not JSON", content.decode(errors="replace")) from None
        if not isinstance(reply, dict):
            raise not_understood(self._endpoint, "it is not a JSON object", reply)
        return reply

    @contextmanager
    def _translated(self, timeout: float) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            told = translate(error, self._load_sdk(), self._endpoint, timeout)
            if told is None or told is error:
                raise
            raise told from error


_END = object()


async def _next(iterator: AsyncIterator[Any]) -> Any:
    return await anext(iterator, _END)
