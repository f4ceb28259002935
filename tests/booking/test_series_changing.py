"""Series are cancelled and moved, wholly or from one date on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from booking.actions.policies import save_policy
from booking.actions.series import cancel_series, move_series
from booking.models import Series, Status
from booking.queries.series import changeable, fees_of
from instruments.models import Occupancy
from invoices.models import Charge
from tests.booking.lab import NOW, Lab, codes
from tests.booking.series import DAYS, days, make_series, rows, told
from tests.factories import SIMPLE_PRICES, at, make_price_list

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


LATE = {"code": "late", "name": "Late", "kind": "price", "qty": 1, "rate": 30, "when": {"event": "cancel"}}
CANCEL_FEE = {**SIMPLE_PRICES, "rules": [*SIMPLE_PRICES["rules"], LATE]}


# --- cancelling -----------------------------------------------------------------------------------------------------


def test_cancelling_all_shows_and_takes_the_fees(lab: Lab) -> None:
    make_price_list(lab.instrument, CANCEL_FEE, valid_from=date(2026, 2, 1))
    series = make_series(lab)
    fees = fees_of(rows(series), now=NOW)

    done = cancel_series(series=series, rows=rows(series), by=lab.engineer, expected=fees.total)

    assert (fees.count, fees.total, fees.refusals) == (4, Decimal("120.00"), ())
    assert [row.status for row in done] == [Status.CANCELLED] * 4
    assert Occupancy.objects.count() == 0
    assert sum(charge.total for charge in Charge.objects.all()) == Decimal("120.00")
    assert {message.recipient_id for message in told("bookings_cancelled")} == {lab.engineer.pk, lab.manager.pk}
    assert not told("booking_cancelled")


def test_a_fee_that_has_risen_since_it_was_shown_is_refused(lab: Lab) -> None:
    make_price_list(lab.instrument, CANCEL_FEE, valid_from=date(2026, 2, 1))
    series = make_series(lab)

    with pytest.raises(Refused) as caught:
        cancel_series(series=series, rows=rows(series), by=lab.engineer, expected=Decimal("119.99"))

    assert codes(caught) == ["fee_changed"]
    assert {row.status for row in rows(series)} == {Status.CONFIRMED}


def test_cancelling_all_is_refused_where_the_rules_forbid_one(lab: Lab, clock: Any) -> None:
    document = {"rules": [{"kind": "deadline", "act": ["cancel"], "latest": "start -2d"}]}
    save_policy(instrument=lab.instrument, document=document, by=lab.manager)
    series = make_series(lab)
    clock.move_to(at(10, day=date(2026, 11, 30)))

    with pytest.raises(Refused) as caught:
        cancel_series(series=series, rows=rows(series), by=lab.engineer)
    done = cancel_series(series=series, rows=rows(series)[1:], by=lab.engineer)

    assert codes(caught) == ["too_late"]
    assert "2026-12-01 09:00" in str(caught.value.refusals[0].detail)
    assert [row.status for row in rows(series)] == [Status.CONFIRMED, *[Status.CANCELLED] * 3]
    assert len(done) == 3


def test_the_lab_cancels_free_of_charge_and_with_a_reason(lab: Lab) -> None:
    make_price_list(lab.instrument, CANCEL_FEE, valid_from=date(2026, 2, 1))
    series = make_series(lab)

    with pytest.raises(Invalid):
        cancel_series(series=series, rows=rows(series), by=lab.manager, by_lab=True)
    cancel_series(series=series, rows=rows(series), by=lab.manager, by_lab=True, reason="Move of the lab")

    assert sum(charge.total for charge in Charge.objects.all()) == 0
    assert told("bookings_cancelled")[0].context["reason"] == "Move of the lab"


def test_what_has_begun_or_ended_is_left_alone(lab: Lab, clock: Any) -> None:
    series = make_series(lab)
    clock.move_to(at(9, day=DAYS[1]))

    left = changeable(rows(series), at(9, day=DAYS[1]))
    cancel_series(series=series, rows=rows(series), by=lab.engineer)

    assert len(left) == 2
    assert [row.status for row in rows(series)] == [Status.CONFIRMED] * 2 + [Status.CANCELLED] * 2
    with pytest.raises(Refused) as caught:
        cancel_series(series=series, rows=rows(series), by=lab.engineer)
    assert codes(caught) == ["nothing_left"]


# --- moving ---------------------------------------------------------------------------------------------------------


def move(lab: Lab, series: Series, start: datetime, hours: int = 3, since: int = 0, **more: Any) -> Any:
    arguments = {"on_conflict": "fail", "by": lab.engineer, **more}
    return move_series(
        series=series, rows=rows(series)[since:], start=start, end=start + timedelta(hours=hours), **arguments
    )


def test_all_dates_move_by_the_same_days_and_hours(lab: Lab) -> None:
    series = make_series(lab)

    moved = move(lab, series, at(14, day=date(2026, 12, 2)), hours=2)

    assert days(series) == ["12-02 14:00", "12-09 14:00", "12-16 14:00", "12-23 14:00"]
    assert [row.quote["total"] for row in rows(series)] == ["200.00"] * 4
    assert len(moved.done) == 4
    assert len(told("bookings_moved")) == 2
    assert not told("booking_rescheduled")


@pytest.mark.parametrize(("shift", "first"), [(7, "12-08 09:00"), (-7, "11-24 09:00")])
def test_dates_move_into_the_times_of_their_neighbours(lab: Lab, shift: int, first: str, clock: Any) -> None:
    clock.move_to(at(8, day=date(2026, 11, 24)))
    series = make_series(lab)

    move(lab, series, at(9) + timedelta(days=shift))

    assert days(series)[0] == first
    assert Occupancy.objects.count() == 4


def test_this_and_following_leaves_the_earlier_ones(lab: Lab) -> None:
    series = make_series(lab)

    move(lab, series, at(14, day=DAYS[2]), since=2)

    assert days(series) == ["12-01 09:00", "12-08 09:00", "12-15 14:00", "12-22 14:00"]


def test_a_failed_move_leaves_everything_untouched(lab: Lab) -> None:
    series = make_series(lab)
    lab.book(14, 15, day=DAYS[2])
    before = [(row.start, row.version, row.sequence, row.quote) for row in rows(series)]

    with pytest.raises(Refused) as caught:
        move(lab, series, at(13))

    assert codes(caught) == ["taken"]
    assert [(row.start, row.version, row.sequence, row.quote) for row in rows(series)] == before
    assert not told("bookings_moved")


def test_skip_leaves_where_it_is_what_cannot_move(lab: Lab) -> None:
    series = make_series(lab)
    lab.book(14, 15, day=DAYS[2])

    moved = move(lab, series, at(13), on_conflict="skip")

    assert days(series) == ["12-01 13:00", "12-08 13:00", "12-15 09:00", "12-22 13:00"]
    assert [(row.start, [r.code for r in planned.refusals]) for row, planned in moved.kept] == [
        (at(9, day=DAYS[2]), ["taken"])
    ]


def test_a_previewed_move_is_undone(lab: Lab) -> None:
    series = make_series(lab)
    lab.book(14, 15, day=DAYS[2])
    before = [(row.start, row.version) for row in rows(series)]
    entries = Entry.objects.count()

    shown = move(lab, series, at(13), only_show=True)

    assert (len(shown.done), len(shown.kept)) == (3, 1)
    assert [(row.start, row.version) for row in rows(series)] == before
    assert Entry.objects.count() == entries


def test_moving_where_they_are_or_onto_each_other_is_refused(lab: Lab) -> None:
    series = make_series(lab, "FREQ=DAILY;COUNT=3")

    with pytest.raises(Refused) as same:
        move(lab, series, at(9))
    with pytest.raises(Refused) as onto:
        move(lab, series, at(9), hours=25)

    assert (codes(same), codes(onto)) == (["same_time"], ["overlaps_itself"])


def test_the_lab_moves_with_a_reason(lab: Lab) -> None:
    series = make_series(lab)

    with pytest.raises(Invalid):
        move(lab, series, at(13), by=lab.manager, by_lab=True)
    move(lab, series, at(13), by=lab.manager, by_lab=True, reason="Service visits")

    assert days(series)[0] == "12-01 13:00"
