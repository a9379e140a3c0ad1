"""What holds when two memories contradict each other and nothing says that something has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from agentkit.memory._dates import day_of
from agentkit.memory.extraction import Candidate, caller_of
from agentkit.memory.records import Memory
from agentkit.messages import Json, ModelSettings, system, user
from agentkit.models import resolve_model
from agentkit.protocols import Model
from agentkit.run import Run

Policy: TypeAlias = Literal["newest", "judge", "keep_both"]
"""``newest``: the later one holds; ``judge``: somebody decides; ``keep_both``: both are kept, flagged for a person."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Which of two memories hold, and why."""

    keep: Literal["old", "new", "both"]
    why: str = ""


class Arbiter(Protocol):
    """Settles contradictions."""

    @property
    def name(self) -> str:
        """Who settles, for the audit trail."""
        ...

    async def settle(self, old: Memory, new: Candidate, now: float, run: Run | None) -> Settled:
        """Whether a memory or what was learnt at `now` holds.

        Raises:
            ModelError: The model failed for good, or its replies cannot be used.
            LimitReached: A budget of the run is used up.
        """
        ...


_INSTRUCTIONS = """\
Two notes of an assistant's memory contradict each other. Say which one holds: the old one, the new one, or both if \
they can be true of different things or times. Look at who said it, when, and how sure it sounds: a guess or a joke \
does not outweigh a plain statement."""

_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"why": {"type": "string"}, "keep": {"enum": ["old", "new", "both"]}},
    "required": ["why", "keep"],
    "additionalProperties": False,
}


class ModelArbiter:
    """Asks a model.

    Args:
        model: Which one; the agent's own by default.
    """

    def __init__(self, model: str | Model | None = None) -> None:
        self._model = None if model is None else resolve_model(model)

    @property
    def name(self) -> str:
        """The model's id."""
        return "the agent's model" if self._model is None else self._model.name

    async def settle(self, old: Memory, new: Candidate, now: float, run: Run | None) -> Settled:
        """What the model says.

        Raises:
            DefinitionError: There is no model.
            ModelError: The model failed for good, or its replies cannot be used.
            LimitReached: A budget of the run is used up.
        """
        caller = caller_of(self._model, run, "ModelArbiter")
        told = [f"old ({day_of(old.valid_from)}): {old.text}", f"new ({day_of(now)}): {new.text}"]
        if old.provenance.quote:
            told.insert(1, f"the old one rests on: {old.provenance.quote}")
        if new.quote:
            told.append(f"the new one rests on: {new.quote}")
        settings = ModelSettings(temperature=0.0, max_tokens=150).for_profile(caller.profile)
        messages = (system(_INSTRUCTIONS, cache=True), user("\n".join(told)))
        said = await caller.json(messages, _SCHEMA, purpose="memory", settings=settings)
        return Settled(said["keep"], said["why"])
