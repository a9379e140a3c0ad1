"""What lowering has in hand: the plan's ids and problems, and the block that is being written."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from agentkit.diagnostics import Code, Diagnostic, Severity
from agentkit.expressions.nodes import Expr, Name, names
from agentkit.expressions.parse import from_ast
from agentkit.expressions.renaming import rename
from agentkit.plan import JsonSchema, Step, Value
from agentkit.spelling._flow import Flow, Names
from agentkit.spelling._names import Ids
from agentkit.spelling._steps import expressions
from agentkit.spelling._text import MAX_NESTING, MAX_STEPS
from agentkit.toolbox import Toolbox

ANSWER = "answer()"
"""What the scope holds once the plan's answer is known; no source can have such a name."""


class RefusedError(Exception):
    """A statement that the plan language does not have; it becomes an `Unreadable` step.

    Attributes:
        node: Where it is.
        code: What kind of problem it is.
        message: What is wrong.
        suggestion: What to write instead.
    """

    def __init__(self, node: ast.AST, message: str, suggestion: str, code: Code) -> None:
        super().__init__(message)
        self.node = node
        self.code = code
        self.message = message
        self.suggestion = suggestion


class TooManyStepsError(Exception):
    """The plan has more steps than are ever read."""


@dataclass(slots=True)
class Frame:
    """A block that is being written.

    Attributes:
        steps: Its steps so far.
        scope: What each name of the source stands for now. Names that are not in it stand for themselves.
        depth: How many blocks are around it.
    """

    steps: list[Step] = field(default_factory=list)
    scope: dict[str, Expr] = field(default_factory=dict)
    depth: int = 0


class Lowerer(ABC):
    """Turns the statements of one source into steps. One object reads one plan."""

    def __init__(self, ids: Ids, toolbox: Toolbox | None, before: int) -> None:
        self.ids = ids
        self.flow = Flow()
        self.toolbox = toolbox
        self.problems: list[Diagnostic] = []
        self.inputs: dict[str, JsonSchema] = {}
        self.functions: set[str] = set()
        self.line = 0
        self.answer_line: int | None = None
        self._before = before
        self._count = 0
        self._uses: Counter[str] = Counter()

    @abstractmethod
    def block(self, stmts: Sequence[ast.stmt], frame: Frame, live: Names) -> None:
        """Lower statements into `frame`; `live` are the names that are read after them."""

    @abstractmethod
    def lift(self, node: ast.expr, frame: Frame) -> ast.expr:
        """The expression without tool calls, which become steps of `frame` in the order of evaluation."""

    @abstractmethod
    def assign(self, target: ast.expr, value: ast.expr, frame: Frame) -> None:
        """Lower ``target = value``."""

    def expr(self, node: ast.expr, frame: Frame) -> Expr:
        """The value of `node`, its tool calls lifted out."""
        return self.pure(self.lift(node, frame), frame)

    def pure(self, node: ast.expr, frame: Frame) -> Expr:
        """The value of `node`, which has no tool calls."""
        return rename(from_ast(node), frame.scope)

    def inner(self, frame: Frame, node: ast.AST) -> Frame:
        """A block inside `frame`, which sees what `frame` sees."""
        if frame.depth >= MAX_NESTING:
            raise RefusedError(
                node, "the blocks are nested too deeply.", f"Nest at most {MAX_NESTING}.", code=Code.TOO_LARGE
            )
        return Frame([], dict(frame.scope), frame.depth + 1)

    def emit(self, frame: Frame, step: Step) -> Name:
        """Add a step to `frame`; a reference to it."""
        self._count += 1
        if self._count > MAX_STEPS:
            raise TooManyStepsError
        frame.steps.append(step)
        for expr in expressions(step):
            self._uses.update(names(expr))
        return Name(step.id)

    def emit_value(self, frame: Frame, id: str, value: Expr) -> Name:
        """Add a `Value` step to `frame`."""
        return self.emit(frame, Value(id, value, self.line))

    def close(self, frame: Frame, value: Expr, base: str) -> None:
        """Make `value` the value of the block that `frame` is: that of its last step."""
        if not (frame.steps and value == Name(frame.steps[-1].id)):
            self.emit_value(frame, self.auto(base), value)

    def auto(self, base: str) -> str:
        """A fresh id at the current line."""
        return self.ids.auto(base, self.line - self._before)

    def fresh(self, base: str) -> str:
        """A name for a variable that the source does not have."""
        name = self.auto(base)
        self.ids.release(name)
        return name

    def bind(self, frame: Frame, name: str) -> str:
        """The name for what a loop inside `frame` binds as `name`, not hiding anything that the scope refers to."""
        return self.ids.bind_fresh(name) if _meant_elsewhere(frame, name, name) else self.ids.bind(name)

    def unused_value(self, frame: Frame, name: str) -> Value | None:
        """The step of `frame` that computed `name`, if nothing else refers to it, so that it can be dropped."""
        bound = frame.scope.get(name)
        if not isinstance(bound, Name) or self._uses[bound.id]:
            return None
        if _meant_elsewhere(frame, bound.id, name):
            return None
        for step in reversed(frame.steps):
            if step.id == bound.id:
                return step if isinstance(step, Value) else None
        return None

    def drop(self, frame: Frame, step: Value) -> None:
        """Take back a step that nothing refers to."""
        frame.steps.remove(step)
        self._uses.subtract(names(step.value))
        self.ids.release(step.id)

    def uses(self, id: str) -> int:
        """How many references to `id` there are in steps."""
        return self._uses[id]

    def at(self, node: ast.AST) -> None:
        """Be at the line of `node`, for the steps and problems that follow."""
        line = getattr(node, "lineno", None)
        if line is not None:
            self.line = line + self._before

    def report(
        self,
        code: Code,
        message: str,
        suggestion: str = "",
        *,
        path: tuple[str | int, ...] = (),
        expected: str = "",
        severity: Severity = "error",
    ) -> None:
        """Note a problem at the current line."""
        self.problems.append(Diagnostic(code, path, message, expected, suggestion, severity, self.line))


def _meant_elsewhere(frame: Frame, id: str, name: str) -> bool:
    """Whether a name other than `name` stands for something of `id`. Most stand for one step: that goes fast."""
    for key, meant in frame.scope.items():
        if (meant.id == id if type(meant) is Name else id in names(meant)) and key != name:
            return True
    return False


def refuse(node: ast.AST, message: str, suggestion: str = "", code: Code = Code.UNSUPPORTED) -> NoReturn:
    """Give up on the statement around `node`."""
    raise RefusedError(node, message, suggestion, code)
