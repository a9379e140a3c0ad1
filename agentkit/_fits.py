"""Whether a value that only running could tell fits the JSON Schema that it was promised to have."""

from __future__ import annotations

from itertools import islice

from agentkit.messages import Json
from agentkit.plan import JsonSchema
from agentkit.types.validation import misfits


def misfit(value: Json, schema: JsonSchema) -> str:
    """What is wrong with `value`, up to three problems with their places; empty if it fits."""
    return "; ".join(islice(misfits(schema, value), 3))
