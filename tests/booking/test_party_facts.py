"""Contracts and other facts that rules ask for, and what a booking keeps of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from backend.accounts.models import Agreement
from booking.actions.policies import save_policy
from booking.queries.assess import assess
from booking.queries.wishes import Wish
from tests.booking.lab import Lab
from tests.factories import DAY, at

pytestmark = pytest.mark.django_db

START = date(2026, 1, 1)
AGREED = {"id": "contract", "kind": "require", "that": {"organisation.agreement": True}, "code": "no_contract"}


def agree(lab: Lab, until: date | None, since: date = START, **more: Any) -> Agreement:
    return Agreement.objects.create(
        institution=lab.institution, customer=lab.enterprise, number="1", valid_from=since, valid_to=until, **more
    )


def codes(lab: Lab, hour: int = 9) -> list[str]:
    wish = Wish(lab.instrument, at(hour), at(hour + 1), "self", lab.enterprise, lab.engineer)
    return [refusal.code for refusal in assess(wish, now=timezone.now()).refusals]


@pytest.fixture
def contract(lab: Lab) -> Lab:
    save_policy(instrument=lab.instrument, document={"rules": [AGREED]}, by=lab.manager, valid_from=START)
    return lab


def test_without_a_contract_it_is_refused(contract: Lab) -> None:
    assert codes(contract) == ["no_contract"]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (START, None, []),
        (START, DAY, []),
        (START, date(2026, 11, 30), ["no_contract"]),
        (DAY, None, []),
        (date(2026, 12, 2), None, ["no_contract"]),
    ],
)
def test_the_contract_must_hold_on_the_day_of_the_booking(
    contract: Lab, since: date, until: date | None, expected: list[str]
) -> None:
    agree(contract, until, since)

    assert codes(contract) == expected


def test_a_contract_with_another_institution_is_none(contract: Lab) -> None:
    other = Lab()
    Agreement.objects.create(institution=other.institution, customer=contract.enterprise, number="2", valid_from=START)

    assert codes(contract) == ["no_contract"]


def test_a_moment_may_hang_on_the_last_day(lab: Lab) -> None:
    rule = {"id": "end", "kind": "deadline", "latest": "organisation.agreement_until -8d"}
    save_policy(instrument=lab.instrument, document={"rules": [rule]}, by=lab.manager, valid_from=START)
    agreement = agree(lab, DAY)
    late = codes(lab)
    agreement.valid_to = date(2026, 12, 3)
    agreement.save()

    assert (late, codes(lab)) == (["too_late"], [])


def test_the_booking_keeps_what_rules_name_and_quotas_test_that(lab: Lab) -> None:
    """The contract ends, but what was booked under it still counts as such."""
    quota = {"id": "q", "kind": "quota", "over": "month", "max": 1, "of": {"organisation.agreement": True}}
    save_policy(instrument=lab.instrument, document={"rules": [quota]}, by=lab.manager, valid_from=START)
    uncounted = lab.book(9, 10)
    agreement = agree(lab, None)
    counted = lab.book(11, 12)

    assert (uncounted.facts, counted.facts) == ({"organisation.agreement": False}, {"organisation.agreement": True})
    assert codes(lab, 14) == ["quota"]
    agreement.delete()
    assert codes(lab, 14) == []


def test_rules_that_name_no_facts_keep_none(lab: Lab) -> None:
    assert lab.book(9, 10).facts == {}


def test_an_audience_of_the_contract_decides_as_before(lab: Lab) -> None:
    agree(lab, DAY, audience="partner")

    assert lab.book(9, 10).audience == "partner"
