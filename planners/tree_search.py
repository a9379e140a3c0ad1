"""Tree search: plans are tried in a world model before one of them is run.

Sources: Hao et al., "Reasoning with Language Model is Planning with World Model" (RAP), 2023; Zhou et al., "Language
Agent Tree Search Unifies Reasoning, Acting and Planning in Language Models" (LATS), 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from random import Random
from typing import Literal, TypeAlias

from agentkit.errors import DefinitionError
from agentkit.facts import Facts
from agentkit.limits import LimitReached
from agentkit.messages import Json
from agentkit.planners._tree import Node, Search, Settings
from agentkit.planners.strips_world import DISCOUNT
from agentkit.planners.world import Line, ModelWorld, World, WorldModel
from agentkit.planning import Attempt, Judge, PlanningEnded, PlanRequest, Proposal, Situation
from agentkit.run import Run

Backup: TypeAlias = Literal["max", "mean"]
Valuing: TypeAlias = "Callable[[Hashable], float] | Judge"
"""A function of a state, or a judge whose score counts; from 0 to 1."""


class TreeSearch:
    """Searches the plans that a world model predicts the outcomes of, and proposes the best whole plan that it finds.

    Each simulation goes down the tree of plans by upper confidence bounds (UCT), predicts one more step, values where
    that leads, and takes the value up to the beginning. Dead ends are left for other branches; states that are reached
    in two ways are searched once. Nothing is executed: the plan is checked and run like any other. When it fails, the
    next best plan that agrees with what has really happened runs without a new search; if there is none, the search
    starts again from there, and begins with the step that failed only if there is no other way.

    Args:
        world: Predicts: `ModelWorld` by default, which asks the run's model; `StripsWorld`; or your own.
        simulations: Steps that one search predicts at most. The run's own limits hold too; when one is used up, the
            best whole plan so far is proposed.
        depth: Steps of a plan at most.
        exploration: How much branches that were seldom tried are favoured, in shares of what the best one is worth.
        discount: What a plan's end is worth less for every step before it, so that short plans are better.
        enough: End the search with so many whole plans.
        backup: What a step is worth: the best of what follows it, or the mean. Predictions here have one outcome, for
            which the best is right.
        value: Values states instead of the world: a function, or a judge with a score (see `agentkit.judges`).
        fallbacks: How many of the next best plans are kept for the case that the best one fails.
        seed: Breaks ties. The same seed, world and replies give the same plan.

    Raises:
        DefinitionError: A number is out of its range, or `backup` is unknown.
    """

    def __init__(
        self,
        world: WorldModel | None = None,
        *,
        simulations: int = 200,
        depth: int = 30,
        exploration: float = 0.1,
        discount: float = DISCOUNT,
        enough: int = 3,
        backup: Backup = "max",
        value: Valuing | None = None,
        fallbacks: int = 2,
        seed: int = 0,
    ) -> None:
        if min(simulations, depth, enough) < 1 or fallbacks < 0 or exploration < 0:
            raise DefinitionError(
                f"simulations is {simulations}, depth {depth}, enough {enough}, fallbacks {fallbacks} and exploration "
                f"{exploration}; give at least 1, 1, 1, 0 and 0"
            )
        if not 0 < discount <= 1:
            raise DefinitionError(f"discount is {discount}; give more than 0 and at most 1")
        if backup not in ("max", "mean"):
            raise DefinitionError(f"backup is {backup!r}; give 'max' or 'mean'")
        self._world = world or ModelWorld()
        self._settings = Settings(simulations, depth, exploration, discount, enough, backup, fallbacks)
        self._value = value
        self._fallbacks = fallbacks
        self._seed = seed

    async def propose(self, request: PlanRequest, run: Run) -> Proposal:
        """The best plan of a search, or the next best one of the last.

        Raises:
            DefinitionError: The world asks a model and the agent has none.
            ModelError: The model failed for good.
            LimitReached: A budget of the run is used up, and no whole plan was found before.
            PlanningEnded: The search found no whole plan.
        """
        world = self._world.world(request, run)
        kept = _fallback(request, world)
        if kept is not None:
            return kept
        failed = _failed(request.attempts[-1], world) if request.attempts else None
        search = await self._searched(request, world, run, frozenset(() if failed is None else (failed,)))
        if failed is not None and not search.ranked():
            search = await self._searched(request, world, run, frozenset())
        ranked = search.ranked()
        if not ranked:
            raise PlanningEnded(self._nothing(search))
        best, *others = (list(node.lines()) for node in ranked)
        return _proposal(world, best, others[: self._fallbacks], search.told())

    async def _searched(self, request: PlanRequest, world: World, run: Run, skip: frozenset[Line]) -> Search:
        """A search from where the run is now, for plans that begin with other steps than `skip`."""
        refused = {
            tuple(attempt.notes["lines"])
            for attempt in request.attempts
            if "lines" in attempt.notes and (attempt.outcome is None or attempt.outcome.status == "done")
        }

        def accepts(lines: Sequence[Line]) -> bool:
            plan = world.plan(lines)
            return tuple(lines) not in refused and request.check(plan, validators=request.validators).ok

        async def value(lines: Sequence[Line], state: Hashable) -> float:
            if self._value is None:
                return await world.value(state)
            if callable(self._value):
                return float(self._value(state))
            return await _judged(self._value, lines, request, world, run)

        def on_time() -> None:
            left = run.remaining()
            if left is not None and left <= 0:
                raise LimitReached("seconds", run.limits.seconds or 0.0)

        root = Node(await world.start())
        random = Random(f"{self._seed}/{len(request.attempts)}")
        search = Search(world, self._settings, random, value, accepts, skip, root, on_time)
        await search.run()
        return search

    def _nothing(self, search: Search) -> str:
        """Why there is no plan."""
        if search.ended == "nothing left":
            return (
                f"no plan of at most {self._settings.depth} steps reaches the goal: the search has looked at all "
                f"{search.nodes} that the world model predicts"
            )
        return (
            f"the search found no plan that reaches the goal in simulations={search.simulations}; allow more, "
            "or give a value that tells better which states are near the goal"
        )


async def _judged(judge: Judge, lines: Sequence[Line], request: PlanRequest, world: World, run: Run) -> float:
    """A judge's score of the plan so far; where it gives none, whether it is content."""
    plan = world.plan(lines)
    checked = request.check(plan, partial=True).checked
    facts = Facts(steps=request.given, usage=run.meter.usage)
    certificate = None if checked is None else checked.certificate
    verdict = await judge.judge(Situation("plan", request, facts, plan, certificate), run)
    return float(verdict.done) if verdict.score is None else verdict.score


