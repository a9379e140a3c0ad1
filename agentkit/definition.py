"""Agents from YAML: plain data, checked as a whole, with the line of every mistake.

Loading a file never runs code that the file names. Ready-made tool families are chosen by word; tools of your own are
handed over by whoever loads the file, under the names that the file uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentkit._definition_text import Source, read, told
from agentkit._definition_words import FAMILIES, POLICIES, SELECTORS, Made, called, chosen, resolved
from agentkit.agent import Agent
from agentkit.cache import CacheStore
from agentkit.embeddings import MiniLM
from agentkit.errors import DefinitionError
from agentkit.judges import ModelJudge
from agentkit.limits import Limits
from agentkit.memory import (
    AgentMemory,
    ContextBuilder,
    LongTermMemory,
    Manager,
    ModelDecider,
    ModelExtractor,
    SessionStore,
    SkillLibrary,
    SqliteStore,
)
from agentkit.messages import Json, ModelSettings
from agentkit.options import did_you_mean
from agentkit.planners.intent_registry import INTENTS, agents_in, intent_from_data
from agentkit.planners.registry import PLANNERS, from_data
from agentkit.planning import Example, IntentClassifier, ToolSelector
from agentkit.policy import Policy
from agentkit.protocols import Model
from agentkit.reflection import Reflection
from agentkit.toolbox import Tool, Toolbox

OwnTools: TypeAlias = Mapping[str, Tool | Toolbox]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Example(_Part):
    task: str = Field(description="What is asked.")
    plan: str = Field(description="A good plan for it, in restricted Python.")


class _Skills(_Part):
    k: int = Field(3, ge=1, description="How many skills a run is offered at most.")
    likeness: float = Field(0.5, ge=0, le=1, description="The share of a skill's words that a task must have.")
    min_calls: int = Field(2, ge=1, description="How many tool calls a plan must have to be kept.")
    retire_after: int = Field(2, ge=1, description="How many failures in a row retire a skill.")


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
    skills: bool | _Skills = Field(False, description="Plans that worked become tools for tasks like theirs.")
    reserve: float = Field(0.3, ge=0, lt=1, description="The share of the context window that is kept free.")


class _Judge(_Part):
    criteria: str = Field("", description="What to look at besides the task, in words.")
    at_least: float | None = Field(None, ge=0, le=1, description="Ask for a score too, and be content from here on.")


_Point: TypeAlias = bool | str | _Judge
"""Whether a model judges at a point; by which criteria; and from which score on it is content."""


class _Reflection(_Part):
    feasibility: _Point = Field(False, description="Before planning: can the task be done?")
    plan: _Point = Field(False, description="Before running: is the plan good?")
    step: _Point = Field(False, description="After a step: did it give what the plan needs?")
    outcome: _Point = Field(False, description="After the whole: is the goal reached, and which steps show it?")
    step_every: int = Field(1, ge=1, description="Judge every so many steps only.")


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
    intent: str | dict[str, Any] | None = Field(
        None, description=f"What becomes of a request: {', '.join(INTENTS)}, with options."
    )
    agents: list[str] = Field([], description="Files of other agents, which the intent may hand a request to.")
    selector: str | dict[str, Any] | None = Field(
        None, description=f"Which tools planners are told of: {', '.join(SELECTORS)}, with options; by default all."
    )
    reflection: _Reflection | None = Field(None, description="At which points the agent's model judges.")
    memory: _Memory | None = Field(None, description="What the agent remembers with.")
    cache: str | None = Field(None, description="The SQLite file that keeps results of tools that allow it.")
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
    return _read(_written(place), str(path), place.parent, dict(tools or {}), model, (place.resolve(),))


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
    return _read(written, name, folder or Path(), dict(tools or {}), model, ())


def _read(
    written: str, name: str, home: Path, own: OwnTools, model: str | Model | None, within: tuple[Path, ...]
) -> Agent:
    source = read(written, name)
    try:
        said = AgentDefinition.model_validate(source.data)
    except ValidationError as error:
        raise DefinitionError("\n".join(told(error, source, AgentDefinition))) from error
    parts = _Parts(source, said, home, own, within)
    options: dict[str, Any] = {
        "tools": parts.tools(),
        "planner": parts.made("planner", lambda: from_data(resolved(said.planner, home))),
        "memory": parts.made("memory", parts.memory),
        "selector": parts.made("selector", parts.selector),
        "agents": parts.agents(),
        "reflection": parts.made("reflection", parts.reflection),
        "cache": parts.made("cache", lambda: None if said.cache is None else CacheStore(home / said.cache)),
    }
    options["intent"] = parts.made("intent", lambda: parts.intent(options["agents"]))
    if parts.problems:
        raise DefinitionError("\n".join(problem for _, problem in sorted(parts.problems)))
    return Agent(
        model if model is not None else said.model,
        said.instructions,
        name=said.name or None,
        description=said.description or None,
        policy=said.policy,
        limits=said.limits,
        output_schema=said.output_schema,
        model_settings=said.model_settings,
        examples=[Example(one.task, one.plan) for one in said.examples],
        **options,
    )


def _written(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"cannot read the agent {str(path)!r}: {error}") from error


def definition_schema() -> dict[str, Json]:
    """The JSON Schema of the YAML file, for editors."""
    schema = AgentDefinition.model_json_schema()
    for key, words in (("planner", PLANNERS), ("intent", INTENTS), ("selector", SELECTORS)):
        named_one = {"type": "object", "required": ["name"], "properties": {"name": {"enum": list(words)}}}
        rest = [one for one in schema["properties"][key]["anyOf"] if one.get("type") == "null"]
        schema["properties"][key]["anyOf"] = [{"enum": list(words)}, named_one, *rest]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "An agent of agentkit"}


# parts


@dataclass(slots=True)
class _Parts:
    """The parts of one agent, made from what its file says.

    Attributes:
        source: The file.
        said: What it says.
        home: Where its relative paths start.
        own: Tools of the caller's, by name.
        within: The files of the agents that this one is an agent of.
        problems: What is wrong, each after its line.
    """

    source: Source
    said: AgentDefinition
    home: Path
    own: OwnTools
    within: tuple[Path, ...]
    problems: list[tuple[int, str]] = field(default_factory=list)

    def made(self, key: str, make: Callable[[], Made], *place: int) -> Made | None:
        """What `make` gives for a key of the file; what is wrong with it is kept as a problem."""
        try:
            return make()
        except (DefinitionError, TypeError, ValueError) as error:
            self.problems.append((self.source.line(key, *place), f"{self.source.at(key, *place)}: {key}: {error}"))
            return None

    def tools(self) -> list[Toolbox]:
        """The toolboxes of the families."""
        made = [self.made("tools", partial(self.family, one), at) for at, one in enumerate(self.said.tools)]
        return [one for one in made if one is not None]

    def family(self, entry: str | Mapping[str, Any]) -> Toolbox:
        """The tools of a family, or those that the caller handed over under this name."""
        if isinstance(entry, Mapping) and len(entry) != 1:
            raise DefinitionError("expected one family with its options, as in 'files: {root: docs}'")
        options: Mapping[str, Any]
        name, options = (
            (entry, {}) if isinstance(entry, str) else next((key, value or {}) for key, value in entry.items())
        )
        if name in self.own and not options:
            return Toolbox(self.own[name])
        make = FAMILIES.get(name)
        if make is None:
            raise DefinitionError(
                f"there are no tools {name!r}{did_you_mean(name, [*FAMILIES, *self.own])}; the families are "
                f"{', '.join(FAMILIES)}. Tools of your own are handed over by name: "
                f"load_agent(…, tools={{{name!r}: …}}) or --tools {name}=package.module:NAME"
            )
        return Toolbox(*called(make, resolved(options, self.home), name))

    def agents(self) -> list[Agent]:
        """The agents that this one may hand a request to."""
        made = [
            self.made("agents", partial(self.agent, self.home / one), at) for at, one in enumerate(self.said.agents)
        ]
        return [one for one in made if one is not None]

    def agent(self, path: Path) -> Agent:
        """The agent of another file."""
        here = path.resolve()
        if here in self.within:
            raise DefinitionError(f"{str(path)!r} leads back to itself; of two agents only one can know the other")
        written = _written(path)
        made = _read(written, str(path), path.parent, self.own, None, (*self.within, here))
        if made.name == Agent.__name__:
            raise DefinitionError(f"{str(path)!r} gives its agent no name; add 'name:', for the intent to lead to it")
        return made

    def intent(self, agents: Sequence[Agent]) -> IntentClassifier | None:
        """The classifier, with every agent that it leads to known."""
        said = self.said.intent
        if said is None:
            return None
        known = [agent.name for agent in agents]
        if len(known) == len(self.said.agents):  # else an agent could not be read, and that is what is wrong
            for name in agents_in(said):
                if name not in known:
                    there_are = f"the agents are: {', '.join(known)}" if known else "add its file to 'agents:'"
                    raise DefinitionError(f"there is no agent {name!r}{did_you_mean(name, known)}; {there_are}")
        return intent_from_data(said, scope=self.said.instructions or self.said.description)

    def selector(self) -> ToolSelector | None:
        """What chooses tools."""
        said = self.said.selector
        return None if said is None else chosen(resolved(said, self.home), SELECTORS, "selector")

    def reflection(self) -> Reflection | None:
        """A model's judgements at the points that the file names."""
        said = self.said.reflection
        if said is None:
            return None
        return Reflection(
            feasibility=_judges(said.feasibility),
            plan=_judges(said.plan),
            step=_judges(said.step),
            outcome=_judges(said.outcome),
            step_every=said.step_every,
        )

    def memory(self) -> AgentMemory | None:
        """What the agent remembers with."""
        said = self.said.memory
        if said is None:
            return None
        builder = ContextBuilder(chosen(said.policy, POLICIES, "policy"), reserve=said.reserve)
        session = None if said.session is None else SessionStore(str(self.home / said.session))
        if said.long_term is None:
            for key, what in (("manager", "a manager"), ("skills", "a library of skills")):
                if getattr(said, key):
                    raise DefinitionError(f"{what} needs a place for what it learns, such as long_term: memory.db")
            return AgentMemory(short_term=builder, session=session)
        embedder = MiniLM() if said.embedder == "minilm" else None
        memory = LongTermMemory(SqliteStore(str(self.home / said.long_term), embedder))
        options = said.skills.model_dump() if isinstance(said.skills, _Skills) else {}
        manager = _manager(said, memory)
        return AgentMemory(
            short_term=builder,
            session=session,
            long_term=memory,
            manager=manager,
            overflow=manager,
            skills=SkillLibrary(memory, **options) if said.skills is not False else None,
        )


def _manager(said: _Memory, memory: LongTermMemory) -> Manager | None:
    if said.manager == "model":
        return Manager(memory, extract=ModelExtractor(), decide=ModelDecider())
    return None if said.manager is None else Manager(memory)


def _judges(said: _Point) -> tuple[ModelJudge, ...]:
    if isinstance(said, _Judge):
        return (ModelJudge(said.criteria, at_least=said.at_least),)
    if isinstance(said, str):
        return (ModelJudge(said),)
    return (ModelJudge(),) if said else ()
