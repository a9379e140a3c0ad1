"""Dates, calendar and timezones: ISO 8601 texts in, ISO 8601 texts out; weeks start on Monday.

`TOOLS` reads the system's clock in UTC; `date_tools` makes the same tools for another timezone, or with a clock of your
own so that tests and replays always see the same day.
"""

from __future__ import annotations

import calendar
import datetime
import difflib
import zoneinfo
from collections.abc import Callable
from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from agentkit.errors import DefinitionError, ModelRetry
from agentkit.toolbox import Tool, tool

MAX_DATES = 3_700
"""Dates that one `date_range` may list: ten years of days."""

Period: TypeAlias = Literal[
    "today", "yesterday", "tomorrow",
    "this_week", "last_week", "next_week",
    "this_month", "last_month", "next_month",
    "this_quarter", "last_quarter", "next_quarter",
    "this_year", "last_year", "next_year",
    "last_7_days", "last_30_days", "last_90_days", "last_365_days", "next_7_days", "next_30_days",
]  # fmt: skip
"""Periods by their everyday names. ``last_7_days`` ends yesterday and ``next_7_days`` starts tomorrow."""

Weekday: TypeAlias = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class DateSpan(TypedDict):
    """A period of whole days.

    Attributes:
        start_date: First day.
        end_date: Last day, included.
        days: How many days there are, the first and the last included.
    """

    start_date: datetime.date
    end_date: datetime.date
    days: int


class LocalTime(TypedDict):
    """A moment as a clock in one place shows it.

    Attributes:
        moment: ISO 8601 with the offset from UTC, e.g. ``2026-07-01T14:30:00+02:00``.
        date: The day there.
        time: Hours and minutes there, e.g. ``14:30``.
        timezone: IANA name of the timezone.
        weekday: English name of the day.
        utc_offset_minutes: How many minutes the clock is ahead of UTC; negative west of it.
    """

    moment: datetime.datetime
    date: datetime.date
    time: str
    timezone: str
    weekday: Weekday
    utc_offset_minutes: int


class CalendarMonth(TypedDict):
    """One month as a calendar sheet.

    Attributes:
        year: Year.
        month: Month, 1 to 12.
        name: English name and year, e.g. ``February 2028``.
        start_date: First day of the month.
        end_date: Last day of the month.
        days: How many days it has.
        weeks: Weeks from Monday to Sunday; days of the neighbouring months are null.
    """

    year: int
    month: int
    name: str
    start_date: datetime.date
    end_date: datetime.date
    days: int
    weeks: list[list[datetime.date | None]]


