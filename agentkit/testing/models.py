"""Models that answer from a script or a function: no network, no weights, deterministic."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from agentkit.errors import DefinitionError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models.capabilities import check_request

Reply: TypeAlias = str | ModelResponse | BaseException
"""What a double answers: a text, a whole response, or an exception to raise."""

ABLE = ModelProfile(json_schema=True, grammar=True, tools=True, prefix=True)
"""The profile of doubles: they take every request."""


class FunctionModel:
    """A model that answers with what a function returns; it records every request.

    A text becomes a response with estimated usage: one token for each word or mark. A whole response keeps its own.
    Streams send the text word by word.

    Args:
        function: Takes the request; returns a text or a response (or an awaitable of one), or raises.
        name: The model id.
        profile: What the model can do; a request for more is refused as an adapter refuses it.
    """

    def __init__(
        self,
        function: Callable[[ModelRequest], Reply | Awaitable[Reply]],
        *,
        name: str = "test:function",
        profile: ModelProfile = ABLE,
    ) -> None:
        self.requests: list[ModelRequest] = []
        self._function = function
        self._name = name
        self._profile = profile

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"

    @property
    def name(self) -> str:
        """The model id."""
        return self._name

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        return self._profile

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` completely."""
        started = time.perf_counter()
        response = await self._answer(request)
        return replace(response, seconds=response.seconds or time.perf_counter() - started)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` word by word."""
        started = time.perf_counter()
        response = await self._answer(request)
        ttft = time.perf_counter() - started if response.ttft is None else response.ttft
        for piece in words(response.text):
            yield TextDelta(piece)
        seconds = response.seconds or time.perf_counter() - started
        yield replace(response, ttft=ttft, seconds=seconds)

    async def _answer(self, request: ModelRequest) -> ModelResponse:
        check_request(request, self._profile, self._name)
        self.requests.append(request)
        reply = self._function(request)
        if inspect.isawaitable(reply):
            reply = await reply
        if isinstance(reply, BaseException):
            raise reply
        return self._response(request, reply)

    def _response(self, request: ModelRequest, reply: str | ModelResponse) -> ModelResponse:
        if isinstance(reply, ModelResponse):
            return reply
        if not isinstance(reply, str):
            raise DefinitionError(
                f"{self!r} was given the reply {reply!r} ({type(reply).__name__}); "
                "expected a str, a ModelResponse or an exception."
            )
        prompt = sum(estimate_tokens(message.content) for message in request.messages)
        usage = Usage(input_tokens=prompt, output_tokens=estimate_tokens(reply), model_calls=1)
        return ModelResponse(text=reply, usage=usage, model=self._name)


class ScriptedModel(FunctionModel):
    """A model that gives its replies in order; it records every request.

    Args:
        replies: A text, a whole response, or an exception to raise, for each request in turn.
        name: The model id.
        profile: What the model can do; a request for more is refused as an adapter refuses it.
    """

    def __init__(self, replies: Iterable[Reply], *, name: str = "test:scripted", profile: ModelProfile = ABLE) -> None:
        super().__init__(self._next, name=name, profile=profile)
        self._replies = tuple(replies)
        self._given = 0

    @property
    def remaining(self) -> int:
        """How many replies are left."""
        return len(self._replies) - self._given

    def _next(self, request: ModelRequest) -> Reply:
        if not self.remaining:
            raise DefinitionError(
                f"the script of {self!r} is exhausted: it has length {len(self._replies)} and this is request "
                f"{len(self.requests)}, which ends with {request.messages[-1].content[-200:]!r}. Add a reply to the "
                "script, or find out why the model is asked so often."
            )
        self._given += 1
        return self._replies[self._given - 1]


def words(text: str) -> Iterator[str]:
    """The words of `text`, each with the white space before it; together they are `text`."""
    return (match.group() for match in re.finditer(r"\s*\S+|\s+", text))


def estimate_tokens(text: str) -> int:
    """A stand-in for a tokenizer: words and marks, each one token."""
    return len(re.findall(r"\w+|[^\w\s]", text))
