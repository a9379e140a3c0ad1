"""``python -m examples.planning.rate``: how often a model does the named cases of planning by itself; a Markdown table.

The examples run with plans that stand beside them; here a model writes them, without any example in its prompt. Each
case has a check of its own of what was done, beside the constraints and tests that the agent may know of.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from calendar import isleap
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from agentkit import RunResult
from agentkit.events import StepFinished, StepStarted
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse
from agentkit.models import resolve_model
from agentkit.protocols import Model, ModelStream
from agentkit.testing import ScriptedModel
from examples.planning import control_flow, decoupled, hops, leap_year, renamed, rooms, travel

TEMPERATURE = 0.3
"""Warm enough that seeds differ."""

MOST_SECONDS = 180.0
"""After so long a case counts as not done."""


@dataclass(frozen=True)
class Seeded:
    """A model whose every call has a seed and is a little warm."""

    model: Model
    seed: int

    @property
    def name(self) -> str:
        """The model id."""
        return self.model.name

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        return self.model.profile

    def _with_seed(self, request: ModelRequest) -> ModelRequest:
        settings = request.settings
        warmth = max(settings.temperature or 0.0, TEMPERATURE)
        return replace(request, settings=replace(settings, temperature=warmth, seed=self.seed))

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer completely."""
        return await self.model.request(self._with_seed(request))

    def stream(self, request: ModelRequest) -> ModelStream:
        """Answer piece by piece."""
        return self.model.stream(self._with_seed(request))


Tried: TypeAlias = tuple[RunResult, str]
"""A run, and what is wrong with what it did; empty if nothing is."""


@dataclass(frozen=True)
class Case:
    """A named case.

    Attributes:
        right: What counts as done right, in words.
        attempt: Does it; without a model, with the plans that stand beside the example.
    """

    right: str
    attempt: Callable[[Model | None], Awaitable[Tried]]


def _values(result: RunResult, tool: str) -> list[Any]:
    """What the calls of a tool gave, in their order."""
    calls = {event.step for event in result.events if isinstance(event, StepStarted) and event.action == tool}
    ended = (event for event in result.events if isinstance(event, StepFinished) and event.status == "done")
    return [event.value for event in ended if event.step in calls]


def _unless(holds: object, result: RunResult) -> str:
    return "" if holds else f"the answer is {result.output!r}"


async def _search(model: Model | None) -> Tried:
    result = await decoupled.run(model)
    if not _values(result, "web_search"):
        return result, "nothing was searched"
    return result, _unless("James Cameron" in str(result.output), result)


async def _prices(model: Model | None) -> Tried:
    result = await control_flow.run("prices", model)
    return result, _unless(result.output == [number + 0.5 for number in range(1, 101)], result)


async def _pages(model: Model | None) -> Tried:
    result = await control_flow.run("pages", model)
    wanted = [f"This is the page at https://example.com/{number}." for number in range(1, 11)]
    return result, _unless(result.output == wanted, result)


async def _shares(model: Model | None) -> Tried:
    result = await control_flow.run("shares", model)
    bought, sold = _values(result, "buy"), _values(result, "sell")
    return result, "" if (bought, sold) == (["bought NVIDIA"], []) else f"it did {bought + sold}"


async def _prime(model: Model | None) -> Tried:
    result = await control_flow.run("prime", model)
    drawn = _values(result, "random_number")
    if not drawn or [number for number in drawn if _is_prime(number)] != drawn[-1:]:
        return result, f"it drew {drawn}, which is not up to the first prime"
    return result, _unless(re.findall(r"\d+", str(result.output))[-1:] == [str(drawn[-1])], result)


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, number))


async def _two_hops(model: Model | None) -> Tried:
    result = await hops.run(model)
    if not set(hops.PAGES.values()) <= set(_values(result, "search")):
        return result, "it has not read both articles"
    return result, _unless(all(height in str(result.output) for height in ("1,800", "7,000")), result)


async def _leap_year(model: Model | None) -> Tried:
    result = await leap_year.run(model)
    wrong = [year for year in range(1600, 2401) if leap_year.value_of(result.output, year) is not isleap(year)]
    return result, f"{result.output!r} is wrong for {len(wrong)} of 801 years" if wrong else ""


