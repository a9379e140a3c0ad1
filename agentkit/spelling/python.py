"""The Python spelling of a plan: what models write. It is parsed, never executed."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import replace

from agentkit.diagnostics import Code, Diagnostic
from agentkit.plan import Plan
from agentkit.spelling._context import ANSWER, Frame, TooManyStepsError
from agentkit.spelling._desugar import drop_dead, ends_in_answer, may_answer
from agentkit.spelling._flow import NONE, every_assigned, first_uses, mutated
from agentkit.spelling._lowering import Lowering
from agentkit.spelling._names import Ids
from agentkit.spelling._source import Source, parse_source
from agentkit.spelling._text import MAX_STEPS
from agentkit.toolbox import Toolbox


def read_python(
    text: str, toolbox: Toolbox | None = None, *, partial: bool = False, given: Collection[str] = ()
) -> Plan:
    """Read restricted Python: assignments of tool calls, ``if``, ``for``, ``while``, and a final ``answer(…)``.

    Args:
        text: The plan; a Markdown code block and prose around it are taken off.
        toolbox: The tools, for the names of positional arguments and of tools that are no identifiers.
        partial: The text is still being written: an unfinished end is ignored, and no answer is looked for.
        given: Names that exist before the plan; ids that the reader makes up avoid them.

    Returns:
        The plan. Nothing is raised: `Plan.problems` holds everything that could not be read, and the statements
        concerned are `Unreadable` steps.
    """
    source = parse_source(text, partial=partial)
    problems = [] if source.problem is None else [source.problem]
    try:
        plan = _lowered(source, toolbox, given, whole=not partial and source.problem is None)
    except RecursionError:
        plan = Plan((), problems=(Diagnostic(Code.TOO_LARGE, (), "the plan is nested too deeply."),))
    return replace(plan, problems=(*problems, *plan.problems))


def _lowered(source: Source, toolbox: Toolbox | None, given: Collection[str], *, whole: bool) -> Plan:
    tree = _WithoutAwait().visit(ast.Module(source.body, []))
    goal, body = _goal(tree.body)
    dead = list(drop_dead(body))
    if whole and not may_answer(body):
        body = _with_answer(body)
    silent = whole and may_answer(body) and not ends_in_answer(body)
    ids = Ids(every_assigned(tree), first_uses(tree), given)
    low = Lowering(ids, toolbox, source.before)
    for stmt in dead:
        low.at(stmt)
        message = "nothing runs after break or continue."
        low.report(Code.UNREACHABLE, message, "Remove what follows.", severity="warning")
    frame = Frame()
    try:
        low.block(body, frame, NONE)
    except TooManyStepsError:
        low.report(Code.TOO_LARGE, "the plan has too many steps.", "Use a loop.", expected=f"at most {MAX_STEPS:,}")
    if silent and not low.problems:
        low.at(body[-1])
        message = "the plan may come to its end without an answer."
        low.report(Code.NO_ANSWER, message, "Answer in every case: end with answer(...).", path=("answer",))
    answer = frame.scope.get(ANSWER)
    return Plan(tuple(frame.steps), answer, goal, low.inputs, tuple(low.problems), low.answer_line)


class _WithoutAwait(ast.NodeTransformer):
    """Drops ``await``: every call of a plan is awaited where its value is used."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        inner: ast.AST = self.visit(node.value)
        return inner


def _goal(body: list[ast.stmt]) -> tuple[str, list[ast.stmt]]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str() as goal)), *rest]:
            return goal, rest
        case _:
            return "", body


def _with_answer(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Statements without an answer: what they print or compute last is meant to be it."""
    printed = _printed_last(body)
    if printed:
        values = [value for call in printed for value in call.args]
        return [*body[: -len(printed)], _answer(values, printed[0])]
    if not body:
        return []
    last = body[-1]
    match last:
        case ast.Expr(value=value) if mutated(value) is None and not isinstance(value, ast.Constant):
            return [*body[:-1], _answer([value], value)]
        case ast.If(test=test, body=then, orelse=orelse) if _printed_last(then) and (not orelse or _prints(orelse)):
            return [*body[:-1], ast.copy_location(ast.If(test, _with_answer(then), _with_answer(orelse)), last)]
        case _:
            return list(body)


def _prints(body: Sequence[ast.stmt]) -> bool:
    """Whether every path ends by printing."""
    match body[-1]:
        case ast.If(body=then, orelse=orelse):
            return bool(orelse) and _prints(then) and _prints(orelse)
        case _:
            return bool(_printed_last(body))


def _printed_last(body: Sequence[ast.stmt]) -> list[ast.Call]:
    """The calls of ``print`` that the statements end with."""
    found: list[ast.Call] = []
    for stmt in reversed(body):
        match stmt:
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[_, *_]) as call):
                found.insert(0, call)
            case _:
                break
    return found


def _answer(values: list[ast.expr], at: ast.AST) -> ast.stmt:
    call = ast.copy_location(ast.Call(ast.copy_location(ast.Name("answer", ast.Load()), at), values, []), at)
    return ast.copy_location(ast.Expr(call), at)
