"""Tool selection: out of an inventory too large for a prompt, the tools that a task may need.

`ToolIndex` finds tools by the words and, with an embedder, by the meaning of their names, descriptions and parameters.
`ToolRetrieval` is a selector for agents that uses one: ``Agent(tools=…, selector=ToolRetrieval(k=10))``.

Sources: retrieval of tools, Patil et al., "Gorilla: Large Language Model Connected with Massive APIs" (2023); rank
fusion, Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet" (2009).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal
from weakref import WeakKeyDictionary

from agentkit.cache import MISS, CacheStore
from agentkit.embeddings import Embedder
from agentkit.errors import DefinitionError, MissingDependencyError
from agentkit.lexical import STOP_WORDS, Entry, LexicalIndex, reciprocal_rank_fusion
from agentkit.planning import Picked, PlanRequest
from agentkit.run import Run
from agentkit.toolbox import Tool, Toolbox

__all__ = ["ToolIndex", "ToolRetrieval"]

DEPTH = 50
"""How many places of each ranking are fused, at least; more where more tools are asked for."""

FUSION = 10
"""How little the first places of a ranking stand out. Inventories are small beside what 60, the usual value, is for."""

_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_EMPTY = STOP_WORDS | {"get", "give", "let", "like", "need", "please", "tell", "up", "want", "will"}
"""Words of a task that say nothing about what it needs, and stand in many descriptions."""


class ToolIndex:
    """Finds tools by their names, descriptions and parameters.

    Names are split into words (``getWeatherForecast`` and ``get_weather_forecast`` are three). Words are ranked by
    BM25; with an embedder, meanings are ranked by cosine, and the two rankings are fused by reciprocal rank.

    Args:
        tools: The inventory. `add` takes in more.
        embedder: Makes vectors of descriptions and tasks; without one, words alone decide.
        cache: Keeps the vectors of descriptions between processes; without one, they are made anew in each.
    """

    def __init__(
        self, tools: Iterable[Tool] | Toolbox = (), embedder: Embedder | None = None, *, cache: CacheStore | None = None
    ) -> None:
        self._embedder = embedder
        self._cache = cache
        self._toolbox = Toolbox()
        self._texts: dict[str, str] = {}
        self._known: WeakKeyDictionary[Tool, str] = WeakKeyDictionary()
        self._words = LexicalIndex()
        self._vectors: dict[str, array[float]] = {}
        self._matrix: tuple[list[str], Any] | None = None
        self._toolbox = Toolbox(tools)
        self.add(self._toolbox.values())

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, tools: Iterable[Tool]) -> None:
        """Take tools in; one of a known name replaces the earlier one if it says something else of itself."""
        changed = {}
        for tool in tools:
            text = self._known.get(tool)
            if text is None:
                text = self._known[tool] = described(tool)
            if self._texts.get(tool.name) != text:
                changed[tool.name] = text
        if changed:
            self._texts.update(changed)
            self._words.add(Entry(name, text) for name, text in changed.items())
            for name in changed:
                self._vectors.pop(name, None)
            self._matrix = None

    async def build(self) -> None:
        """Make the vectors that are missing now, rather than when the first task comes.

        Raises:
            ModelError: The embedder failed for good.
        """
        if self._embedder is None:
            return
        texts = {name: text for name, text in self._texts.items() if name not in self._vectors}
        place = ("tool vectors", self._embedder.name)
        if self._cache is not None:
            for name, text in texts.items():
                found = self._cache.get(*place, text)
                if found is not MISS:
                    self._vectors[name] = array("f", found)
        missing = {name: text for name, text in texts.items() if name not in self._vectors}
        if not missing:
            return
        vectors = await self._embedder.embed(list(missing.values()))
        for (name, text), vector in zip(missing.items(), vectors, strict=True):
            self._vectors[name] = array("f", vector)
            if self._cache is not None:
                self._cache.put(*place, text, vector)
        self._matrix = None

    async def rank(
        self,
        task: str,
        k: int = 10,
        *,
        among: Iterable[str] | None = None,
        by: Literal["words", "meaning", "both"] = "both",
    ) -> list[Picked]:
        """The tools that fit a task best, best first, each with its score and its places in the rankings.

        Args:
            task: What is to be done, in words.
            k: How many.
            among: Names of the tools to look at; all by default.
            by: Which ranking to use. Without an embedder there is only that by words.

        Raises:
            ModelError: The embedder failed for good.
        """
        names = None if among is None else frozenset(among)
        keys = None if names is None or names >= self._texts.keys() else names
        depth = max(DEPTH, 2 * k)
        rankings = {}
        if by != "meaning" or self._embedder is None:
            rankings["words"] = [hit.key for hit in self._words.search(_telling(task), depth, keys=keys)]
        if by != "words" and self._embedder is not None:
            rankings["meaning"] = await self._nearest(task, depth, names)
        places = {by: {name: place for place, name in enumerate(found, 1)} for by, found in rankings.items()}
        return [
            Picked(
                name,
                round(score, 5),
                ", ".join(f"{by} {found[name]}" for by, found in places.items() if name in found),
            )
            for name, score in self._fused(rankings)[:k]
        ]

    def _fused(self, rankings: Mapping[str, list[str]]) -> list[tuple[str, float]]:
        """One ranking of both. Meaning counts twice: words that happen to be shared mislead more often than it does."""
        votes = [found for by, found in rankings.items() for _ in range(2 if by == "meaning" else 1)]
        return reciprocal_rank_fusion(votes, k=FUSION)

    async def select(self, task: str, k: int = 10, always: Sequence[str] = ()) -> Toolbox:
        """The `k` tools of the inventory that fit a task best, and those that `always` names.

        Args:
            task: What is to be done, in words.
            k: How many.
            always: Names and globs of tools that are there whatever the task is; they come on top of `k`.

        Raises:
            DefinitionError: `always` names a tool that does not exist.
            ModelError: The embedder failed for good.
        """
        ranked = await self.rank(task, k, among=self._toolbox)
        kept = self._toolbox.select(*always) if always else Toolbox()
        return Toolbox((self._toolbox[one.tool] for one in ranked), kept)

    async def _nearest(self, task: str, depth: int, names: frozenset[str] | None) -> list[str]:
        """Names in the order of the cosine of their vectors with the task's."""
        assert self._embedder is not None
        await self.build()
        try:
            import numpy as np
        except ModuleNotFoundError:
            raise MissingDependencyError(
                "tool selection by meaning needs the package 'numpy'; "
                "install it with: pip install 'agentkit-plans[memory]'"
            ) from None
        [asked] = await self._embedder.embed([task])
        if self._matrix is None:
            vectors = b"".join(vector.tobytes() for vector in self._vectors.values())
            matrix = np.frombuffer(vectors, dtype=np.float32).reshape(-1, self._embedder.dimension)
            lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
            self._matrix = list(self._vectors), matrix / np.maximum(lengths, 1e-12)
        known, unit = self._matrix
        order = np.argsort(-(unit @ np.array(asked, dtype=np.float32)), kind="stable")
        ranked = (known[position] for position in order)
        return [name for name in ranked if names is None or name in names][:depth]


