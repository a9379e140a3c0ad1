"""The checker's walk over steps: scopes, references, types, arguments, policy, and control flow."""

from __future__ import annotations

from agentkit._checker_calls import CallChecker
from agentkit._checker_ids import check_ids
from agentkit._checker_names import Names
from agentkit._checker_report import Findings, Path, some
from agentkit._checker_schemas import plan_schema_problems
from agentkit._checker_usage import unused_steps
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import ExpressionError
from agentkit.expressions import evaluate, type_expression
from agentkit.expressions.nodes import Apply, Expr, Literal, Name, names
from agentkit.limits import Limits
from agentkit.plan import (
    Ask,
    Block,
    Call,
    ForEach,
    Generate,
    If,
    JsonSchema,
    Parallel,
    Plan,
    Repeat,
    Step,
    Subgoal,
    Unreadable,
    Value,
)
from agentkit.policy import Policy
from agentkit.schedule import Schedule
from agentkit.toolbox import Toolbox
from agentkit.types import (
    ANY,
    BOOLEAN,
    NEVER,
    NULL,
    STRING,
    ArrayType,
    Flow,
    Found,
    ObjectType,
    Type,
    flows,
    from_schema,
    item_type,
    join,
    type_of_value,
    widen,
)

Scope = dict[str, Type]

MAX_NESTED_REPEATS = 3
"""State types are inferred by checking a loop's block twice; deeper loops take `ANY` instead of doubling the work."""


