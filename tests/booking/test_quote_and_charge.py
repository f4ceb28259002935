"""The quote before booking is the charge after use; each kind of difference has its sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from booking.actions.using import finish_booking, verify_usage
from booking.models import Booking
from booking.queries.differences import Facts, Item, from_quote, from_record
from booking.queries.owed import compare
from instruments.forms.preset import preset_document
from instruments.models import Mode
from invoices.models import Charge
from tests.booking.test_requesting import book
from tests.factories import DAY, at, make_instrument, make_manager, make_price_list

TIME = {"code": "time", "name": "Time", "kind": "price", "required": True, "rate": 100, "when": {"event": "use"}}
SETUP = {"code": "setup", "name": "Set-up", "kind": "price", "rate": 50, "when": {"event": "use"}}
SAMPLES = {"code": "sample", "name": "Samples", "kind": "price", "qty": ["samples"], "rate": 20}
TAX = {"code": "tax", "name": "Tax", "kind": "percent", "on": ["*"], "rate": 6}
LEAST = {"code": "least", "name": "Minimum", "kind": "limit", "limit": "min", "rate": 500, "on": ["*"]}
EVENING = {"evening": [{"from": "18:00", "to": "08:00"}]}


def timed(clock: str, **more: Any) -> dict[str, Any]:
    return {**TIME, "qty": [{"of": clock, **more}]}


def document(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "List", "currency": "CNY", "rules": list(rules), **more}


PRESETS: dict[str, tuple[dict[str, Any], str]] = {
    "per hour booked": (document(timed("booked")), "300.00"),
    "per hour used": (document(timed("used")), "300.00"),
    "whichever is longer": (document(timed("longer")), "300.00"),
    "booked and used together": (document(timed("union")), "300.00"),
    "set-up and hours": (document(SETUP, timed("used")), "350.00"),
    "minimum of hours": (document(timed("used", min=4)), "400.00"),
    "rounded up": (document(timed("used", step=2)), "400.00"),
    "per sample": (document(timed("used"), SAMPLES), "340.00"),
    "tax on top": (document(SETUP, timed("used"), TAX), "371.00"),
    "at least so much": (document(timed("used"), LEAST), "500.00"),
    "a band": (document({**TIME, "qty": [{"of": "used", "band": "!evening"}]}, bands=EVENING), "300.00"),
    "the form's own": (
        {
            **preset_document(
                {
                    "name": "Form", "setup-enterprise": Decimal(50), "self-enterprise": Decimal(100), "clock": "used",
                    "minimum": Decimal(1), "step": "30",
                },
                {},
            ),
            "currency": "CNY",
        },
        "350.00",
    ),
}  # fmt: skip


@pytest.fixture
def clock(db: None) -> Any:
    with time_machine.travel(at(9, day=date(2026, 11, 24)), tick=False) as traveller:
        yield traveller


def booked(prices: dict[str, Any]) -> Booking:
    """09:00–12:00 on DAY by an enterprise, with two samples."""
    instrument = make_instrument()
    make_price_list(instrument, prices)
    return book(instrument, samples=2)


def charged(booking: Booking, clock: Any, **used: Any) -> Charge:
    clock.move_to(at(23))
    usage = finish_booking(booking=booking, by=booking.user, **{"start": at(9), "end": at(12), **used})
    verify_usage(usage=usage, by=make_manager(booking.instrument.institution))
    return Charge.objects.get()


@pytest.mark.parametrize("name", PRESETS)
def test_used_as_booked_the_charge_is_the_quote(clock: Any, name: str) -> None:
    prices, total = PRESETS[name]
    booking = booked(prices)

    charge = charged(booking, clock)

    assert booking.quote["total"] == total
    assert (charge.total, charge.differences) == (Decimal(total), [])


DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "longer": (
        document(timed("used")),
        {"end": at(13)},
        ["Used 4 h instead of the booked 3 h.", "Time: 400.00 instead of 300.00."],
    ),
    "shorter": (
        document(timed("used")),
        {"end": at(11)},
        ["Used 2 h instead of the booked 3 h.", "Time: 200.00 instead of 300.00."],
    ),
    "shorter, but the booked time counts": (document(timed("booked")), {"end": at(11)}, []),
    "shorter, with tax": (
        document(timed("used"), TAX),
        {"end": at(11)},
        ["Used 2 h instead of the booked 3 h.", "Time: 200.00 instead of 300.00.", "Tax: 12.00 instead of 18.00."],
    ),
    "more samples": (
        document(timed("booked"), SAMPLES),
        {"samples": 5},
        ["5 samples instead of 2.", "Samples: 100.00 instead of 40.00."],
    ),
    "another band": (
        document({**TIME, "qty": [{"of": "used", "band": "!evening"}]}, bands=EVENING),
        {"start": at(17), "end": at(20)},
        ["Used 17:00–20:00 instead of the booked 09:00–12:00.", "Time: 100.00 instead of 300.00."],
    ),
    "a minimum that holds": (document(timed("used"), LEAST), {"end": at(13)}, [
        "Used 4 h instead of the booked 3 h.", "Time: 400.00 instead of 300.00.", "Minimum: 100.00 instead of 200.00.",
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_each_difference_from_the_quote_has_its_sentence(clock: Any, name: str) -> None:
    prices, used, sentences = DIFFERENT[name]

    charge = charged(booked(prices), clock, **used)

    assert charge.differences == sentences


def test_a_parameter_that_changed_is_named(clock: Any) -> None:
    prices = document(timed("booked"), {"code": "p", "name": "Points", "kind": "price", "qty": ["points"], "rate": 10})
    booking = booked(prices)
    Booking.objects.filter(pk=booking.pk).update(parameters={"points": 0})

    charge = charged(booking, clock, parameters={"points": 3})

    assert charge.differences == ["points: 3 instead of 0.", "Points: 30.00 instead of 0.00."]


BERLIN = ZoneInfo("Europe/Berlin")


def test_over_the_change_of_the_clock_elapsed_hours_count() -> None:
    """01:00–04:00 on the night when the clock is set forward are two hours."""
    start = datetime(2026, 3, 29, 1, tzinfo=BERLIN).astimezone(ZoneInfo("UTC"))
    night = Facts(start, datetime(2026, 3, 29, 4, tzinfo=BERLIN).astimezone(ZoneInfo("UTC")), BERLIN)
    day = replace(night, start=start - timedelta(days=7), end=start - timedelta(days=7) + timedelta(hours=3))

    told = from_quote(day, night, {"t": Item("Time", Decimal("300.00"))}, {"t": Item("Time", Decimal("200.00"))})

    assert told[0] == "Used 2 h instead of the booked 3 h."
    assert night.clock == "01:00–04:00"


def test_a_correction_names_every_fact_even_where_no_amount_changes() -> None:
    was = Facts(at(9), at(12), ZoneInfo("Asia/Shanghai"), 2, {"cold": True})
    now = Facts(at(9), at(1, day=DAY + timedelta(days=1)), ZoneInfo("Asia/Shanghai"), None, {"cold": False})

    assert from_record(was, now, {}, {}) == [
        "Used 12-01 09:00 – 12-02 01:00 (16 h), not 09:00–12:00 (3 h).",
        "0 samples instead of 2.",
        "cold: no instead of yes.",
    ]


def test_quote_and_charge_stand_side_by_side_also_where_one_lacks_an_item() -> None:
    rows = compare({"a": Item("A", Decimal(3))}, {"b": Item("B", Decimal(5))})

    assert [(row.name, row.quoted, row.charged, row.difference) for row in rows] == [
        ("A", Decimal(3), None, Decimal(-3)),
        ("B", None, Decimal(5), Decimal(5)),
    ]


def test_the_mode_of_the_booking_decides_the_price_of_its_use(clock: Any) -> None:
    rows = [{"when": {"mode": "self"}, "rate": 100}, {"when": {"mode": "operator"}, "rate": 300}]
    by_mode = {**{key: value for key, value in TIME.items() if key != "rate"}, "qty": ["used"], "rows": rows}
    instrument = make_instrument()
    make_price_list(instrument, document(by_mode))

    charge = charged(book(instrument, mode=Mode.OPERATOR), clock)

    assert (charge.total, charge.differences) == (Decimal(900), [])


def test_a_changed_clock_is_named() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = datetime(2026, 10, 25, 0, 0, tzinfo=berlin)
    before = Facts(night, datetime(2026, 10, 25, 2, 0, tzinfo=berlin), berlin)
    back = replace(before, end=datetime(2026, 10, 25, 3, 0, tzinfo=berlin))
    spring = datetime(2026, 3, 29, 1, 0, tzinfo=berlin)
    forward = Facts(spring, datetime(2026, 3, 29, 4, 0, tzinfo=berlin), berlin)
    changed = {"was": {"time": Item("Time", Decimal(200))}, "now": {"time": Item("Time", Decimal(300))}}

    assert from_quote(before, back, changed["was"], changed["now"]) == [
        "Used 4 h instead of the booked 2 h.",
        "The clocks went back by 60 minutes during the use: it lasted longer than they show.",
        "Time: 300 instead of 200.",
    ]
    told = from_quote(before, forward, changed["was"], changed["now"])
    assert told[1] == "The clocks went forward by 60 minutes during the use: it was shorter than they show."


def test_what_others_used_in_between_is_named() -> None:
    facts = Facts(at(9), at(12), ZoneInfo("UTC"))
    quoted, final = {"time": Item("Time", Decimal(0))}, {"time": Item("Time", Decimal(300))}

    assert from_quote(facts, facts, quoted, final, final) == [
        "Other records of the same period were counted before this one.",
        "Time: 300 instead of 0.",
    ]
    assert from_quote(facts, facts, quoted, final, quoted) == ["Time: 300 instead of 0."]