async def _renamed(model: Model | None) -> Tried:
    result = await renamed.run(renamed.AFTER, model)
    return result, _unless(_values(result, "catalogue_lookup") == [29.99] and result.output == 29.99, result)


async def _rooms(model: Model | None) -> Tried:
    hotel = rooms.Hotel()
    result = await rooms.assign_rooms(hotel, model)
    guests, taken = Counter(guest for guest, _ in hotel.assigned), Counter(room for _, room in hotel.assigned)
    if guests != Counter(rooms.PEOPLE):
        return result, f"{len(hotel.assigned)} assignments for {len(guests)} people"
    return result, "" if taken == Counter(rooms.BEDS) else "a room has more people than beds"


async def _travel(model: Model | None) -> Tried:
    result = await travel.plan_trip(model or ScriptedModel([travel.plan_to("Hanoi")]))
    flight = {"destination": "Hanoi", "leaves": "2026-12-01", "returns": "2026-12-15", "price": 1400}
    stay = {"city": "Hanoi", "nights": 14, "price": 14 * 257}
    return result, _unless(result.output == {"flight": flight, "hotel": stay}, result)


CASES: Mapping[str, Case] = {
    "a search, planned and checked first": Case("it searched, and names James Cameron", _search),
    "prices of the top 100, in parallel": Case("all 100 prices, in their order", _prices),
    "ten pages at once": Case("the ten texts, in their order", _pages),
    "buy or sell by the report": Case("bought once, sold nothing", _shares),
    "draw until a prime": Case("it drew up to the first prime, and names it", _prime),
    "two hops (ReAct)": Case("it read both articles, and names both heights", _two_hops),
    "code mended by its tests (Reflexion)": Case("right for 1600 to 2400; its own tests are three years", _leap_year),
    "words translated after a rename": Case("the renamed tool was called, and its price is the answer", _renamed),
    "50 people into 30 rooms": Case("each of the 50 has one bed, and every bed one guest", _rooms),
    "two weeks in Hanoi under $5,000": Case("the flight and hotel in Hanoi that were found, for two weeks", _travel),
}
"""Each case, with a check of what was really done; that an agent thinks it is done does not count."""


async def rate(model_id: str, seeds: int, names: list[str]) -> None:
    """Run every case once for each seed, and print the share that was done right."""
    model = resolve_model(model_id)
    write = sys.stdout.write
    write(f"Model `{model_id}`, {seeds} seeds a case, temperature {TEMPERATURE}, no examples in the prompt.\n")
    write("*Right*: by the check in the second column. *Wrong*: the agent said that it was done, and it was not.\n\n")
    write("| case | what counts as right | right | wrong | not done | seconds (median) |\n|---|---|---|---|---|---|\n")
    for name, case in CASES.items():
        if names and not any(part in name for part in names):
            continue
        ended, seconds = Counter[str](), []
        for seed in range(seeds):
            started = time.monotonic()
            how, why = await ended_how(case, Seeded(model, seed))
            seconds.append(time.monotonic() - started)
            ended[how] += 1
            if why:
                sys.stderr.write(f"{name}, seed {seed}: {how}: {why}\n")
        counts = " | ".join(f"{ended[how]}/{seeds}" for how in ("right", "wrong", "not done"))
        write(f"| {name} | {case.right} | {counts} | {sorted(seconds)[seeds // 2]:.1f} |\n")
        sys.stdout.flush()


async def ended_how(case: Case, model: Model | None = None) -> tuple[str, str]:
    """``right``, ``wrong`` or ``not done``, and why."""
    try:
        result, problem = await asyncio.wait_for(case.attempt(model), MOST_SECONDS)
    except TimeoutError:
        return "not done", f"not done after {MOST_SECONDS:.0f} s"
    if result.status != "done":
        return "not done", f"{result.status}: {result.error}"
    return ("wrong", problem) if problem else ("right", "")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.planning.rate", description=__doc__)
    parser.add_argument("cases", nargs="*", help="parts of the names of cases; default: all")
    parser.add_argument("--model", default="local:qwen2.5-coder-1.5b")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(rate(options.model, options.seeds, options.cases))


if __name__ == "__main__":
    main()
