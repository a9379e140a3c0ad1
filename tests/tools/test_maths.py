"""Calculator and symbolic maths: right answers, exact refusals, and no way to run code or to hang."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import MissingDependencyError, ModelRetry
from agentkit.toolbox import Toolbox
from agentkit.tools import maths
from agentkit.tools._formula import parse_formula
from agentkit.tools._symbolic import SymbolicWorker
from agentkit.tools.maths import calculate, differentiate, integrate, simplify_expression, solve_equation

ESCAPES = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "lambda: 1",
    "[x for x in (1,)]",
    "open('/etc/passwd')",
    "eval('1')",
    "exec('1')",
    "x.__class__",
    "f'{1}'",
    "print(1)",
    "1 if 1 else 2",
    "x := 1",
    "a; b",
    "Symbol('x')",
    "__builtins__",
]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("199999 / 292", 199999 / 292),
        ("199,999 / 292", 199999 / 292),
        ("0.1 + 0.2", 0.3),
        ("1/3 * 3", 1),
        ("2^100", 2**100),
        ("2 ** 3 ** 2", 512),
        ("-2^2", -4),
        ("2^-2", 0.25),
        ("-7 // 2", -4),
        ("7 % 3", 1),
        ("15% of 240", 36),
        ("20%", 0.2),
        ("5! / 3!", 20),
        ("2(3 + 4)", 14),
        ("3 × 4 ÷ 2 − 1", 5),
        ("sqrt(16)", 4),
        ("sqrt(2)", math.sqrt(2)),
        ("max(1,234)", 234),
        ("max(2, sqrt(2))", 2),
        ("mean(1, 2, 6)", 3),
        ("round(2.675, 2)", 2.68),
        ("gcd(12, 18) + lcm(4, 6)", 18),
        ("comb(52, 5)", 2598960),
        ("log(1000, 10)", 3.0),
        ("log10(10^900)", 900.0),
        ("sin(pi / 2)", 1.0),
        ("1e3 + .5", 1000.5),
        ("(-1)^(10^900)", 1),
    ],
)
def test_calculates(expression: str, value: float) -> None:
    assert calculate(expression) == value


def test_whole_results_are_integers() -> None:
    """Plans use them as counts and indexes."""
    assert [type(calculate(text)) for text in ("6 / 2", "0.5 * 4", "7 / 2")] == [int, int, float]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("9**9**9", "the result would have thousands of digits, which is too large to compute; use smaller numbers"),
        ("factorial(10**9)", "factorial() takes an integer from 0 to 1000, not 1000000000"),
        (
            "comb(10**6, 5*10**5)",
            ("the result would have thousands of digits, which is too large to compute; use smaller numbers"),
        ),
        ("1/0", "division by zero; check the divisor first"),
        ("sqrt(-1)", "sqrt(-1) has no real value"),
        ("(-8)^(1/3)", "(-8) ** (1/3) has no real value"),
        ("exp(1000)", "exp(1000) is too large for a decimal number"),
        ("10^500 / 3", "the result is too large for a decimal number; round() it to an integer"),
        ("10^-500", "the result is too close to zero for a decimal number; scale the formula up"),
        (
            "2x + 1",
            (
                "calculate() takes numbers only, and 'x' is not one; put its value in its place, or use the symbolic "
                "tools"
            ),
        ),
        ("2 + I", "calculate() works with real numbers, and 'I' is not one; use simplify_expression()"),
        ("gcd(1.5, 2)", "gcd() takes integers, not 3/2, 2"),
        ("", "the expression is empty; write one such as '199999 / 292'"),
        ("3 +", "cannot read '3 +' at position 4: it ends where a number, a name or '(' was expected"),
        ("2 3", "cannot read '2 3' at position 3: '3' was not expected here"),
        ("(1", "cannot read '(1' at position 3: ')' was expected"),
        (
            "x = 1",
            ("cannot read 'x = 1' at position 3: there is an '=' here, but an expression is wanted, not an equation"),
        ),
        (
            "6/2(1+2)",
            (
                "cannot read '6/2(1+2)' at position 4: a product written without '*' after a division is ambiguous; "
                "write a/(b*c) or (a/b)*c"
            ),
        ),
        (
            "10% + 5",
            (
                "cannot read '10% + 5' at position 5: '%' before a sign is ambiguous; write (a/100) for a percentage "
                "or mod(a, b) for a remainder"
            ),
        ),
        ("5!!", "cannot read '5!!' at position 3: '!!' is ambiguous; write (n!)! for the factorial of a factorial"),
        (
            "sqr(4)",
            (
                "cannot read 'sqr(4)' at position 1: 'sqr' is not a known function (did you mean 'sqrt'?); for a "
                "product write sqr*(…)"
            ),
        ),
        ("sqrt 4", "cannot read 'sqrt 4' at position 1: 'sqrt' is a function; write sqrt(…)"),
        ("sqrt(1, 2)", "cannot read 'sqrt(1, 2)' at position 10: sqrt() takes 1 argument, not 2"),
        ("1e9999", "cannot read '1e9999' at position 1: this number has more than 1000 digits"),
        ("1" * 1001, "the expression has 1001 characters; at most 1000 are taken; split it into several"),
    ],
)
def test_refuses_what_has_no_number(expression: str, message: str) -> None:
    with pytest.raises(ModelRetry) as refusal:
        calculate(expression)
    assert str(refusal.value) == message


@pytest.mark.parametrize("expression", ESCAPES)
def test_nothing_is_ever_evaluated_as_code(expression: str) -> None:
    for use in (calculate, simplify_expression):
        with pytest.raises(ModelRetry):
            use(expression)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ModelRetry, match="nested more than 50 deep"):
        calculate("(" * 400 + "1" + ")" * 400)


@pytest.mark.parametrize("bomb", ["9**9**9", "factorial(10**9)", "9^9^9^x^9^9^9", "(1" + "0" * 300 + ")^999", "x!!!!"])
def test_bombs_are_refused_within_a_second(bomb: str) -> None:
    simplify_expression("1")  # so that starting the worker is not measured
    started = time.monotonic()
    for use in (calculate, simplify_expression):
        with pytest.raises(ModelRetry):
            use(bomb)
    assert time.monotonic() - started < 1


@given(st.text(alphabet="0123456789.+-*/%^!(),= exnsqrt", max_size=30))
def test_any_text_gives_a_number_or_a_refusal(text: str) -> None:
    try:
        value = calculate(text)
    except ModelRetry:
        return
    assert math.isfinite(float(value) if abs(value) < 1e300 else 0.0)


@given(st.integers(-999, 999), st.integers(-999, 999), st.integers(1, 999), st.sampled_from("+-*"))
def test_fractions_are_exact(a: int, b: int, c: int, op: str) -> None:
    exact = {"+": Fraction(a) + Fraction(b, c), "-": Fraction(a) - Fraction(b, c), "*": Fraction(a) * Fraction(b, c)}[
        op
    ]
    assert calculate(f"({a}) {op} ({b} / {c})") == float(exact)


def test_variables_are_listed_once() -> None:
    assert parse_formula("x*y + x") == (
        ("variable", "x", 0),
        ("variable", "y", 0),
        ("call", "*", 2),
        ("variable", "x", 0),
        ("call", "+", 2),
    )


@pytest.mark.parametrize(
    ("expression", "simple"),
    [
        ("(x^2 - 1) / (x - 1)", "x + 1"),
        ("sin(x)^2 + cos(x)^2", "1"),
        ("2x + 3x", "5*x"),
        ("0.5 + 1/3", "5/6"),
        ("sqrt(8)", "2*sqrt(2)"),
        ("E^(I*pi)", "-1"),
    ],
)
def test_simplifies(expression: str, simple: str) -> None:
    assert simplify_expression(expression) == simple


def test_solves_exactly_and_gives_the_real_numbers() -> None:
    assert solve_equation("2x + 3 = 7") == {"variable": "x", "kind": "some", "solutions": ["2"], "values": [2.0]}
    assert solve_equation("x^2 == 2")["solutions"] == ["-sqrt(2)", "sqrt(2)"]
    imaginary = solve_equation("x^2 + 1 = 0")
    assert (imaginary["solutions"], imaginary["values"]) == (["-I", "I"], [])
    assert solve_equation("a*x = b", "x")["solutions"] == ["b/a"]


def test_real_roots_are_found_behind_complex_radicals() -> None:
    values = solve_equation("x^3 - 3x + 1 = 0")["values"]
    assert values == pytest.approx([-1.8793852, 0.3472964, 1.5320889])


@pytest.mark.parametrize(("equation", "kind"), [("x = x + 1", "none"), ("2x = x + x", "all"), ("exp(x) = 0", "none")])
def test_equations_without_particular_solutions_say_so(equation: str, kind: str) -> None:
    found = solve_equation(equation)
    assert (found["kind"], found["solutions"]) == (kind, [])


def test_differentiates_and_integrates() -> None:
    assert differentiate("x^3") == "3*x**2"
    assert differentiate("x^3", order=2) == "6*x"
    assert differentiate("a*x", "a") == "x"
    assert integrate("x^2") == "x**3/3"
    assert integrate("x^2", "x", "0", "1") == "1/3"
    assert integrate("exp(-x^2)", "x", "-oo", "oo") == "sqrt(pi)"
    assert integrate("exp(-x^2)", "x", "-inf", "Infinity") == "sqrt(pi)"


def test_symbolic_results_can_be_calculated_with() -> None:
    assert calculate(integrate("x^2", "x", "0", "3")) == 9


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: solve_equation("a*x = b"), "say which variable is meant; the equation has 'a', 'b', 'x'"),
        (lambda: solve_equation("x = 2", "y"), "there is no variable 'y'; the equation has 'x'"),
        (
            lambda: solve_equation("x = 2", "e"),
            ("'e' is not a variable but a known constant or function; rename it; the equation has 'x'"),
        ),
        (
            lambda: solve_equation("x = 1 = 2"),
            ("cannot read 'x = 1 = 2' at position 7: there is a second '='; give one equation at a time"),
        ),
        (lambda: solve_equation("cos(x) = x"), "no method is known to solve this equation exactly"),
        (lambda: differentiate("x", order=11), "order must be from 1 to 10, not 11"),
        (lambda: integrate("x", "x", "0"), "give both bounds, lower and upper, or neither"),
        (lambda: integrate("x^x"), "no closed form of this integral is known"),
        (lambda: simplify_expression("1/0"), "the result is undefined; check it for a division by zero"),
        (
            lambda: simplify_expression("round(x)"),
            ("round() is not available in symbolic maths; use calculate() for numbers"),
        ),
        (lambda: simplify_expression("x^(10^6)"), "a power in it is too large to compute; use smaller exponents"),
        (lambda: simplify_expression("factorial(2000)"), "factorial() takes integers up to 1000, not 2000"),
    ],
)
def test_symbolic_refusals_say_what_to_do(use: object, message: str) -> None:
    assert callable(use)
    with pytest.raises(ModelRetry) as refusal:
        use()
    assert str(refusal.value) == message


@pytest.fixture
def impatient() -> Iterator[SymbolicWorker]:
    worker = SymbolicWorker(time_limit=0.5)
    yield worker
    worker.close()


def test_an_endless_computation_is_stopped_and_the_next_one_works(impatient: SymbolicWorker) -> None:
    endless = parse_formula("floor(exp(exp(100)))")
    impatient.ask("simplify", programs=[parse_formula("1")])
    started = time.monotonic()
    with pytest.raises(ModelRetry) as refusal:
        impatient.ask("simplify", programs=[endless])
    assert time.monotonic() - started < 3
    assert str(refusal.value) == (
        "stopped after 0.5 s without a result; ask for something simpler, or use calculate() if a number is enough"
    )
    assert impatient.ask("simplify", programs=[parse_formula("x - x")]) == "0"


def test_without_sympy_only_the_symbolic_tools_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert calculate("1 + 1") == 2
    with pytest.raises(MissingDependencyError) as refusal:
        SymbolicWorker().ask("simplify", programs=[parse_formula("x")])
    assert str(refusal.value) == ("symbolic maths tools need the package 'sympy'; install it with: pip install sympy")


async def test_the_family_is_a_toolbox_of_pure_tools() -> None:
    toolbox = Toolbox(maths.TOOLS)
    toolbox.validate()
    assert list(toolbox) == ["calculate", "simplify_expression", "solve_equation", "differentiate", "integrate"]
    assert {one.effect for one in toolbox.values()} == {"pure"}
    assert await calculate.invoke(calculate.bind({"expression": "2^70"})) == 2**70
    solved = await solve_equation.invoke(solve_equation.bind({"equation": "x = 4"}))
    assert solved == {"variable": "x", "kind": "some", "solutions": ["4"], "values": [4.0]}
