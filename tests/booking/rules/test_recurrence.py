"""When a series takes place: rules in writing, their bounds, and the clocks of four places."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.core.errors import Invalid
from backend.core.periods import Period
from booking.rules.recurrence import Occurrence, in_words, occurrences, overlapping, read_rule, shifted

SHANGHAI = ZoneInfo("Asia/Shanghai")
UTC_ZONE = ZoneInfo("UTC")


def local(zone: str | ZoneInfo, *parts: int, fold: int = 0) -> datetime:
    zone = ZoneInfo(zone) if isinstance(zone, str) else zone
    return datetime(*parts, tzinfo=zone, fold=fold)  # type: ignore[arg-type,misc]


def dates(rule: str, start: datetime, hours: float = 3) -> list[Occurrence]:
    zone = start.tzinfo
    assert isinstance(zone, ZoneInfo)
    end = (start.astimezone(UTC) + timedelta(hours=hours)).astimezone(zone)
    return occurrences(read_rule(rule), start=start, end=end, zone=zone)


def walls(rule: str, start: datetime, hours: float = 3) -> list[str]:
    zone = start.tzinfo
    return [f"{date.start.astimezone(zone):%Y-%m-%d %H:%M}" for date in dates(rule, start, hours)]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=10", "FREQ=WEEKLY;BYDAY=MO;COUNT=10"),
        ("RRULE:freq=weekly;count=3;interval=1;", "FREQ=WEEKLY;COUNT=3"),
        ("FREQ=DAILY;INTERVAL=2;UNTIL=20261231", "FREQ=DAILY;INTERVAL=2;UNTIL=20261231"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1;COUNT=2", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1;COUNT=2"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,-1;COUNT=2", "FREQ=MONTHLY;BYMONTHDAY=1,-1;COUNT=2"),
        ("FREQ=WEEKLY;WKST=SU;COUNT=100", "FREQ=WEEKLY;COUNT=100"),
    ],
)
def test_a_rule_is_read_and_written(text: str, canonical: str) -> None:
    assert str(read_rule(text)) == canonical


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "rrule"),
        ("weekly", "rrule"),
        ("FREQ=WEEKLY;FREQ=DAILY;COUNT=2", "rrule"),
        ("FREQ=HOURLY;COUNT=2", "frequency"),
        ("FREQ=YEARLY;COUNT=2", "frequency"),
        ("COUNT=2", "frequency"),
        ("FREQ=DAILY;BYHOUR=9;COUNT=2", "rrule"),
        ("FREQ=DAILY;BYDAY=MO;COUNT=2", "rrule"),
        ("FREQ=WEEKLY;BYDAY=1MO;COUNT=2", "rrule"),
        ("FREQ=WEEKLY;BYDAY=MON;COUNT=2", "rrule"),
        ("FREQ=MONTHLY;BYMONTHDAY=32;COUNT=2", "rrule"),
        ("FREQ=MONTHLY;BYMONTHDAY=x;COUNT=2", "rrule"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0;COUNT=2", "rrule"),
        ("FREQ=WEEKLY;INTERVAL=0;COUNT=2", "rrule"),
        ("FREQ=WEEKLY;INTERVAL=100;COUNT=2", "rrule"),
        ("FREQ=WEEKLY;COUNT=0", "rrule"),
        ("FREQ=WEEKLY;COUNT=101", "rrule"),
        ("FREQ=WEEKLY", "endless"),
        ("FREQ=WEEKLY;COUNT=2;UNTIL=20261231", "endless"),
        ("FREQ=WEEKLY;UNTIL=tomorrow", "rrule"),
        ("FREQ=WEEKLY;UNTIL=20261301", "rrule"),
        ("FREQ=WEEKLY;UNTIL=00010101T000000Z", "rrule"),
    ],
)
def test_a_rule_that_is_none_says_why(text: str, code: str) -> None:
    if text.endswith("00010101T000000Z"):
        assert dates_code(text) in ("no_dates", "rrule")
        return
    with pytest.raises(Invalid) as caught:
        read_rule(text)

    assert [refusal.code for refusal in caught.value.refusals] == [code]


def dates_code(text: str, start: datetime | None = None) -> str:
    with pytest.raises(Invalid) as caught:
        dates(text, start or local(SHANGHAI, 2026, 12, 1, 9))
    return caught.value.refusals[0].code


def test_dates_of_a_week_a_month_and_a_day() -> None:
    tuesday = local(SHANGHAI, 2026, 12, 1, 9)

    assert walls("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", tuesday) == [
        "2026-12-02 09:00",
        "2026-12-07 09:00",
        "2026-12-09 09:00",
    ]
    assert walls("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", tuesday) == ["2026-12-25 09:00", "2027-01-29 09:00"]
    assert walls("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=2", tuesday) == ["2026-12-31 09:00", "2027-01-31 09:00"]
    assert walls("FREQ=DAILY;INTERVAL=3;UNTIL=20261207", tuesday) == [
        "2026-12-01 09:00",
        "2026-12-04 09:00",
        "2026-12-07 09:00",
    ]


def test_until_an_instant_counts_by_the_clock_of_the_place() -> None:
    start = local(SHANGHAI, 2026, 12, 1, 9)

    assert len(walls("FREQ=DAILY;UNTIL=20261203T010000Z", start)) == 3
    assert len(walls("FREQ=DAILY;UNTIL=20261203T005959Z", start)) == 2
    assert len(walls("FREQ=DAILY;UNTIL=20261203T085900", start)) == 2


def test_a_hundred_dates_are_possible_and_one_more_is_not() -> None:
    start = local(SHANGHAI, 2026, 12, 1, 9)

    assert len(walls("FREQ=DAILY;COUNT=100", start)) == 100
    assert len(walls("FREQ=DAILY;UNTIL=20270310", start)) == 100
    assert dates_code("FREQ=DAILY;UNTIL=20270311") == "too_many"


def test_two_years_are_possible_and_more_is_not() -> None:
    start = local(SHANGHAI, 2026, 12, 1, 9)

    assert walls("FREQ=MONTHLY;COUNT=25", start)[-1] == "2028-12-01 09:00"
    assert dates_code("FREQ=MONTHLY;COUNT=26") == "too_far"
    assert dates_code("FREQ=MONTHLY;UNTIL=20281203") == "too_far"
    assert walls("FREQ=MONTHLY;UNTIL=20281201", start)[-1] == "2028-12-01 09:00"


def test_a_rule_without_dates_says_so() -> None:
    assert dates_code("FREQ=WEEKLY;UNTIL=20261130") == "no_dates"
    assert dates_code("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;COUNT=2", local(SHANGHAI, 2026, 2, 3, 9)) == "too_far"


@pytest.mark.parametrize(
    ("zone", "first", "offsets"),
    [
        ("America/New_York", (2026, 10, 25, 9), ["-0400", "-0500"]),
        ("America/New_York", (2027, 3, 7, 9), ["-0500", "-0400"]),
        ("Europe/London", (2026, 10, 18, 9), ["+0100", "+0000"]),
        ("Europe/London", (2027, 3, 21, 9), ["+0000", "+0100"]),
        ("Australia/Lord_Howe", (2026, 9, 27, 9), ["+1030", "+1100"]),
        ("Australia/Lord_Howe", (2027, 3, 28, 9), ["+1100", "+1030"]),
        ("Asia/Shanghai", (2026, 10, 25, 9), ["+0800", "+0800"]),
    ],
)
def test_a_weekly_nine_o_clock_stays_nine_o_clock(zone: str, first: tuple[int, ...], offsets: list[str]) -> None:
    found = dates("FREQ=WEEKLY;COUNT=2", local(zone, *first))

    there = [(date.start.astimezone(ZoneInfo(zone)), date.end.astimezone(ZoneInfo(zone))) for date in found]
    assert [f"{start:%H:%M}–{end:%H:%M}" for start, end in there] == ["09:00–12:00"] * 2
    assert [f"{start:%z}" for start, _end in there] == offsets
    assert [date.gap for date in found] == ["", ""]


@pytest.mark.parametrize(
    ("zone", "first", "gap", "after"),
    [
        ("America/New_York", (2027, 3, 7, 2, 30), "02:30", "2027-03-14 03:00"),
        ("Europe/London", (2027, 3, 21, 1, 30), "01:30", "2027-03-28 02:00"),
        ("Australia/Lord_Howe", (2026, 9, 27, 2, 15), "02:15", "2026-10-04 02:30"),
    ],
)
def test_a_time_that_the_clock_skips_cannot_be_booked(zone: str, first: tuple[int, ...], gap: str, after: str) -> None:
    found = dates("FREQ=WEEKLY;COUNT=3", local(zone, *first), hours=2)

    assert [date.gap for date in found] == ["", gap, ""]
    assert f"{found[1].start.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" == after
    assert found[1].end > found[1].start


def test_an_end_that_the_clock_skips_is_a_gap_too() -> None:
    found = dates("FREQ=WEEKLY;COUNT=2", local("America/New_York", 2027, 3, 7, 0, 30), hours=2)

    assert [date.gap for date in found] == ["", "02:30"]


@pytest.mark.parametrize(
    ("zone", "first", "utc"),
    [
        ("America/New_York", (2026, 10, 25, 1, 30), "2026-11-01 05:30"),
        ("Europe/London", (2026, 10, 18, 1, 30), "2026-10-25 00:30"),
        ("Australia/Lord_Howe", (2027, 3, 28, 1, 45), "2027-04-03 14:45"),
    ],
)
def test_of_a_time_that_comes_twice_the_first_is_meant(zone: str, first: tuple[int, ...], utc: str) -> None:
    found = dates("FREQ=WEEKLY;COUNT=2", local(zone, *first), hours=3)

    assert f"{found[1].start:%Y-%m-%d %H:%M}" == utc


def test_the_first_date_is_the_instant_that_was_given() -> None:
    second = local("America/New_York", 2026, 11, 1, 1, 30, fold=1)

    found = dates("FREQ=DAILY;COUNT=2", second, hours=1)

    assert found[0].start == second.astimezone(UTC)
    assert f"{found[0].start:%H:%M}" == "06:30"


def test_a_time_from_the_first_to_the_second_showing_keeps_its_length() -> None:
    start = local("America/New_York", 2026, 11, 1, 1, 30)
    end = local("America/New_York", 2026, 11, 1, 1, 15, fold=1)

    found = occurrences(read_rule("FREQ=DAILY;COUNT=2"), start=start, end=end, zone=ZoneInfo("America/New_York"))

    assert [date.end - date.start for date in found] == [timedelta(minutes=45)] * 2


def test_an_end_before_the_start_by_the_clock_keeps_the_length() -> None:
    # Every night from 00:45 to 01:15; on the night of the change both come twice.
    start = local("America/New_York", 2026, 10, 31, 1, 30)
    found = occurrences(
        read_rule("FREQ=DAILY;COUNT=2"),
        start=start,
        end=start + timedelta(minutes=15),
        zone=ZoneInfo("America/New_York"),
    )

    assert [date.end - date.start for date in found] == [timedelta(minutes=15)] * 2


def test_moving_keeps_the_clock_across_a_change() -> None:
    zone = ZoneInfo("America/New_York")
    week = dates("FREQ=WEEKLY;COUNT=3", local(zone, 2026, 10, 18, 9))

    moved = shifted(
        [Period(date.start, date.end) for date in week],
        start=local(zone, 2026, 10, 19, 14),
        end=local(zone, 2026, 10, 19, 16),
        zone=zone,
    )

    assert [f"{date.start.astimezone(zone):%m-%d %H:%M}–{date.end.astimezone(zone):%H:%M}" for date in moved] == [
        "10-19 14:00–16:00",
        "10-26 14:00–16:00",
        "11-02 14:00–16:00",
    ]


def test_moving_into_a_gap_says_so_and_a_turned_time_keeps_its_length() -> None:
    zone = ZoneInfo("America/New_York")
    week = [Period(date.start, date.end) for date in dates("FREQ=WEEKLY;COUNT=2", local(zone, 2027, 3, 7, 9))]

    moved = shifted(week, start=local(zone, 2027, 3, 7, 2, 30), end=local(zone, 2027, 3, 7, 3), zone=zone)
    turned = shifted(
        week, start=local(zone, 2026, 11, 1, 1, 30), end=local(zone, 2026, 11, 1, 1, 15, fold=1), zone=zone
    )

    assert [date.gap for date in moved] == ["", "02:30"]
    assert turned[1].end - turned[1].start == timedelta(minutes=45)


def test_dates_that_overlap_are_found_with_set_up_and_cleaning() -> None:
    long = dates("FREQ=DAILY;COUNT=3", local(SHANGHAI, 2026, 12, 1, 9), hours=25)
    touching = dates("FREQ=DAILY;COUNT=3", local(SHANGHAI, 2026, 12, 1, 9), hours=24)

    assert overlapping(long) == (long[0], long[1])
    assert overlapping(touching) is None
    assert overlapping(touching, before=timedelta(minutes=1)) == (touching[0], touching[1])
    assert overlapping(touching, after=timedelta(minutes=1)) == (touching[0], touching[1])


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY;COUNT=5", "Every day, 5 times"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;UNTIL=20270301", "Every 2 weeks on Monday, Wednesday, until 2027-03-01"),
        ("FREQ=MONTHLY;BYDAY=2TU;COUNT=3", "Every month on Tuesday no. 2 of the month, 3 times"),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "Every month on the last Friday, 3 times"),
        ("FREQ=MONTHLY;BYDAY=-2FR;COUNT=3", "Every month on -2FR, 3 times"),
        ("FREQ=MONTHLY;BYMONTHDAY=15,-1,-2;COUNT=3", "Every month on the 15. of the month, the last day, -2, 3 times"),
    ],
)
def test_a_rule_in_words(rule: str, words: str) -> None:
    assert in_words(read_rule(rule), UTC_ZONE) == words
