"""Two uses of one party are verified at the same moment on different instruments: the free hours are given once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import connection

from backend.accounts.models import Agreement
from booking.actions import locks
from booking.actions.using import finish_booking, verify_usage
from instruments.actions.agreed_prices import save_agreed_prices
from invoices.models import Charge
from tests.booking.lab import NOW, Lab
from tests.booking.test_period_prices import FREE, document
from tests.factories import at, make_instrument, make_manager, make_price_list
from tests.parallel import at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]
ROUNDS = 3
AT_ONCE = 4


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW) as traveller:
        yield traveller


def contest(clock: Any) -> Decimal:
    """What four uses of four hours cost together, each on an instrument of its own, verified at once."""
    clock.move_to(NOW)
    lab = Lab()
    agreement = Agreement.objects.create(
        institution=lab.institution, customer=lab.enterprise, number=f"A{lab.institution.pk}",
        valid_from=date(2026, 1, 1),
    )  # fmt: skip
    save_agreed_prices(agreement=agreement, by=lab.manager, document=document(FREE), valid_from=date(2026, 1, 1))
    bookings = []
    for _number in range(AT_ONCE):
        lab.instrument = make_instrument(lab.institution)
        make_price_list(lab.instrument)
        bookings.append(lab.book(9, 13))
    clock.move_to(at(20))
    uses = [
        finish_booking(booking=booking, by=lab.manager, start=booking.start, end=booking.end, by_lab=True)
        for booking in bookings
    ]
    colleagues = [make_manager(lab.institution) for _usage in uses]
    outcome = at_once([partial(verify_usage, usage=usage, by=by) for usage, by in zip(uses, colleagues, strict=True)])
    assert outcome.errors == []
    charges = Charge.objects.filter(institution=lab.institution)
    return sum((charge.total for charge in charges), Decimal(0))


def test_a_free_allowance_is_taken_once(clock: Any) -> None:
    assert [contest(clock) for _round in range(ROUNDS)] == [Decimal("1200.00")] * ROUNDS


def test_negative_control_without_the_lock_it_is_taken_by_several(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one writer in at a time; there is nothing to take away")
    monkeypatch.setattr(locks, "lock_rows", lambda *_args, **_pks: None)

    assert any(contest(clock) < 1200 for _round in range(4 * ROUNDS))
