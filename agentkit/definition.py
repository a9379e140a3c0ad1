"""Agents from YAML: plain data, checked as a whole, with the line of every mistake.

Loading a file never runs code that the file names. Ready-made tool families are chosen by word; tools of your own are
handed over by whoever loads the file, under the names that the file uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentkit.agent import Agent
from agentkit.embeddings import MiniLM
from agentkit.errors import DefinitionError
from agentkit.limits import Limits
from agentkit.memory import (
    AgentMemory,
    Buffer,
    ContextBuilder,
    ContextPolicy,
    LastTurns,
    LongTermMemory,
    Manager,
    ModelDecider,
    ModelExtractor,
    SessionStore,
    SqliteStore,
    TokenWindow,
)
from agentkit.messages import Json, ModelSettings
from agentkit.options import check_options, did_you_mean
from agentkit.planners.registry import PLANNERS, from_data
from agentkit.planning import Example
from agentkit.policy import Policy
from agentkit.protocols import Model
from agentkit.toolbox import Tool, Toolbox
from agentkit.tools import dates, files, maths, sql, text, units, web

OwnTools: TypeAlias = Mapping[str, Tool | Toolbox]
_Place: TypeAlias = tuple[str | int, ...]


def _maths() -> tuple[Tool, ...]:
    return maths.TOOLS


def _units() -> tuple[Tool, ...]:
    return units.TOOLS


def _text() -> tuple[Tool, ...]:
    return text.TOOLS


FAMILIES: Mapping[str, Callable[..., tuple[Tool, ...]]] = {
    "maths": _maths,
    "units": _units,
    "dates": dates.date_tools,
    "text": _text,
    "sql": sql.sqlite_tools,
    "files": files.file_tools,
    "web": web.http_tools,
}
"""The ready-made tools that a file can ask for, and the functions whose arguments are their options."""

POLICIES: Mapping[str, Callable[..., ContextPolicy]] = {
    "buffer": Buffer,
    "last_turns": LastTurns,
    "token_window": TokenWindow,
}
"""How a conversation is fitted into the context, for policies that need nothing but data."""

_NOT_DATA = frozenset({"clock", "certificates"})
_PATHS = frozenset({"root", "path", "session", "file"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Example(_Part):
    task: str = Field(description="What is asked.")
    plan: str = Field(description="A good plan for it, in restricted Python.")


class _Memory(_Part):
    session: str | None = Field(None, description="The SQLite file that keeps conversations, for runs with a session.")
    policy: str | dict[str, Any] = Field(
        "buffer", description=f"What of a conversation stays in the context: {', '.join(POLICIES)}, with options."
    )
    long_term: str | None = Field(None, description="The SQLite file that keeps what later runs recall.")
    embedder: Literal["none", "minilm"] = Field(
        "none", description="How long-term memories are found besides by their words; minilm is to be pulled once."
    )
    manager: Literal["rules", "model"] | None = Field(
        None, description="How the agent learns from its turns: by rules, or by asking its model; not at all if absent."
    )
    reserve: float = Field(0.3, ge=0, lt=1, description="The share of the context window that is kept free.")


class AgentDefinition(_Part):
    """What an agent's YAML file may say."""

    name: str = Field("", description="The agent's name, for events and the journal.")
    description: str = Field("", description="One sentence for people and for other agents.")
    model: str | None = Field(None, description="A model id, e.g. openai:gpt-5 or local:qwen2.5-coder-1.5b.")
    instructions: str = Field("", description="What the agent is for, in words that the planner reads.")
    tools: list[str | dict[str, dict[str, Any] | None]] = Field(
        [],
        description=f"Tool families ({', '.join(FAMILIES)}), with options where they have some, and names of tools "
        "that whoever loads the file hands over.",
    )
    planner: str | dict[str, Any] = Field(
        "plan_execute", description=f"How tasks become plans: {', '.join(PLANNERS)}; or `name` with options."
    )
    memory: _Memory | None = Field(None, description="What the agent remembers with.")
    policy: Policy = Field(Policy(), description="Which calls ask first, and which never run.")
    limits: Limits = Field(Limits(), description="What a run may use.")
    output_schema: dict[str, Any] | None = Field(None, description="The JSON Schema that answers must have.")
    model_settings: ModelSettings = Field(
        ModelSettings(), description="Settings of model calls that do not set their own."
    )
    examples: list[_Example] = Field([], description="Tasks with good plans, for the planner's prompt.")