def _proposal(
    world: World, lines: list[Line], others: Sequence[Sequence[Line]], told: Mapping[str, Json] | None = None
) -> Proposal:
    notes: dict[str, Json] = {"lines": lines, "next": [list(one) for one in others]}
    return Proposal(world.plan(lines), notes={**({"search": dict(told)} if told else {}), **notes})


def _fallback(request: PlanRequest, world: World) -> Proposal | None:
    """The next best plan of the last search that agrees with what has happened and would still pass."""
    last = request.attempts[-1] if request.attempts else None
    if last is None or not last.notes.get("next"):
        return None
    lines = list(last.notes["lines"])
    count = _finished(last, world)
    happened = lines[:count] if request.done else []
    failed = _failed(last, world)
    rest = [row[len(happened) :] for row in last.notes["next"] if row[: len(happened)] == happened]
    for position, row in enumerate(rest):
        if not row or (request.done and row[0] == failed):
            continue
        proposal = _proposal(world, row, rest[position + 1 :])
        if request.check(proposal.plan, validators=request.validators).ok:
            return proposal
    return None


def _finished(attempt: Attempt, world: World) -> int:
    """How many of the lines of an attempt, from the first, were done."""
    lines = attempt.notes.get("lines", [])
    done = set() if attempt.outcome is None else set(attempt.outcome.named)
    ids = [step.id for step in attempt.plan.steps]
    closing = len(world.plan(()).steps)
    count = 0
    while count < len(lines) and done.issuperset(ids[: len(world.plan(lines[: count + 1]).steps) - closing]):
        count += 1
    return count


def _failed(attempt: Attempt, world: World) -> Line | None:
    """The line of an attempt that failed when it ran."""
    if attempt.outcome is None or attempt.outcome.status == "done":
        return None
    lines, count = attempt.notes.get("lines", []), _finished(attempt, world)
    return str(lines[count]) if count < len(lines) else None
