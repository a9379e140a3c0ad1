"""The pure functions on dates: ISO texts in, ISO texts out, no clock and no locale."""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from agentkit.expressions._bounds import Budget, Refusal, kind_of, mistyped
from agentkit.expressions._operations import as_integer
from agentkit.messages import Json

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOST_PATTERN = 100
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def _moment(value: Json) -> tuple[datetime.date, str]:
    """The date of an ISO date or date-time, and the text after it (time of day and offset)."""
    if type(value) is not str:
        raise mistyped(f"a date must be a text such as '2026-11-21', not {kind_of(value)}")
    day, rest = value[:10], value[10:]
    if _DATE.fullmatch(day) and len(rest) <= 30:
        with suppress(ValueError):
            if rest:
                datetime.datetime.fromisoformat(value)
            return datetime.date.fromisoformat(day), rest
    raise Refusal(f"{value[:40]!r} is not a date such as '2026-11-21'")


def _moved(value: Json, move: Callable[[datetime.date], datetime.date]) -> Json:
    day, rest = _moment(value)
    try:
        return move(day).isoformat() + rest
    except (OverflowError, ValueError):
        raise Refusal("the date would be outside the years 1 to 9999") from None


def date(budget: Budget, value: Json, month: Json = None, day: Json = None) -> Json:
    """The date of an ISO date or date-time; or of a year, month and day."""
    if month is None and day is None:
        return _moment(value)[0].isoformat()
    parts = as_integer(value, "the year"), as_integer(month, "the month"), as_integer(day, "the day")
    try:
        return datetime.date(*parts).isoformat()
    except (ValueError, OverflowError):
        raise Refusal(f"there is no date {parts[0]}-{parts[1]}-{parts[2]}") from None


def add_days(budget: Budget, date: Json, days: Json) -> Json:
    """The date so many days later; earlier if negative."""
    count = as_integer(days, "days")
    return _moved(date, lambda day: day + datetime.timedelta(days=count))


def add_months(budget: Budget, date: Json, months: Json) -> Json:
    """The date so many months later, on the last day of a month that is too short; earlier if negative."""
    count = as_integer(months, "months")

    def move(day: datetime.date) -> datetime.date:
        year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
        if not 1 <= year <= 9999:
            raise OverflowError
        return day.replace(year=year, month=month + 1, day=min(day.day, calendar.monthrange(year, month + 1)[1]))

    return _moved(date, move)


def days_between(budget: Budget, start: Json, end: Json) -> Json:
    """The number of days from `start` to `end`; negative if `end` is earlier."""
    return (_moment(end)[0] - _moment(start)[0]).days


def weekday(budget: Budget, date: Json) -> Json:
    """The day of the week: 0 for Monday to 6 for Sunday."""
    return _moment(date)[0].weekday()


def year(budget: Budget, date: Json) -> Json:
    """The year of a date."""
    return _moment(date)[0].year


def month(budget: Budget, date: Json) -> Json:
    """The month of a date, 1 to 12."""
    return _moment(date)[0].month


def day(budget: Budget, date: Json) -> Json:
    """The day of the month of a date, 1 to 31."""
    return _moment(date)[0].day


def start_of_week(budget: Budget, date: Json) -> Json:
    """The Monday of the week of a date."""
    day, _ = _moment(date)
    return _moved(day.isoformat(), lambda day: day - datetime.timedelta(days=day.weekday()))


def start_of_month(budget: Budget, date: Json) -> Json:
    """The first day of the month of a date."""
    return _moment(date)[0].replace(day=1).isoformat()


_DIRECTIVES: Final[dict[str, Callable[[datetime.datetime], str]]] = {
    "Y": lambda at: f"{at.year:04d}",
    "y": lambda at: f"{at.year % 100:02d}",
    "m": lambda at: f"{at.month:02d}",
    "d": lambda at: f"{at.day:02d}",
    "e": lambda at: f"{at.day:2d}",
    "-d": lambda at: str(at.day),
    "-m": lambda at: str(at.month),
    "B": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "A": lambda at: _DAYS[at.weekday()],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "j": lambda at: f"{at.timetuple().tm_yday:03d}",
    "V": lambda at: f"{at.isocalendar().week:02d}",
    "G": lambda at: f"{at.isocalendar().year:04d}",
    "u": lambda at: str(at.isoweekday()),
    "w": lambda at: str(at.isoweekday() % 7),
    "F": lambda at: at.date().isoformat(),
    "H": lambda at: f"{at.hour:02d}",
    "I": lambda at: f"{(at.hour - 1) % 12 + 1:02d}",
    "M": lambda at: f"{at.minute:02d}",
    "S": lambda at: f"{at.second:02d}",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "%": lambda at: "%",
}
_DIRECTIVE: Final = re.compile(r"%(-?.?)", re.DOTALL)


def format_date(budget: Budget, date: Json, pattern: Json) -> Json:
    """A date written after a pattern such as ``%d %B %Y``; names are English."""
    if type(pattern) is not str:
        raise mistyped(f"the pattern must be a text, not {kind_of(pattern)}")
    if len(pattern) > _MOST_PATTERN:
        raise Refusal(f"the pattern may have at most {_MOST_PATTERN} characters")
    day, rest = _moment(date)
    at = datetime.datetime.fromisoformat(date) if rest else datetime.datetime(day.year, day.month, day.day)  # noqa: DTZ001

    def written(match: re.Match[str]) -> str:
        directive = _DIRECTIVES.get(match[1])
        if directive is None:
            raise Refusal(f"the pattern has {match[0]!r}; known are " + " ".join(f"%{name}" for name in _DIRECTIVES))
        return directive(at)

    return _DIRECTIVE.sub(written, pattern)
