"""What is remembered: records, whose they are, and conditions on them."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from agentkit.errors import DefinitionError
from agentkit.messages import Json

Kind: TypeAlias = Literal["fact", "preference", "episode", "lesson", "skill", "document"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Value: TypeAlias = str | int | float | bool | None
"""What metadata holds, alone or in a list."""

ANY = "*"
"""In a scope that asks: every user, agent or session."""

OPERATORS = frozenset({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin"})
"""What a condition on metadata may say besides a plain value."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose a memory is, or on whose behalf memory is used. An empty part of an owner means: shared by all.

    A scope sees the memories of its own user, agent and session and those that are shared. `Scope()` sees only what
    everybody shares: forgetting to name a user shows nobody's memories. ``"*"`` asks for all explicitly.

    Attributes:
        user: The person.
        agent: The agent.
        session: The conversation.
    """

    user: str = ""
    agent: str = ""
    session: str = ""

    @property
    def parts(self) -> tuple[str, str, str]:
        """User, agent, session."""
        return (self.user, self.agent, self.session)

    def reads(self, owner: Scope) -> bool:
        """Whether memories of `owner` are visible."""
        return all(mine == ANY or theirs in ("", mine) for mine, theirs in zip(self.parts, owner.parts, strict=True))

    def writes(self, owner: Scope) -> bool:
        """Whether memories of `owner` may be added, changed and deleted.

        A session may write what its user keeps beyond it. What all users share is only written by a scope that names
        no user, so that nobody speaks to all others by way of the memory.
        """
        return self.reads(owner) and (self.user in (ANY, owner.user))


EVERYTHING = Scope(ANY, ANY, ANY)
"""The scope that sees and writes all memories: for maintenance, never for an agent."""


_AS_CREATED = -1.0


def _whole(text: str) -> str:
    """A text without halves of characters, which models and documents bring along and files cannot keep."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a memory comes from.

    Attributes:
        by: Who wrote it: ``user``, ``agent``, ``manager``, ``ingest`` …
        run_id: The run that it was learnt in.
        step: The step of that run.
        source: The document: a path or a URL.
        place: Where in the document: ``lines 3-9``, ``page 4``, a heading.
        quote: The words that it rests on.
    """

    by: str = ""
    run_id: str = ""
    step: str = ""
    source: str = ""
    place: str = ""
    quote: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "quote", _whole(self.quote))


def new_id() -> str:
    """A name that nothing else has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One thing that is remembered. All times are Unix seconds.

    Attributes:
        text: What is remembered, in words.
        kind: What sort of thing it is.
        scope: Whose it is; it never changes.
        id: Its name.
        context: Words that place the text, such as a document's title and headings; found by, not part of it.
        provenance: Where it comes from.
        created: When it was remembered.
        updated: When it was last changed; by default `created`.
        accessed: When it was last recalled; by default `created`.
        valid_from: When it became true, or happened; by default `created`.
        valid_until: When it stopped being true; None while it is.
        expires: When it is to be forgotten; None for never.
        importance: From 0 to 1.
        supersedes: The memories that this one replaces.
        superseded_by: The memory that replaced this one.
        metadata: Values, or lists of values, by name.
        flagged: Why a person should look at it; empty if all is well.
    """

    text: str
    kind: Kind = "fact"
    scope: Scope = Scope()
    id: str = field(default_factory=new_id)
    context: str = ""
    provenance: Provenance = Provenance()
    created: float = field(default_factory=time.time)
    updated: float = _AS_CREATED
    accessed: float = _AS_CREATED
    valid_from: float = _AS_CREATED
    valid_until: float | None = None
    expires: float | None = None
    importance: float = 0.5
    supersedes: tuple[str, ...] = ()
    superseded_by: str = ""
    metadata: Mapping[str, Json] = field(default_factory=dict)
    flagged: str = ""

    def __post_init__(self) -> None:
        for name in ("updated", "accessed", "valid_from"):
            if getattr(self, name) == _AS_CREATED:
                object.__setattr__(self, name, self.created)
        for name in ("text", "context"):
            object.__setattr__(self, name, _whole(getattr(self, name)))
        problems = [*self._problems()]
        if problems:
            raise DefinitionError(f"this cannot be remembered: {'; '.join(problems)}.")

    def _problems(self) -> list[str]:
        found = []
        if not self.text.strip():
            found.append("its text is empty")
        if self.kind not in KINDS:
            found.append(f"kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if ANY in self.scope.parts:
            found.append("its scope must name its owner, '*' only asks")
        if not 0 <= self.importance <= 1:
            found.append(f"importance {self.importance!r} is not between 0 and 1")
        if not self.id:
            found.append("its id is empty")
        found += [
            f"metadata {key!r} must be text, a number, true, false, null or a list of these, not {value!r}"
            for key, value in self.metadata.items()
            if not all(item is None or isinstance(item, str | int | float) for item in items_of(value))
        ]
        return found

    @property
    def indexed_text(self) -> str:
        """What it is found by: the context and the text."""
        return f"{self.context}\n{self.text}" if self.context else self.text

    def is_current(self, at: float) -> bool:
        """Whether it is true at a time and not expired."""
        return (
            self.valid_from <= at
            and (self.valid_until is None or at < self.valid_until)
            and (self.expires is None or at < self.expires)
        )

    def to_json(self) -> dict[str, Json]:
        """It as JSON data, as `from_json` reads it."""
        data: dict[str, Json] = dataclasses.asdict(self)
        return {**data, "supersedes": list(self.supersedes), "metadata": dict(self.metadata)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Memory:
        """The memory that `to_json` wrote.

        Raises:
            DefinitionError: It is not such data.
        """
        try:
            return cls(
                **{
                    **data,
                    "scope": Scope(**data["scope"]),
                    "provenance": Provenance(**data["provenance"]),
                    "supersedes": tuple(data["supersedes"]),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DefinitionError(f"this is not an exported memory ({error}): {str(data)[:200]!r}.") from None


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that memories must all meet. Without any, every memory does.

    Attributes:
        kinds: It is of one of these kinds.
        where: Metadata: ``{"project": "hat", "year": {"$gte": 2024}}``. A plain value means: equal. A list in the
            metadata meets a condition if one of its items does. A memory without the name never does, for ``$ne`` and
            ``$nin`` either. Numbers are compared with numbers and text with text.
        since: It became true, or happened, at this time or later.
        until: It became true, or happened, before this time.
        at: It is true at this time, and not expired.
        ids: It is one of these.
        flagged: It is flagged, or is not.
    """

    kinds: tuple[Kind, ...] = ()
    where: Mapping[str, Json] = field(default_factory=dict)
    since: float | None = None
    until: float | None = None
    at: float | None = None
    ids: tuple[str, ...] | None = None
    flagged: bool | None = None

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                raise DefinitionError(f"kind {kind!r} is not one of {', '.join(KINDS)}.")
        list(self.conditions())

    def conditions(self) -> list[tuple[str, str, Value | list[Value]]]:
        """The conditions on metadata: name, operator, operand.

        Raises:
            DefinitionError: An operator or an operand is not known.
        """
        found: list[tuple[str, str, Value | list[Value]]] = []
        for key, wanted in self.where.items():
            for operator, operand in (wanted if isinstance(wanted, dict) else {"$eq": wanted}).items():
                _check_condition(key, operator, operand)
                found.append((key, operator, operand))
        return found

    def matches(self, memory: Memory) -> bool:
        """Whether a memory meets all conditions."""
        return (
            (not self.kinds or memory.kind in self.kinds)
            and (self.since is None or memory.valid_from >= self.since)
            and (self.until is None or memory.valid_from < self.until)
            and (self.at is None or memory.is_current(self.at))
            and (self.ids is None or memory.id in self.ids)
            and (self.flagged is None or bool(memory.flagged) == self.flagged)
            and all(_meets_any(memory.metadata, *condition) for condition in self.conditions())
        )


