"""Dates, calendar and timezones, always on a clock of the test's own."""

from __future__ import annotations

import datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import DefinitionError, ModelRetry
from agentkit.toolbox import Toolbox
from agentkit.tools import dates
from agentkit.tools.dates import (
    Period,
    calendar_month,
    convert_timezone,
    date_range,
    date_tools,
    day_of_week,
    days_between_dates,
    period_around,
    shift_date,
)

SATURDAY_NIGHT = datetime.datetime(2026, 11, 21, 23, 30, tzinfo=datetime.UTC)
DATES = st.dates(datetime.date(1900, 1, 1), datetime.date(2200, 12, 31))


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


async def call(name: str, /, _timezone: str = "UTC", **arguments: Any) -> Any:
    """What a plan gets from a tool whose clock stands still."""
    one = Toolbox(date_tools(clock=lambda: SATURDAY_NIGHT, timezone=_timezone))[name]
    return await one.invoke(one.bind(arguments))


async def test_today_is_the_clock_s_day_in_the_chosen_timezone() -> None:
    assert await call("get_today_date") == "2026-11-21"
    assert await call("get_today_date", "Asia/Tokyo") == "2026-11-22"


async def test_the_current_time_is_told_for_any_timezone() -> None:
    assert await call("current_time", timezone="Asia/Kolkata") == {
        "moment": "2026-11-22T05:00:00+05:30",
        "date": "2026-11-22",
        "time": "05:00",
        "timezone": "Asia/Kolkata",
        "weekday": "Sunday",
        "utc_offset_minutes": 330,
    }
    assert (await call("current_time", "America/New_York"))["time"] == "18:30"


async def test_periods_are_seen_from_today() -> None:
    found = await call("period_dates", period="last_week")
    assert found == {"start_date": "2026-11-09", "end_date": "2026-11-15", "days": 7}


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("yesterday", "2026-11-20", "2026-11-20"),
        ("this_week", "2026-11-16", "2026-11-22"),
        ("next_week", "2026-11-23", "2026-11-29"),
        ("last_month", "2026-10-01", "2026-10-31"),
        ("next_month", "2026-12-01", "2026-12-31"),
        ("this_quarter", "2026-10-01", "2026-12-31"),
        ("next_quarter", "2027-01-01", "2027-03-31"),
        ("last_year", "2025-01-01", "2025-12-31"),
        ("last_7_days", "2026-11-14", "2026-11-20"),
        ("next_30_days", "2026-11-22", "2026-12-21"),
    ],
)
def test_each_period_has_its_days(period: Period, start: str, end: str) -> None:
    found = period_around(day("2026-11-21"), period)
    assert (found["start_date"], found["end_date"]) == (day(start), day(end))


@given(DATES)
def test_last_this_and_next_follow_each_other_without_a_gap(today: datetime.date) -> None:
    one = datetime.timedelta(days=1)
    for unit in ("week", "month", "quarter", "year"):
        last, this, following = (period_around(today, f"{which}_{unit}") for which in ("last", "this", "next"))  # type: ignore[arg-type]
        assert last["end_date"] + one == this["start_date"]
        assert this["start_date"] <= today <= this["end_date"]
        assert this["end_date"] + one == following["start_date"]


@given(DATES, st.sampled_from(get_args(Period)))
def test_the_days_of_a_period_are_counted(today: datetime.date, period: Period) -> None:
    found = period_around(today, period)
    assert found["days"] == len(date_range(found["start_date"], found["end_date"]))


def test_months_that_are_too_short_end_on_their_last_day() -> None:
    assert shift_date(day("2028-01-31"), months=1) == day("2028-02-29")
    assert shift_date(day("2028-02-29"), years=1) == day("2029-02-28")
    assert shift_date(day("2026-03-31"), months=-1, days=1) == day("2026-03-01")
    assert shift_date(day("2026-11-21"), weeks=-2) == day("2026-11-07")


@given(DATES, st.integers(-5000, 5000))
def test_shifting_back_undoes_shifting(date: datetime.date, days: int) -> None:
    moved = shift_date(date, days=days)
    assert shift_date(moved, days=-days) == date
    assert days_between_dates(date, moved) == days


@pytest.mark.parametrize("shift", [{"days": 10**30}, {"months": -(10**30)}, {"years": 9000}, {"weeks": 10**9}])
def test_a_date_outside_the_calendar_is_refused(shift: dict[str, int]) -> None:
    with pytest.raises(ModelRetry, match=r"^2026-11-21 moved by .* is not between the years 1 and 9999$"):
        shift_date(day("2026-11-21"), **shift)


def test_weekdays_are_named() -> None:
    assert day_of_week(day("2026-11-21")) == "Saturday"


