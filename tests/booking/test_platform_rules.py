"""The platform's rules minute by minute: what is recorded, what it leads to, who is told, how it is contested."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backend.accounts.models import Role
from backend.accounts.queries import access_of
from backend.audit.models import Entry
from backend.core.errors import Invalid, NotFound, Refused
from backend.outbox.models import Message
from backend.web.actions import EVERY_MINUTE
from booking.actions.appealing import (
    appeal_violation,
    decide_appeal,
    lift_standing,
    record_violation,
    strike_out_violation,
)
from booking.actions.changing import cancel_booking
from booking.actions.consequences import carry_out
from booking.actions.no_shows import mark_no_shows
from booking.actions.policies import save_policy, save_rules
from booking.actions.requesting import request_booking
from booking.actions.using import finish_booking, start_booking
from booking.models import AppealState, Booking, Reached, Status, Violation
from booking.queries.facts import rules_in_force
from booking.queries.holders import of_institution
from booking.queries.standing import Standings, desk_standing, standing_of
from booking.rules.decide import decide
from booking.rules.platform import platform_rules
from instruments.models import Mode
from tests.booking.lab import TODAY, Lab
from tests.factories import at, make_manager, make_member

pytestmark = pytest.mark.django_db

START = date(2026, 11, 30)


@pytest.fixture
def lab(clock: Any) -> Lab:
    """The rules of the institution hold on its instrument, where check-in is on."""
    lab = Lab(check_in=True, no_show_grace=30)
    admin = make_member(lab.institution, Role.ADMIN)
    holder = of_institution(lab.institution)
    save_rules(holder=holder, document=platform_rules(), by=admin, valid_from=date(2026, 1, 1))
    return lab


def book(lab: Lab, day: date = START, start: int = 10, end: int = 14) -> Booking:
    return lab.book(start, end, day=day)


def names() -> list[str]:
    return list(Violation.objects.order_by("pk").values_list("name", flat=True))


def miss(lab: Lab, clock: Any, times: int, first: date = START) -> None:
    """So many bookings, a day each, to which nobody comes."""
    for number in range(times):
        day = first + timedelta(days=number)
        clock.move_to(at(9, day=day - timedelta(days=4)))
        book(lab, day)
        clock.move_to(at(10, 31, day=day))
        assert mark_no_shows() == 1


def late(lab: Lab, clock: Any, times: int) -> None:
    for number in range(times):
        day = START + timedelta(days=number)
        clock.move_to(at(9, day=day - timedelta(days=4)))
        booking = book(lab, day)
        clock.move_to(at(10, 29, day=day))
        start_booking(booking=booking, by=lab.engineer)
        clock.move_to(at(14, day=day))
        finish_booking(booking=booking, by=lab.engineer)


def stands(lab: Lab) -> Standings:
    return standing_of(lab.engineer, [lab.enterprise.pk], timezone.now())


def code_of(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.refusals[0].code


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


# --- contesting ---


def test_an_upheld_appeal_ends_the_suspension_that_it_caused(lab: Lab, clock: Any) -> None:
    late(lab, clock, 3)
    third = Violation.objects.latest("at")
    before = [each.code for each in stands(lab).barred]

    appeal_violation(violation=third, by=lab.engineer, reason="The door was locked.")
    decide_appeal(violation=third, by=lab.manager, upheld=True, answer="It was.")

    third.refresh_from_db()
    assert (before, stands(lab).barred) == (["suspend"], [])
    assert third.struck_out_at is not None
    assert third.appeal.state == AppealState.UPHELD
    clock.move_to(at(9, day=date(2026, 12, 4)))
    assert book(lab, date(2026, 12, 10)).status == Status.CONFIRMED
    told = Message.objects.get(kind="appeal_decided", channel="mail", recipient=lab.engineer)
    assert (told.context["upheld"], told.context["freed"]) == (True, True)


def test_a_dismissed_appeal_changes_nothing_and_cannot_be_repeated(lab: Lab, clock: Any) -> None:
    late(lab, clock, 3)
    third = Violation.objects.latest("at")
    appeal_violation(violation=third, by=lab.engineer, reason="Traffic.")
    decide_appeal(violation=third, by=lab.manager, upheld=False, answer="No.")

    with pytest.raises(Refused) as again:
        appeal_violation(violation=third, by=lab.boss, reason="Much traffic.")
    with pytest.raises(Refused) as decided:
        decide_appeal(violation=third, by=lab.manager, upheld=True, answer="Well.")

    assert (code_of(again), code_of(decided)) == ("appealed_already", "decided_already")
    assert [each.code for each in stands(lab).barred] == ["suspend"]


@pytest.mark.parametrize(("more", "over"), [(timedelta(0), False), (timedelta(seconds=1), True)])
def test_an_appeal_is_open_for_fourteen_days(lab: Lab, clock: Any, more: timedelta, over: bool) -> None:
    miss(lab, clock, 1)
    found = Violation.objects.get()
    clock.move_to(found.recorded_at + timedelta(days=14) + more)
    if not over:
        assert appeal_violation(violation=found, by=lab.engineer, reason="Ill.").state == AppealState.OPEN
        return

    with pytest.raises(Refused) as refused:
        appeal_violation(violation=found, by=lab.engineer, reason="Ill.")

    assert code_of(refused) == "too_late_to_appeal"


def test_an_appeal_and_its_answer_need_reasons(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 1)
    found = Violation.objects.get()

    with pytest.raises(Invalid):
        appeal_violation(violation=found, by=lab.engineer, reason="  ")
    with pytest.raises(NotFound):
        decide_appeal(violation=found, by=lab.manager, upheld=True, answer="Nobody asked")
    appeal_violation(violation=found, by=lab.engineer, reason="Ill.")
    with pytest.raises(Invalid):
        decide_appeal(violation=found, by=lab.manager, upheld=True, answer="")


def test_nobody_decides_about_their_own(lab: Lab, clock: Any) -> None:
    manager = make_manager(lab.institution)
    own = request_booking(
        by=manager, user=manager, organisation=lab.institution, instrument=lab.instrument, start=at(10, day=START),
        end=at(12, day=START), mode=Mode.SELF, purpose="Own",
    )  # fmt: skip
    clock.move_to(at(10, 31, day=START))
    mark_no_shows()
    found = Violation.objects.get(booking=own)
    appeal_violation(violation=found, by=manager, reason="Ill.")

    with pytest.raises(Refused) as decided:
        decide_appeal(violation=found, by=manager, upheld=True, answer="I was.")
    with pytest.raises(Refused) as struck:
        strike_out_violation(violation=found, by=manager, reason="I was.")

    assert {code_of(decided), code_of(struck)} == {"own_violation"}
    assert decide_appeal(violation=found, by=lab.manager, upheld=True, answer="Yes.").state == AppealState.UPHELD


def test_striking_out_ends_what_it_led_to_and_upholds_an_open_appeal(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 3)
    first = Violation.objects.earliest("at")
    appeal_violation(violation=first, by=lab.engineer, reason="Ill.")

    strike_out_violation(violation=first, by=lab.manager, reason="Power cut.")

    first.refresh_from_db()
    assert stands(lab).barred == []
    assert first.appeal.state == AppealState.UPHELD
    with pytest.raises(Refused):
        strike_out_violation(violation=first, by=lab.manager, reason="Twice.")


# --- lifting and recording by hand ---


def test_lifting_ends_a_denial_and_counting_begins_anew(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 3)
    lifting: dict[str, Any] = {
        "by": lab.manager, "institution": lab.institution, "party": {"person": lab.engineer.pk}, "rule": "absences",
        "reason": "Talked.",
    }  # fmt: skip
    shown = [each.who for each in desk_standing(access_of(lab.manager), timezone.now())]

    lift_standing(**lifting)

    assert shown == [lab.engineer.name]
    assert stands(lab).barred == []
    assert desk_standing(access_of(lab.manager), timezone.now()) == []
    with pytest.raises(Refused) as again:
        lift_standing(**lifting)
    assert code_of(again) == "nothing_to_lift"
    miss(lab, clock, 2, date(2026, 12, 8))
    assert stands(lab).barred == []
    miss(lab, clock, 1, date(2026, 12, 10))
    assert [each.code for each in stands(lab).barred] == ["deny"]


def test_another_institution_lifts_nothing_here(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 3)
    other, party = Lab(), {"person": lab.engineer.pk}

    with pytest.raises(Refused) as refused:
        lift_standing(by=other.manager, institution=other.institution, party=party, reason="Friends.")

    assert code_of(refused) == "nothing_to_lift"
    assert [each.code for each in stands(lab).barred] == ["deny"]


def test_by_hand_counts_like_any_other(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 2)
    clock.move_to(at(9, day=date(2026, 12, 7)))

    made = record_violation(
        by=lab.manager, name="no_show", reason="Seen", person=lab.engineer, organisation=lab.enterprise,
        instrument=lab.instrument,
    )  # fmt: skip

    assert [each.code for each in stands(lab).barred] == ["deny"]
    assert (made.recorded_by, made.institution) == (lab.manager, lab.institution)


@pytest.mark.parametrize("wrong", [{"name": "Left dirty"}, {"name": "lifted"}, {"reason": " "}])
def test_by_hand_needs_a_code_and_a_reason(lab: Lab, wrong: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        record_violation(**{"by": lab.manager, "booking": book(lab), "name": "dirty", "reason": "Seen", **wrong})


@pytest.mark.parametrize(
    ("ago", "allowed"),
    [(timedelta(0), True), (timedelta(seconds=-1), False), (timedelta(days=366), True), (timedelta(days=367), False)],
)
def test_by_hand_is_of_the_last_year(lab: Lab, ago: timedelta, allowed: bool) -> None:
    values: dict[str, Any] = {"by": lab.manager, "booking": book(lab), "name": "dirty", "reason": "Seen"}
    if allowed:
        assert record_violation(**values, at=timezone.now() - ago).name == "dirty"
        return

    with pytest.raises(Invalid):
        record_violation(**values, at=timezone.now() - ago)


def test_by_hand_is_refused_twice_and_for_oneself(lab: Lab) -> None:
    booking = book(lab)
    record_violation(by=lab.manager, booking=booking, name="dirty", reason="Seen")

    with pytest.raises(Refused) as twice:
        record_violation(by=lab.manager, booking=booking, name="dirty", reason="Seen")
    with pytest.raises(Invalid):
        record_violation(by=lab.manager, name="dirty", reason="Nobody")
    with pytest.raises(Refused) as own:
        record_violation(
            by=lab.manager, name="dirty", reason="Me", person=lab.manager, organisation=lab.institution,
            instrument=lab.instrument,
        )  # fmt: skip

    assert (code_of(twice), code_of(own)) == ("recorded_already", "own_violation")


def test_logging_the_use_after_all_upholds_an_open_appeal(lab: Lab, clock: Any) -> None:
    miss(lab, clock, 1)
    found = Violation.objects.get()
    appeal_violation(violation=found, by=lab.engineer, reason="I was there.")
    clock.move_to(at(15, day=START))

    finish_booking(booking=Booking.objects.get(), by=lab.manager, by_lab=True)

    found.refresh_from_db()
    assert (found.struck_out_at is not None, found.appeal.state) == (True, AppealState.UPHELD)
