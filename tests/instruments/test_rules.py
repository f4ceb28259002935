"""Opening hours, free time and units: pure functions."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from backend.core.periods import Period
from instruments.rules import (
    Announced,
    Hours,
    PublicDays,
    Special,
    Taken,
    bookable_stretches,
    first_free_unit,
    free_periods,
    open_periods,
    public_days,
)
from tests.factories import DAY, at
from tests.instruments.pricing.building import SHANGHAI

WEEK = [Hours(day, time(8), time(20)) for day in range(1, 6)]
SATURDAY = date(2026, 12, 5)


def opened(day: date, *special: Special, public: PublicDays, on_holidays: bool = False) -> list[Period]:
    start, end = at(0, day=day), at(0, day=day + timedelta(days=1))
    return open_periods(WEEK, special, zone=SHANGHAI, start=start, end=end, open_on_holidays=on_holidays, public=public)


def from_to(first: int, last: int, day: date = DAY) -> Period:
    return Period(at(first, day=day), at(last, day=day))


@pytest.mark.parametrize(
    ("special", "on_holidays", "expected"),
    [
        ((), False, []),
        ((), True, [from_to(8, 20)]),
        ((Special(DAY, time(10), time(12)),), False, [from_to(10, 12)]),
        ((Special(DAY),), True, []),
    ],
)
def test_a_public_holiday_closes_unless_the_day_or_the_instrument_says_otherwise(
    special: tuple[Special, ...], on_holidays: bool, expected: list[Period]
) -> None:
    public = PublicDays(holidays=frozenset({DAY}))

    assert opened(DAY, *special, public=public, on_holidays=on_holidays) == expected


def test_a_weekend_is_open_where_it_is_worked() -> None:
    assert opened(SATURDAY, public=PublicDays()) == []
    assert opened(SATURDAY, public=PublicDays(make_up=frozenset({SATURDAY}))) == [from_to(8, 20, SATURDAY)]


def test_the_lowest_free_unit_is_taken() -> None:
    taken = [Taken(1, at(9), at(11)), Taken(2, at(11), at(12))]

    assert first_free_unit(taken, units=2, start=at(9), end=at(10)) == 2
    assert first_free_unit(taken, units=2, start=at(11), end=at(12)) == 1
    assert first_free_unit(taken, units=2, start=at(10), end=at(12)) is None


def test_free_units_are_counted_where_there_are_several() -> None:
    free = free_periods([from_to(8, 12)], [Taken(1, at(9), at(10))], units=2)

    assert [(row.start, row.end, row.units) for row in free] == [
        (at(8), at(9), 2),
        (at(9), at(10), 1),
        (at(10), at(12), 2),
    ]


def test_a_stretch_keeps_set_up_and_cleaning_away_from_what_is_taken() -> None:
    hour = timedelta(hours=1)

    found = bookable_stretches(
        [from_to(8, 16)], [Taken(1, at(11), at(12))], units=1, length=2 * hour, before=hour, after=hour
    )

    assert found == [from_to(8, 10), from_to(13, 16)]


def test_an_announced_day_of_another_year_does_not_count() -> None:
    announced = frozenset({Announced(2026, date(2025, 12, 31), True), Announced(2026, DAY, True)})

    assert public_days(2026, 2026, announced).holidays == {DAY}
