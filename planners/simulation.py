"""A validator that simulates plans in a STRIPS domain: which call is impossible, why, and what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from agentkit.certificate import Certificate
from agentkit.diagnostics import Code, Diagnostic
from agentkit.expressions import Expr
from agentkit.messages import Json
from agentkit.plan import Block, Call, ForEach, If, Parallel, Plan, Repeat, Step, Subgoal, Value, blocks, walk
from agentkit.planners._belief import Belief, changed_by
from agentkit.planners.strips import Action, Condition, Operation, Problem, State, operation, written
from agentkit.validators import known_value

MOST_PROBLEMS = 10
"""Problems that are reported of one plan at most."""

MOST_OPERATIONS = 10_000
"""Calls that are simulated of one plan at most, those of unrolled loops counted each."""

_Path: TypeAlias = tuple[str | int, ...]
_Known: TypeAlias = Mapping[str, Json]


class StripsValidator:
    """Refuses plans with a call whose preconditions do not hold, and plans that do not reach the goal.

    A call of a tool that has the name of an action is that action. The tools should be writes of one resource, so that
    they run in the order of the plan. A plan without an answer is one turn of a longer run: it need not reach the goal.

    Loops over known lists are unrolled, and conditions that are known are followed. What only running can tell
    (arguments that are results, branches, the number of rounds, subgoals) is a warning, and what it may change is taken
    as unknown from there on. After an error the simulation goes on as if the call had been possible.

    Args:
        problem: The domain, the objects, the goal, and the state that plans start from.
        state: Gives the state that a plan starts from instead, for worlds that change: it is called for each plan, so
            that a plan made after a failure is judged from what is really there.
    """

    def __init__(self, problem: Problem, *, state: Callable[[], State] | None = None) -> None:
        self._problem = problem
        self._state = state
        self._operations = problem.operations()

    def __call__(self, plan: Plan, certificate: Certificate) -> Iterable[Diagnostic]:
        """The problems of a plan."""
        start = self._problem.init if self._state is None else self._state()
        simulation = _Simulation(self._problem, self._operations)
        belief = simulation.block(plan.steps, {}, Belief.of(start), ())
        if plan.answer is not None:
            simulation.end(plan, belief)
        return simulation.found[:MOST_PROBLEMS]


@dataclass(slots=True)
class _Simulation:
    """One plan being simulated."""

    problem: Problem
    operations: tuple[Operation, ...]
    found: list[Diagnostic] = field(default_factory=list)
    left: int = MOST_OPERATIONS

    def block(self, steps: Block, known: _Known, belief: Belief, path: _Path) -> Belief:
        """The belief after some steps; names whose values are known are in `known`."""
        values = dict(known)
        for step in steps:
            values.pop(step.id, None)
            if isinstance(step, Value):
                value = known_value(step.value, values)
                if value is not None:
                    values[step.id] = value[0]
            else:
                belief = self.step(step, values, belief, (*path, step.id))
        return belief

    def step(self, step: Step, known: _Known, belief: Belief, path: _Path) -> Belief:
        """The belief after a step."""
        match step:
            case Call() if step.tool in self.problem.domain.actions:
                return self.call(step, known, belief, path)
            case If():
                return self.branches(step, known, belief, path)
            case ForEach():
                items = known_value(step.source, known)
                if items is not None and isinstance(items[0], list):
                    return self.rounds(step, [{**known, step.item: item} for item in items[0]], belief, path)
                return self.again_and_again(step, _without(known, [step.item]), belief, path)
            case Repeat(until=None, while_=None, max_iterations=int(count)):
                return self.rounds(step, [_without(known, step.state)] * count, belief, path)
            case Repeat():
                return self.again_and_again(step, _without(known, step.state), belief, path)
            case Parallel():
                return self.at_once(step, known, belief, path)
            case Subgoal():
                return self.unknown(step, self.problem.domain.actions, belief, path, "what a subgoal does")
            case _:
                return belief

    def call(self, step: Call, known: _Known, belief: Belief, path: _Path) -> Belief:
        """The belief after a call of an action."""
        self.left -= 1
        action = self.problem.domain.actions[step.tool]
        args = self.arguments(step, action, known, path)
        if args is None:
            return belief
        if len(args) < len(action.parameters):
            missing = ", ".join(repr(name) for name in action.parameters if name not in args)
            return self.unknown(step, [action.name], belief, path, f"{missing} of {step.tool!r}")
        done = operation(action, args)
        failed = [one for one in done.preconditions if belief.met(one) is False]
        tolerated = step.on_error != "fail"
        if failed:
            self.impossible(step, done, failed, belief, path, tolerated=tolerated)
            if tolerated:
                return belief
        open_ones = [one for one in done.preconditions if belief.met(one) is None]
        if open_ones and not failed:
            self.warn(step, path, f"whether {_all(open_ones)} before {done} is known only when it runs.")
        after = self.after(step, done, belief)
        return after.join(belief) if open_ones and tolerated else after

    def after(self, step: Call, done: Operation, belief: Belief) -> Belief:
        """The belief after an operation that was possible."""
        after = belief.copy()
        by = f"{done} at line {step.line}" if step.line is not None else f"{done}"
        for condition in done.preconditions:
            after.set(condition, by)
        for fact in done.deletes:
            after.set(Condition(fact, holds=False), by)
        for fact in done.adds:
            after.set(Condition(fact), by)
        return after

    def arguments(self, step: Call, action: Action, known: _Known, path: _Path) -> dict[str, str] | None:
        """The objects of a call, as far as they are known; None if one is no object of its type."""
        found: dict[str, str] = {}
        good = True
        for name, kind in action.parameters.items():
            expr: Expr | None = step.args.get(name)
            value = None if expr is None else known_value(expr, known)
            if value is None:
                continue
            found[name] = str(value[0])
            objects = self.problem.of_type(kind)
            if found[name] not in objects:
                good = False
                self.error(
                    step,
                    (*path, "args", name),
                    f"{step.tool!r} needs a {kind}, and {value[0]!r} is none.",
                    expected=f"one of {', '.join(objects[:20])}" if objects else "",
                )
        return found if good else None

    def impossible(
        self, step: Call, done: Operation, failed: list[Condition], belief: Belief, path: _Path, *, tolerated: bool
    ) -> None:
        """Say which preconditions fail, why, and what would make them hold."""
        reasons = "; ".join(_reason(condition, belief) for condition in failed)
        message = f"{done} is impossible here: {reasons}."
        if tolerated:
            self.warn(step, path, message)
            return
        self.error(step, path, message, expected=_both(failed), suggestion=self.remedy(failed, belief))

    def remedy(self, failed: list[Condition], belief: Belief) -> str:
        """What can be done here that makes the first failed condition hold."""
        condition = failed[0]
        makers = [one for one in self.operations if condition.fact in (one.adds if condition.holds else one.deletes)]
        now = [one for one in makers if all(belief.met(need) for need in one.preconditions)]
        if now:
            return f"Before it, {' or '.join(str(one) for one in now[:3])} would make it so."
        names = list(dict.fromkeys(one.action for one in makers))
        return f"It is made so by {' or '.join(names)}." if names else "Nothing makes it so: leave this call out."

    def branches(self, step: If, known: _Known, belief: Belief, path: _Path) -> Belief:
        """The belief after a condition: after the branch that is taken, or after either."""
        condition = known_value(step.condition, known)
        if condition is not None:
            return self.block(step.then if condition[0] else step.otherwise, known, belief, path)
        one = self.block(step.then, known, belief.copy(), path)
        return one.join(self.block(step.otherwise, known, belief.copy(), path))

    def rounds(self, step: ForEach | Repeat, each: list[_Known], belief: Belief, path: _Path) -> Belief:
        """The belief after a loop whose rounds are known."""
        if not self.actions_in(step):
            return belief
        for number, known in enumerate(each):
            if self.left <= 0:
                return self.unknown(step, self.actions_in(step), belief, path, f"what round {number} and later ones do")
            belief = self.block(step.do, known, belief, (*path, number))
        return belief

    def again_and_again(self, step: ForEach | Repeat, known: _Known, belief: Belief, path: _Path) -> Belief:
        """The belief after any number of rounds."""
        if not self.actions_in(step):
            return belief
        said, rounds = len(self.found), 0
        while True:
            after = self.block(step.do, known, belief.copy(), path)
            joined = belief.join(after)
            if joined.says_the_same(belief):
                return belief
            del self.found[said:]
            rounds += 1
            belief = joined
            if self.left <= 0 or rounds > len(self.operations):
                return self.unknown(step, self.actions_in(step), belief, path, "what this loop does")

    def at_once(self, step: Parallel, known: _Known, belief: Belief, path: _Path) -> Belief:
        """The belief after branches that run at once."""
        acting = [(name, block) for name, block in step.branches.items() if self.actions_of(block)]
        if len(acting) > 1:
            actions = self.actions_in(step)
            return self.unknown(step, actions, belief, path, f"the order of {' and '.join(sorted(actions))}")
        for name, block in acting:
            belief = self.block(block, known, belief, (*path, "branches", name))
        return belief

    def unknown(self, step: Step, actions: Iterable[str], belief: Belief, path: _Path, what: str) -> Belief:
        """Say that something is known only when it runs, and forget what it may change."""
        predicates = changed_by(self.problem.domain, actions)
        self.warn(
            step,
            path,
            f"{what} is known only when it runs, so that from here on these facts are not known: "
            f"{', '.join(sorted(predicates))}.",
        )
        after = belief.copy()
        after.blur(predicates)
        return after

    def actions_in(self, step: Step) -> set[str]:
        """The actions that a compound step may do."""
        return {name for _, block in blocks(step) for name in self.actions_of(block)}

    def actions_of(self, block: Block) -> set[str]:
        """The actions that a block may do."""
        actions = self.problem.domain.actions
        found = {step.tool for step in walk(block) if isinstance(step, Call) and step.tool in actions}
        return set(actions) if any(isinstance(step, Subgoal) for step in walk(block)) else found

    def end(self, plan: Plan, belief: Belief) -> None:
        """Say what of the goal does not hold at the end."""
        failed = [one for one in self.problem.goal if belief.met(one) is False]
        if failed:
            reasons = "; ".join(_reason(condition, belief) for condition in failed)
            self.found.append(
                Diagnostic(
                    Code.VALIDATOR,
                    ("answer",),
                    f"the goal is not reached at the end of the plan: {reasons}.",
                    expected=_both(failed),
                    suggestion=self.remedy(failed, belief),
                    line=plan.answer_line,
                )
            )
        open_ones = [one for one in self.problem.goal if belief.met(one) is None]
        if open_ones and not failed:
            message = f"whether {_all(open_ones)} at the end is known only when it runs."
            self.found.append(
                Diagnostic(Code.VALIDATOR, ("answer",), message, severity="warning", line=plan.answer_line)
            )

    def error(self, step: Step, path: _Path, message: str, *, expected: str = "", suggestion: str = "") -> None:
        """Report a call that cannot be done."""
        self.found.append(Diagnostic(Code.VALIDATOR, path, message, expected, suggestion, line=step.line))

    def warn(self, step: Step, path: _Path, message: str) -> None:
        """Report what cannot be known."""
        self.found.append(Diagnostic(Code.VALIDATOR, path, message, severity="warning", line=step.line))


def _without(known: _Known, names: Iterable[str]) -> dict[str, Json]:
    hidden = set(names)
    return {name: value for name, value in known.items() if name not in hidden}


def _both(conditions: Iterable[Condition]) -> str:
    return " and ".join(str(condition) for condition in conditions)


def _all(conditions: Sequence[Condition]) -> str:
    """Conditions as a clause: ``clear(b) and handempty hold``."""
    return f"{_both(conditions)} hold{'s' if len(conditions) == 1 else ''}"


def _reason(condition: Condition, belief: Belief) -> str:
    """Why a condition does not hold, and what is true instead."""
    fact = condition.fact
    if not condition.holds:
        return f"{written(fact)} holds"
    why = f" since {belief.since[fact]}" if fact in belief.since else ""
    others = [written(one) for one in belief.about(fact[1:])[:6]]
    instead = f" (true instead: {', '.join(others)})" if others else ""
    return f"{written(fact)} does not hold{why}{instead}"
