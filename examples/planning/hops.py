"""ReAct on a question of the HotpotQA kind: what the second search is for, only the first one tells.

Run it: ``python -m examples.planning.hops``, with the turns below, or with a model id. A model with native tool calling
uses it; any other writes its actions as text.
"""

from __future__ import annotations

import asyncio
import sys

from agentkit import Agent, RunResult, tool
from agentkit.events import PlanProposed
from agentkit.messages import ModelProfile
from agentkit.planners.react import ReAct
from agentkit.protocols import Model
from agentkit.testing import ScriptedModel

QUESTION = (
    "What is the elevation range of the area that the eastern sector of the Colorado orogeny extends into? "
    "Search for each thing by its name."
)
PAGES = {
    "Colorado orogeny": "The Colorado orogeny was an episode of mountain building in Colorado and surrounding areas. "
    "Its eastern sector extends into the High Plains.",
    "High Plains": "The High Plains rise in elevation from around 1,800 to 7,000 ft from east to west.",
}
TURNS = (
    'Thought: I need the area that the eastern sector extends into.\nAction: orogeny = search(name="Colorado orogeny")',
    'Thought: It is the High Plains. I need their elevation range.\nAction: plains = search(name="High Plains")',
    'Thought: They rise from 1,800 to 7,000 ft.\nAction: answer("1,800 to 7,000 ft")',
)


@tool(effect="read")
async def search(name: str) -> str:
    """The beginning of the encyclopedia's article about something.

    Args:
        name: Its name, or words with the name among them.
    """
    found = next((text for title, text in PAGES.items() if title.lower() in name.lower()), None)
    return found or f"There is no article {name!r}. Similar ones: {', '.join(PAGES)}."


async def run(model: str | Model | None = None) -> RunResult:
    """Answer the question; without a model, with the turns above."""
    model = model or ScriptedModel(TURNS, profile=ModelProfile())
    return await Agent(model, tools=[search], planner=ReAct()).run(QUESTION)


def main() -> None:
    """Show the thoughts and actions, and the answer."""
    result = asyncio.run(run(sys.argv[1] if len(sys.argv) > 1 else None))
    for event in result.events:
        if isinstance(event, PlanProposed):
            print(event.source)
    print(f"{result.status}: {result.output or result.error}")


if __name__ == "__main__":
    main()
