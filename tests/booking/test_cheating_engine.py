"""What somebody might try with series, offers, samples, hand-overs and violations: to pay less, to skip a rule."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Agreement, Membership, User
from booking.actions import sampling, together
from booking.actions.changing import cancel_booking
from booking.actions.no_shows import mark_no_show
from booking.actions.offering import offer_due
from booking.actions.outages import create_outage
from booking.models import Booking, Displacement, Status, Violation, Wait, WaitStatus
from instruments.models import Occupancy
from invoices.models import Charge
from tests.booking.lab import NOW, Lab
from tests.booking.samples import Bench
from tests.booking.test_deciding import LATE_FEE
from tests.booking.test_no_shows import FEE
from tests.booking.test_waitlist import wait_for
from tests.conftest import ApiClient
from tests.factories import at, make_instrument, make_manager, make_member, make_price_list


@pytest.fixture
def clock(db: None) -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def lab(clock: Any) -> Lab:
    return Lab()


def join_customer(lab: Lab) -> User:
    """The lab's manager has a company besides: the customer."""
    Membership.objects.create(user=lab.manager, organisation=lab.enterprise, role="member")
    return lab.manager


def code(answer: Any) -> str:
    return str(answer.json()["errors"][0]["code"])


def series_of(lab: Lab, user: User, **more: Any) -> Any:
    body = {
        "instrument": lab.instrument.pk, "start": at(9).isoformat(), "end": at(12).isoformat(), "mode": "self",
        "rrule": "FREQ=WEEKLY;COUNT=3", "on_conflict": "skip", **more,
    }  # fmt: skip
    answer = ApiClient(user).post_api("/bookings/series", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


# --- a laboratory's people who have a company besides ----------------------------------------------------------------


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_manager_decides_nothing_that_their_own_company_asks_for(clock: Any, decision: str) -> None:
    lab = Lab(approval=True)
    booking = lab.book()
    both = join_customer(lab)

    alone = ApiClient(both).post_api(f"/bookings/{booking.pk}/{decision}", {"reason": "x"})
    many = ApiClient(both).post_api("/bookings/decide", {"decision": decision, "ids": [booking.pk], "reason": "x"})

    booking.refresh_from_db()
    assert (alone.status_code, code(alone), booking.status) == (409, "own_request", Status.REQUESTED)
    assert many.json()["results"][0]["errors"][0]["code"] == "own_request"
    colleague = ApiClient(make_manager(lab.institution))
    assert colleague.post_api(f"/bookings/{booking.pk}/{decision}", {"reason": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("cancel", {}),
        ("reschedule", {"start": at(14).isoformat(), "end": at(17).isoformat()}),
        ("shorten", {"end": at(10).isoformat()}),
    ],
)
def test_the_lab_s_free_way_is_not_open_to_who_belongs_to_the_customer(
    lab: Lab, clock: Any, act: str, body: dict[str, Any]
) -> None:
    make_price_list(lab.instrument, LATE_FEE)
    booking = lab.book()
    both = join_customer(lab)
    clock.move_to(at(8))

    own = ApiClient(both).post_api(f"/bookings/{booking.pk}/{act}", {**body, "reason": "For the lab"})

    booking.refresh_from_db()
    assert (own.status_code, code(own)) == (409, "own_booking")
    assert (booking.status, booking.version, Charge.objects.get().total) == (Status.CONFIRMED, 1, Decimal(300))
    other = ApiClient(make_manager(lab.institution))
    assert other.post_api(f"/bookings/{booking.pk}/{act}", {**body, "reason": "For the lab"}).status_code == 200


def test_an_outage_is_no_way_out_of_a_fee_of_one_s_own_company(lab: Lab, clock: Any) -> None:
    make_price_list(lab.instrument, LATE_FEE)
    booking = lab.book()
    both = join_customer(lab)
    clock.move_to(at(8))
    body = {"start": at(9).isoformat(), "end": at(12).isoformat(), "reason": "Pump", "displace": True}

    own = ApiClient(both).post_api(f"/instruments/{lab.instrument.pk}/outages", body)

    booking.refresh_from_db()
    assert (own.status_code, code(own), booking.status) == (409, "own_booking", Status.CONFIRMED)


def test_a_no_show_of_one_s_own_company_is_not_taken_back(clock: Any) -> None:
    lab = Lab(check_in=True, no_show_grace=30)
    make_price_list(lab.instrument, FEE)
    booking = lab.book()
    clock.move_to(at(10))
    mark_no_show(booking=booking, by=lab.manager)
    both = join_customer(lab)
    clock.move_to(at(12))
    body = {"start": at(9).isoformat(), "end": at(9, 1).isoformat()}

    own = ApiClient(both).post_api(f"/bookings/{booking.pk}/finish", body)

    assert (own.status_code, code(own)) == (409, "own_use")
    other = ApiClient(make_manager(lab.institution))
    assert other.post_api(f"/bookings/{booking.pk}/finish", body).status_code == 200


def test_the_lab_gives_no_sample_order_of_one_s_own_company_up_free_of_charge(clock: Any) -> None:
    bench = Bench()
    order = bench.at_state("received")
    both = join_customer(bench)

    own = ApiClient(both).post_api(f"/sample-orders/{order.pk}/cancel", {"reason": "For the lab"})

    assert (own.status_code, code(own)) == (409, "own_order")


@pytest.mark.parametrize("act", ["strike-out", "decide"])
def test_a_manager_takes_no_entry_of_their_own_company_back(clock: Any, act: str) -> None:
    lab = Lab()
    client = ApiClient(lab.manager)
    body = {"name": "no_show", "reason": "Nobody there", "booking": lab.book().pk}
    entry = client.post_api("/violations", body).json()["id"]
    appeal = ApiClient(lab.engineer).post_api(f"/violations/{entry}/appeal", {"reason": "I was"}).json()["id"]
    path = f"/violations/{entry}/strike-out" if act == "strike-out" else f"/appeals/{appeal}/decide"
    said = {"reason": "x"} if act == "strike-out" else {"uphold": True, "answer": "x"}
    join_customer(lab)

    own = client.post_api(path, said)

    assert (own.status_code, code(own)) == (409, "own_violation")
    assert Violation.objects.get().struck_out_at is None
    assert ApiClient(make_manager(lab.institution)).post_api(path, said).status_code == 200


# --- time that costs nothing because it belongs to samples -----------------------------------------------------------


def test_nobody_takes_machine_time_for_samples_of_their_own(clock: Any) -> None:
    """It asks no rule and costs nothing."""
    bench = Bench()
    order = bench.submit(user=bench.manager, organisation=bench.institution)
    colleague = make_manager(bench.institution)
    sampling.accept_samples(order=order, by=colleague)
    time = {"start": at(9).isoformat(), "end": at(19).isoformat()}

    own = ApiClient(bench.manager).post_api(f"/sample-orders/{order.pk}/machine-time", time)

    assert (own.status_code, code(own)) == (409, "own_order")
    assert not Occupancy.objects.exists()
    assert ApiClient(colleague).post_api(f"/sample-orders/{order.pk}/machine-time", time).status_code == 200


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("transfer", {}),
        ("start", {}),
        ("finish", {"end": at(9, 5).isoformat()}),
        ("cancel", {}),
        ("shorten", {"end": at(10).isoformat()}),
        ("extend", {"end": at(20).isoformat()}),
        ("reschedule", {"start": at(14).isoformat(), "end": at(17).isoformat()}),
    ],
)
def test_the_customer_changes_nothing_about_the_lab_s_machine_time(clock: Any, act: str, body: dict[str, Any]) -> None:
    bench = Bench()
    order = bench.submit()
    sampling.accept_samples(order=order, by=bench.manager)
    sampling.take_machine_time(order=order, by=bench.manager, start=at(9), end=at(19))
    time = Booking.objects.get()
    if act in ("start", "finish"):
        clock.move_to(at(9))
    if act == "transfer":
        body = {"user": make_member(bench.enterprise).pk}

    answer = ApiClient(bench.engineer).post_api(f"/bookings/{time.pk}/{act}", body)

    time.refresh_from_db()
    assert (answer.status_code, code(answer)) == (409, "time_of_samples"), answer.content
    assert (time.version, time.user, time.status) == (1, bench.engineer, Status.CONFIRMED)


