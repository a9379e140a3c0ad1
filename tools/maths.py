"""Calculator and symbolic maths.

Formulas are read by our own parser (`agentkit.tools._formula`): nothing that a model writes reaches `eval`, `sympify`
or `parse_expr`. `calculate` is exact for integers and fractions and needs no extra package. The symbolic tools run
sympy in a process of its own (`agentkit.tools._symbolic`), at most five seconds for one call.

Formulas are written as in school or as in Python: ``2x^2 - 3``, ``2*x**2 - 3``, ``sqrt(2)/2``, ``5!``, ``15% of 240``,
``199,999 / 292``. ``e`` (or ``E``) is Euler's number, ``I`` the imaginary unit, ``oo`` infinity; angles are in radians.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from agentkit.errors import ModelRetry
from agentkit.toolbox import Tool, tool
from agentkit.tools._arithmetic import evaluate
from agentkit.tools._formula import CONSTANTS, FUNCTIONS, Instruction, parse_equation, parse_formula, variables
from agentkit.tools._symbolic import WORKER

MAX_ORDER = 10


class Solutions(TypedDict):
    """What `solve_equation` found.

    Attributes:
        variable: The unknown.
        kind: ``some`` solutions, ``none``, or ``all``: every value of the variable solves the equation.
        solutions: Exact solutions, complex ones included, as formulas.
        values: The real solutions among them as numbers, in ascending order.
    """

    variable: str
    kind: Literal["some", "none", "all"]
    solutions: list[str]
    values: list[float]


@tool(effect="pure", tags=("maths",))
def calculate(expression: str) -> int | float:
    """Calculate the number that an arithmetic expression stands for.

    Args:
        expression: Arithmetic on numbers, such as '199999 / 292', '15% of 240' or 'sqrt(2) * 10^3'.

    Raises:
        ModelRetry: If it is not arithmetic, has no real value, or has thousands of digits.
    """
    return evaluate(parse_formula(expression))


@tool(effect="pure", tags=("maths",), max_concurrency=1, expected_seconds=0.1)
def simplify_expression(expression: str) -> str:
    """Simplify a formula with variables.

    Args:
        expression: Formula such as '(x^2 - 1) / (x - 1)'.

    Raises:
        ModelRetry: If it is not a formula, or takes too long.
    """
    return str(WORKER.ask("simplify", programs=[parse_formula(expression)]))


@tool(effect="pure", tags=("maths",), max_concurrency=1, expected_seconds=0.1)
def solve_equation(equation: str, variable: str = "") -> Solutions:
    """Solve an equation for a variable.

    For periodic equations, such as sin(x) = 0, the solutions of one period are given.

    Args:
        equation: Equation such as '2x + 3 = 7'; a formula without '=' is set equal to zero.
        variable: Unknown to solve for; may be left out if the equation has only one.

    Raises:
        ModelRetry: If it is not an equation, the variable is not in it, or no method is known.
    """
    left, right = parse_equation(equation)
    unknown = _choose_variable(left + right, variable, "equation")
    found = WORKER.ask("solve", programs=[left, right], variable=unknown)
    return Solutions(
        variable=found["variable"], kind=found["kind"], solutions=found["solutions"], values=found["values"]
    )


@tool(effect="pure", tags=("maths",), max_concurrency=1, expected_seconds=0.1)
def differentiate(expression: str, variable: str = "", order: int = 1) -> str:
    """Differentiate a formula.

    Args:
        expression: Formula such as 'x^3 * sin(x)'.
        variable: Variable to differentiate by; may be left out if the formula has only one.
        order: How many times to differentiate, 1 to 10.

    Raises:
        ModelRetry: If it is not a formula, or an argument is out of range.
    """
    if not 1 <= order <= MAX_ORDER:
        raise ModelRetry(f"order must be from 1 to {MAX_ORDER}, not {order}")
    program = parse_formula(expression)
    by = _choose_variable(program, variable, "expression")
    return str(WORKER.ask("differentiate", programs=[program], variable=by, order=order))


@tool(effect="pure", tags=("maths",), max_concurrency=1, expected_seconds=0.1)
def integrate(expression: str, variable: str = "", lower: str = "", upper: str = "") -> str:
    """Integrate a formula, indefinitely or between two bounds.

    Args:
        expression: Formula such as 'x^2 + 1'.
        variable: Variable to integrate over; may be left out if the formula has only one.
        lower: Lower bound such as '0' or '-oo'; leave out both bounds for the antiderivative.
        upper: Upper bound such as 'pi' or 'oo'.

    Raises:
        ModelRetry: If it is not a formula, only one bound is given, or no closed form is known.
    """
    if bool(lower) != bool(upper):
        raise ModelRetry("give both bounds, lower and upper, or neither")
    program = parse_formula(expression)
    over = _choose_variable(program, variable, "expression")
    bounds = [parse_formula(bound) for bound in (lower, upper) if bound]
    return str(WORKER.ask("integrate", programs=[program, *bounds], variable=over))


def _choose_variable(program: tuple[Instruction, ...], wanted: str, what: str) -> str:
    names = variables(program)
    listed = f"the {what} has {', '.join(map(repr, names)) or 'none'}"
    if wanted in CONSTANTS or wanted in FUNCTIONS:
        raise ModelRetry(f"{wanted!r} is not a variable but a known constant or function; rename it; {listed}")
    if wanted and (wanted in names or (what == "expression" and wanted.isidentifier() and "__" not in wanted)):
        return wanted
    if wanted:
        raise ModelRetry(f"there is no variable {wanted!r}; {listed}")
    if len(names) != 1:
        raise ModelRetry(f"say which variable is meant; {listed}")
    return names[0]


TOOLS: tuple[Tool, ...] = (calculate, simplify_expression, solve_equation, differentiate, integrate)
"""The tools of this family."""
