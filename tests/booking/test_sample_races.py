"""Fifty hands on one order, and fifty who want one gap of which some are laboratories with samples: one wins.

The controls run the same without lock, comparison and guards, and the same checks notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import time_machine
from django.test import override_settings

from backend.audit.actions import faults
from booking.actions import ordering, sampling
from booking.actions.ordering import cancel_samples
from booking.actions.requesting import request_booking
from booking.actions.sampling import accept_samples, reject_samples, take_machine_time
from booking.models import Booking, OrderStatus, SampleOrder
from booking.rules.samples import STEPS
from instruments.models import Mode
from invoices.models import Charge, ChargeState
from tests.booking.lab import NOW
from tests.booking.samples import Bench
from tests.booking.test_races import no_occupancy_guards, overlaps
from tests.factories import at, make_manager, make_member
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]

WRITERS = 50
Call = Callable[[], Any]


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW):
        yield


# --- one gap ---------------------------------------------------------------------------------------------------------


def into_the_gap(bench: Bench) -> Outcome:
    """Half take it for samples, half book it."""
    calls: list[Call] = []
    for _ in range(WRITERS // 2):
        order = accept_samples(order=bench.submit(), by=bench.manager)
        calls.append(partial(take_machine_time, order=order, by=bench.manager, start=at(9), end=at(11)))
        user = make_member(bench.enterprise)
        wish = {"organisation": bench.enterprise, "instrument": bench.instrument, "mode": Mode.SELF, "purpose": "Race"}
        calls.append(partial(request_booking, by=user, user=user, start=at(9), end=at(11), **wish))
    return at_once(calls)


def test_samples_and_customers_want_one_gap_and_one_gets_it() -> None:
    bench = Bench()

    outcome = into_the_gap(bench)

    assert len(outcome.results) == 1
    assert outcome.error_counts() == {"Refused": WRITERS - 1}
    assert overlaps(bench) == 0
    assert Booking.objects.count() == 1


def test_negative_control_without_guards_the_gap_is_taken_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_occupancy_guards(monkeypatch):
        bench = Bench()
        outcome = into_the_gap(bench)
        found = overlaps(bench)

    assert len(outcome.results) > 1
    assert found > 0


# --- one order -------------------------------------------------------------------------------------------------------


def decide_at_once(bench: Bench) -> tuple[Outcome, SampleOrder]:
    order = bench.submit()
    managers = [make_manager(bench.institution) for _ in range(WRITERS)]
    calls: list[Call] = []
    for number, manager in enumerate(managers):
        acts: list[Call] = [
            partial(reject_samples, order=order, by=manager, reason="No"),
            partial(cancel_samples, order=order, by=bench.engineer, version=order.version),
        ]
        calls.append(acts[number % 2])
    return at_once(calls), order


def test_fifty_decide_about_one_order_and_one_decision_stands() -> None:
    bench = Bench()

    outcome, order = decide_at_once(bench)

    assert len(outcome.results) == 1
    assert set(outcome.error_counts()) <= {"Refused", "Stale"}
    order.refresh_from_db()
    assert order.version == 2
    assert order.status in (OrderStatus.REJECTED, OrderStatus.CANCELLED)
    assert Charge.objects.get(source_uid=order.uid).state == ChargeState.RELEASED
    assert list(faults()) == []


@contextmanager
def unguarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No lock, no fresh read, no comparison."""

    def stale(order: SampleOrder, *, version: int | None = None) -> SampleOrder:
        return order

    def blind(order: SampleOrder, act: str, *, at: Any, **changes: Any) -> str:
        SampleOrder.objects.filter(pk=order.pk).update(status=STEPS[act][1], changed_at=at, **changes)
        return order.status

    with monkeypatch.context() as patched, override_settings(BOOKING_GUARDS=False):
        for module in (ordering, sampling):
            patched.setattr(module, "lock_order", stale)
            patched.setattr(module, "move_order", blind)
            patched.setattr(module, "require_step", lambda order, act: None)
        yield


def test_negative_control_without_lock_and_comparison_several_decisions_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    with unguarded(monkeypatch):
        outcome, _order = decide_at_once(bench)

    assert len(outcome.results) > 1
