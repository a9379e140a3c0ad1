"""Budgets around a model: so much money, or so many tokens, for each user and period."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias
from weakref import finalize

from agentkit.clock import SystemClock
from agentkit.errors import BudgetExceededError, DefinitionError, ModelError
from agentkit.messages import ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models._keys import By, key_function, shown
from agentkit.models._requests import estimated_tokens
from agentkit.models._wrapper import Wrapper, closing
from agentkit.models.prices import check_priced, price_of_model, priced
from agentkit.protocols import Clock, Model

Period: TypeAlias = Literal["minute", "hour", "day", "week", "month", "total"]
"""How long a budget is for. Periods begin on the clock and the calendar, in UTC; weeks on Monday."""

_PERIODS = ("minute", "hour", "day", "week", "month", "total")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spent (
    budget TEXT NOT NULL, key TEXT NOT NULL, start REAL NOT NULL,
    usd REAL NOT NULL, tokens INTEGER NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (budget, key, start)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in a period.

    Attributes:
        usd: US dollars; None for any amount.
        tokens: Prompt and generated tokens; None for any number.
    """

    usd: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent in the running period, by calls that have ended.

    Attributes:
        usd: US dollars.
        tokens: Prompt and generated tokens.
        calls: Calls of providers.
        resets_at: Unix time in seconds at which the next period begins; None for the period ``total``.
    """

    usd: float = 0.0
    tokens: int = 0
    calls: int = 0
    resets_at: float | None = None


class BudgetedModel(Wrapper):
    """Refuses requests for which a budget has nothing left.

    A call needs room for its prompt, as estimated, and for `max_tokens` where the request sets it; calls under way hold
    theirs. A reply to a request without `max_tokens` may pass the budget by its own length; the next request is then
    refused. What a call really used is counted when it has ended; of one that was cancelled, the estimated prompt.

    Args:
        model: The model or its id.
        usd: US dollars for each key and period; None for any amount.
        tokens: Prompt and generated tokens for each key and period; None for any number.
        period: ``minute``, ``hour``, ``day``, ``week``, ``month`` or ``total``, in UTC.
        by: Whose budget it is: each ``user``'s, each ``purpose``'s, one for ``all`` requests, or one for each result of
            a function of the request.
        overrides: Other budgets for certain keys.
        store: A SQLite file that keeps what was spent, for restarts and for several processes; None forgets it at the
            end.
        name: What the budget is called in the file; models with the same file and name share one.
        clock: Time, for tests.

    Raises:
        DefinitionError: There is no budget, one is not positive, money is bounded and the model's price is unknown, or
            the file cannot be opened.
    """

    def __init__(
        self,
        model: Model | str,
        *,
        usd: float | None = None,
        tokens: int | None = None,
        period: Period = "day",
        by: By = "user",
        overrides: Mapping[str, Budget] | None = None,
        store: str | Path | None = None,
        name: str = "",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(model)
        if period not in _PERIODS:
            raise DefinitionError(f"period is {period!r}; expected one of {', '.join(_PERIODS)}.")
        self._budget = Budget(usd, tokens)
        self._overrides = dict(overrides or {})
        for budget in (self._budget, *self._overrides.values()):
            _check(budget, self.model)
        if self._budget == Budget() and not self._overrides:
            raise DefinitionError("BudgetedModel was given no budget; expected usd=, tokens= or overrides=.")
        self._period: Period = period
        self._by = by
        self._key = key_function(by)
        self._clock: Clock = clock or SystemClock()
        self._ledger = _Ledger(":memory:" if store is None else str(store), name or f"by the {period}")
        self._held: dict[str, _Hold] = {}

    def spent(self, key: str = "") -> Spent:
        """What a key (a user, by default) has spent in the running period."""
        start, end = _bounds(self._period, self._clock.time())
        usd, tokens, calls = self._ledger.spent(key, start)
        return Spent(usd, tokens, calls, end)

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` if the budget has room for it.

        Raises:
            BudgetExceededError: It has not; nothing was sent.
        """
        with self._spending(request) as call:
            response = priced(await self.model.request(request), self.model)
            call.usage = response.usage
            return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece if the budget has room for it."""
        with self._spending(request) as call:
            async with closing(self.model.stream(request)) as source:
                async for piece in source:
                    if isinstance(piece, ModelResponse):
                        piece = priced(piece, self.model)
                        call.usage = piece.usage
                    yield piece

    @contextmanager
    def _spending(self, request: ModelRequest) -> Iterator[_Call]:
        """Hold what a call will need, and count what it used in the end, however it ends."""
        key = self._key(request)
        call = self._estimate(request)
        start, end = _bounds(self._period, self._clock.time())
        held = self._held.get(key, _Hold())
        self._refuse(key, call, held, start, end)
        self._held[key] = _Hold(held.usd + call.usd, held.tokens + call.tokens, held.calls + 1)
        try:
            yield call
        except ModelError as error:
            call.usage = error.usage
            raise
        except Exception:
            call.usage = Usage()
            raise
        finally:
            now = self._held.pop(key)
            if now.calls > 1:
                self._held[key] = _Hold(now.usd - call.usd, now.tokens - call.tokens, now.calls - 1)
            used = call.usage or Usage(input_tokens=call.prompt, model_calls=1, cost=call.prompt_usd)
            self._ledger.add(key, start, used)

    def _estimate(self, request: ModelRequest) -> _Call:
        prompt, reply = estimated_tokens(request), request.settings.max_tokens or 0
        price = price_of_model(self.model)
        if price is None:
            return _Call(prompt, prompt + reply, 0.0, 0.0)
        whole = price.cost(Usage(input_tokens=prompt, output_tokens=reply))
        return _Call(prompt, prompt + reply, price.cost(Usage(input_tokens=prompt)), whole)

    def _refuse(self, key: str, call: _Call, held: _Hold, start: float, end: float | None) -> None:
        budget = self._overrides.get(key, self._budget)
        usd, tokens, _ = self._ledger.spent(key, start)
        left = []
        if budget.usd is not None and (usd >= budget.usd or usd + held.usd + call.usd > budget.usd):
            left.append(f"${usd:.4f} of ${budget.usd:.4f} are spent and this call may need ${call.usd:.4f}")
        if budget.tokens is not None and (
            tokens >= budget.tokens or tokens + held.tokens + call.tokens > budget.tokens
        ):
            left.append(f"{tokens} of {budget.tokens} tokens are spent and this call may need {call.tokens}")
        if not left:
            return
        if held.calls:
            left.append(f"calls under way: {held.calls}")
        again = "it never starts anew" if end is None else f"it starts anew at {_date(end)}"
        raise BudgetExceededError(
            f"the budget of {shown(self._by, key)} is used up: {'; '.join(left)}; {again}",
            model=self.name,
            resets_at=end,
        )


@dataclass(slots=True)
class _Call:
    """What one call is expected to need, and what it used once that is known."""

    prompt: int
    tokens: int
    prompt_usd: float
    usd: float
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class _Hold:
    """What calls under way are expected to need."""

    usd: float = 0.0
    tokens: int = 0
    calls: int = 0


class _Ledger:
    """What was spent, in a SQLite file or in memory."""

    def __init__(self, path: str, budget: str) -> None:
        self._budget = budget
        try:
            if path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise DefinitionError(f"cannot open the budget file {path!r}: {error}. Choose another one.") from error
        finalize(self, self._db.close)

    def spent(self, key: str, start: float) -> tuple[float, int, int]:
        """Dollars, tokens and calls of the period that begins at `start`."""
        row = self._db.execute(
            "SELECT usd, tokens, calls FROM spent WHERE budget = ? AND key = ? AND start = ?",
            (self._budget, key, start),
        ).fetchone()
        return (0.0, 0, 0) if row is None else (row[0], row[1], row[2])

    def add(self, key: str, start: float, usage: Usage) -> None:
        """Add to it, at once with what other processes add."""
        self._db.execute(
            "INSERT INTO spent VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " usd = usd + excluded.usd, tokens = tokens + excluded.tokens, calls = calls + excluded.calls",
            (self._budget, key, start, usage.cost, usage.total_tokens, usage.model_calls),
        )


def _check(budget: Budget, model: Model) -> None:
    for name, most in (("usd", budget.usd), ("tokens", budget.tokens)):
        if most is not None and most <= 0:
            raise DefinitionError(f"{name} is {most!r}; expected a number above 0, or None for no bound.")
    if budget.usd is not None:
        check_priced(model, budget.usd)


def _bounds(period: Period, now: float) -> tuple[float, float | None]:
    """When the period around `now` began, and when the next one begins."""
    date = datetime.fromtimestamp(now, UTC)
    midnight = date.replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "minute":
            start = date.replace(second=0, microsecond=0)
            end = start + timedelta(minutes=1)
        case "hour":
            start = date.replace(minute=0, second=0, microsecond=0)
            end = start + timedelta(hours=1)
        case "day":
            start, end = midnight, midnight + timedelta(days=1)
        case "week":
            start = midnight - timedelta(days=date.weekday())
            end = start + timedelta(weeks=1)
        case "month":
            start = midnight.replace(day=1)
            end = (start + timedelta(days=32)).replace(day=1)
        case "total":
            return 0.0, None
    return start.timestamp(), end.timestamp()


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
