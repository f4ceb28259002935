"""Where clocks change: single bookings, opening hours, quotas and prices by the local day, calendars, the new year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from icalendar import Calendar

from booking.actions.feeds import create_feed
from booking.actions.policies import save_policy
from booking.feeds import render_booking, render_feed
from booking.models import Booking
from tests.booking.lab import Lab, browser, html
from tests.conftest import ApiClient
from tests.factories import make_price_list

# The day on which the clock changes, and how many hours it has.
CHANGES = [
    ("America/New_York", date(2026, 11, 1), 25),
    ("America/New_York", date(2027, 3, 14), 23),
    ("Europe/London", date(2026, 10, 25), 25),
    ("Europe/London", date(2027, 3, 28), 23),
    ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
    ("Australia/Lord_Howe", date(2027, 4, 4), 24.5),
    ("Asia/Shanghai", date(2027, 3, 14), 24),
]
changes = pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
ONE = timedelta(days=1)
NIGHT = {
    "name": "Night",
    "currency": "CNY",
    "bands": {"night": [{"from": "20:00", "to": "08:00"}]},
    "rules": [
        {"code": "time", "name": "Time", "kind": "price", "required": True, "qty": ["booked"], "rate": 100,
         "when": {"event": "use"}},
        {"code": "night", "name": "Night", "kind": "percent", "when": {"event": "use", "start_in": "night"},
         "rate": -50, "on": ["time"]},
    ],
}  # fmt: skip


@pytest.fixture
def clock(db: None) -> Any:
    with time_machine.travel(datetime(2026, 9, 14, 2, tzinfo=UTC), tick=False) as traveller:
        yield traveller


def lab_in(zone: str, *, all_day: bool = False) -> Lab:
    lab = Lab(timezone=zone, open_on_holidays=True)
    if all_day:
        lab.instrument.opening_hours.update(opens="00:00", closes="00:00")
    return lab


def wall(lab: Lab, day: date, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(lab.instrument.timezone), fold=fold)


def ask(lab: Lab, start: datetime, end: datetime, path: str = "/bookings", **more: Any) -> Any:
    body = {"instrument": lab.instrument.pk, "start": start.isoformat(), "end": end.isoformat(), "mode": "self", **more}
    if path == "/bookings":
        body["purpose"] = "Test"
    return ApiClient(lab.engineer).post_api(path, body)


@changes
def test_nine_o_clock_is_nine_o_clock_on_both_sides_of_the_change(
    clock: Any, zone: str, day: date, hours: float
) -> None:
    lab = lab_in(zone)
    for each in (day - ONE, day, day + ONE):
        answer = ask(lab, wall(lab, each, 9), wall(lab, each, 12))

        assert answer.status_code == 201, answer.content
        assert answer.json()["start"] == wall(lab, each, 9).isoformat()
        assert answer.json()["quote"]["total"] == "300.00"
    stored = [row.start.astimezone(UTC) for row in Booking.objects.order_by("start")]
    assert stored[2] - stored[0] == 2 * ONE - timedelta(hours=24 - hours)


@changes
def test_a_night_is_charged_and_counted_by_the_time_that_passes(clock: Any, zone: str, day: date, hours: float) -> None:
    lab = lab_in(zone, all_day=True)

    answer = ask(lab, wall(lab, day, 0), wall(lab, day + ONE, 0))

    assert answer.status_code == 201, answer.content
    assert Decimal(answer.json()["quote"]["total"]) == Decimal(str(hours)) * 100


@changes
def test_opening_hours_are_those_of_the_local_clock(clock: Any, zone: str, day: date, hours: float) -> None:
    lab = lab_in(zone)

    found = ApiClient(lab.engineer).get_api(
        f"/instruments/{lab.instrument.pk}/availability",
        **{"from": wall(lab, day, 0).isoformat(), "to": wall(lab, day + ONE, 0).isoformat()},
    )
    early = ask(lab, wall(lab, day, 7, 59), wall(lab, day, 9), "/bookings/check")
    late = ask(lab, wall(lab, day, 19), wall(lab, day, 20, 1), "/bookings/check")
    whole = ask(lab, wall(lab, day, 8), wall(lab, day, 20), "/bookings/check")

    free = [(row["start"], row["end"]) for row in found.json()["free"]]
    assert free == [(wall(lab, day, 8).isoformat(), wall(lab, day, 20).isoformat())]
    assert [one.json()["refusals"][0]["code"] for one in (early, late)] == ["closed", "closed"]
    assert whole.json()["bookable"] is True


@changes
def test_a_quota_counts_by_the_local_day(clock: Any, zone: str, day: date, hours: float) -> None:
    lab = lab_in(zone, all_day=True)
    rule = {"kind": "quota", "measure": "count", "over": "day", "max": 2, "per": ["person"]}
    save_policy(instrument=lab.instrument, document={"rules": [rule]}, by=lab.manager)
    last = wall(lab, day, 23, 30).astimezone(UTC)

    first = ask(lab, wall(lab, day, 0), wall(lab, day, 0, 30))
    second = ask(lab, last, last + timedelta(minutes=30))
    third = ask(lab, wall(lab, day, 12), wall(lab, day, 13))
    before = ask(lab, wall(lab, day - ONE, 23, 30), wall(lab, day, 0))
    after = ask(lab, wall(lab, day + ONE, 0), wall(lab, day + ONE, 0, 30))

    assert [one.status_code for one in (first, second, third, before, after)] == [201, 201, 409, 201, 201]


@changes
def test_a_night_price_begins_by_the_local_clock(clock: Any, zone: str, day: date, hours: float) -> None:
    lab = lab_in(zone, all_day=True)
    make_price_list(lab.instrument, NIGHT)

    totals = [
        ask(lab, wall(lab, each, hour), wall(lab, each, hour + 1), "/bookings/check").json()["quote"]["total"]
        for each in (day - ONE, day, day + ONE)
        for hour in (19, 20)
    ]

    assert totals == ["100.00", "50.00"] * 3


@changes
def test_calendars_show_the_instants(clock: Any, zone: str, day: date, hours: float) -> None:
    lab = lab_in(zone, all_day=True)
    for start, end in ((wall(lab, day, 0), wall(lab, day, 9)), (wall(lab, day, 9), wall(lab, day, 12))):
        assert ask(lab, start, end).status_code == 201
    _, address = create_feed(user=lab.engineer, scope="mine")

    content, _etag = render_feed(address)

    events = Calendar.from_ical(content).walk("VEVENT")
    shown = sorted((event.decoded("dtstart"), event.decoded("dtend")) for event in events)
    kept = Booking.objects.order_by("start").values_list("start", "end")
    assert [(start.astimezone(UTC), end.astimezone(UTC)) for start, end in shown] == [tuple(row) for row in kept]


def test_the_second_of_two_equal_times_is_not_shown_as_the_first(clock: Any) -> None:
    """A calendar takes a local time that comes twice for the first of the two (RFC 5545, 3.3.5)."""
    lab = lab_in("America/New_York", all_day=True)
    day = date(2026, 11, 1)
    second = wall(lab, day, 1, 30, fold=1)
    answer = ask(lab, second, wall(lab, day, 3))
    booking = Booking.objects.get()

    event = Calendar.from_ical(render_booking(booking)).walk("VEVENT")[0]

    assert answer.json()["start"] == "2026-11-01T01:30:00-05:00"
    assert answer.json()["quote"]["total"] == "150.00"
    assert b"TZID=America/New_York:20261101T013000" not in render_booking(booking)
    assert event.decoded("dtstart").astimezone(UTC) == booking.start


@pytest.mark.parametrize(
    ("zone", "day", "hour", "minute"),
    [
        ("America/New_York", date(2027, 3, 14), 2, 30),
        ("Europe/London", date(2027, 3, 28), 1, 30),
        ("Australia/Lord_Howe", date(2026, 10, 4), 2, 15),
    ],
)
@pytest.mark.parametrize("form", ["book", "series/book", "wait"])
def test_a_time_that_the_clock_skips_is_refused_in_every_form(
    clock: Any, zone: str, day: date, hour: int, minute: int, form: str
) -> None:
    lab = lab_in(zone, all_day=True)
    typed = f"{day}T{hour:02}:{minute:02}"
    fields = {
        "start": typed, "end": f"{day}T06:00", "mode": "self", "purpose": "x", "minutes": "60", "frequency": "WEEKLY",
        "ending": "count", "count": "2", "on_conflict": "fail",
    }  # fmt: skip

    answer = browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/{form}/", fields)

    assert answer.status_code == 422
    assert "The clock skips" in html(answer, 422)
    assert not Booking.objects.exists()


# --- a year whose public holidays are not announced ------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Shanghai"])
def test_the_first_of_january_2027_warns_and_does_not_fail(clock: Any, zone: str) -> None:
    lab = Lab(timezone=zone)
    first = date(2027, 1, 1)
    clock.move_to(datetime(2026, 12, 14, 2, tzinfo=UTC))
    rules = [{"kind": "quota", "measure": "hours", "over": "day", "max": 8, "part": "workday 00:00-24:00"}]
    answers = [ask(lab, wall(lab, first, 9), wall(lab, first, 11), "/bookings/check")]
    save_policy(instrument=lab.instrument, document={"rules": rules}, by=lab.manager)
    answers.append(ask(lab, wall(lab, first, 9), wall(lab, first, 11), "/bookings/check"))
    booked = ask(lab, wall(lab, first, 9), wall(lab, first, 11))
    page = html(browser(lab.engineer).get(f"/instruments/{lab.instrument.pk}/?day=2027-01-01"))

    assert [(one.status_code, one.json()["unknown_years"]) for one in answers] == [(200, [2027])] * 2
    assert booked.status_code == 201, booked.content
    assert "The public holidays of 2027 are not announced yet" in page
    near = ask(lab, wall(lab, date(2026, 12, 15), 9), wall(lab, date(2026, 12, 15), 11), "/bookings/check")
    assert near.json()["unknown_years"] == []
