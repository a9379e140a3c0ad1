"""Taking texts out of recorded events, whatever field they are in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from agentkit.messages import Json

MARK = "[forgotten]"
"""What stands where a forgotten text was."""

_NAMES = frozenset(
    {"kind", "run_id", "agent", "user", "session", "step", "id", "tool", "action", "effect", "status", "role"}
    | {"purpose", "model", "point", "by", "within", "item", "idempotency_key", "on_error"}
)
"""Fields of events, plans and messages that hold names; a text that happens to be one of them is left there."""

_STRUCTURED = frozenset(
    {"plan", "prompt", "history", "items", "tool_calls", "certificate", "constraints", "unsaid", "usage", "tool_choice"}
    | {"skills", "offered", "tools"}
)
"""Fields of events whose value has such fields too, and keys that mean something; all others are just data."""


class Redaction:
    """Finds texts as whole words, in any spelling that an event may have them in, and puts `MARK` there."""

    def __init__(self, texts: Iterable[str]) -> None:
        spelled = {one for text in texts if text.strip() for one in _spellings(text.strip())}
        longest_first = sorted(spelled, key=lambda text: (-len(text), text))
        found = "|".join(re.escape(text) for text in longest_first)
        self._pattern = re.compile(rf"(?<!\w)(?:{found})(?!\w)") if spelled else None

    def text(self, text: str) -> str:
        """A text without them."""
        return text if self._pattern is None else self._pattern.sub(MARK, text)

    def event(self, row: Mapping[str, Json]) -> dict[str, Json]:
        """An event, as JSON, without them."""
        return {
            name: field if name in _NAMES else self._structured(field) if name in _STRUCTURED else self._data(field)
            for name, field in row.items()
        }

    def _structured(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self._structured(item) for item in value]
        if not isinstance(value, dict):
            return self._data(value)
        return {key if key.isidentifier() else self.text(key): self._field(key, item) for key, item in value.items()}

    def _field(self, key: str, value: Json) -> Json:
        if key == "args" and isinstance(value, dict):  # of a call: parameters may have any name
            return {name: self._data(item) for name, item in value.items()}
        return value if key in _NAMES and isinstance(value, str) else self._structured(value)

    def _data(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._data(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self._data(item) for key, item in value.items()}
        return value


def _spellings(text: str) -> set[str]:
    """A text as it is, and as it looks inside JSON and Python source."""
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
    }
