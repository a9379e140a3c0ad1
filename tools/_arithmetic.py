"""Runs a formula on numbers: exact for integers and fractions, floating point where only that exists.

Integers and decimals are rationals here, so that ``0.1 + 0.2`` is ``0.3``. Every intermediate value is bounded, and
powers, factorials and binomials are refused before they are computed, so that no formula takes long
or needs much memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from agentkit.errors import ModelRetry
from agentkit.tools._formula import Instruction

Number = Fraction | float

MAX_BITS = 13_000
"""Of a numerator or denominator: about 3,900 digits, which Python still prints as decimal text."""

MAX_FACTORIAL = 1_000

_CONSTANTS = {"pi": math.pi, "e": math.e, "E": math.e}


def evaluate(program: Sequence[Instruction]) -> int | float:
    """The value of `program`: an integer if it is one exactly, else the nearest decimal number.

    Raises:
        ModelRetry: If there is no such real number, or it is too large.
    """
    stack: list[Number] = []
    for kind, name, operands in program:
        if kind == "number":
            stack.append(Fraction(name))
        elif kind == "constant":
            stack.append(_constant(name))
        elif kind == "variable":
            raise ModelRetry(
                f"calculate() takes numbers only, and {name!r} is not one; "
                "put its value in its place, or use the symbolic tools"
            )
        else:
            arguments = stack[len(stack) - operands :]
            del stack[len(stack) - operands :]
            stack.append(_apply(name, arguments))
    return _finish(stack.pop())


def _constant(name: str) -> float:
    if name not in _CONSTANTS:
        raise ModelRetry(f"calculate() works with real numbers, and {name!r} is not one; use simplify_expression()")
    return _CONSTANTS[name]


def _apply(name: str, arguments: list[Number]) -> Number:
    shown = _shown(name, arguments)
    try:
        result: int | Number | complex = _OPERATIONS[name](*arguments)
    except ZeroDivisionError:
        raise ModelRetry("division by zero; check the divisor first") from None
    except OverflowError:
        raise ModelRetry(f"{shown} is too large for a decimal number") from None
    except ValueError:
        raise ModelRetry(f"{shown} has no real value") from None
    if isinstance(result, complex) or (isinstance(result, float) and not math.isfinite(result)):
        raise ModelRetry(f"{shown} has no real value")
    if isinstance(result, int):
        result = Fraction(result)
    if isinstance(result, Fraction) and _bits(result) > MAX_BITS:
        raise _too_large()
    return result


def _shown(name: str, arguments: list[Number]) -> str:
    texts = [_short(argument) for argument in arguments]
    if name.isalnum():
        return f"{name}({', '.join(texts)})"
    return f" {name} ".join(text if text.isalnum() else f"({text})" for text in texts)


def _finish(value: Number) -> int | float:
    if isinstance(value, float):
        return value
    if value.denominator == 1:
        return value.numerator
    try:
        nearest = float(value)
    except OverflowError:
        raise ModelRetry("the result is too large for a decimal number; round() it to an integer") from None
    if nearest == 0.0:
        raise ModelRetry("the result is too close to zero for a decimal number; scale the formula up")
    return nearest


def _short(value: Number) -> str:
    if isinstance(value, Fraction) and _bits(value) > 100:
        return "…"
    return str(value)


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _too_large() -> ModelRetry:
    return ModelRetry("the result would have thousands of digits, which is too large to compute; use smaller numbers")


def _integers(name: str, *values: Number) -> list[int]:
    whole = [int(value) for value in values if value == int(value)]
    if len(whole) < len(values):
        raise ModelRetry(f"{name}() takes integers, not {', '.join(map(_short, values))}")
    return whole


def _power(base: Number, exponent: Number) -> Any:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        # 1 and -1 stay small whatever the exponent is.
        if abs(base) != 1 and abs(exponent) * max(_bits(base) - 1, 1) > MAX_BITS:
            raise _too_large()
        return base ** int(exponent)
    return float(base) ** float(exponent)


def _root(value: Number) -> Number:
    if isinstance(value, Fraction) and value >= 0:
        top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if (top * top, bottom * bottom) == (value.numerator, value.denominator):
            return Fraction(top, bottom)
    return math.sqrt(value)


def _round(value: Number, digits: Number = Fraction(0)) -> Number:
    (places,) = _integers("round", digits)
    if abs(places) > MAX_FACTORIAL:
        raise ModelRetry(f"round() takes at most {MAX_FACTORIAL} decimal places, not {places}")
    return round(value, places) if isinstance(value, float) else Fraction(round(value, places))


def _factorial(value: Number) -> int:
    (number,) = _integers("factorial", value)
    if not 0 <= number <= MAX_FACTORIAL:
        raise ModelRetry(f"factorial() takes an integer from 0 to {MAX_FACTORIAL}, not {_short(value)}")
    return math.factorial(number)


def _choose(name: str, count: Callable[[int, int], int]) -> Callable[[Number, Number], int]:
    def apply(n: Number, k: Number) -> int:
        items, taken = _integers(name, n, k)
        if items < 0 or taken < 0:
            raise ModelRetry(f"{name}() takes integers that are not negative")
        fewest = min(taken, items - taken) if name == "comb" else taken
        if fewest * items.bit_length() > MAX_BITS:
            raise _too_large()
        return count(items, taken)

    return apply


def _logarithm(value: Number, base: Number | None = None) -> float:
    if base in (2, 10):
        return _wide(math.log2 if base == 2 else math.log10)(value)
    return _wide(math.log)(value) if base is None else _wide(math.log)(value) / _wide(math.log)(base)


def _wide(logarithm: Callable[[int | float], float]) -> Callable[[Number], float]:
    """`logarithm` for fractions that no float can hold."""

    def apply(value: Number) -> float:
        if isinstance(value, Fraction) and value > 0 and _bits(value) > 1000:
            return logarithm(value.numerator) - logarithm(value.denominator)
        return logarithm(float(value))

    return apply


def _real(function: Callable[[float], float]) -> Callable[[Number], float]:
    return lambda value: function(float(value))


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "mod": lambda a, b: a % b,
    "**": _power,
    "pow": _power,
    "negate": lambda a: -a,
    "abs": abs,
    "Abs": abs,
    "sqrt": _root,
    "cbrt": _real(math.cbrt),
    "exp": _real(math.exp),
    "ln": _wide(math.log),
    "log": _logarithm,
    "log2": _wide(math.log2),
    "log10": _wide(math.log10),
    "sin": _real(math.sin),
    "cos": _real(math.cos),
    "tan": _real(math.tan),
    "asin": _real(math.asin),
    "acos": _real(math.acos),
    "atan": _real(math.atan),
    "atan2": lambda a, b: math.atan2(float(a), float(b)),
    "sinh": _real(math.sinh),
    "cosh": _real(math.cosh),
    "tanh": _real(math.tanh),
    "floor": math.floor,
    "ceil": math.ceil,
    "ceiling": math.ceil,
    "round": _round,
    "sign": lambda a: (a > 0) - (a < 0),
    "factorial": _factorial,
    "comb": _choose("comb", math.comb),
    "binomial": _choose("comb", math.comb),
    "perm": _choose("perm", math.perm),
    "gcd": lambda *values: math.gcd(*_integers("gcd", *values)),
    "lcm": lambda *values: math.lcm(*_integers("lcm", *values)),
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "sum": lambda *values: sum(values),
    "mean": lambda *values: sum(values) / len(values),
    "degrees": _real(math.degrees),
    "radians": _real(math.radians),
}
