"""The blocks, as PDDL and as a table that tools really move them on.

Source: the four-operator domain of the International Planning Competition 2000 (Bacchus).
"""

from __future__ import annotations

import itertools

from agentkit import ModelRetry, tool
from agentkit.planners.pddl import read_domain
from agentkit.planners.strips import Condition, Fact, Problem, State
from agentkit.toolbox import Tool

PDDL = """\
(define (domain blocksworld)
  (:requirements :strips :typing)
  (:types block)
  (:predicates (on ?x ?y - block) (on-table ?x - block) (clear ?x - block) (handempty) (holding ?x - block))
  (:action pick-up
    :parameters (?block - block)
    :precondition (and (clear ?block) (on-table ?block) (handempty))
    :effect (and (holding ?block) (not (clear ?block)) (not (on-table ?block)) (not (handempty))))
  (:action put-down
    :parameters (?block - block)
    :precondition (holding ?block)
    :effect (and (clear ?block) (on-table ?block) (handempty) (not (holding ?block))))
  (:action stack
    :parameters (?block ?onto - block)
    :precondition (and (holding ?block) (clear ?onto))
    :effect (and (on ?block ?onto) (clear ?block) (handempty) (not (holding ?block)) (not (clear ?onto))))
  (:action unstack
    :parameters (?block ?off - block)
    :precondition (and (on ?block ?off) (clear ?block) (handempty))
    :effect (and (holding ?block) (clear ?off) (not (on ?block ?off)) (not (clear ?block)) (not (handempty)))))
"""
DOMAIN = read_domain(PDDL)

Towers = tuple[tuple[str, ...], ...]
"""Each tower from the bottom to the top."""


class Table:
    """A table with blocks and a hand; it refuses what cannot be done, whatever anybody has proved.

    Args:
        towers: What stands there.
    """

    def __init__(self, towers: Towers) -> None:
        self.towers: list[list[str]] = [list(tower) for tower in towers]
        self.hand = ""
        self.moves = 0

    def facts(self) -> State:
        """What is true of the table."""
        return facts_of(self.towers, self.hand)

    def take(self, block: str, off: str) -> str:
        """Take a block off another one, or off the table if `off` is empty.

        Raises:
            ModelRetry: It cannot be done; the message says why.
        """
        if self.hand:
            raise ModelRetry(f"the hand holds {self.hand!r}")
        tower = next((one for one in self.towers if one[-1] == block), None)
        if tower is None:
            raise ModelRetry(f"there is no block {block!r} with nothing on it")
        below = tower[-2] if len(tower) > 1 else ""
        if below != off:
            raise ModelRetry(f"{block!r} stands on {below or 'the table'!r}")
        tower.pop()
        self.towers = [one for one in self.towers if one]
        self.hand = block
        self.moves += 1
        return f"the hand holds {block}"

    def place(self, block: str, onto: str) -> str:
        """Place the block in the hand onto another one, or on the table if `onto` is empty.

        Raises:
            ModelRetry: It cannot be done; the message says why.
        """
        if self.hand != block:
            raise ModelRetry(f"the hand does not hold {block!r}")
        tower = next((one for one in self.towers if one[-1] == onto), None)
        if onto and tower is None:
            raise ModelRetry(f"there is no block {onto!r} with nothing on it")
        if tower is None:
            self.towers.append([block])
        else:
            tower.append(block)
        self.hand = ""
        self.moves += 1
        return f"{block} is on {onto or 'the table'}"

    def tools(self) -> list[Tool]:
        """The four actions. They are writes of the same table, so that they run in the order of the plan."""

        @tool(effect="write", resources="table", approval="auto", retries=0)
        async def pick_up(block: str) -> str:
            """Pick up a block that is on the table with nothing on it; the hand must be empty.

            Args:
                block: The block.
            """
            return self.take(block, "")

        @tool(effect="write", resources="table", approval="auto", retries=0)
        async def put_down(block: str) -> str:
            """Put the block that the hand holds down on the table.

            Args:
                block: The block.
            """
            return self.place(block, "")

        @tool(effect="write", resources="table", approval="auto", retries=0)
        async def stack(block: str, onto: str) -> str:
            """Stack the block that the hand holds onto a block with nothing on it.

            Args:
                block: The block in the hand.
                onto: The block that it goes onto.
            """
            return self.place(block, onto)

        @tool(effect="write", resources="table", approval="auto", retries=0)
        async def unstack(block: str, off: str) -> str:
            """Take a block with nothing on it off the block that it stands on; the hand must be empty.

            Args:
                block: The block.
                off: The block that it stands on.
            """
            return self.take(block, off)

        return [pick_up, put_down, stack, unstack]


def facts_of(towers: Towers | list[list[str]], hand: str = "") -> State:
    """The facts that describe towers and a hand."""
    facts: set[Fact] = {("holding", hand) if hand else ("handempty",)}
    for tower in towers:
        facts |= {("on-table", tower[0]), ("clear", tower[-1])}
        facts |= {("on", above, below) for below, above in itertools.pairwise(tower)}
    return frozenset(facts)


def problem_of(start: Towers, goal: Towers, name: str = "") -> Problem:
    """The problem of turning towers into others."""
    wanted = facts_of(goal)
    conditions = tuple(Condition(fact) for fact in sorted(wanted) if fact[0] in ("on", "on-table"))
    objects = dict.fromkeys(sorted(block for tower in start for block in tower), "block")
    return Problem(DOMAIN, objects, facts_of(start), conditions, name)


def words(towers: Towers) -> str:
    """Towers in words, for a task."""
    said = []
    for tower in sorted(towers):
        said.append(f"{tower[0]} on the table")
        said += [f"{above} on {below}" for below, above in itertools.pairwise(tower)]
    return ", ".join(said)
