"""The checker's walk over steps: scopes, references, types, arguments, policy, and control flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from keyword import iskeyword

from agentkit._check_names import Names
from agentkit.diagnostics import Code, Diagnostic, Severity
from agentkit.expressions import type_expression
from agentkit.expressions.nodes import Expr, Literal, Name, names
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
    blocks,
    walk,
)
from agentkit.policy import Policy
from agentkit.schedule import bound_names, expression_names
from agentkit.toolbox import Tool, Toolbox
from agentkit.types import (
    ANY,
    BOOLEAN,
    NEVER,
    NULL,
    STRING,
    ArrayType,
    Flow,
    Mismatch,
    ObjectType,
    Type,
    flows,
    from_schema,
    item_type,
    join,
    mismatch,
    widen,
)

Scope = dict[str, Type]
Path = tuple[str | int, ...]

MAX_NESTED_REPEATS = 3
"""State types are inferred by checking a loop's block twice; deeper loops take `ANY` instead of doubling the work."""

_MISMATCH_CODES = {
    "enum": Code.NOT_IN_ENUM,
    "range": Code.OUT_OF_RANGE,
    "format": Code.WRONG_FORMAT,
    "missing": Code.MISSING_ARGUMENT,
    "unexpected": Code.UNEXPECTED_ARGUMENT,
}


