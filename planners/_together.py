"""Several planners' work at once, where one that fails does not take the others with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from agentkit.errors import AgentKitError

Value = TypeVar("Value")


async def together(works: Iterable[Awaitable[Value]]) -> list[Value]:
    """The results of all works that did not fail, in their order.

    Raises:
        AgentKitError: All failed; this is why the first one did.
    """

    async def one(work: Awaitable[Value]) -> Value | AgentKitError:
        try:
            return await work
        except AgentKitError as error:
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(work)) for work in works]
    results = [task.result() for task in tasks]
    good = [result for result in results if not isinstance(result, AgentKitError)]
    if not good and results:
        raise next(result for result in results if isinstance(result, AgentKitError))
    return good
