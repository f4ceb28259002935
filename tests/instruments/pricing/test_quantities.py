"""How much is charged: clocks, adjustments in their fixed order, bands."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from tests.instruments.pricing.building import booked, quantity, record

TUESDAY = "2026-03-10T"
USED = {"used": [[f"{TUESDAY}09:30", f"{TUESDAY}12:00"]]}
SESSION = booked(f"{TUESDAY}09:00", f"{TUESDAY}11:00", **USED)


@pytest.mark.parametrize(
    ("clock", "hours"),
    [
        ("booked", 2),
        ("used", Fraction(5, 2)),
        ("union", 3),
        ("longer", Fraction(5, 2)),
        ("overrun", 1),
        ("unused", Fraction(1, 2)),
        ("late", Fraction(1, 2)),
        ("notice", 0),
    ],
)
def test_clock_runs(clock: str, hours: Fraction) -> None:
    assert quantity(clock, SESSION) == hours


def test_missing_times_equal_the_other_ones() -> None:
    used_only = record(used=[[f"{TUESDAY}09:00", f"{TUESDAY}10:00"]])

    assert quantity("booked", used_only) == 1
    assert quantity("used", booked(f"{TUESDAY}09:00", f"{TUESDAY}10:00")) == 1
    assert quantity("union", record()) == 0
    assert quantity("late", record()) == 0


def test_nothing_used_is_not_the_same_as_not_saying() -> None:
    no_show = booked(f"{TUESDAY}09:00", f"{TUESDAY}10:00", used=[])

    assert (quantity("used", no_show), quantity("unused", no_show), quantity("late", no_show)) == (0, 1, 0)
    assert quantity("longer", no_show) == 1


def test_notice_runs_from_the_event_to_the_start_and_can_be_cut() -> None:
    cancelled = booked("2026-03-10T10:00", "2026-03-10T12:00", at="2026-03-09T16:00")

    assert quantity("notice", cancelled) == 18
    assert quantity({"of": "notice", "band": "peak"}, cancelled) == 2
    assert quantity("notice_days", cancelled) == 1


@pytest.mark.parametrize(
    ("adjust", "value", "expected"),
    [
        ({"step": 2}, "3", "4"),
        ({"step": 2}, "4", "4"),
        ({"step": 2, "dir": "down"}, "3", "2"),
        ({"step": 2, "dir": "nearest"}, "3", "4"),
        ({"step": 2, "dir": "nearest"}, "2.9", "2"),
        ({"step": 1, "tolerance": 0.5}, "2.5", "2"),
        ({"step": 1, "tolerance": 0.5}, "2.51", "3"),
        ({"min": 3}, "2", "3"),
        ({"min": 3}, "0", "0"),
        ({"max": 3}, "5", "3"),
        ({"free": 2}, "5", "3"),
        ({"free": 2, "min": 1}, "2", "0"),
        ({"free": 2, "min": 1}, "2.1", "1"),
        ({"unit": 0.5, "step": 1}, "1.1", "3"),
        ({"unit": 2, "free": 1, "min": 1, "step": 0.5, "max": 4}, "3", "1"),
        ({"unit": 2, "free": 1, "min": 1, "step": 0.5, "max": 4}, "20", "4"),
        ({"unit": "nothing"}, "3", "0"),
        ({"step": "nothing"}, "3.3", "3.3"),
        ({"free": "included"}, "9", "5"),
        ({"min": 1, "step": 1}, "-3", "-3"),
    ],
)
def test_adjustments_act_in_their_order(adjust: dict[str, Any], value: str, expected: str) -> None:
    raw = record(samples=float(value), included=4)

    assert quantity({"of": "samples", **adjust}, raw) == Fraction(expected)


def test_several_things_are_added_up() -> None:
    assert quantity({"of": ["booked", "samples", 0.5]}, {**SESSION, "samples": 3}) == Fraction(11, 2)


@pytest.mark.parametrize(("value", "counts"), [(True, 1), (False, 0), ("text", 0), (None, 0), ([1, 2], 0), (2.5, 2.5)])
def test_attribute_counts(value: object, counts: float) -> None:
    assert quantity("thing", record(thing=value)) == counts


def test_named_quantity_may_bear_the_name_of_its_attribute() -> None:
    quantities = {"samples": {"of": "samples", "min": 5}, "double": {"of": ["samples", "samples"]}}

    assert quantity("samples", record(samples=2), quantities=quantities) == 5
    assert quantity("double", record(samples=2), quantities=quantities) == 10


def test_sums_and_histories_are_asked_of_the_ledger() -> None:
    assert quantity("sum:abc", record()) == 3
    assert quantity({"history": {}, "step": 4}, record()) == 8


LATE = booked("2026-03-10T16:00", "2026-03-10T18:20")
LONG = booked("2026-03-09T20:00", "2026-03-12T10:00")


@pytest.mark.parametrize(
    ("given", "raw", "expected"),
    [
        ({"band": "peak"}, LATE, 1),
        ({"band": "!peak"}, LATE, Fraction(4, 3)),
        ({"band": "!peak", "step": 1}, LATE, 2),
        # the whole is rounded up to 2.5 h: until 18:30
        ({"band": "!peak", "whole": True, "step": 0.5}, LATE, Fraction(3, 2)),
        ({"band": "peak", "whole": True, "step": 0.5}, LATE, 1),
        ({"band": "peak", "whole": True, "free": 0.5}, LATE, Fraction(1, 2)),
        ({"band": "!peak", "whole": True, "max": 1.5}, LATE, Fraction(1, 2)),
        ({"band": "peak", "whole": True, "free": 3}, LATE, 0),
        ({"band": "!peak", "whole": True, "unit": 0.5, "step": 1}, LATE, 3),
        ({"band": "night", "count": True}, LONG, 3),
        ({"band": "night", "each": True, "max": 5}, LONG, 15),
        ({"band": "day", "count": True}, LONG, 4),
        ({"band": "day", "each": True, "max": 8}, LONG, 28),
        ({"band": "day", "count": True, "unit": 3, "step": 1}, LONG, 2),
        ({"band": "!night", "count": True}, LONG, 4),
        ({"each": True, "min": 3}, LATE, 3),
        ({"count": True}, LATE, 1),
        ({"whole": True, "step": 1}, LATE, 3),
    ],
)
def test_time_is_cut_to_a_band(given: dict[str, Any], raw: dict[str, Any], expected: Fraction) -> None:
    assert quantity({"of": "booked", **given}, raw) == expected


def test_band_leaves_what_is_not_time_alone() -> None:
    assert quantity({"of": ["booked", "samples"], "band": "peak"}, {**LATE, "samples": 4}) == 5
    assert quantity({"of": ["booked", "samples"], "band": "night", "count": True}, {**LONG, "samples": 4}) == 7


def test_whole_time_in_two_pieces_is_moved_at_its_ends() -> None:
    pieces = record(booked=[["2026-03-10T08:30", "2026-03-10T09:30"], ["2026-03-10T16:30", "2026-03-10T17:00"]])

    assert quantity({"of": "booked", "band": "peak", "whole": True, "free": 1}, pieces) == Fraction(1, 2)
    assert quantity({"of": "booked", "band": "peak", "whole": True, "max": 1}, pieces) == Fraction(1, 2)
    assert quantity({"of": "booked", "band": "!peak", "whole": True, "step": 1}, pieces) == 1


def test_time_is_exact() -> None:
    assert quantity("booked", booked("2026-03-10T09:00", "2026-03-10T16:40")) == Fraction(23, 3)


def test_absurd_minimum_does_not_overflow() -> None:
    assert quantity({"of": "booked", "band": "day", "whole": True, "min": 10**14}, LATE) == 87_600