def load_agent(path: str | Path, *, tools: OwnTools | None = None, model: str | Model | None = None) -> Agent:
    """The agent that a YAML file defines.

    Args:
        path: The file. Relative paths in it start from its folder.
        tools: Tools of your own, by the names that the file uses for them.
        model: A model instead of the file's.

    Raises:
        DefinitionError: The file cannot be read or is wrong; the message lists every mistake with its line.
    """
    place = Path(path)
    try:
        written = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"cannot read the agent {str(path)!r}: {error}") from error
    return read_agent(written, name=str(path), folder=place.parent, tools=tools, model=model)


def read_agent(
    written: str,
    *,
    name: str = "the agent",
    folder: Path | None = None,
    tools: OwnTools | None = None,
    model: str | Model | None = None,
) -> Agent:
    """The agent that YAML text defines; see `load_agent`.

    Args:
        written: The text.
        name: What messages call it.
        folder: Where relative paths in it start.
        tools: Tools of your own, by name.
        model: A model instead of the text's.

    Raises:
        DefinitionError: The text is wrong.
    """
    data, lines = _parsed(written, name)
    try:
        said = AgentDefinition.model_validate(data)
    except ValidationError as error:
        raise DefinitionError("\n".join(_told(error, name, lines))) from error
    own, home = dict(tools or {}), folder or Path()
    found = [_family(entry, own, home, _at(name, lines, ("tools", i))) for i, entry in enumerate(said.tools)]
    return Agent(
        model if model is not None else said.model,
        said.instructions,
        name=said.name or None,
        description=said.description or None,
        tools=found,
        planner=_made(lambda: from_data(_resolved(said.planner, home)), _at(name, lines, ("planner",)), "planner"),
        policy=said.policy,
        limits=said.limits,
        output_schema=said.output_schema,
        model_settings=said.model_settings,
        examples=[Example(one.task, one.plan) for one in said.examples],
        memory=None if said.memory is None else _memory(said.memory, home, _at(name, lines, ("memory",))),
    )


