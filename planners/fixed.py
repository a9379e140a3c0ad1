"""A fixed plan: code, or a person, has already written it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Self

from agentkit.errors import DefinitionError
from agentkit.plan import Plan
from agentkit.planning import PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import read_json, read_python


class FixedPlan:
    """Proposes the same plan for every task. It cannot be repaired or replaced, so a refusal ends the run.

    Args:
        plan: The plan, or its text in either spelling: JSON if it begins with a brace, restricted Python otherwise.
        source: Its text, for people.
    """

    def __init__(self, plan: Plan | str, source: str = "") -> None:
        text = plan if isinstance(plan, str) else ""
        is_json = text.lstrip().startswith("{")
        self._plan = plan if isinstance(plan, Plan) else read_json(text) if is_json else read_python(text)
        self._source = source or text
        self._text = "" if is_json else text

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The plan in a file: ``.json``, or restricted Python in ``.py``, which is read and never executed.

        What is wrong with the plan is reported by the checker when it is used.

        Raises:
            DefinitionError: The file cannot be read, or is neither.
        """
        path = Path(path)
        if path.suffix not in (".json", ".py"):
            raise DefinitionError(f"{str(path)!r} is no file of a plan; give one that ends in .json or .py")
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DefinitionError(f"cannot read the plan {str(path)!r}: {error}") from error
        return cls(read_json(text), text) if path.suffix == ".json" else cls(text)

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        """The plan, once."""
        if request.attempts:
            return None
        # Positional arguments and tools whose names are no identifiers can be read with the toolbox only.
        plan = read_python(self._text, request.toolbox, given=tuple(request.inputs)) if self._text else self._plan
        inputs = {**request.inputs, **plan.inputs}
        return Proposal(replace(plan, goal=plan.goal or request.task, inputs=inputs), self._source)
