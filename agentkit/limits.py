"""What a run may use at most, and the meter that counts what it has used."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import ClassVar

from agentkit.errors import AgentKitError, DefinitionError
from agentkit.messages import Usage


class _WrongLimitsError(DefinitionError, ValueError):
    """A limit that is no limit. A `ValueError` too, so that files with limits can say where."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run. None means unbounded. Running out ends the run with an answer that says so.

    Five of them are retry budgets, and they never mix: `transport_retries` (network, rate limits), `output_retries`
    (malformed model output), `repairs` (a plan that the checker refuses), a tool's own `retries`, and `replans`.

    Attributes:
        replans: New plans after one that ran and did not reach the goal.
        repairs: Corrections of one plan that the checker refused.
        transport_retries: Further attempts of a model call that the provider could not serve.
        output_retries: Further attempts of a model call whose output was malformed.
        turns: Plans run in one run, for planners that plan a step at a time.
        steps: Steps run, iterations of loops counted each.
        tool_calls: Tool calls started, retries included.
        model_calls: Model calls.
        tokens: Prompt and generated tokens together.
        cost: US dollars, of tools and models together.
        seconds: Wall-clock seconds of the run.
        parallelism: Tool calls of one plan under way at once; a subgoal's plan has its own count.
        loop_iterations: The bound of a `repeat` that names none, and the largest that one may name.
        depth: Levels of subgoals below a plan: 0 allows none, 1 allows subgoals that have none of their own.

    Raises:
        DefinitionError: A limit is not a number, or below what makes sense; the message lists all.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    replans: int = 2
    repairs: int = 2
    transport_retries: int = 3
    output_retries: int = 2
    turns: int = 25
    steps: int | None = 10_000
    tool_calls: int | None = 1_000
    model_calls: int | None = 50
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None
    parallelism: int = 1_000
    loop_iterations: int = 100
    depth: int = 3

    def __post_init__(self) -> None:
        problems = [problem for one in fields(self) if (problem := _wrong(one.name, getattr(self, one.name)))]
        if problems:
            raise _WrongLimitsError(f"these are no limits: {'; '.join(problems)}")

    def share(self, part: float) -> Limits:
        """These limits with `part` (0 to 1) of everything that is used up; whole numbers are rounded up."""

        def count(allowed: int | None) -> int | None:
            return None if allowed is None else math.ceil(allowed * part)

        def amount(allowed: float | None) -> float | None:
            return None if allowed is None else allowed * part

        return replace(
            self,
            steps=count(self.steps),
            tool_calls=count(self.tool_calls),
            model_calls=count(self.model_calls),
            tokens=count(self.tokens),
            cost=amount(self.cost),
            seconds=amount(self.seconds),
        )


_AMOUNTS = frozenset({"cost", "seconds"})
_FROM_ONE = frozenset({"parallelism", "loop_iterations"})
_OPTIONAL = frozenset({"steps", "tool_calls", "model_calls", "tokens", "cost", "seconds"})


def _wrong(name: str, value: object) -> str:
    """What is wrong with a limit; empty if nothing is."""
    if value is None and name in _OPTIONAL:
        return ""
    least = 1 if name in _FROM_ONE else 0
    whole = isinstance(value, int) and not isinstance(value, bool)
    amount = name in _AMOUNTS and (whole or isinstance(value, float))
    if (whole or amount) and value >= least:  # type: ignore[operator]  # one of the two says that it is a number
        return ""
    wanted = "a number" if name in _AMOUNTS else "a whole number"
    return f"{name} has to be {wanted} from {least}{', or None' if name in _OPTIONAL else ''}, got {value!r}"


class LimitReached(AgentKitError):
    """A limit of the run is used up. The loop turns it into an outcome; users see it as `Outcome.stopped`."""

    def __init__(self, limit: str, allowed: float) -> None:
        super().__init__(f"the limit {limit}={allowed:g} is used up")
        self.limit = limit


class Meter:
    """Counts what a run uses and raises `LimitReached` before a limit is passed.

    Args:
        limits: The limits.
        usage: What is already used.
        steps: Steps that have already run.
        parent: The meter of the run that this is a part of; it counts everything too.
    """

    __slots__ = ("_limits", "_model_calls_under_way", "_parent", "steps", "usage")

    def __init__(
        self, limits: Limits, *, usage: Usage | None = None, steps: int = 0, parent: Meter | None = None
    ) -> None:
        self._limits = limits
        self._parent = parent
        self._model_calls_under_way = 0
        self.steps = steps
        self.usage = usage or Usage()

    def left(self, seconds: float | None = None) -> Limits:
        """The limits less what is used; `seconds` are those until the deadline, none if it has passed."""
        limits, usage = self._limits, self.usage

        def less(allowed: int | None, used: int) -> int | None:
            return None if allowed is None else max(allowed - used, 0)

        return replace(
            limits,
            steps=less(limits.steps, self.steps),
            tool_calls=less(limits.tool_calls, usage.tool_calls),
            model_calls=less(limits.model_calls, usage.model_calls),
            tokens=less(limits.tokens, usage.total_tokens),
            cost=None if limits.cost is None else max(limits.cost - usage.cost, 0.0),
            seconds=None if seconds is None else max(seconds, 0.0),
        )

    def start_step(self) -> None:
        """Count a step that is about to run."""
        allowed = self._limits.steps
        if allowed is not None and self.steps >= allowed:
            raise LimitReached("steps", allowed)
        if self._parent is not None:
            self._parent.start_step()
        self.steps += 1

    def start_tool_call(self, cost: float) -> None:
        """Count an attempt of a tool call that is about to be made, with its cost in US dollars."""
        usage, limits = self.usage, self._limits
        if limits.tool_calls is not None and usage.tool_calls >= limits.tool_calls:
            raise LimitReached("tool_calls", limits.tool_calls)
        if limits.cost is not None and usage.cost + cost > limits.cost:
            raise LimitReached("cost", limits.cost)
        if self._parent is not None:
            self._parent.start_tool_call(cost)
        self.usage = Usage(
            usage.input_tokens,
            usage.cached_tokens,
            usage.output_tokens,
            usage.model_calls,
            usage.tool_calls + 1,
            usage.cost + cost,
            usage.cache_write_tokens,
        )

    def start_model_call(self) -> None:
        """Refuse a model call for which nothing is left; what it used is counted by `add` when it has ended.

        Every call of this is followed by one of `end_model_call`, after `add`.
        """
        usage, limits = self.usage, self._limits
        calls = usage.model_calls + self._model_calls_under_way
        if limits.model_calls is not None and calls >= limits.model_calls:
            raise LimitReached("model_calls", limits.model_calls)
        if limits.tokens is not None and usage.total_tokens >= limits.tokens:
            raise LimitReached("tokens", limits.tokens)
        if limits.cost is not None and usage.cost >= limits.cost:
            raise LimitReached("cost", limits.cost)
        if self._parent is not None:
            self._parent.start_model_call()
        self._model_calls_under_way += 1

    def end_model_call(self) -> None:
        """A model call has ended, in whatever way."""
        self._model_calls_under_way -= 1
        if self._parent is not None:
            self._parent.end_model_call()

    def add(self, usage: Usage) -> None:
        """Count what a model call used."""
        self.usage = self.usage + usage
        if self._parent is not None:
            self._parent.add(usage)
