"""JMESPath with a bound on its work, measured on the expression before anything runs.

The language has no loops, but multi-selects copy: ``[@,@] | [@,@] | …`` doubles its data with every pipe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentkit.errors import ModelRetry
from agentkit.tools._optional import load
from agentkit.tools._patterns import shown

MAX_EXPRESSION = 500
MAX_WORK = 3_000_000

_CHAINS = {"subexpression", "index_expression", "projection", "filter_projection", "value_projection", "pipe"}


def search_json(expression: str, data: object) -> object:
    """What `expression` selects from `data`.

    Raises:
        ModelRetry: If it is invalid, does not fit the data, or builds too much.
    """
    load("jmespath", "JSON queries")
    jmespath_errors: type[Exception] = load("jmespath.exceptions", "JSON queries").JMESPathError
    if len(expression) > MAX_EXPRESSION:
        raise ModelRetry(f"the expression has {len(expression)} characters; at most {MAX_EXPRESSION} are taken")
    try:
        compiled = load("jmespath.parser", "JSON queries").Parser().parse(expression)
        if _has_stray_reference(compiled.parsed):
            raise ModelRetry(f"{shown(expression)} has '&' outside a function such as sort_by(); leave it out")
        if _growth(compiled.parsed) * _size(data) > MAX_WORK:
            raise ModelRetry(
                f"the expression {shown(expression)} copies its data too many times; select less, in several steps"
            )
        result: object = compiled.search(data)
        json.dumps(result, allow_nan=False)
    except RecursionError:
        raise ModelRetry(f"the expression {shown(expression)} or its data is too deeply nested") from None
    except (jmespath_errors, TypeError, ValueError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelRetry(f"the JMESPath expression {shown(expression)} failed: {reason}") from None
    return result


def _growth(node: Mapping[str, Any]) -> int:
    """How many times larger than its input the result, and the work for it, can be at most."""
    kind, children = node["type"], node["children"]
    if kind == "literal":
        return _size(node["value"])
    inner = [_growth(child) for child in children if isinstance(child, dict)]
    if kind in _CHAINS or (kind == "function_expression" and node["value"] == "map"):
        product = 1
        for factor in inner:
            product *= max(factor, 1)
        return product
    return 1 + sum(inner)


def _has_stray_reference(node: Mapping[str, Any], *, allowed: bool = False) -> bool:
    if node["type"] == "expref" and not allowed:
        return True
    inside = node["type"] == "function_expression"
    return any(_has_stray_reference(child, allowed=inside) for child in node["children"] if isinstance(child, dict))


def _size(value: object) -> int:
    """Values inside `value`, texts counted by the ten characters; at least 1."""
    total, stack = 0, [value]
    while stack and total <= MAX_WORK:
        current = stack.pop()
        total += 1
        if isinstance(current, str):
            total += len(current) // 10
        elif isinstance(current, dict):
            stack.extend(current.values())
        elif isinstance(current, list):
            stack.extend(current)
    return total
