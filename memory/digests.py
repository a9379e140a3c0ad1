"""Policies that let a model write down what falls out of the context: a running summary, and a graph of facts.

Both read a message once, when it falls out, and keep what they wrote with the conversation. If the model fails, the
messages fall out as with `Buffer`, and the event `MemoryFailed` says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agentkit.calling import ModelCaller
from agentkit.errors import DefinitionError, ModelError
from agentkit.events import MemoryFailed
from agentkit.memory._checks import check_least
from agentkit.memory.policies import Choice, View, without
from agentkit.memory.units import Unit, fit
from agentkit.messages import Json, Message, ModelSettings, system, user
from agentkit.models import resolve_model
from agentkit.protocols import Model
from agentkit.tokens import MESSAGE_OVERHEAD
from agentkit.transcript import dump_messages

SLACK = 0.25
"""Of the room, what is freed at a time, so that not every turn costs a call."""

_READ_AT_ONCE = 0.4
_SUMMARY = (
    "You keep the running summary of a conversation between a user and an assistant. Write it anew, with what the new "
    "messages add. Keep names, numbers, dates, decisions, wishes and open questions. Write short plain sentences and "
    "nothing else."
)
_FACTS = (
    "You note facts from a conversation between a user and an assistant. Give each as subject, relation and object, "
    'such as {"subject": "Emily Doe", "relation": "likes", "object": "red hats"}. Note only what the messages say.'
)
_FACT_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("subject", "relation", "object")},
                "required": ["subject", "relation", "object"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["facts"],
    "additionalProperties": False,
}


class _Digest:
    """What both have in common: which messages are written down already, and when more have to be.

    Args:
        model: Who writes; the agent's own model by default.
        tokens: The longest that the note may be.
    """

    name = "digest"

    def __init__(self, model: str | Model | None = None, *, tokens: int = 400) -> None:
        self._model = None if model is None else resolve_model(model)
        check_least(f"{type(self).__name__}(tokens", tokens, 1, "tokens")
        self._tokens = tokens

    async def choose(self, view: View) -> Choice:
        """What fits beside the note, and the note; the model is asked only when something falls out."""
        covered, digest = self._known(view)
        rest = fit([unit for unit in view.units if unit.start not in covered], view.room)
        note = await self._cut(self.text(digest, view.task), view) if covered else ""
        spent = await _cost(note, view)
        if not rest.dropped and rest.tokens + spent <= view.room:
            return Choice(without(_of(covered, view.units), view.units, view.room - spent), note)
        room = max(0, view.room - self._most(view))
        later = [unit for unit in view.units if unit.start not in covered]
        falling = fit(later, int(room * (1 - SLACK))).dropped
        try:
            digest = await self._write(digest, falling, view)
        except ModelError as error:
            view.run.events.emit(MemoryFailed(view.run.clock.time(), f"{self.name} of the conversation", str(error)))
        else:
            covered |= {unit.start for unit in falling}
            view.notes[self.name] = {"covered": sorted(covered), "mark": _mark(covered, view.units), "digest": digest}
        note = await self._cut(self.text(digest, view.task), view) if covered else ""
        return Choice(without(_of(covered, view.units), view.units, view.room - await _cost(note, view)), note)

    def _known(self, view: View) -> tuple[set[int], Json]:
        """Which units are written down, and what is; nothing if it was of another conversation."""
        kept = view.notes.get(self.name)
        if kept is None:
            return set(), None
        covered = set(kept["covered"])
        return (covered, kept["digest"]) if _mark(covered, view.units) == kept["mark"] else (set(), None)

    async def _write(self, digest: Json, falling: Sequence[Unit], view: View) -> Json:
        caller = self._caller(view)
        most = int(caller.model.profile.context_window * _READ_AT_ONCE)
        for texts in await _batches([_told(unit) for unit in falling], view, most):
            digest = await self.write(digest, "\n".join(texts), caller)
        return digest

    def _caller(self, view: View) -> ModelCaller:
        run = view.run
        if self._model is not None:
            return ModelCaller(
                self._model, events=run.events, meter=run.meter, limits=run.limits, clock=run.clock, user=run.user
            )
        if run.model is None:
            raise DefinitionError(f"{type(self).__name__} needs a model; give it one, or the agent")
        return run.model

    def _most(self, view: View) -> int:
        left = view.room - sum(unit.tokens for unit in view.units if unit.pinned)
        return min(self._tokens, max(0, left) // 2)

    async def _cut(self, note: str, view: View) -> str:
        """The note, at most as long as it may be; lines go from its end."""
        lines = note.splitlines()
        while lines and await _cost("\n".join(lines), view) > self._most(view):
            if len(lines) > 1:
                lines.pop()
            else:
                lines = [lines[0][: len(lines[0]) * 3 // 4]] if len(lines[0]) > 1 else []
        return "\n".join(lines)

    async def write(self, digest: Json, messages: str, caller: ModelCaller) -> Json:
        """What was written, with what new messages add."""
        raise NotImplementedError

    def text(self, digest: Json, task: str) -> str:
        """What was written, for the model that does the task."""
        raise NotImplementedError


class RunningSummary(_Digest):
    """The newest messages, after a summary of everything before them that a model writes as messages fall out.

    Args:
        model: Who writes the summary; the agent's own model by default.
        tokens: The longest that it may be.
    """

    name = "summary"

    async def write(self, digest: Json, messages: str, caller: ModelCaller) -> Json:
        """The summary, with what new messages add."""
        ask = user(f"The summary so far:\n{digest or '(nothing yet)'}\n\nNew messages:\n{messages}")
        settings = ModelSettings(max_tokens=self._tokens, temperature=0).for_profile(caller.model.profile)
        return await caller.text((system(_SUMMARY), ask), purpose="summary", settings=settings)

    def text(self, digest: Json, task: str) -> str:
        """The summary as a note."""
        return f"What was said before, in short:\n{digest}"


@dataclass(frozen=True, slots=True)
class Fact:
    """One edge of a knowledge graph: `subject` stands in `relation` to `object`."""

    subject: str
    relation: str
    object: str

    def __str__(self) -> str:
        return f"{self.subject} {self.relation} {self.object}"


@dataclass(frozen=True, slots=True)
class Graph:
    """What is known about entities, newest last; ``print(graph)`` shows it."""

    facts: tuple[Fact, ...] = ()

    def with_(self, facts: Iterable[Fact]) -> Graph:
        """The graph with more facts; one that is known already counts as new again."""
        merged = {_words(str(fact)): fact for fact in self.facts}
        for fact in facts:
            merged.pop(_words(str(fact)), None)
            merged[_words(str(fact))] = fact
        return Graph(tuple(merged.values()))

    def about(self, text: str) -> tuple[Fact, ...]:
        """The facts, the newest first, before all those about entities that `text` names and their neighbours."""
        named = {entity for entity in self.entities() if _words(entity) in _words(text)}
        close = [fact for fact in self.facts if named & {fact.subject, fact.object}]
        near = {end for fact in close for end in (fact.subject, fact.object)}

        def rank(fact: Fact) -> int:
            return 2 if named & {fact.subject, fact.object} else int(bool(near & {fact.subject, fact.object}))

        return tuple(sorted(self.facts, key=rank, reverse=True))

    def entities(self) -> frozenset[str]:
        """What the facts are about."""
        return frozenset(end for fact in self.facts for end in (fact.subject, fact.object))

    def to_json(self) -> Json:
        """The graph as JSON."""
        return [asdict(fact) for fact in self.facts]

    @classmethod
    def from_json(cls, rows: Iterable[Mapping[str, str]] | None) -> Graph:
        """The graph that `to_json` wrote; an empty one for None."""
        return cls(tuple(Fact(**row) for row in rows or ()))

    def __str__(self) -> str:
        return "\n".join(str(fact) for fact in self.facts)


class KnowledgeGraph(_Digest):
    """The newest messages, after facts about entities that a model notes as messages fall out.

    Facts about entities that the task names come first. `graph_of` gives the graph of a conversation.

    Args:
        model: Who notes the facts; the agent's own model by default.
        tokens: The most that the facts shown may take.
    """

    name = "graph"

    async def write(self, digest: Json, messages: str, caller: ModelCaller) -> Json:
        """The facts, with those of new messages."""
        settings = ModelSettings(temperature=0).for_profile(caller.model.profile)
        messages_to_read = (system(_FACTS), user(messages))
        found = await caller.json(messages_to_read, _FACT_SCHEMA, purpose="graph", settings=settings)
        return Graph.from_json(digest).with_(Graph.from_json(found["facts"]).facts).to_json()

    def text(self, digest: Json, task: str) -> str:
        """The facts as a note."""
        facts = Graph.from_json(digest).about(task)
        return "\n".join(["What was said before, as facts, the newest first:", *(f"- {fact}" for fact in facts)])


def graph_of(notes: Mapping[str, Any]) -> Graph:
    """The graph that `KnowledgeGraph` keeps among a conversation's notes."""
    return Graph.from_json(notes.get(KnowledgeGraph.name, {}).get("digest"))


