"""What all events have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, `at` Unix seconds."""

    kind: ClassVar[str] = "event"
    at: float
