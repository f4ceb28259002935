"""What is offered instead of a time that is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from backend.accounts.models import Organisation
from booking.actions.policies import save_policy
from booking.queries.alternatives import Other, explained, others
from booking.queries.assess import assess
from booking.queries.wishes import Wish
from instruments.models import Condition, Instrument, Sharing, Technique
from tests.booking.lab import Lab
from tests.conftest import ApiClient
from tests.factories import SIMPLE_PRICES, at, make_institution, make_instrument, make_price_list

pytestmark = pytest.mark.django_db


@pytest.fixture
def sem(lab: Lab) -> Technique:
    technique = Technique.objects.create(key="sem", name="SEM")
    lab.instrument.techniques.add(technique)
    return technique


def equivalent(
    technique: Technique, *, institution: Organisation | None = None, rate: int = 100, **more: Any
) -> Instrument:
    instrument = make_instrument(institution or make_institution(), **more)
    instrument.techniques.add(technique)
    prices = {**SIMPLE_PRICES, "rules": [{**SIMPLE_PRICES["rules"][0], "rate": rate}]}  # type: ignore[index]
    make_price_list(instrument, prices)
    return instrument


def offered(lab: Lab, start: int = 9, **more: Any) -> list[Other]:
    wish = Wish(lab.instrument, at(start), at(start + 2), "self", lab.enterprise, lab.engineer, **more)
    return others(wish, now=timezone.now())


def test_the_same_technique_elsewhere_comes_first_at_the_wanted_time_with_its_price(lab: Lab, sem: Technique) -> None:
    lab.book(9, 11)
    there = equivalent(sem, rate=80)

    found = offered(lab)

    assert (found[0].wish.instrument, found[0].wish.start, str(found[0].answer.quote.total)) == (there, at(9), "160.00")
    assert [each.wish.instrument for each in found[1:]] == [lab.instrument] * 3
    assert [each.wish.start for each in found[1:]] == sorted(
        (each.wish.start for each in found[1:]), key=lambda start: abs(start - at(9))
    )


def test_at_most_five_and_the_nearest_region_before_others(lab: Lab, sem: Technique) -> None:
    lab.enterprise.region = "Hohhot"
    lab.enterprise.save()
    lab.instrument.region = "Baotou"
    lab.instrument.save()
    lab.book(9, 11)
    far = equivalent(sem, region="Ordos")
    instruments_region = equivalent(sem, region="Baotou")
    own_region = equivalent(sem, region="Hohhot")
    same_house = equivalent(sem, institution=lab.institution, region="Ordos")

    found = offered(lab)

    assert len(found) == 5
    assert [each.wish.instrument for each in found if each.wish.start == at(9)] == [same_house, own_region]
    assert not {far, instruments_region} & {each.wish.instrument for each in found}


@pytest.mark.parametrize(
    "fields",
    [
        {"sharing": Sharing.INTERNAL},
        {"sharing": Sharing.NONE},
        {"mode_self": False},
        {"condition": Condition.REPAIR},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_this_person_cannot_use_is_not_offered(lab: Lab, sem: Technique, fields: dict[str, Any]) -> None:
    lab.book(9, 11)
    equivalent(sem, **fields)

    assert {each.wish.instrument for each in offered(lab)} == {lab.instrument}


def test_without_a_price_or_a_technique_in_common_nothing_is_offered(lab: Lab, sem: Technique) -> None:
    lab.book(9, 11)
    make_instrument().techniques.add(sem)
    equivalent(Technique.objects.create(key="xrd", name="XRD"))

    assert {each.wish.instrument for each in offered(lab)} == {lab.instrument}


def test_the_rules_there_are_asked_in_full(lab: Lab, sem: Technique) -> None:
    lab.book(9, 11)
    there = equivalent(sem)
    document = {"rules": [{"id": "short", "kind": "length", "max": 60}]}
    save_policy(instrument=there, document=document, by=lab.manager, valid_from=date(2026, 1, 1))

    assert there not in {each.wish.instrument for each in offered(lab)}


def test_where_it_is_taken_there_too_its_nearest_time_is_offered(lab: Lab, sem: Technique) -> None:
    lab.book(9, 11)
    there = equivalent(sem)
    other = Lab.__new__(Lab)
    other.__dict__ = {**lab.__dict__, "instrument": there}
    other.book(9, 12)

    found = {each.wish.instrument: each.wish.start for each in reversed(offered(lab)) if each.wish.instrument == there}

    assert found == {there: at(12)}


def test_a_time_that_a_rule_refuses_leads_to_the_nearest_half_hour(lab: Lab) -> None:
    document = {"rules": [{"id": "grid", "kind": "slots", "step": 30}]}
    save_policy(instrument=lab.instrument, document=document, by=lab.manager, valid_from=date(2026, 1, 1))
    wish = Wish(lab.instrument, at(9, 10), at(10, 10), "self", lab.enterprise, lab.engineer)
    answer = assess(wish, now=timezone.now())

    kept, found = explained(answer, wish, now=timezone.now())

    assert [refusal.code for refusal in answer.refusals] == ["start_grid"]
    assert found[0].wish.start == at(9)
    assert all(refusal.fix is None or refusal.fix > timezone.now() for refusal in kept.refusals)


def test_the_check_names_the_house_and_the_currency(lab: Lab, sem: Technique) -> None:
    lab.book(9, 11)
    there = equivalent(sem)
    body = {"instrument": lab.instrument.pk, "start": at(9).isoformat(), "end": at(11).isoformat(), "mode": "self"}

    answer = ApiClient(lab.engineer).post_api("/bookings/check", body).json()

    assert answer["alternatives"][0] == {
        "instrument": there.pk,
        "name": there.name,
        "institution": there.institution.name,
        "start": "2026-12-01T09:00:00+08:00",
        "end": "2026-12-01T11:00:00+08:00",
        "total": "200.00",
        "currency": "CNY",
    }