# --- for people who have left ----------------------------------------------------------------------------------------


def leave(user: User) -> None:
    Membership.objects.filter(user=user).update(ended_at=NOW)


def test_an_offer_is_not_accepted_for_who_has_left(lab: Lab) -> None:
    first = lab.book()
    gone = make_member(lab.enterprise)
    wait = wait_for(lab, gone)
    cancel_booking(booking=first, by=lab.engineer)
    offer_due()
    leave(gone)

    answer = ApiClient(lab.boss).post_api(f"/waitlist/{wait.pk}/accept")

    wait.refresh_from_db()
    assert (answer.status_code, code(answer), wait.status) == (409, "left", WaitStatus.OFFERED)
    assert "does not belong to 示例新材料 any more" in answer.json()["detail"]


def test_a_skipped_date_is_not_taken_up_for_who_has_left(lab: Lab) -> None:
    lab.book(10, 11, day=date(2026, 12, 8))
    gone = make_member(lab.enterprise)
    made = series_of(lab, gone)
    leave(gone)

    path = f"/bookings/series/{made['series']['id']}/skipped/{made['skipped'][0]['id']}/take-up"
    answer = ApiClient(lab.boss).post_api(path, {"start": at(14).isoformat(), "end": at(15).isoformat()})

    assert (answer.status_code, code(answer)) == (409, "left")


