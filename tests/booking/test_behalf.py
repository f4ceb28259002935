"""Booking for somebody else: an administrator for a colleague, the lab for its customer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Agreement, Role
from backend.audit.models import Entry
from backend.outbox.models import Message
from booking.actions.policies import save_policy
from booking.models import Approval, Booking, Status
from booking.rules.presets import Answers, apply_presets
from tests.booking.lab import HTMX, NOW, TODAY, Lab, browser, html, queries, wall
from tests.conftest import ApiClient
from tests.factories import SIMPLE_PRICES, at, make_enterprise, make_manager, make_member, make_price_list

pytestmark = pytest.mark.django_db

FORM = {"start": wall(at(13)), "end": wall(at(15)), "mode": "self", "purpose": "By phone"}


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def book(lab: Lab, by: Any, **more: Any) -> Any:
    return browser(by).post(f"/instruments/{lab.instrument.pk}/book/", {**FORM, **more}, headers=HTMX)


def api_book(lab: Lab, by: Any, **more: Any) -> Any:
    slot = {"instrument": lab.instrument.pk, "start": at(13).isoformat(), "end": at(15).isoformat(), "mode": "self"}
    return ApiClient(by).post_api("/bookings", {**slot, "purpose": "By phone", **more})


def key(lab: Lab) -> str:
    return f"{lab.enterprise.pk}-{lab.engineer.pk}"


@pytest.mark.parametrize("door", ["page", "api"])
def test_an_administrator_books_for_a_colleague(door: str) -> None:
    lab = Lab()

    if door == "page":
        assert book(lab, lab.boss, party=key(lab)).status_code == 204
    else:
        assert api_book(lab, lab.boss, on_behalf_of=lab.engineer.pk).json()["made_by"]["id"] == lab.boss.pk

    made = Booking.objects.get()
    assert (made.user, made.made_by, made.organisation) == (lab.engineer, lab.boss, lab.enterprise)
    told = set(Message.objects.filter(kind="booking_confirmed").values_list("recipient", flat=True))
    assert told == {lab.engineer.pk, lab.boss.pk}
    assert Message.objects.filter(kind="booking_confirmed").first().context["made_by"] == lab.boss.name  # type: ignore[union-attr]


@pytest.mark.parametrize("door", ["page", "api"])
def test_a_manager_books_for_a_known_customer_who_can_cancel(door: str) -> None:
    lab = Lab()
    lab.book(9, 10)

    if door == "page":
        assert f'value="{key(lab)}"' in html(browser(lab.manager).get(f"/instruments/{lab.instrument.pk}/"))
        assert book(lab, lab.manager, party=key(lab)).status_code == 204
    else:
        assert api_book(lab, lab.manager, on_behalf_of=lab.engineer.pk).status_code == 201

    made = Booking.objects.get(start=at(13))
    assert (made.user, made.made_by, made.organisation, made.audience) == (
        lab.engineer,
        lab.manager,
        lab.enterprise,
        "enterprise",
    )
    client = browser(lab.engineer)
    assert f"booked by {lab.manager}" in html(client.get(f"/bookings/{made.pk}/"))
    assert client.post(f"/bookings/{made.pk}/cancel/", {"version": made.version}).status_code == 302
    made.refresh_from_db()
    assert made.status == Status.CANCELLED


def agree(lab: Lab) -> Agreement:
    """A contract of the enterprise with the lab's institution."""
    parties = {"institution": lab.institution, "customer": lab.enterprise}
    return Agreement.objects.create(**parties, number="C-1", valid_from=date(2026, 1, 1))