@tool(effect="pure", tags=("dates",))
def convert_timezone(moment: datetime.datetime, to_timezone: str, from_timezone: str = "UTC") -> LocalTime:
    """Convert a date and time to another timezone.

    Args:
        moment: Date and time to convert; an offset in it counts, otherwise from_timezone.
        to_timezone: Timezone to convert to, such as 'Europe/Berlin' or 'UTC'.
        from_timezone: Timezone that a moment without an offset is meant in.

    Raises:
        ModelRetry: If a timezone is unknown, or the local time is skipped by a clock change.
    """
    if moment.tzinfo is None:
        zone = _zone(from_timezone)
        moment = moment.replace(tzinfo=zone)
        if _at(_at(moment, datetime.UTC), zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
            raise ModelRetry(
                f"{moment.replace(tzinfo=None).isoformat()} does not exist in {from_timezone!r}: "
                "clocks are set forward over it; take a time an hour later"
            )
    return _local_time(moment, to_timezone)


@tool(effect="pure", tags=("dates",))
def shift_date(date: datetime.date, days: int = 0, weeks: int = 0, months: int = 0, years: int = 0) -> datetime.date:
    """Move a date by days, weeks, months and years; negative numbers go back.

    Years and months are added first; if that month is too short, its last day is taken.

    Args:
        date: Date to start from.
        days: Days to add.
        weeks: Weeks to add.
        months: Months to add.
        years: Years to add.

    Raises:
        ModelRetry: If the result is before year 1 or after year 9999.
    """
    try:
        moved = _add_months(date, months + 12 * years)
        return moved + datetime.timedelta(days=days + 7 * weeks)
    except (OverflowError, ValueError):
        raise ModelRetry(
            f"{date.isoformat()} moved by {years} years, {months} months, {weeks} weeks and {days} days "
            "is not between the years 1 and 9999"
        ) from None


@tool(effect="pure", tags=("dates",))
def days_between_dates(start_date: datetime.date, end_date: datetime.date) -> int:
    """Count the days from one date to another: 1 from today to tomorrow, negative if the end is earlier.

    Args:
        start_date: Date to count from.
        end_date: Date to count to.
    """
    return (end_date - start_date).days


@tool(effect="pure", tags=("dates",))
def day_of_week(date: datetime.date) -> Weekday:
    """Tell which day of the week a date is.

    Args:
        date: Date to look at.
    """
    return WEEKDAYS[date.weekday()]


@tool(effect="pure", tags=("dates",))
def date_range(
    start_date: datetime.date, end_date: datetime.date, step: Literal["day", "week", "month"] = "day"
) -> list[datetime.date]:
    """List the dates from a first to a last one, both included.

    Args:
        start_date: First date.
        end_date: Last date; it is listed if a step ends on it.
        step: Distance from each date to the next.

    Raises:
        ModelRetry: If the end is before the start, or there are too many dates.
    """
    if end_date < start_date:
        raise ModelRetry(f"end_date {end_date.isoformat()} is before start_date {start_date.isoformat()}; swap them")
    days = (end_date - start_date).days
    count = 1 + {"day": days, "week": days // 7, "month": _whole_months(start_date, end_date)}[step]
    if count > MAX_DATES:
        raise ModelRetry(f"that would be {count} dates; at most {MAX_DATES} are listed; take a larger step")
    if step == "month":
        return [_add_months(start_date, number) for number in range(count)]
    stride = 7 if step == "week" else 1
    return [start_date + datetime.timedelta(days=stride * number) for number in range(count)]


@tool(effect="pure", tags=("dates",))
def calendar_month(year: int, month: int) -> CalendarMonth:
    """Show the calendar sheet of a month.

    Args:
        year: Year, 1 to 9999.
        month: Month, 1 to 12.

    Raises:
        ModelRetry: If there is no such month.
    """
    if not (1 <= month <= 12 and datetime.MINYEAR <= year <= datetime.MAXYEAR):
        raise ModelRetry(f"there is no month {month} of year {year}; month is 1 to 12 and year 1 to 9999")
    days = calendar.monthrange(year, month)[1]
    return CalendarMonth(
        year=year,
        month=month,
        name=f"{calendar.month_name[month]} {year}",
        start_date=datetime.date(year, month, 1),
        end_date=datetime.date(year, month, days),
        days=days,
        weeks=[
            [datetime.date(year, month, day) if day else None for day in week]
            for week in calendar.Calendar().monthdayscalendar(year, month)
        ],
    )


def period_around(today: datetime.date, period: Period) -> DateSpan:
    """The first and the last day of a period that is named as seen from `today`.

    Args:
        today: The day that the name is relative to.
        period: Name of the period.

    Raises:
        ModelRetry: If the period is not between the years 1 and 9999.
    """
    try:
        start, end = _period(today, period)
    except (OverflowError, ValueError):
        raise ModelRetry(f"{period!r} as seen from {today.isoformat()} is not between the years 1 and 9999") from None
    return DateSpan(start_date=start, end_date=end, days=(end - start).days + 1)


_NEIGHBOURS = {"last": -1, "this": 0, "next": 1}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def _period(today: datetime.date, period: str) -> tuple[datetime.date, datetime.date]:
    day = datetime.timedelta(days=1)
    if period in ("yesterday", "today", "tomorrow"):
        only = today + (("yesterday", "today", "tomorrow").index(period) - 1) * day
        return only, only
    which, unit = period.split("_", 1)
    if unit.endswith("_days"):
        count = int(unit.removesuffix("_days"))
        return (today - count * day, today - day) if which == "last" else (today + day, today + count * day)
    if unit == "week":
        monday = today + (7 * _NEIGHBOURS[which] - today.weekday()) * day
        return monday, monday + 6 * day
    length = _MONTHS[unit]
    first = datetime.date(today.year, (today.month - 1) // length * length + 1, 1)
    start = _add_months(first, _NEIGHBOURS[which] * length)
    last = _add_months(start, length - 1)
    return start, last.replace(day=calendar.monthrange(last.year, last.month)[1])


def _add_months(date: datetime.date, months: int) -> datetime.date:
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    if not datetime.MINYEAR <= year <= datetime.MAXYEAR:
        raise OverflowError
    return date.replace(year=year, month=month + 1, day=min(date.day, calendar.monthrange(year, month + 1)[1]))


def _whole_months(start: datetime.date, end: datetime.date) -> int:
    months = (end.year - start.year) * 12 + end.month - start.month
    return months if _add_months(start, months) <= end else months - 1


def _zone(name: str) -> datetime.tzinfo:
    if name == "UTC":
        return datetime.UTC  # also where the system has no timezone data
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        tails = {zone.rpartition("/")[2].lower(): zone for zone in sorted(known, reverse=True) if "/" in zone}
        spoken = name.strip().replace(" ", "_").lower()
        near = difflib.get_close_matches(spoken.rpartition("/")[2], tails, n=2, cutoff=0.75)
        hint = f"did you mean {' or '.join(repr(tails[one]) for one in near)}?" if near else "use an IANA name"
        raise ModelRetry(
            f"unknown timezone {name[:60]!r}; {hint} (such as 'Europe/Berlin', 'America/New_York', 'UTC')"
        ) from None


def check_zone(name: str) -> datetime.tzinfo:
    """The timezone `name` of a setting.

    Raises:
        DefinitionError: If there is none.
    """
    try:
        return _zone(name)
    except ModelRetry as error:
        raise DefinitionError(str(error)) from None


def _local_time(moment: datetime.datetime, timezone: str) -> LocalTime:
    local = _at(moment, _zone(timezone))
    offset = local.utcoffset() or datetime.timedelta()
    return LocalTime(
        moment=local,
        date=local.date(),
        time=local.strftime("%H:%M"),
        timezone=timezone,
        weekday=WEEKDAYS[local.weekday()],
        utc_offset_minutes=int(offset.total_seconds() // 60),
    )


def _at(moment: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise ModelRetry(f"{moment.isoformat()} is not between the years 1 and 9999 in every timezone") from None


def _system_clock() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def date_tools(*, clock: Callable[[], datetime.datetime] = _system_clock, timezone: str = "UTC") -> tuple[Tool, ...]:
    """The tools of this family, in one timezone and by one clock.

    Args:
        clock: Returns the current time with its offset from UTC.
        timezone: IANA name of the timezone whose date "today" is.

    Raises:
        DefinitionError: If the timezone is unknown.
    """
    home = timezone
    check_zone(home)

    def today() -> datetime.date:
        return _at(clock(), _zone(home)).date()

    @tool(effect="read", resources=("clock",), tags=("dates",))
    def get_today_date() -> datetime.date:
        """Get the date of today."""
        return today()

    @tool(effect="read", resources=("clock",), tags=("dates",))
    def current_time(timezone: str = home) -> LocalTime:
        """Get the current date and time in a timezone.

        Args:
            timezone: Timezone such as 'Europe/Berlin' or 'UTC'.
        """
        return _local_time(clock(), timezone)

    @tool(effect="read", resources=("clock",), tags=("dates",))
    def period_dates(period: Period) -> DateSpan:
        """Get the first and the last date of a period such as last week, as seen from today.

        Args:
            period: Name of the period; weeks start on Monday, last_7_days ends yesterday.
        """
        return period_around(today(), period)

    return (
        get_today_date,
        current_time,
        period_dates,
        convert_timezone,
        shift_date,
        days_between_dates,
        day_of_week,
        date_range,
        calendar_month,
    )


TOOLS: tuple[Tool, ...] = date_tools()
"""The tools of this family on the system's clock, in UTC."""