def test_a_replacement_is_not_accepted_for_who_has_left(lab: Lab) -> None:
    other = make_instrument(lab.institution)
    make_price_list(other)
    gone = make_member(lab.enterprise)
    lab.book(user=gone)
    create_outage(instrument=lab.instrument, start=at(9), end=at(12), reason="Pump", by=lab.manager, displace=True)
    displacement = Displacement.objects.get()
    from booking.actions.replacing import propose_due  # runs after the commit, which a test has not

    propose_due()
    proposal = displacement.replacements.first()
    assert proposal is not None
    leave(gone)

    answer = ApiClient(lab.boss).post_api(f"/bookings/{displacement.booking_id}/replacements/{proposal.pk}/accept")

    assert (answer.status_code, code(answer)) == (409, "left")


# --- entries against strangers ---------------------------------------------------------------------------------------


def test_a_lab_records_nothing_about_people_who_never_dealt_with_it(lab: Lab) -> None:
    """Nor does the answer tell whose address it is, or whether it is anybody's."""
    client = ApiClient(lab.manager)
    body = {"name": "no_show", "reason": "Did not come", "instrument": lab.instrument.pk}

    answers = [
        client.post_api("/violations", {**body, "email": email}) for email in (lab.stranger.email, "nobody@example.org")
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json() == answers[1].json()
    assert not Violation.objects.exists()
    company = lab.stranger.memberships.get().organisation
    Agreement.objects.create(institution=lab.institution, customer=company, number="A", valid_from=date(2026, 1, 1))
    made = client.post_api("/violations", {**body, "email": lab.stranger.email})
    assert (made.status_code, made.json()["organisation"]["id"]) == (201, company.pk)


# --- offers and time that is kept for somebody -----------------------------------------------------------------------


def test_an_offer_that_was_let_go_does_not_come_back_by_joining_anew(lab: Lab, clock: Any) -> None:
    """Else one person keeps a time for ever without booking it."""
    first = lab.book()
    client = ApiClient(lab.stranger)
    wait = wait_for(lab, lab.stranger)
    cancel_booking(booking=first, by=lab.engineer)
    offer_due()

    client.post_api(f"/waitlist/{wait.pk}/leave")
    anew = client.post_api(
        "/waitlist",
        {"instrument": lab.instrument.pk, "from": at(9).isoformat(), "to": at(12).isoformat(),
         "duration_minutes": 180, "mode": "self"},
    )  # fmt: skip

    assert (anew.status_code, code(anew)) == (409, "free_now")
    assert not Occupancy.objects.exists()


def test_what_is_offered_to_one_is_nobody_else_s_to_answer(lab: Lab) -> None:
    first = lab.book()
    wait = wait_for(lab, lab.stranger)
    cancel_booking(booking=first, by=lab.engineer)
    offer_due()

    for act in ("accept", "decline", "leave"):
        assert ApiClient(lab.engineer).post_api(f"/waitlist/{wait.pk}/{act}").status_code == 404
        assert ApiClient(lab.manager).post_api(f"/waitlist/{wait.pk}/{act}").status_code == 403
    wait.refresh_from_db()
    assert wait.status == WaitStatus.OFFERED
    taken = ApiClient(lab.engineer).post_api(
        "/bookings",
        {"instrument": lab.instrument.pk, "start": at(9).isoformat(), "end": at(12).isoformat(), "mode": "self",
         "purpose": "x"},
    )  # fmt: skip
    assert (taken.status_code, code(taken)) == (409, "taken")
    assert Wait.objects.filter(status=WaitStatus.OFFERED).count() == 1


# --- fees ------------------------------------------------------------------------------------------------------------


def test_shrinking_and_extending_costs_what_the_whole_would(lab: Lab) -> None:
    booking = lab.book(9, 17)
    client = ApiClient(lab.engineer)

    client.post_api(f"/bookings/{booking.pk}/shorten", {"end": at(10).isoformat()})
    client.post_api(f"/bookings/{booking.pk}/extend", {"end": at(17).isoformat()})

    charge = Charge.objects.get()
    assert charge.reserved_total == Decimal(800)


def test_a_series_and_an_experiment_pay_for_late_cancelling_like_single_bookings(lab: Lab, clock: Any) -> None:
    make_price_list(lab.instrument, LATE_FEE)
    made = series_of(lab, lab.engineer)
    clock.move_to(at(8))

    answer = ApiClient(lab.engineer).post_api(f"/bookings/series/{made['series']['id']}/cancel", {})

    totals = sorted(Charge.objects.values_list("total", flat=True))
    assert (answer.status_code, totals) == (200, [Decimal(0), Decimal(0), Decimal(150)])


def test_a_hand_over_keeps_the_fee_for_cancelling(lab: Lab, clock: Any) -> None:
    make_price_list(lab.instrument, LATE_FEE)
    booking = lab.book()
    colleague = make_member(lab.enterprise)
    clock.move_to(at(9) - timedelta(hours=20))
    ApiClient(lab.engineer).post_api(f"/bookings/{booking.pk}/transfer", {"user_email": colleague.email})

    moved = ApiClient(colleague).post_api(
        f"/bookings/{booking.pk}/reschedule",
        {"start": at(9, day=date(2026, 12, 9)).isoformat(), "end": at(12, day=date(2026, 12, 9)).isoformat()},
    )
    cancelled = ApiClient(colleague).post_api(f"/bookings/{booking.pk}/cancel", {})

    assert (moved.status_code, code(moved)) == (409, "fee_period")
    assert (cancelled.status_code, Charge.objects.get().total) == (200, Decimal(150))


# --- locks -----------------------------------------------------------------------------------------------------------


def test_dates_of_several_people_are_locked_person_by_person_first(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an administrator who cancels a series would wait for a colleague who waits for them."""
    made = series_of(lab, lab.engineer)
    colleague = make_member(lab.enterprise)
    first = made["created"][0]["id"]
    handed = ApiClient(lab.engineer).post_api(f"/bookings/{first}/transfer", {"user": colleague.pk})
    locked: list[int | None] = []
    monkeypatch.setattr(together, "lock_rows", lambda wanted, person: locked.append(person))

    answer = ApiClient(lab.boss).post_api(f"/bookings/series/{made['series']['id']}/cancel", {})

    assert (handed.status_code, answer.status_code) == (200, 200)
    assert locked == sorted([lab.engineer.pk, colleague.pk])
    assert set(Booking.objects.values_list("status", flat=True)) == {Status.CANCELLED}
