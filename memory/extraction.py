"""What of a turn may be worth keeping: candidates for memories, found by rules or by a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from agentkit.calling import ModelCaller
from agentkit.clock import SystemClock
from agentkit.errors import DefinitionError
from agentkit.memory._dates import begins, dated, day_of, ends
from agentkit.memory._sentences import clauses, sentences, third_person
from agentkit.memory.records import Kind
from agentkit.memory.statements import Grammar, without_opening
from agentkit.messages import Json, ModelSettings, system, user
from agentkit.models import resolve_model
from agentkit.protocols import Model
from agentkit.remembering import Turn
from agentkit.run import Run
from agentkit.transcript import text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that may be worth remembering.

    Attributes:
        text: It in words, understandable by itself.
        kind: What sort of memory it would be.
        context: Words that it is found by, besides its own.
        quote: The words that it rests on.
        importance: From 0 to 1.
        said: When it was said, Unix seconds; None for now.
        valid_from: Since when it is true, Unix seconds; None for when it was said.
        valid_until: Until when; None for open.
        forget: The user asks to forget what says this.
        changes: It says that something has changed.
        only_known: Keep it only if it concerns something known: by itself it is not worth keeping.
        flagged: Why a person should look at it.
        metadata: Values by name, for the record.
    """

    text: str
    kind: Kind = "fact"
    context: str = ""
    quote: str = ""
    importance: float = 0.5
    said: float | None = None
    valid_from: float | None = None
    valid_until: float | None = None
    forget: bool = False
    changes: bool = False
    only_known: bool = False
    flagged: str = ""
    metadata: Mapping[str, Json] = field(default_factory=dict)


class Extractor(Protocol):
    """Finds candidates in a turn."""

    async def extract(self, turn: Turn, run: Run | None, now: float) -> Sequence[Candidate]:
        """What may be worth keeping of `turn`, which ended at `now` (Unix seconds).

        Raises:
            ModelError: The model failed for good, or its replies cannot be used.
            LimitReached: A budget of the run is used up.
        """
        ...


EVERYTHING_ABOUT_THE_USER = "Everything about the user."
"""What a candidate says that asks to forget all that is remembered of the user."""

WISH = "The user wants: "
"""How a memory of a standing wish begins, such as "always answer in German"."""

_FORGET = re.compile(r"^(?:please )?forget (?:that |about |it: )?(?P<what>.+)$", re.IGNORECASE)
_EVERYTHING = re.compile(
    r"(?:everything|all)(?:(?: that)? (?:you|we) (?:know|remember|have(?: noted| stored)?|ever \w+))?"
    r"(?: (?:about|of) (?:me|us))?|(?:about )?me|all (?:my )?(?:data|memories)(?: (?:about|of) me)?",
    re.IGNORECASE,
)
_VAGUE = re.compile(r"(?:it|this|that|what I (?:just )?(?:said|told you|asked|wrote)|my last \w+)", re.IGNORECASE)
"""What a message asks to forget without saying what that is: nothing is deleted for it."""
_REMEMBER = re.compile(
    r"^(?:please )?(?:remember|note|keep in mind|do not forget|don't forget)(?: that|[:,])? (?P<what>.+)$",
    re.IGNORECASE,
)
_ALWAYS = re.compile(r"^(?:please )?(?:from now on,? |always |never )", re.IGNORECASE)
_CALL_ME = re.compile(r"^(?:please )?call me (?P<name>.+?)[.!]?$", re.IGNORECASE)
_JUDGEMENT = re.compile(
    r"\b(rate|rank|grade|score|how (?:good|funny|likely|much do you like)|your (?:opinion|favou?rite|view)"
    r"|do you (?:like|think|prefer)|what do you think|from 1 to \d+|1 ?[-–] ?(?:5|10))\b",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"\bhas an? (?:\w+ )?(?:question|problem|idea|issue|request|suggestion|doubt|feeling|point)\b"
    r"|\b(?:likes?|loves?|hates?|prefers?) (?:this|that|it|them|these|those)$",
    re.IGNORECASE,
)
_OPINIONS = ("opinion of ", "choice of ", "rating of ", "prefers")
_LONGEST = 1_000


