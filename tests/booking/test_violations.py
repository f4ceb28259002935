"""What happened to bookings is stored, counted by the ladders of its layers, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backend.core.errors import Refused
from booking.actions.changing import cancel_booking
from booking.actions.no_shows import mark_no_show
from booking.actions.policies import save_policy, save_rules
from booking.actions.requesting import request_booking
from booking.actions.using import finish_booking, start_booking
from booking.actions.violating import record_violations
from booking.models import Booking, Violation
from booking.queries.assess import assess
from booking.queries.holders import of_institution, of_network
from booking.queries.wishes import Wish
from tests.booking.lab import Lab
from tests.factories import DAY, at, make_instrument, make_price_list

pytestmark = pytest.mark.django_db

EVENTS = [
    {
        "id": "late",
        "kind": "event",
        "on": "checkin",
        "after": "start +10min",
        "name": "late",
        "with": {"level": "light"},
    },
    {"id": "absent", "kind": "event", "on": "never", "after": "start +30min", "name": "no_show"},
    {"id": "over", "kind": "event", "on": "checkout", "after": "end +10min", "name": "overtime"},
    {"id": "cancel", "kind": "event", "on": "cancel", "after": "start -24h", "name": "late_cancel"},
]
LADDER = {
    "id": "ladder",
    "kind": "ladder",
    "count": ["late", "no_show", "overtime", "late_cancel"],
    "window": "12mo",
    "steps": [{"at": 1, "do": {"do": "suspend", "for": "14d"}}],
}
START = date(2026, 1, 1)


@pytest.fixture
def ruled(lab: Lab) -> Lab:
    save_policy(instrument=lab.instrument, document={"rules": [*EVENTS, LADDER]}, by=lab.manager, valid_from=START)
    return lab


def codes(lab: Lab, instrument: Any = None, hour: int = 15) -> list[str]:
    wish = Wish(instrument or lab.instrument, at(hour), at(hour + 1), "self", lab.enterprise, lab.engineer)
    return [refusal.code for refusal in assess(wish, now=timezone.now()).refusals]


def come(lab: Lab, clock: Any, minute: int) -> Booking:
    booking = lab.book(9, 11)
    clock.move_to(at(9, minute))
    return start_booking(booking=booking, by=lab.engineer)


def test_coming_at_the_last_moment_is_not_late(ruled: Lab, clock: Any) -> None:
    come(ruled, clock, 10)

    assert (Violation.objects.count(), codes(ruled)) == (0, [])


def test_coming_a_minute_later_is_recorded_and_suspends(ruled: Lab, clock: Any) -> None:
    booking = come(ruled, clock, 11)

    row = Violation.objects.get()
    assert (row.name, row.cause, row.at, row.values) == ("late", "checkin", at(9, 11), {"level": "light"})
    assert (row.booking, row.person, row.institution) == (booking, ruled.engineer, ruled.institution)
    wish = Wish(ruled.instrument, at(15), at(16), "self", ruled.enterprise, ruled.engineer)
    (refusal,) = assess(wish, now=timezone.now()).refusals
    assert (refusal.code, refusal.until) == ("suspend", at(9, 11) + timedelta(days=14))
    with pytest.raises(Refused):
        ruled.book(15, 16)


def test_a_suspension_ends_with_its_last_instant(ruled: Lab, clock: Any) -> None:
    come(ruled, clock, 11)
    later = DAY + timedelta(days=14)

    def refused(minute: int) -> bool:
        clock.move_to(at(9, minute, day=later))
        wish = Wish(ruled.instrument, at(15, day=later), at(16, day=later), "self", ruled.enterprise, ruled.engineer)
        return "suspend" in [each.code for each in assess(wish, now=timezone.now()).refusals]

    assert [refused(10), refused(11)] == [True, False]


def test_the_same_event_of_the_same_booking_is_stored_once(ruled: Lab, clock: Any) -> None:
    booking = come(ruled, clock, 11)

    names = [record_violations(booking, [("checkin", at(9, 11))], by=None) for _ in range(2)]

    assert names == [["late"], ["late"]]
    assert Violation.objects.count() == 1


def test_what_was_struck_out_counts_no_more(ruled: Lab, clock: Any) -> None:
    come(ruled, clock, 11)
    Violation.objects.update(struck_out_at=timezone.now())

    assert codes(ruled) == []


def test_logging_the_use_after_a_no_show_takes_it_back(ruled: Lab, clock: Any) -> None:
    booking = ruled.book(9, 11)
    clock.move_to(at(9, 31))
    mark_no_show(booking=booking, by=ruled.manager)
    row = Violation.objects.get()
    before = (row.name, row.at, codes(ruled))
    clock.move_to(at(12))
    finish_booking(booking=booking, by=ruled.manager, end=at(11), by_lab=True)

    row.refresh_from_db()
    assert before == ("no_show", at(9, 30), ["suspend"])
    assert (row.struck_out_by, codes(ruled)) == (ruled.manager, [])


@pytest.mark.parametrize(("minute", "names"), [(10, []), (11, ["overtime"])])
def test_a_use_that_ends_late_is_overtime(ruled: Lab, clock: Any, minute: int, names: list[str]) -> None:
    booking = come(ruled, clock, 0)
    clock.move_to(at(11, 30))
    finish_booking(booking=booking, by=ruled.engineer, end=at(11, minute))

    assert [row.name for row in Violation.objects.all()] == names


@pytest.mark.parametrize(("by_lab", "names"), [(False, ["late_cancel"]), (True, [])])
def test_cancelling_late_counts_for_the_customer_only(ruled: Lab, clock: Any, by_lab: bool, names: list[str]) -> None:
    booking = ruled.book(9, 11)
    clock.move_to(at(8))
    cancel_booking(booking=booking, by=ruled.manager if by_lab else ruled.engineer, reason="ill", by_lab=by_lab)

    assert [row.name for row in Violation.objects.all()] == names


def _save(lab: Lab, holder: Any, *rules: dict[str, Any]) -> None:
    save_rules(holder=holder, document={"rules": list(rules)}, by=lab.manager, valid_from=START)


@pytest.mark.parametrize(
    ("holder", "here", "there", "abroad"),
    [
        (lambda lab: of_network(), ["suspend"], ["suspend"], ["suspend"]),
        (lambda lab: of_institution(lab.institution), ["suspend"], ["suspend"], []),
    ],
    ids=["network", "institution"],
)
def test_a_layer_counts_what_happened_within_it(
    lab: Lab, clock: Any, holder: Callable[[Lab], Any], here: list[str], there: list[str], abroad: list[str]
) -> None:
    from backend.accounts.models import Organisation, OrganisationKind

    Organisation.objects.create(kind=OrganisationKind.NETWORK, code="net", name="Network")
    other, foreign = make_instrument(lab.institution), make_instrument()
    for instrument in (other, foreign):
        make_price_list(instrument)
    _save(lab, holder(lab), *EVENTS, LADDER)
    if holder(lab).layer != 1:
        _save(lab, of_institution(foreign.institution), *EVENTS, LADDER)

    come(lab, clock, 11)

    assert [codes(lab), codes(lab, other), codes(lab, foreign)] == [here, there, abroad]


def test_an_instruments_own_ladder_leaves_others_alone(ruled: Lab, clock: Any) -> None:
    other = make_instrument(ruled.institution)
    make_price_list(other)
    save_policy(instrument=other, document={"rules": [*EVENTS, LADDER]}, by=ruled.manager, valid_from=START)

    come(ruled, clock, 11)

    assert (codes(ruled), codes(ruled, other)) == (["suspend"], [])


def test_lifting_ends_the_suspension(ruled: Lab, clock: Any) -> None:
    come(ruled, clock, 11)
    lifted = {"name": "lifted", "person": ruled.engineer, "institution": ruled.institution, "at": timezone.now()}
    Violation.objects.create(**lifted, rule="another")
    still = codes(ruled)
    Violation.objects.create(**lifted, rule="ladder")

    assert (still, codes(ruled)) == (["suspend"], [])


def test_a_colleague_is_barred_where_the_step_says_the_organisation(lab: Lab, clock: Any) -> None:
    step = {"at": 1, "do": {"do": "suspend", "for": "14d", "who": "organisation"}}
    save_policy(
        instrument=lab.instrument,
        document={"rules": [*EVENTS, {**LADDER, "steps": [step]}]},
        by=lab.manager,
        valid_from=START,
    )
    come(lab, clock, 11)

    wish = Wish(lab.instrument, at(15), at(16), "self", lab.enterprise, lab.boss)
    assert [each.code for each in assess(wish, now=timezone.now()).refusals] == ["suspend"]


NIGHT = {
    "id": "pair",
    "kind": "quota",
    "if": {"mode": "operator"},
    "of": {"mode": "self"},
    "over": "day",
    "min": 1,
    "others": True,
}


def test_what_another_booking_needs_cannot_be_cancelled_before_it(lab: Lab) -> None:
    save_policy(instrument=lab.instrument, document={"rules": [NIGHT]}, by=lab.manager, valid_from=START)
    needed = lab.book(9, 10)
    common = {"by": lab.engineer, "user": lab.engineer, "organisation": lab.enterprise, "instrument": lab.instrument}
    needing = request_booking(**common, start=at(11), end=at(12), mode="operator", purpose="x")

    with pytest.raises(Refused) as refused:
        cancel_booking(booking=needed, by=lab.engineer)
    (refusal,) = refused.value.refusals
    assert (refusal.code, refusal.params["booking"]) == ("needed_by_other", needing.pk)
    cancel_booking(booking=needing, by=lab.engineer)
    assert cancel_booking(booking=needed, by=lab.engineer).status == "cancelled"


def test_the_lab_may_cancel_it_all_the_same(lab: Lab) -> None:
    save_policy(instrument=lab.instrument, document={"rules": [NIGHT]}, by=lab.manager, valid_from=START)
    needed = lab.book(9, 10)
    common = {"by": lab.engineer, "user": lab.engineer, "organisation": lab.enterprise, "instrument": lab.instrument}
    request_booking(**common, start=at(11), end=at(12), mode="operator", purpose="x")

    assert cancel_booking(booking=needed, by=lab.manager, reason="Leak", by_lab=True).status == "cancelled"
