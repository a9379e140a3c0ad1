"""The grammar of a whole plan in restricted Python: known tools and arguments, without types."""

from __future__ import annotations

from collections.abc import Collection

from agentkit.expressions.functions import FUNCTIONS
from agentkit.toolbox import Tool, Toolbox

MAX_BLOCK_DEPTH = 2
"""Levels of blocks that the grammar offers; deeper ones are possible in plans, and models rarely want them."""

_KINDS = {"if": "if", "for_each": "for", "repeat": "while"}

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
element: expr | call
dict: "{}" | "{" STRING ": " expr (", " STRING ": " expr)* "}"
pure: FUNCTION "(" (argument (", " argument)*)? ")"
argument: expr | expr " for " NAME " in " expr (" if " expr)?
value: expr | call
NAME: /[a-z][a-z0-9_]{0,30}/
STRING: /"[^"\\\n]{0,300}"/
FTEXT: /[^"{}\\\n]{1,300}/
NUM: /-?[0-9]{1,12}(\.[0-9]{1,6})?/
"""


def plan_grammar(toolbox: Toolbox, kinds: Collection[str] | None = None) -> str:
    """The grammar of plans that call only the tools of `toolbox`, with their own arguments in their own order.

    Args:
        toolbox: The tools.
        kinds: Step kinds to offer, as the JSON spelling names them; None offers all.
    """
    offered = set(_KINDS) if kinds is None else set(_KINDS) & set(kinds)
    calls = [f"call_{i}" for i in range(len(toolbox))] + ["model"]
    rules = [
        "start: line0+ finish",
        'finish: "answer(" value ")"',
        *_lines(offered),
        'simple: NAME " = " value | call | NAME ".append(" value ")"',
        f"call: {' | '.join(calls)}",
        'model: ("generate(" | "ask(" | "subgoal(") (STRING | fstring | NAME) ")"',
        *(f"call_{i}: {_call(tool)}" for i, tool in enumerate(toolbox.values())),
        "FUNCTION: /" + "|".join(sorted(FUNCTIONS)) + "/",
    ]
    return "\n".join(rules) + _EXPRESSIONS


def _lines(offered: set[str]) -> list[str]:
    rules = []
    for depth in range(MAX_BLOCK_DEPTH + 1):
        pad = "    " * depth
        forms = [f'"{pad}" simple "\\n"' if pad else 'simple "\\n"']
        if depth:
            forms.append(f'"{pad}break\\n"')
        if depth < MAX_BLOCK_DEPTH:
            forms += [f"{form}{depth}" for kind, form in _KINDS.items() if kind in offered]
            inner = f"line{depth + 1}+"
            rules += [
                f'if{depth}: "{pad}if " expr ":\\n" {inner} ("{pad}else:\\n" {inner})?',
                f'for{depth}: "{pad}for " NAME " in " expr ":\\n" {inner}',
                f'while{depth}: "{pad}while " expr ":\\n" {inner}',
            ]
        rules.append(f"line{depth}: {' | '.join(forms)}")
    return [rule for rule in rules if rule[0] not in "fiw" or _offered(rule, offered)]


def _offered(rule: str, offered: set[str]) -> bool:
    """Whether the form that a rule defines is offered; unused rules would only make the grammar longer."""
    return any(rule.startswith(form) and kind in offered for kind, form in _KINDS.items())


def _call(tool: Tool) -> str:
    required = [f'"{p.name}=" value' for p in tool.parameters if p.required]
    optional = [f'"{p.name}=" value' for p in tool.parameters if not p.required]
    if required:
        inside = ' ", " '.join(required) + "".join(f' (", " {one})?' for one in optional)
    else:
        inside = optional_list(optional)
    return f'"{tool.python_name}(" {inside} ")"' if inside else f'"{tool.python_name}()"'


def optional_list(parts: list[str]) -> str:
    """Grammar of any of `parts`, in their order, each at most once, separated by commas."""
    if not parts:
        return ""
    alternatives = []
    for position, first in enumerate(parts):
        rest = "".join(f' (", " {later})?' for later in parts[position + 1 :])
        alternatives.append(f"{first}{rest}")
    return f"({' | '.join(alternatives)})?"
