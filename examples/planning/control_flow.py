"""Four shapes of control flow, each a task with its tools: in parallel over a list, at once, if, and until.

Run one: ``python -m examples.planning.control_flow prices`` (or ``pages``, ``shares``, ``prime``), with the plan below;
add a model id to have a model write the plan.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from agentkit import Agent, Policy, RunResult, tool
from agentkit.protocols import Model
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Tool


@dataclass(frozen=True, slots=True)
class Case:
    """A task, the tools for it, and a good plan."""

    task: str
    tools: Sequence[Tool]
    plan: str


# parallel: the price of each of the top 100 products


@tool(effect="read")
async def top_products(count: Annotated[int, Field(ge=1, le=100)]) -> list[str]:
    """Names of the best-selling products, best first.

    Args:
        count: How many.
    """
    return [f"product {number}" for number in range(1, count + 1)]


@tool(effect="read", expected_seconds=0.01)
async def price(product: str) -> float:
    """The price of a product in US dollars.

    Args:
        product: Its name.
    """
    await asyncio.sleep(0.01)
    return float(product.removeprefix("product ")) + 0.5


# at once: ten web pages


@tool(effect="read", expected_seconds=0.01)
async def read_page(address: str) -> str:
    """The text of a web page.

    Args:
        address: Its address.
    """
    await asyncio.sleep(0.01)
    return f"This is the page at {address}."


# if: the earnings report decides


class Report(TypedDict):
    """An earnings report: revenue in billions of US dollars, as expected and as it was."""

    expected: float
    actual: float


@tool(effect="read")
async def earnings_report(company: str) -> Report:
    """The latest earnings report of a company.

    Args:
        company: Its name.
    """
    return Report(expected=37.1, actual=39.3)


@tool(effect="write", resources="portfolio")
async def buy(company: str) -> str:
    """Buy shares of a company.

    Args:
        company: Its name.
    """
    return f"bought {company}"


@tool(effect="write", resources="portfolio")
async def sell(company: str) -> str:
    """Sell the shares of a company.

    Args:
        company: Its name.
    """
    return f"sold {company}"


# until: random numbers until one is a prime

_DICE = random.Random(7)


@tool(effect="read", resources="dice")
async def random_number() -> int:
    """A random whole number from 1 to 100."""
    return _DICE.randint(1, 100)


@tool(effect="pure")
async def is_prime(number: int) -> bool:
    """Whether a number is a prime.

    Args:
        number: The number.
    """
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


CASES: Mapping[str, Case] = {
    "prices": Case(
        "What does each of the top 100 products cost? Give the prices as a list.",
        (top_products, price),
        "top = top_products(count=100)\nprices = [price(product=name) for name in top]\nanswer(prices)",
    ),
    "pages": Case(
        "Read the pages https://example.com/1 to https://example.com/10, and give their texts as a list.",
        (read_page,),
        'texts = [read_page(address=f"https://example.com/{n}") for n in range(1, 11)]\nanswer(texts)',
    ),
    "shares": Case(
        "If NVIDIA earned more than was expected, buy its shares; otherwise sell them.",
        (earnings_report, buy, sell),
        'report = earnings_report(company="NVIDIA")\n'
        "if report.actual > report.expected:\n"
        '    done = buy(company="NVIDIA")\n'
        "else:\n"
        '    done = sell(company="NVIDIA")\n'
        "answer(done)",
    ),
    "prime": Case(
        "Draw random numbers until one is a prime, and tell me which.",
        (random_number, is_prime),
        "for _ in range(50):\n"
        "    number = random_number()\n"
        "    found = is_prime(number=number)\n"
        "    if found:\n"
        "        break\n"
        "answer(number)",
    ),
}


async def run(name: str, model: str | Model | None = None) -> RunResult:
    """Do one of the tasks; without a model, with the plan above."""
    case = CASES[name]
    agent = Agent(model or ScriptedModel([case.plan]), tools=case.tools, policy=Policy(writes="auto"))
    return await agent.run(case.task)


def main() -> None:
    """Run the case that is named on the command line."""
    name = sys.argv[1] if len(sys.argv) > 1 else "prices"
    result = asyncio.run(run(name, sys.argv[2] if len(sys.argv) > 2 else None))
    print(f"{result.status}: {result.output or result.error}")


if __name__ == "__main__":
    main()