def definition_schema() -> dict[str, Json]:
    """The JSON Schema of the YAML file, for editors."""
    schema = AgentDefinition.model_json_schema()
    planner = schema["properties"]["planner"]
    planner["anyOf"] = [{"enum": list(PLANNERS)}, {"type": "object", "required": ["name"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "An agent of agentkit"}


# parts


def _family(entry: str | Mapping[str, Any], own: OwnTools, home: Path, at: str) -> Toolbox:
    if isinstance(entry, Mapping) and len(entry) != 1:
        raise DefinitionError(f"{at}: expected one family with its options, as in 'files: {{root: docs}}'")
    name, options = (entry, {}) if isinstance(entry, str) else next((key, value or {}) for key, value in entry.items())
    if name in own and not options:
        return Toolbox(own[name])
    make = FAMILIES.get(name)
    if make is None:
        raise DefinitionError(
            f"{at}: there are no tools {name!r}{did_you_mean(name, [*FAMILIES, *own])}; the families are "
            f"{', '.join(FAMILIES)}. Tools of your own are handed over by name: "
            f"load_agent(…, tools={{{name!r}: …}}) or --tools {name}=package.module:NAME"
        )
    return Toolbox(*_called(make, _resolved(options, home), name, at))


def _memory(said: _Memory, home: Path, at: str) -> AgentMemory:
    name, options = (said.policy, {}) if isinstance(said.policy, str) else (said.policy.get("name"), dict(said.policy))
    options.pop("name", None)
    make = POLICIES.get(str(name))
    if make is None:
        raise DefinitionError(
            f"{at}: there is no policy {name!r}{did_you_mean(str(name), POLICIES)}; there are: {', '.join(POLICIES)}"
        )
    policy = _called(make, options, str(name), at)
    session = None if said.session is None else SessionStore(str(home / said.session))
    builder = ContextBuilder(policy, reserve=said.reserve)
    if said.long_term is None:
        if said.manager is not None:
            raise DefinitionError(f"{at}: a manager needs a place for what it learns, such as long_term: memory.db")
        return AgentMemory(short_term=builder, session=session)
    embedder = MiniLM() if said.embedder == "minilm" else None
    memory = LongTermMemory(SqliteStore(str(home / said.long_term), embedder))
    return AgentMemory(short_term=builder, session=session, long_term=memory, manager=_manager(said, memory))


def _manager(said: _Memory, memory: LongTermMemory) -> Manager | None:
    if said.manager == "model":
        return Manager(memory, extract=ModelExtractor(), decide=ModelDecider())
    return None if said.manager is None else Manager(memory)


def _called(make: Callable[..., Any], options: Mapping[str, Any], name: str, at: str) -> Any:
    """What `make` gives for options from the file."""
    check_options(make, options, f"{at}: {name!r}", hidden=_NOT_DATA)
    return _made(lambda: make(**options), at, name)


def _made(make: Callable[[], Any], at: str, name: str) -> Any:
    """What `make` gives; what is wrong with its arguments is an error at a place of the file."""
    try:
        return make()
    except (DefinitionError, TypeError, ValueError) as error:
        raise DefinitionError(f"{at}: {name}: {error}") from error


def _resolved(said: Any, home: Path) -> Any:
    """Options with their paths made relative to the file's folder."""
    if not isinstance(said, Mapping):
        return said
    return {
        key: str(home / value) if key in _PATHS and isinstance(value, str) else value for key, value in said.items()
    }


# reading and telling


def _parsed(written: str, name: str) -> tuple[Any, Mapping[_Place, int]]:
    """The data of a YAML text, and the line of every place in it."""
    import yaml

    try:
        root = yaml.compose(written, Loader=yaml.SafeLoader)
        data = yaml.safe_load(written)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise DefinitionError(f"{where}: this is not YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(data, dict):
        raise DefinitionError(f"{name}: expected keys such as 'model:' and 'tools:', got {type(data).__name__}")
    lines: dict[_Place, int] = {}
    for place, line in _walk(root, ()):
        if place in lines:
            raise DefinitionError(
                f"{name}:{line}: the key {place[-1]!r} stands here again; it is on line {lines[place]} already"
            )
        lines[place] = line
    return data, lines


def _walk(node: Any, place: _Place) -> Iterator[tuple[_Place, int]]:
    if node.id == "mapping":
        for key, value in node.value:
            inner = (*place, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from _walk(value, inner)
    elif node.id == "sequence":
        for index, value in enumerate(node.value):
            yield (*place, index), value.start_mark.line + 1
            yield from _walk(value, (*place, index))


def _told(error: ValidationError, name: str, lines: Mapping[_Place, int]) -> Iterator[str]:
    problems = ((_known(one["loc"], lines), one) for one in error.errors())
    for place, one in sorted(problems, key=lambda problem: lines.get(problem[0], 0)):
        words = ".".join(map(str, place))
        if one["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = _keys(place[:-1])
            key = str(place[-1])
            meant, there_are = did_you_mean(key, known), ", ".join(known)
            yield f"{_at(name, lines, place)}: there is no key {words!r}{meant}; there are: {there_are}"
        else:
            yield f"{_at(name, lines, place)}: {words}: {one['msg']}, got {one['input']!r}"


def _known(place: _Place, lines: Mapping[_Place, int]) -> _Place:
    """The longest beginning of a place that is one of the file: what follows names alternatives of a type."""
    return next((place[:size] for size in range(len(place), 0, -1) if place[:size] in lines), place[:1])


def _keys(place: _Place) -> list[str]:
    """The keys that an object of the definition may have."""
    model: Any = AgentDefinition
    for key in place:
        if isinstance(key, str):
            hint = get_type_hints(model)[key]
            model = next(one for one in (hint, *get_args(hint)) if is_dataclass(one) or hasattr(one, "model_fields"))
    return list(getattr(model, "model_fields", None) or [one.name for one in fields(model)])


def _at(name: str, lines: Mapping[_Place, int], place: _Place) -> str:
    found = _known(place, lines)
    return f"{name}:{lines[found]}" if found in lines else name
