"""The safe front of the maths tools: text to a flat postfix program, with nothing evaluated on the way.

A program is a tuple of instructions that a stack machine runs from left to right. It is plain data (it crosses a
process border as JSON), it has no depth, and it can name nothing but numbers, variables, and the constants and
functions below.
The grammar is the one of school books and of Python, whichever a model writes: ``^`` and ``**``, ``2x``, ``5!``,
``15% of 240``, ``199,999 / 292``.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import NoReturn

from agentkit.errors import ModelRetry

Instruction = tuple[str, str, int]
"""Kind (``number``, ``constant``, ``variable``, ``call``), its name or digits, and how many operands it takes."""

MAX_CHARACTERS = 1_000
MAX_DEPTH = 50
MAX_DIGITS = 1_000

CONSTANTS = ("pi", "e", "E", "I", "oo")
_INFINITY = ("inf", "infinity")
FUNCTIONS = {
    "abs": (1, 1), "Abs": (1, 1), "sqrt": (1, 1), "cbrt": (1, 1), "exp": (1, 1), "ln": (1, 1), "log": (1, 2),
    "log2": (1, 1), "log10": (1, 1), "sin": (1, 1), "cos": (1, 1), "tan": (1, 1), "asin": (1, 1), "acos": (1, 1),
    "atan": (1, 1), "atan2": (2, 2), "sinh": (1, 1), "cosh": (1, 1), "tanh": (1, 1), "floor": (1, 1), "ceil": (1, 1),
    "ceiling": (1, 1), "round": (1, 2), "sign": (1, 1), "factorial": (1, 1), "comb": (2, 2), "binomial": (2, 2),
    "perm": (2, 2), "gcd": (2, 20), "lcm": (2, 20), "min": (1, 20), "max": (1, 20), "sum": (1, 20), "mean": (1, 20),
    "mod": (2, 2), "pow": (2, 2), "degrees": (1, 1), "radians": (1, 1),
}  # fmt: skip
"""Every function that a formula may call, with its smallest and largest number of arguments."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<op>\*\*|//|[-+*/%^!(),=]))",
    re.ASCII,
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])", re.ASCII)
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "π": "pi ", "∞": "oo ", "²": "^2", "³": "^3"})
_ADDITIVE, _MULTIPLICATIVE, _PREFIX, _POWER = 10, 20, 30, 40


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_formula(text: str) -> tuple[Instruction, ...]:
    """Parse one expression, such as ``3*x^2 - sqrt(2)``.

    Args:
        text: The expression, at most `MAX_CHARACTERS` long and `MAX_DEPTH` deep.

    Raises:
        ModelRetry: If `text` is not an expression of this grammar; the message says where and what to write.
    """
    parser = _Parser(text)
    parser.expression(0)
    if parser.ahead.text == "=":
        parser.fail("there is an '=' here, but an expression is wanted, not an equation")
    parser.finish()
    return tuple(parser.program)


def parse_equation(text: str) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...]]:
    """Parse ``left = right`` (or ``left == right``); an expression without ``=`` is taken as equal to zero.

    Args:
        text: The equation, with the limits of `parse_formula`.

    Raises:
        ModelRetry: If `text` is not an equation of this grammar.
    """
    parser = _Parser(text.replace("==", "="))
    parser.expression(0)
    left = tuple(parser.program)
    if parser.ahead.text != "=":
        parser.finish()
        return left, (("number", "0", 0),)
    parser.advance()
    parser.program.clear()
    parser.expression(0)
    if parser.ahead.text == "=":
        parser.fail("there is a second '='; give one equation at a time")
    parser.finish()
    return left, tuple(parser.program)


def variables(program: tuple[Instruction, ...]) -> list[str]:
    """The names that `program` leaves open, sorted."""
    return sorted({name for kind, name, _ in program if kind == "variable"})