class StepChecker:
    """One check of one plan.

    Attributes:
        findings: What is wrong.
        lengths: The greatest length of each loop's list, where it is known.
        types: The types of all steps.
    """

    def __init__(self, toolbox: Toolbox, policy: Policy, limits: Limits, *, approver: bool) -> None:
        self.toolbox = toolbox
        self.limits = limits
        self.findings = Findings()
        self.lengths: dict[str, int | None] = {}
        self.types: Scope = {}
        self._names = Names(())
        self._repeats = 0
        self._approver = approver
        self._calls = CallChecker(toolbox, policy, self.findings, approver=approver)

    def check_plan(
        self, plan: Plan, order: Schedule, scope: Scope, *, partial: bool, answer: Type | None = None
    ) -> None:
        """Check every step of `plan`, scheduled as `order`, and its answer; steps are added to the names of `scope`.

        Where a type is given for the answer, it must be able to have it.
        """
        self._names = Names(plan.steps)
        check_ids(plan, self.findings)
        for name, schema in plan.inputs.items():
            self._schema(schema, ("inputs", name))
        self._steps(plan.steps, scope, ())
        self.findings.line = plan.answer_line
        if plan.answer is not None:
            kind = self._type(plan.answer, scope, ("answer",))
            if answer is not None:
                self.findings.flow(plan.answer, kind, answer, ("answer",))
        elif not partial and not plan.problems:
            self.findings.report(
                Code.NO_ANSWER,
                ("answer",),
                "the plan does not say what its answer is.",
                suggestion="End with answer(...).",
            )
        self.findings.line = None
        if not any(one.severity == "error" for one in self.findings.diagnostics):
            self._check_unused(plan, order, partial=partial)

    # steps

    def _steps(self, block: Block, scope: Scope, path: Path) -> Type:
        """Check a block, adding its steps to `scope`; the type of its last step."""
        result: Type = NULL
        for step in block:
            self.findings.line = step.line
            self._names.at = step.id
            result = self._step(step, scope, (*path, step.id))
            scope[step.id] = result
            self.types[step.id] = result
        return result

    def _block(self, block: Block, scope: Scope, path: Path) -> Type:
        if not block:
            self.findings.report(Code.EMPTY_BLOCK, path, "the block has no steps.")
            return ANY
        return self._steps(block, dict(scope), path)

    def _step(self, step: Step, scope: Scope, path: Path) -> Type:
        match step:
            case Call():
                return self._call(step, scope, path)
            case Value(value=value):
                return self._type(value, scope, path)
            case If():
                return self._if(step, scope, path)
            case ForEach():
                return self._for_each(step, scope, path)
            case Repeat():
                return self._repeat(step, scope, path)
            case Parallel(branches=branches):
                if not branches:
                    self.findings.report(Code.EMPTY_BLOCK, path, "parallel has no branches.")
                fields = tuple(
                    (name, self._block(block, scope, (*path, name)), True) for name, block in branches.items()
                )
                return ObjectType(fields, None)
            case Generate(prompt=text, schema=schema) | Ask(question=text, schema=schema):
                self._text(text, scope, path)
                if isinstance(step, Ask) and not self._approver:
                    self.findings.report(
                        Code.NO_APPROVER,
                        path,
                        "the plan asks a person and nobody can be asked.",
                        suggestion="Reach the goal without it, or run with a person.",
                    )
                return STRING if schema is None else self._schema(schema, (*path, "schema"))
            case Subgoal():
                self._text(step.goal, scope, path)
                for name, value in step.inputs.items():
                    self._type(value, scope, (*path, "inputs", name))
                return ANY if step.schema is None else self._schema(step.schema, (*path, "schema"))
            case Unreadable():
                return ANY

    def _schema(self, schema: JsonSchema, path: Path) -> Type:
        problems = plan_schema_problems(schema)
        for problem in problems:
            self.findings.report(
                Code.SHAPE,
                path,
                f"the schema cannot be used: {problem}.",
                suggestion="Write a JSON Schema (Draft 2020-12) that stands on its own, or leave it out.",
            )
        return ANY if problems else from_schema(schema)

    def _call(self, step: Call, scope: Scope, path: Path) -> Type:
        given = {name: self._type(value, scope, (*path, "args", name)) for name, value in step.args.items()}
        fallback = None if step.fallback is None else self._type(step.fallback, scope, (*path, "fallback"))
        return self._calls.check(step, given, fallback, path)

    def _if(self, step: If, scope: Scope, path: Path) -> Type:
        self._condition(step.condition, scope, (*path, "condition"))
        if isinstance(step.condition, Literal) and isinstance(step.condition.value, bool):
            dead = "else" if step.condition.value else "then"
            if dead == "then" or step.otherwise:
                self.findings.report(
                    Code.UNREACHABLE, (*path, dead), f"the {dead} branch can never run.", severity="warning"
                )
        then = self._block(step.then, scope, (*path, "then"))
        otherwise = self._block(step.otherwise, scope, (*path, "else")) if step.otherwise else NULL
        return join((then, otherwise))

    def _for_each(self, step: ForEach, scope: Scope, path: Path) -> Type:
        source = self._constant(step.source) or self._type(step.source, scope, (*path, "in"))
        if flows(source, ArrayType(ANY)) is Flow.NO:
            self.findings.report(
                Code.NOT_ITERABLE,
                (*path, "in"),
                f"{source} is not a list.",
                expected="a list",
                suggestion=_unmarked(step.source) or "Loop over a list field of it, or over [x] for a single value.",
            )
            item: Type = ANY
        else:
            found = item_type(source)
            item = found.type if isinstance(found, Found) else ANY
        length = source.max_items if isinstance(source, ArrayType) else None
        if not self.findings.silent:
            self.lengths[step.id] = length
        if length == 0:
            self.findings.report(
                Code.UNREACHABLE, (*path, "do"), "the list is empty, so this never runs.", severity="warning"
            )
        if step.concurrency is not None and step.concurrency < 1:
            self.findings.report(
                Code.OUT_OF_RANGE,
                (*path, "concurrency"),
                f"concurrency is {step.concurrency}.",
                expected="1 or more",
            )
        value = self._block(step.do, {**scope, step.item: ANY if item is NEVER else item}, (*path, "do"))
        least = source.min_items if isinstance(source, ArrayType) else 0
        return ArrayType(value, min_items=least, max_items=length)

    def _repeat(self, step: Repeat, scope: Scope, path: Path) -> Type:
        self._check_bound(step, path)
        first = {name: self._type(value, scope, (*path, "state", name)) for name, value in step.state.items()}
        for name in step.next:
            if name not in step.state:
                self.findings.report(
                    Code.UNKNOWN_NAME,
                    (*path, "next", name),
                    f"{name!r} is not a state name of this loop.",
                    expected=f"one of: {some(list(step.state))}" if step.state else "no next without state",
                )
        state = self._state_types(step, scope, first, path)
        self._repeats += 1
        inner = {**scope, **state}
        if step.while_ is not None:
            self._condition(step.while_, inner, (*path, "while"))
        if not step.do:
            self.findings.report(Code.EMPTY_BLOCK, (*path, "do"), "the block has no steps.")
        value = self._steps(step.do, inner, (*path, "do"))
        if step.until is not None:
            self._condition(step.until, inner, (*path, "until"))
        for name, expr in step.next.items():
            self._type(expr, inner, (*path, "next", name))
        self._repeats -= 1
        if step.state:
            return ObjectType(tuple((name, kind, True) for name, kind in state.items()), None)
        runs_once = step.while_ is None and step.max_iterations != 0
        return value if runs_once else join((value, NULL))

    def _check_bound(self, step: Repeat, path: Path) -> None:
        allowed = self.limits.loop_iterations
        if step.max_iterations is None:
            if step.until is None and step.while_ is None:
                self.findings.report(
                    Code.UNBOUNDED_LOOP,
                    path,
                    "the loop has neither a condition nor a bound.",
                    suggestion="Give max_iterations, or a condition that ends it.",
                )
            else:
                self.findings.report(
                    Code.UNBOUNDED_LOOP,
                    path,
                    f"the loop names no bound: the run stops if it goes on after {allowed} rounds.",
                    suggestion="Write for _ in range(n) with break to choose one.",
                    severity="warning",
                )
        elif not 0 < step.max_iterations <= allowed:
            self.findings.report(
                Code.UNBOUNDED_LOOP,
                (*path, "max_iterations"),
                f"the loop's bound is {step.max_iterations}.",
                expected=f"1 to {allowed}",
            )

    def _state_types(self, step: Repeat, scope: Scope, first: Scope, path: Path) -> Scope:
        """The types that state names can have in any round: a fixed point, or `ANY` where none is found soon."""
        state = {name: widen(kind) for name, kind in first.items()}
        if not step.next or not state:
            return state
        if self._repeats >= MAX_NESTED_REPEATS:
            return dict.fromkeys(state, ANY)
        for _ in range(2):
            after = self._next_types(step, scope, state, path)
            grown = {name: join((kind, widen(after.get(name, kind)))) for name, kind in state.items()}
            if grown == state:
                return state
            state = grown
        return {name: kind if flows(after.get(name, kind), kind) is Flow.YES else ANY for name, kind in state.items()}

    def _next_types(self, step: Repeat, scope: Scope, state: Scope, path: Path) -> Scope:
        """The types of `next` under given state types, checked silently."""
        silent, self.findings.silent = self.findings.silent, True
        self._repeats += 1
        inner = {**scope, **state}
        mark = self._names.at
        self._steps(step.do, inner, path)
        after = {name: self._type(expr, inner, path) for name, expr in step.next.items() if name in state}
        self._names.at = mark
        self._repeats -= 1
        self.findings.silent = silent
        return after

    # expressions

    def _type(self, expr: Expr, scope: Scope, path: Path) -> Type:
        if type(expr) is Name:
            known = scope.get(expr.id)
            if known is not None:
                return known

        def unknown(name: str) -> Diagnostic | None:
            return self._names.diagnose(name, scope, path, self.toolbox)

        return type_expression(expr, scope, self.findings.add, path, unknown)

    def _constant(self, expr: Expr) -> Type | None:
        """The exact type of a list that refers to nothing, such as ``range(10)``; None if it is not known so."""
        if not isinstance(expr, Apply) or names(expr):
            return None
        try:
            return type_of_value(evaluate(expr, {}))
        except ExpressionError:
            return None

    def _condition(self, expr: Expr, scope: Scope, path: Path) -> None:
        kind = self._type(expr, scope, path)
        flow = flows(kind, BOOLEAN)
        if flow is Flow.NO:
            self.findings.report(
                Code.NOT_BOOLEAN,
                path,
                f"the condition is {kind}, not a boolean.",
                expected="true or false",
                suggestion=_unmarked(expr) or "Compare explicitly, e.g. len(x) > 0 or x is not None.",
            )
        elif flow is Flow.MAYBE:
            self.findings.note(path)

    def _text(self, expr: Expr, scope: Scope, path: Path) -> None:
        kind = self._type(expr, scope, path)
        if flows(kind, STRING) is Flow.NO:
            self.findings.report(
                Code.MISTYPED_ARGUMENT, path, f"{kind} is not a text.", expected="a text, or a template"
            )

    # control flow

    def _check_unused(self, plan: Plan, order: Schedule, *, partial: bool) -> None:
        """Warn of steps without effect whose value nothing can see."""
        for step in unused_steps(plan, order, partial=partial):
            self.findings.line = step.line
            self.findings.report(
                Code.UNUSED,
                (step.id,),
                f"nothing uses the value of {step.id!r}, and it changes nothing.",
                suggestion="Use it in a later step or in the answer, or leave it out.",
                severity="warning",
            )


def _unmarked(expr: Expr) -> str:
    """What to write for an expression of a JSON plan that lacks its marks, and so is a text."""
    if isinstance(expr, Literal) and isinstance(expr.value, str):
        return 'In JSON an expression stands in "${…}"; without these marks it is a text.'
    return ""
