"""What the checker can find: stable codes, each with its meaning and its usual remedy.

The codes are also the failure taxonomy of the evaluations, and the source of docs/diagnostics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning"]


class Code(Enum):
    """A stable diagnostic code: ``AK`` and three digits; the hundreds are the family."""

    summary: str
    remedy: str

    def __new__(cls, code: str, summary: str, remedy: str) -> Code:
        """A member whose value is `code`, so that ``Code("AK201")`` finds it."""
        member = object.__new__(cls)
        member._value_ = code
        member.summary = summary
        member.remedy = remedy
        return member

    # 1xx: the plan cannot be read
    SYNTAX = "AK101", "The text is not valid in its spelling.", "Mend the syntax at the line named."
    UNSUPPORTED = "AK102", "A construct that the plan language does not have.", "Write the form that the message names."
    SHAPE = "AK103", "A field of the plan is missing, unknown or of the wrong shape.", "Follow the plan's JSON Schema."
    UNKNOWN_KIND = "AK104", "A step kind that does not exist.", "Use one of the step kinds."
    DUPLICATE_ID = "AK105", "Two steps have the same id.", "Rename one of them."
    INVALID_ID = "AK106", "A step id or bound name is not an identifier, or is reserved.", "Choose another name."
    EXPRESSION = "AK107", "An expression cannot be parsed.", "Mend the expression; only the documented subset exists."
    TOO_LARGE = "AK108", "The plan exceeds a bound on size or nesting.", "Split the plan, or use a loop."
    # 2xx: tools and arguments
    UNKNOWN_TOOL = "AK201", "The plan calls a tool that is not in the toolbox.", "Call one of the tools listed."
    MISSING_ARGUMENT = "AK202", "A required argument is missing.", "Add it."
    UNEXPECTED_ARGUMENT = "AK203", "The tool has no such argument.", "Remove or rename it."
    MISTYPED_ARGUMENT = "AK204", "A literal argument has the wrong type.", "Give a value of the expected type."
    NOT_IN_ENUM = "AK205", "A value is not among the allowed ones.", "Use one of the allowed values."
    OUT_OF_RANGE = "AK206", "A number, length or count is outside its allowed range.", "Use a value inside the range."
    WRONG_FORMAT = "AK207", "A text does not have the required format or pattern.", "Follow the format."
    # 3xx: references
    UNKNOWN_NAME = "AK301", "A reference to a name that nothing defines.", "Refer to an input or an earlier step."
    LATER_STEP = "AK302", "A reference to a step that comes later.", "Move the step up, or refer to an earlier one."
    OUT_OF_SCOPE = "AK303", "A reference into a block from outside it.", "Refer to the compound step itself."
    WRONG_BRANCH = "AK304", "A name that only one branch defines.", "Define it in both branches."
    UNKNOWN_FIELD = "AK305", "A value has no such field.", "Use one of its fields."
    NO_SUCH_INDEX = "AK306", "An index outside a list whose length is known.", "Use an index inside the list."
    # 4xx: types
    CANNOT_FLOW = "AK401", "A value's type can never satisfy what receives it.", "Convert it, or pass another value."
    NOT_BOOLEAN = "AK402", "A condition that is not a boolean.", "Compare explicitly, e.g. len(x) > 0."
    WRONG_OPERAND = "AK403", "An operator or function on types that it does not take.", "Convert the operands."
    NOT_ITERABLE = "AK404", "A loop over something that is not a list.", "Loop over a list."
    UNKNOWN_FUNCTION = "AK405", "A function that expressions do not have.", "Use a documented function, or a tool."
    FUNCTION_ARGUMENTS = "AK406", "A function of expressions called with the wrong arguments.", "See its signature."
    # 5xx: control flow
    UNBOUNDED_LOOP = "AK501", "A loop without a bound, or with one above the limit.", "Give max_iterations."
    UNREACHABLE = "AK502", "A step that can never run.", "Remove it, or mend the condition."
    UNUSED = "AK503", "A step without effect whose value nothing uses.", "Use its value, or remove it."
    EMPTY_BLOCK = "AK504", "A block without steps.", "Add a step, or remove the block."
    NO_ANSWER = "AK505", "The plan does not say what its answer is.", "End with an answer."
    # 6xx: policy and limits
    FORBIDDEN = "AK601", "The policy forbids this call.", "Use a permitted tool."
    TOO_MANY_CALLS = "AK602", "The plan may make more tool calls than the limits allow.", "Lower a loop's bound."
    TOO_MANY_MODEL_CALLS = "AK603", "The plan may make more model calls than allowed.", "Remove generate steps."
    TOO_COSTLY = "AK604", "The plan may cost more than the limits allow.", "Use cheaper or fewer calls."
    TOO_SLOW = "AK605", "The plan's estimated critical path exceeds the deadline.", "Use faster or fewer calls."
    TOO_MANY_STEPS = "AK606", "The plan may run more steps than the limits allow.", "Lower a loop's bound."
    NO_APPROVER = (
        "AK607",
        "A call or a question needs a person and nobody can be asked.",
        "Run with a person, or change policy.",
    )
    DENIED = "AK608", "A person has denied this very call in this run.", "Reach the goal without this call."
    TOO_DEEP = "AK609", "A subgoal below the deepest level that the limits allow.", "Plan its steps here."
    # 7xx: the goal
    CONSTRAINT = "AK701", "A constraint of the goal cannot hold under this plan.", "Change the plan to satisfy it."
    VALIDATOR = "AK702", "A domain validator refuses the plan.", "See the validator's message."


_LONGEST_PART = 1_500
_HALF = 700


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem, as data that a person and a model can act on.

    Attributes:
        code: What kind of problem it is.
        path: Where: step ids and field names, e.g. ``("prices", "args", "start_date")``.
        message: What is wrong, naming the thing.
        expected: What would be right, if that can be said.
        suggestion: How to mend it, e.g. ``did you mean 'web_search'?``.
        severity: Errors stop a plan; warnings do not.
        line: 1-based source line where the plan came as text.
    """

    code: Code
    path: tuple[str | int, ...]
    message: str
    expected: str = ""
    suggestion: str = ""
    severity: Severity = "error"
    line: int | None = None

    @property
    def where(self) -> str:
        """The path as text, e.g. ``prices.args.start_date``."""
        return ".".join(str(part) for part in self.path) or "plan"

    def __str__(self) -> str:
        where = _short(self.where)
        at = f"line {self.line}, {where}" if self.line is not None else where
        text = f"{self.code.value} at {at}: {_short(self.message)}"
        if self.expected:
            text += f" Expected {_short(self.expected)}."
        if self.suggestion:
            text += f" {_short(self.suggestion)}"
        return text


def _short(part: str) -> str:
    """A part of a message, cut in the middle where a plan or a schema has made it long: prompts are made of these."""
    return part if len(part) <= _LONGEST_PART else f"{part[:_HALF]} … {part[-_HALF:]}"
