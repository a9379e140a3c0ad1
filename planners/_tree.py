"""The tree of a search, and one search over it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from random import Random

from agentkit.limits import LimitReached
from agentkit.messages import Json
from agentkit.planners.world import Line, World

Value = Callable[[Sequence[Line], Hashable], Awaitable[float]]
"""How promising a state is, from 0 to 1, and the steps to it."""

Accepts = Callable[[Sequence[Line]], bool]
"""Whether a whole plan can be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to search; see `TreeSearch`."""

    simulations: int
    depth: int
    exploration: float
    discount: float
    enough: int
    backup: str
    fallbacks: int


@dataclass(slots=True, eq=False)
class Node:
    """A state, and the step that led to it.

    Values are those of what follows the node, so that a node can be hung somewhere else as it is.

    Attributes:
        state: The predicted state.
        action: The step that led here.
        parent: Where from; None at the root.
        reward: Of that step.
        value: Of the state itself.
        ended: A plan ends here.
        untried: Steps that nothing has been predicted of yet; None before the first visit.
        children: The states after it.
        visits: Simulations that went through.
        total: The sum of what they found.
        best: The most that can be had below, among what is still open.
        closed: There is nothing more to find below.
    """

    state: Hashable
    action: Line = ""
    parent: Node | None = None
    reward: float = 0.0
    value: float = 0.0
    ended: bool = False
    untried: list[Line] | None = None
    children: list[Node] = field(default_factory=list)
    visits: int = 0
    total: float = 0.0
    best: float = 0.0
    closed: bool = False

    def path(self) -> list[Node]:
        """The nodes from the root's child to this one."""
        found, node = [], self
        while node.parent is not None:
            found.append(node)
            node = node.parent
        return found[::-1]

    def lines(self) -> tuple[Line, ...]:
        """The steps that lead here."""
        return tuple(node.action for node in self.path())


