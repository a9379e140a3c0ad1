"""What a run is asked, from the arguments of `Agent.run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentkit.errors import DefinitionError
from agentkit.messages import Json
from agentkit.plan import JsonSchema
from agentkit.planning import ToolChoice
from agentkit.toolbox import Toolbox
from agentkit.types import to_schema, type_of_value, widen


def schemas_of(inputs: Mapping[str, Json], schemas: Mapping[str, JsonSchema]) -> dict[str, JsonSchema]:
    """The JSON Schema of each input: the one given, or one read off its value.

    Raises:
        DefinitionError: A schema is given for something that is no input.
    """
    unknown = [name for name in schemas if name not in inputs]
    if unknown:
        raise DefinitionError(f"input_schemas names {unknown[0]!r}, which is not among the inputs")
    return {name: schemas.get(name) or to_schema(widen(type_of_value(value))) for name, value in inputs.items()}


def chosen_tools(toolbox: Toolbox, tool_choice: str | Sequence[str]) -> tuple[Toolbox, ToolChoice]:
    """The tools that a run may call, and whether it must call one."""
    match tool_choice:
        case "auto" | "required":
            return toolbox, tool_choice
        case "none":
            return Toolbox(), "none"
        case str():
            return toolbox.select(tool_choice), "auto"
        case _:
            return toolbox.select(*tool_choice) if tool_choice else Toolbox(), "auto"
