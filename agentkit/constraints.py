"""What must hold of a goal besides its words: budgets, deadlines, counts, and conditions of your own.

A constraint is checked three times, as far as it can be: on the plan, before anything runs (AK701); after each step
that it depends on, where what it counts can only grow; and at the end, over the answer and everything that was done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from typing_extensions import override

from agentkit._measures import check_expression, counted_tool, measured, moment, said, value_of
from agentkit.certificate import Certificate
from agentkit.errors import DefinitionError
from agentkit.facts import Facts
from agentkit.messages import Json

Condition: TypeAlias = Callable[[Facts], bool | str]
"""A condition as a function: True, False, or a text that says what is wrong (empty if nothing is)."""


class Constraint(Protocol):
    """Something that must hold. Each method says what is wrong, in words that a planner can act on; "" is: nothing."""

    def expressions(self) -> tuple[str, ...]:
        """The expressions that it is made of; the run checks them against its tools before it begins."""
        ...

    def of_plan(self, certificate: Certificate, facts: Facts, *, partial: bool = False) -> str:
        """Why no run of a plan with this certificate can satisfy it; a `partial` plan is followed by others."""
        ...

    def so_far(self, facts: Facts) -> str:
        """Why it is broken already, after a step."""
        ...

    def at_end(self, facts: Facts) -> str:
        """Why it does not hold for the answer."""
        ...

    def lost(self, facts: Facts) -> str:
        """Why no further plan can satisfy it."""
        ...


@dataclass(frozen=True, slots=True)
class _Base:
    """What the constraints of this module share."""

    def expressions(self) -> tuple[str, ...]:
        of: str = getattr(self, "of", "")
        return (of,) if of else ()

    def of_plan(self, certificate: Certificate, facts: Facts, *, partial: bool = False) -> str:
        return ""

    def so_far(self, facts: Facts) -> str:
        return ""

    def at_end(self, facts: Facts) -> str:
        return ""

    def lost(self, facts: Facts) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Budget(_Base):
    """A sum that must not pass `max`.

    Attributes:
        max: The most that may be spent; exactly this much is allowed.
        of: What is spent, as an expression such as ``sum([c.value.price for c in calls.book_flight])``; by default what
            the run itself costs in US dollars, tools and models together.
        message: Said first when it is broken.
    """

    kind: ClassVar[str] = "budget"
    max: float
    of: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        check_expression(self.of or "0", self)

    def __str__(self) -> str:
        return f"{self.of or 'the cost of the run in US dollars'} is at most {self.max:,.12g}"

    @override
    def of_plan(self, certificate: Certificate, facts: Facts, *, partial: bool = False) -> str:
        if self.of or certificate.fees is None:
            return ""
        total = facts.usage.cost + certificate.fees
        return "" if total <= self.max else self._over(f"may cost ${total:,.12g} in all", "the run")

    @override
    def so_far(self, facts: Facts) -> str:
        return self._broken(facts, early=True)

    @override
    def at_end(self, facts: Facts) -> str:
        return self._broken(facts)

    @override
    def lost(self, facts: Facts) -> str:
        return "" if self.of else self._broken(facts)

    def _broken(self, facts: Facts, *, early: bool = False) -> str:
        if not self.of:
            cost = facts.usage.cost
            return "" if cost <= self.max else self._over(f"has cost ${cost:,.12g}", "the run")
        total, problem = measured(self.of, facts, early=early)
        if problem:
            return said(self.message, problem)
        return "" if total is None or total <= self.max else self._over(f"is {total:,.12g}", self.of)

    def _over(self, what: str, subject: str) -> str:
        return said(self.message, f"{subject} {what}, and the budget is {self.max:,.12g}")


@dataclass(frozen=True, slots=True)
class Deadline(_Base):
    """A time by which the run must be over, or a date that something must not pass.

    Attributes:
        seconds: The most that the run may take. The plan's estimated critical path is held against it before it runs.
        by: A date or time in ISO 8601, for `of`.
        of: What must not be later than `by`, as an expression such as ``answer.arrival``.
        message: Said first when it is broken.
    """

    kind: ClassVar[str] = "deadline"
    seconds: float | None = None
    by: str = ""
    of: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        if (self.seconds is None) == (not self.by) or bool(self.by) != bool(self.of):
            raise DefinitionError(f"{self!r} needs either seconds, or both by and of")
        if self.by and moment(self.by) is None:
            raise DefinitionError(f"{self!r}: {self.by!r} is not a date or time of ISO 8601, e.g. '2026-12-24'")
        check_expression(self.of or "0", self)

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"the run takes at most {self.seconds:g} s"
        return f"{self.of} is not later than {self.by}"

    @override
    def of_plan(self, certificate: Certificate, facts: Facts, *, partial: bool = False) -> str:
        if self.seconds is None or facts.seconds + certificate.seconds <= self.seconds:
            return ""
        left = max(self.seconds - facts.seconds, 0.0)
        return said(self.message, f"the plan takes about {certificate.seconds:.3g} s, and {left:.3g} s are left")

    @override
    def so_far(self, facts: Facts) -> str:
        return self.lost(facts)

    @override
    def at_end(self, facts: Facts) -> str:
        if self.seconds is not None:
            return self.lost(facts)
        value, problem = value_of(self.of, facts)
        if problem:
            return said(self.message, problem)
        found = moment(value)
        if found is None:
            return said(self.message, f"{self.of} is {value!r}, not a date or time of ISO 8601")
        limit = moment(self.by)
        assert limit is not None, "checked when it was made"
        if "T" not in self.by:
            late = found.date() > limit.date()
        else:
            late = found.replace(tzinfo=None) > limit.replace(tzinfo=None)
        return said(self.message, f"{self.of} is {value}, later than {self.by}") if late else ""

    @override
    def lost(self, facts: Facts) -> str:
        if self.seconds is None or facts.seconds <= self.seconds:
            return ""
        return said(self.message, f"the run has taken {facts.seconds:.3g} s, and {self.seconds:g} s are allowed")


@dataclass(frozen=True, slots=True)
class Count(_Base):
    """How many of something there must be.

    Attributes:
        of: A list, whose length counts, or a number, as an expression. ``calls.assign`` counts the calls of a tool, and
            is held against the calls that a plan can make before it runs.
        min: At least so many.
        max: At most so many.
        message: Said first when it is broken.
    """

    kind: ClassVar[str] = "count"
    of: str
    min: int | None = None
    max: int | None = None
    message: str = ""

    def __post_init__(self) -> None:
        check_expression(self.of, self)
        if self.min is None and self.max is None:
            raise DefinitionError(f"{self!r} needs min, max or both")

    def __str__(self) -> str:
        least = [] if self.min is None else [f"at least {self.min}"]
        most = [] if self.max is None else [f"at most {self.max}"]
        return f"the count of {self.of} is {' and '.join(least + most)}"

    @override
    def of_plan(self, certificate: Certificate, facts: Facts, *, partial: bool = False) -> str:
        tool = counted_tool(self.of)
        if tool is None:
            return ""
        least, most = certificate.calls.get(tool, (0, 0))
        done = len(facts.calls.get(tool, ()))
        more = partial or certificate.subgoals != 0
        if self.max is not None and max(least, done) > self.max:
            return said(self.message, f"the plan makes {least} calls of {tool!r}, and at most {self.max} are allowed")
        if self.min is not None and not more and most is not None and done + most < self.min:
            so_far = f" after the {done} so far" if done else ""
            least_text = f"and at least {self.min} are needed"
            return said(self.message, f"the plan makes at most {most} calls of {tool!r}{so_far}, {least_text}")
        return ""

    @override
    def so_far(self, facts: Facts) -> str:
        if self.max is None:
            return ""
        count, problem = measured(self.of, facts, early=True, count=True)
        return "" if problem or count is None or count <= self.max else self._wrong(count)

    @override
    def at_end(self, facts: Facts) -> str:
        count, problem = measured(self.of, facts, count=True)
        if problem or count is None:
            return said(self.message, problem)
        wrong = (self.min is not None and count < self.min) or (self.max is not None and count > self.max)
        return self._wrong(count) if wrong else ""

    def _wrong(self, count: float) -> str:
        return said(self.message, f"the count is {count:g}, but {self}")


@dataclass(frozen=True, slots=True)
class Equals(_Base):
    """An expression that must have this value, e.g. ``Equals("answer.destination", "Hanoi")``."""

    kind: ClassVar[str] = "equals"
    of: str
    value: Json
    message: str = ""

    def __post_init__(self) -> None:
        check_expression(self.of, self)

    def __str__(self) -> str:
        return f"{self.of} is {self.value!r}"

    @override
    def at_end(self, facts: Facts) -> str:
        value, problem = value_of(self.of, facts)
        if not problem and value == self.value and isinstance(value, bool) == isinstance(self.value, bool):
            return ""
        return said(self.message, problem or f"{self.of} is {value!r}, not {self.value!r}")


@dataclass(frozen=True, slots=True)
class Satisfies(_Base):
    """A condition of your own: an expression that must be true, or a function of the `Facts`.

    Attributes:
        condition: The expression or function.
        message: What must hold, in words; planners read it.
        always: It must hold after every step too, not only at the end.
    """

    kind: ClassVar[str] = "satisfies"
    condition: str | Condition
    message: str = ""
    always: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.condition, str):
            check_expression(self.condition, self)

    def __str__(self) -> str:
        return self.message or self._name

    @property
    def _name(self) -> str:
        if isinstance(self.condition, str):
            return self.condition
        return str(getattr(self.condition, "__name__", "a condition")).replace("_", " ")

    @override
    def expressions(self) -> tuple[str, ...]:
        return (self.condition,) if isinstance(self.condition, str) else ()

    @override
    def so_far(self, facts: Facts) -> str:
        return self._broken(facts, early=True) if self.always else ""

    @override
    def at_end(self, facts: Facts) -> str:
        return self._broken(facts)

    def _broken(self, facts: Facts, *, early: bool = False) -> str:
        if isinstance(self.condition, str):
            value, problem = value_of(self.condition, facts)
            if problem:
                return "" if early else said(self.message, problem)
        else:
            value = self.condition(facts)
        if isinstance(value, str):
            return said(self.message, value) if value else ""
        return "" if value is True else f"it does not hold that {self}"
