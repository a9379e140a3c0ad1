"""From a plan to the Python spelling: as natural as it can be read back exactly."""

from __future__ import annotations

from agentkit.expressions.printing import quoted
from agentkit.plan import Plan, blocks
from agentkit.spelling._explicit_writer import ExplicitWriter
from agentkit.spelling._natural_writer import NaturalWriter
from agentkit.spelling._phrases import python_literal
from agentkit.spelling.python import read_python
from agentkit.toolbox import Toolbox

_MOST_GUESSES = 8
"""How many compound steps may turn out to need their explicit forms before all are written so."""


def write_python(plan: Plan, toolbox: Toolbox | None = None) -> str:
    """Write a plan as restricted Python, as naturally as it can be read back exactly.

    ``read_python(write_python(plan, toolbox), toolbox) == plan`` for every plan without problems whose ids are fit for
    Python. Compound steps that have no natural form are written as ``with choose(…)``, ``with for_each(…)`` and so on.

    Args:
        plan: The plan.
        toolbox: The tools, for names that are no identifiers; the same toolbox reads them back.
    """
    explicit: set[str] = set()
    for _ in range(_MOST_GUESSES):
        text = _text(plan, NaturalWriter(plan, toolbox, explicit))
        again = read_python(text, toolbox)
        if again == plan and not again.problems:
            return text
        wrong = _first_difference(plan, again)
        if wrong is None or wrong in explicit:
            break
        explicit.add(wrong)
    return _text(plan, ExplicitWriter(toolbox))


def _first_difference(plan: Plan, again: Plan) -> str | None:
    """The first compound step that was not read back; of nested ones, the outermost."""
    for position, step in enumerate(plan.steps):
        if position >= len(again.steps) or again.steps[position] != step:
            later = plan.steps[position:]
            return next((one.id for one in later if blocks(one)), None)
    return None


def _text(plan: Plan, writer: ExplicitWriter) -> str:
    lines = [_docstring(plan.goal)] if plan.goal else []
    lines += [f"{name} = input({python_literal(schema)})" for name, schema in plan.inputs.items()]
    lines += writer.block(plan.steps)
    if plan.answer is not None:
        lines.append(f"answer({writer.source(plan.answer)})")
    return "".join(f"{line}\n" for line in lines)


def _docstring(goal: str) -> str:
    plain = goal.replace("\n", " ").isprintable() and "\\" not in goal and '"""' not in goal and goal[-1] != '"'
    return f'"""{goal}"""' if plain else quoted(goal)