class _Parser:
    """A precedence climber that emits postfix instructions."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_CHARACTERS:
            raise ModelRetry(
                f"the expression has {len(text)} characters; at most {MAX_CHARACTERS} are taken; split it into several"
            )
        if not text.strip():
            raise ModelRetry("the expression is empty; write one such as '199999 / 292'")
        self.text = text.translate(_SPELLINGS)
        self.program: list[Instruction] = []
        self._tokens = _tokens(self.text)
        self._next = 0
        self._depth = 0

    @property
    def ahead(self) -> _Token:
        return self._tokens[self._next]

    def advance(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def fail(self, why: str) -> NoReturn:
        _fail(self.text, self.ahead.at, why)

    def finish(self) -> None:
        if self.ahead.kind != "end":
            self.fail(f"{self.ahead.text!r} was not expected here")

    def expression(self, floor: int) -> None:
        """Emit one expression whose operators bind tighter than `floor`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"it is nested more than {MAX_DEPTH} deep; split it into several expressions")
        self._operand()
        last = ""
        while (binding := self._binding()) > floor:
            last = self._operator(binding, last)
        self._depth -= 1

    def _binding(self) -> int:
        token = self.ahead
        if token.text in ("+", "-"):
            return _ADDITIVE
        if token.text in ("*", "/", "//", "%") or token.kind == "name" or token.text == "(":
            return _MULTIPLICATIVE
        return _POWER if token.text in ("^", "**", "!") else -1

    def _operator(self, binding: int, last: str) -> str:
        token = self.ahead
        if token.kind != "op" or token.text == "(":
            if last == "/":
                self.fail("a product written without '*' after a division is ambiguous; write a/(b*c) or (a/b)*c")
            self.expression(binding)
            self._emit("call", "*", 2)
            return "*"
        self.advance()
        if token.text == "!":
            if self.ahead.text == "!":
                self.fail("'!!' is ambiguous; write (n!)! for the factorial of a factorial")
            self._emit("call", "factorial", 1)
        elif token.text == "%":
            self._percent_or_modulo(binding)
        else:
            name = "**" if token.text == "^" else token.text
            self.expression(_PREFIX - 1 if binding == _POWER else binding)
            self._emit("call", name, 2)
        return token.text

    def _percent_or_modulo(self, binding: int) -> None:
        token = self.ahead
        if token.text in ("+", "-"):
            self.fail("'%' before a sign is ambiguous; write (a/100) for a percentage or mod(a, b) for a remainder")
        if token.text == "of" or token.kind == "end" or token.text in (")", ",", "*", "/", "="):
            self._emit("number", "100", 0)
            self._emit("call", "/", 2)
            if token.text == "of":
                self.advance()
                self.expression(binding)
                self._emit("call", "*", 2)
            return
        self.expression(binding)
        self._emit("call", "%", 2)

    def _operand(self) -> None:
        token = self.ahead
        if token.text in ("-", "+"):
            self.advance()
            self.expression(_PREFIX)
            if token.text == "-":
                self._emit("call", "negate", 1)
        elif token.text == "(":
            self.advance()
            self.expression(0)
            self._close()
        elif token.kind == "number":
            self._emit("number", self.advance().text, 0)
        elif token.kind == "name":
            self._name()
        elif token.kind == "end":
            self.fail("it ends where a number, a name or '(' was expected")
        else:
            self.fail(f"a number, a name or '(' was expected, not {token.text!r}")

    def _name(self) -> None:
        word = self.ahead.text
        name = "oo" if word.lower() in _INFINITY else word
        called = self._tokens[self._next + 1].text == "("
        if name in FUNCTIONS:
            if not called:
                self.fail(f"{name!r} is a function; write {name}(…)")
            self.advance()
            self._emit("call", name, self._arguments(name))
        elif name in CONSTANTS:
            self.advance()
            self._emit("constant", name, 0)
        elif called:
            near = difflib.get_close_matches(name, FUNCTIONS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(FUNCTIONS))}"
            self.fail(f"{name!r} is not a known function ({hint}); for a product write {name}*(…)")
        elif "__" in name:
            self.fail(f"{name!r} is not a name of a variable; use letters such as x or rate")
        else:
            self.advance()
            self._emit("variable", name, 0)

    def _arguments(self, name: str) -> int:
        self.advance()
        least, most = FUNCTIONS[name]
        count = 0
        while self.ahead.text != ")" or count:
            self.expression(0)
            count += 1
            if self.ahead.text != ",":
                break
            self.advance()
        if not least <= count <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            self.fail(f"{name}() takes {wanted} argument{'' if wanted == '1' else 's'}, not {count}")
        self._close()
        return count

    def _close(self) -> None:
        if self.ahead.text != ")":
            self.fail("')' was expected")
        self.advance()

    def _emit(self, kind: str, name: str, operands: int) -> None:
        self.program.append((kind, name, operands))


def _tokens(text: str) -> list[_Token]:
    """Split `text`; commas group thousands wherever no function call is open that they could separate."""
    tokens: list[_Token] = []
    calls: list[bool] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            bad = len(text) - len(text[at:].lstrip())
            _fail(text, bad, f"{text[bad]!r} is not part of an expression")
        kind, word, start = match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)
        grouped = _THOUSANDS.match(text, start) if kind == "number" and not any(calls) else None
        if grouped and grouped.end() > match.end():
            whole = _TOKEN.match(text[start:].replace(",", "", grouped[0].count(",")))
            word = whole["number"] if whole else word
            at = start + len(word) + grouped[0].count(",")
        else:
            at = match.end()
        if kind == "number":
            _check_size(text, start, word)
        if word == "(":
            calls.append(bool(tokens) and tokens[-1].text in FUNCTIONS)
        elif word == ")" and calls:
            calls.pop()
        tokens.append(_Token(kind, word, start))
    tokens.append(_Token("end", "", end))
    return tokens


def _check_size(text: str, at: int, number: str) -> None:
    mantissa, _, exponent = number.lower().partition("e")
    # The exponent's own digits are counted before it is read: int() of a very long text is slow.
    if len(mantissa) > MAX_DIGITS or len(exponent) > 6 or abs(int(exponent or 0)) > MAX_DIGITS:
        _fail(text, at, f"this number has more than {MAX_DIGITS} digits")


def _fail(text: str, at: int, why: str) -> NoReturn:
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    raise ModelRetry(f"cannot read {shown!r} at position {at + 1}: {why}")
