"""How a step or block ended, as far as the steps after it need to know."""

from __future__ import annotations

from typing import NamedTuple

from agentkit.events import StepFinished
from agentkit.messages import Json

DONE = 0
"""It has a value."""
MISSING = 1
"""It has no value, and the plan said that this is acceptable (``on_error: skip``, a dry run)."""
BROKEN = 2
"""It failed, was denied, or could not start; the plan fails."""


class End(NamedTuple):
    """The end of a step or block. `event` is what was recorded for a step that is not compound."""

    state: int
    value: Json = None
    error: str = ""
    event: StepFinished | None = None
