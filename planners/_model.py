"""The model of a run, for planners that cannot do without."""

from __future__ import annotations

from agentkit.calling import ModelCaller
from agentkit.errors import DefinitionError
from agentkit.run import Run


def model_of(run: Run, planner: str) -> ModelCaller:
    """The run's model.

    Raises:
        DefinitionError: The agent has none.
    """
    if run.model is None:
        raise DefinitionError(f"{planner} needs a model; give the agent one, e.g. model='openai:gpt-5'")
    return run.model
