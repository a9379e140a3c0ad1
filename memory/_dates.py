"""From when and until when a sentence says that something holds, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH = "|".join(_MONTHS)
_DATE = (
    r"(?P<iso>\d{4}-\d\d-\d\d)"
    rf"|(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})(?:,? (?P<year>\d{{4}}))?"
    rf"|(?P<month2>{_MONTH}) (?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?P<year2>\d{{4}}))?"
)
_UNTIL = re.compile(rf"\b(?:until|till|through|valid to) (?:the )?(?:{_DATE})")
_UNTIL_WORD = re.compile(
    rf"\b(?:until|till|through) (?:next )?(?P<weekday>{'|'.join(_DAYS)})\b"
    r"|\b(?:until|till) (?P<near>tomorrow|tonight)\b"
    r"|\b(?:until|till) the end of (?:the|this) (?P<end>week|month|year)\b"
    r"|\b(?:for|in|over) the next (?P<number>\d+|two|three|four|few)? ?(?P<unit>day|week|month|year)s?\b"
    r"|\bthis (?P<this>week|month|year)\b|\b(?P<today>today|tonight)\b"
)
_SINCE = re.compile(rf"\b(?:since|from|as of|starting) (?:the )?(?:{_DATE})")
_AGO = re.compile(r"\b(?P<yesterday>yesterday)\b|\b(?P<number>\d+|a|two|three) (?P<unit>day|week|month|year)s? ago\b")
_RELATIVE = re.compile(
    r"\b(today|tonight|tomorrow|yesterday|ago|this (week|month|year)|(last|next) (\w+ )?(week|month|year|\w+day)"
    rf"|until (next )?({'|'.join(_DAYS)})|recently|lately)\b",
    re.IGNORECASE,
)
_NUMBERS = {"a": 1, "two": 2, "three": 3, "few": 3, "four": 4}
_LENGTHS = {"day": 1, "week": 7, "month": 30, "year": 365}


def ends(text: str, now: float) -> float | None:
    """When what `text` says ends, Unix seconds; None if it does not say. A named day counts to its end."""
    said, today = text.lower(), _day(now)
    if (found := _UNTIL.search(said)) and (day := _date(found, today)):
        return (day + timedelta(days=1)).timestamp()
    if not (found := _UNTIL_WORD.search(said)):
        return None
    part = found.groupdict()
    if part["weekday"]:
        ahead = (_DAYS.index(part["weekday"]) - today.weekday()) % 7
        return (today + timedelta(days=ahead + 1)).timestamp()
    if part["unit"]:
        return now + _LENGTHS[part["unit"]] * _number(part["number"]) * 86_400
    if period := part["end"] or part["this"]:
        return _end_of(period, today).timestamp()
    return (today + timedelta(days=2 if part["near"] == "tomorrow" else 1)).timestamp()


def begins(text: str, now: float) -> float | None:
    """Since when what `text` says holds, Unix seconds and not after `now`; None if it does not say."""
    said, today = text.lower(), _day(now)
    if (found := _SINCE.search(said)) and (day := _date(found, today)):
        return min(day.timestamp(), now)
    if not (found := _AGO.search(said)):
        return None
    days = 1 if found["yesterday"] else _LENGTHS[found["unit"]] * _number(found["number"])
    return (today - timedelta(days=days)).timestamp()


def dated(text: str, now: float) -> str:
    """`text`, and when it was said if it has words such as "tomorrow" that mean another day later."""
    return f"{text} (said on {_day(now):%Y-%m-%d})" if _RELATIVE.search(text) else text


def day_of(at: float) -> str:
    """A time as ``2026-11-21``."""
    return f"{_day(at):%Y-%m-%d}"


def _day(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _date(found: re.Match[str], today: datetime) -> datetime | None:
    part = found.groupdict()
    try:
        if part["iso"]:
            return datetime.fromisoformat(part["iso"]).replace(tzinfo=UTC)
        month = _MONTHS.index(part["month"] or part["month2"]) + 1
        year = int(part["year"] or part["year2"] or today.year)
        return datetime(year, month, int(part["day"] or part["day2"]), tzinfo=UTC)
    except ValueError:  # there is no such day: then nothing is said about time
        return None


def _number(word: str | None) -> int:
    return int(word) if word and word.isdigit() else _NUMBERS.get(word or "a", 1)


def _end_of(period: str, today: datetime) -> datetime:
    if period == "week":
        return today + timedelta(days=7 - today.weekday())
    if period == "month":
        return (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    return today.replace(year=today.year + 1, month=1, day=1)
