"""What can be known of a state while a plan is simulated: facts that are true, false, or either."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from agentkit.planners.strips import EQUALS, Condition, Domain, Fact, State


@dataclass(slots=True)
class Belief:
    """A state of which parts may be unknown.

    Attributes:
        facts: Whether a fact is true; None if that cannot be known.
        blurred: Predicates whose facts cannot be known unless `facts` says something.
        since: What made a fact false, in words.
    """

    facts: dict[Fact, bool | None] = field(default_factory=dict)
    blurred: set[str] = field(default_factory=set)
    since: dict[Fact, str] = field(default_factory=dict)

    @classmethod
    def of(cls, state: State) -> Self:
        """A state that is known."""
        return cls(dict.fromkeys(state, True))

    def copy(self) -> Belief:
        """One that can be changed without changing this."""
        return Belief(dict(self.facts), set(self.blurred), dict(self.since))

    def truth(self, fact: Fact) -> bool | None:
        """Whether a fact is true; None if that cannot be known."""
        if fact[0] == EQUALS:
            return fact[1] == fact[2]
        if fact in self.facts:
            return self.facts[fact]
        return None if fact[0] in self.blurred else False

    def met(self, condition: Condition) -> bool | None:
        """Whether a condition holds; None if that cannot be known."""
        true = self.truth(condition.fact)
        return None if true is None else true == condition.holds

    def set(self, condition: Condition, by: str) -> None:
        """Make a condition hold."""
        if condition.fact[0] == EQUALS:
            return
        self.facts[condition.fact] = condition.holds
        if not condition.holds:
            self.since[condition.fact] = by

    def blur(self, predicates: Iterable[str]) -> None:
        """Forget what is known of some predicates."""
        self.blurred.update(predicates)
        for fact in [fact for fact in self.facts if fact[0] in self.blurred]:
            del self.facts[fact]

    def join(self, other: Belief) -> Belief:
        """What is known if either may be the case."""
        facts = {fact: self.truth(fact) for fact in {**self.facts, **other.facts}}
        agreed = {fact: true if other.truth(fact) == true else None for fact, true in facts.items()}
        return Belief(agreed, self.blurred | other.blurred, {**other.since, **self.since})

    def says_the_same(self, other: Belief) -> bool:
        """Whether both know the same."""
        facts = {**self.facts, **other.facts}
        return self.blurred == other.blurred and all(self.truth(fact) == other.truth(fact) for fact in facts)

    def about(self, terms: Iterable[str]) -> list[Fact]:
        """True facts that mention one of some objects; of none, those that do not mention any."""
        wanted = set(terms)
        return sorted(
            fact for fact, true in self.facts.items() if true and (wanted & set(fact[1:]) if wanted else len(fact) == 1)
        )


def changed_by(domain: Domain, actions: Iterable[str]) -> set[str]:
    """The predicates that some actions may change."""
    return {effect.fact[0] for name in actions for effect in domain.actions[name].effects}
