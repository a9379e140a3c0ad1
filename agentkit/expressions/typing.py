"""Typing: the static type of an expression, and every problem that can be seen without running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import ClassVar, TypeAlias

from agentkit.diagnostics import Code, Diagnostic
from agentkit.expressions._operator_types import contained, element, operation, operation_hint, ordered, whole_or_number
from agentkit.expressions._texts import is_format, is_text_format
from agentkit.expressions.functions import COMPARABLE, FUNCTIONS, Function, Parameter, items_of
from agentkit.expressions.nodes import (
    Apply,
    Binary,
    Compare,
    Comprehension,
    Conditional,
    Expr,
    Field,
    Item,
    Lambda,
    ListOf,
    Literal,
    Logical,
    Malformed,
    Name,
    ObjectOf,
    Slice,
    Template,
    Unary,
)
from agentkit.expressions.printing import to_source
from agentkit.types import (
    ANY,
    ARRAY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    ArrayType,
    Flow,
    Found,
    LiteralType,
    ObjectType,
    Type,
    field_type,
    flows,
    join,
    list_of,
    members_of,
)

Path: TypeAlias = tuple[str | int, ...]
Report: TypeAlias = Callable[[Diagnostic], None]
Unknown: TypeAlias = Callable[[str], Diagnostic | None]

_LOOPED = join([ARRAY, OBJECT])
_SLICED = join([ARRAY, STRING])
_SIGNS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "//": "divide", "%": "divide", "**": "raise"}
_FORMATTED = join([NUMBER, STRING])
_FORMATS = (
    (NUMBER, is_format, "number", '".2f" or ","'),
    (STRING, is_text_format, "text", '">10", or "%d %B" for a date'),
    (ANY, lambda spec: is_format(spec) or is_text_format(spec), "value", '".2f" or ","'),
)
_NO_SPEC = LiteralType(("",))
_TOOLS = "Tools are called in steps of their own."


def type_expression(
    expr: Expr, scope: Mapping[str, Type], report: Report, path: Path, unknown: Unknown | None = None
) -> Type:
    """The type of `expr`.

    After a problem the type of the part is `ANY`, so that one mistake is reported once.

    Args:
        expr: The expression.
        scope: The types of the names that it may refer to.
        report: Gets every problem.
        path: Where the expression is in the plan.
        unknown: Says why a name is not in scope; by default a name that nothing defines.
    """
    return _Typing(report, path, unknown).of(expr, scope)


class _Typing:
    """The typing of one expression."""

    __slots__ = ("_path", "_report", "_unknown")

    def __init__(self, report: Report, path: Path, unknown: Unknown | None) -> None:
        self._report = report
        self._path = path
        self._unknown = unknown

    def of(self, expr: Expr, scope: Mapping[str, Type]) -> Type:
        return self._rules[type(expr)](self, expr, scope)

    def problem(self, code: Code, message: str, expected: str = "", suggestion: str = "") -> Type:
        """Report, and give the type of what is wrong."""
        self._report(Diagnostic(code, self._path, message, expected, suggestion))
        return ANY

    # names and access

    def _literal(self, expr: Literal, scope: Mapping[str, Type]) -> Type:
        return LiteralType((expr.value,))

    def _name(self, expr: Name, scope: Mapping[str, Type]) -> Type:
        known = scope.get(expr.id)
        if known is not None:
            return known
        found = self._unknown(expr.id) if self._unknown is not None else None
        if found is not None:
            self._report(found)
            return ANY
        close = get_close_matches(expr.id, list(scope), n=1)
        hint = f"Did you mean {close[0]!r}?" if close else ""
        return self.problem(Code.UNKNOWN_NAME, f"nothing defines {expr.id!r}.", suggestion=hint)

    def _field(self, expr: Field, scope: Mapping[str, Type]) -> Type:
        return self._key(self.of(expr.of, scope), expr.key, expr)

    def _key(self, of: Type, key: str, expr: Field | Item) -> Type:
        found = field_type(of, key)
        if isinstance(found, Found):
            return found.type
        close = get_close_matches(key, list(found.known), n=1)
        if close:
            hint = f"Did you mean {close[0]!r}?"
        elif any(isinstance(member, ArrayType) for member in members_of(of)):
            hint = f"It is a list: refer to one of its items, e.g. {to_source(expr.of)}[0].{key}."
        elif key in FUNCTIONS and flows(of, STRING) is not Flow.NO:
            hint = f"Write {key}({to_source(expr.of)})."
        else:
            hint = ""
        known = ", ".join(found.known)
        return self.problem(
            Code.UNKNOWN_FIELD, f"{to_source(expr)}: {found.problem}.", f"one of: {known}" if known else "", hint
        )

    def _item(self, expr: Item, scope: Mapping[str, Type]) -> Type:
        of, index = self.of(expr.of, scope), self.of(expr.index, scope)
        if isinstance(expr.index, Literal) and isinstance(expr.index.value, str):
            return self._key(of, expr.index.value, expr)
        parts = [self._item_of(member, index, expr) for member in members_of(of)]
        known = [part for part in parts if part is not None]
        if known:
            return join(known)
        if any(isinstance(member, ArrayType) for member in members_of(of)):
            return self._bad_index(of, index, expr)
        if any(isinstance(member, ObjectType) for member in members_of(of)):
            return self.problem(Code.WRONG_OPERAND, f"{to_source(expr)}: the key is {index}.", "a text")
        return self.problem(Code.WRONG_OPERAND, f"{to_source(expr)}: {of} has no items.", "a list")

    def _bad_index(self, of: Type, index: Type, expr: Item) -> Type:
        if flows(index, INTEGER) is Flow.NO:
            return self.problem(Code.WRONG_OPERAND, f"{to_source(expr)}: the index is {index}.", "an integer")
        most = max((m.max_items or 0 for m in members_of(of) if isinstance(m, ArrayType)), default=0)
        items = f"{most} item{'' if most == 1 else 's'}"
        message = f"{to_source(expr)}: the list has {items}." if most else f"{to_source(expr)}: the list is empty."
        return self.problem(Code.NO_SUCH_INDEX, message, f"an index below {most}" if most else "")

    def _item_of(self, member: Type, index: Type, expr: Item) -> Type | None:
        """The type of one item of one alternative; None if there can be none."""
        if isinstance(member, ArrayType):
            if flows(index, INTEGER) is Flow.NO:
                return None
            if isinstance(expr.index, Literal) and isinstance(expr.index.value, int):
                return element(member, expr.index.value)
            return items_of(member)
        if isinstance(member, ObjectType):
            return ANY if flows(index, STRING) is not Flow.NO else None
        if flows(member, STRING) is not Flow.NO:
            if member is ANY:
                return ANY
            return STRING if flows(index, INTEGER) is not Flow.NO else None
        return None

    def _slice(self, expr: Slice, scope: Mapping[str, Type]) -> Type:
        of = self.of(expr.of, scope)
        for part in (expr.start, expr.stop, expr.step):
            if part is not None and flows(self.of(part, scope), join([INTEGER])) is Flow.NO:
                self.problem(Code.WRONG_OPERAND, f"{to_source(part)}: a slice's bound is no integer.", "an integer")
        if flows(of, _SLICED) is Flow.NO:
            return self.problem(Code.WRONG_OPERAND, f"{to_source(expr)}: {of} cannot be sliced.", "a list or a text")
        found: list[Type] = []
        for member in members_of(of):
            if isinstance(member, ArrayType):
                found.append(ArrayType(items_of(member), 0, member.max_items))
            elif flows(member, STRING) is not Flow.NO:
                found.append(ANY if member is ANY else STRING)
        return join(found)

    # operators

    def _unary(self, expr: Unary, scope: Mapping[str, Type]) -> Type:
        operand = self.of(expr.operand, scope)
        if expr.op == "not":
            self._condition(expr.operand, operand)
            return BOOLEAN
        if flows(operand, NUMBER) is Flow.NO:
            return self.problem(Code.WRONG_OPERAND, f"{to_source(expr)}: {operand} has no sign.", "a number")
        return whole_or_number(operand)

    def _binary(self, expr: Binary, scope: Mapping[str, Type]) -> Type:
        left, right = self.of(expr.left, scope), self.of(expr.right, scope)
        if (result := operation(expr.op, left, right)) is not None:
            return result
        message = f"{to_source(expr)}: cannot {_SIGNS[expr.op]} {left} and {right}."
        return self.problem(Code.WRONG_OPERAND, message, suggestion=operation_hint(expr.op, left, right))

    def _compare(self, expr: Compare, scope: Mapping[str, Type]) -> Type:
        left = self.of(expr.first, scope)
        for op, other in zip(expr.ops, expr.rest, strict=True):
            right = self.of(other, scope)
            if op in ("<", "<=", ">", ">=") and not ordered(left, right):
                self.problem(Code.WRONG_OPERAND, f"{to_source(expr)}: cannot compare {left} with {right}.")
            elif op in ("in", "not-in") and not contained(left, right):
                self.problem(Code.WRONG_OPERAND, f"{to_source(expr)}: cannot look for {left} in {right}.")
            left = right
        return BOOLEAN

    def _logical(self, expr: Logical, scope: Mapping[str, Type]) -> Type:
        for operand in expr.operands:
            self._condition(operand, self.of(operand, scope))
        return BOOLEAN

    def _conditional(self, expr: Conditional, scope: Mapping[str, Type]) -> Type:
        self._condition(expr.condition, self.of(expr.condition, scope))
        return join((self.of(expr.then, scope), self.of(expr.otherwise, scope)))

    def _condition(self, expr: Expr, kind: Type) -> None:
        if flows(kind, BOOLEAN) is Flow.NO:
            self.problem(
                Code.NOT_BOOLEAN,
                f"{to_source(expr)} is {kind}, not a boolean.",
                "true or false",
                "Compare explicitly, e.g. len(x) > 0 or x is not None.",
            )

    # collections

    def _list(self, expr: ListOf, scope: Mapping[str, Type]) -> Type:
        return list_of([self.of(item, scope) for item in expr.items])

    def _object(self, expr: ObjectOf, scope: Mapping[str, Type]) -> Type:
        fields: dict[str, Type] = {}
        others: list[Type] = []
        for key, value in expr.items:
            kind = self.of(value, scope)
            if isinstance(key, Literal) and isinstance(key.value, str):
                fields[key.value] = kind
                continue
            others.append(kind)
            if flows(self.of(key, scope), STRING) is Flow.NO:
                self.problem(Code.WRONG_OPERAND, f"{to_source(key)} cannot be a key.", "a text")
        if others:
            return ObjectType((), join((*others, *fields.values())))
        return ObjectType(tuple((name, kind, True) for name, kind in fields.items()))

    def _comprehension(self, expr: Comprehension, scope: Mapping[str, Type]) -> Type:
        source = self.of(expr.source, scope)
        item = items_of(source)
        if flows(source, _LOOPED) is Flow.NO:
            self.problem(Code.NOT_ITERABLE, f"{to_source(expr.source)} is {source}, not a list.", "a list")
            item = ANY
        inner = {**scope, **self._targets(expr, item)}
        if expr.condition is not None:
            self._condition(expr.condition, self.of(expr.condition, inner))
        element = self.of(expr.element, inner)
        if expr.key is None:
            known = source if isinstance(source, ArrayType) else ARRAY
            least = known.min_items if expr.condition is None else 0
            return ArrayType(element, least, known.max_items)
        if flows(self.of(expr.key, inner), STRING) is Flow.NO:
            self.problem(Code.WRONG_OPERAND, f"{to_source(expr.key)} cannot be a key.", "a text")
        return ObjectType((), element)

    def _targets(self, expr: Comprehension, item: Type) -> dict[str, Type]:
        if len(expr.targets) == 1:
            return {expr.targets[0]: item}
        if flows(item, ARRAY) is Flow.NO:
            self.problem(Code.WRONG_OPERAND, f"{item} cannot be unpacked into {', '.join(expr.targets)}.", "a list")
            return dict.fromkeys(expr.targets, ANY)
        return {name: element(item, i) or ANY for i, name in enumerate(expr.targets)}

    # functions and texts

    def _apply(self, expr: Apply, scope: Mapping[str, Type]) -> Type:
        function = FUNCTIONS.get(expr.function)
        if function is None:
            close = get_close_matches(expr.function, list(FUNCTIONS), n=1, cutoff=0.7)
            hint = f"Did you mean {close[0]!r}?" if close else _TOOLS
            self._operands(expr, scope)
            return self.problem(Code.UNKNOWN_FUNCTION, f"there is no function {expr.function!r}.", suggestion=hint)
        bound = function.bind(expr.args, expr.keywords)
        if isinstance(bound, str):
            self._operands(expr, scope)
            message = f"{to_source(expr)}: {expr.function} {bound}."
            return self.problem(Code.FUNCTION_ARGUMENTS, message, function.signature)
        return self._result(function, bound, expr, scope)

    def _operands(self, expr: Apply, scope: Mapping[str, Type]) -> None:
        """Look for problems in the arguments of a call that is itself wrong."""
        for part in (*expr.args, *(value for _, value in expr.keywords)):
            if not isinstance(part, Lambda):
                self.of(part, scope)

    def _result(
        self, function: Function, bound: dict[str, tuple[Expr, ...]], expr: Apply, scope: Mapping[str, Type]
    ) -> Type:
        given: dict[str, Type] = {}
        good = True
        key: Expr | None = None
        for parameter in function.parameters:
            parts = bound.get(parameter.name, ())
            if parameter.takes_lambda:
                key = parts[0] if parts else None
                continue
            kinds = [self.of(part, scope) for part in parts]
            for kind, part in zip(kinds, parts, strict=True):
                good = self._accepted(parameter, kind, part, function) and good
            if parameter.variadic:
                given[parameter.name] = list_of(kinds)
            elif kinds:
                given[parameter.name] = kinds[0]
        if key is not None and not self._is_lambda(key, function):
            return ANY
        if not good:
            return ANY
        if function.name in ("sorted", "min", "max"):
            good = self._orders(function, given, key, scope)
        elif function.name == "format":
            good = self._formats(given)
        return function.result(given) if good else ANY

    def _formats(self, given: Mapping[str, Type]) -> bool:
        """Whether a value can be put into a format, as far as both are known."""
        value, spec = given["value"], given.get("spec", _NO_SPEC)
        if spec == _NO_SPEC:
            return True
        if flows(value, _FORMATTED) is Flow.NO:
            self.problem(Code.WRONG_OPERAND, f"format: cannot format {value}.", "a number or a text")
            return False
        for kind, fits, what, such in _FORMATS:
            if isinstance(spec, LiteralType) and flows(value, kind) is Flow.YES and not all(map(fits, spec.values)):
                message = f"format: {spec} is not a format for a {what}."
                self.problem(Code.WRONG_OPERAND, message, f"one such as {such}")
                return False
        return True

    def _orders(
        self, function: Function, given: Mapping[str, Type], key: Expr | None, scope: Mapping[str, Type]
    ) -> bool:
        """Whether the items, or what `key` makes of them, can be put into an order."""
        items = _looped(given)
        values = given.get("values")
        if isinstance(values, ArrayType) and len(values.prefix) == 1 and flows(values.prefix[0], _LOOPED) is Flow.NO:
            message = f"{function.name}: {values.prefix[0]} is neither a list nor several values."
            self.problem(Code.WRONG_OPERAND, message, "a list")
            return False
        rank = self.of(key.body, {**scope, key.item: items}) if isinstance(key, Lambda) else items
        if flows(rank, COMPARABLE) is not Flow.NO:
            return key is not None or self._order_together(function, given.get("values", given.get("items", ANY)))
        hint = "" if key is not None else "Give key=lambda item: item.field."
        self.problem(Code.WRONG_OPERAND, f"{function.name}: cannot order by {rank}.", "numbers or texts", hint)
        return False

    def _order_together(self, function: Function, values: Type) -> bool:
        """Whether the values that a list surely has can be compared with each other."""
        if isinstance(values, ArrayType) and len(values.prefix) == 1 and function.name != "sorted":
            values = values.prefix[0]
        sure = values.prefix[: values.min_items] if isinstance(values, ArrayType) else ()
        for left, right in pairwise(sure):
            if not ordered(left, right):
                self.problem(Code.WRONG_OPERAND, f"{function.name}: cannot compare {left} with {right}.")
                return False
        return True

    def _is_lambda(self, expr: Expr, function: Function) -> bool:
        if isinstance(expr, Lambda):
            return True
        self.problem(Code.FUNCTION_ARGUMENTS, f"{function.name}: key= takes a lambda.", "lambda item: item.field")
        return False

    def _accepted(self, parameter: Parameter, kind: Type, expr: Expr, function: Function) -> bool:
        if flows(kind, parameter.accepts) is not Flow.NO and not _holds_wrong_items(kind, parameter.accepts):
            return True
        text = to_source(expr)
        said = f"{text} cannot be used here" if text == str(kind) else f"{text} is {kind}"
        self.problem(Code.WRONG_OPERAND, f"{function.name}: {said}.", f"{parameter.name}: {parameter.accepts}")
        return False

    def _template(self, expr: Template, scope: Mapping[str, Type]) -> Type:
        for part in expr.parts:
            if not isinstance(part, str):
                self.of(part, scope)
        return STRING

    def _lambda(self, expr: Lambda, scope: Mapping[str, Type]) -> Type:
        return self.problem(Code.EXPRESSION, "a lambda stands only as key= of sorted, min and max.")

    def _malformed(self, expr: Malformed, scope: Mapping[str, Type]) -> Type:
        return self.problem(Code.EXPRESSION, f"{expr.text!r}: {expr.problem}.")

    _rules: ClassVar[Mapping[type, Callable[..., Type]]] = {
        Literal: _literal,
        Name: _name,
        Field: _field,
        Item: _item,
        Slice: _slice,
        Unary: _unary,
        Binary: _binary,
        Compare: _compare,
        Logical: _logical,
        Conditional: _conditional,
        ListOf: _list,
        ObjectOf: _object,
        Comprehension: _comprehension,
        Apply: _apply,
        Template: _template,
        Lambda: _lambda,
        Malformed: _malformed,
    }


def _looped(given: Mapping[str, Type]) -> Type:
    """What the ``key=`` of sorted, min or max sees."""
    if "items" in given:
        return items_of(given["items"])
    values = given.get("values", ANY)
    if isinstance(values, ArrayType) and len(values.prefix) == 1:
        return items_of(values.prefix[0])
    return items_of(values)


def _holds_wrong_items(kind: Type, accepted: Type) -> bool:
    """Whether a list that may be empty could hold no item that is accepted."""
    if not isinstance(kind, ArrayType) or not isinstance(accepted, ArrayType):
        return False
    return kind.max_items != 0 and flows(items_of(kind), accepted.items) is Flow.NO
