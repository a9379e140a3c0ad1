"""Random problems, and the length of their shortest plans."""

from __future__ import annotations

import heapq
import itertools
from random import Random

from agentkit.planners.strips import Problem, State
from examples.blocksworld.domain import Towers

BLOCKS = "abcdefgh"


def random_towers(blocks: str, random: Random) -> Towers:
    """Blocks in an arrangement at random: each is put on the table or on a tower that is there."""
    towers: list[list[str]] = []
    for block in random.sample(blocks, len(blocks)):
        place = random.randrange(len(towers) + 1)
        if place == len(towers):
            towers.append([block])
        else:
            towers[place].append(block)
    return tuple(sorted(tuple(tower) for tower in towers))


def random_pair(count: int, seed: int) -> tuple[Towers, Towers]:
    """A start and a different goal of `count` blocks, 2 to 8; the same for the same seed."""
    random = Random(f"{count}/{seed}")
    blocks = BLOCKS[:count]
    start = random_towers(blocks, random)
    while True:
        goal = random_towers(blocks, random)
        if goal != start:
            return start, goal


def shortest(problem: Problem, *, blind: bool = False) -> int:
    """The length of a shortest plan, by A* with a bound that never is too high.

    The bound: a block that has to move is taken and placed, two actions; the one in the hand is only placed. A block
    has to move if it, or a block below it, does not stand where the goal has it.

    Args:
        problem: Its goal says of every block what it stands on.
        blind: Search breadth first instead, which takes no bound and much longer.
    """
    operations = problem.operations()
    supports = {fact[1]: fact[2] if fact[0] == "on" else "" for fact in (one.fact for one in problem.goal)}
    count = itertools.count()
    best: dict[State, int] = {problem.init: 0}
    queue = [(0, next(count), problem.init)]
    while queue:
        _, _, state = heapq.heappop(queue)
        steps = best[state]
        if problem.reached(state):
            return steps
        for one in operations:
            if one.possible(state):
                after = one.after(state)
                if steps + 1 < best.get(after, steps + 2):
                    best[after] = steps + 1
                    bound = 0 if blind else least(after, supports)
                    heapq.heappush(queue, (steps + 1 + bound, next(count), after))
    raise ValueError(f"problem {problem.name!r} has no solution")


def least(state: State, supports: dict[str, str]) -> int:
    """Actions that are needed at least."""
    below = {fact[1]: fact[2] if fact[0] == "on" else "" for fact in state if fact[0] in ("on", "on-table")}
    held = next((fact[1] for fact in state if fact[0] == "holding"), "")
    good: dict[str, bool] = {"": True}

    def stays(block: str) -> bool:
        if block not in good:
            under = below.get(block)
            good[block] = under is not None and under == supports.get(block) and stays(under)
        return good[block]

    return sum(1 if block == held else 2 for block in supports if not stays(block))
