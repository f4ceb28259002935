"""When bands lie in time: midnight, seasons, holidays, changes of clocks."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from instruments.pricing.bands import covers, occurrences
from instruments.pricing.model import BandRef, Window
from instruments.pricing.reader import Reader
from instruments.pricing.reading_terms import read_window
from instruments.pricing.records import Record, read_record
from tests.instruments.pricing.building import SHANGHAI, facts

HOLIDAYS = frozenset({date(2026, 5, 1), date(2026, 5, 2)})


def _window(**raw: Any) -> Window:
    reader = Reader()
    window = read_window(reader, raw, "w")
    reader.finish()
    return window


def _starts_in(moment: str, *windows: dict[str, Any], outside: bool = False, zone: ZoneInfo = SHANGHAI) -> bool:
    found: Record = read_record({"at": moment}, tz=zone)
    bands = {"b": tuple(_window(**raw) for raw in windows)}
    return covers(BandRef("b", outside), found.start, bands, HOLIDAYS, zone)


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        ({}, "2026-03-10T00:00", True),
        ({"from": "09:00", "to": "17:00"}, "2026-03-10T09:00", True),
        ({"from": "09:00", "to": "17:00"}, "2026-03-10T17:00", False),
        ({"from": "09:00"}, "2026-03-10T23:59", True),
        ({"to": "09:00"}, "2026-03-10T09:00", False),
        ({"days": [2]}, "2026-03-10T12:00", True),
        ({"days": [3]}, "2026-03-10T12:00", False),
        # past midnight belongs to the day on which it opens
        ({"days": [2], "from": "22:00", "to": "06:00"}, "2026-03-11T05:59", True),
        ({"days": [2], "from": "22:00", "to": "06:00"}, "2026-03-10T05:59", False),
        ({"days": [2], "from": "22:00", "to": "30:00"}, "2026-03-11T05:59", True),
        ({"days": [2], "from": "08:00", "to": "08:00"}, "2026-03-11T07:59", True),
        ({"season": ["11-01", "03-31"]}, "2026-01-15T12:00", True),
        ({"season": ["11-01", "03-31"]}, "2026-03-31T12:00", True),
        ({"season": ["11-01", "03-31"]}, "2026-04-01T00:00", False),
        ({"season": ["05-01", "09-30"]}, "2026-05-01T00:00", True),
        ({"season": ["05-01", "09-30"]}, "2026-10-01T00:00", False),
        ({"holidays": True}, "2026-05-01T12:00", True),
        ({"holidays": True}, "2026-05-04T12:00", False),
        ({"holidays": False}, "2026-05-01T12:00", False),
        ({"holidays": False}, "2026-05-04T12:00", True),
        ({"days": [5], "holidays": False}, "2026-05-01T12:00", False),
        # days and holidays
        ({"days": [7], "holidays": True}, "2026-05-02T12:00", True),
        ({"days": [7], "holidays": True}, "2026-05-03T12:00", True),
        ({"days": [7], "holidays": True}, "2026-05-04T12:00", False),
        ({"days": []}, "2026-05-04T12:00", False),
    ],
)
def test_window_holds_a_moment(window: dict[str, Any], moment: str, inside: bool) -> None:
    assert _starts_in(moment, window) is inside
    assert _starts_in(moment, window, outside=True) is not inside


def test_overlapping_windows_are_one_occurrence_and_touching_ones_are_two() -> None:
    whole = read_record({"booked": [["2026-03-10T00:00", "2026-03-11T00:00"]]}, tz=SHANGHAI).booked
    overlapping = {"b": (_window(to="10:00"), _window(**{"from": "09:00", "to": "12:00"}))}
    touching = {"b": (_window(to="10:00"), _window(**{"from": "10:00", "to": "12:00"}))}
    assert whole is not None

    first = occurrences(BandRef("b", False), whole, overlapping, (), SHANGHAI)
    second = occurrences(BandRef("b", False), whole, touching, (), SHANGHAI)

    assert len([period for period in first if period.overlaps(whole[0])]) == 1
    assert len([period for period in second if period.overlaps(whole[0])]) == 2


def test_band_is_looked_up_once_for_each_record() -> None:
    asked = facts({"booked": [["2026-03-10T08:00", "2026-03-10T10:00"]]})
    booked = asked.clock("booked")

    assert asked.occurrences(BandRef("peak", False), booked) is asked.occurrences(BandRef("peak", False), booked)


def test_nothing_has_no_occurrences() -> None:
    assert occurrences(BandRef("b", True), [], {"b": ()}, (), SHANGHAI) == []


def test_a_day_of_changing_clocks_has_23_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    bands = {"b": (_window(),)}
    around = read_record({"booked": [["2026-03-29T12:00", "2026-03-29T13:00"]]}, tz=berlin).booked
    assert around is not None

    found = [day for day in occurrences(BandRef("b", False), around, bands, (), berlin) if day.overlaps(around[0])]

    assert [day.duration.total_seconds() / 3600 for day in found] == [23]
