"""Appeals against violations, lifting what they led to, and recording them by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backend.accounts.queries import access_of
from backend.core.errors import Invalid, NotFound, Refused
from backend.outbox.models import Message
from booking.actions.appealing import (
    appeal_violation,
    decide_appeal,
    lift_standing,
    record_violation,
    strike_out_violation,
)
from booking.actions.no_shows import mark_no_shows
from booking.actions.requesting import request_booking
from booking.actions.using import finish_booking
from booking.models import AppealState, Booking, Status, Violation
from booking.queries.standing import desk_standing
from instruments.models import Mode
from tests.booking.lab import Lab
from tests.booking.platform import START, book, code_of, late, make_strict_lab, miss, stands
from tests.factories import at, make_manager

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(clock: Any) -> Lab:
    return make_strict_lab()


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
