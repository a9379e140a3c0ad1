"""The process that does symbolic maths, so that a computation without end can be stopped.

Run as a script by `agentkit.tools._symbolic`; imports sympy and the standard library only. It reads one JSON request a
line and answers with one JSON object a line: ``{"result": …}``, or ``{"error": message}`` that the model can act on.
Formulas arrive as postfix programs, are built from the functions named below, and are never evaluated as code.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import sympy

MAX_MEMORY = 2 * 1024**3
MAX_EXPONENT = 1_000
MAX_BITS = 13_000
MAX_RESULT = 5_000
MAX_SOLUTIONS = 100


class Refused(Exception):
    """The request cannot be answered; the message is for the model."""


def _power(base: Any, exponent: Any) -> Any:
    if exponent.is_number and not exponent.is_zero and base not in (0, 1, -1):
        size = int(abs(exponent)) if exponent.is_Rational else 0
        digits = max(int(base.p).bit_length(), int(base.q).bit_length()) if base.is_Rational else 1
        if size > MAX_EXPONENT or size * digits > MAX_BITS:
            raise Refused("a power in it is too large to compute; use smaller exponents")
    return sympy.Pow(base, exponent)


def _small(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*arguments: Any) -> Any:
        for argument in arguments:
            if argument.is_Rational and abs(argument) > MAX_EXPONENT:
                raise Refused(f"{name}() takes integers up to {MAX_EXPONENT}, not {_short(argument)}")
        return function(*arguments)

    return apply


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _log(value: Any, base: Any = None) -> Any:
    return sympy.log(value) if base is None else sympy.log(value) / sympy.log(base)


def _no_round(*_: Any) -> Any:
    raise Refused("round() is not available in symbolic maths; use calculate() for numbers")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: sympy.floor(a / b),
    "%": sympy.Mod,
    "mod": sympy.Mod,
    "**": _power,
    "pow": _power,
    "negate": lambda a: -a,
    "abs": sympy.Abs,
    "Abs": sympy.Abs,
    "sqrt": sympy.sqrt,
    "cbrt": sympy.cbrt,
    "exp": sympy.exp,
    "ln": sympy.log,
    "log": _log,
    "log2": lambda a: sympy.log(a) / sympy.log(2),
    "log10": lambda a: sympy.log(a) / sympy.log(10),
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "atan2": sympy.atan2,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "ceiling": sympy.ceiling,
    "round": _no_round,
    "sign": sympy.sign,
    "factorial": _small("factorial", sympy.factorial),
    "comb": _small("comb", sympy.binomial),
    "binomial": _small("binomial", sympy.binomial),
    "perm": _small("perm", sympy.ff),
    "gcd": lambda *values: sympy.gcd(list(values)),
    "lcm": lambda *values: sympy.lcm(list(values)),
    "min": sympy.Min,
    "max": sympy.Max,
    "sum": sympy.Add,
    "mean": lambda *values: sympy.Add(*values) / len(values),
    "degrees": lambda a: a * 180 / sympy.pi,
    "radians": lambda a: a * sympy.pi / 180,
}
CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "E": sympy.E, "I": sympy.I, "oo": sympy.oo}


def build(program: list[list[Any]]) -> Any:
    """The sympy expression of a postfix `program`."""
    stack: list[Any] = []
    for kind, name, operands in program:
        if kind == "number":
            stack.append(sympy.Rational(name))
        elif kind == "constant":
            stack.append(CONSTANTS[name])
        elif kind == "variable":
            stack.append(sympy.Symbol(name))
        else:
            arguments = stack[len(stack) - operands :]
            del stack[len(stack) - operands :]
            stack.append(FUNCTIONS[name](*arguments))
    return stack.pop()


def _as_text(value: Any) -> str:
    if value in (sympy.zoo, sympy.nan) or value.has(sympy.zoo, sympy.nan):
        raise Refused("the result is undefined; check it for a division by zero")
    try:
        text = str(value)
    except ValueError:
        raise Refused("the result has too many digits to write down") from None
    if len(text) > MAX_RESULT:
        raise Refused(f"the result has {len(text)} characters, more than {MAX_RESULT}; ask for something smaller")
    return text


def _simplify(programs: list[Any], **_: Any) -> str:
    return _as_text(sympy.simplify(build(programs[0])))


def _differentiate(programs: list[Any], variable: str, order: int, **_: Any) -> str:
    return _as_text(sympy.simplify(sympy.diff(build(programs[0]), sympy.Symbol(variable), order)))


def _integrate(programs: list[Any], variable: str, **_: Any) -> str:
    symbol = sympy.Symbol(variable)
    integrand = build(programs[0])
    if len(programs) == 1:
        result = sympy.integrate(integrand, symbol)
    else:
        result = sympy.integrate(integrand, (symbol, build(programs[1]), build(programs[2])))
    if result.has(sympy.Integral):
        raise Refused("no closed form of this integral is known")
    return _as_text(sympy.simplify(result))


def _solve(programs: list[Any], variable: str, **_: Any) -> dict[str, Any]:
    symbol = sympy.Symbol(variable)
    difference = build(programs[0]) - build(programs[1])
    if sympy.simplify(difference) == 0:
        return {"variable": variable, "kind": "all", "solutions": [], "values": []}
    if not difference.has(symbol):
        return {"variable": variable, "kind": "none", "solutions": [], "values": []}
    try:
        found = sympy.solve(difference, symbol)
    except NotImplementedError:
        raise Refused("no method is known to solve this equation exactly") from None
    if len(found) > MAX_SOLUTIONS:
        raise Refused(f"the equation has {len(found)} solutions, more than {MAX_SOLUTIONS}")
    values = sorted({value for value in map(_real_value, found) if value is not None})
    kind = "some" if found else "none"
    return {"variable": variable, "kind": kind, "solutions": [_as_text(one) for one in found], "values": values}


def _real_value(solution: Any) -> float | None:
    if solution.free_symbols:
        return None
    number = complex(solution.evalf())
    # Roots of cubics are written with complex radicals although they are real; rounding leaves a trace of them.
    return number.real if abs(number.imag) <= 1e-9 * max(1.0, abs(number.real)) else None


OPERATIONS: dict[str, Callable[..., Any]] = {
    "simplify": _simplify,
    "differentiate": _differentiate,
    "integrate": _integrate,
    "solve": _solve,
}


def answer(line: str) -> dict[str, Any]:
    """Carry out one request."""
    request = json.loads(line)
    operation = OPERATIONS[request.pop("operation")]
    try:
        return {"result": operation(**request)}
    except Refused as refusal:
        return {"error": str(refusal)}
    except MemoryError:
        return {"error": "the computation needs too much memory; ask for something smaller"}
    except RecursionError:
        return {"error": "the expression is too deeply nested to compute; ask for something smaller"}
    except Exception as error:  # noqa: BLE001 - sympy raises anything at odd input, and the process must go on
        return {"error": f"sympy cannot do this ({type(error).__name__}: {_short(error)})"}


def _limit(seconds: float) -> None:
    """Let the system end this process when a request takes too long and nobody is left who would."""
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def main() -> None:
    """Answer requests until standard input ends. The first argument is the time limit of each, in seconds."""
    _limit_memory()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout = sys.stderr
    replies.write("ready\n")
    replies.flush()
    for line in sys.stdin:
        _limit(float(sys.argv[1]))
        reply = json.dumps(answer(line))
        _limit(0)
        replies.write(reply + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