def test_the_customers_price_holds_not_the_labs() -> None:
    lab = Lab()
    agree(lab)
    when = {"event": "use", "audience": "internal"}
    cheap = {**SIMPLE_PRICES["rules"][0], "code": "inside", "rate": 10, "when": when}  # type: ignore[index]
    dear = {**SIMPLE_PRICES["rules"][0], "when": {"event": "use", "audience": "enterprise"}}  # type: ignore[index]
    make_price_list(lab.instrument, {**SIMPLE_PRICES, "rules": [cheap, dear]})

    own = book(lab, lab.manager)
    Booking.objects.all()
    other = api_book(
        lab, lab.manager, on_behalf_of_email=lab.engineer.email, start=at(16).isoformat(), end=at(18).isoformat()
    )

    assert own.status_code == 204
    assert Booking.objects.get(start=at(13)).quote["total"] == "20.00"
    assert other.json()["quote"]["total"] == "200.00"


@pytest.mark.parametrize("door", ["page", "api"])
def test_a_manager_books_for_a_stranger_by_exact_address_only(door: str) -> None:
    lab = Lab()
    agree(lab)

    if door == "page":
        listed = html(browser(lab.manager).get(f"/instruments/{lab.instrument.pk}/"))
        assert lab.engineer.email not in listed
        assert key(lab) not in listed
        assert book(lab, lab.manager, party=key(lab)).status_code == 422
        assert "Nobody with this address" in book(lab, lab.manager, party_email="nobody@example.org").content.decode()
        assert book(lab, lab.manager, party_email=lab.engineer.email.upper()).status_code == 204
    else:
        refused = api_book(lab, lab.manager, on_behalf_of=lab.engineer.pk)
        assert [each["field"] for each in refused.json()["errors"]] == ["on_behalf_of"]
        assert api_book(lab, lab.manager, on_behalf_of_email=lab.engineer.email).status_code == 201

    assert Booking.objects.get().user == lab.engineer


def test_who_may_for_nobody_is_refused_the_same_for_known_and_unknown_people() -> None:
    lab = Lab()
    lab.book(9, 10)

    answers = [
        api_book(lab, by, **whom)
        for by in (lab.stranger, lab.engineer, make_manager(make_enterprise()))
        for whom in (
            {"on_behalf_of": lab.boss.pk},
            {"on_behalf_of": 10**6},
            {"on_behalf_of_email": lab.boss.email},
            {"on_behalf_of_email": "nobody@example.org"},
        )
    ]

    assert {(answer.status_code, answer.json()["errors"][0]["code"]) for answer in answers} == {(422, "foreign")}
    assert "for-whom" not in html(browser(lab.engineer).get(f"/instruments/{lab.instrument.pk}/"))


def test_an_agreement_alone_does_not_open_a_companys_list_of_people() -> None:
    lab = Lab()
    Agreement.objects.create(institution=lab.institution, customer=lab.enterprise, number="HT-1", valid_from=TODAY)

    assert str(lab.engineer) not in html(browser(lab.manager).get(f"/instruments/{lab.instrument.pk}/"))


def test_nobody_is_billed_by_a_lab_of_which_they_never_heard() -> None:
    """An exact address is not enough, and the answer does not tell whether it exists."""
    lab = Lab()
    past = agree(lab)
    Agreement.objects.filter(pk=past.pk).update(valid_to=date(2026, 1, 2))

    stranger = api_book(lab, lab.manager, on_behalf_of_email=lab.engineer.email)
    nobody = api_book(lab, lab.manager, on_behalf_of_email="nobody@example.org")

    assert (stranger.status_code, stranger.json()["errors"]) == (422, nobody.json()["errors"])
    assert not Booking.objects.exists()


def test_a_customers_projects_are_not_the_labs_to_use() -> None:
    lab = Lab()
    agree(lab)
    project = lab.enterprise.projects.create(code="P1", name="Secret")

    answer = api_book(lab, lab.manager, on_behalf_of_email=lab.engineer.email, project=project.pk)

    assert [each["field"] for each in answer.json()["errors"]] == ["project"]


