"""Lists ask the database equally often for few and for many rows: every page and endpoint that is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.accounts.models import Project
from booking.models import Booking, Status, Usage, UsageState
from instruments.models import Instrument, Occupancy, OccupancyKind
from tests.bench.pages import Measure, People, measures

FEW = {"organisations": 20, "users": 60, "instruments": 3, "bookings": 60, "seed": 1}
MANY = {"organisations": 20, "users": 200, "instruments": 60, "bookings": 900, "seed": 2}
ANSWERS = (200, 201)


@pytest.mark.no_cover
def test_lists_ask_equally_often_for_few_and_many_rows(db: None) -> None:
    call_command("seed", **FEW, stdout=StringIO())
    _leave_undone(People().lab)
    few = _counts()
    call_command("seed", **MANY, stdout=StringIO())
    for number in range(30):
        Project.objects.create(organisation=People().customer, code=f"P{number}", name="Example")
    _leave_undone(People().lab)
    many = _counts()

    assert Booking.objects.count() > 15 * FEW["bookings"]
    assert Instrument.objects.count() > 20 * FEW["instruments"]
    # What only resembles the words is looked for in further queries, whatever the number of rows.
    alike = {name: count for name, count in few.items() if "searches" not in name}
    assert {name: (count, many[name]) for name, count in alike.items() if count != many[name]} == {}


def _leave_undone(lab: int) -> None:
    """A use that nobody logged and one that nobody verified: a list that is empty saves a query."""
    row = Booking.objects.filter(instrument__institution=lab, occupancy=None).order_by("pk")[0]
    start, end = timezone.now() - timedelta(hours=3), timezone.now() - timedelta(hours=2)
    time = {"instrument_id": row.instrument_id, "start": start, "end": end}
    row.occupancy = Occupancy.objects.create(**time, unit=100, kind=OccupancyKind.BOOKING)
    row.pk, row.uid, row.start, row.end, row.status = None, uuid4(), start, end, Status.CONFIRMED
    row.save(force_insert=True)
    who = {"organisation_id": row.organisation_id, "user_id": row.user_id, "recorded_by_id": row.user_id}
    Usage.objects.create(**time, **who, source_ref=str(row.uid), state=UsageState.SUBMITTED)


def _counts() -> dict[str, int]:
    return {name: _count(name, act) for name, act in (*measures(), *_others(People()))}


def _others(people: People) -> Iterator[Measure]:
    """Lists that are not worth measuring."""

    def get(client: Any, path: str) -> Callable[[], Any]:
        return lambda: client.get(path)

    yield "home", get(people.visitor, "/")
    yield "home of a customer", get(people.admin, "/")
    yield "home of a lab", get(people.manager, "/")
    for path in ("/organisation/", "/organisation/members/", "/organisation/projects/", "/organisation/log/"):
        yield path, get(people.admin, path)
    for path in ("/account/feeds/", "/account/tokens/", "/account/signed-in/"):
        yield path, get(people.admin, path)
    yield "invoices of a customer", get(people.admin, "/invoices/")


def _count(name: str, act: Callable[[], Any]) -> int:
    act()
    with CaptureQueriesContext(connection) as asked:
        answer = act()
    assert answer.status_code in ANSWERS, name
    return len(asked)
