"""Results of tools that are given again, and when they must not be."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any

import pytest
from pydantic import Field

from agentkit.agent import Agent
from agentkit.cache import CacheStore
from agentkit.context import RunContext
from agentkit.errors import ToolDefinitionError
from agentkit.events import StepFinished
from agentkit.limits import Limits
from agentkit.planners.fixed import FixedPlan
from agentkit.policy import Policy
from agentkit.results import RunResult
from agentkit.spelling import read_python
from agentkit.toolbox import Toolbox, tool


class Shop:
    """A shop that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stock = 7

    @cached_property
    def tools(self) -> Toolbox:
        """Its tools."""

        @tool(effect="pure", cache=60)
        async def double(number: Annotated[int, Field(description="The number.")]) -> int:
            """Twice a number."""
            self.asked.append("double")
            return 2 * number

        @tool(effect="read", resources="stock", cache=60)
        async def left(name: Annotated[str, Field(description="Its name.")]) -> int:
            """How many are left."""
            self.asked.append("left")
            return self.stock

        @tool(effect="read", resources="mail", cache=60)
        async def mails() -> list[str]:
            """The mails."""
            self.asked.append("mails")
            return ["hello"]

        @tool(effect="read", cache=60)
        async def mine(context: RunContext) -> str:
            """Something of the user's."""
            self.asked.append("mine")
            return f"{context.user}'s"

        @tool(effect="read", resources="clock")
        async def time() -> int:
            """The time; not to be cached."""
            self.asked.append("time")
            return len(self.asked)

        @tool(effect="write", resources="stock")
        async def sell(name: Annotated[str, Field(description="Its name.")]) -> int:
            """Sell one."""
            self.stock -= 1
            return self.stock

        return Toolbox(double, left, mails, mine, time, sell)


async def run(shop: Shop, source: str, store: CacheStore | None, **options: Any) -> RunResult:
    plan = read_python(source, shop.tools)
    agent = Agent(tools=[shop.tools], planner=FixedPlan(plan), policy=Policy(writes="auto"), cache=store)
    return await agent.run("Do it.", **options)


def cached(result: RunResult) -> list[str]:
    return [event.step for event in result.events if isinstance(event, StepFinished) and event.cached]


LOOK = "n = left('hat')\nanswer(n)"


@pytest.mark.parametrize("source", [LOOK, "n = double(3)\nanswer(n)"])
async def test_an_equal_call_is_not_made_again_and_the_event_says_so(source: str) -> None:
    shop, store = Shop(), CacheStore()
    first, second = [await run(shop, source, store) for _ in range(2)]
    assert first.output == second.output
    assert len(shop.asked) == 1
    assert (cached(first), cached(second)) == ([], ["n"])
    assert (first.usage.tool_calls, second.usage.tool_calls) == (1, 0)


async def test_other_arguments_are_another_call() -> None:
    shop, store = Shop(), CacheStore()
    for name in ("hat", "scarf"):
        await run(shop, f"n = left('{name}')\nanswer(n)", store)
    assert shop.asked == ["left", "left"]


async def test_without_a_cache_or_without_the_setting_every_call_is_made() -> None:
    shop, store = Shop(), CacheStore()
    for _ in range(2):
        await run(shop, LOOK, None)
        await run(shop, "n = time()\nanswer(n)", store)
    assert shop.asked == ["left", "time"] * 2


async def test_a_result_expires() -> None:
    now = [0.0]
    shop, store = Shop(), CacheStore(time=lambda: now[0])
    await run(shop, LOOK, store)
    now[0] = 60
    await run(shop, LOOK, store)
    assert shop.asked == ["left", "left"]


async def test_what_was_read_for_a_user_is_never_given_to_another() -> None:
    shop, store = Shop(), CacheStore()
    for user in ("anna", "ben", "", "anna"):
        result = await run(shop, "n = left('hat')\nm = mine()\nanswer(m)", store, user=user)
        assert result.output == f"{user}'s"
    assert (shop.asked.count("left"), shop.asked.count("mine")) == (3, 3)


async def test_a_pure_result_is_for_everybody() -> None:
    shop, store = Shop(), CacheStore()
    for user in ("anna", "ben"):
        await run(shop, "n = double(3)\nanswer(n)", store, user=user)
    assert shop.asked == ["double"]


async def test_a_tool_that_sees_the_run_is_not_cached_for_nobody_in_particular() -> None:
    """Its `deps` may be anybody's."""
    shop, store = Shop(), CacheStore()
    for _ in range(2):
        await run(shop, "m = mine()\nanswer(m)", store)
    assert shop.asked == ["mine", "mine"]


async def test_a_write_makes_reads_of_its_resource_be_made_again_for_every_user() -> None:
    shop, store = Shop(), CacheStore()
    source = "a = left('hat')\nb = mails()\ns = sell('hat')\nc = left('hat')\nd = mails()\nanswer([a, s, c, d])"
    await run(shop, LOOK, store, user="ben")
    result = await run(shop, source, store, user="anna")
    assert result.output == [7, 6, 6, ["hello"]]
    assert cached(result) == ["d"]
    assert (await run(shop, LOOK, store, user="ben")).output == 6


async def test_a_dry_run_s_writes_change_nothing() -> None:
    shop, store = Shop(), CacheStore()
    await run(shop, LOOK, store)
    await run(shop, "s = sell('hat')\nanswer(s)", store, dry_run=True)
    assert cached(await run(shop, LOOK, store)) == ["n"]


async def test_a_cached_call_needs_nothing_of_the_budget() -> None:
    shop, store = Shop(), CacheStore()
    await run(shop, LOOK, store)
    source = "n = [left(x) for x in ['hat', 'hat', 'hat']]\nanswer(n)"
    result = await run(shop, source, store, limits=Limits(tool_calls=3))
    assert (result.output, result.usage.tool_calls) == ([7, 7, 7], 0)


def test_a_write_cannot_be_cached() -> None:
    with pytest.raises(ToolDefinitionError, match="a write cannot be cached: remove cache=, or say effect='read'"):

        @tool(cache=60)
        async def send(text: Annotated[str, Field(description="What.")]) -> str:
            """Send it."""
            return text


def test_a_time_that_is_none_is_a_mistake() -> None:
    with pytest.raises(ToolDefinitionError, match="cache has to be seconds above 0, or None, got 0"):

        @tool(effect="read", cache=0)
        async def look() -> str:
            """Look."""
            return ""
