"""Evaluation: expressions compiled to closures over JSON values, with every bound enforced.

Nothing of Python can be reached: names are looked up in the scope, attributes are keys of JSON objects, and calls are
of the fixed functions. Values of the scope are never changed; results may share structure with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from agentkit.errors import ExpressionError
from agentkit.expressions._bounds import (
    MAX_DEPTH,
    MAX_STEPS,
    Budget,
    Refusal,
    charge,
    check_list,
    check_text,
    kind_of,
    mistyped,
    too_large,
    weigh,
)
from agentkit.expressions._failures import error_of, misplaced_lambda
from agentkit.expressions._lookup import listed, looked_up, no_field
from agentkit.expressions._operations import BINARY, COMPARISONS, as_integer, negative, positive, to_text
from agentkit.expressions.functions import FUNCTIONS
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
    children,
    deeper_than,
    names,
)
from agentkit.messages import Json

Scope: TypeAlias = Mapping[str, Json]
Compiled: TypeAlias = Callable[[Scope], Json]
_Inner: TypeAlias = Callable[[Scope, Budget], Json]

_MOST_NESTED: Final = 2 * MAX_DEPTH + 8


def evaluate(expr: Expr, scope: Scope) -> Json:
    """The value of an expression.

    Args:
        expr: The expression.
        scope: JSON values by name.

    Raises:
        ExpressionError: There is no such value, or it would be too large; names the sub-expression and the reason.
    """
    return compile_expression(expr)(scope)


def compile_expression(expr: Expr) -> Compiled:
    """A function from scopes to the value of `expr`, for expressions that are evaluated more than once.

    The function raises `ExpressionError` as `evaluate` does. Compiling itself does not fail.
    """
    if isinstance(expr, Literal):
        constant = expr.value
        return lambda scope: constant
    if deeper_than(expr, _MOST_NESTED):
        return _failing(f"the expression is nested more than {_MOST_NESTED} deep")
    inner = _compile(expr)
    builds = _builds(expr)

    def run(scope: Scope) -> Json:
        try:
            value = inner(scope, [MAX_STEPS])
            if builds:
                weigh(value)
        except Refusal as refusal:
            raise error_of(expr, refusal) from refusal
        except (RecursionError, MemoryError) as error:
            raise error_of(expr, too_large("the values are too large or nested too deeply")) from error
        return value

    return run


def _failing(reason: str) -> Compiled:
    def run(scope: Scope) -> Json:
        raise ExpressionError(reason)

    return run


def _builds(expr: Expr) -> bool:
    """Whether the value may be larger than the values it is made of, so that its size must be looked at."""
    if isinstance(expr, ListOf | ObjectOf):
        return any(not isinstance(part, Literal) for part in children(expr))
    if isinstance(expr, Comprehension | Apply) or (isinstance(expr, Binary) and expr.op in "+*"):
        return True
    return any(_builds(part) for part in children(expr))


def _compile(expr: Expr) -> _Inner:
    match expr:
        case Literal(value):
            return lambda scope, budget: value
        case Name():
            return _name(expr)
        case Field():
            return _field(expr)
        case Item():
            return _item(expr)
        case Slice():
            return _slice(expr)
        case Unary():
            return _unary(expr)
        case Binary():
            return _binary(expr)
        case Compare():
            return _compare(expr)
        case Logical():
            return _logical(expr)
        case Conditional():
            return _conditional(expr)
        case ListOf(items):
            parts = [_compile(item) for item in items]
            return lambda scope, budget: [part(scope, budget) for part in parts]
        case ObjectOf():
            return _object(expr)
        case Comprehension():
            return _comprehension(expr)
        case Apply():
            return _apply(expr)
        case Template():
            return _template(expr)
        case Lambda():
            return _refusing(expr, "a lambda is for key= of sorted, min and max only")
        case Malformed(_, problem):
            return _refusing(expr, problem)


def _refusing(expr: Expr, reason: str) -> _Inner:
    def run(scope: Scope, budget: Budget) -> Json:
        raise error_of(expr, mistyped(reason))

    return run


def _name(expr: Name) -> _Inner:
    name = expr.id

    def run(scope: Scope, budget: Budget) -> Json:
        try:
            return scope[name]
        except KeyError:
            raise error_of(expr, mistyped(f"nothing defines {name!r} here; names are {listed(scope)}")) from None

    return run


def _field(expr: Field) -> _Inner:
    of, key = _compile(expr.of), expr.key

    def run(scope: Scope, budget: Budget) -> Json:
        value = of(scope, budget)
        if type(value) is dict and key in value:
            return value[key]
        raise error_of(expr, no_field(value, key))

    return run


def _item(expr: Item) -> _Inner:
    of, index = _compile(expr.of), _compile(expr.index)

    def run(scope: Scope, budget: Budget) -> Json:
        value, at = of(scope, budget), index(scope, budget)
        if type(at) is int and (type(value) is list or type(value) is str) and -len(value) <= at < len(value):
            return value[at]
        if type(at) is str and type(value) is dict and at in value:
            return value[at]
        try:
            return looked_up(value, at)
        except Refusal as refusal:
            raise error_of(expr, refusal) from refusal

    return run


def _slice(expr: Slice) -> _Inner:
    of = _compile(expr.of)
    parts = [None if part is None else _compile(part) for part in (expr.start, expr.stop, expr.step)]

    def run(scope: Scope, budget: Budget) -> Json:
        value = of(scope, budget)
        bounds = [None if part is None else part(scope, budget) for part in parts]
        try:
            if type(value) is not list and type(value) is not str:
                raise mistyped(f"{kind_of(value)} cannot be sliced")
            start, stop, step = (None if bound is None else as_integer(bound, "the bound") for bound in bounds)
            if step == 0:
                raise Refusal("the step must not be 0")
            charge(budget, 1 + len(value) // 8)
            return value[start:stop:step]
        except Refusal as refusal:
            raise error_of(expr, refusal) from refusal

    return run


def _unary(expr: Unary) -> _Inner:
    operand = _compile(expr.operand)
    if expr.op == "not":
        test = _boolean(expr.operand, operand)
        return lambda scope, budget: not test(scope, budget)
    apply = negative if expr.op == "-" else positive

    def run(scope: Scope, budget: Budget) -> Json:
        value = operand(scope, budget)
        try:
            return apply(value, budget)
        except Refusal as refusal:
            raise error_of(expr, refusal) from refusal

    return run


def _boolean(expr: Expr, inner: _Inner) -> _Inner:
    """`inner`, refusing whatever is not a boolean."""

    def run(scope: Scope, budget: Budget) -> Json:
        value = inner(scope, budget)
        if value is True or value is False:
            return value
        reason = f"the condition is {kind_of(value)}; compare explicitly, e.g. x is not None, or len(x) > 0"
        raise error_of(expr, mistyped(reason))

    return run


def _binary(expr: Binary) -> _Inner:
    left, right, operate = _compile(expr.left), _compile(expr.right), BINARY[expr.op]

    def run(scope: Scope, budget: Budget) -> Json:
        one, other = left(scope, budget), right(scope, budget)
        try:
            return operate(one, other, budget)
        except Refusal as refusal:
            raise error_of(expr, refusal) from refusal
        except OverflowError:
            raise error_of(expr, too_large("the number is too large")) from None

    return run


def _compare(expr: Compare) -> _Inner:
    first = _compile(expr.first)
    tests = [(COMPARISONS[op], _compile(part)) for op, part in zip(expr.ops, expr.rest, strict=True)]

    def run(scope: Scope, budget: Budget) -> Json:
        left = first(scope, budget)
        for test, part in tests:
            right = part(scope, budget)
            try:
                if not test(left, right, budget):
                    return False
            except Refusal as refusal:
                raise error_of(expr, refusal) from refusal
            left = right
        return True

    return run


def _logical(expr: Logical) -> _Inner:
    tests = [_boolean(operand, _compile(operand)) for operand in expr.operands]
    decisive = expr.op == "or"

    def run(scope: Scope, budget: Budget) -> Json:
        for test in tests:
            if test(scope, budget) is decisive:
                return decisive
        return not decisive

    return run


def _conditional(expr: Conditional) -> _Inner:
    test = _boolean(expr.condition, _compile(expr.condition))
    then, otherwise = _compile(expr.then), _compile(expr.otherwise)
    return lambda scope, budget: then(scope, budget) if test(scope, budget) else otherwise(scope, budget)


def _object(expr: ObjectOf) -> _Inner:
    if all(isinstance(key, Literal) and isinstance(key.value, str) for key, _ in expr.items):
        fixed = [(key.value, _compile(value)) for key, value in expr.items if isinstance(key, Literal)]
        return lambda scope, budget: {name: value(scope, budget) for name, value in fixed}
    fields = [(_compile(key), _compile(value)) for key, value in expr.items]

    def run(scope: Scope, budget: Budget) -> Json:
        return {_key(expr, key(scope, budget)): value(scope, budget) for key, value in fields}

    return run


def _key(expr: Expr, key: Json) -> str:
    if type(key) is str:
        return key
    raise error_of(expr, mistyped(f"a key must be a text, not {kind_of(key)}; write str(…)"))


def _size(expr: Expr | None) -> int:
    return 0 if expr is None else 1 + sum(map(_size, children(expr)))


def _free(expr: Expr | None) -> frozenset[str]:
    return frozenset() if expr is None else names(expr)


def _items(value: Json) -> Sequence[Json]:
    if type(value) is list:
        return value
    if type(value) is dict:
        return list(value)
    raise mistyped(f"cannot loop over {kind_of(value)}; expected a list")


def _comprehension(expr: Comprehension) -> _Inner:
    source, element, targets = _compile(expr.source), _compile(expr.element), expr.targets
    test = None if expr.condition is None else _boolean(expr.condition, _compile(expr.condition))
    key = None if expr.key is None else _compile(expr.key)
    outer = (_free(expr.element) | _free(expr.condition) | _free(expr.key)) - frozenset(targets)
    steps = 1 + _size(expr.element) + _size(expr.condition) + _size(expr.key)

    def run(scope: Scope, budget: Budget) -> Json:
        values = source(scope, budget)
        inner = {name: scope[name] for name in outer if name in scope}
        found: list[Json] = []
        keyed: dict[str, Json] = {}
        try:
            for item in _items(values):
                charge(budget, steps)
                _bind(inner, targets, item)
                if test is not None and not test(inner, budget):
                    continue
                if key is None:
                    found.append(element(inner, budget))
                else:
                    name = _key(expr, key(inner, budget))
                    keyed[name] = element(inner, budget)
            check_list(len(found) + len(keyed))
        except Refusal as refusal:
            raise error_of(expr, refusal) from refusal
        return found if key is None else keyed

    return run


def _bind(scope: dict[str, Json], targets: tuple[str, ...], item: Json) -> None:
    if len(targets) == 1:
        scope[targets[0]] = item
        return
    if type(item) is not list:
        raise mistyped(f"cannot take {kind_of(item)} apart into {', '.join(targets)}; expected a list")
    if len(item) != len(targets):
        raise Refusal(f"cannot take a list of {len(item)} apart into {', '.join(targets)}")
    scope.update(zip(targets, item, strict=True))


def _apply(expr: Apply) -> _Inner:
    function = FUNCTIONS.get(expr.function)
    if function is None:
        return _refusing(expr, f"there is no function {expr.function!r}")
    bound = function.bind(expr.args, expr.keywords)
    if isinstance(bound, str):
        return _refusing(expr, f"{expr.function} {bound}; it is {function.signature}")
    if problem := misplaced_lambda(function, expr):
        return _refusing(expr, problem)
    run, args = function.run, [_compile(arg) for arg in expr.args]
    keywords = [(name, _argument(value)) for name, value in expr.keywords]

    def call(scope: Scope, budget: Budget) -> Json:
        given = [arg(scope, budget) for arg in args]
        named = {name: value(scope, budget) for name, value in keywords}
        try:
            charge(budget, 1)
            return run(budget, *given, **named)
        except Refusal as refusal:
            raise error_of(expr, refusal) from refusal
        except OverflowError:
            raise error_of(expr, too_large("the number is too large")) from None

    return call


def _argument(expr: Expr) -> _Inner:
    """A keyword argument; a lambda becomes a Python function that the implementations call."""
    if not isinstance(expr, Lambda):
        return _compile(expr)
    body, item, steps = _compile(expr.body), expr.item, 1 + _size(expr.body)
    outer = names(expr)

    def make(scope: Scope, budget: Budget) -> Callable[[Json], Json]:
        inner = {name: scope[name] for name in outer if name in scope}

        def call(value: Json) -> Json:
            charge(budget, steps)
            inner[item] = value
            return body(inner, budget)

        return call

    return make


def _template(expr: Template) -> _Inner:
    parts = [part if isinstance(part, str) else _compile(part) for part in expr.parts]

    def run(scope: Scope, budget: Budget) -> str:
        texts, length = [], 0
        try:
            for part in parts:
                text = part if isinstance(part, str) else to_text(part(scope, budget), budget)
                length += len(text)
                check_text(length)
                texts.append(text)
            charge(budget, 1 + length // 64)
        except Refusal as refusal:
            raise error_of(expr, refusal) from refusal
        return "".join(texts)

    return run
