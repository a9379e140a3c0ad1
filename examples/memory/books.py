"""What a user loved is known to the next process: similar books are recommended.

Run it twice, with a librarian that looks at its prompt, or with ``--model`` and a model id::

    python -m examples.memory.books "I loved the book The Three-Body Problem."
    python -m examples.memory.books "Which book should I read next?"
"""

from __future__ import annotations

import argparse
import asyncio
import re

from agentkit import Agent, RunResult, tool
from agentkit.memory import AgentMemory, LongTermMemory, Manager, SqliteStore
from agentkit.messages import ModelRequest
from agentkit.protocols import Model
from agentkit.testing import FunctionModel

SIMILAR = {
    "The Three-Body Problem": ["The Dark Forest", "Children of Time", "Blindsight"],
    "Emma": ["Persuasion", "Middlemarch"],
}


@tool(effect="read")
async def similar_books(title: str) -> list[str]:
    """Books like one that a reader loved.

    Args:
        title: The title of that book.
    """
    return SIMILAR.get(title, [])


@tool(effect="read")
async def popular_books() -> list[str]:
    """Books that most readers like."""
    return ["Pride and Prejudice", "The Hobbit"]


def librarian() -> FunctionModel:
    """A model that recommends by what its prompt says the reader loved."""

    def reply(request: ModelRequest) -> str:
        told = request.messages[-1].content
        loved = re.search(r"The user loved (?:the book )?(.+?)\.\n", told)
        if "should I read" not in told:
            return 'answer("I will remember that.")'
        return f'answer(similar_books(title="{loved[1]}"))' if loved else "answer(popular_books())"

    return FunctionModel(reply)


async def ask(message: str, *, path: str, user: str, model: str | Model | None = None) -> RunResult:
    """Say something to the librarian, who keeps what it learns in the file at `path`."""
    store = SqliteStore(path)
    memory = LongTermMemory(store)
    agent = Agent(
        model or librarian(),
        instructions="You recommend books. Begin with what the reader loved before.",
        tools=[similar_books, popular_books],
        memory=AgentMemory(long_term=memory, manager=Manager(memory)),
        name="librarian",
    )
    try:
        return await agent.run(message, user=user)
    finally:
        await store.aclose()


def main() -> None:
    """Say one thing and print the answer."""
    parser = argparse.ArgumentParser(prog="python -m examples.memory.books")
    parser.add_argument("message")
    parser.add_argument("--memory", default="books.db", help="the file that the memory is in")
    parser.add_argument("--user", default="anna")
    parser.add_argument("--model")
    options = parser.parse_args()
    result = asyncio.run(ask(options.message, path=options.memory, user=options.user, model=options.model))
    print(result.output if result.status == "done" else result.error)


if __name__ == "__main__":
    main()