class StepChecker:
    """One check of one plan. Collects `diagnostics`, `runtime_checks`, `lengths` of loops, and the top-level `scope`."""

    def __init__(self, toolbox: Toolbox, policy: Policy, limits: Limits, *, approver: bool) -> None:
        self.toolbox = toolbox
        self.policy = policy
        self.limits = limits
        self.approver = approver
        self.diagnostics: list[Diagnostic] = []
        self.runtime_checks: list[str] = []
        self.lengths: dict[str, int | None] = {}
        self.scope: Scope = {}
        self._names = Names(())
        self._repeats = 0
        self._silent = False
        self._line: int | None = None

    def check_plan(self, plan: Plan, scope: Scope, *, partial: bool) -> None:
        """Check every step and the answer of `plan`, which may refer to the names of `scope`."""
        self._names = Names(plan.steps)
        self._check_ids(plan)
        self.scope = dict(scope)
        self._steps(plan.steps, self.scope, ())
        self._line = None
        if plan.answer is not None:
            self._type(plan.answer, self.scope, ("answer",))
        elif not partial and not plan.problems:
            self._report(
                Code.NO_ANSWER,
                ("answer",),
                "the plan does not say what its answer is.",
                suggestion="End with answer(...).",
            )
        self._check_unused(plan, partial=partial)

    # identifiers

    def _check_ids(self, plan: Plan) -> None:
        seen: set[str] = set(plan.inputs)
        for step in walk(plan.steps):
            self._line = step.line
            self._check_identifier(step.id, (step.id,))
            if step.id in seen:
                self._report(Code.DUPLICATE_ID, (step.id,), f"the id {step.id!r} is used twice.")
            seen.add(step.id)
            for name in bound_names(step):
                self._check_identifier(name, (step.id, name))
                if any(inner.id == name for _, block in blocks(step) for inner in block):
                    self._report(
                        Code.DUPLICATE_ID, (step.id, name), f"{name!r} names both a step and what its loop binds."
                    )
        for name in plan.inputs:
            self._check_identifier(name, ("inputs", name))

    def _check_identifier(self, name: str, path: Path) -> None:
        if name.isidentifier() and not iskeyword(name) and not name.startswith("_") and name not in _RESERVED_IDS:
            return
        self._report(
            Code.INVALID_ID,
            path,
            f"{name!r} cannot be a name.",
            expected="letters, digits and underscores, beginning with a letter, and no reserved word.",
        )

    # steps

    def _steps(self, block: Block, scope: Scope, path: Path) -> Type:
        """Check a block, adding its steps to `scope`; the type of its last step."""
        result: Type = NULL
        for step in block:
            self._line = step.line
            self._names.enter(step.id)
            result = self._step(step, scope, (*path, step.id))
            scope[step.id] = result
        return result

    def _block(self, block: Block, scope: Scope, path: Path) -> Type:
        if not block:
            self._report(Code.EMPTY_BLOCK, path, "the block has no steps.")
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
                    self._report(Code.EMPTY_BLOCK, path, "parallel has no branches.")
                fields = tuple((name, self._block(block, scope, (*path, name)), True) for name, block in branches.items())
                return ObjectType(fields, None)
            case Generate(prompt=text, schema=schema) | Ask(question=text, schema=schema):
                self._text(text, scope, path)
                return STRING if schema is None else self._schema(schema, path)
            case Subgoal():
                self._text(step.goal, scope, path)
                for name, value in step.inputs.items():
                    self._type(value, scope, (*path, "inputs", name))
                return ANY if step.schema is None else self._schema(step.schema, path)
            case Unreadable():
                return ANY

    def _schema(self, schema: JsonSchema, path: Path) -> Type:
        try:
            return from_schema(schema)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            self._report(Code.SHAPE, (*path, "schema"), f"the output schema is not a JSON Schema: {error}.")
            return ANY

    def _call(self, step: Call, scope: Scope, path: Path) -> Type:
        self._check_settings(step, path)
        given = {name: self._type(value, scope, (*path, "args", name)) for name, value in step.args.items()}
        fallback = None if step.fallback is None else self._type(step.fallback, scope, (*path, "fallback"))
        tool = self.toolbox.get(step.tool)
        if tool is None:
            self._unknown_tool(step, path)
            return ANY
        self._check_permission(tool, path)
        self._check_arguments(step, tool, given, path)
        if step.on_error == "value":
            return join((tool.output_type, NULL if fallback is None else fallback))
        return tool.output_type

    def _check_settings(self, step: Call, path: Path) -> None:
        if step.retry is not None and not 0 <= step.retry <= MAX_RETRIES:
            self._report(
                Code.OUT_OF_RANGE, (*path, "retry"), f"retry is {step.retry}.", expected=f"0 to {MAX_RETRIES}."
            )
        if step.timeout is not None and not 0 < step.timeout <= MAX_TIMEOUT:
            self._report(
                Code.OUT_OF_RANGE,
                (*path, "timeout"),
                f"timeout is {step.timeout:g} s.",
                expected=f"more than 0 and at most {MAX_TIMEOUT:g} s.",
            )

    def _unknown_tool(self, step: Call, path: Path) -> None:
        close = self.toolbox.closest(step.tool)
        self._report(
            Code.UNKNOWN_TOOL,
            (*path, "tool"),
            f"there is no tool {step.tool!r}.",
            expected="one of: " + _some(list(self.toolbox)) + ".",
            suggestion=f"Did you mean {close[0]!r}?" if close else "",
        )

    def _check_permission(self, tool: Tool, path: Path) -> None:
        approval = self.policy.decide(tool)
        if approval == "never":
            self._report(
                Code.FORBIDDEN,
                path,
                f"the policy forbids calling {tool.name!r}.",
                suggestion="Reach the goal without it.",
            )
        elif approval == "ask" and not self.approver:
            self._report(
                Code.NO_APPROVER,
                path,
                f"{tool.name!r} needs approval and nobody can be asked.",
                suggestion="Reach the goal without it, or run with an approver.",
            )

    def _check_arguments(self, step: Call, tool: Tool, given: Mapping[str, Type], path: Path) -> None:
        known = {parameter.name: parameter for parameter in tool.parameters}
        target = tool.input_type
        fields = {name: kind for name, kind, _ in target.fields} if isinstance(target, ObjectType) else {}
        extra = target.additional if isinstance(target, ObjectType) else ANY
        for name, parameter in known.items():
            if parameter.required and name not in given:
                self._report(
                    Code.MISSING_ARGUMENT,
                    (*path, "args"),
                    f"{tool.name!r} needs the argument {name!r}.",
                    expected=f"{name}: {fields.get(name, ANY)}.",
                )
        for name, kind in given.items():
            if name in known:
                self._flow(step.args[name], kind, fields.get(name, ANY), (*path, "args", name))
            elif extra is None:
                close = get_close_matches(name, list(known), n=1)
                self._report(
                    Code.UNEXPECTED_ARGUMENT,
                    (*path, "args", name),
                    f"{tool.name!r} has no argument {name!r}.",
                    expected=f"one of: {_some(list(known))}." if known else "no arguments.",
                    suggestion=f"Did you mean {close[0]!r}?" if close else "",
                )
            else:
                self._flow(step.args[name], kind, extra, (*path, "args", name))

    def _flow(self, expr: Expr, kind: Type, target: Type, path: Path) -> None:
        """Report if a value of type `kind` can never be a `target`; note it if only running can tell."""
        flow = flows(kind, target)
        if flow is Flow.NO:
            self._mismatch(expr, kind, target, path)
        elif flow is Flow.MAYBE and not self._silent:
            self.runtime_checks.append(".".join(map(str, path)))

    def _mismatch(self, expr: Expr, kind: Type, target: Type, path: Path) -> None:
        found = mismatch(kind, target) or Mismatch((), "type", str(target), str(kind))
        if names(expr):
            code = Code.CANNOT_FLOW
        else:
            code = _MISMATCH_CODES.get(found.kind, Code.MISTYPED_ARGUMENT)
        self._report(
            code,
            (*path, *found.path),
            f"{found.found} cannot be used here.",
            expected=f"{found.expected}.",
        )

    def _if(self, step: If, scope: Scope, path: Path) -> Type:
        self._condition(step.condition, scope, (*path, "condition"))
        if isinstance(step.condition, Literal) and isinstance(step.condition.value, bool):
            dead = "else" if step.condition.value else "then"
            if dead == "then" or step.otherwise:
                self._report(
                    Code.UNREACHABLE, (*path, dead), f"the {dead} branch can never run.", severity="warning"
                )
        then = self._block(step.then, scope, (*path, "then"))
        otherwise = self._block(step.otherwise, scope, (*path, "else")) if step.otherwise else NULL
        return join((then, otherwise))

    def _for_each(self, step: ForEach, scope: Scope, path: Path) -> Type:
        source = self._type(step.source, scope, (*path, "in"))
        if flows(source, ArrayType(ANY)) is Flow.NO:
            self._report(
                Code.NOT_ITERABLE,
                (*path, "in"),
                f"{source} is not a list.",
                expected="a list.",
                suggestion="Loop over a list field of it, or over [x] for a single value.",
            )
            item: Type = ANY
        else:
            item = item_type(source)
        length = source.max_items if isinstance(source, ArrayType) else None
        if not self._silent:
            self.lengths[step.id] = length
        if length == 0:
            self._report(Code.UNREACHABLE, (*path, "do"), "the list is empty, so this never runs.", severity="warning")
        if step.concurrency is not None and step.concurrency < 1:
            self._report(
                Code.OUT_OF_RANGE,
                (*path, "concurrency"),
                f"concurrency is {step.concurrency}.",
                expected="1 or more.",
            )
        value = self._block(step.do, {**scope, step.item: ANY if item is NEVER else item}, (*path, "do"))
        least = source.min_items if isinstance(source, ArrayType) else 0
        return ArrayType(value, min_items=least, max_items=length)

    def _repeat(self, step: Repeat, scope: Scope, path: Path) -> Type:
        self._check_bound(step, path)
        first = {name: self._type(value, scope, (*path, "state", name)) for name, value in step.state.items()}
        for name in step.next:
            if name not in step.state:
                self._report(
                    Code.UNKNOWN_NAME,
                    (*path, "next", name),
                    f"{name!r} is not a state name of this loop.",
                    expected=f"one of: {_some(list(step.state))}." if step.state else "no next without state.",
                )
        state = self._state_types(step, scope, first, path)
        self._repeats += 1
        inner = {**scope, **state}
        if step.while_ is not None:
            self._condition(step.while_, inner, (*path, "while"))
        value = self._block(step.do, inner, (*path, "do")) if not step.do else self._steps(step.do, inner, (*path, "do"))
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
                self._report(
                    Code.UNBOUNDED_LOOP,
                    path,
                    "the loop has neither a condition nor a bound.",
                    suggestion="Give max_iterations, or a condition that ends it.",
                )
            else:
                self._report(
                    Code.UNBOUNDED_LOOP,
                    path,
                    f"the loop names no bound, so the default of {allowed} rounds holds.",
                    suggestion="Write for _ in range(n) with break to choose one.",
                    severity="warning",
                )
        elif not 0 < step.max_iterations <= allowed:
            self._report(
                Code.UNBOUNDED_LOOP,
                (*path, "max_iterations"),
                f"the loop's bound is {step.max_iterations}.",
                expected=f"1 to {allowed}.",
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
        silent, self._silent = self._silent, True
        self._repeats += 1
        inner = {**scope, **state}
        mark = self._names.mark()
        self._steps(step.do, inner, path)
        after = {name: self._type(expr, inner, path) for name, expr in step.next.items() if name in state}
        self._names.reset(mark)
        self._repeats -= 1
        self._silent = silent
        return after

    # expressions

    def _type(self, expr: Expr, scope: Scope, path: Path) -> Type:
        def unknown(name: str) -> Diagnostic | None:
            return self._names.diagnose(name, scope, path, self.toolbox)

        if type(expr) is Name:
            known = scope.get(expr.id)
            if known is not None:
                return known
        return type_expression(expr, scope, self._add, path, unknown)

    def _condition(self, expr: Expr, scope: Scope, path: Path) -> None:
        kind = self._type(expr, scope, path)
        flow = flows(kind, BOOLEAN)
        if flow is Flow.NO:
            self._report(
                Code.NOT_BOOLEAN,
                path,
                f"the condition is {kind}, not a boolean.",
                expected="true or false.",
                suggestion="Compare explicitly, e.g. len(x) > 0 or x is not None.",
            )
        elif flow is Flow.MAYBE and not self._silent:
            self.runtime_checks.append(".".join(map(str, path)))

    def _text(self, expr: Expr, scope: Scope, path: Path) -> None:
        kind = self._type(expr, scope, path)
        if flows(kind, STRING) is Flow.NO:
            self._report(
                Code.MISTYPED_ARGUMENT, path, f"{kind} is not a text.", expected="a text, or a template."
            )

    # control flow

    def _check_unused(self, plan: Plan, *, partial: bool) -> None:
        """Warn of steps without effect whose value nothing can see."""
        for step in _unused(plan, self.toolbox, partial=partial):
            self._line = step.line
            self._report(
                Code.UNUSED,
                (step.id,),
                f"nothing uses the value of {step.id!r}, and it changes nothing.",
                suggestion="Use it in a later step or in the answer, or leave it out.",
                severity="warning",
            )

    # reporting

    def _report(
        self,
        code: Code,
        path: Path,
        message: str,
        *,
        expected: str = "",
        suggestion: str = "",
        severity: Severity = "error",
    ) -> None:
        self._add(Diagnostic(code, path, message, expected, suggestion, severity, self._line))

    def _add(self, diagnostic: Diagnostic) -> None:
        if self._silent:
            return
        if diagnostic.line is None and self._line is not None:
            diagnostic = Diagnostic(
                diagnostic.code,
                diagnostic.path,
                diagnostic.message,
                diagnostic.expected,
                diagnostic.suggestion,
                diagnostic.severity,
                self._line,
            )
        self.diagnostics.append(diagnostic)


MAX_RETRIES = 10
MAX_TIMEOUT = 86_400.0
_RESERVED_IDS = frozenset({"true", "false", "null"})


def _some(options: list[str], most: int = 12) -> str:
    shown = ", ".join(options[:most])
    return f"{shown}, … ({len(options)} in all)" if len(options) > most else shown


def _unused(plan: Plan, toolbox: Toolbox, *, partial: bool) -> Iterator[Step]:
    used: set[str] = set(names(plan.answer)) if plan.answer is not None else set()
    for step in walk(plan.steps):
        used |= _all_names(step)
    last = plan.steps[-1] if plan.steps and (plan.answer is None or partial) else None
    yield from _unused_in(plan.steps, used, toolbox, keep=last)


def _unused_in(block: Block, used: set[str], toolbox: Toolbox, *, keep: Step | None) -> Iterator[Step]:
    for step in block:
        inner = [step for _, body in blocks(step) for step in body]
        if step is keep or step.id in used or isinstance(step, Unreadable | Ask | Subgoal):
            needed = True
        else:
            needed = _acts(step, toolbox)
            if not needed:
                yield step
        if needed and inner:
            for _, body in blocks(step):
                yield from _unused_in(body, used, toolbox, keep=body[-1] if body else None)


def _acts(step: Step, toolbox: Toolbox) -> bool:
    """Whether a step, or a step inside it, may change something or ask somebody."""
    if isinstance(step, Call):
        tool = toolbox.get(step.tool)
        return tool is None or tool.effect == "write"
    if isinstance(step, Ask | Subgoal | Unreadable):
        return True
    return any(_acts(inner, toolbox) for _, body in blocks(step) for inner in body)


def _all_names(step: Step) -> frozenset[str]:
    """Every name in a step's own expressions, also in those that a loop evaluates inside."""
    found = expression_names(step)
    if isinstance(step, Repeat):
        for expr in (step.until, step.while_, *step.next.values()):
            if expr is not None:
                found |= names(expr)
    return found
