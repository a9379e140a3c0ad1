"""The expressions of ``${…}``: a small, total subset of Python over JSON values.

Text becomes frozen data (`parse_expression`, `parse_template`, `parse_value`, `from_ast`), is typed before anything
runs (`type_expression`), evaluated in bounded time and memory (`evaluate`, `compile_expression`), and printed back
(`to_source`, `to_json_value`). Python never runs it.
"""

from __future__ import annotations

from agentkit.expressions.evaluate import compile_expression, evaluate
from agentkit.expressions.functions import FUNCTIONS, RESERVED, Function, Parameter
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
    names,
)
from agentkit.expressions.parse import from_ast, parse_expression, parse_template, parse_value
from agentkit.expressions.printing import to_json_value, to_source
from agentkit.expressions.typing import type_expression

__all__ = [
    "FUNCTIONS",
    "RESERVED",
    "Apply",
    "Binary",
    "Compare",
    "Comprehension",
    "Conditional",
    "Expr",
    "Field",
    "Function",
    "Item",
    "Lambda",
    "ListOf",
    "Literal",
    "Logical",
    "Malformed",
    "Name",
    "ObjectOf",
    "Parameter",
    "Slice",
    "Template",
    "Unary",
    "children",
    "compile_expression",
    "evaluate",
    "from_ast",
    "names",
    "parse_expression",
    "parse_template",
    "parse_value",
    "to_json_value",
    "to_source",
    "type_expression",
]
