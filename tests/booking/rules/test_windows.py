"""The grammar of windows and what lies in them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from backend.core.periods import Period
from booking.rules.calendar import Calendar, parse_dates, parse_weekday
from booking.rules.windows import Window, join_windows, parse_window

HOLIDAY = (parse_dates("2026-03-11"),)  # a Wednesday
MAKE_UP = (parse_dates("2026-03-14"),)  # a Saturday


def make_window(text: str, zone: str = "UTC") -> Window:
    return parse_window("w", text, Calendar(ZoneInfo(zone), 0, HOLIDAY, MAKE_UP))


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("Mon-Fri 09:00-17:00", "2026-03-10 09:00", "2026-03-10 17:00"),
        ("Mon-Fri 09:00-17:00", "2026-03-11 09:00", "2026-03-14 09:00"),
        ("Fri-Mon", "2026-03-15 12:00", "2026-03-10 12:00"),
        ("Tue,Sat 08:00-09:00", "2026-03-14 08:59", "2026-03-13 08:30"),
        ("daily 20:00-08:00", "2026-03-11 07:59", "2026-03-11 08:00"),
        ("Fri 20:00-08:00", "2026-03-14 03:00", "2026-03-13 03:00"),
        ("workday", "2026-03-14 10:00", "2026-03-11 10:00"),
        ("offday", "2026-03-11 10:00", "2026-03-14 10:00"),
        ("holiday 10:00-12:00", "2026-03-11 10:00", "2026-03-15 10:00"),
        ("09:00-10:00, 14:00-15:00", "2026-03-10 14:30", "2026-03-10 11:00"),
        ("Mon 09:00-10:00; Tue", "2026-03-10 23:59", "2026-03-09 10:00"),
        ("[03-01..03-10] daily", "2026-03-10 12:00", "2026-03-11 12:00"),
        ("[11-01..02-28]", "2026-01-15 12:00", "2026-03-15 12:00"),
        ("[2026-03-10, 2026-03-12] 09:00-10:00", "2026-03-12 09:00", "2026-03-11 09:00"),
        ("[2026-03-10..2026-03-12]", "2026-03-11 09:00", "2027-03-11 09:00"),
        ("[05-01..09-30] workday 20:00-24:00; Sat 09:00-17:00", "2026-03-14 09:00", "2026-03-12 21:00"),
    ],
)
def test_window_holds(text: str, inside: str, outside: str) -> None:
    window = make_window(text)

    assert window.holds(at(inside))
    assert not window.holds(at(outside))


def test_bands_stay_apart_and_pieces_join() -> None:
    window = make_window("daily 09:00-13:00, 13:00-17:00")
    start, end = at("2026-03-10 08:00"), at("2026-03-10 16:00")

    assert len(window.bands(start, end)) == 2
    assert window.pieces(start, end) == [Period(at("2026-03-10 09:00"), end)]
    assert window.contains(at("2026-03-10 09:00"), at("2026-03-10 17:00"))
    assert not window.contains(start, end)


def test_an_instant_touches_and_lies_in_the_band_that_begins_there() -> None:
    window = make_window("daily 09:00-17:00")

    assert window.contains(at("2026-03-10 09:00"), at("2026-03-10 09:00"))
    assert not window.touches(at("2026-03-10 17:00"), at("2026-03-10 17:00"))
    assert window.ends_with(at("2026-03-10 17:00"))
    assert not window.ends_with(at("2026-03-10 09:00"))


def test_a_night_is_an_hour_shorter_when_the_clock_jumps() -> None:
    window = make_window("Sat 20:00-08:00", "Europe/Berlin")

    (night,) = window.bands(at("2026-03-28 20:00", "Europe/Berlin"), at("2026-03-29 08:00", "Europe/Berlin"))

    assert night.duration.total_seconds() == 11 * 3600


def test_a_band_swallowed_by_the_clock_is_none() -> None:
    window = make_window("daily 02:00-03:00", "Europe/Berlin")

    assert window.of_day(datetime(2026, 3, 29).date()) == ()


def test_joined_windows_are_their_union() -> None:
    joined = join_windows([make_window("Sat"), make_window("Sun 10:00-12:00")])

    assert joined.holds(at("2026-03-15 11:00"))
    assert joined.name == "w + w"


def test_a_window_forgets_days_before_it_fills_the_memory() -> None:
    window = make_window("daily")
    window._days.update({datetime.fromordinal(number).date(): () for number in range(1, 4001)})

    window.of_day(datetime(2026, 3, 10).date())

    assert len(window._days) == 1


@pytest.mark.parametrize(
    "text",
    ["", ";", "Mon-Fry", "Mon 9-17", "Mon 09:00", "Mon 24:00-24:00", "[13-01]", "[05-01..2026-05-02]", "[]"]
    + ["[2026-05-02..2026-05-01]", "[02-30]", "09:00-17:00 Mon", "Mon,", "?", "[05-01", "09:00-24:30"],
)
def test_window_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        make_window(text)


def test_weekdays_by_short_and_full_name() -> None:
    assert (parse_weekday("Thu"), parse_weekday("thursday")) == (3, 3)
    with pytest.raises(ValueError):
        parse_weekday("thurs")
