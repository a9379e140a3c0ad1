"""The grammar of a whole plan in restricted Python: known tools and arguments, without types."""

from __future__ import annotations

from collections.abc import Collection

from agentkit.expressions.functions import FUNCTIONS
from agentkit.spelling._offered import call_rule, model_calls, offered
from agentkit.toolbox import Toolbox

MAX_BLOCK_DEPTH = 2
"""Levels of blocks that the grammar offers; deeper ones are possible in plans, and models rarely want them."""

_EXPRESSIONS = r"""
expr: conj (" or " conj)*
conj: neg (" and " neg)*
neg: "not "? cmp
cmp: sum ((" == " | " != " | " < " | " <= " | " > " | " >= " | " in " | " not in " | " is " | " is not ") sum)?
sum: term ((" + " | " - " | " * " | " / " | " // " | " % ") term)*
term: atom trailer*
trailer: "." NAME | "[" expr "]"
atom: NAME | NUM | STRING | fstring | "(" expr ")" | list | dict | pure | "True" | "False" | "None"
fstring: "f\"" (FTEXT | "{" expr (":.2f")? "}")* "\""
list: "[]" | "[" expr (", " expr)* "]" | "[" element " for " NAME " in " expr (" if " expr)? "]"
dict: "{}" | "{" STRING ": " expr (", " STRING ": " expr)* "}"
pure: FUNCTION "(" (argument (", " argument)*)? ")"
argument: expr | expr " for " NAME " in " expr (" if " expr)?
NAME: /[a-z][a-z0-9_]{0,30}/
STRING: /"[^"\\\n]{0,300}"/
FTEXT: /[^"{}\\\n]{1,300}/
NUM: /-?[0-9]{1,12}(\.[0-9]{1,6})?/
"""


def plan_grammar(toolbox: Toolbox, kinds: Collection[str] | None = None) -> str:
    """The grammar of plans that call only the tools of `toolbox`, with their own arguments in their own order.

    Without `repeat`, a ``for`` holds calls only: one that assigns names may become a `repeat`.

    Args:
        toolbox: The tools.
        kinds: Step kinds to offer, as the JSON spelling names them; None offers all.

    Raises:
        DefinitionError: There is no such kind.
    """
    steps = offered(kinds)
    tools = list(toolbox.values()) if "call" in steps else []
    calls = {
        f"call_{i}": call_rule(tool, {one.name: "value" for one in tool.parameters}) for i, tool in enumerate(tools)
    }
    calls |= {f"model_{i}": rule for i, rule in enumerate(model_calls(steps, "(STRING | fstring | NAME)"))}
    rules = [
        "start: line0+ finish" if "value" in steps or calls else "start: finish",
        'finish: "answer(" value ")"',
        *_lines(steps, calling=bool(calls)),
        *([f"call: {' | '.join(calls)}"] if calls else []),
        *(f"{name}: {rule}" for name, rule in calls.items()),
        f"value: expr{' | call' if calls else ''}",
        f"element: expr{' | call' if calls and 'for_each' in steps else ''}",
        "FUNCTION: /" + "|".join(sorted(FUNCTIONS)) + "/",
    ]
    return "\n".join(rules) + _EXPRESSIONS


def _lines(steps: Collection[str], *, calling: bool) -> list[str]:
    """The rules of lines at each depth of blocks, and of those inside loops that must not carry values."""
    rules = []
    if calling:
        rules.append("act: call")
    forms = [*(['NAME " = " call', "call"] if calling else []), *(['NAME " = " expr'] if "value" in steps else [])]
    gathers = "for_each" in steps and "repeat" in steps
    forms += ['NAME ".append(" value ")"', 'NAME " = " "[]"'] if gathers or "value" in steps else []
    if not forms:
        return []
    rules.append(f"simple: {' | '.join(dict.fromkeys(forms))}")
    kinds = ["line", *(["each"] if calling and "for_each" in steps and "repeat" not in steps else [])]
    for depth in range(MAX_BLOCK_DEPTH + 1):
        for kind in kinds if depth else ["line"]:
            rules += _level(kind, depth, steps, calling=calling)
    return rules


def _level(kind: str, depth: int, steps: Collection[str], *, calling: bool) -> list[str]:
    """The rules of lines of one kind at one depth: ``line``, or ``each`` inside a loop that does nothing but call."""
    pad = "    " * depth
    forms = [f'"{pad}" {"simple" if kind == "line" else "act"} "\\n"' if pad else 'simple "\\n"']
    rules = []
    if depth and kind == "line" and "repeat" in steps:
        forms.append(f'"{pad}break\\n"')
    if depth < MAX_BLOCK_DEPTH:
        own, looped = f"{kind}{depth + 1}+", f"{'line' if 'repeat' in steps else 'each'}{depth + 1}+"
        blocks = {
            "if": f'"{pad}if " expr ":\\n" {own} ("{pad}else:\\n" {own})?',
            "for_each": f'"{pad}for " NAME " in " expr ":\\n" {looped}' if calling or "repeat" in steps else "",
            "repeat": f'"{pad}while " expr ":\\n" {own}',
        }
        for block, rule in blocks.items():
            if block in steps and rule:
                forms.append(f"{kind}_{block}{depth}")
                rules.append(f"{kind}_{block}{depth}: {rule}")
    return [f"{kind}{depth}: {' | '.join(forms)}", *rules]
