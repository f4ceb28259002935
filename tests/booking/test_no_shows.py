"""Nobody came: when it is noted, what it costs, who is told, and how it is put right."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.audit.models import Entry
from backend.core.errors import Refused, Stale
from backend.outbox.models import Message
from backend.web.actions import EVERY_MINUTE
from booking.actions import no_shows
from booking.actions.no_shows import mark_no_show, mark_no_shows
from booking.actions.using import finish_booking, start_booking, verify_usage
from booking.models import Booking, Status
from instruments.actions.catalogue import update_instrument
from instruments.models import Occupancy
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge, ChargeState
from tests.booking.lab import Lab, browser, html
from tests.conftest import ApiClient
from tests.factories import SIMPLE_PRICES, at, make_manager, make_member, make_price_list

pytestmark = pytest.mark.django_db

FEE = {
    **SIMPLE_PRICES,
    "rules": [
        *SIMPLE_PRICES["rules"],
        {
            "code": "missed",
            "name": "No-show",
            "kind": "percent",
            "when": {"event": "no_show"},
            "on": ["time"],
            "as_if": {"event": "use"},
            "rate": 50,
        },
    ],
}


@pytest.fixture
def lab(clock: Any) -> Lab:
    lab = Lab(check_in=True, no_show_grace=30)
    make_price_list(lab.instrument, FEE)
    return lab


def status_of(booking: Booking) -> str:
    booking.refresh_from_db()
    return booking.status


def code(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.refusals[0].code


def test_the_system_marks_after_the_grace_and_not_before(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9, 29))
    early = mark_no_shows()
    clock.move_to(at(9, 30))
    due = mark_no_shows()
    again = mark_no_shows()

    assert (early, due, again) == (0, 1, 0)
    assert status_of(booking) == Status.NO_SHOW
    assert not Occupancy.objects.exists()
    assert (booking.version, booking.sequence) == (2, 1)


def test_a_missed_tick_is_caught_up_days_later_at_the_same_fee(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9) + timedelta(days=5))

    assert mark_no_shows() == 1
    assert status_of(booking) == Status.NO_SHOW
    assert Charge.objects.get().total == Decimal(150)


def test_marking_is_part_of_the_minute() -> None:
    assert mark_no_shows in EVERY_MINUTE


def test_the_fee_of_the_price_list_is_final_and_everybody_hears_of_it(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9, 30))

    mark_no_shows()

    charge = Charge.objects.get()
    assert (charge.state, charge.total, charge.reserved_total) == (ChargeState.FINAL, Decimal(150), Decimal(300))
    told = Message.objects.filter(kind="booking_no_show", channel="mail")
    assert set(told.values_list("recipient", flat=True)) == {booking.user_id, lab.manager.pk}
    assert {message.context["fee"] for message in told} == {"150.00"}
    entry = Entry.objects.get(action="booking.no_show")
    assert (entry.actor, entry.before, entry.after["fee"]) == (None, {"status": "confirmed"}, "150.00")


def test_without_a_rule_for_it_a_no_show_costs_nothing(clock: Any) -> None:
    lab = Lab(check_in=True)
    lab.book()
    clock.move_to(at(10))

    mark_no_shows()

    charge = Charge.objects.get()
    assert (charge.state, charge.total) == (ChargeState.RELEASED, Decimal(0))


def test_where_check_in_is_off_the_system_marks_nobody(clock: Any) -> None:
    booking = Lab().book()
    clock.move_to(at(19))

    assert mark_no_shows() == 0
    assert status_of(booking) == Status.CONFIRMED


def test_who_checked_in_is_no_no_show(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9, 29))
    start_booking(booking=booking, by=lab.engineer)
    clock.move_to(at(9, 31))

    assert mark_no_shows() == 0
    assert status_of(booking) == Status.IN_USE


def test_one_that_fails_does_not_hold_up_the_others(lab: Lab, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = lab.book(9, 10), lab.book(10, 11)
    clock.move_to(at(12))
    real = no_shows.no_show_fee

    def fails_for_the_first(booking: Booking) -> Any:
        if booking.pk == first.pk:
            raise RuntimeError("price list cannot be read")
        return real(booking)

    monkeypatch.setattr(no_shows, "no_show_fee", fails_for_the_first)

    assert mark_no_shows() == 1
    assert (status_of(first), status_of(second)) == (Status.CONFIRMED, Status.NO_SHOW)
    assert Charge.objects.get(source_uid=first.uid).state == ChargeState.RESERVED


def test_times_before_check_in_was_turned_on_are_left_alone(clock: Any) -> None:
    lab = Lab()
    old = lab.book(9, 10)
    coming = lab.book(15, 16)
    clock.move_to(at(12))
    update_instrument(instrument=lab.instrument, by=lab.manager, values={"check_in": True})
    clock.move_to(at(18))

    assert mark_no_shows() == 1
    assert (status_of(old), status_of(coming)) == (Status.CONFIRMED, Status.NO_SHOW)


def test_who_cannot_begin_because_of_the_one_before_gets_the_grace_anew(lab: Lab, clock: Any) -> None:
    before, after = lab.book(9, 10), lab.book(10, 12)
    clock.move_to(at(9))
    start_booking(booking=before, by=lab.engineer)
    clock.move_to(at(10, 45))
    waiting = mark_no_shows()
    with pytest.raises(Refused) as refused:
        mark_no_show(booking=after, by=lab.manager)
    finish_booking(booking=before, by=lab.engineer)
    clock.move_to(at(11, 14))
    still = mark_no_shows()
    clock.move_to(at(11, 15))

    assert (waiting, code(refused), still, mark_no_shows()) == (0, "still_in_use", 0, 1)
    assert status_of(after) == Status.NO_SHOW


def test_a_use_logged_late_keeps_nobody_waiting(lab: Lab, clock: Any) -> None:
    """Without check-in before, the first one's late record is no reason for the second one's absence."""
    before, after = lab.book(9, 10), lab.book(10, 12)
    clock.move_to(at(10, 20))
    finish_booking(booking=before, by=lab.manager, by_lab=True)
    clock.move_to(at(10, 30))

    assert mark_no_shows() == 1
    assert status_of(after) == Status.NO_SHOW


# --- by hand -------------------------------------------------------------------------------------------------------


def test_a_manager_marks_on_any_instrument_once_the_grace_is_over(clock: Any) -> None:
    lab = Lab(no_show_grace=20)
    booking = lab.book()
    clock.move_to(at(9, 19))
    with pytest.raises(Refused) as refused:
        mark_no_show(booking=booking, by=lab.manager)
    clock.move_to(at(9, 20))

    marked = mark_no_show(booking=booking, by=lab.manager, reason="Door was locked all morning")

    assert (code(refused), refused.value.refusals[0].until) == ("too_early_for_no_show", at(9, 20))
    assert (marked.status, marked.reason) == (Status.NO_SHOW, "Door was locked all morning")
    assert not Message.objects.filter(kind="booking_no_show", recipient=lab.manager).exists()


def test_marking_with_an_old_version_is_stale(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(10))

    with pytest.raises(Stale):
        mark_no_show(booking=booking, by=lab.manager, version=9)


def test_api_no_show_is_for_the_lab_alone(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(10))
    path = f"/bookings/{booking.pk}/no-show"

    assert ApiClient(lab.engineer).post_api(path).status_code == 403
    assert ApiClient(lab.stranger).post_api(path).status_code == 404
    assert ApiClient(make_manager(Lab().institution)).post_api(path).status_code == 404
    answer = ApiClient(lab.manager).post_api(path, {"reason": "Nobody at the door"})
    assert (answer.status_code, answer.json()["status"]) == (200, "no_show")
    refused = ApiClient(lab.manager).post_api(path)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "wrong_status")


# --- putting it right ----------------------------------------------------------------------------------------------


def test_the_lab_logs_the_use_after_all_and_the_fee_is_taken_back(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9, 30))
    mark_no_shows()
    clock.move_to(at(9, 30) + timedelta(hours=24))

    usage = finish_booking(booking=booking, by=lab.manager, start=at(9), end=at(11), by_lab=True)

    reopened = Charge.objects.get()
    assert (reopened.state, reopened.total) == (ChargeState.RESERVED, Decimal(300))
    assert status_of(booking) == Status.COMPLETED
    assert (
        Message.objects.filter(kind="booking_completed", recipient=lab.engineer, channel="mail").get().context["came"]
    )

    verify_usage(usage=usage, by=make_manager(lab.institution))

    charge = Charge.objects.get()
    assert (charge.state, charge.total) == (ChargeState.FINAL, Decimal(300))
    standing = charge.lines.filter(stage="final", corrects=None, corrections=None)
    assert [line.code for line in standing] == ["time"]
    assert sum(line.amount for line in charge.lines.filter(stage="final")) == Decimal(300)


def test_after_a_day_a_no_show_stays(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9, 30))
    mark_no_shows()
    clock.shift(timedelta(hours=24, seconds=1))

    with pytest.raises(Refused) as refused:
        finish_booking(booking=booking, by=lab.manager, start=at(9), end=at(11), by_lab=True)

    assert code(refused) == "too_late_to_correct"
    assert status_of(booking) == Status.NO_SHOW


def test_an_invoiced_fee_is_not_taken_back_silently(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9, 30))
    mark_no_shows()
    finance = make_member(lab.institution, "finance")
    draft = draft_invoice(
        institution_id=lab.institution.pk, customer_id=lab.enterprise.pk, period="2026-12", by=finance
    )
    issue_invoice(invoice=draft, by=finance)

    with pytest.raises(Refused) as refused:
        finish_booking(booking=booking, by=lab.manager, start=at(9), end=at(9, 20), by_lab=True)

    assert code(refused) == "charge_invoiced"
    assert status_of(booking) == Status.NO_SHOW


def test_a_fee_on_a_draft_leaves_the_draft(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9, 30))
    mark_no_shows()
    finance = make_member(lab.institution, "finance")
    draft_invoice(institution_id=lab.institution.pk, customer_id=lab.enterprise.pk, period="2026-12", by=finance)

    finish_booking(booking=booking, by=lab.manager, start=at(9), end=at(9, 20), by_lab=True)

    assert Charge.objects.get().invoice is None


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_page_says_until_when_to_check_in_and_what_missing_it_costs(lab: Lab, clock: Any) -> None:
    booking = lab.book()

    page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))

    assert "Check in on site until" in page
    assert "09:30" in page
    assert "A no-show costs" in page
    assert "150.00" in page


def test_the_page_of_an_instrument_without_check_in_names_no_deadline(clock: Any) -> None:
    lab = Lab()

    assert "Check in on site" not in html(browser(lab.engineer).get(f"/bookings/{lab.book().pk}/"))


def test_the_lab_marks_on_the_page_and_the_customer_cannot(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    page = f"/bookings/{booking.pk}/"
    before = html(browser(lab.manager).get(page))
    clock.move_to(at(9, 30))

    assert "Nobody came…" not in before
    assert "Nobody came…" in html(browser(lab.manager).get(page))
    assert "Nobody came…" not in html(browser(lab.engineer).get(page))
    body = {"version": booking.version, "reason": ""}
    assert browser(lab.engineer).post(f"{page}no-show/", body).status_code == 403
    assert browser(lab.stranger).post(f"{page}no-show/", body).status_code == 404
    assert browser(lab.manager).post(f"{page}no-show/", body).status_code == 302
    assert status_of(booking) == Status.NO_SHOW


def test_the_page_of_a_no_show_says_what_is_due_and_lets_the_lab_correct_it(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    clock.move_to(at(9, 30))
    mark_no_shows()
    page = f"/bookings/{booking.pk}/"

    customer, manager = html(browser(lab.engineer).get(page)), html(browser(lab.manager).get(page))
    assert "A no-show fee of" in customer
    assert "the lab can log the use instead" in customer
    assert "Log the use after all" not in customer
    assert "Log the use after all" in manager
    assert "fee ¥150.00" in customer  # in the story

    body = {"version": 2, "start": "2026-12-01T09:00", "end": "2026-12-01T09:20", "samples": "", "comment": ""}
    assert browser(lab.manager).post(f"{page}finish/", body).status_code == 302
    assert "Used after all: the no-show is taken back" in html(browser(lab.engineer).get(page))

    clock.shift(timedelta(days=2))
    assert "Log the use after all" not in html(browser(lab.manager).get(page))
