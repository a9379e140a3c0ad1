"""Consistency: asked twice to rate the same joke, the agent gives the answer that it gave before.

Run it: ``python -m examples.memory.joke``, with a critic whose mood changes, or with a model id.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys

from agentkit import Agent
from agentkit.memory import AgentMemory, InMemoryStore, LongTermMemory, Manager
from agentkit.messages import Json, ModelRequest
from agentkit.protocols import Model
from agentkit.testing import FunctionModel

TASK = "Rate this joke from 1 to 5: Why did the scarecrow win a prize? He was outstanding in his field."


def moody_critic() -> FunctionModel:
    """A model that rates by its mood, unless its prompt says how it rated before."""
    moods = itertools.cycle((4, 2, 5, 1))

    def reply(request: ModelRequest) -> str:
        before = re.search(r"you answered (\d)", request.messages[-1].content)
        return f"answer({before[1] if before else next(moods)})"

    return FunctionModel(reply)


async def rate(users: tuple[str, ...], model: str | Model | None = None, *, remembers: bool = True) -> list[Json]:
    """The ratings that each user gets, one run after the other."""
    memory = LongTermMemory(InMemoryStore())
    critic = Agent(
        model or moody_critic(),
        instructions="You rate jokes. Be true to what you said before.",
        memory=AgentMemory(long_term=memory, manager=Manager(memory)) if remembers else None,
        name="critic",
    )
    return [(await critic.run(TASK, user=user)).output for user in users]


def main() -> None:
    """Show the ratings without and with a memory."""
    model = sys.argv[1] if len(sys.argv) > 1 else None
    for remembers in (False, True):
        ratings = asyncio.run(rate(("anna", "anna", "anna"), model, remembers=remembers))
        print(f"{'with' if remembers else 'without'} a memory: {ratings}")


if __name__ == "__main__":
    main()
