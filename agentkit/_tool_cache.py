"""Results of tools that are given again to equal calls, until they expire or a write may have changed them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from agentkit.cache import MISS, CacheStore
from agentkit.messages import Json
from agentkit.toolbox import Tool

__all__ = ["MISS", "ToolCache"]

_PURE = "tool:pure"
_READ = "tool:read"


class ToolCache:
    """The cache of one run's tool results.

    Results of pure tools are for everybody; those of reads belong to the run's user. A read that takes a `RunContext`
    is not cached in a run without a user, since what it finds in `deps` may be anybody's.

    Args:
        store: Where results are kept; None keeps none.
        user: For whom the run works.
    """

    __slots__ = ("_store", "_user")

    def __init__(self, store: CacheStore | None, user: str) -> None:
        self._store = store
        self._user = user

    def get(self, tool: Tool, args: Mapping[str, Json]) -> Json:
        """The result of an equal call, or `MISS`."""
        if self._store is None or not self._allowed(tool):
            return MISS
        return self._store.get(*self._place(tool, args))

    def put(self, tool: Tool, args: Mapping[str, Json], value: Json) -> None:
        """Keep a result."""
        if self._store is not None and self._allowed(tool):
            self._store.put(*self._place(tool, args), value, ttl=tool.cache, tags=tool.resources)

    def written(self, tool: Tool) -> None:
        """Forget what a write may have changed: reads of its resources, of every user, and reads of the world."""
        if self._store is not None and tool.effect == "write":
            self._store.forget(kind=_READ, tags=tool.resources or None)

    def _allowed(self, tool: Tool) -> bool:
        return tool.cache is not None and (tool.effect == "pure" or not tool.takes_context or bool(self._user))

    def _place(self, tool: Tool, args: Mapping[str, Json]) -> tuple[str, str, str]:
        spelled = json.dumps([tool.origin, tool.fingerprint, args], sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(spelled.encode()).hexdigest()
        return (_PURE, "", key) if tool.effect == "pure" else (_READ, self._user, key)
