"""A customer whose agreement has prices of its own pays by these, on every instrument of the institution."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.accounts.models import Agreement, Role, User
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused, Stale
from booking.actions.using import record_usage
from booking.queries.prices import read_price_lists
from booking.queries.wishes import wish_of
from instruments.actions.agreed_prices import save_agreed_prices
from invoices.models import Charge
from tests.booking.lab import NOW, TODAY, Lab, browser, codes
from tests.booking.test_period_prices import FREE, PLAIN, days, document, owed, used, verify
from tests.factories import DAY, at, make_instrument, make_member, make_price_list

CHEAP = {**PLAIN, "rate": 40}


@pytest.fixture
def clock(db: None) -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def lab(clock: Any) -> Lab:
    return Lab()


def agree(
    lab: Lab, *rules: dict[str, Any], number: str = "A1", since: date = date(2026, 1, 1), **more: Any
) -> Agreement:
    agreement = Agreement.objects.create(
        institution=lab.institution, customer=lab.enterprise, number=number, valid_from=since, **more
    )
    if rules:
        save_agreed_prices(agreement=agreement, by=lab.manager, document=document(*rules), valid_from=since)
    return agreement


def test_the_agreement_goes_before_the_instrument(lab: Lab) -> None:
    agreement = agree(lab, CHEAP)
    booking = lab.book(9, 12)

    assert booking.quote["total"] == "120.00"
    assert booking.price_list is not None
    assert booking.price_list.agreement == agreement


def test_other_customers_pay_what_is_published(lab: Lab) -> None:
    agree(lab, CHEAP)
    other = Lab()
    other.instrument = lab.instrument

    assert other.book(9, 12).quote["total"] == "300.00"


@pytest.mark.parametrize(("until", "total"), [(DAY - timedelta(days=1), "300.00"), (DAY, "120.00"), (None, "120.00")])
def test_it_holds_until_its_last_day(lab: Lab, until: date | None, total: str) -> None:
    agree(lab, CHEAP, valid_to=until)

    assert lab.book(9, 12).quote["total"] == total


def test_an_agreement_without_prices_changes_nothing(lab: Lab) -> None:
    agree(lab)

    assert lab.book(9, 12).quote["total"] == "300.00"


def test_the_version_in_force_at_the_start_applies(lab: Lab) -> None:
    agreement = agree(lab, CHEAP)
    save_agreed_prices(agreement=agreement, by=lab.manager, document=document(PLAIN), valid_from=days(2)[1])

    assert [lab.book(9, 10, day=day).quote["total"] for day in days(2)] == ["40.00", "100.00"]


def test_of_two_agreements_the_newer_applies(lab: Lab) -> None:
    agree(lab, CHEAP)
    agree(lab, {**PLAIN, "rate": 30}, number="A2", since=date(2026, 6, 1))

    assert lab.book(9, 10).quote["total"] == "30.00"


def test_its_scopes_hold_over_all_instruments(lab: Lab, clock: Any) -> None:
    agree(lab, FREE)
    first = lab.book(9, 12)
    lab.instrument = make_instrument(lab.institution)
    make_price_list(lab.instrument)
    second = lab.book(13, 16)

    assert second.quote["total"] == "200.00"
    used(lab, first, clock)
    used(lab, second, clock)
    assert [owed(row) for row in (first, second)] == [Decimal("0.00"), Decimal("200.00")]


def test_a_use_without_booking_is_charged_by_it(lab: Lab, clock: Any) -> None:
    agree(lab, FREE)
    clock.move_to(at(20))
    for number, (start, end) in enumerate([(8, 12), (13, 15)]):
        walk_in = record_usage(
            by=lab.manager, source_ref=f"log-{number}", instrument=lab.instrument, user=lab.engineer,
            organisation=lab.enterprise, start=at(start), end=at(end),
        )  # fmt: skip
        verify(lab, walk_in, clock)

    assert [charge.total for charge in Charge.objects.order_by("pk")] == [Decimal("0.00"), Decimal("200.00")]


def test_only_a_customer_with_prices_of_their_own_costs_a_query_more(lab: Lab) -> None:
    wish = wish_of(lab.book(9, 12))

    def asked() -> int:
        with CaptureQueriesContext(connection) as caught:
            read_price_lists([wish])
        return len(caught)

    without = asked()
    agreement = agree(lab)
    assert asked() == without
    save_agreed_prices(agreement=agreement, by=lab.manager, document=document(CHEAP))
    assert asked() == without + 1


def test_saving_is_on_record_and_counts_versions(lab: Lab) -> None:
    agreement = agree(lab, CHEAP)
    version = save_agreed_prices(agreement=agreement, by=lab.manager, document=document(PLAIN), base=1)

    assert (version.version, version.valid_from, version.currency) == (2, TODAY, "CNY")
    entry = Entry.objects.filter(action="agreement.price_list").latest("pk")
    assert (entry.before, entry.after["version"]) == ({"version": 1}, 2)


def test_nobody_overwrites_what_they_have_not_seen(lab: Lab) -> None:
    agreement = agree(lab, CHEAP)

    with pytest.raises(Stale):
        save_agreed_prices(agreement=agreement, by=lab.manager, document=document(PLAIN), base=0)


def test_a_later_version_begins_today_at_the_earliest(lab: Lab) -> None:
    agreement = agree(lab, CHEAP)

    with pytest.raises(Refused) as caught:
        save_agreed_prices(
            agreement=agreement, by=lab.manager, document=document(PLAIN), valid_from=TODAY - timedelta(days=1)
        )
    assert codes(caught) == ["in_the_past"]
    save_agreed_prices(agreement=agreement, by=lab.manager, document=document(PLAIN), valid_from=TODAY)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"valid_from": date(2025, 12, 31)}, "valid_from"),
        ({"valid_from": date(2200, 1, 2)}, "valid_from"),
        ({"document": {**document(CHEAP), "currency": "EUR"}}, "currency"),
        ({"document": {"rules": 3}}, "rules"),
    ],
)
def test_what_cannot_be_is_refused(lab: Lab, more: dict[str, Any], field: str) -> None:
    agreement = agree(lab)

    with pytest.raises(Invalid) as caught:
        save_agreed_prices(agreement=agreement, by=lab.manager, **{"document": document(CHEAP), **more})
    assert [refusal.field for refusal in caught.value.refusals] == [field]


def test_an_ended_agreement_gets_no_new_prices(lab: Lab) -> None:
    agreement = agree(lab, valid_to=TODAY - timedelta(days=1))

    with pytest.raises(Refused) as caught:
        save_agreed_prices(agreement=agreement, by=lab.manager, document=document(CHEAP))
    assert codes(caught) == ["agreement_ended"]


def put(user: User, agreement: Agreement, body: dict[str, Any]) -> Any:
    path = f"/api/v1/agreements/{agreement.pk}/price-list"
    return browser(user).put(path, json.dumps(body), content_type="application/json")


def test_the_api_shows_and_replaces_the_prices(lab: Lab) -> None:
    agreement = agree(lab, CHEAP)
    admin = make_member(lab.institution, Role.ADMIN)
    path = f"/api/v1/agreements/{agreement.pk}/price-list"

    assert browser(lab.boss).get(path).json()["rules"][0]["rate"] == 40
    assert browser(lab.stranger).get(path).status_code == 404
    assert put(admin, agreement, document({**PLAIN, "rate": 35})).json()["version"] == 2
    assert browser(admin).get(path).json()["rules"][0]["rate"] == 35
    assert put(lab.boss, agreement, document(PLAIN)).status_code == 403
    assert put(lab.stranger, agreement, document(PLAIN)).status_code == 404
    assert put(admin, agreement, {"rules": [{"code": "a", "kind": "no"}]}).status_code == 422


def test_the_api_says_where_an_agreement_has_no_prices(lab: Lab) -> None:
    response = browser(lab.boss).get(f"/api/v1/agreements/{agree(lab).pk}/price-list")

    assert response.status_code == 404
    assert "no prices of its own" in response.json()["detail"]


def test_the_instrument_page_shows_the_customer_their_own_prices(lab: Lab) -> None:
    agree(lab, CHEAP)
    path = f"/instruments/{lab.instrument.pk}/"

    assert "40.00" in browser(lab.engineer).get(path).content.decode()
    assert "40.00" not in browser(lab.stranger).get(path).content.decode()
