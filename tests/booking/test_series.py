"""Bookings that repeat: made, decided about, and their skipped dates taken up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.audit.actions import faults
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.policies import save_policy
from booking.actions.series import book_series, cancel_series, decide_series, take_up
from booking.models import Booking, Series, SkippedDate, Status
from booking.queries.series import dates_of, plan_series, preview_series
from instruments.models import Occupancy
from invoices.models import Charge
from tests.booking.lab import NOW, Lab, codes
from tests.booking.series import DAYS, days, make_series, rows, told, wish
from tests.factories import at

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def nothing_written() -> bool:
    return not (Series.objects.exists() or SkippedDate.objects.exists() or Charge.objects.exists())


# --- booking --------------------------------------------------------------------------------------------------------


def test_every_date_is_booked_with_its_charge_and_one_message(lab: Lab) -> None:
    series = make_series(lab)

    assert days(series) == ["12-01 09:00", "12-08 09:00", "12-15 09:00", "12-22 09:00"]
    assert {row.status for row in rows(series)} == {Status.CONFIRMED}
    assert [str(row.quote["total"]) for row in rows(series)] == ["300.00"] * 4
    assert Charge.objects.count() == Occupancy.objects.count() == 4
    assert [message.recipient_id for message in told("bookings_made")] == [lab.engineer.pk]
    assert not told("booking_confirmed")
    assert Entry.objects.filter(action="series.book").count() == 1
    assert Entry.objects.filter(action="booking.request").count() == 4
    assert not list(faults())


def test_fail_books_nothing_and_names_every_refusal_with_its_date(lab: Lab) -> None:
    lab.book(10, 11, day=DAYS[1])
    lab.book(10, 11, day=DAYS[3])
    before = Charge.objects.count()

    with pytest.raises(Refused) as caught:
        make_series(lab)

    assert codes(caught) == ["taken", "taken"]
    assert [refusal.params["date"][:10] for refusal in caught.value.refusals] == ["2026-12-08", "2026-12-22"]
    assert str(caught.value.refusals[0].detail).startswith("2026-12-08 09:00 · This time is already taken.")
    assert (Series.objects.count(), Booking.objects.count(), Charge.objects.count()) == (0, 2, before)


def test_skip_books_what_is_possible_and_keeps_the_rest_with_its_refusals(lab: Lab) -> None:
    lab.book(10, 11, day=DAYS[1])

    series = make_series(lab, on_conflict="skip")

    assert days(series) == ["12-01 09:00", "12-15 09:00", "12-22 09:00"]
    kept = series.skipped.get()
    assert (kept.start, kept.end) == (at(9, day=DAYS[1]), at(12, day=DAYS[1]))
    assert [row["code"] for row in kept.refusals] == ["taken"]
    assert told("bookings_made")[0].context["skipped"] == ["2026-12-08 09:00–12:00"]


def test_not_one_possible_date_is_refused_also_where_the_rest_may_be_skipped(lab: Lab) -> None:
    with pytest.raises(Refused) as caught:
        make_series(lab, on_conflict="skip", start=21, end=23)

    assert codes(caught) == ["closed"] * 4
    assert nothing_written()


def test_a_series_that_overlaps_itself_is_refused_with_the_pair(lab: Lab) -> None:
    with pytest.raises(Refused) as caught:
        book_series(
            wish=replace(wish(lab), end=at(9, 30, day=date(2026, 12, 2))),
            rrule="FREQ=DAILY;COUNT=3",
            on_conflict="skip",
            by=lab.engineer,
            purpose="x",
        )

    refusal = caught.value.refusals[0]
    assert refusal.code == "overlaps_itself"
    assert (refusal.params["first"], refusal.params["second"]) == (
        "2026-12-01T09:00:00+08:00",
        "2026-12-02T09:00:00+08:00",
    )
    assert nothing_written()


def test_set_up_and_cleaning_count_for_overlaps() -> None:
    lab = Lab(hours=False, setup_minutes=30, cleaning_minutes=30)
    day = replace(wish(lab), end=at(8, day=date(2026, 12, 2)))

    assert len(dates_of(day, "FREQ=DAILY;COUNT=2")) == 2
    with pytest.raises(Refused):
        dates_of(replace(day, end=at(8, 1, day=date(2026, 12, 2))), "FREQ=DAILY;COUNT=2")


def test_a_date_whose_time_the_clock_skips_is_kept_as_skipped_in_both_modes() -> None:
    lab = Lab(timezone="America/New_York", open_on_holidays=True)
    open_all_day(lab)
    first = datetime.fromisoformat("2027-03-07T02:30:00-05:00")
    there = replace(wish(lab), start=first, end=first + timedelta(hours=1))

    for mode in ("fail", "skip"):
        series = book_series(
            wish=there, rrule="FREQ=WEEKLY;COUNT=3", on_conflict=mode, by=lab.engineer, purpose="Night"
        )
        assert series.bookings.count() == 2
        assert [row["code"] for row in series.skipped.get().refusals] == ["gap"]
        cancel_series(series=series, rows=rows(series), by=lab.engineer)


def open_all_day(lab: Lab) -> None:
    lab.instrument.opening_hours.update(opens="00:00", closes="00:00")


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Shanghai"])
def test_a_weekly_nine_o_clock_stays_nine_o_clock_through_a_year(zone: str) -> None:
    lab = Lab(timezone=zone, open_on_holidays=True)
    first = datetime(2026, 12, 1, 9, tzinfo=lab.instrument.zone)

    series = book_series(
        wish=replace(wish(lab), start=first, end=first.replace(hour=11)),
        rrule="FREQ=WEEKLY;COUNT=52",
        on_conflict="fail",
        by=lab.engineer,
        purpose="Weekly",
    )

    there = [row.start.astimezone(lab.instrument.zone) for row in rows(series)]
    assert {f"{start:%a %H:%M}" for start in there} == {"Tue 09:00"}
    assert len({start.utcoffset() for start in there}) == (1 if zone == "Asia/Shanghai" else 2)


def test_the_preview_asks_as_many_queries_for_fifty_dates_as_for_two(lab: Lab) -> None:
    def asked(count: int) -> int:
        there = wish(lab)
        dates = dates_of(there, f"FREQ=WEEKLY;COUNT={count}")
        with CaptureQueriesContext(connection) as caught:
            planned = plan_series(there, dates, by=lab.engineer, now=NOW)
        assert len(planned) == count
        return len(caught)

    assert asked(2) == asked(50)


def test_the_preview_writes_nothing_and_sees_the_earlier_dates(lab: Lab) -> None:
    save_policy(instrument=lab.instrument, document=weekly_hours(6), by=lab.manager)

    planned, why = preview_series(wish(lab), "FREQ=DAILY;COUNT=3", by=lab.engineer, now=NOW)

    assert [[refusal.code for refusal in each.refusals] for each in planned] == [[], [], ["quota"]]
    assert why == ()
    assert nothing_written()


def weekly_hours(most: int) -> dict[str, Any]:
    quota = {"id": "week", "kind": "quota", "measure": "hours", "over": "week", "per": ["organisation"], "max": most}
    return {"rules": [quota]}


def test_quotas_count_the_earlier_dates(lab: Lab) -> None:
    save_policy(instrument=lab.instrument, document=weekly_hours(6), by=lab.manager)

    series = make_series(lab, "FREQ=DAILY;COUNT=3", "skip")

    assert days(series) == ["12-01 09:00", "12-02 09:00"]
    assert [row["code"] for row in series.skipped.get().refusals] == ["quota"]


def test_new_year_of_an_unannounced_calendar_does_not_fail(lab: Lab) -> None:
    series = make_series(lab, "FREQ=DAILY;COUNT=4", day=date(2026, 12, 30))

    assert days(series) == ["12-30 09:00", "12-31 09:00", "01-01 09:00", "01-02 09:00"]


def test_a_bad_rule_is_invalid(lab: Lab) -> None:
    with pytest.raises(Invalid) as caught:
        make_series(lab, "FREQ=HOURLY;COUNT=3")

    assert codes(caught) == ["frequency"]


# --- deciding -------------------------------------------------------------------------------------------------------


def test_the_lab_is_asked_once_and_decides_about_all_at_once() -> None:
    lab = Lab(approval=True)
    series = make_series(lab)

    assert {row.status for row in rows(series)} == {Status.REQUESTED}
    assert [message.recipient_id for message in told("bookings_requested")] == [lab.manager.pk]
    assert told("bookings_made")[0].context["waiting"] == 4
    assert not told("booking_requested")

    decide_series(series=series, rows=rows(series), by=lab.manager, approve=True)

    assert {row.status for row in rows(series)} == {Status.CONFIRMED}
    assert [message.recipient_id for message in told("bookings_decided")] == [lab.engineer.pk]
    with pytest.raises(Refused) as caught:
        decide_series(series=series, rows=rows(series), by=lab.manager, approve=True)
    assert codes(caught) == ["nothing_left"]


def test_rejecting_all_needs_a_reason_and_frees_the_time() -> None:
    lab = Lab(approval=True)
    series = make_series(lab)

    with pytest.raises(Invalid):
        decide_series(series=series, rows=rows(series), by=lab.manager, approve=False)
    decide_series(series=series, rows=rows(series), by=lab.manager, approve=False, reason="No capacity")

    assert {row.status for row in rows(series)} == {Status.REJECTED}
    assert Occupancy.objects.count() == 0


def test_nobody_decides_about_their_own_series() -> None:
    lab = Lab(approval=True)
    series = make_series(lab)

    with pytest.raises(Refused) as caught:
        decide_series(series=series, rows=rows(series), by=lab.engineer, approve=True)

    assert codes(caught) == ["own_request"] * 4
    assert {row.status for row in rows(series)} == {Status.REQUESTED}


def test_withdrawing_all_requests_costs_nothing() -> None:
    lab = Lab(approval=True)
    series = make_series(lab)

    cancel_series(series=series, rows=rows(series), by=lab.engineer, expected=Decimal(0))

    assert {row.status for row in rows(series)} == {Status.WITHDRAWN}


# --- taking up later ------------------------------------------------------------------------------------------------


def test_a_skipped_date_is_taken_up_at_its_time_or_another_once(lab: Lab) -> None:
    lab.book(10, 11, day=DAYS[1])
    lab.book(10, 11, day=DAYS[2])
    series = make_series(lab, on_conflict="skip")
    first, second = series.skipped.order_by("start")

    with pytest.raises(Refused) as still:
        take_up(date=first, by=lab.engineer)
    booking = take_up(date=first, by=lab.engineer, start=at(13, day=DAYS[1]), end=at(16, day=DAYS[1]))
    Booking.objects.exclude(series=series).update(status=Status.CANCELLED, occupancy=None)
    Occupancy.objects.filter(booking=None).delete()
    other = take_up(date=second, by=lab.engineer)
    with pytest.raises(Refused) as again:
        take_up(date=first, by=lab.engineer, start=at(17, day=DAYS[1]), end=at(18, day=DAYS[1]))

    assert (codes(still), codes(again)) == (["taken"], ["taken_up"])
    assert (booking.series_id, other.start) == (series.pk, at(9, day=DAYS[2]))
    assert SkippedDate.objects.filter(taken_up=None).count() == 0
    assert {message.kind for message in Message.objects.filter(path=f"/bookings/{booking.pk}/")} == {
        "booking_confirmed"
    }


def test_one_date_changed_alone_leaves_nothing_behind(lab: Lab) -> None:
    series = make_series(lab)
    first, second, *_rest = rows(series)

    reschedule_booking(booking=first, by=lab.engineer, start=at(14), end=at(15))
    cancel_booking(booking=second, by=lab.engineer)

    assert days(series)[0] == "12-01 14:00"
    assert [row.status for row in rows(series)][1] == Status.CANCELLED
    assert Occupancy.objects.count() == 3
