"""Decoupled planning: a plan is written, validated, and only then run; one with a tool that is not there never starts.

Run it: ``python -m examples.planning.decoupled``, with the two plans below, or with a model id.
"""

from __future__ import annotations

import asyncio
import sys

from agentkit import Agent, RunResult, tool
from agentkit.events import PlanChecked, PlanProposed
from agentkit.protocols import Model
from agentkit.testing import ScriptedModel

TASK = "Who directed the film that won the most Oscars in 1998?"
INVALID = 'found = bing_search(query="film with the most Oscars 1998")\nanswer(found)'
REPAIRED = 'found = web_search(query="film with the most Oscars 1998")\nanswer(found)'


@tool(effect="read")
async def web_search(query: str) -> str:
    """Search the web; gives the best passage.

    Args:
        query: What to search for.
    """
    return "Titanic, directed by James Cameron, won eleven Oscars in 1998."


async def run(model: str | Model | None = None) -> RunResult:
    """Do the task; without a model, with the two plans above."""
    return await Agent(model or ScriptedModel([INVALID, REPAIRED]), tools=[web_search]).run(TASK)


def main() -> None:
    """Show the plans and what the checker said."""
    result = asyncio.run(run(sys.argv[1] if len(sys.argv) > 1 else None))
    for event in result.events:
        if isinstance(event, PlanProposed):
            print(event.source)
        if isinstance(event, PlanChecked):
            print(*(event.diagnostics or ["accepted"]), sep="\n")
    print(f"{result.status}: {result.output or result.error}")


if __name__ == "__main__":
    main()
