"""Taking time from who comes later: the rule of priority with ``displace``, on the page and over HTTP."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from time_machine import TimeMachineFixture

from backend.audit.models import Entry as AuditEntry
from backend.core.errors import Refused
from backend.outbox.models import Message
from booking.actions.overtaking import book_first
from booking.actions.policies import save_policy
from booking.models import Booking, Displacement, Status
from invoices.models import Charge, ChargeState
from tests.booking.lab import HTMX, NOW, Lab, browser, html, wall
from tests.factories import DAY, at, make_member

pytestmark = pytest.mark.django_db
ORDER = {"id": "order", "kind": "priority", "order": [{"audience": "internal"}], "displace": "start -24h"}


@pytest.fixture(autouse=True)
def clock(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW, tick=False)


def make_lab(*rules: dict[str, Any], **fields: Any) -> tuple[Lab, Any]:
    """With a colleague of the institution, who comes before enterprises."""
    lab = Lab(**fields)
    document = {"rules": [ORDER, *rules]}
    save_policy(instrument=lab.instrument, document=document, by=lab.manager, valid_from=date(2026, 1, 1))
    return lab, make_member(lab.institution)


def wish(lab: Lab, **more: Any) -> dict[str, Any]:
    slot = {"instrument": lab.instrument.pk, "start": at(10).isoformat(), "end": at(13).isoformat(), "mode": "self"}
    return {**slot, **more}


def check(lab: Lab, user: Any, **more: Any) -> Any:
    response = browser(user).post("/api/v1/bookings/check", wish(lab, **more), content_type="application/json")
    assert response.status_code == 200, response.content
    return response.json()


def displaced_by(answer: Any) -> list[int]:
    (taken,) = [each for each in answer["refusals"] if each["code"] == "taken"]
    return list((taken["params"] or {}).get("displaces", []))


def test_who_comes_first_may_displace_and_book(lab_pair: tuple[Lab, Any]) -> None:
    lab, colleague = lab_pair
    booked = lab.book()

    assert displaced_by(check(lab, colleague)) == [booked.pk]
    body = wish(lab, purpose="A course", displaces=[booked.pk])
    response = browser(colleague).post("/api/v1/bookings", body, content_type="application/json")

    assert response.status_code == 201, response.content
    booked.refresh_from_db()
    made = Booking.objects.get(pk=response.json()["id"])
    assert (booked.status, made.status) == (Status.DISPLACED, Status.CONFIRMED)
    assert Displacement.objects.get(booking=booked).state == "open"
    assert Charge.objects.get(source_uid=booked.uid).state == ChargeState.RELEASED
    assert Message.objects.filter(kind="booking_displaced", recipient=lab.engineer).exists()
    assert AuditEntry.objects.get(action="booking.overtake").after["displaced"] == [booked.pk]


def test_the_customer_reads_why_and_is_proposed_other_times(lab_pair: tuple[Lab, Any]) -> None:
    lab, colleague = lab_pair
    booked = lab.book()
    book(lab, colleague, displaces=[booked.pk])

    page = html(browser(lab.engineer).get(f"/bookings/{booked.pk}/"))

    assert "By the rules of the instrument another booking comes before this one." in page
    assert colleague.name not in page


@pytest.fixture
def lab_pair() -> tuple[Lab, Any]:
    return make_lab()


def book(lab: Lab, user: Any, displaces: list[int], **more: Any) -> Booking:
    asked: dict[str, Any] = {"start": at(10), "end": at(13), "mode": "self", "purpose": "A course", **more}
    return book_first(
        by=user, user=user, organisation=lab.institution, instrument=lab.instrument, displaces=displaces, **asked
    )


def test_the_moment_of_the_rule_is_the_boundary(lab_pair: tuple[Lab, Any], time_machine: TimeMachineFixture) -> None:
    lab, colleague = lab_pair
    booked = lab.book()

    time_machine.move_to(at(9) - timedelta(hours=24), tick=False)
    assert displaced_by(check(lab, colleague)) == [booked.pk]
    time_machine.move_to(at(9) - timedelta(hours=24) + timedelta(minutes=1), tick=False)
    assert displaced_by(check(lab, colleague)) == []
    with pytest.raises(Refused) as caught:
        book(lab, colleague, [booked.pk])

    assert [each.code for each in caught.value.refusals] == ["displaces_changed"]
    booked.refresh_from_db()
    assert booked.status == Status.CONFIRMED


def test_equals_and_later_ones_displace_nobody(lab_pair: tuple[Lab, Any]) -> None:
    lab, colleague = lab_pair
    first = book(lab, make_member(lab.institution), [])

    assert displaced_by(check(lab, colleague)) == []
    assert displaced_by(check(lab, lab.engineer)) == []
    assert first.status == Status.CONFIRMED


def test_whoever_books_anyway_displaces_nobody(lab_pair: tuple[Lab, Any]) -> None:
    lab, colleague = lab_pair
    booked = lab.book()

    with pytest.raises(Refused) as caught:
        book(lab, colleague, [])

    assert [each.code for each in caught.value.refusals] == ["taken"]
    booked.refresh_from_db()
    assert booked.status == Status.CONFIRMED


def test_another_reason_leaves_what_is_booked_alone() -> None:
    lab, colleague = make_lab({"kind": "length", "max": 60})
    booked = make_short(lab)

    answer = check(lab, colleague)

    assert {each["code"] for each in answer["refusals"]} == {"taken", "too_long"}
    assert displaced_by(answer) == []
    with pytest.raises(Refused):
        book(lab, colleague, [booked.pk])
    booked.refresh_from_db()
    assert booked.status == Status.CONFIRMED


def make_short(lab: Lab) -> Booking:
    return lab.book(11, 12)


def test_a_request_that_must_be_approved_displaces_nobody() -> None:
    approval = {"kind": "require", "if": {"audience": "internal"}, "that": {"x": True}, "else": "approve:manager"}
    lab, colleague = make_lab(approval)
    lab.book()

    assert displaced_by(check(lab, colleague)) == []


def test_an_outage_in_the_way_displaces_nobody_else(lab_pair: tuple[Lab, Any]) -> None:
    from booking.actions.outages import create_outage

    lab, colleague = lab_pair
    lab.book(9, 12)
    create_outage(instrument=lab.instrument, by=lab.manager, start=at(12), end=at(14), reason="Pump")

    assert displaced_by(check(lab, colleague)) == []


def test_of_several_units_the_one_with_fewest_bookings_is_freed() -> None:
    lab, colleague = make_lab(units=2)
    pieces = [lab.book(9, 11), lab.book(11, 13)]
    whole = lab.book(9, 13)
    assert [row.unit for row in (*pieces, whole)] == [1, 1, 2]

    assert displaced_by(check(lab, colleague)) == [whole.pk]


def test_the_page_offers_it_with_a_question_and_does_it(lab_pair: tuple[Lab, Any]) -> None:
    lab, colleague = lab_pair
    booked = lab.book()
    slot = {"start": wall(at(10)), "end": wall(at(13)), "mode": "self"}
    client = browser(colleague)

    answer = html(client.post(f"/instruments/{lab.instrument.pk}/check/", slot, headers=HTMX))
    assert f'name="displaces" value="{booked.pk}" data-confirm="Displace what is booked' in answer
    body = {**slot, "purpose": "A course", "displaces": str(booked.pk)}
    response = client.post(f"/instruments/{lab.instrument.pk}/book/", body)

    assert response.status_code == 302
    booked.refresh_from_db()
    assert booked.status == Status.DISPLACED


@pytest.mark.parametrize("text", ["x", "1;2", "1" * 500])
def test_what_is_no_list_of_bookings_is_refused(lab_pair: tuple[Lab, Any], text: str) -> None:
    lab, colleague = lab_pair
    slot = {"start": wall(at(10)), "end": wall(at(13)), "mode": "self", "purpose": "x", "displaces": text}

    response = browser(colleague).post(f"/instruments/{lab.instrument.pk}/book/", slot)

    assert response.status_code == 422


def test_visitors_are_not_offered_it(lab_pair: tuple[Lab, Any]) -> None:
    lab, _colleague = lab_pair
    lab.book()
    slot = {"start": wall(at(10)), "end": wall(at(13)), "mode": "self"}

    answer = html(browser().post(f"/instruments/{lab.instrument.pk}/check/", slot, headers=HTMX))

    assert "displaces" not in answer


def test_others_than_those_shown_are_not_displaced(lab_pair: tuple[Lab, Any]) -> None:
    lab, colleague = lab_pair
    first, second = lab.book(10, 11), lab.book(11, 12)
    body = wish(lab, purpose="A course", displaces=[first.pk])

    response = browser(colleague).post("/api/v1/bookings", body, content_type="application/json")

    assert response.status_code == 409
    (refusal,) = json.loads(response.content)["errors"]
    assert refusal["code"] == "displaces_changed"
    assert refusal["params"]["displaces"] == [first.pk, second.pk]
    assert Booking.objects.filter(status=Status.CONFIRMED, start__date=DAY).count() == 2
