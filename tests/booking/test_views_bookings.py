"""The page of a booking: for whom, what can be done, and every step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Membership, Role
from booking.actions.deciding import approve_booking, reject_booking
from booking.actions.displacing import displace_booking
from booking.actions.policies import save_policy
from booking.actions.using import verify_usage
from booking.models import Booking, Status, Usage, UsageState
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import draft_invoice, issue_invoice
from tests.booking.lab import HTMX, NOW, Lab, browser, html, queries, wall
from tests.factories import DAY, at, make_manager, make_member, make_price_list, make_user

pytestmark = pytest.mark.django_db

LATE_FEE = {
    "name": "With a fee",
    "currency": "CNY",
    "rules": [
        {"code": "time", "name": "Time", "kind": "price", "qty": ["booked"], "rate": 100, "when": {"event": "use"}},
        {"code": "late", "name": "Late", "kind": "price", "rate": 80, "when": {"event": "cancel", "notice": {"<": 24}}},
    ],
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def post(user: Any, booking: Booking, step: str, **data: Any) -> Any:
    data = {"version": booking.version, **data}
    return browser(user).post(f"/bookings/{booking.pk}/{step}/", data, headers=HTMX)


def page_of(user: Any, booking: Booking) -> str:
    return html(browser(user).get(f"/bookings/{booking.pk}/"))


def test_a_booking_is_for_its_customer_and_its_lab_only() -> None:
    lab = Lab()
    booking = lab.book()
    colleague = make_user()
    Membership.objects.create(user=colleague, organisation=lab.enterprise, role=Role.MEMBER)
    others = [lab.stranger, colleague, make_manager(Lab().institution)]

    for user in (lab.engineer, lab.boss, lab.manager):
        assert "Fracture surfaces" in page_of(user, booking)
    for path in ("", "move/", "booking.ics"):
        for user in others:
            assert browser(user).get(f"/bookings/{booking.pk}/{path}").status_code == 404
        assert browser().get(f"/bookings/{booking.pk}/{path}")["Location"].startswith("/account/login/?next=")
    for step in ("withdraw", "cancel", "approve", "reject", "start", "finish", "move", "move/check"):
        for user in others:
            assert post(user, booking, step).status_code == 404


def test_customers_do_not_decide_and_labs_do_not_withdraw() -> None:
    lab = Lab(approval=True)
    booking = lab.book()

    assert post(lab.engineer, booking, "approve").status_code == 403
    assert post(lab.engineer, booking, "reject", reason="no").status_code == 403
    assert post(lab.manager, booking, "withdraw").status_code == 403
    assert "Approve" not in page_of(lab.engineer, booking)
    assert "Withdraw" not in page_of(lab.manager, booking)


def test_a_request_says_what_happens_next_and_by_when() -> None:
    lab = Lab(approval=True)

    page = page_of(lab.engineer, lab.book())

    assert "Waiting for approval (Lab manager). The time is held until" in page
    assert "If nobody decides by then, the request expires" in page
    assert "¥300.00" in page
    assert "Requested" in page


def test_approve_and_reject_from_the_page() -> None:
    lab = Lab(approval=True)
    one, two = lab.book(9, 10), lab.book(11, 12)

    approved = post(lab.manager, one, "approve")
    empty = post(lab.manager, two, "reject")
    rejected = post(lab.manager, two, "reject", reason="Not this sample.")

    one.refresh_from_db()
    two.refresh_from_db()
    assert approved["HX-Redirect"] == f"/bookings/{one.pk}/"
    assert one.status == Status.CONFIRMED
    assert empty.status_code == 422
    assert rejected.status_code == 204
    assert two.status == Status.REJECTED
    assert "Not this sample." in page_of(lab.engineer, two)


def test_withdraw() -> None:
    lab = Lab(approval=True)
    booking = lab.book()

    response = post(lab.engineer, booking, "withdraw")

    booking.refresh_from_db()
    assert response.status_code == 204
    assert booking.status == Status.WITHDRAWN


def test_the_fee_is_stated_before_cancelling_and_due_afterwards(clock: Any) -> None:
    lab = Lab()
    make_price_list(lab.instrument, LATE_FEE)
    booking = lab.book()

    early = page_of(lab.engineer, booking)
    clock.move_to(at(20, day=DAY.replace(day=1)).replace(day=30, month=11))
    late = page_of(lab.engineer, booking)
    post(lab.engineer, booking, "cancel")

    booking.refresh_from_db()
    assert "Cancelling now costs nothing." in early
    assert "Cancel this booking? A fee of ¥80.00 is due." in late
    assert booking.status == Status.CANCELLED
    assert "A cancellation fee of" in page_of(lab.engineer, booking)
    assert "¥80.00" in page_of(lab.engineer, booking)


def test_a_booking_that_came_to_nothing_promises_no_charge() -> None:
    lab = Lab()
    booking = lab.book()
    before = page_of(lab.engineer, booking)

    displace_booking(booking=booking, by=lab.manager, reason="Leak")

    page = page_of(lab.engineer, booking)
    assert "Estimated total" in before
    assert "Estimated total" not in page
    assert "The charge follows the verified use" not in page
    assert "Nothing is charged." in page


def test_a_fee_whose_statement_was_credited_is_not_shown_as_owed(clock: Any) -> None:
    lab = Lab()
    make_price_list(lab.instrument, LATE_FEE)
    booking = lab.book()
    clock.move_to(at(20, day=DAY.replace(day=1)).replace(day=30, month=11))
    post(lab.engineer, booking, "cancel")
    finance = make_member(lab.institution, Role.FINANCE)
    draft = draft_invoice(
        institution_id=lab.institution.pk, customer_id=booking.organisation_id, period="2026-12", by=finance
    )
    invoice = issue_invoice(invoice=draft, by=finance)
    billed = page_of(lab.engineer, booking)

    credit_invoice(invoice=invoice, reason="As a favour", by=finance)

    page = page_of(lab.engineer, booking)
    assert "Owed in the end" not in billed
    assert "Later difference" in page
    assert re.search(r"Owed in the end: .{0,60}¥0\.00", page)


def test_what_cannot_be_cancelled_says_why() -> None:
    lab = Lab()
    cut = {"rules": [{"kind": "deadline", "act": ["cancel"], "latest": "start -30d"}]}
    save_policy(instrument=lab.instrument, document=cut, by=lab.manager)
    booking = lab.book()

    assert "Cancelling is not possible any more:" in page_of(lab.engineer, booking)
    assert post(lab.engineer, booking, "cancel").status_code == 409


def test_the_lab_cancels_with_a_reason_and_free_of_charge() -> None:
    lab = Lab()
    booking = lab.book()

    without = post(lab.manager, booking, "cancel", by_lab="1")
    done = post(lab.manager, booking, "cancel", by_lab="1", reason="The pump broke.")

    assert without.status_code == 422
    assert done.status_code == 204
    assert "The pump broke." in page_of(lab.engineer, booking)
    assert "Nothing is charged." in page_of(lab.engineer, booking)


def test_a_customer_cannot_cancel_in_the_labs_name() -> None:
    lab = Lab()
    make_price_list(lab.instrument, {**LATE_FEE, "rules": [{**LATE_FEE["rules"][1], "when": {"event": "cancel"}}]})  # type: ignore[index]
    booking = lab.book()

    post(lab.engineer, booking, "cancel", by_lab="1", reason="free please")

    assert "¥80.00" in page_of(lab.engineer, booking)


def test_a_stale_version_is_412_with_a_sentence() -> None:
    lab = Lab()
    booking = lab.book()

    response = post(lab.engineer, booking, "cancel", version=booking.version + 1)

    assert response.status_code == 412
    assert "Load again" in response.content.decode()
    assert "This changed while you were looking at it." in response.content.decode()


def test_a_step_without_version_is_422() -> None:
    lab = Lab()
    booking = lab.book()

    assert post(lab.engineer, booking, "cancel", version="").status_code == 422


def test_moving_has_the_live_answer_and_keeps_the_old_time_until_it_succeeds() -> None:
    lab = Lab()
    booking = lab.book(9, 12)
    lab.book(14, 16)
    client = browser(lab.engineer)
    there = {"version": booking.version, "start": wall(at(10)), "end": wall(at(13))}
    taken = {"version": booking.version, "start": wall(at(13)), "end": wall(at(16))}

    assert "The present time" in html(client.get(f"/bookings/{booking.pk}/move/"))
    assert "Move the booking" in html(client.post(f"/bookings/{booking.pk}/move/check/", there))
    assert "This time is already taken." in html(client.post(f"/bookings/{booking.pk}/move/check/", taken))
    assert post(lab.engineer, booking, "move", **taken).status_code == 409
    assert post(lab.engineer, booking, "move", **there).status_code == 204
    booking.refresh_from_db()
    assert (booking.start, booking.end) == (at(10), at(13))


def test_use_from_start_to_the_final_charge(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(9, 5))
    assert "Start" in page_of(lab.engineer, booking)
    post(lab.engineer, booking, "start")
    booking.refresh_from_db()
    clock.move_to(at(11, 30))
    page = page_of(lab.engineer, booking)
    assert "In use; booked until" in page
    # A page that stays open goes on with the clock until the booked end.
    assert f'data-until="{wall(booking.end)}"' in page
    post(lab.engineer, booking, "finish", end=wall(at(11, 30)), samples="3", comment="went well")
    booking.refresh_from_db()
    usage = Usage.objects.get()
    assert "The lab verifies it next" in page_of(lab.engineer, booking)
    verify_usage(usage=usage, by=lab.manager)
    page = page_of(lab.engineer, booking)

    assert booking.status == Status.COMPLETED
    assert (usage.start, usage.end, usage.samples, usage.state) == (at(9, 5), at(11, 30), 3, UsageState.SUBMITTED)
    assert "The charge is final and goes on the next invoice." in page
    assert "Use verified" in page
    assert "To be invoiced" in page


def test_a_use_that_was_never_started_is_logged_with_both_times(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(15))

    missing = post(lab.manager, booking, "finish", end=wall(at(12)))
    future = post(lab.manager, booking, "finish", start=wall(at(9)), end=wall(at(16)))
    done = post(lab.manager, booking, "finish", start=wall(at(9, 15)), end=wall(at(11, 45)), back="usage")

    assert "From: This field is required." in html(missing, 422)
    assert "A use cannot end in the future." in html(future, 422)
    assert done["HX-Redirect"] == "/usage/"
    assert Usage.objects.get().start == at(9, 15)


def test_the_calendar_file_holds_the_one_event() -> None:
    lab = Lab()
    booking = lab.book()

    response = browser(lab.engineer).get(f"/bookings/{booking.pk}/booking.ics")

    assert response["Content-Type"].startswith("text/calendar")
    assert f"UID:{booking.uid}" in response.content.decode()
    assert response.content.count(b"BEGIN:VEVENT") == 1


def test_the_query_count_of_the_page_is_constant() -> None:
    lab = Lab(approval=True)
    first = lab.book(8, 9)
    few = queries(browser(lab.manager), f"/bookings/{first.pk}/")
    for hour in range(9, 19):
        booking = lab.book(hour, hour + 1)
        (approve_booking if hour % 2 else reject_booking)(booking=booking, by=lab.manager, reason="so")

    assert queries(browser(lab.manager), f"/bookings/{first.pk}/") == few


@pytest.mark.parametrize("status", ["rejected", "withdrawn", "expired", "cancelled", "no_show", "displaced"])
def test_every_end_has_a_page(status: str) -> None:
    lab = Lab()
    booking = lab.book()
    Booking.objects.filter(pk=booking.pk).update(status=status, occupancy=None)

    page = page_of(lab.engineer, booking)

    assert str(Status(status).label) in page
    assert "What you can do" not in page


def test_the_lab_reads_what_concerns_the_lab(clock: Any) -> None:
    """The customer is addressed on their page; the lab is told of the customer."""
    lab = Lab()
    booking = lab.book()
    pages = {who: html(browser(who).get(f"/bookings/{booking.pk}/")) for who in (lab.manager, lab.engineer)}

    assert "You operate the instrument yourself." in pages[lab.engineer]
    assert "The customer operates the instrument." in pages[lab.manager]
    assert "Bring the samples" not in pages[lab.manager]
