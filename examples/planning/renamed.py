"""Granularity: a plan in plain words runs before and after a tool is renamed.

Run it: ``python -m examples.planning.renamed``. Words and types match the steps to the tools, without any model; add a
model id to have that model translate.
"""

from __future__ import annotations

import asyncio
import sys

from agentkit import Agent, RunResult, Toolbox, tool
from agentkit.events import PlanProposed
from agentkit.planners.matching import MatchTranslator
from agentkit.planners.natural_language import NaturalLanguage
from agentkit.planners.translation import ModelTranslator, Translator
from agentkit.protocols import Model

STEPS = ("Find the best-selling product.", "Look up the price of that product.", "Answer with the price.")


@tool(effect="read")
async def best_selling_product() -> str:
    """The name of the product that sells best."""
    return "Fruity Fedora"


@tool(effect="read")
async def get_price(product: str) -> float:
    """The price of a product in US dollars.

    Args:
        product: Its name.
    """
    return {"Fruity Fedora": 29.99}[product]


BEFORE = Toolbox(best_selling_product, get_price)
AFTER = Toolbox(best_selling_product, get_price.replace(name="catalogue_lookup"))


async def run(toolbox: Toolbox, model: str | Model | None = None) -> RunResult:
    """Run the same steps with these tools."""
    translator: Translator = MatchTranslator() if model is None else ModelTranslator(model)
    agent = Agent(tools=[toolbox], planner=NaturalLanguage(translator, steps=STEPS))
    return await agent.run("What does the best-selling product cost?")


def main() -> None:
    """Show what the steps become with either toolbox."""
    for toolbox in (BEFORE, AFTER):
        result = asyncio.run(run(toolbox, sys.argv[1] if len(sys.argv) > 1 else None))
        print(*(event.source for event in result.events if isinstance(event, PlanProposed)), sep="\n")
        print(f"{result.status}: {result.output or result.error}\n")


if __name__ == "__main__":
    main()
