"""A person's outline, expanded by the model into checked steps, each of which can be traced back to the outline."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from agentkit.errors import DefinitionError, ModelOutputError
from agentkit.messages import Json, ModelRequest, ModelSettings
from agentkit.plan import Plan
from agentkit.planners._model import model_of
from agentkit.planners.prompt import conversation
from agentkit.planning import PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import read_python

_MARK = re.compile(r"^\s*#\s*(?:item\s*|step\s*)?(\d+)\b", re.IGNORECASE)


class Outline:
    """Has the model write the program for an outline that a person gave.

    The program says with comments which lines are for which item, all items have to be there in their order, and the
    checker judges it like any plan. The event `PlanProposed` notes, item by item, the steps that came of it.

    Args:
        items: The outline: what is to be done, in words and in order.
        settings: Sampling settings.

    Raises:
        DefinitionError: There are no items.
    """

    def __init__(self, items: Sequence[str], *, settings: ModelSettings | None = None) -> None:
        if isinstance(items, str) or not items:
            raise DefinitionError(f"items is {items!r}; give a list of at least one item in words")
        self._items = tuple(items)
        self._settings = settings or ModelSettings(temperature=0.0, max_tokens=900)

    async def propose(self, request: PlanRequest, run: Run) -> Proposal:
        """The outline as a program.

        Raises:
            DefinitionError: The agent has no model.
            ModelError: The model failed for good, or leaves items out whatever it is told.
            LimitReached: A budget of the run is used up.
        """
        model = model_of(run, "the outline planner")
        profile = model.model.profile
        asked = replace(request, task=f"{request.task}\n\n{self._told()}")
        messages = conversation(asked, profile, spelling="python")
        settings = self._settings.for_profile(profile)
        parse = self._reader(request)
        purpose = "repair" if request.attempts else "plan"
        plan, source, trace = await model.parsed(ModelRequest(messages, settings=settings), parse, purpose=purpose)
        plan = replace(plan, goal=request.task, inputs={**request.inputs, **plan.inputs})
        return Proposal(plan, source, notes={"outline": trace})

    def _told(self) -> str:
        items = "\n".join(f"{number}. {item}" for number, item in enumerate(self._items, start=1))
        return (
            "Follow this outline, and write before the lines of each item a comment with its number, such as # 1\n"
            f"{items}"
        )

    def _reader(self, request: PlanRequest) -> Callable[[str], tuple[Plan, str, list[Json]]]:
        names = (*request.inputs, *request.given)

        def parse(text: str) -> tuple[Plan, str, list[Json]]:
            marks = _marks(text)
            missing = [number for number in range(1, len(self._items) + 1) if number not in marks]
            if missing:
                item = self._items[missing[0] - 1]
                raise ModelOutputError(f"no comment '# {missing[0]}' marks the lines for {item!r}")
            if list(marks.values()) != sorted(marks.values()) or list(marks) != sorted(marks):
                raise ModelOutputError("the items of the outline are not in their order")
            plan = read_python(text, request.toolbox, given=names)
            return plan, text, self._trace(plan, marks)

        return parse

    def _trace(self, plan: Plan, marks: dict[int, int]) -> list[Json]:
        """For each item, the steps whose lines stand below its comment."""
        begins = [*(marks[number] for number in range(1, len(self._items) + 1)), 1_000_000_000]
        return [
            {"item": item, "steps": [step.id for step in plan.steps if begin < (step.line or 0) < end]}
            for item, begin, end in zip(self._items, begins, begins[1:], strict=False)
        ]


def _marks(text: str) -> dict[int, int]:
    """The line of each item's comment, counted from 1; the first one if there are several."""
    found: dict[int, int] = {}
    for line, content in enumerate(text.splitlines(), start=1):
        mark = _MARK.match(content)
        if mark is not None:
            found.setdefault(int(mark[1]), line)
    return found