UNFILTERED = Filter()
"""Every memory."""


def items_of(value: Json) -> list[Any]:
    """The items of a list, or the one value."""
    return list(value) if isinstance(value, list | tuple) else [value]


def value_type(value: Value) -> str:
    """``number``, ``text``, ``boolean`` or ``null``: values of different types are never equal and never compared."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def _check_condition(key: str, operator: str, operand: Json) -> None:
    if operator not in OPERATORS:
        raise DefinitionError(f"where[{key!r}]: {operator!r} is not one of {', '.join(sorted(OPERATORS))}.")
    many = operator in ("$in", "$nin")
    if many != isinstance(operand, list | tuple) or not all(
        item is None or isinstance(item, str | int | float) for item in items_of(operand)
    ):
        wanted = "a list of values" if many else "one value"
        raise DefinitionError(f"where[{key!r}]: {operator} takes {wanted}, not {operand!r}.")


def _meets_any(metadata: Mapping[str, Json], key: str, operator: str, operand: Any) -> bool:
    return key in metadata and any(_meets(item, operator, operand) for item in items_of(metadata[key]))


def _meets(value: Value, operator: str, operand: Any) -> bool:
    match operator:
        case "$eq":
            return _equal(value, operand)
        case "$ne":
            return not _equal(value, operand)
        case "$in":
            return any(_equal(value, item) for item in operand)
        case "$nin":
            return not any(_equal(value, item) for item in operand)
    if value_type(value) != value_type(operand) or value is None or isinstance(value, bool):
        return False
    left: Any = value
    match operator:
        case "$gt":
            return bool(left > operand)
        case "$gte":
            return bool(left >= operand)
        case "$lt":
            return bool(left < operand)
    return bool(left <= operand)


def _equal(left: Value, right: Value) -> bool:
    return value_type(left) == value_type(right) and left == right
