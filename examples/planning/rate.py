"""``python -m examples.planning.rate``: how often a model does the named cases of planning by itself; a Markdown table.

The examples run with plans that stand beside them; here a model writes them, without any example in its prompt.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from agentkit import RunResult
from agentkit.events import StepStarted
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse
from agentkit.models import resolve_model
from agentkit.protocols import Model, ModelStream
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


Run = Callable[[Model], Awaitable[RunResult]]
Right = Callable[[RunResult], bool]


def _calls(result: RunResult, tool: str) -> int:
    return sum(isinstance(event, StepStarted) and event.action == tool for event in result.events)


def _is_prime(value: object) -> bool:
    if isinstance(value, list) and value:
        value = value[-1]
    return isinstance(value, int) and value > 1 and all(value % divisor for divisor in range(2, value))


CASES: Mapping[str, tuple[Run, Right]] = {
    "a search, planned and checked first": (decoupled.run, lambda result: _calls(result, "web_search") > 0),
    "prices of the top 100, in parallel": (
        lambda model: control_flow.run("prices", model),
        lambda result: result.output == [number + 0.5 for number in range(1, 101)],
    ),
    "ten pages at once": (
        lambda model: control_flow.run("pages", model),
        lambda result: isinstance(result.output, list) and len(result.output) == 10,
    ),
    "buy or sell by the report": (
        lambda model: control_flow.run("shares", model),
        lambda result: _calls(result, "buy") == 1 and _calls(result, "sell") == 0,
    ),
    "draw until a prime": (
        lambda model: control_flow.run("prime", model),
        lambda result: _is_prime(result.output) and _calls(result, "random_number") > 0,
    ),
    "two hops (ReAct)": (hops.run, lambda result: "7,000" in str(result.output)),
    "code mended by its tests (Reflexion)": (leap_year.run, lambda result: True),
    "words translated after a rename": (
        lambda model: renamed.run(renamed.AFTER, model),
        lambda result: result.output == 29.99,
    ),
    "50 people into 30 rooms": (lambda model: rooms.assign_rooms(rooms.Hotel(), model), lambda result: True),
    "two weeks in Hanoi under $5,000": (travel.plan_trip, lambda result: True),
}
"""How each case is run, and whether a run that is done did it right; some have tests or constraints of their own."""


async def rate(model_id: str, seeds: int, names: list[str]) -> None:
    """Run every case once for each seed, and print the share that was done right."""
    model = resolve_model(model_id)
    write = sys.stdout.write
    write(f"Model `{model_id}`, {seeds} seeds a case, temperature {TEMPERATURE}, no examples in the prompt.\n\n")
    write("| case | done right | seconds (median) |\n|---|---|---|\n")
    for name, (run, right) in CASES.items():
        if names and not any(part in name for part in names):
            continue
        done, seconds = 0, []
        for seed in range(seeds):
            started = time.monotonic()
            try:
                result = await asyncio.wait_for(run(Seeded(model, seed)), MOST_SECONDS)
                done += result.status == "done" and right(result)
            except TimeoutError:
                sys.stderr.write(f"{name}, seed {seed}: not done after {MOST_SECONDS:.0f} s\n")
            seconds.append(time.monotonic() - started)
        write(f"| {name} | {done}/{seeds} | {sorted(seconds)[seeds // 2]:.1f} |\n")
        sys.stdout.flush()


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
