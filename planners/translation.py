"""From a step in plain words to calls: by a model, which may be a weak one, or by matching words and types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from agentkit.calling import ModelCaller
from agentkit.messages import GrammarOutput, Message, ModelRequest, ModelSettings, assistant, system, user
from agentkit.models.ids import resolve_model
from agentkit.planners._model import model_of
from agentkit.planners._places import place
from agentkit.planning import PlanRequest
from agentkit.protocols import Model
from agentkit.run import Run
from agentkit.spelling import line_grammar

MAX_LINES = 4
"""Lines of a step, where a model writes them under a grammar."""

GUIDE = """\
You translate the steps of a plan into a small subset of Python, one step at a time. Write only the lines for the step \
that you are asked for: no prose, no imports.
- Call the tools below with keyword arguments and give each result a name: top = fetch_top_products(num_products=3)
- Results of earlier steps are data under their names: top[0].name, len(top), [p.price for p in top if p.price > 10]
- [price_of(name=p.name) for p in top] calls a tool for each item; if/else and for work too
- pure functions: len sum min max sorted any all round abs str int float range
- The step that gives the answer is answer(...), and only that one."""


@dataclass(frozen=True, slots=True)
class StepToTranslate:
    """One step of a plan in plain words.

    Attributes:
        steps: All steps of the plan.
        number: Which one it is, counted from 1.
        done: The code of the steps before it.
        refused: What was wrong with an earlier translation of it, and that translation; empty if there was none.
        last_code: That earlier translation.
    """

    steps: Sequence[str]
    number: int
    done: Sequence[str]
    refused: str = ""
    last_code: str = ""

    @property
    def text(self) -> str:
        """What it says."""
        return self.steps[self.number - 1]

    @property
    def is_last(self) -> bool:
        """Whether it is the one that gives the answer."""
        return self.number == len(self.steps)


class Translator(Protocol):
    """Turns a step in plain words into lines of restricted Python."""

    async def translate(self, step: StepToTranslate, request: PlanRequest, run: Run) -> str:
        """The lines; empty if there are none for it."""
        ...


class ModelTranslator:
    """Asks a model, step by step; the conversation only grows, so that prompt caches hit.

    Args:
        model: A model id or a `Model`; the run's own by default. A weak one will often do, since every step is small
            and is checked at once.
        settings: Sampling settings.
    """

    def __init__(self, model: str | Model | None = None, *, settings: ModelSettings | None = None) -> None:
        self._model = None if model is None else resolve_model(model)
        self._settings = settings or ModelSettings(temperature=0.0, max_tokens=300)

    async def translate(self, step: StepToTranslate, request: PlanRequest, run: Run) -> str:
        """The lines that the model writes.

        Raises:
            DefinitionError: Neither the translator nor the agent has a model.
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up.
        """
        caller = self._caller(run)
        profile = caller.model.profile
        asked = ModelRequest(_conversation(step, request), settings=self._settings.for_profile(profile))
        if profile.decoding == "typed" and profile.grammar and profile.prefix:
            return await _line_by_line(caller, asked, step, request)
        return (await caller.request(asked, purpose="translate")).text

    def _caller(self, run: Run) -> ModelCaller:
        return model_of(run, "the translator") if self._model is None else run.calling(self._model)


async def _line_by_line(caller: ModelCaller, asked: ModelRequest, step: StepToTranslate, request: PlanRequest) -> str:
    """Lines at the margin, each under a grammar of the tools and of the names and types defined so far."""
    before = [line for code in step.done for line in code.splitlines()]
    lines: list[str] = []
    while len(lines) < MAX_LINES:
        option = replace(place([*before, *lines], 0, request), opens=False)
        if not step.is_last:
            option = replace(option, answer=None)
        lark = line_grammar(request.toolbox, [option], caller.model.profile.kinds, or_nothing=bool(lines))
        prefix = "".join(f"{line}\n" for line in lines)
        one = replace(asked, output=GrammarOutput(lark), prefix=prefix)
        line = (await caller.request(one, purpose="translate")).text.split("\n")[0].rstrip()
        if not line:
            break
        lines.append(line)
        if line.startswith("answer("):
            break
    return "\n".join(lines)


def _conversation(step: StepToTranslate, request: PlanRequest) -> tuple[Message, ...]:
    plan = "\n".join(f"{number}. {text}" for number, text in enumerate(step.steps, start=1))
    known = [f"{name}: {schema.get('type', 'any')}" for name, schema in request.inputs.items()]
    known += [f"{name} (from before)" for name in request.given]
    defined = f"\n\nAlready defined: {', '.join(known)}" if known else ""
    messages = [system(f"{GUIDE}\n\nTools:\n{request.toolbox.signatures()}", cache=True)]
    ask = f"The plan:\n{plan}{defined}\n\nStep 1?"
    for number, code in enumerate(step.done, start=2):
        messages += [user(ask), assistant(code)]
        ask = f"Step {number}?"
    messages.append(user(ask))
    if step.refused:
        again = f"That was refused:\n{step.refused}\nWrite step {step.number} again."
        messages += [assistant(step.last_code), user(again)]
    return tuple(messages)
