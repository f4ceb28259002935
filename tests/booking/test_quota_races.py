"""Quotas hold when fifty people of one organisation book different instruments at the same moment."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from booking.actions import locks
from booking.actions.policies import save_policy
from booking.actions.requesting import request_booking
from booking.models import Booking
from instruments.models import OpeningHours
from tests.factories import (
    make_enterprise,
    make_institution,
    make_instrument,
    make_manager,
    make_member,
    make_price_list,
)
from tests.parallel import Outcome, at_once

WRITERS, ALLOWED = 50, 5

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]


def race() -> Outcome:
    institution = make_institution()
    manager, customer = make_manager(institution), make_enterprise()
    quota = {"id": "q", "kind": "quota", "per": ["organisation"], "over": "week", "max": ALLOWED}
    start = (timezone.now() + timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    calls = []
    for _ in range(WRITERS):
        instrument = make_instrument(institution, hours=False, open_on_holidays=True)
        OpeningHours.objects.bulk_create(
            OpeningHours(instrument=instrument, weekday=day, opens="00:00", closes="00:00") for day in range(1, 8)
        )
        make_price_list(instrument)
        save_policy(instrument=instrument, document={"rules": [quota]}, by=manager, valid_from=date(2026, 1, 1))
        user = make_member(customer)
        wanted: dict[str, Any] = {
            "by": user, "user": user, "organisation": customer, "instrument": instrument,
            "start": start, "end": start + timedelta(hours=1), "mode": "self", "purpose": "race",
        }  # fmt: skip
        calls.append(partial(request_booking, **wanted))
    return at_once(calls)


def test_parallel_bookings_never_exceed_the_quota_of_their_organisation() -> None:
    outcome = race()

    assert set(outcome.error_counts()) <= {"Refused", "Busy"}
    assert len(outcome.results) == Booking.objects.count() == ALLOWED
    assert outcome.queued, (outcome.deadlocks, outcome.stall)


def test_negative_control_without_the_lock_the_quota_is_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("On SQLite the write transaction is the lock.")
    monkeypatch.setattr(locks, "lock_rows", lambda *_args, **_pks: None)

    race()

    assert Booking.objects.count() > ALLOWED
