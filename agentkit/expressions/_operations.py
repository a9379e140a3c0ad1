"""Operators on JSON values: Python's, made strict about types and bounded."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from typing import Final

from agentkit.expressions._bounds import (
    MAX_BITS,
    MAX_TEXT,
    Budget,
    Refusal,
    charge,
    charge_text,
    check_integer,
    check_list,
    check_text,
    kind_of,
    mistyped,
    too_large,
    weigh,
)
from agentkit.messages import Json

_SMALL = 1 << 62
_LARGE_INTEGER_STEPS = 32

_VERBS: Final = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "//": "divide",
    "%": "divide",
    "**": "raise",
}


def is_number(value: Json) -> bool:
    """Whether a value is a number; booleans are none."""
    kind = type(value)
    return kind is int or kind is float


def finite(value: float) -> float:
    """`value`, unless it is infinite or not a number."""
    if not math.isfinite(value):
        raise Refusal("the number is too large")
    return value


def as_integer(value: Json, what: str) -> int:
    """A whole number, also one written ``3.0``, as an int."""
    if type(value) is int:
        return value
    if type(value) is float:
        if value.is_integer():
            return int(value)
        raise Refusal(f"{what} must be a whole number, not {value!r}")
    raise mistyped(f"{what} must be a whole number, not {kind_of(value)}")


def settle(value: Json, budget: Budget) -> Json:
    """The result of arithmetic, if it is inside the bounds."""
    if type(value) is float:
        return finite(value)
    if type(value) is int:
        if not -_SMALL < value < _SMALL:
            charge(budget, _LARGE_INTEGER_STEPS)
            return check_integer(value)
        return value
    raise Refusal("the result is not a real number")


def _numbers(symbol: str, left: Json, right: Json) -> None:
    if is_number(left) and is_number(right):
        return
    texts = type(left) is str or type(right) is str
    hint = '; write f"{a}{b}" to put values into a text' if texts and symbol in "+%" else ""
    raise mistyped(f"cannot {_VERBS[symbol]} {kind_of(left)} and {kind_of(right)}{hint}")


def add(left: Json, right: Json, budget: Budget) -> Json:
    """``left + right`` of numbers, texts or lists."""
    if type(left) is str and type(right) is str:
        check_text(len(left) + len(right))
        charge_text(budget, len(left) + len(right))
        return left + right
    if type(left) is list and type(right) is list:
        check_list(len(left) + len(right))
        charge(budget, 1 + (len(left) + len(right)) // 8)
        return left + right
    _numbers("+", left, right)
    return settle(left + right, budget)


def subtract(left: Json, right: Json, budget: Budget) -> Json:
    """``left - right`` of numbers."""
    _numbers("-", left, right)
    return settle(left - right, budget)


def multiply(left: Json, right: Json, budget: Budget) -> Json:
    """``left * right`` of numbers, or a text or list repeated."""
    if type(right) in (str, list):
        left, right = right, left
    if type(left) is str and is_number(right):
        times = max(as_integer(right, "the number of repetitions"), 0)
        check_text(len(left) * times)
        charge_text(budget, len(left) * times)
        return left * times
    if type(left) is list and is_number(right):
        times = max(as_integer(right, "the number of repetitions"), 0)
        check_list(len(left) * times)
        charge(budget, 1 + len(left) * times // 8)
        return left * times
    _numbers("*", left, right)
    return settle(left * right, budget)


def divide(left: Json, right: Json, budget: Budget) -> Json:
    """``left / right`` of numbers."""
    _numbers("/", left, right)
    if right == 0:
        raise Refusal("division by zero")
    return settle(left / right, budget)


def floor_divide(left: Json, right: Json, budget: Budget) -> Json:
    """``left // right`` of numbers."""
    _numbers("//", left, right)
    if right == 0:
        raise Refusal("division by zero")
    return settle(left // right, budget)


def remainder(left: Json, right: Json, budget: Budget) -> Json:
    """``left % right`` of numbers."""
    _numbers("%", left, right)
    if right == 0:
        raise Refusal("division by zero")
    return settle(left % right, budget)


def power(left: Json, right: Json, budget: Budget) -> Json:
    """``left ** right`` of numbers; the size of the result is known before it is computed."""
    _numbers("**", left, right)
    if left == 0 and right < 0:
        raise Refusal("division by zero")
    if type(left) is int and type(right) is int:
        least_bits = (left.bit_length() - 1) * right
        if least_bits > MAX_BITS:
            raise too_large(f"the number would have over {_some(least_bits)} bits; at most {MAX_BITS:,} are allowed")
        if right < 0:
            return settle(float(left) ** right, budget)
    return settle(left**right, budget)


def _some(number: int) -> str:
    return f"{number:,}" if number < 10**15 else "10**15"


def negative(value: Json, budget: Budget) -> Json:
    """``-value``."""
    if not is_number(value):
        raise mistyped(f"cannot negate {kind_of(value)}")
    return settle(-value, budget)


def positive(value: Json, budget: Budget) -> Json:
    """``+value``."""
    if not is_number(value):
        raise mistyped(f"cannot apply + to {kind_of(value)}")
    return value


BINARY: Final[dict[str, Callable[[Json, Json, Budget], Json]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "//": floor_divide,
    "%": remainder,
    "**": power,
}


def equal(left: Json, right: Json, budget: Budget) -> bool:
    """Whether two JSON values are equal; ``true`` is not ``1``."""
    kind = type(left)
    if kind is not type(right):
        return is_number(left) and is_number(right) and left == right
    if kind is str:
        charge_text(budget, min(len(left), len(right)))
        return bool(left == right)
    if kind is list:
        if len(left) != len(right):
            return False
        charge(budget, len(left))
        return all(equal(one, other, budget) for one, other in zip(left, right, strict=True))
    if kind is dict:
        if len(left) != len(right):
            return False
        charge(budget, len(left))
        return all(key in right and equal(value, right[key], budget) for key, value in left.items())
    return bool(left == right)


def member(item: Json, container: Json, budget: Budget) -> bool:
    """``item in container`` of a list, of an object's keys, or of a text."""
    if type(container) is list:
        charge(budget, len(container))
        return any(equal(item, other, budget) for other in container)
    if type(container) is dict:
        return type(item) is str and item in container
    if type(container) is str:
        if type(item) is not str:
            raise mistyped(f"cannot look for {kind_of(item)} in a text")
        charge_text(budget, len(container) + len(item))
        return item in container
    raise mistyped(f"cannot look into {kind_of(container)}; expected a list, an object or a text")


def ordered(left: Json, right: Json, budget: Budget) -> int:
    """Negative, zero or positive as `left` is less than, equal to or greater than `right`."""
    if is_number(left) and is_number(right):
        return int(left > right) - int(left < right)
    if type(left) is str and type(right) is str:
        charge_text(budget, min(len(left), len(right)))
        return int(left > right) - int(left < right)
    if type(left) is list and type(right) is list:
        charge(budget, min(len(left), len(right)))
        for one, other in zip(left, right, strict=False):
            if found := 0 if equal(one, other, budget) else ordered(one, other, budget):
                return found
        return len(left) - len(right)
    raise mistyped(f"cannot compare {kind_of(left)} with {kind_of(right)}")


def _by_order(test: Callable[[int, int], bool]) -> Callable[[Json, Json, Budget], bool]:
    return lambda left, right, budget: test(ordered(left, right, budget), 0)


COMPARISONS: Final[dict[str, Callable[[Json, Json, Budget], bool]]] = {
    "==": equal,
    "!=": lambda left, right, budget: not equal(left, right, budget),
    "is": equal,
    "is-not": lambda left, right, budget: not equal(left, right, budget),
    "<": _by_order(operator.lt),
    "<=": _by_order(operator.le),
    ">": _by_order(operator.gt),
    ">=": _by_order(operator.ge),
    "in": member,
    "not-in": lambda left, right, budget: not member(left, right, budget),
}


def to_text(value: Json, budget: Budget) -> str:
    """A value as text: a text as it is, anything else as JSON (``true``, ``null``, ``[1, 2]``)."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is int:
        charge(budget, 1 + value.bit_length() // _LARGE_INTEGER_STEPS)
        return str(value)
    if kind is list or kind is dict:
        charge(budget, weigh(value, MAX_TEXT // 2))
        try:
            text = json.dumps(value, ensure_ascii=False)
        except TypeError as error:
            raise mistyped(f"the value is not JSON: {error}") from error
        check_text(len(text))
        return text
    if kind is float:
        return repr(value)
    if value is None or kind is bool:
        return {None: "null", True: "true", False: "false"}[value]
    raise mistyped(f"a {kind.__name__} is not JSON")
