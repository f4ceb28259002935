"""The customer's own agreement to its spending, and budgets of projects, on every way of booking."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.accounts.models import Project, Role, User
from backend.accounts.queries import access_of
from backend.audit.actions import faults
from backend.core.errors import Forbidden, Invalid, NotFound, Refused
from backend.outbox.models import Message
from booking.actions.changing import reschedule_booking, withdraw_booking
from booking.actions.deciding import approve_booking, expire_holds, reject_booking
from booking.actions.lengths import extend_booking
from booking.actions.requesting import request_booking
from booking.actions.spending import approve_spending, decide_spending, reject_spending
from booking.models import Booking, SpendingRequest, SpendingState, Status
from booking.queries.assess import assess
from booking.queries.scope import to_decide
from booking.queries.series import dates_of, plan_series
from booking.queries.spending import get_request, open_requests
from booking.queries.wishes import Wish
from invoices.actions.budgets import set_budget
from invoices.actions.spending import WantedRule, delete_spending_rule, set_spending_rule
from invoices.models import Charge, SpendingRule
from tests.booking.lab import NOW, Lab, codes
from tests.booking.samples import Bench
from tests.booking.series import make_series
from tests.factories import DAY, at, make_member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def ask(lab: Lab, kind: str = "over", amount: str | None = "250.00", *approvers: str, **about: Any) -> SpendingRule:
    """The enterprise wants to agree to what costs more than that."""
    limit = Decimal(amount) if amount is not None else None
    rule = set_spending_rule(
        organisation=lab.enterprise, wanted=WantedRule(kind, limit, approvers or ("admin",), **about), by=lab.boss
    )
    lab.enterprise.refresh_from_db()
    return rule


def book(lab: Lab, start: int = 9, end: int = 12, *, by: User | None = None, project: Project | None = None) -> Booking:
    by = by or lab.engineer
    return request_booking(
        by=by,
        user=by,
        organisation=lab.enterprise,
        instrument=lab.instrument,
        start=at(start),
        end=at(end),
        mode="self",
        purpose="Fracture surfaces",
        project=project,
    )


def asked_about(booking: Booking) -> SpendingRequest:
    return SpendingRequest.objects.get(booking=booking, state=SpendingState.OPEN)


def told(kind: str) -> list[int]:
    return sorted(Message.objects.filter(kind=kind, channel="in_app").values_list("recipient", flat=True))


def test_above_the_limit_the_customer_is_asked_and_the_time_is_held() -> None:
    lab = Lab()
    ask(lab)

    booking = book(lab)

    assert (booking.status, booking.awaits_customer, booking.hold_expires_at is not None) == (
        Status.REQUESTED,
        True,
        True,
    )
    assert booking.occupancy is not None
    assert told("spending_asked") == [lab.boss.pk]
    assert not to_decide(access_of(lab.manager)).exists()
    assert list(open_requests(access_of(lab.boss))) == [asked_about(booking)]


def test_exactly_the_limit_passes_and_a_cent_above_asks() -> None:
    lab = Lab()
    ask(lab, "over", "300.00")
    assert book(lab).status == Status.CONFIRMED

    ask(lab, "over", "299.99")
    assert book(lab, 13, 16).awaits_customer


def test_agreement_confirms_where_the_lab_wants_nothing() -> None:
    lab = Lab()
    ask(lab)
    booking = book(lab)

    approve_spending(request=asked_about(booking), by=lab.boss)

    booking.refresh_from_db()
    assert (booking.status, booking.awaits_customer) == (Status.CONFIRMED, False)
    assert told("booking_confirmed") == [lab.engineer.pk]
    assert list(faults()) == []


def test_only_after_the_agreement_is_the_lab_asked() -> None:
    lab = Lab(approval=True)
    ask(lab)
    booking = book(lab)
    assert told("booking_requested") == []
    with pytest.raises(Refused) as caught:
        approve_booking(booking=booking, by=lab.manager)
    assert codes(caught) == ["awaits_customer"]
    with pytest.raises(Refused) as caught:
        reject_booking(booking=booking, by=lab.manager, reason="x")
    assert codes(caught) == ["awaits_customer"]

    approve_spending(request=asked_about(booking), by=lab.boss)

    booking.refresh_from_db()
    assert (booking.status, booking.awaits_customer) == (Status.REQUESTED, False)
    assert told("booking_requested") == [lab.manager.pk]
    assert told("spending_approved") == [lab.engineer.pk]
    assert approve_booking(booking=booking, by=lab.manager).status == Status.CONFIRMED


def test_a_no_gives_the_time_back_and_costs_nothing() -> None:
    lab = Lab()
    ask(lab)
    booking = book(lab)
    with pytest.raises(Invalid):
        reject_spending(request=asked_about(booking), by=lab.boss, reason=" ")

    reject_spending(request=asked_about(booking), by=lab.boss, reason="Too dear")

    booking.refresh_from_db()
    assert (booking.status, booking.occupancy_id, booking.reason) == (Status.REJECTED, None, "Too dear")
    assert Charge.objects.get().total == 0
    assert told("spending_rejected") == [lab.engineer.pk]


def test_who_may_agree() -> None:
    lab = Lab()
    finance, leader = make_member(lab.enterprise, Role.FINANCE), make_member(lab.enterprise)
    project = lab.enterprise.projects.create(code="P1", name="Alloys", leader=leader)
    ask(lab, "over", "250.00", "leader")
    booking = book(lab, project=project)
    request = asked_about(booking)

    assert told("spending_asked") == [leader.pk]
    for person in (finance, lab.engineer, lab.manager):
        with pytest.raises((Forbidden, NotFound)):
            approve_spending(request=get_request(access_of(person), request.pk), by=person)
        with pytest.raises(Forbidden):
            approve_spending(request=request, by=person)
    with pytest.raises(NotFound):
        get_request(access_of(lab.stranger), request.pk)
    approve_spending(request=get_request(access_of(leader), request.pk), by=leader)
    with pytest.raises(Refused) as caught:
        approve_spending(request=request, by=lab.boss)
    assert codes(caught) == ["wrong_status"]


def test_whoever_may_agree_books_without_being_asked() -> None:
    lab = Lab()
    ask(lab)

    assert book(lab, by=lab.boss).status == Status.CONFIRMED


def test_the_narrowest_rule_holds() -> None:
    lab = Lab()
    project = lab.enterprise.projects.create(code="P1", name="Alloys")
    ask(lab, "always", None)
    ask(lab, "never", None, project=project)
    assert book(lab, 9, 10, project=project).status == Status.CONFIRMED
    assert book(lab, 10, 11).awaits_customer

    ask(lab, "over", "150.00", person=lab.engineer)
    assert book(lab, 11, 12).status == Status.CONFIRMED
    assert book(lab, 12, 14, project=project).awaits_customer


def test_without_rules_nothing_more_is_asked_of_the_database() -> None:
    lab = Lab()
    book(lab, 8, 9)  # what a process reads once
    with CaptureQueriesContext(connection) as plain:
        book(lab, 9, 10)
    rule = ask(lab, "over", "5000.00")
    with CaptureQueriesContext(connection) as ruled:
        book(lab, 10, 11)
    delete_spending_rule(rule=rule, by=lab.boss)
    lab.enterprise.refresh_from_db()
    with CaptureQueriesContext(connection) as again:
        book(lab, 11, 12)

    assert len(ruled) - len(plain) == 1
    assert len(again) == len(plain)
    assert not [query for query in plain.captured_queries if "spendingrule" in query["sql"]]


def test_a_request_that_nobody_agrees_to_expires_even_where_the_lab_s_silence_consents(clock: Any) -> None:
    lab = Lab()
    ask(lab)
    booking = book(lab)
    Booking.objects.filter(pk=booking.pk).update(silence="consent")
    assert booking.hold_expires_at is not None
    clock.move_to(booking.hold_expires_at + timedelta(seconds=1))

    expire_holds()

    booking.refresh_from_db()
    assert booking.status == Status.EXPIRED
    assert SpendingRequest.objects.get().state == SpendingState.LAPSED


def test_a_withdrawn_request_asks_nobody_any_more() -> None:
    lab = Lab()
    ask(lab)
    booking = book(lab)

    withdraw_booking(booking=booking, by=lab.engineer)

    assert not open_requests(access_of(lab.boss)).exists()


def test_extending_above_the_limit_asks_and_moving_at_the_same_price_does_not() -> None:
    lab = Lab()
    booking = book(lab, 9, 12)
    ask(lab)
    booking.organisation.refresh_from_db()

    booking = reschedule_booking(booking=booking, by=lab.engineer, start=at(10), end=at(13))
    assert booking.status == Status.CONFIRMED
    booking = extend_booking(booking=booking, by=lab.engineer, end=at(14))

    assert (booking.status, booking.awaits_customer) == (Status.REQUESTED, True)
    assert asked_about(booking).total == Decimal("400.00")
    approve_spending(request=asked_about(booking), by=lab.boss)
    booking.refresh_from_db()
    assert booking.status == Status.CONFIRMED


def test_what_runs_cannot_wait_and_is_extended_by_whoever_may_agree(clock: Any) -> None:
    lab = Lab()
    booking = book(lab, 9, 12)
    ask(lab)
    clock.move_to(at(11))

    with pytest.raises(Refused) as caught:
        extend_booking(booking=booking, by=lab.engineer, end=at(13))

    assert codes(caught) == ["needs_spending_approval"]
    assert extend_booking(booking=booking, by=lab.boss, end=at(13)).end == at(13)


def test_a_series_asks_for_each_date_with_one_message() -> None:
    lab = Lab()
    ask(lab)

    series = make_series(lab, "FREQ=WEEKLY;COUNT=3")

    assert Booking.objects.filter(series=series, awaits_customer=True).count() == 3
    assert told("spending_asked") == [lab.boss.pk]
    results = list(decide_spending(requests=list(open_requests(access_of(lab.boss))), by=lab.boss, approve=True))
    assert [result.refusals for result in results] == [(), (), ()]
    assert Booking.objects.filter(series=series, status=Status.CONFIRMED).count() == 3


def test_a_rule_must_make_sense() -> None:
    lab = Lab()
    for wanted, field in (
        (WantedRule("over", None, ("admin",)), "amount"),
        (WantedRule("over", Decimal(-1), ("admin",)), "amount"),
        (WantedRule("always", Decimal(1), ("admin",)), "amount"),
        (WantedRule("always", None, ()), "approvers"),
        (WantedRule("sometimes", None, ("admin",)), "kind"),
    ):
        with pytest.raises(Invalid) as caught:
            set_spending_rule(organisation=lab.enterprise, wanted=wanted, by=lab.boss)
        assert caught.value.refusals[0].field == field


# --- budgets ---------------------------------------------------------------------------------------------------------


def budget(lab: Lab, amount: str, *, stop: bool = False, period: str = "year", warn: int = 80) -> Project:
    project, _created = Project.objects.get_or_create(organisation=lab.enterprise, code="P1", name="Alloys")
    set_budget(project=project, amount=Decimal(amount), period=period, warn_percent=warn, stop=stop, by=lab.boss)
    lab.enterprise.refresh_from_db()
    return project


def wish(lab: Lab, project: Project, end: int = 12) -> Wish:
    return Wish(lab.instrument, at(9), at(end), "self", lab.enterprise, lab.engineer, project=project)


def test_a_budget_is_kept_to_the_cent_where_it_stops() -> None:
    lab = Lab()
    project = budget(lab, "300.00", stop=True)
    book(lab, project=project)

    budget(lab, "399.99", stop=True)
    with pytest.raises(Refused) as caught:
        book(lab, 13, 14, project=project)
    [refusal] = caught.value.refusals
    assert refusal.code == "budget_exceeded"
    assert refusal.params == {"budget": "399.99", "used": "300.00", "left": "99.99", "currency": "CNY"}

    budget(lab, "400.00", stop=True)
    assert book(lab, 13, 14, project=project).status == Status.CONFIRMED


def test_without_stop_people_are_warned_and_their_administrator_told_once() -> None:
    lab = Lab()
    project = budget(lab, "375.00")
    answer = assess(wish(lab, project), now=timezone.now())
    assert answer.bookable
    assert answer.notices == ("With this, 80 % of the project's budget of ¥375.00 is used.",)

    book(lab, project=project)
    book(lab, 13, 16, project=project)

    assert told("budget_near") == [lab.boss.pk]


def test_below_the_warning_nothing_is_said() -> None:
    lab = Lab()
    project = budget(lab, "375.01")

    assert assess(wish(lab, project), now=timezone.now()).notices == ()


def test_cancelled_bookings_and_other_years_do_not_count() -> None:
    lab = Lab()
    project = budget(lab, "300.00", stop=True)
    booking = book(lab, project=project)
    Charge.objects.filter(source_uid=booking.uid).update(service_date=DAY.replace(year=2025))
    assert assess(wish(lab, project), now=timezone.now()).notices == (
        "With this, 100 % of the project's budget of ¥300.00 is used.",
    )

    budget(lab, "300.00", stop=True, period="ever")
    caught = assess(wish(lab, project), now=timezone.now())
    assert "budget_exceeded" in [refusal.code for refusal in caught.refusals]


def test_a_booking_of_the_budget_may_be_moved_but_not_extended_beyond_it() -> None:
    lab = Lab()
    project = budget(lab, "300.00", stop=True)
    booking = book(lab, project=project)

    booking = reschedule_booking(booking=booking, by=lab.engineer, start=at(13), end=at(16))
    with pytest.raises(Refused) as caught:
        extend_booking(booking=booking, by=lab.engineer, end=at(17))

    assert codes(caught) == ["budget_exceeded"]


def test_the_plan_of_a_series_counts_its_earlier_dates() -> None:
    lab = Lab()
    project = budget(lab, "700.00", stop=True)
    asked = wish(lab, project)

    planned = plan_series(asked, dates_of(asked, "FREQ=DAILY;COUNT=3"), by=lab.engineer, now=NOW)

    assert [each.bookable for each in planned] == [True, True, False]


# --- sample orders ---------------------------------------------------------------------------------------------------


def test_an_order_of_samples_above_the_limit_is_submitted_by_whoever_may_agree() -> None:
    bench = Bench()
    ask(bench, "over", "900.00")
    assert bench.submit().quote["total"] == "900.00"

    ask(bench, "over", "899.99")
    with pytest.raises(Refused) as caught:
        bench.submit()
    assert codes(caught) == ["needs_spending_approval"]
    assert bench.submit(user=bench.engineer, by=bench.boss).quote["total"] == "900.00"


def test_an_order_of_samples_counts_in_the_project_s_budget() -> None:
    bench = Bench()
    project = budget(bench, "1799.99", stop=True)
    bench.submit(project=project)

    with pytest.raises(Refused) as caught:
        bench.submit(project=project)

    assert codes(caught) == ["budget_exceeded"]
