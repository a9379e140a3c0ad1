"""``python -m benchmarks.skills``: what a second task of a kind costs in model tokens, without skills and with them.

Two tasks of one kind are done one after the other, by each planner, without and with a skill library. The model is a
script that writes right plans and, where it is shown a skill for the task, calls it; so the figures say what a good
model saves, not how often a weak one finds the skill. Tokens are counted with OpenAI's ``o200k_base``. With
``--model ID`` a real model is asked instead, and what it writes is up to it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agentkit.agent import Agent
from agentkit.events import SkillsUsed
from agentkit.memory import AgentMemory, InMemoryStore, LongTermMemory, SkillLibrary, SkillsFirst
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, Usage
from agentkit.protocols import Model
from agentkit.results import RunResult
from agentkit.testing import FunctionModel
from agentkit.tokens import counter_for
from agentkit.toolbox import tool

TASKS = (
    "What do 3 hats cost in euros when they are sent to Oslo?",
    "What do 5 scarves cost in euros when they are sent to Rome?",
)
WANTED = (("hat", "Oslo", 3, 66.0), ("scarf", "Rome", 5, 134.0))


@tool(effect="read")
def price_of(product: str) -> float:
    """The price of one product, in dollars.

    Args:
        product: What it is, e.g. "hat".
    """
    return {"hat": 20.0, "scarf": 26.0}[product]


@tool(effect="read")
def postage_to(city: str) -> float:
    """What sending a parcel to a city costs, in dollars.

    Args:
        city: Where it goes.
    """
    return {"Oslo": 12.0, "Rome": 18.0}[city]


@tool(effect="read")
def in_euros(dollars: float) -> float:
    """Dollars as euros, by today's rate.

    Args:
        dollars: How many.
    """
    return round(dollars * 0.92, 2)


TURNS = (
    'price = price_of(product="{product}")',
    'postage = postage_to(city="{city}")',
    "euros = in_euros(dollars={count} * price + postage)",
    "answer(euros)",
)
WRONG = 'price = price_of(name="{product}")'


@dataclass(frozen=True, slots=True)
class Row:
    """What one run cost."""

    planner: str
    skills: str
    task: int
    model_calls: int
    prompt_tokens: int
    generated_tokens: int
    used_a_skill: bool
    done: bool

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.generated_tokens


def script(task: int, turns: Sequence[str]) -> Callable[[ModelRequest], Any]:
    """What the model says in a run: the skill's call if it is shown one, else one turn after the other."""
    product, city, count, _ = WANTED[task]
    said = 0
    counter = counter_for(FunctionModel(lambda _: "", name="openai:gpt-4o"))

    async def reply(request: ModelRequest) -> ModelResponse:
        nonlocal said
        prompt = "\n".join(message.content for message in request.messages)
        skill = re.search(r"^(\w+)\((.*)\) -> .*\(a skill", prompt, re.MULTILINE)
        if skill and not said:
            values = {"product": f'"{product}"', "city": f'"{city}"', "number": str(count)}
            names = [part.partition(":")[0].strip() for part in skill[2].split(",")]
            text = f"answer({skill[1]}({', '.join(f'{name}={values[name]}' for name in names)}))"
        else:
            text = turns[said].format(product=product, city=city, count=count)
        said += 1
        used = await counter.count(request.messages), (await counter.texts([text]))[0]
        usage = Usage(input_tokens=used[0], output_tokens=used[1], model_calls=1)
        return ModelResponse(text=text, usage=usage, model="openai:gpt-4o")

    return reply


NONE, LIBRARY, FIRST = "none", "library", "library, SkillsFirst"
"""Ways of using skills."""

PLANNERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "plan and execute": ("plan_execute", ("\n".join(TURNS),)),
    "plan and execute, one repair": ("plan_execute", ("\n".join((WRONG, *TURNS[1:])), "\n".join(TURNS))),
    "ReAct": ("react", TURNS),
}


async def measure(name: str, skills: str, model: Model | str | None) -> list[Row]:
    """The rows of the two tasks with one planner."""
    planner, turns = PLANNERS[name]
    library = SkillLibrary(LongTermMemory(InMemoryStore()))
    rows = []
    for number, task in enumerate(TASKS):
        profile = ModelProfile(context_window=16_384, spelling="python", decoding="free")
        asked = model or FunctionModel(script(number, turns), name="openai:gpt-4o", profile=profile)
        memory = None if skills == NONE else AgentMemory(skills=library)
        selector = SkillsFirst() if skills == FIRST else None
        agent = Agent(asked, tools=[price_of, postage_to, in_euros], planner=planner, memory=memory, selector=selector)
        rows.append(_row(name, skills, number, await agent.run(task)))
    return rows


def _row(planner: str, skills: str, task: int, result: RunResult) -> Row:
    usage = result.usage
    used = any(isinstance(event, SkillsUsed) for event in result.events)
    right = result.status == "done"
    return Row(planner, skills, task + 1, usage.model_calls, usage.input_tokens, usage.output_tokens, used, right)


async def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a model id, e.g. local:qwen2.5-coder-0.5b; by default a script")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    names = ["plan and execute", "ReAct"] if chosen.model else list(PLANNERS)
    rows = [
        row for name in names for skills in (NONE, LIBRARY, FIRST) for row in await measure(name, skills, chosen.model)
    ]
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print("| planner | skills | task | model calls | prompt tokens | generated | all | skill called | done |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        shown = (row.skills, row.task, row.model_calls, row.prompt_tokens)
        rest = (row.generated_tokens, row.tokens, "yes" if row.used_a_skill else "no", "yes" if row.done else "no")
        print("|", " | ".join(map(str, (row.planner, *shown, *rest))), "|")


if __name__ == "__main__":
    asyncio.run(main())
