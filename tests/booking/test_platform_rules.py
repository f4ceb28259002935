"""The platform's rules minute by minute: what is recorded, what it leads to, who is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backend.audit.models import Entry
from backend.core.errors import Refused
from backend.outbox.models import Message
from backend.web.actions import EVERY_MINUTE
from booking.actions.changing import cancel_booking
from booking.actions.consequences import carry_out
from booking.actions.no_shows import mark_no_shows
from booking.actions.policies import save_policy
from booking.actions.requesting import request_booking
from booking.actions.using import finish_booking, start_booking
from booking.models import Reached, Status, Violation
from booking.queries.facts import rules_in_force
from booking.rules.decide import decide
from instruments.models import Mode
from tests.booking.lab import TODAY, Lab
from tests.booking.platform import START, book, code_of, late, make_strict_lab, miss, stands
from tests.factories import at, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(clock: Any) -> Lab:
    return make_strict_lab()


def names() -> list[str]:
    return list(Violation.objects.order_by("pk").values_list("name", flat=True))


# --- minutes ---


@pytest.mark.parametrize(
    ("hour", "minute", "found"),
    [(9, 59, []), (10, 0, []), (10, 1, ["late"]), (10, 29, ["late"]), (10, 30, ["late"])],
)
def test_who_checks_in_after_the_start_is_late(lab: Lab, clock: Any, hour: int, minute: int, found: list[str]) -> None:
    booking = book(lab)
    clock.move_to(at(hour, minute, day=START))

    start_booking(booking=booking, by=lab.engineer)

    assert names() == found


def test_half_an_hour_after_the_start_it_is_a_no_show(lab: Lab, clock: Any) -> None:
    book(lab)
    clock.move_to(at(10, 29, day=START))
    before = mark_no_shows()
    clock.move_to(at(10, 31, day=START))

    assert (before, mark_no_shows()) == (0, 1)
    assert names() == ["no_show"]


def test_the_rest_of_the_slot_can_be_booked_by_others_from_then_on(lab: Lab, clock: Any) -> None:
    # The platform's three days ahead would keep everybody out; an instrument may do without.
    without = {"rules": [{"id": "ahead", "off": True}]}
    save_policy(instrument=lab.instrument, document=without, by=lab.manager, valid_from=date(2026, 1, 1))
    book(lab)
    colleague = make_member(lab.enterprise)
    wish: dict[str, Any] = {
        "by": colleague, "user": colleague, "organisation": lab.enterprise, "instrument": lab.instrument,
        "start": at(10, 31, day=START), "end": at(14, day=START), "mode": Mode.SELF, "purpose": "The rest",
    }  # fmt: skip
    clock.move_to(at(10, 29, day=START))
    mark_no_shows()
    with pytest.raises(Refused) as refused:
        request_booking(**wish)
    clock.move_to(at(10, 31, day=START))
    mark_no_shows()

    made = request_booking(**wish)

    assert code_of(refused) == "taken"
    assert made.status == Status.CONFIRMED


@pytest.mark.parametrize(
    ("before", "found"), [(timedelta(hours=24), []), (timedelta(hours=23, minutes=59), ["late_cancel"])]
)
def test_cancelling_less_than_a_day_before_is_late(lab: Lab, clock: Any, before: timedelta, found: list[str]) -> None:
    booking = book(lab)
    clock.move_to(booking.start - before)

    cancel_booking(booking=booking, by=lab.engineer)

    assert names() == found


@pytest.mark.parametrize(
    ("hour", "minute", "found"),
    [(12, 59, ["early_leave"]), (13, 0, []), (14, 0, []), (14, 15, []), (14, 16, ["overtime"])],
)
def test_leaving_early_and_staying_over_are_counted_apart(
    lab: Lab, clock: Any, hour: int, minute: int, found: list[str]
) -> None:
    booking = book(lab)
    clock.move_to(at(10, day=START))
    start_booking(booking=booking, by=lab.engineer)
    clock.move_to(at(hour, minute, day=START))

    finish_booking(booking=booking, by=lab.engineer, end=timezone.now())

    assert names() == found


@pytest.mark.parametrize(("early", "allowed"), [(timedelta(days=3), True), (timedelta(days=3, minutes=-1), False)])
def test_machine_time_is_booked_three_days_ahead(lab: Lab, clock: Any, early: timedelta, allowed: bool) -> None:
    clock.move_to(at(10, day=START) - early)
    if allowed:
        assert book(lab).status == Status.CONFIRMED
        return

    with pytest.raises(Refused) as refused:
        book(lab)

    assert code_of(refused) == "too_late"


@pytest.mark.parametrize(("early", "found"), [(timedelta(days=7), []), (timedelta(days=7, minutes=-1), ["too_late"])])
def test_samples_are_announced_seven_days_ahead(lab: Lab, early: timedelta, found: list[str]) -> None:
    rules = rules_in_force([lab.instrument], timezone.now())[lab.instrument.pk].book.rules
    start = at(10, day=START)
    request = {"person": 1, "mode": "sample", "start": start, "end": start + timedelta(hours=1)}

    answer = decide(rules, request, act="create", now=start - early, facts={}, bookings=[], events=[])

    assert [each.code for each in answer.refuse] == found


# --- ladders ---


def test_the_second_no_show_warns_and_the_third_denies_until_lifted(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 2)
    warned, barred = Reached.objects.get(), stands(lab).barred
    miss(lab, clock, 1, START + timedelta(days=2))
    clock.move_to(at(9, day=date(2026, 12, 7)))

    with pytest.raises(Refused) as refused:
        book(lab, date(2026, 12, 15))

    assert [each["code"] for each in warned.consequences] == ["warn"]
    assert barred == []
    assert (code_of(refused), refused.value.refusals[0].until) == ("deny", None)
    third = Reached.objects.get(step=2)
    assert [each["code"] for each in third.consequences] == ["deny", "cancel_future", "tell"]


def test_three_times_late_is_a_month_without_booking(lab: Lab, clock: Any) -> None:
    late(lab, clock, 3)
    until = at(10, 29, day=date(2027, 1, 2))
    clock.move_to(at(9, day=date(2026, 12, 28)))

    with pytest.raises(Refused) as refused:
        book(lab, date(2027, 1, 1))
    clock.move_to(until)

    assert (code_of(refused), refused.value.refusals[0].until) == ("suspend", until)
    assert book(lab, date(2027, 1, 7)).status == Status.CONFIRMED


@pytest.mark.parametrize(("later", "denied"), [(timedelta(minutes=1), True), (timedelta(0), False)])
def test_the_window_is_twelve_months_and_its_far_edge_is_outside(
    lab: Lab, clock: Any, later: timedelta, denied: bool
) -> None:
    """The third is certain at 10:30 on 2 December 2026."""
    miss(lab, clock, 2)
    oldest = datetime(2025, 12, 2, 2, 30, tzinfo=UTC) + later
    Violation.objects.filter(pk=Violation.objects.earliest("at").pk).update(at=oldest)

    miss(lab, clock, 1, date(2026, 12, 2))

    assert [each.code for each in stands(lab).barred] == (["deny"] if denied else [])


def test_counters_say_how_far_each_ladder_is_climbed(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 2)

    assert {each.counter.rule_id: each.counter.text for each in stands(lab).counted} == {"absences": "2 / 3"}


def test_a_denial_cancels_what_is_to_come_without_a_fee(lab: Lab, clock: Any) -> None:
    clock.move_to(at(9, day=TODAY))
    coming = book(lab, date(2026, 12, 11))
    colleagues = lab.book(10, 12, day=date(2026, 12, 12), user=make_member(lab.enterprise))
    miss(lab, clock, 3)

    cancelled, again = carry_out(), carry_out()

    coming.refresh_from_db()
    colleagues.refresh_from_db()
    assert (cancelled, again) == (1, 0)
    assert (coming.status, colleagues.status) == (Status.CANCELLED, Status.CONFIRMED)
    assert not coming.violations.exists()
    told = Message.objects.filter(kind="booking_cancelled", channel="mail")
    assert lab.engineer.pk in set(told.values_list("recipient", flat=True))
    assert {each.context["fee"] for each in told} == {"0.00"}
    assert carry_out in EVERY_MINUTE


def test_each_side_is_told_once(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 3)

    recorded = Message.objects.filter(kind="violation_recorded", channel="mail")
    changed = Message.objects.filter(kind="standing_changed", channel="mail")
    of_lab = Message.objects.filter(kind="standing_changed_lab", channel="mail")
    theirs = {lab.engineer.pk, lab.boss.pk}
    assert set(recorded.values_list("recipient", flat=True)) == theirs
    assert set(changed.values_list("recipient", flat=True)) == theirs
    assert (recorded.count(), changed.count()) == (6, 4)
    assert list(of_lab.values_list("recipient", flat=True)) == [lab.manager.pk]
    assert Entry.objects.filter(action="standing.reach").count() == 2
