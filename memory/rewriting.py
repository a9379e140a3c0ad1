"""Making a query that stands alone from the last thing that was said in a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentkit.calling import ModelCaller
from agentkit.clock import SystemClock
from agentkit.errors import ModelOutputError
from agentkit.eventlog import EventLog
from agentkit.limits import Limits, Meter
from agentkit.messages import Message, ModelSettings, system, user
from agentkit.protocols import Model

_INSTRUCTIONS = """\
Rewrite the last message of a conversation as a search query that can be understood without the conversation.
Put names in the place of words like "he", "it", "there" and "the second one". Add nothing else, answer nothing.
If the conversation does not say who or what is meant, set "query" to "" and say in "unsolvable" what is missing.
Otherwise set "unsolvable" to "".

Conversation:
user: Who runs the Bern office?
assistant: Maria Keller.
Last message: When did she start?
{"query": "When did Maria Keller start to run the Bern office?", "unsolvable": ""}

Conversation:
assistant: Hello, how can I help?
Last message: Is he back yet?
{"query": "", "unsolvable": "who is meant by 'he'"}"""

_SCHEMA = {
    "type": "object",
    "properties": {"query": {"type": "string"}, "unsolvable": {"type": "string"}},
    "required": ["query", "unsolvable"],
    "additionalProperties": False,
}

_LAST_MESSAGES = 8


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A query that stands alone."""

    query: str


@dataclass(frozen=True, slots=True)
class Unsolvable:
    """The conversation does not say what is meant; `reason` is what is missing."""

    reason: str


class Rewriter(Protocol):
    """Makes a query of what is said in a conversation."""

    async def rewrite(self, query: str, conversation: Sequence[Message]) -> Rewritten | Unsolvable:
        """The query that `query` means after `conversation`."""
        ...


class ModelRewriter:
    """Asks a model. If its replies cannot be used, the query stays as it is.

    Args:
        model: A model, or a run's `ModelCaller`, which counts and records the call.
        limits: Retries and bounds, where a model is given.
    """

    def __init__(self, model: Model | ModelCaller, *, limits: Limits | None = None) -> None:
        self._model = model
        self._limits = limits or Limits()

    async def rewrite(self, query: str, conversation: Sequence[Message]) -> Rewritten | Unsolvable:
        """The query that `query` means after the last messages of `conversation`.

        Raises:
            ModelError: The model cannot be reached, or refuses.
            LimitReached: No model calls are left.
        """
        said = [message for message in conversation if message.role in ("user", "assistant") and message.content]
        lines = "\n".join(f"{message.role}: {message.content}" for message in said[-_LAST_MESSAGES:])
        messages = (system(_INSTRUCTIONS, cache=True), user(f"Conversation:\n{lines}\nLast message: {query}"))
        settings = ModelSettings(temperature=0.0, max_tokens=200)
        try:
            found = await self._caller().json(messages, _SCHEMA, purpose="rewrite", settings=settings)
        except ModelOutputError:
            return Rewritten(query)
        if found["unsolvable"].strip() and not found["query"].strip():
            return Unsolvable(found["unsolvable"].strip())
        return Rewritten(found["query"].strip() or query)

    def _caller(self) -> ModelCaller:
        if isinstance(self._model, ModelCaller):
            return self._model
        meter = Meter(self._limits)
        return ModelCaller(self._model, events=EventLog(), meter=meter, limits=self._limits, clock=SystemClock())
