"""A cache that also answers requests that only mean the same as an earlier one."""

from __future__ import annotations

import re
import time
from array import array
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from operator import mul
from pathlib import Path

from agentkit.cache import MISS, CacheStore
from agentkit.errors import DefinitionError
from agentkit.messages import Json, ModelRequest, ModelResponse, TextDelta
from agentkit.models._requests import digest, response_to_json, wire
from agentkit.models._wrapper import Wrapper, closing
from agentkit.models.cached import may_be_cached, revived
from agentkit.protocols import Embedder, Model

KIND = "semantic"
_PLACES = 128
_ROUNDING = 1e-6

_DIGITS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8"}
_DIGITS |= {"nine": "9", "ten": "10", "eleven": "11", "twelve": "12"}
_DECISIVE = re.compile(
    "no|not|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|except|exclude|excluding|unless|only|all|any|"
    "before|after|above|below|over|under|more|less|most|least|fewer|higher|lower|highest|lowest|first|last|earliest|"
    "latest|newest|oldest|largest|smallest|biggest|cheapest|increase|decrease|rise|fall|buy|sell|open|close|start|stop|"
    "enable|disable|add|remove|include|win|lose|today|tomorrow|yesterday|next|previous|minimum|maximum"
)
"""Words that turn the meaning of a sentence while its embedding hardly moves."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+(?:[.,:/-]\d+)*")
_SENTENCE = re.compile(r"[.!?:]\s|\n")


def same_details(one: str, other: str) -> bool:
    """Whether two texts have the same numbers, names, negations and decisive words, as far as can be seen.

    Names are words with a capital that do not begin a sentence. English only, and no proof: an unknown opposite or a
    name in small letters passes.
    """
    return _details(one) == _details(other)


def _details(text: str) -> frozenset[str]:
    found = set()
    for sentence in _SENTENCE.split(text):
        for position, word in enumerate(_WORD.findall(sentence)):
            low = word.lower().replace("’", "'")
            if low.endswith("n't"):
                found.add("not")
            elif low in _DIGITS:
                found.add(_DIGITS[low])
            elif word[0].isdigit() or _DECISIVE.fullmatch(low):
                found.add(low)
            elif position and word[0].isupper() and low not in ("i", "i'm", "i've", "i'd", "i'll"):
                found.add(low.removesuffix("'s"))
    return frozenset(found)


class SemanticCachedModel(Wrapper):
    """Answers a request from the answer to an earlier one that means the same.

    Two requests can mean the same only if all that is sent but the last user message is equal. That message is compared
    by the cosine of its embedding. Since embeddings hardly tell *not* from its absence, 3 from 4, or one name from
    another, a `guard` also wants the same numbers, names and negations. It can still be wrong: see what
    ``python -m benchmarks.semantic_cache`` measures, and measure requests of your own, before you choose a threshold.

    Entries belong to the request's `user` and are never given to another one. Requests that `CachedModel` would not
    cache, requests that offer tools or end with something else than a user message, and answers that are cut off or
    call tools are left alone.

    Args:
        model: The model or its id.
        embedder: Makes the vectors; entries of an embedder with another name are not seen.
        threshold: The least cosine of two messages that mean the same, above 0, at most 1.
        store: The cache, or the path of its file; in memory where not given.
        ttl: Seconds until an answer expires; None for never.
        guard: Whether two messages, an earlier one and this one, may mean the same as far as their words tell; None
            trusts the embedding alone.
        most: Messages remembered for each user and context; the oldest go first.
        shared: Says of a request that its answer is for everybody, whoever asks.

    Raises:
        DefinitionError: The threshold is out of range.
    """

    def __init__(
        self,
        model: Model | str,
        embedder: Embedder,
        *,
        threshold: float,
        store: CacheStore | str | Path | None = None,
        ttl: float | None = None,
        guard: Callable[[str, str], bool] | None = same_details,
        most: int = 1000,
        shared: Callable[[ModelRequest], bool] | None = None,
    ) -> None:
        super().__init__(model)
        if not 0 < threshold <= 1:
            raise DefinitionError(f"threshold is {threshold!r}; expected a cosine above 0 and at most 1.")
        self.store = store if isinstance(store, CacheStore) else CacheStore(":memory:" if store is None else store)
        self.hits = self.misses = 0
        self._embedder = embedder
        self._threshold = threshold
        self._ttl = ttl
        self._guard = guard
        self._most = most
        self._shared = shared
        self._places: OrderedDict[tuple[str, str], list[_Known]] = OrderedDict()

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` from the answer to one that means the same, or by the model."""
        started = time.perf_counter()
        asked = await self._asked(request)
        found = None if asked is None else self._found(asked, started)
        if found is not None:
            return found
        response = await self.model.request(request)
        self._keep(asked, response)
        return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece; from the cache, the whole text is one piece."""
        started = time.perf_counter()
        asked = await self._asked(request)
        found = None if asked is None else self._found(asked, started)
        if found is not None:
            yield TextDelta(found.text)
            yield found
            return
        async with closing(self.model.stream(request)) as source:
            async for piece in source:
                if isinstance(piece, ModelResponse):
                    self._keep(asked, piece)
                yield piece

    async def _asked(self, request: ModelRequest) -> _Asked | None:
        """What is looked for; None for a request that is left alone."""
        last = request.messages[-1] if request.messages else None
        if last is None or last.role != "user" or not last.content.strip() or request.tools:
            return None
        if not may_be_cached(request, sampled=False):
            return None
        blank = replace(request, messages=(*request.messages[:-1], replace(last, content="")))
        everybody = self._shared is not None and self._shared(request)
        place = digest([self.name, self._embedder.name, wire(blank)])
        (vector,) = await self._embedder.embed([last.content])
        return _Asked("" if everybody else request.user, place, last.content, _unit(vector))

    def _found(self, asked: _Asked, started: float) -> ModelResponse | None:
        """The answer to the known message that is nearest, among those near enough."""
        near = [(sum(map(mul, known.vector, asked.vector)), known) for known in self._known(asked)]
        near = [(cosine, known) for cosine, known in near if cosine >= self._threshold - _ROUNDING]
        for cosine, known in sorted(near, key=lambda pair: -pair[0]):
            if self._guard is not None and not self._guard(known.text, asked.text):
                continue
            kept = self.store.get(KIND, asked.scope, known.key)
            note = f"semantic cache: {cosine:.3f} to {known.text!r}"
            response = None if kept is MISS else revived(kept["response"], started, note)
            if response is not None:
                self.hits += 1
                return response
            self._known(asked).remove(known)
        self.misses += 1
        return None

    def _keep(self, asked: _Asked | None, response: ModelResponse) -> None:
        if asked is None or response.finish != "stop" or not response.text:
            return
        key = digest([asked.place, asked.text])
        vector = b64encode(asked.vector.tobytes()).decode()
        value = {"text": asked.text, "vector": vector, "response": response_to_json(response)}
        self.store.put(KIND, asked.scope, key, value, ttl=self._ttl, place=asked.place)
        known = [one for one in self._known(asked) if one.key != key]
        self._places[asked.scope, asked.place] = [*known, _Known(key, asked.text, asked.vector)][-self._most :]

    def _known(self, asked: _Asked) -> list[_Known]:
        """The messages that were answered in this context, for this user; read from the file once."""
        place = (asked.scope, asked.place)
        if place not in self._places:
            kept = self.store.within(KIND, *place)
            self._places[place] = [_Known(key, value["text"], _vector(value)) for key, value in kept][-self._most :]
            if len(self._places) > _PLACES:
                self._places.popitem(last=False)
        self._places.move_to_end(place)
        return self._places[place]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A message that is looked for: for whom, in which context, and where it points."""

    scope: str
    place: str
    text: str
    vector: array[float]


@dataclass(frozen=True, slots=True)
class _Known:
    """A message whose answer is in the store."""

    key: str
    text: str
    vector: array[float]


def _unit(vector: Sequence[float]) -> array[float]:
    length = sqrt(sum(map(mul, vector, vector))) or 1.0
    return array("f", (number / length for number in vector))


def _vector(value: Json) -> array[float]:
    vector = array("f")
    vector.frombytes(b64decode(value["vector"]))
    return vector
