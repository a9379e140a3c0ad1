"""What type checkers know about tools; checked, never run."""

from __future__ import annotations

from typing import Any, assert_type

from agentkit.context import RunContext
from agentkit.toolbox import FunctionTool, Tool, Toolbox, tool, tools_of


@tool
def bare(number: int) -> str:
    return str(number)


@tool(effect="pure", tags=["maths"])
async def configured(number: int) -> str:
    return str(number)


class Shop:
    @tool(effect="read")
    def price(self, product: str) -> float:
        return 1.0

    @tool
    def order(self, context: RunContext[dict[str, int]], product: str) -> int:
        return context.deps[product]


assert_type(bare(1), str)
assert_type(Shop().price("cat"), float)
assert_type(bare.replace(name="other")(1), str)
assert_type(bare.bind({"number": 1}), dict[str, Any])
bare("1")  # type: ignore[arg-type]
Shop().price(1)  # type: ignore[arg-type]
tool(effect="harmless")  # type: ignore[call-overload]

as_tool: Tool = bare
box = Toolbox(bare, [configured, Shop().price], *tools_of(Shop())) | Toolbox()
assert_type(box["bare"], Tool)
collected: list[FunctionTool[..., Any]] = tools_of(Shop())
context: RunContext = RunContext(None)


async def calls() -> None:
    assert_type(await configured(1), str)
    assert_type(await bare.invoke(bare.bind({"number": 1})), Any)