def _of(covered: set[int], units: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.start in covered]


def _mark(covered: set[int], units: Sequence[Unit]) -> str:
    """What tells one conversation's covered messages from another's."""
    messages = [message for unit in units if unit.start in covered for message in unit.messages]
    return hashlib.sha256(dump_messages(messages).encode()).hexdigest()[:16]


def _told(unit: Unit) -> str:
    return "\n".join(_line(message) for message in unit.short)


def _line(message: Message) -> str:
    called = "".join(f" [calls {call.name}({dict(call.args)})]" for call in message.tool_calls)
    return f"{message.role}: {message.content}{called}"


async def _cost(note: str, view: View) -> int:
    """What a note costs as a message of its own."""
    return 0 if not note else MESSAGE_OVERHEAD + (await view.counter.texts([note]))[0]


async def _batches(texts: Sequence[str], view: View, most: int) -> list[list[str]]:
    """The texts in portions that a model can read; one that is too long by itself is cut into pieces."""
    batches: list[list[str]] = []
    used = 0
    for text, cost in zip(texts, await view.counter.texts(texts), strict=True):
        parts = -(-cost // max(most, 1)) or 1
        length = -(-len(text) // parts) or 1
        for piece in (text[at : at + length] for at in range(0, len(text), length)):
            share = cost // parts
            if not batches or used + share > most:
                batches.append([])
                used = 0
            batches[-1].append(piece)
            used += share
    return batches


def _words(text: str) -> str:
    words = " ".join(re.findall(r"\w+", text.casefold()))
    return f" {words} "
