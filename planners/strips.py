"""Planning domains as data, and their exact simulation: typed STRIPS with negative preconditions and equality.

Source: Fikes and Nilsson, "STRIPS: A New Approach to the Application of Theorem Proving to Problem Solving", 1971. A
state is the set of the facts that are true; whatever is not in it is false.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from agentkit.errors import DefinitionError
from agentkit.options import did_you_mean

Fact: TypeAlias = tuple[str, ...]
"""A predicate and its objects: ``("on", "a", "b")``. In a domain, a term that begins with ``?`` is a parameter."""

State: TypeAlias = frozenset[Fact]
"""The facts that are true."""

EQUALS = "="
"""The predicate that every domain has: two terms are the same object."""

ANYTHING = "object"
"""The type of every object."""


@dataclass(frozen=True, slots=True)
class Condition:
    """That a fact is true, or that it is not; among effects, that it becomes so."""

    fact: Fact
    holds: bool = True

    def __str__(self) -> str:
        return ("" if self.holds else "not ") + written(self.fact)

    def of(self, values: Mapping[str, str]) -> Condition:
        """The condition with values in the place of parameters."""
        return Condition(tuple(values.get(term, term) for term in self.fact), self.holds)

    def met(self, state: State) -> bool:
        """Whether it is true in a state."""
        name, *terms = self.fact
        true = terms[0] == terms[1] if name == EQUALS else self.fact in state
        return true == self.holds


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done: the tool of the same name, whose arguments are the parameters.

    Attributes:
        name: The tool's name.
        parameters: The type of each parameter by its name, as the tool has it, without a question mark.
        preconditions: What must be true before.
        effects: What becomes true, and what becomes false. What becomes both is true afterwards.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    preconditions: tuple[Condition, ...] = ()
    effects: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Domain:
    """Predicates and actions.

    Attributes:
        name: What it is called.
        predicates: The types of each predicate's arguments.
        actions: The actions by name.
        types: The parent of each type; ``object`` is the parent of all and need not be there.
        constants: The type of each object that every problem has.

    Raises:
        DefinitionError: An action or type uses what is not declared; the message says which and what there is.
    """

    name: str
    predicates: Mapping[str, Sequence[str]]
    actions: Mapping[str, Action]
    types: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kinds in self.predicates.items():
            for kind in kinds:
                self._check_type(kind, f"predicate {name!r}")
        for kind, parent in self.types.items():
            self._check_type(parent, f"type {kind!r}")
            if kind in _ancestors(parent, self.types):
                raise DefinitionError(f"domain {self.name!r}: type {kind!r} is its own ancestor")
        for action in self.actions.values():
            where = f"action {action.name!r}"
            for kind in action.parameters.values():
                self._check_type(kind, where)
            known = {f"?{name}" for name in action.parameters} | set(self.constants)
            for condition in (*action.preconditions, *action.effects):
                self.check_fact(condition.fact, known, where)
            if any(effect.fact[0] == EQUALS for effect in action.effects):
                raise DefinitionError(f"domain {self.name!r}: {where} changes '=', which nothing can change")

    def _check_type(self, kind: str, where: str) -> None:
        if kind != ANYTHING and kind not in self.types:
            raise DefinitionError(
                f"domain {self.name!r}: {where} has the unknown type {kind!r}{_near(kind, [ANYTHING, *self.types])}"
            )

    def check_fact(self, fact: Fact, terms: Iterable[str], where: str) -> None:
        """Refuse a fact of an unknown predicate, with a wrong number of terms, or with a term that is not known.

        Raises:
            DefinitionError: It is one of these.
        """
        name, *given = fact
        wanted = 2 if name == EQUALS else len(self.predicates.get(name, ()))
        if name != EQUALS and name not in self.predicates:
            raise DefinitionError(
                f"domain {self.name!r}: {where} has the unknown predicate {name!r}{_near(name, self.predicates)}"
            )
        if len(given) != wanted:
            raise DefinitionError(
                f"domain {self.name!r}: {where} gives {name!r} {len(given)} arguments; it takes {wanted}"
            )
        known = set(terms)
        for term in given:
            if term not in known:
                what = "parameter" if term.startswith("?") else "object"
                raise DefinitionError(
                    f"domain {self.name!r}: {where} has the unknown {what} {term!r}{_near(term, known)}"
                )

    def is_a(self, kind: str, wanted: str) -> bool:
        """Whether an object of type `kind` can stand where `wanted` is asked for."""
        return wanted == ANYTHING or wanted in _ancestors(kind, self.types)


@dataclass(frozen=True, slots=True)
class Operation:
    """An action with its arguments.

    Attributes:
        action: The action's name.
        args: The object of each parameter.
        preconditions: What must be true before.
        adds: Facts that become true.
        deletes: Facts that become false.
    """

    action: str
    args: Mapping[str, str]
    preconditions: tuple[Condition, ...]
    adds: frozenset[Fact]
    deletes: frozenset[Fact]

    def possible(self, state: State) -> bool:
        """Whether it can be done in a state."""
        return all(condition.met(state) for condition in self.preconditions)

    def after(self, state: State) -> State:
        """The state after it."""
        return (state - self.deletes) | self.adds

    def __str__(self) -> str:
        return written((self.action, *self.args.values()))


@dataclass(frozen=True, slots=True)
class Problem:
    """What there is, how it is, and how it should be.

    Attributes:
        domain: The domain.
        objects: The type of each object; the domain's constants are added.
        init: The facts that are true at first.
        goal: What should be true in the end.
        name: What it is called.

    Raises:
        DefinitionError: A fact does not fit the domain; the message says which.
    """

    domain: Domain
    objects: Mapping[str, str]
    init: State
    goal: tuple[Condition, ...]
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", {**self.domain.constants, **self.objects})
        for fact in sorted(self.init):
            self.domain.check_fact(fact, self.objects, "the initial state")
        for condition in self.goal:
            self.domain.check_fact(condition.fact, self.objects, "the goal")

    def reached(self, state: State) -> bool:
        """Whether the goal holds in a state."""
        return all(condition.met(state) for condition in self.goal)

    def of_type(self, wanted: str) -> list[str]:
        """The objects that can stand where a type is asked for."""
        return [name for name, kind in self.objects.items() if self.domain.is_a(kind, wanted)]

    def operations(self) -> tuple[Operation, ...]:
        """Every action with every choice of objects that fit and are not ruled out by facts that never change."""
        changing = {effect.fact[0] for action in self.domain.actions.values() for effect in action.effects}
        return tuple(
            operation
            for action in self.domain.actions.values()
            for operation in self._operations(action)
            if all(one.met(self.init) for one in operation.preconditions if one.fact[0] not in changing)
        )

    def _operations(self, action: Action) -> Iterator[Operation]:
        choices = [self.of_type(kind) for kind in action.parameters.values()]
        for chosen in itertools.product(*choices):
            yield operation(action, dict(zip(action.parameters, chosen, strict=True)))


def operation(action: Action, args: Mapping[str, str]) -> Operation:
    """An action with an object for each of its parameters."""
    values = {f"?{name}": value for name, value in args.items()}
    effects = [effect.of(values) for effect in action.effects]
    return Operation(
        action.name,
        args,
        tuple(condition.of(values) for condition in action.preconditions),
        frozenset(effect.fact for effect in effects if effect.holds),
        frozenset(effect.fact for effect in effects if not effect.holds),
    )


def written(fact: Fact) -> str:
    """A fact as people write it: ``on(a, b)``, ``handempty``."""
    name, *terms = fact
    if name == EQUALS:
        return f"{terms[0]} = {terms[1]}"
    return f"{name}({', '.join(terms)})" if terms else name


def _ancestors(kind: str, types: Mapping[str, str]) -> set[str]:
    """A type and those above it."""
    found: set[str] = set()
    while kind not in found:
        found.add(kind)
        kind = types.get(kind, ANYTHING)
    return found


def _near(name: str, known: Iterable[str]) -> str:
    options = list(known)
    return did_you_mean(name, options) or f"; there are: {', '.join(sorted(options)) or 'none'}"
