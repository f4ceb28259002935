"""Deciding reads and locks the same whatever the number of rules and of candidates."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.accounts.models import Group, Project
from booking.actions.policies import save_policy
from booking.actions.requesting import request_booking
from booking.models import Booking
from booking.queries.alternatives import others
from booking.queries.assess import assess
from booking.queries.facts import CountedReads, request_of, rules_in_force
from booking.queries.wishes import Wish
from instruments.models import Technique
from tests.booking.lab import Lab
from tests.factories import at, make_instrument, make_price_list

pytestmark = pytest.mark.django_db

PARTIES = (
    ["person"], ["group"], ["project"], ["organisation"], ["instrument"], [], ["audience"], ["person", "instrument"],
    ["group", "instrument"], ["project", "instrument"], ["organisation", "instrument"], ["person", "mode"],
    ["organisation", "mode"], ["person", "organisation"], ["person", "project"],
)  # fmt: skip
BY_ORGANISATION = '"booking_booking"."organisation_id" = '
OVER = ("day", "week", "month", "7d", "open", "overlap", "near 2h")


def rules(number: int, limit: int = 9) -> dict[str, Any]:
    return {
        "rules": [
            {"id": f"q{place}", "kind": "quota", "per": per, "over": OVER[place % len(OVER)], "max": limit}
            for place, per in enumerate(PARTIES[:number])
        ]
    }


def wish_in(lab: Lab, hour: int) -> Wish:
    group = Group.objects.get_or_create(organisation=lab.enterprise, name="G")[0]
    project = Project.objects.get_or_create(organisation=lab.enterprise, code="P", defaults={"name": "P"})[0]
    return Wish(
        lab.instrument, at(hour), at(hour + 1), "self", lab.enterprise, lab.engineer, project=project, group=group
    )


def request(wish: Wish) -> Booking:
    return request_booking(
        by=wish.user,
        user=wish.user,
        organisation=wish.organisation,
        instrument=wish.instrument,
        start=wish.start,
        end=wish.end,
        mode=wish.mode,
        purpose="x",
        project=wish.project,
        group=wish.group,
    )


def counts(lab: Lab, hour: int) -> tuple[int, int]:
    """Queries of a check and of a booking."""
    wish = wish_in(lab, hour)
    with CaptureQueriesContext(connection) as checked:
        assert assess(wish, now=timezone.now()).bookable
    with CaptureQueriesContext(connection) as booked:
        request(wish)
    return len(checked), len(booked)


def test_fifteen_quotas_need_as_many_queries_as_one(lab: Lab) -> None:
    request(wish_in(lab, 8))
    save_policy(instrument=lab.instrument, document=rules(1), by=lab.manager, valid_from=date(2026, 1, 1))
    one = counts(lab, 10)
    save_policy(instrument=lab.instrument, document=rules(15), by=lab.manager)
    fifteen = counts(lab, 13)

    assert one == fifteen
    assert one[0] <= 8
    # Besides the transaction's own statements, and on PostgreSQL those that lock all parties and number the new rows.
    assert one[1] <= (23 if connection.vendor == "postgresql" else 21)


@pytest.mark.parametrize("place", range(15))
def test_each_of_the_fifteen_counts(lab: Lab, place: int) -> None:
    """So that the same number of queries does not come from rules that read nothing."""
    save_policy(instrument=lab.instrument, document=rules(15), by=lab.manager, valid_from=date(2026, 1, 1))
    request(wish_in(lab, 9))
    limited = rules(15)
    limited["rules"][place]["max"] = 1
    save_policy(instrument=lab.instrument, document=limited, by=lab.manager)

    # “overlap” is asked with a second unit, at the same time.
    lab.instrument.units = 2
    lab.instrument.save()
    over = limited["rules"][place]["over"]
    answer = assess(wish_in(lab, 9 if over == "overlap" else 11), now=timezone.now())

    assert [refusal.code for refusal in answer.refusals] == ["quota"]


def counted(lab: Lab, document: dict[str, Any], now: datetime) -> tuple[list[int], str]:
    """The bookings that a wish for tomorrow's nine o'clock looks at, and the query that found them."""
    save_policy(instrument=lab.instrument, document=document, by=lab.manager)
    reads = CountedReads()
    book = rules_in_force([lab.instrument], now)[lab.instrument.pk].book
    reads.add(book, request_of(wish_in(lab, 9 + 24), "enterprise", made=now), "create", now)
    with CaptureQueriesContext(connection) as caught:
        found = [row["id"] for row in reads.rows()]
    return found, "".join(query["sql"] for query in caught.captured_queries)


def test_what_is_over_is_not_read_for_what_is_still_open(lab: Lab) -> None:
    booking = request(wish_in(lab, 9))
    quota = {"rules": [{"kind": "quota", "per": ["organisation"], "over": "open", "max": 1}]}

    assert counted(lab, quota, booking.end - timedelta(minutes=1))[0] == [booking.pk]
    assert counted(lab, quota, booking.end + timedelta(minutes=1))[0] == []
    everything = {"rules": [{**quota["rules"][0], "over": "ever"}]}
    assert counted(lab, everything, booking.end + timedelta(minutes=1))[0] == [booking.pk]


def test_bookings_within_those_of_another_quota_are_not_asked_for_twice(lab: Lab) -> None:
    booking = request(wish_in(lab, 9))
    wide = {"kind": "quota", "per": ["organisation"], "over": "week", "max": 9}
    within = {"kind": "quota", "per": ["organisation", "instrument"], "over": "day", "max": 9}
    beyond = {**within, "over": "year"}

    found, sql = counted(lab, {"rules": [wide, within]}, booking.start)
    both, longer = counted(lab, {"rules": [wide, beyond]}, booking.start)

    assert found == both == [booking.pk]
    assert (sql.count(BY_ORGANISATION), longer.count(BY_ORGANISATION)) == (1, 2)


def test_alternatives_need_as_many_queries_for_many_instruments(lab: Lab) -> None:
    technique = Technique.objects.create(key="sem", name="SEM")
    lab.instrument.techniques.add(technique)

    wish = wish_in(lab, 9)

    def asked() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert others(wish, now=timezone.now())
        return len(caught)

    make_price_list(_like(technique))
    few = asked()
    for _ in range(12):
        make_price_list(_like(technique))

    assert asked() == few <= 14


def _like(technique: Technique) -> Any:
    instrument = make_instrument()
    instrument.techniques.add(technique)
    return instrument
