"""Whether a value that only running could tell fits the JSON Schema that it was promised to have."""

from __future__ import annotations

from agentkit.messages import Json
from agentkit.plan import JsonSchema


def misfit(value: Json, schema: JsonSchema) -> str:
    """What is wrong with `value`, up to three problems with their places; empty if it fits."""
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(dict(schema)).iter_errors(value)
    found = sorted((".".join(map(str, error.path)), error.message) for error in errors)
    return "; ".join(f"{place}: {message}" if place else message for place, message in found[:3])
