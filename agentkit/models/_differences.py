"""Where two JSON values differ, in words."""

from __future__ import annotations

import difflib
import json

from agentkit.messages import Json

_LONG = 120
_LINES = 12


def first_difference(recorded: Json, asked: Json, path: str) -> str:
    """The first place at which two different values differ, and how; texts of several lines as a diff."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for key in [*recorded, *(key for key in asked if key not in recorded)]:
            if recorded.get(key) != asked.get(key):
                return first_difference(recorded.get(key), asked.get(key), f"{path}.{key}")
    if isinstance(recorded, list) and isinstance(asked, list):
        for i, (one, other) in enumerate(zip(recorded, asked, strict=False)):
            if one != other:
                return first_difference(one, other, f"{path}[{i}]")
        at = min(len(recorded), len(asked))
        more, who = (recorded, "recorded") if len(recorded) > at else (asked, "asked")
        return f"{path}[{at}]: only {who}, {_short(more[at])} (recorded {len(recorded)} of them, asked {len(asked)})"
    if isinstance(recorded, str) and isinstance(asked, str) and max(len(recorded), len(asked)) > _LONG:
        return f"{path}:\n{_diff(recorded, asked)}"
    return f"{path}: recorded {_short(recorded)}, asked {_short(asked)}"


def _diff(recorded: str, asked: str) -> str:
    """The lines around the first differing one; of a single long line, the part around the first difference."""
    lines = list(difflib.unified_diff(recorded.splitlines(), asked.splitlines(), "recorded", "asked", lineterm="", n=1))
    if lines and max(map(len, lines)) <= _LONG:
        return "\n".join(lines[: _LINES + 2] + (["…"] if len(lines) > _LINES + 2 else []))
    at = next((i for i, pair in enumerate(zip(recorded, asked, strict=False)) if pair[0] != pair[1]), 0)
    at = at or min(len(recorded), len(asked))
    return f"--- recorded, at character {at}\n{_around(recorded, at)}\n+++ asked\n{_around(asked, at)}"


def _around(text: str, at: int) -> str:
    return json.dumps(text[max(at - _LONG // 2, 0) : at + _LONG // 2], ensure_ascii=False)


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[: _LONG // 2 - 3]}…{text[3 - _LONG // 2 :]}"