class RuleExtractor:
    """Finds by patterns what users say, what they ask to remember or to forget, and what the agent was asked to judge.

    Sentences that fit no pattern are not kept. No model is called.

    Args:
        grammar: Which sentences are understood.
    """

    def __init__(self, grammar: Grammar | None = None) -> None:
        self._grammar = grammar or Grammar()

    async def extract(self, turn: Turn, run: Run | None, now: float) -> Sequence[Candidate]:
        """The statements of the task, and the answer if it is a judgement."""
        found = [self._candidate(part, now) for sentence in sentences(turn.task) for part in clauses(sentence)]
        return [one for one in (*found, _judgement(turn)) if one is not None]

    def _candidate(self, sentence: str, now: float) -> Candidate | None:
        if len(sentence) > _LONGEST:
            return None
        if name := _CALL_ME.match(sentence):
            return Candidate(text=f"The user wants to be called {name['name']}.", quote=sentence, importance=0.8)
        if asked := _FORGET.match(sentence):
            if _EVERYTHING.fullmatch(asked["what"].strip(" .!")):
                return Candidate(text=EVERYTHING_ABOUT_THE_USER, quote=sentence, forget=True)
            if _VAGUE.fullmatch(asked["what"].strip(" .!")):
                return None
            return Candidate(text=third_person(asked["what"]), quote=sentence, forget=True)
        asked = _REMEMBER.match(sentence)
        text = third_person(asked["what"] if asked else sentence)
        said, until = self._grammar.read(text), ends(text, now)
        wish = said is None and asked is None and bool(_ALWAYS.match(sentence))
        for_now = until is not None and text.startswith("The user is ") and not text.endswith("?")
        if not (said or asked or wish or for_now) or (asked is None and _PASSING.search(text)):
            return None
        return Candidate(
            text=dated(f"{WISH}{text}" if wish else without_opening(text), now),
            kind="preference" if wish or (said and said.relation.startswith(_OPINIONS)) else "fact",
            quote=sentence,
            importance=0.8 if asked or wish else 0.5,
            valid_from=begins(text, now),
            valid_until=until,
            changes=said is not None and said.changes,
            only_known=asked is None and said is not None and not _is_named(text, said.subject),
        )


def _is_named(text: str, subject: str) -> bool:
    """Whether a statement is of the user, or of somebody or something with a name; not of "it" or "the second one"."""
    if subject.startswith("user"):
        return True
    place = text.lower().find(subject)
    return subject not in ("i", "it", "he", "she", "they", "this", "that", "there", "we", "you") and any(
        word[:1].isupper() for word in text[place : place + len(subject)].split()
    )


def _judgement(turn: Turn) -> Candidate | None:
    """What the agent answered when it was asked what it thinks, so that it thinks the same the next time."""
    if turn.status != "done" or not _JUDGEMENT.search(turn.task):
        return None
    answer = text_of(turn.output)
    if len(turn.task) + len(answer) > 2 * _LONGEST:
        return None
    return Candidate(text=f'Asked "{turn.task.strip()}", you answered {answer}.', kind="episode", quote=answer)


_INSTRUCTIONS = """\
You note what an assistant should remember of a conversation for other days: lasting facts about the user and the \
people and things they speak of, what they like, want and plan, and opinions that the assistant gave. Leave out \
questions, small talk, and what holds for this moment only. Each memory is one short sentence that can be understood \
by itself: "The user lives in Bern.", not "I live there". Write dates as YYYY-MM-DD. "until" is the last day on which \
it holds, or "". "importance" is 1 for a trifle and 10 for what must not be forgotten. Often there is nothing: then \
the list is empty.

Today: 2026-03-02
user: Hi! I moved to Porto last week. What is 2 + 2?
assistant: 4
{"memories": [{"text": "The user moved to Porto in February 2026.", "kind": "fact", "importance": 6, "until": ""}]}"""

_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "memories": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "kind": {"enum": ["fact", "preference", "episode"]},
                    "importance": {"type": "integer", "minimum": 1, "maximum": 10},
                    "until": {"type": "string"},
                },
                "required": ["text", "kind", "importance", "until"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["memories"],
    "additionalProperties": False,
}


class ModelExtractor:
    """Asks a model, in one call a turn.

    Args:
        model: Which one; the agent's own by default.
    """

    def __init__(self, model: str | Model | None = None) -> None:
        self._model = None if model is None else resolve_model(model)

    async def extract(self, turn: Turn, run: Run | None, now: float) -> Sequence[Candidate]:
        """What the model finds worth keeping.

        Raises:
            DefinitionError: There is no model.
            ModelError: The model failed for good, or its replies cannot be used.
            LimitReached: A budget of the run is used up.
        """
        caller = caller_of(self._model, run, "ModelExtractor")
        told = f"Today: {day_of(now)}\nuser: {turn.task}\nassistant: {text_of(turn.output)}"
        settings = ModelSettings(temperature=0.0, max_tokens=500).for_profile(caller.profile)
        messages = (system(_INSTRUCTIONS, cache=True), user(told))
        found = await caller.json(messages, _SCHEMA, purpose="memory", settings=settings)
        return [
            Candidate(
                text=row["text"].strip(),
                kind=row["kind"],
                quote=turn.task[:_LONGEST],
                importance=row["importance"] / 10,
                valid_until=_end(row["until"]),
            )
            for row in found["memories"]
            if row["text"].strip()
        ]


def caller_of(model: Model | None, run: Run | None, who: str) -> ModelCaller:
    """A model within the budgets of a run, or the run's own; without a run, within default budgets.

    Raises:
        DefinitionError: There is none.
    """
    if model is None:
        if run is None or run.model is None:
            raise DefinitionError(f"{who} needs a model; give it one, or the agent")
        return run.model
    return (run or Run(clock=SystemClock())).calling(model)


def _end(day: str) -> float | None:
    """The end of a day, Unix seconds; None for no day, and for one that does not exist."""
    try:
        return datetime.fromisoformat(day.strip()[:10]).replace(tzinfo=UTC).timestamp() + 86_400
    except ValueError:
        return None
