"""Asking a model what becomes of a candidate: about a whole turn at once, or about one pair of sentences after another.

Source of comparing pairs: Bae et al., "Keep Me Updated!" (2022): of an old and a new sentence keep the old (pass), the
new (replace), both (append) or neither (delete).
"""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.calling import ModelCaller
from agentkit.memory._dates import day_of
from agentkit.memory._pairs import compare
from agentkit.memory.deciding import Opinion, Related, RuleDecider, Verdict, inserted, joined, speak_of_the_same
from agentkit.memory.extraction import Candidate, caller_of
from agentkit.memory.records import Memory
from agentkit.memory.statements import Grammar, Statement
from agentkit.messages import Json, ModelSettings, system, user
from agentkit.models import resolve_model
from agentkit.protocols import Model
from agentkit.run import Run

_INSTRUCTIONS = """\
You keep the memory of an assistant true. For each new statement decide what becomes of it beside the memories that it \
may concern, which are numbered.
insert: it is worth keeping and no memory says anything about it.
ignore: a memory says it already (name it), or it is not worth keeping (memory 0).
merge: it and a memory say different things that belong together; "text" is one sentence or two that say both.
replace: a memory was true and is so no longer, or the new statement says the same in more detail.
contradict: they cannot both be true, and nothing says that something has changed.
delete: it only says that a memory is not true any more.
"memory" is the number of the memory, 0 for none. "text" is "" unless merging. "why" is a few words.

Memories:
1. The user works as a nurse. (2025-04-01)
2. The user lives in Bern. (2025-04-01)
New statements:
a. The user has moved to Porto. (2026-01-09)
b. The user works in a clinic for children. (2026-01-09)
{"a": {"why": "moved away from Bern", "action": "replace", "memory": 2, "text": ""}, "b": {"why": "more about the same \
job", "action": "merge", "memory": 1, "text": "The user works as a nurse in a clinic for children."}}"""

_LETTERS = "abcdefghij"

MOST_PAIRS = 3
"""Memories that one candidate is compared with, the nearest first."""


