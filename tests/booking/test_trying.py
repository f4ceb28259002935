"""Try it: what rules that are not saved would say to somebody, and to the bookings that stand; it never writes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.accounts.models import Role
from backend.audit.models import Entry
from booking.actions.policies import save_policy, save_rules
from booking.models import Booking, Policy
from booking.queries.holders import of_institution
from tests.booking.lab import Lab, browser, html, wall
from tests.booking.test_rule_editor import Desk
from tests.conftest import ApiClient
from tests.factories import DAY, at, make_institution, make_manager, make_member

pytestmark = pytest.mark.django_db
SHORT: dict[str, Any] = {"rules": [{"kind": "length", "max": 60}]}


def panel(lab: Lab, start: int = 9, end: int = 11, **fields: Any) -> dict[str, Any]:
    times = {"start": wall(at(start)), "end": wall(at(end))}
    return {"instrument": lab.instrument.pk, "audience": "enterprise", "mode": "self", **times, **fields}


def body(start: int = 9, end: int = 11, **fields: Any) -> dict[str, Any]:
    return {"start": at(start).isoformat(), "end": at(end).isoformat(), "mode": "self", **fields}


def test_a_draft_is_tried_before_anybody_feels_it(lab: Lab) -> None:
    desk = Desk(lab)
    desk.send({**desk.open("new=length"), "r.max": ["60"]})

    page = html(desk.client.post(f"{desk.page}try/", panel(lab)))

    assert "With the changes" in page
    assert "At most 1 hour" in page
    assert page.index("refused") < page.index("As the rules are now") < page.index("confirmed at once")
    assert not Policy.objects.exists()
    assert not Booking.objects.exists()


def test_the_rule_in_the_form_is_tried_as_it_stands(lab: Lab) -> None:
    desk = Desk(lab)
    data = {**desk.open("new=length"), "r.max": ["60"]}

    page = html(desk.client.post(f"{desk.page}try/", {**data, **panel(lab)}))
    wrong = desk.client.post(f"{desk.page}try/", {**data, "r.max": ["much"], **panel(lab)})

    assert "At most 1 hour" in page
    assert wrong.status_code == 422
    assert "This must be a number." in wrong.content.decode()
    assert not desk.client.session.get(f"rules-instrument-{lab.instrument.pk}")


def test_price_approval_and_notices_are_told(lab: Lab) -> None:
    document = {
        "rules": [
            {
                "kind": "require",
                "that": {"audience": "internal"},
                "else": "approve:manager",
                "silence": "consent",
                "at": "start -1d",
            },
            {"kind": "require", "that": {"samples": {"min": 1}}, "else": "notice", "topic": "samples"},
        ]
    }
    desk = Desk(lab, document)

    enterprise = html(desk.client.post(f"{desk.page}try/", panel(lab)))
    inside = html(desk.client.post(f"{desk.page}try/", panel(lab, audience="internal", samples=2)))

    assert "needs approval" in enterprise
    assert "¥200.00" in enterprise
    assert 'class="notice"' in enterprise
    assert "it counts as approved" in enterprise
    assert "confirmed at once" in inside
    assert 'class="notice"' not in inside


def test_a_known_customer_is_tried_by_address(lab: Lab) -> None:
    booking = lab.book(9, 10, day=DAY + timedelta(days=1))
    save_policy(
        instrument=lab.instrument,
        document={"rules": [{"kind": "quota", "over": "week", "max": 1}]},
        by=lab.manager,
        valid_from=date(2026, 1, 1),
    )
    desk = Desk(lab)

    known = html(desk.client.post(f"{desk.page}try/", panel(lab, email=booking.user.email)))
    anybody = html(desk.client.post(f"{desk.page}try/", panel(lab)))
    stranger = desk.client.post(f"{desk.page}try/", panel(lab, email=lab.stranger.email))
    absent = desk.client.post(f"{desk.page}try/", panel(lab, email="nobody@example.com"))

    assert 'data-code="quota"' in known
    assert "confirmed at once" in anybody
    assert (stranger.status_code, absent.status_code) == (422, 422)
    assert "You cannot book for this person." in stranger.content.decode()


def test_standing_bookings_that_would_be_refused_are_counted_and_named(lab: Lab) -> None:
    for days in range(3):
        lab.book(9, 11, day=DAY + timedelta(days=days))
    lab.book(9, 10, day=DAY + timedelta(days=5))
    desk = Desk(lab)
    desk.send({**desk.open("new=length"), "r.max": ["60"]})

    page = html(desk.client.post(f"{desk.page}try/", panel(lab, 13, 14)))
    answer = (
        ApiClient(lab.manager)
        .post_api(f"/instruments/{lab.instrument.pk}/policy/try", body(13, 14, policy=SHORT))
        .json()
    )

    assert "3 of 4 coming bookings would be refused today." in page
    assert answer["bookable"] is True
    assert (answer["touched"]["count"], answer["touched"]["looked_at"]) == (3, 4)
    assert {reason["code"] for each in answer["touched"]["bookings"] for reason in each["reasons"]} == {"too_long"}


def test_a_booking_made_in_time_stays_in_time(lab: Lab) -> None:
    """A standing booking is judged by when it was asked for, not by now."""
    lab.book(9, 10)
    lead = {"rules": [{"kind": "deadline", "latest": "start -72h"}]}
    path = f"/instruments/{lab.instrument.pk}/policy/try"

    answer = ApiClient(lab.manager).post_api(path, body(13, 14, policy=lead)).json()

    made = Booking.objects.get().requested_at
    assert (at(9) - made >= timedelta(hours=72)) is (answer["touched"]["count"] == 0)


def test_page_and_api_say_the_same(lab: Lab) -> None:
    desk = Desk(lab, SHORT)

    page = html(desk.client.post(f"{desk.page}try/", panel(lab)))
    api = ApiClient(lab.manager).post_api(f"/instruments/{lab.instrument.pk}/policy/try", body()).json()

    assert [refusal["code"] for refusal in api["refusals"]] == ["too_long"]
    assert api["before"] is None
    assert api["audience"] == "enterprise"
    assert page.count('data-code="too_long"') == 1


def test_trying_writes_nothing(lab: Lab) -> None:
    rows = (Policy.objects.count(), Booking.objects.count(), Entry.objects.count())

    answer = ApiClient(lab.manager).post_api(f"/instruments/{lab.instrument.pk}/policy/try", body(policy=SHORT))

    assert answer.status_code == 200
    assert answer.json()["before"]["bookable"] is True
    assert (Policy.objects.count(), Booking.objects.count(), Entry.objects.count()) == rows


def test_a_wrong_policy_is_named_by_its_place(lab: Lab) -> None:
    wrong = {"rules": [{"kind": "length", "max": "long"}]}

    answer = ApiClient(lab.manager).post_api(f"/instruments/{lab.instrument.pk}/policy/try", body(policy=wrong))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "rules[0].max"


def test_who_may_try(lab: Lab) -> None:
    path = f"/instruments/{lab.instrument.pk}/policy/try"
    elsewhere = make_manager(make_institution())

    assert ApiClient(lab.engineer).post_api(path, body()).status_code == 403
    assert ApiClient(elsewhere).post_api(path, body()).status_code == 403
    assert ApiClient(lab.manager).post_api("/instruments/999999/policy/try", body()).status_code == 404
    assert (
        browser(lab.engineer).post(f"/manage/instruments/{lab.instrument.pk}/rules/try/", panel(lab)).status_code == 403
    )


def test_a_wider_layer_is_tried_on_one_of_its_instruments(lab: Lab) -> None:
    admin = make_member(lab.institution, Role.ADMIN)
    client = browser(admin)
    page = f"/manage/institutions/{lab.institution.pk}/rules/"
    save_rules(holder=of_institution(lab.institution), document=SHORT, by=admin, valid_from=date(2026, 1, 1))
    client.post(f"{page}change/", {"do": "delete|0"})

    answer = html(client.post(f"{page}try/", panel(lab)))
    foreign = client.post(f"{page}try/", panel(lab, instrument=Lab().instrument.pk))

    assert answer.index("confirmed at once") < answer.index("As the rules are now") < answer.index("At most 1 hour")
    assert foreign.status_code == 422


def test_the_number_of_queries_does_not_grow_with_the_bookings(lab: Lab) -> None:
    document = {"rules": [{"kind": "quota", "over": "week", "max": 3}, {"kind": "quota", "over": "day", "max": 1}]}
    path = f"/instruments/{lab.instrument.pk}/policy/try"
    client = ApiClient(lab.manager)
    client.post_api(path, body(13, 14, policy=document))
    counts = []
    for days in range(5):
        lab.book(9, 10, day=DAY + timedelta(days=days))
        # One look at the bookings of each week that is touched; from the second on nothing is added.
        if days in (1, 4):
            with CaptureQueriesContext(connection) as caught:
                assert client.post_api(path, body(13, 14, policy=document)).status_code == 200
            counts.append(len(caught))

    assert counts[0] == counts[1]
