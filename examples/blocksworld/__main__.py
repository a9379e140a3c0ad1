"""``python -m examples.blocksworld``: solve random problems by tree search; with ``--model``, by a model too."""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass

from agentkit.events import PlanProposed
from agentkit.protocols import Model
from examples.blocksworld.problems import BLOCKS, random_pair, shortest
from examples.blocksworld.solving import Solving


@dataclass(frozen=True, slots=True)
class Searched:
    """One problem solved by tree search.

    Attributes:
        shortest: Actions of a shortest plan.
        actions: Actions that were done.
        nodes: States predicted.
        solved: Whether the table was as it should be.
    """

    shortest: int
    actions: int
    nodes: int
    solved: bool


async def search(blocks: int, seed: int, simulations: int) -> Searched:
    """Solve one random problem."""
    solving = Solving(*random_pair(blocks, seed))
    result = await solving.searched(simulations=simulations)
    [told] = [event.notes["search"] for event in result.events if isinstance(event, PlanProposed)] or [{"nodes": 0}]
    return Searched(shortest(solving.problem), solving.table.moves, told["nodes"], solving.solved)


async def table(problems: int, simulations: int) -> None:
    """Print how well the search does for each number of blocks."""
    print(f"Tree search in the simulator, {problems} random problems each, at most {simulations:,} simulations.")
    print("blocks  solved  optimal  actions  shortest  nodes  seconds")
    for blocks in range(3, len(BLOCKS) + 1):
        started = time.monotonic()
        found = [await search(blocks, seed, simulations) for seed in range(problems)]
        good = [one for one in found if one.solved]
        optimal = sum(one.actions == one.shortest for one in good)
        print(
            f"{blocks:6}  {len(good):>3}/{problems:<2}  {optimal:>4}/{problems:<2}"
            f"  {sum(one.actions for one in good):7}  {sum(one.shortest for one in good):8}"
            f"  {sum(one.nodes for one in found) // problems:5}  {time.monotonic() - started:7.1f}"
        )


async def compare(model: str | Model, blocks: int, problems: int) -> None:
    """Print how many problems a model solves by itself, with the validator, and how many the search solves."""
    counts = {"unaided": 0, "validator": 0, "search": 0}
    seconds = dict.fromkeys(counts, 0.0)
    for seed in range(problems):
        for way in counts:
            solving = Solving(*random_pair(blocks, seed))
            started = time.monotonic()
            if way == "unaided":
                result = await solving.unaided(model)
            elif way == "validator":
                result = await solving.validated(model)
            else:
                result = await solving.searched()
            counts[way] += solving.solved
            seconds[way] += time.monotonic() - started
            print(
                f"problem {seed}, {way}: {'solved' if solving.solved else result.error or 'not solved'}"[:160],
                flush=True,
            )
    print(f"{blocks} blocks: solved of {problems} problems, and seconds a problem")
    for way, count in counts.items():
        print(f"{way:10} {count}/{problems} {seconds[way] / problems:8.1f}")


def main() -> None:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(prog="python -m examples.blocksworld", description=__doc__)
    parser.add_argument("--problems", type=int, default=5, help="random problems each (default: %(default)s)")
    parser.add_argument("--simulations", type=int, default=1_000, help="of one search at most (default: %(default)s)")
    parser.add_argument("--model", help="a model id: compare the model by itself, with the validator, and the search")
    parser.add_argument("--blocks", type=int, default=3, help="with --model (default: %(default)s)")
    options = parser.parse_args()
    if options.model:
        asyncio.run(compare(options.model, options.blocks, options.problems))
    else:
        asyncio.run(table(options.problems, options.simulations))


if __name__ == "__main__":
    main()
