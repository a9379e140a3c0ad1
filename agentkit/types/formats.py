"""Whether a text has a format or matches a pattern, with the standard library only and in bounded time."""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([zZ]|[+-]\d{2}:?\d{2})?", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII)
_FRACTION = re.compile(r"(\.\d{6})\d+")
_PATTERN_WORK = 10**8
_PATTERN_TEXT = 1_000
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_BACK_REFERENCE = re.compile(r"\\[1-9]|\(\?[P<(=!]")
_UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{\d*,\})")


def _date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and _parses(datetime.date.fromisoformat, text)


def _time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None and _parses(datetime.time.fromisoformat, _iso(text))


def _date_time(text: str) -> bool:
    # A date alone passes: pydantic takes it for a datetime, and the checker must not refuse what a tool accepts.
    if len(text) <= 10:
        return _date(text)
    return _date(text[:10]) and text[10] in "Tt " and _time(text[11:])


def _iso(time: str) -> str:
    return _FRACTION.sub(r"\1", time.upper().replace("Z", "+00:00"))


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _uri(text: str) -> bool:
    if not text or any(character.isspace() for character in text):
        return False
    try:
        return bool(urlsplit(text).scheme)
    except ValueError:
        return False


FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "date": _date,
    "date-time": _date_time,
    "time": _time,
    "duration": lambda text: _DURATION.fullmatch(text.lstrip("+-")) is not None,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "uri": _uri,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "ipv4": lambda text: _parses(ipaddress.IPv4Address, text),
    "ipv6": lambda text: _parses(ipaddress.IPv6Address, text),
}
"""The formats that are checked; any other format is known by its name only."""

_OVERLAPPING = (frozenset(("date", "date-time")), frozenset(("email", "uri")), frozenset(("ipv6", "uri")))


def has_format(text: str, name: str) -> bool | None:
    """Whether `text` has the format; None if the format is not one of `FORMATS`."""
    check = FORMATS.get(name)
    return None if check is None else check(text)


def formats_exclude(one: str, other: str) -> bool:
    """Whether no text has both formats."""
    return (
        one != other and one in FORMATS and other in FORMATS and not any({one, other} <= pair for pair in _OVERLAPPING)
    )


def matches(text: str, pattern: str) -> bool | None:
    """Whether JSON Schema's `pattern` is found in `text`; None where that cannot be told in bounded time.

    Patterns come from tools, also remote ones. One that might backtrack without end is left to run time.
    """
    if len(text) > _PATTERN_TEXT:
        return None
    compiled = _compiled(pattern)
    if compiled is None:
        return None
    expression, loops = compiled
    if max(len(text), 2) ** (loops + 1) > _PATTERN_WORK:
        return None
    return expression.search(text) is not None


def is_bounded(pattern: str) -> bool:
    """Whether `matches` can tell of short texts if they match: the pattern has no repeated groups and is valid."""
    return _compiled(pattern) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> tuple[re.Pattern[str], int] | None:
    if len(pattern) > _PATTERN_TEXT or _REPEATED_GROUP.search(pattern) or _BACK_REFERENCE.search(pattern):
        return None
    try:
        return re.compile(pattern), len(_UNBOUNDED.findall(pattern))
    except (re.error, OverflowError, RecursionError):
        return None
