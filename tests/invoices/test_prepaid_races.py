"""Many who spend one prepaid account at once, each on a thread with a connection of its own."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from backend.accounts.models import Project, Role
from backend.audit.actions import faults
from booking.actions.requesting import request_booking
from booking.models import Booking
from instruments.models import Instrument
from invoices.actions import holding
from invoices.actions.budgets import set_budget
from invoices.actions.charges import reserve_charges
from invoices.actions.prepaid import open_account, refund, set_prepaid_terms, top_up
from invoices.models import Charge, PrepaidAccount, PrepaidKind
from invoices.queries.means import Hold
from tests.booking.lab import Lab
from tests.factories import DAY, at, make_instrument, make_line, make_member, make_price_list
from tests.parallel import at_once

pytestmark = [pytest.mark.parallel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]


def prepaid_lab(funds: str, instruments: int) -> tuple[Lab, PrepaidAccount, list[Instrument]]:
    lab = Lab()
    finance = make_member(lab.institution, Role.FINANCE)
    set_prepaid_terms(institution=lab.institution, instrument=None, kind=PrepaidKind.FULL, by=finance)
    account = open_account(institution=lab.institution, customer=lab.enterprise, by=finance)
    top_up(account=account, amount=Decimal(funds), date=timezone.localdate(), reference="T", by=finance)
    lab.institution.refresh_from_db()
    rows = [make_instrument(lab.institution) for _ in range(instruments)]
    for row in rows:
        make_price_list(row)
    return lab, account, rows


def book(lab: Lab, instrument: Instrument, project: Project | None = None) -> Booking:
    return request_booking(
        by=lab.engineer,
        user=lab.engineer,
        organisation=lab.enterprise,
        instrument=instrument,
        start=at(9),
        end=at(10),
        mode="self",
        purpose="x",
        project=project,
    )


def sums(account: PrepaidAccount) -> tuple[Decimal, Decimal]:
    account.refresh_from_db()
    entries = account.entries.aggregate(balance=Sum("amount"), frozen=Sum("held"))
    assert (account.balance, account.frozen) == (entries["balance"], entries["frozen"])
    return account.balance, account.frozen


def test_fifty_bookings_at_once_never_freeze_more_than_there_is() -> None:
    lab, account, instruments = prepaid_lab("1050.00", 50)

    outcome = at_once([partial(book, lab, each) for each in instruments], timeout=120)

    assert (len(outcome.results), outcome.error_counts()) == (10, {"Refused": 40})
    assert {error.refusals[0].code for error in outcome.errors} == {"balance_too_low"}  # type: ignore[attr-defined]
    assert sums(account) == (Decimal("1050.00"), Decimal("1000.00"))
    assert Booking.objects.count() == Charge.objects.filter(frozen=Decimal(100)).count() == 10
    assert list(faults()) == []


def test_bookings_and_refunds_together_leave_nothing_below_zero() -> None:
    lab, account, instruments = prepaid_lab("500.00", 8)
    finance = make_member(lab.institution, Role.FINANCE)
    pay_back = [
        partial(refund, account=account, amount=Decimal(100), date=timezone.localdate(), reference=f"R{n}", by=finance)
        for n in range(8)
    ]

    outcome = at_once([*(partial(book, lab, each) for each in instruments), *pay_back])

    assert (len(outcome.results), outcome.error_counts()) == (5, {"Refused": 11})
    balance, frozen = sums(account)
    assert balance == frozen


def freeze_blindly(lab: Lab, account: PrepaidAccount) -> Charge:
    return reserve_charges(
        source="test",
        source_uid=uuid.uuid4(),
        institution_id=lab.institution.pk,
        customer_id=lab.enterprise.pk,
        project_id=None,
        user_id=lab.engineer.pk,
        subject="x",
        service_date=DAY,
        price_list="",
        currency="CNY",
        lines=[make_line("60.00")],
        hold=Hold(Decimal(60), "CNY", account.pk, Decimal(100)),
    )


@pytest.fixture
def without_lock(monkeypatch: pytest.MonkeyPatch) -> threading.local:
    """Who would lock gets what they had read before."""
    memory = threading.local()
    monkeypatch.setattr(holding, "lock_account", lambda _pk: memory.account)
    return memory


def race(lab: Lab, account: PrepaidAccount, memory: threading.local, before: str = "") -> dict[str, int]:
    all_have_read = threading.Barrier(4)

    def one() -> Charge:
        if before:
            with connection.cursor() as cursor:
                cursor.execute(before)
        memory.account = PrepaidAccount.objects.select_related("institution", "customer").get(pk=account.pk)
        all_have_read.wait(30)
        return freeze_blindly(lab, account)

    outcome = at_once([one] * 4)
    return {"done": len(outcome.results), **outcome.error_counts()}


def test_the_lock_lets_one_freeze_and_tells_the_others() -> None:
    lab, account, _none = prepaid_lab("100.00", 0)

    outcome = at_once([partial(freeze_blindly, lab, account)] * 4)

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 3})


def test_without_the_lock_the_database_still_refuses(without_lock: threading.local) -> None:
    lab, account, _none = prepaid_lab("100.00", 0)

    assert race(lab, account, without_lock) == {"done": 1, "IntegrityError": 3}
    assert sums(account) == (Decimal(100), Decimal(60))


@pytest.fixture
def unchecked() -> Iterator[str]:
    """The check constraint is off; what a connection of SQLite must be told for that."""
    if connection.vendor == "sqlite":
        yield "PRAGMA ignore_check_constraints = ON"
        return
    table, name = "invoices_prepaidaccount", "prepaid_never_below_zero"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        yield ""
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET frozen = 0")
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (frozen >= 0 AND balance >= frozen)")


def test_without_lock_and_check_more_is_frozen_than_there_is(without_lock: threading.local, unchecked: str) -> None:
    """The negative control: the tests above would fail."""
    lab, account, _none = prepaid_lab("100.00", 0)

    assert race(lab, account, without_lock, unchecked) == {"done": 4}
    assert sums(account) == (Decimal(100), Decimal(240))


def test_a_budget_that_stops_is_never_exceeded() -> None:
    lab, _account, instruments = prepaid_lab("9000.00", 20)
    project = lab.enterprise.projects.create(code="P1", name="Alloys")
    set_budget(project=project, amount=Decimal(550), period="year", warn_percent=80, stop=True, by=lab.boss)
    lab.enterprise.refresh_from_db()

    outcome = at_once([partial(book, lab, each, project) for each in instruments])

    assert (len(outcome.results), outcome.error_counts()) == (5, {"Refused": 15})
    assert Charge.objects.filter(project=project).aggregate(sum=Sum("total"))["sum"] == Decimal(500)


def test_without_the_project_s_lock_the_budget_is_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control; on SQLite only one writes at a time whoever locks."""
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time")
    from booking.actions import locks  # only the control needs it

    lab, _account, instruments = prepaid_lab("9000.00", 20)
    project = lab.enterprise.projects.create(code="P1", name="Alloys")
    set_budget(project=project, amount=Decimal(550), period="year", warn_percent=80, stop=True, by=lab.boss)
    lab.enterprise.refresh_from_db()
    monkeypatch.setattr(locks, "lock_rows", lambda _wanted, **_pks: None)

    at_once([partial(book, lab, each, project) for each in instruments])

    assert (Charge.objects.filter(project=project).aggregate(sum=Sum("total"))["sum"] or 0) > Decimal(550)
