"""Contracts of an institution with customers: entered, changed, ended, told of in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine

from backend.accounts.actions import remind_of_ending_agreements
from backend.accounts.models import Agreement, Role
from backend.accounts.own_actions.agreements import change_agreement, create_agreement, end_agreement
from backend.accounts.queries import audience_of
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Channel, Message
from tests.booking.lab import NOW, browser, html
from tests.factories import make_enterprise, make_institution, make_member

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


class Office:
    def __init__(self) -> None:
        self.institution, self.customer = make_institution(), make_enterprise(name="Steel Works")
        self.admin = make_member(self.institution, Role.ADMIN)
        self.buyer = make_member(self.customer, Role.ADMIN)

    def agree(self, **fields: Any) -> Agreement:
        usual = {"customer": self.customer, "number": "A-1", "valid_from": TODAY, "audience": "partner"}
        return create_agreement(institution=self.institution, by=self.admin, **{**usual, **fields})


def test_the_audience_holds_from_the_first_to_the_last_day() -> None:
    office = Office()
    made = office.agree(valid_to=TODAY + timedelta(days=9))

    found = [audience_of(office.customer, office.institution.pk, TODAY + timedelta(days=n)) for n in (-1, 0, 9, 10)]

    assert found == ["enterprise", "partner", "partner", "enterprise"]
    change_agreement(agreement=made, by=office.admin, audience="")
    assert audience_of(office.customer, office.institution.pk, TODAY) == "enterprise"
    actions = list(Entry.objects.filter(object_type="agreement").order_by("pk").values_list("action", flat=True))
    assert actions == ["agreement.create", "agreement.change"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"number": " "}, "required"),
        ({"number": "A-1"}, "taken"),
        ({"valid_to": TODAY - timedelta(days=1)}, "end_before_start"),
    ],
)
def test_an_agreement_makes_sense(fields: dict[str, Any], code: str) -> None:
    office = Office()
    office.agree()

    with pytest.raises(Invalid) as caught:
        office.agree(**{"number": "A-2", **fields})

    assert [one.code for one in caught.value.refusals] == [code]


def test_nobody_agrees_with_themselves() -> None:
    office = Office()

    with pytest.raises(Invalid):
        office.agree(customer=office.institution)


def test_ending_needs_a_reason_and_no_past_day() -> None:
    office = Office()
    made = office.agree()
    for fields in ({"reason": " "}, {"reason": "x", "day": TODAY - timedelta(days=2)}):
        with pytest.raises(Invalid):
            end_agreement(agreement=made, by=office.admin, **fields)

    assert end_agreement(agreement=made, by=office.admin, reason="Unpaid").valid_to == TODAY
    with pytest.raises(Refused):
        end_agreement(agreement=made, by=office.admin, reason="Again")


def test_both_sides_are_told_once_a_month_before_the_end() -> None:
    office = Office()
    office.agree(valid_to=TODAY + timedelta(days=31))
    told = Message.objects.filter(kind="agreement_ending", channel=Channel.IN_APP)

    assert remind_of_ending_agreements(day=TODAY) == 0
    for _ in range(2):
        remind_of_ending_agreements(day=TODAY + timedelta(days=1))

    assert set(told.values_list("recipient", flat=True)) == {office.admin.pk, office.buyer.pk}
    assert told.count() == 2


def test_the_pages_enter_change_and_end_one() -> None:
    office = Office()
    client = browser(office.admin)
    assert "No agreements yet" in html(client.get("/manage/agreements/"))

    values = {"number": "A-7", "valid_from": "2026-11-24", "valid_to": "2026-12-10"}
    assert client.post("/manage/agreements/new/", {**values, "customer": "Nobody"}).status_code == 422
    client.post("/manage/agreements/new/", {**values, "customer": "Steel Works"})
    made = Agreement.objects.get()
    page = html(client.get("/manage/agreements/"))
    assert "1 agreement ends within 30 days." in page
    assert "Steel Works" in page
    assert client.post(f"/manage/agreements/{made.pk}/", {**values, "version": "0"}).status_code == 412
    client.post(f"/manage/agreements/{made.pk}/", {**values, "audience": "partner", "version": "1"})
    assert 'name="version" value="2"' in html(client.get(f"/manage/agreements/{made.pk}/"))
    stale = {"reason": "Moved", "day": "2026-11-30", "version": "1"}
    assert client.post(f"/manage/agreements/{made.pk}/end/", stale).status_code == 412
    client.post(f"/manage/agreements/{made.pk}/end/", {"reason": "Moved", "day": "2026-11-30"})

    made.refresh_from_db()
    assert (made.audience, made.valid_to) == ("partner", date(2026, 11, 30))
    assert browser(office.buyer).get(f"/manage/agreements/{made.pk}/").status_code == 403
    assert "A-7" in html(browser(office.buyer).get("/organisation/"))