def test_ranges_include_both_ends() -> None:
    assert date_range(day("2026-11-28"), day("2026-12-01")) == [
        day("2026-11-28"),
        day("2026-11-29"),
        day("2026-11-30"),
        day("2026-12-01"),
    ]
    assert date_range(day("2026-11-01"), day("2026-11-15"), "week") == [
        day("2026-11-01"),
        day("2026-11-08"),
        day("2026-11-15"),
    ]


def test_monthly_ranges_keep_the_day_where_they_can() -> None:
    assert date_range(day("2026-01-31"), day("2026-04-30"), "month") == [
        day("2026-01-31"),
        day("2026-02-28"),
        day("2026-03-31"),
        day("2026-04-30"),
    ]


def test_ranges_are_bounded_and_run_forwards() -> None:
    with pytest.raises(ModelRetry) as refusal:
        date_range(day("0001-01-01"), day("9999-12-31"))
    assert str(refusal.value) == "that would be 3652059 dates; at most 3700 are listed; take a larger step"
    with pytest.raises(ModelRetry) as refusal:
        date_range(day("2026-02-01"), day("2026-01-01"))
    assert str(refusal.value) == "end_date 2026-01-01 is before start_date 2026-02-01; swap them"


async def test_a_calendar_month_shows_weeks_from_monday() -> None:
    sheet = await call("calendar_month", year=2028, month=2)
    assert sheet["name"] == "February 2028"
    assert (sheet["start_date"], sheet["end_date"], sheet["days"]) == ("2028-02-01", "2028-02-29", 29)
    assert sheet["weeks"][0] == [
        None,
        "2028-02-01",
        "2028-02-02",
        "2028-02-03",
        "2028-02-04",
        "2028-02-05",
        "2028-02-06",
    ]
    with pytest.raises(ModelRetry, match="there is no month 13 of year 2026; month is 1 to 12 and year 1 to 9999"):
        calendar_month(2026, 13)


async def test_timezones_convert_over_clock_changes() -> None:
    summer = await call("convert_timezone", moment="2026-07-01T12:00:00", to_timezone="Europe/Berlin")
    assert (summer["moment"], summer["utc_offset_minutes"]) == ("2026-07-01T14:00:00+02:00", 120)
    winter = await call(
        "convert_timezone", moment="2026-12-01T09:00:00", to_timezone="UTC", from_timezone="America/New_York"
    )
    assert winter["moment"] == "2026-12-01T14:00:00Z"
    offset = await call("convert_timezone", moment="2026-07-01T12:00:00-07:00", to_timezone="UTC")
    assert offset["time"] == "19:00"


def test_a_local_time_that_the_clock_skips_is_refused() -> None:
    with pytest.raises(ModelRetry) as refusal:
        convert_timezone(datetime.datetime(2026, 3, 29, 2, 30), "UTC", "Europe/Berlin")  # noqa: DTZ001
    assert str(refusal.value) == (
        "2026-03-29T02:30:00 does not exist in 'Europe/Berlin': clocks are set forward over it; "
        "take a time an hour later"
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("new york", "did you mean 'America/New_York'?"),
        ("Berlin", "did you mean 'Europe/Berlin'?"),
        ("../../etc/passwd", "use an IANA name"),
        ("/etc/hosts", "use an IANA name"),
        ("", "use an IANA name"),
        ("Moon/Base", "use an IANA name"),
    ],
)
def test_an_unknown_timezone_is_refused_with_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(ModelRetry) as refusal:
        convert_timezone(SATURDAY_NIGHT, name)
    assert str(refusal.value) == (
        f"unknown timezone {name!r}; {hint} (such as 'Europe/Berlin', 'America/New_York', 'UTC')"
    )


def test_a_moment_at_the_end_of_time_is_refused() -> None:
    with pytest.raises(ModelRetry, match="is not between the years 1 and 9999 in every timezone"):
        convert_timezone(datetime.datetime(1, 1, 1, tzinfo=datetime.UTC), "America/New_York")


def test_an_unknown_home_timezone_is_the_developer_s_mistake() -> None:
    with pytest.raises(DefinitionError, match="unknown timezone 'Berlin'"):
        date_tools(timezone="Berlin")


def test_only_the_clock_s_tools_are_reads() -> None:
    """The others depend on their arguments alone, so that a run may keep their results."""
    toolbox = Toolbox(dates.TOOLS)
    toolbox.validate()
    reads = [name for name, one in toolbox.items() if one.effect == "read"]
    assert reads == ["get_today_date", "current_time", "period_dates"]
    assert toolbox["get_today_date"].output_schema == {"type": "string", "format": "date"}
