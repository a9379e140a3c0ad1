"""Which memories a candidate may concern."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.memory.deciding import Related
from agentkit.memory.extraction import EVERYTHING_ABOUT_THE_USER, Candidate
from agentkit.memory.records import Filter, Kind, Memory, Scope
from agentkit.memory.statements import Grammar
from agentkit.memory.store import MemoryStore

SUBJECT, RELATION = "subject", "relation"
"""The names in the metadata by which a statement is found again."""

_LEARNT: tuple[Kind, ...] = ("fact", "preference", "episode", "lesson", "skill")
_STATEMENTS: tuple[Kind, ...] = ("fact", "preference", "episode")
_MOST_SAID = 50


async def related(
    candidate: Candidate, store: MemoryStore, grammar: Grammar, scope: Scope, owner: Scope, now: float, similar: int
) -> list[Related]:
    """The memories that say something of the same subject in the same relation, and those alike, best first.

    Args:
        candidate: What was learnt.
        store: Where to look.
        grammar: Reads statements.
        scope: On whose behalf.
        owner: Whose the new memory would be: only what reaches at least as far is compared with it.
        now: Unix seconds; what is not true any more is left out, unless it is to be forgotten.
        similar: How many alike ones, by words and by meaning each.
    """
    if candidate.forget and candidate.text == EVERYTHING_ABOUT_THE_USER:
        every = await store.list(Filter(_LEARNT), scope=scope)
        return [Related(memory) for memory in every if scope.user and memory.scope.user == scope.user]
    only = Filter(_kinds(candidate), at=None if candidate.forget else now)
    found: dict[str, Related] = {}
    text = f"{candidate.context}\n{candidate.text}" if candidate.context else candidate.text
    if store.embedder is not None:
        (vector,) = await store.embedder.embed([text])
        for match in await store.search_meaning(vector, scope=scope, k=similar, only=only):
            found[match.memory.id] = Related(match.memory, match.score)
    for match in await store.search_words(text, scope=scope, k=similar, only=only):
        found.setdefault(match.memory.id, Related(match.memory))
    for memory in await _same_statement(candidate, store, grammar, scope, only):
        found.setdefault(memory.id, Related(memory))
    return [one for one in found.values() if _reaches(one.memory.scope, owner)]


async def _same_statement(
    candidate: Candidate, store: MemoryStore, grammar: Grammar, scope: Scope, only: Filter
) -> Sequence[Memory]:
    """Those that a manager has written are labelled; of others, those that name the subject are read."""
    said = grammar.read(candidate.text)
    if said is None:
        return []
    where = {SUBJECT: said.subject, RELATION: said.relation}
    labelled = await store.list(Filter(only.kinds, where, at=only.at), scope=scope, limit=_MOST_SAID)
    naming = await store.search_words(said.subject, scope=scope, k=_MOST_SAID, only=only)
    others = [match.memory for match in naming if SUBJECT not in match.memory.metadata]
    read = [(memory, grammar.read(memory.text)) for memory in others]
    same = [memory for memory, old in read if old and (old.subject, old.relation) == (said.subject, said.relation)]
    return [*labelled, *same]


def _kinds(candidate: Candidate) -> tuple[Kind, ...]:
    """Lessons are compared with lessons, statements with statements; the user may ask to forget either."""
    if candidate.forget:
        return (*_STATEMENTS, "lesson")
    return ("lesson",) if candidate.kind == "lesson" else _STATEMENTS


def _reaches(scope: Scope, owner: Scope) -> bool:
    """Whether memories of a scope are seen wherever those of `owner` are."""
    return all(theirs in ("", mine) for mine, theirs in zip(owner.parts, scope.parts, strict=True))