def test_somebody_in_several_organisations_is_booked_for_a_named_one() -> None:
    lab = Lab()
    agree(lab)
    second = make_enterprise()
    make_member(second, user=lab.engineer)
    Agreement.objects.create(institution=lab.institution, customer=second, number="C-2", valid_from=date(2026, 1, 1))

    unnamed = api_book(lab, lab.manager, on_behalf_of_email=lab.engineer.email)
    named = api_book(lab, lab.manager, on_behalf_of_email=lab.engineer.email, organisation=second.pk)

    assert unnamed.json()["errors"][0]["code"] == "several"
    assert named.json()["organisation"]["id"] == second.pk


def approvals(lab: Lab, *roles: str) -> None:
    document = apply_presets({}, Answers(approval="external", approvers=roles, lead_hours=24))
    save_policy(instrument=lab.instrument, document=document, by=lab.manager)


def test_what_the_lab_books_for_a_customer_has_the_labs_agreement() -> None:
    lab = Lab()
    agree(lab)
    approvals(lab, "manager")

    slot = {"instrument": lab.instrument.pk, "start": at(13).isoformat(), "end": at(15).isoformat(), "mode": "self"}
    asked = ApiClient(lab.manager).post_api("/bookings/check", {**slot, "on_behalf_of_email": lab.engineer.email})
    made = api_book(lab, lab.manager, on_behalf_of_email=lab.engineer.email).json()

    assert asked.json()["approval"]["needed"] is False
    assert made["status"] == "confirmed"
    agreed = Approval.objects.get()
    assert (agreed.role, agreed.decision, agreed.by) == ("manager", "approved", lab.manager)
    assert Entry.objects.get(action="booking.request").after["agreed"] == ["manager"]


def test_another_role_must_still_agree() -> None:
    lab = Lab()
    agree(lab)
    approvals(lab, "manager", "finance")
    finance = make_member(lab.institution, Role.FINANCE)

    made = api_book(lab, lab.manager, on_behalf_of_email=lab.engineer.email).json()

    assert made["status"] == "requested"
    assert set(Message.objects.filter(kind="booking_requested").values_list("recipient", flat=True)) == {finance.pk}
    assert ApiClient(finance).post_api(f"/bookings/{made['id']}/approve", {}).json()["status"] == "confirmed"


def test_all_other_rules_hold_for_the_lab_too() -> None:
    lab = Lab()
    agree(lab)
    approvals(lab, "manager")
    soon = {"start": at(15, day=TODAY).isoformat(), "end": at(16, day=TODAY).isoformat()}

    answer = api_book(lab, lab.manager, on_behalf_of_email=lab.engineer.email, **soon)

    assert [each["code"] for each in answer.json()["errors"]] == ["too_late"]


def test_a_manager_who_belongs_to_the_customer_does_not_agree_by_asking() -> None:
    lab = Lab()
    approvals(lab, "manager")
    make_member(lab.enterprise, Role.ADMIN, user=lab.manager)

    made = api_book(lab, lab.manager, on_behalf_of=lab.engineer.pk).json()

    assert made["status"] == "requested"
    answer = ApiClient(lab.manager).post_api(f"/bookings/{made['id']}/approve", {})
    assert answer.json()["errors"][0]["code"] == "own_request"


def test_the_live_answer_is_for_the_chosen_person() -> None:
    lab = Lab()
    approvals(lab, "manager")
    lab.book(9, 10)
    client = browser(lab.manager)

    answer = html(client.post(f"/instruments/{lab.instrument.pk}/check/", {**FORM, "party": key(lab)}))

    assert "Submit booking" in answer
    assert "¥200.00" in answer


def test_the_page_needs_as_many_queries_for_one_customer_as_for_thirty() -> None:
    lab = Lab()
    lab.book(8, 9)
    client, path = browser(lab.manager), f"/instruments/{lab.instrument.pk}/"
    one = queries(client, path)
    for number in range(10):
        lab.book(9 + number, 10 + number, user=make_member(lab.enterprise))

    assert queries(client, path) == one
