"""A STRIPS domain as world model: exact predictions, and a heuristic of how far the goal is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from agentkit.errors import DefinitionError
from agentkit.ledger import call_key
from agentkit.plan import Call, Plan, Step
from agentkit.planners.strips import Fact, Operation, Problem, State, operation
from agentkit.planners.world import Line, Prediction, World
from agentkit.planning import PlanRequest
from agentkit.run import Run
from agentkit.spelling import read_python
from agentkit.toolbox import Toolbox

DISCOUNT = 0.95
"""What a state is worth for each step that it is away from the goal."""


class StripsWorld:
    """A problem of a STRIPS domain as world model; it asks no model.

    The tools are the actions of the same names. The value of a state is `DISCOUNT` to the power of the weighted length
    of a relaxed plan from there: one that reaches the goal if nothing ever became false (Hoffmann and Nebel, "The FF
    Planning System", 2001).

    Args:
        problem: The domain, the objects, the goal, and the state that plans start from.
        state: Gives the state now instead, for worlds that change. Without it, a new plan after a failure starts from
            the problem's state and what the run's finished calls have changed.
        weight: Of the heuristic. With 1 short plans count most, and hard problems need many simulations; with more the
            search heads for the goal, and what it finds first may be longer than needed.
        answer: The last line of each plan.

    Raises:
        DefinitionError: `weight` is not above 0.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        state: Callable[[], State] | None = None,
        weight: float = 3.0,
        answer: Line = 'answer("The goal is reached.")',
    ) -> None:
        if weight <= 0:
            raise DefinitionError(f"weight is {weight}; give more than 0")
        self.problem = problem
        self._state = state
        self._weight = weight
        self._answer = answer
        self._operations = problem.operations()

    def world(self, request: PlanRequest, run: Run) -> World:
        """The world of a request."""
        operations = [one for one in self._operations if one.action in request.toolbox]
        now = self._after(request) if self._state is None else self._state()
        return _SimulatedWorld(self.problem, operations, now, self._answer, self._weight, request)

    def _after(self, request: PlanRequest) -> State:
        """The problem's state after what the run has done."""
        state, actions = self.problem.init, self.problem.domain.actions
        for call in request.done:
            action = actions.get(call.tool)
            if action is not None:
                args = {name: str(call.args[name]) for name in action.parameters if name in call.args}
                state = operation(action, args).after(state)
        return state


class _SimulatedWorld:
    """A world that is computed."""

    def __init__(
        self,
        problem: Problem,
        operations: Sequence[Operation],
        now: State,
        answer: Line,
        weight: float,
        request: PlanRequest,
    ) -> None:
        self._problem = problem
        self._operations = {_line(one): one for one in operations}
        self._now = now
        self._answer = answer
        self._weight = weight
        self._request = request
        self._relaxed = Relaxed(problem, operations)

    async def start(self) -> Hashable:
        """What is true now."""
        return self._now

    async def actions(self, state: Hashable) -> Sequence[Line]:
        """The actions whose preconditions hold."""
        facts = _facts(state)
        return [line for line, one in self._operations.items() if one.possible(facts)]

    async def predict(self, state: Hashable, action: Line) -> Prediction:
        """The state after an action."""
        return Prediction(self._operations[action].after(_facts(state)))

    async def done(self, state: Hashable) -> bool:
        """Whether the goal holds."""
        return self._problem.reached(_facts(state))

    async def value(self, state: Hashable) -> float:
        """`DISCOUNT` to the power of the weighted steps of a relaxed plan; 0 if there is none."""
        return float(DISCOUNT ** (self._weight * self._relaxed.steps(_facts(state))))

    def plan(self, actions: Sequence[Line]) -> Plan:
        """The calls, and the answer. A call that the run has done before is meant to be done again."""
        toolbox = self._request.toolbox
        plan = read_python("\n".join((*actions, self._answer)), toolbox, given=tuple(self._request.given))
        done = {call_key(one.tool, one.args, toolbox.get(one.tool)) for one in self._request.done}
        repeated = [_key(self._operations[line], toolbox) in done for line in actions]
        steps: tuple[Step, ...] = tuple(
            replace(step, again=True) if isinstance(step, Call) and again else step
            for step, again in zip(plan.steps, [*repeated, *[False] * (len(plan.steps) - len(repeated))], strict=True)
        )
        return replace(plan, steps=steps, goal=self._request.task, inputs=self._request.inputs)


class Relaxed:
    """Estimates the steps to the goal by a plan in which nothing becomes false.

    Args:
        problem: The problem.
        operations: What can be done.
    """

    def __init__(self, problem: Problem, operations: Sequence[Operation]) -> None:
        self._goal = [one.fact for one in problem.goal if one.holds]
        self._unwanted = [one.fact for one in problem.goal if not one.holds]
        self._rows = [(tuple(one.fact for one in op.preconditions if one.holds), op) for op in operations]
        self._known: dict[State, float] = {}

    def steps(self, state: State) -> float:
        """Steps of a relaxed plan, infinite if there is none; at least 1 while something unwanted is true."""
        if state not in self._known:
            relaxed = self._estimate(state)
            unwanted = any(fact in state for fact in self._unwanted)
            self._known[state] = max(relaxed, 1.0) if unwanted else relaxed
        return self._known[state]

    def _estimate(self, state: State) -> float:
        cost: dict[Fact, float] = dict.fromkeys(state, 0.0)
        best: dict[Fact, int] = {}
        changed = True
        while changed:
            changed = False
            for number, (needs, op) in enumerate(self._rows):
                total = 1.0
                for fact in needs:
                    total += cost.get(fact, math.inf)
                if total == math.inf:
                    continue
                for fact in op.adds:
                    if total < cost.get(fact, math.inf):
                        cost[fact], best[fact], changed = total, number, True
        if any(fact not in cost for fact in self._goal):
            return math.inf
        return float(len(self._plan(best)))

    def _plan(self, best: dict[Fact, int]) -> set[int]:
        """The operations of a relaxed plan: the best one for each fact that is needed and not yet true."""
        used: set[int] = set()
        waiting = [fact for fact in self._goal if fact in best]
        while waiting:
            number = best[waiting.pop()]
            if number not in used:
                used.add(number)
                waiting.extend(fact for fact in self._rows[number][0] if fact in best)
        return used


def _line(done: Operation) -> Line:
    args = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in done.args.items())
    return f"{done.action}({args})"


def _key(done: Operation, toolbox: Toolbox) -> str:
    return call_key(done.action, done.args, toolbox.get(done.action))


def _facts(state: Hashable) -> State:
    if not isinstance(state, frozenset):
        raise TypeError(f"{state!r} is no state of this world; a state is a frozenset of facts")
    return state