class ToolRetrieval:
    """Selects an agent's tools by retrieval, for `Agent(selector=…)`.

    Tools that the policy forbids are not selected. When a plan calls a tool that was not selected, that tool and its
    neighbours are added; for a name that no tool has, those that it sounds like. When a planner finds no way, the next
    best tools for the task are added.

    Args:
        k: Tools to select for a task.
        always: Names and globs of tools that are there whatever the task is, on top of `k`.
        embedder: Makes vectors of descriptions and tasks; without one, words alone decide.
        cache: Keeps the vectors of descriptions between processes.
        neighbours: Tools to add for each one that a plan lacked.

    Raises:
        DefinitionError: `k` or `neighbours` is not positive.
    """

    def __init__(
        self,
        k: int = 10,
        *,
        always: Sequence[str] = (),
        embedder: Embedder | None = None,
        cache: CacheStore | None = None,
        neighbours: int = 5,
    ) -> None:
        for name, value in (("k", k), ("neighbours", neighbours)):
            if value < 1:
                raise DefinitionError(f"{name} is {value!r}; expected a number of tools, 1 or more.")
        self._k = k
        self._always = (always,) if isinstance(always, str) else tuple(always)
        self._neighbours = neighbours
        self.index = ToolIndex(embedder=embedder, cache=cache)

    async def select(self, request: PlanRequest, run: Run) -> list[Picked]:
        """The tools that fit the task best, and those that are always there.

        Raises:
            ModelError: The embedder failed for good.
        """
        always = [name for name in request.toolbox if any(fnmatchcase(name, glob) for glob in self._always)]
        ranked = await self._rank(request.task, self._k, request)
        return [*ranked, *(Picked(name, why="always") for name in always)]

    async def widen(self, wanted: Sequence[str], request: PlanRequest, run: Run) -> list[Picked]:
        """The tools wanted, as far as they exist, with what is like them; without a wish, the task's next best tools.

        Raises:
            ModelError: The embedder failed for good.
        """
        if not wanted:
            return await self._rank(request.task, 3 * self._k, request)
        found: list[Picked] = []
        for name in wanted:
            tool = request.toolbox.get(name) or request.toolbox.by_python_name(name)
            if tool is not None:
                found.append(Picked(tool.name, why="a plan calls it"))
            found += await self._rank(name if tool is None else described(tool), self._neighbours, request)
        return found

    async def _rank(self, text: str, k: int, request: PlanRequest) -> list[Picked]:
        self.index.add(request.toolbox.values())
        allowed = [name for name, tool in request.toolbox.items() if request.policy.decide(tool) != "never"]
        return await self.index.rank(text, k, among=allowed)


def described(tool: Tool) -> str:
    """What a tool is searched by: the words of its name, its description, and its parameters with theirs."""
    parts = [split(tool.name) + ".", tool.description.strip()]
    for parameter in tool.parameters:
        values = _values(parameter.schema)
        parts.append(" ".join(part for part in (split(parameter.name), parameter.description, values) if part) + ".")
    return " ".join(parts)


def _values(schema: Mapping[str, Any]) -> str:
    """The words that a parameter takes, where they are few: they tell what a tool is about."""
    values = schema.get("enum", ())
    return " ".join(split(value) for value in values[:10] if isinstance(value, str))


def split(text: str) -> str:
    """A text with the words in its names apart: ``getHTTPStatus_code2`` is get HTTP Status code 2."""
    return " ".join(_WORD.findall(_BORDER.sub(" ", text)))


def _telling(task: str) -> str:
    words = split(task).split()
    return " ".join(word for word in words if word.lower() not in _EMPTY) or task
