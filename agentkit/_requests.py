"""What a run is asked, from the arguments of `Agent.run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentkit._entrance import Acts
from agentkit.errors import DefinitionError
from agentkit.messages import Json, Message
from agentkit.plan import JsonSchema
from agentkit.planning import PlanRequest, ToolChoice
from agentkit.remembering import Owner, Remembers, RunMemory
from agentkit.run import Run, check_rules
from agentkit.task import Task, check_constraints
from agentkit.toolbox import Toolbox
from agentkit.types import to_schema, type_of_value, widen


def request_of(
    agent: Acts,
    task: str | Task,
    run: Run,
    inputs: Mapping[str, Json] | None,
    schemas: Mapping[str, JsonSchema] | None,
    history: Sequence[Message],
    tool_choice: str | Sequence[str],
) -> PlanRequest:
    """What an agent is asked.

    Raises:
        DefinitionError: An input, a constraint or a chosen tool is wrong.
    """
    check_rules(policy=agent.policy)
    toolbox, choice = chosen_tools(agent.toolbox, tool_choice)
    task = Task.of(task)
    check_constraints(task.constraints, agent.toolbox)
    return PlanRequest(
        task.goal,
        toolbox,
        instructions=agent.instructions,
        inputs=schemas_of(inputs or {}, schemas or {}),
        history=tuple(history),
        examples=tuple(agent.examples),
        constraints=tuple(task.constraints),
        validators=tuple(agent.validators),
        policy=agent.policy,
        limits=run.limits,
        approver=run.human is not None or run.dry_run,
        tool_choice=choice,
        output=agent.output_schema,
    )


async def remembered(memory: Remembers | None, request: PlanRequest, run: Run, owner: Owner) -> RunMemory | None:
    """What an agent's memory says about a request; None without one.

    Raises:
        DefinitionError: A session is named and there is no memory to keep it.
        SessionError: The session cannot be read, or is somebody else's.
    """
    if memory is not None:
        return await memory.open(request, run, owner)
    if owner.session:
        raise DefinitionError(
            f"the run names the session {owner.session!r} and the agent has no memory to keep it; "
            "give it one: Agent(memory=AgentMemory(session='sessions.db'))"
        )
    return None


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