class ModelDecider:
    """Asks a model; it is not asked if nothing known may concern a candidate.

    A strong model is asked about all candidates of a turn in one call. A small one is asked about each pair of a memory
    and a candidate that the rules cannot read: about whom each of the two is, on which topic, and which value it gives.
    Comparing these is left to code.
    What a model says of a memory that the rules read as speaking of somebody or something else is not done, so that a
    weak one loses nothing.

    Args:
        model: Which one; the agent's own by default.
        grammar: What the rules understand.
        pairs: Whether to ask about pairs; by default if the model's profile says that it is small
            (`ModelProfile.repairs` is false).
    """

    at_once = len(_LETTERS)

    def __init__(
        self, model: str | Model | None = None, *, grammar: Grammar | None = None, pairs: bool | None = None
    ) -> None:
        self._model = None if model is None else resolve_model(model)
        self._grammar = grammar or Grammar()
        self._rules = RuleDecider(self._grammar)
        self._pairs = pairs

    @property
    def name(self) -> str:
        """The model's id."""
        return "the agent's model" if self._model is None else self._model.name

    async def decide(
        self, candidates: Sequence[Candidate], related: Sequence[Sequence[Related]], run: Run | None
    ) -> Sequence[Verdict]:
        """A verdict on each candidate.

        Raises:
            DefinitionError: There is no model.
            ModelError: The model failed for good, or its replies cannot be used.
            LimitReached: A budget of the run is used up.
        """
        known = list({one.memory.id: one.memory for beside in related for one in beside}.values())
        if not known:
            return [inserted() for _ in candidates]
        caller = caller_of(self._model, run, "ModelDecider")
        if self._pairs if self._pairs is not None else not caller.profile.repairs:
            both = zip(candidates, related, strict=True)
            return [await self._one_by_one(caller, one, beside) for one, beside in both]
        return await self._at_once(caller, candidates, known)

    async def _at_once(
        self, caller: ModelCaller, candidates: Sequence[Candidate], known: Sequence[Memory]
    ) -> Sequence[Verdict]:
        names = _LETTERS[: len(candidates)]
        lines = ["Memories:", *(f"{place}. {_told(memory)}" for place, memory in enumerate(known, start=1))]
        lines += ["New statements:", *(f"{name}. {one.text}" for name, one in zip(names, candidates, strict=True))]
        settings = ModelSettings(temperature=0.0, max_tokens=120 * len(names)).for_profile(caller.profile)
        messages = (system(_INSTRUCTIONS, cache=True), user("\n".join(lines)))
        said = await caller.json(messages, _schema(names, len(known)), purpose="memory", settings=settings)
        found = [_verdict(said[name], one, known) for name, one in zip(names, candidates, strict=True)]
        return [self._safe(verdict, one, known) for verdict, one in zip(found, candidates, strict=True)]

    async def _one_by_one(self, caller: ModelCaller, candidate: Candidate, related: Sequence[Related]) -> Verdict:
        """What the rules say; where they cannot read one of two sentences, what the model says of the nearest pairs."""
        verdict = self._rules.verdict(candidate, related)
        if verdict.opinion != "insert" or candidate.forget or candidate.kind == "lesson":
            return verdict
        beside = sorted(related, key=lambda one: -1.0 if one.likeness is None else -one.likeness)
        unread = [one.memory for one in beside if self._is_open(candidate.text, one.memory.text)]
        for memory in unread[:MOST_PAIRS]:
            opinion, why = await compare(caller, memory.text, candidate.text)
            if opinion != "insert":
                return Verdict(opinion, (memory.id,), why=why)
        return Verdict("insert", why="it says something else than what is known") if unread else verdict

    def _is_open(self, new: str, old: str) -> bool:
        """Whether two sentences may speak of the same, and the rules cannot read one of them."""
        return (self._grammar.read(new) is None or self._grammar.read(old) is None) and speak_of_the_same(new, old)

    def _safe(self, verdict: Verdict, candidate: Candidate, known: Sequence[Memory]) -> Verdict:
        new = self._grammar.read(candidate.text)
        for memory in known:
            old = self._grammar.read(memory.text)
            if memory.id in verdict.targets and new and old and _differ(new, old):
                return Verdict("insert", why=f"{verdict.why} (not done: it speaks of something else)")
        return verdict


def _differ(new: Statement, old: Statement) -> bool:
    return (new.subject, new.relation) != (old.subject, old.relation)


def _told(memory: Memory) -> str:
    return f"{memory.text} ({day_of(memory.valid_from)})"


def _schema(names: str, memories: int) -> dict[str, Json]:
    one: dict[str, Json] = {
        "type": "object",
        "properties": {
            "why": {"type": "string"},
            "action": {"enum": ["insert", "ignore", "merge", "replace", "contradict", "delete"]},
            "memory": {"enum": list(range(memories + 1))},
            "text": {"type": "string"},
        },
        "required": ["why", "action", "memory", "text"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": dict.fromkeys(names, one),
        "required": list(names),
        "additionalProperties": False,
    }


def _verdict(said: Json, candidate: Candidate, known: Sequence[Memory]) -> Verdict:
    """What the model said; what names no memory to change changes none, so that nothing is lost."""
    opinion: Opinion = "delete" if candidate.forget and said["memory"] else said["action"]
    if not said["memory"]:
        return Verdict("ignore" if opinion == "ignore" else "insert", why=said["why"])
    memory = known[said["memory"] - 1]
    if opinion == "insert":
        return Verdict("insert", why=said["why"])
    text = (said["text"].strip() or joined(memory.text, candidate.text)) if opinion == "merge" else ""
    return Verdict(opinion, (memory.id,), text, said["why"])
