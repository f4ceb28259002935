"""Availability of one and of many."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from backend.core.periods import Period
from instruments.models import Instrument, Occupancy, OpeningHours
from instruments.queries.free import Busy, availability, bookings_outside_hours
from instruments.rules import Free
from tests.factories import DAY, at, make_instrument


def take(instrument: Instrument, start: datetime, end: datetime, *, unit: int = 1, kind: str = "booking") -> None:
    Occupancy.objects.create(instrument=instrument, unit=unit, start=start, end=end, kind=kind)


def test_free_is_open_and_not_taken(db: None) -> None:
    instrument = make_instrument()
    take(instrument, at(10), at(12))

    found = availability([instrument], at(0), at(24))[0]

    assert found.free == [Free(at(8), at(10), 1), Free(at(12), at(20), 1)]
    assert found.busy == [Busy(at(10), at(12), "booking")]


def test_free_leaves_room_for_set_up_and_cleaning(db: None) -> None:
    instrument = make_instrument(setup_minutes=30, cleaning_minutes=15)
    take(instrument, at(10), at(12))

    found = availability([instrument], at(0), at(24))[0]

    assert found.free == [Free(at(8), at(9, 45), 1), Free(at(12, 30), at(20), 1)]


def test_free_sees_what_is_taken_just_outside_the_window(db: None) -> None:
    instrument = make_instrument(setup_minutes=60)
    take(instrument, at(10), at(12))

    found = availability([instrument], at(12), at(15))[0]

    assert found.free == [Free(at(13), at(15), 1)]
    assert found.busy == []


def test_units_are_counted_and_busy_means_all_of_them(db: None) -> None:
    instrument = make_instrument(units=8)
    for unit in range(1, 9):
        take(instrument, at(10), at(11 if unit == 1 else 12), unit=unit)

    found = availability([instrument], at(8), at(14))[0]

    assert found.free == [Free(at(8), at(10), 8), Free(at(11), at(12), 1), Free(at(12), at(14), 8)]
    assert found.busy == [Busy(at(10), at(11), "booking")]


def test_busy_names_the_most_lasting_reason_and_joins_neighbours(db: None) -> None:
    instrument = make_instrument(units=2)
    for unit, kind in ((1, "hold"), (2, "booking")):
        take(instrument, at(9), at(10), unit=unit, kind=kind)
        take(instrument, at(10), at(11), unit=unit, kind="booking")
    take(instrument, at(11), at(12), unit=1, kind="outage")
    take(instrument, at(11), at(12), unit=2, kind="booking")

    found = availability([instrument], at(0), at(24))[0]

    assert found.busy == [Busy(at(9), at(11), "booking"), Busy(at(11), at(12), "outage")]


def test_json_is_in_the_instruments_zone_and_names_nobody(db: None) -> None:
    instrument = make_instrument(timezone="Asia/Urumqi")
    take(instrument, at(12), at(14))

    found = availability([instrument], at(10), at(14))[0].as_json()

    assert found == {
        "instrument": instrument.pk,
        "timezone": "Asia/Urumqi",
        "from": "2026-12-01T08:00:00+06:00",
        "to": "2026-12-01T12:00:00+06:00",
        "free": [{"start": "2026-12-01T08:00:00+06:00", "end": "2026-12-01T10:00:00+06:00", "units": 1}],
        "busy": [{"start": "2026-12-01T10:00:00+06:00", "end": "2026-12-01T12:00:00+06:00", "kind": "booking"}],
    }


@pytest.mark.parametrize("count", [1, 30])
def test_availability_needs_four_queries(db: None, django_assert_num_queries: Any, count: int) -> None:
    instruments = [make_instrument() for _n in range(count)]

    with django_assert_num_queries(4):
        assert len(availability(instruments, at(0), at(24))) == count


def test_availability_of_none_is_empty(db: None) -> None:
    assert availability([], at(0), at(24)) == []


def test_bookings_outside_hours_are_told_without_their_buffers(db: None) -> None:
    tomorrow = date.today() + timedelta(days=1)
    instrument = make_instrument(setup_minutes=60, open_on_holidays=True)
    take(instrument, at(7, 0, tomorrow), at(10, 0, tomorrow))
    assert bookings_outside_hours(instrument) == []

    OpeningHours.objects.filter(instrument=instrument).update(opens=time(9))

    assert bookings_outside_hours(instrument) == [Period(at(8, 0, tomorrow), at(10, 0, tomorrow))]


def test_days_of_the_factories_are_open(db: None) -> None:
    assert DAY.isoweekday() == 2
