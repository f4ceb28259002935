"""Moments and durations: what each unit means, across changes of clocks, holidays and make-up days."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from booking.rules.calendar import Calendar, parse_dates
from booking.rules.moments import Moment, parse_duration, parse_moment
from booking.rules.windows import parse_window

START = "2026-03-12 10:00"  # a Thursday


def make_moment(text: str, zone: str = "UTC", **settings: object) -> Moment:
    calendar = Calendar(ZoneInfo(zone), **settings)  # type: ignore[arg-type]
    return parse_moment(text, calendar, parse_window("business", "workday 09:00-17:00", calendar))


def resolve(text: str, start: str = START, zone: str = "UTC", **settings: object) -> str:
    """Local wall time of a moment for a local start."""
    local = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone))
    found = make_moment(text, zone, **settings).resolve(lambda _name: local.astimezone(UTC))
    assert found is not None
    return f"{found.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start", "2026-03-12 10:00"),
        ("start -30min", "2026-03-12 09:30"),
        ("start-24h", "2026-03-11 10:00"),
        ("start + 2d", "2026-03-14 10:00"),
        ("start -1w", "2026-03-05 10:00"),
        ("start -3d @24:00", "2026-03-10 00:00"),
        ("start @09:00", "2026-03-12 09:00"),
        ("start -1w Thu @12:00", "2026-03-05 12:00"),
        ("start Monday", "2026-03-09 10:00"),
        ("start -1mo #15", "2026-02-15 10:00"),
        ("start -1mo #31", "2026-02-28 10:00"),
        ("start #last @18:00", "2026-03-31 18:00"),
        ("start -1y", "2025-03-12 10:00"),
        ("start -4bh", "2026-03-11 14:00"),
        ("start +7bh", "2026-03-12 17:00"),
        ("start +8bh", "2026-03-13 10:00"),
        ("start -0bh", "2026-03-12 10:00"),
        ("start -4wd", "2026-03-06 10:00"),
        ("start +2wd", "2026-03-16 10:00"),
        ("start -1d -2h", "2026-03-11 08:00"),
        ("2026-05-01", "2026-05-01 00:00"),
        ("2026-05-01 12:00", "2026-05-01 12:00"),
    ],
)
def test_moment_resolves(text: str, expected: str) -> None:
    assert resolve(text) == expected


def test_month_keeps_to_its_last_day() -> None:
    assert resolve("start +1mo", "2026-01-31 10:00") == "2026-02-28 10:00"
    assert resolve("start -1y", "2024-02-29 10:00") == "2023-02-28 10:00"


def test_week_begins_where_the_calendar_says() -> None:
    assert resolve("start Sun") == "2026-03-15 10:00"
    assert resolve("start Sun", week_start=6) == "2026-03-08 10:00"


def test_business_time_skips_holidays_and_counts_make_up_days() -> None:
    holidays = (parse_dates("2026-03-11"),)
    workdays = (parse_dates("2026-03-14"),)

    assert resolve("start -2bh", holidays=holidays) == "2026-03-10 16:00"
    assert resolve("start -1wd", holidays=holidays) == "2026-03-10 10:00"
    assert resolve("start +2wd", workdays=workdays) == "2026-03-14 10:00"
    assert resolve("start +9bh", "2026-03-13 10:00", workdays=workdays) == "2026-03-14 11:00"


def test_business_time_that_never_comes_ends_the_search() -> None:
    calendar = Calendar(ZoneInfo("UTC"))
    moment = parse_moment("start -1bh", calendar, parse_window("business", "holiday 09:00-17:00", calendar))

    found = moment.resolve(lambda _name: datetime(2026, 3, 12, tzinfo=UTC))

    assert found == datetime(2015, 3, 30, tzinfo=UTC)


def test_a_day_keeps_the_wall_clock_and_24_hours_do_not() -> None:
    spring = "2026-03-29 10:00"  # the clock of Berlin jumped from 02:00 to 03:00

    assert resolve("start -1d", spring, "Europe/Berlin") == "2026-03-28 10:00"
    assert resolve("start -24h", spring, "Europe/Berlin") == "2026-03-28 09:00"
    assert resolve("start +1d", "2026-03-28 02:30", "Europe/Berlin") == "2026-03-29 03:00"
    assert resolve("start +1d", "2026-10-24 02:30", "Europe/Berlin") == "2026-10-25 02:30"


def test_a_repeated_local_hour_means_its_first_run() -> None:
    start = datetime(2026, 10, 26, 1, 30, tzinfo=UTC)  # 02:30 in Berlin

    found = make_moment("start -1d", "Europe/Berlin").resolve(lambda _name: start)

    assert found == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_unknown_anchor_has_no_moment() -> None:
    assert make_moment("person.trained +1y").resolve(lambda _name: None) is None


def test_end_of_day_is_past_at_midnight_and_a_clock_is_not() -> None:
    midnight = datetime(2026, 3, 12, tzinfo=UTC)

    assert make_moment("start @24:00").is_past(midnight, midnight)
    assert not make_moment("start @00:00").is_past(midnight, midnight)


@pytest.mark.parametrize(
    "text",
    ["", "strat", "start 3d", "start -3", "start -3x", "start #0", "start #32", "start @25:00", "start @09:61"]
    + [
        "start Mittwoch",
        "start -99999999d",
        "1900-01-01",
        "2026-13-01",
        "start" + " -1d" * 7,
        "start - Mon",
        "start -1ms",
    ],
)
def test_moment_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        make_moment(text)


@pytest.mark.parametrize("text", ["", "d", "-3d", "3", "3.5h", "100001d", "3 weeks"])
def test_duration_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)
