"""The JSON Schemas that a plan brings along: of its inputs, and of what models, people and subgoals give back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

from agentkit._schema_remote import unfit_schema
from agentkit.messages import Json
from agentkit.plan import JsonSchema
from agentkit.types.formats import is_bounded


def plan_schema_problems(schema: JsonSchema) -> tuple[str, ...]:
    """Why a plan may not use `schema`: no JSON Schema, not on its own, or with a pattern that may be tried for ever."""
    try:
        text = json.dumps(schema, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        return (f"not JSON ({error})",)
    return _problems(text)


@lru_cache(maxsize=512)
def _problems(text: str) -> tuple[str, ...]:
    schema = json.loads(text)
    found = [problem.removeprefix(", ") for problem in unfit_schema(schema)]
    if not found:
        found = [
            f"the pattern {pattern!r} cannot be tried in bounded time; write it without repeated groups"
            for pattern in _patterns(schema)
            if not is_bounded(pattern)
        ]
    return tuple(found)


def _patterns(schema: Json) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "pattern" and isinstance(value, str):
                yield value
            elif key == "patternProperties" and isinstance(value, dict):
                yield from value
            if key not in {"const", "enum", "default", "examples"}:
                yield from _patterns(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _patterns(item)
