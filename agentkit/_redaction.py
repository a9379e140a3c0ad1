"""Taking texts out of recorded events, whatever field they are in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from agentkit.messages import Json

MARK = "[forgotten]"
"""What stands where a forgotten text was."""

_NAMES = frozenset(
    {"kind", "run_id", "agent", "user", "session", "plan", "step", "id", "tool", "action", "effect", "status"}
    | {"role", "purpose", "model", "point", "by", "within", "item", "idempotency_key"}
)
"""Fields that hold names which programs made; a text that happens to be one of them is not looked for there."""


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

    def value(self, value: Json) -> Json:
        """A value without them; keys that are identifiers stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key if key.isidentifier() else self.text(key): item
            if key in _NAMES and isinstance(item, str)
            else self.value(item)
            for key, item in value.items()
        }


def _spellings(text: str) -> set[str]:
    """A text as it is, and as it looks inside JSON and Python source."""
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
    }