@dataclass(slots=True)
class Search:
    """One search.

    Attributes:
        world: Predicts.
        settings: How to search.
        random: Breaks ties.
        value: Values states that are not yet known.
        accepts: Sorts out whole plans that cannot be used.
        skip: Steps not to begin with.
        root: The tree.
        on_time: Raises `LimitReached` when the run's time is over.
        found: Whole plans that can be used.
        refused: Whole plans that cannot.
        nodes: States predicted.
        simulations: How often the tree was gone through.
        ended: Why the search ended.
    """

    world: World
    settings: Settings
    random: Random
    value: Value
    accepts: Accepts
    skip: frozenset[Line]
    root: Node
    on_time: Callable[[], None]
    found: list[Node] = field(default_factory=list)
    refused: list[Node] = field(default_factory=list)
    nodes: int = 0
    simulations: int = 0
    ended: str = ""
    seen: dict[Hashable, Node] = field(default_factory=dict)

    async def run(self) -> None:
        """Search until there are enough plans, or nothing is left: simulations, states, or the run's limits.

        Raises:
            LimitReached: A limit of the run is used up and there is no whole plan yet.
        """
        self.seen[self.root.state] = self.root
        self.ended = "simulations"
        try:
            if await self.world.done(self.root.state):
                self.end(self.root)
            while self.simulations < self.settings.simulations and not self.root.closed:
                self.on_time()
                await asyncio.sleep(0)  # a world that is computed gives nobody else a turn
                await self.simulate()
                if len(self.found) >= self.settings.enough:
                    self.ended = "enough plans"
                    return
        except LimitReached as limit:
            if not self.found:
                raise
            self.ended = str(limit)
        else:
            if self.root.closed:
                self.ended = "nothing left"

    async def simulate(self) -> None:
        """Go down to a state with untried steps, predict one of them, and take its value up again."""
        node = self.root
        while not node.closed:
            if node.untried is None:
                node.untried = await self.steps_of(node)
            if node.untried:
                self.simulations += 1
                child = await self.expand(node, node.untried.pop())
                self.take_up(node if child is None else child, 0.0 if child is None else child.value)
                return
            open_ones = [child for child in node.children if not child.closed]
            if open_ones:
                node = max(open_ones, key=self.bound)
            else:
                node.closed = True
                self.refresh(node)

    async def steps_of(self, node: Node) -> list[Line]:
        """The steps to try from a state, the first one to try last; none where nothing better can come."""
        path = node.path()
        if len(path) >= self.settings.depth or self.hopeless(node):
            return []
        steps = [step for step in await self.world.actions(node.state) if path or step not in self.skip]
        return steps[::-1]

    def hopeless(self, node: Node) -> bool:
        """Whether no plan through this state can be better than one that is found."""
        if not self.found:
            return False
        most = self.worth(node, self.settings.discount)
        best = max(self.worth(one, one.value) for one in self.found)
        return most < best or (most == best and len(self.found) > self.settings.fallbacks)

    async def expand(self, node: Node, action: Line) -> Node | None:
        """The state after a step; None if it is one that is reached as fast another way."""
        predicted = await self.world.predict(node.state, action)
        self.nodes += 1
        reward = min(predicted.reward, 0.0)
        known = self.seen.get(predicted.state)
        if known is not None:
            if len(known.path()) <= len(node.path()) + 1:
                return None
            if not known.closed or known.ended:
                self.hang(known, node, action, reward)
                return known
        child = Node(predicted.state, action, node, reward)
        self.seen[predicted.state] = child
        node.children.append(child)
        ended = await self.world.done(child.state)
        child.value = child.best = min(max(await self.value(child.lines(), child.state), 0.0), 1.0)
        if ended:
            self.end(child)
        return child

    def hang(self, known: Node, node: Node, action: Line, reward: float) -> None:
        """Hang a state, with all below it, where a shorter way leads to it."""
        if known.parent is not None:
            known.parent.children.remove(known)
            self.refresh(known.parent)
        known.parent, known.action, known.reward = node, action, reward
        node.children.append(known)

    def end(self, node: Node) -> None:
        """A plan ends here."""
        node.ended = node.closed = True
        (self.found if self.accepts(node.lines()) else self.refused).append(node)

    def take_up(self, node: Node, value: float) -> None:
        """Tell a node and all above it what a simulation found."""
        at: Node | None = node
        while at is not None:
            at.visits += 1
            at.total += value
            value = at.reward + self.settings.discount * value
            at = at.parent
        self.refresh(node)

    def refresh(self, node: Node) -> None:
        """Work out the best that is open, here and above."""
        at: Node | None = node
        while at is not None:
            if at.children or at.untried == []:
                at.best = max((self.after(child) for child in at.children if not child.closed), default=0.0)
            at = at.parent

    def after(self, child: Node) -> float:
        """What a step is worth, with the best or with the mean of what follows."""
        mean = self.settings.backup == "mean" and child.visits
        return child.reward + self.settings.discount * (child.total / child.visits if mean else child.best)

    def bound(self, child: Node) -> float:
        """The upper confidence bound of a step.

        Source: Kocsis and Szepesvári, "Bandit Based Monte-Carlo Planning" (UCT), 2006; with the best value for the mean
        and the bias scaled by the parent's value: Keller and Helmert, "Trial-Based Heuristic Tree Search for
        Finite-Horizon MDPs", 2013.
        """
        parent = child.parent or self.root
        if not child.visits:
            return math.inf
        bias = math.sqrt(math.log(max(parent.visits, 1)) / child.visits)
        return self.after(child) + self.settings.exploration * parent.best * bias + self.random.random() * 1e-9

    def worth(self, node: Node, value: float) -> float:
        """What a plan to a node is worth from the root: rewards, and the value of its end, later ones less."""
        total, factor = 0.0, 1.0
        for one in node.path():
            total += factor * one.reward
            factor *= self.settings.discount
        return total + factor * value

    def ranked(self) -> list[Node]:
        """The whole plans, the best first; those that cannot be used if there is no other."""
        return sorted(self.found or self.refused, key=lambda one: -self.worth(one, one.value))

    def told(self) -> dict[str, Json]:
        """What the search did, as data."""
        ranked = self.ranked()
        first = sorted(self.root.children, key=lambda child: -child.visits)
        steps: list[Json] = [
            {"step": child.action, "visits": child.visits, "value": round(child.total / max(child.visits, 1), 4)}
            for child in first
        ]
        return {
            "simulations": self.simulations,
            "nodes": self.nodes,
            "plans": len(self.found),
            "value": round(self.worth(ranked[0], ranked[0].value), 4) if ranked else None,
            "deepest": max((len(node.path()) for node in self.seen.values()), default=0),
            "ended": self.ended,
            "steps": steps,
        }
