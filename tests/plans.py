"""Tools and short ways to write plans, for tests of the checker, the executor and the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from agentkit.checker import CheckedPlan, CheckReport, check
from agentkit.limits import Limits
from agentkit.policy import Policy
from agentkit.spelling.json import read_json
from agentkit.toolbox import Tool, Toolbox, tool

AUTO = Policy(writes="auto")


class Product(TypedDict):
    """A product."""

    name: str
    price: float
    units: int


PRODUCTS: list[Product] = [
    {"name": "hat", "price": 20.0, "units": 5},
    {"name": "scarf", "price": 15.5, "units": 9},
    {"name": "glove", "price": 9.0, "units": 2},
]


@tool(effect="read")
async def top_products(count: int = 3) -> list[Product]:
    """The products that sell best.

    Args:
        count: How many.
    """
    return PRODUCTS[:count]


@tool(effect="read")
async def price_of(name: str) -> float:
    """The price of a product.

    Args:
        name: The product's name.
    """
    for product in PRODUCTS:
        if product["name"] == name:
            return product["price"]
    raise LookupError(f"no product {name!r}")


@tool(effect="pure")
async def double(number: float) -> float:
    """Twice a number.

    Args:
        number: The number.
    """
    return number * 2


class World:
    """Where tools with effects leave their traces, and where tests make them wait or fail."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.running = 0
        self.most_running = 0
        self.failures: dict[str, int] = {}
        self.gates: dict[str, asyncio.Event] = {}

    async def act(self, name: str, seconds: float = 0.0) -> None:
        """Be somewhere for a while."""
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.log.append(f"start {name}")
        try:
            if name in self.gates:
                await self.gates[name].wait()
            await asyncio.sleep(seconds)
            if self.failures.get(name, 0):
                self.failures[name] -= 1
                raise RuntimeError(f"{name} broke")
        finally:
            self.running -= 1
            self.log.append(f"end {name}")

    def tools(self, **settings: Any) -> list[Tool]:
        """A read, a write on resource ``box``, a write on resource ``shelf``, and a write on the world."""

        @tool(effect="read", resources=("box",))
        async def look(name: str, seconds: float = 0.0) -> str:
            """Look into the box.

            Args:
                name: What to call this.
                seconds: How long it takes.
            """
            await self.act(name, seconds)
            return name

        @tool(effect="write", resources=("box",))
        async def put(name: str, seconds: float = 0.0) -> str:
            """Put something into the box.

            Args:
                name: What to call this.
                seconds: How long it takes.
            """
            await self.act(name, seconds)
            return name

        @tool(effect="write", resources=("shelf",))
        async def stack(name: str, seconds: float = 0.0) -> str:
            """Put something on the shelf.

            Args:
                name: What to call this.
                seconds: How long it takes.
            """
            await self.act(name, seconds)
            return name

        @tool(effect="write")
        async def shout(name: str, seconds: float = 0.0) -> str:
            """Change who knows what.

            Args:
                name: What to call this.
                seconds: How long it takes.
            """
            await self.act(name, seconds)
            return name

        @tool(effect="pure")
        async def think(name: str, seconds: float = 0.0) -> str:
            """Think.

            Args:
                name: What to call this.
                seconds: How long it takes.
            """
            await self.act(name, seconds)
            return name

        made = [look, put, stack, shout, think]
        return [one.replace(**settings) if settings else one for one in made]


BASIC = Toolbox(top_products, price_of, double)


def call(id: str, tool: str, /, **args: Any) -> dict[str, Any]:
    """A call step."""
    return {"id": id, "kind": "call", "tool": tool, "args": args}


def value(id: str, value: Any) -> dict[str, Any]:
    """A value step."""
    return {"id": id, "kind": "value", "value": value}


def report_of(
    *steps: Mapping[str, Any],
    answer: Any = "ok",
    toolbox: Toolbox = BASIC,
    inputs: Mapping[str, Any] | None = None,
    **options: Any,
) -> CheckReport:
    """What the checker says of a plan of these steps."""
    data = {"steps": list(steps), "answer": answer, "inputs": dict(inputs or {})}
    return check(read_json(data), toolbox, **options)


def checked(
    *steps: Mapping[str, Any],
    answer: Any = "ok",
    toolbox: Toolbox = BASIC,
    policy: Policy = AUTO,
    limits: Limits | None = None,
    **options: Any,
) -> CheckedPlan:
    """A checked plan of these steps."""
    return report_of(*steps, answer=answer, toolbox=toolbox, policy=policy, limits=limits, **options).require()
