"""Runs on many connections at once, and runs whose process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from backend.accounts.models import Organisation, Role, User
from backend.audit.actions import faults
from backend.core import pdf
from backend.core.errors import Refused
from invoices.actions import invoices as actions
from invoices.actions import running
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.actions.running import cancel_run, start_run, work_on_run
from invoices.models import Charge, Invoice, InvoiceLine, InvoiceRun, InvoiceStatus, ItemState, RunState, RunStep
from tests.factories import make_charge, make_enterprise, make_institution, make_member
from tests.parallel import at_once

pytestmark = [pytest.mark.parallel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]

MONTH = "2026-12"
# PostgreSQL has 100 connections: so many people issue at once, each so many invoices.
PEOPLE, EACH = 40, 5


def make_ledger(customers: int) -> tuple[Organisation, User]:
    institution = make_institution(code="kx")
    by = make_member(institution, Role.FINANCE)
    user = make_member(make_enterprise())
    for _ in range(customers):
        make_charge(make_enterprise(), institution=institution, user=user)
    return institution, by


def draft_all(institution: Organisation, by: User) -> list[Invoice]:
    return [
        draft_invoice(institution_id=institution.pk, customer_id=customer, period=MONTH, by=by)
        for customer in Charge.objects.order_by("pk").values_list("customer", flat=True)
    ]


def assert_billed_once(numbers: int) -> None:
    """Numbers 1 to N without a gap, each charge on exactly one issued invoice or still on none."""
    sequences = Invoice.objects.exclude(sequence=None).order_by("sequence").values_list("sequence", flat=True)
    assert list(sequences) == list(range(1, numbers + 1))
    printed = Counter(InvoiceLine.objects.values_list("charge_line__charge", flat=True))
    assert set(printed.values()) <= {1}
    issued = Charge.objects.filter(state="invoiced", invoice__number__isnull=False).values_list("pk", flat=True)
    assert set(issued) == set(printed)
    assert list(faults()) == []


def test_200_issues_at_once_of_which_a_fifth_fails_leave_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    institution, by = make_ledger(PEOPLE * EACH)
    drafts = draft_all(institution, by)
    failing = {draft.pk for draft in drafts[::5]}
    tell = actions._tell_customer

    def fail_for_some(invoice: Invoice) -> None:
        if invoice.pk in failing:
            raise RuntimeError("after the number was given")
        tell(invoice)

    def issue(mine: list[Invoice]) -> int:
        failures = 0
        for draft in mine:
            try:
                issue_invoice(invoice=draft, by=by, with_document=False)
            except RuntimeError:
                failures += 1
        return failures

    monkeypatch.setattr(actions, "_tell_customer", fail_for_some)
    outcome = at_once([partial(issue, drafts[n::PEOPLE]) for n in range(PEOPLE)], timeout=120)

    assert outcome.errors == []
    assert sum(outcome.results) == len(failing) == PEOPLE * EACH // 5
    assert_billed_once(PEOPLE * EACH - len(failing))


def test_two_runs_at_once_are_one() -> None:
    institution, by = make_ledger(4)
    start = partial(start_run, institution=institution, period=MONTH, by=by)

    outcome = at_once([partial(start, step=RunStep.DRAFT)] * 8)

    assert outcome.errors == []
    assert len({run.pk for run in outcome.results}) == InvoiceRun.objects.count() == 1
    # The other step of the same month has to wait.
    with pytest.raises(Refused):
        start(step=RunStep.ISSUE)


def test_without_the_lock_the_database_keeps_it_at_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: what both start when neither has seen the other."""
    institution, by = make_ledger(2)
    start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=by)
    monkeypatch.setattr(InvoiceRun.objects, "filter", lambda **_: InvoiceRun.objects.none())

    outcome = at_once([partial(start_run, institution=institution, period=MONTH, step=RunStep.DRAFT, by=by)])

    assert outcome.error_counts() == {"IntegrityError": 1}


def test_several_workers_on_one_run_do_each_item_once() -> None:
    institution, by = make_ledger(12)
    draft_all(institution, by)
    run = start_run(institution=institution, period=MONTH, step=RunStep.ISSUE, by=by)

    def work() -> None:
        while running._next_item(run.pk):
            pass

    outcome = at_once([work] * 5)

    assert outcome.errors == []
    assert set(run.items.values_list("state", flat=True)) == {ItemState.DONE}
    assert_billed_once(12)


def test_a_run_stopped_while_it_works_is_whole() -> None:
    institution, by = make_ledger(10)
    draft_all(institution, by)
    run = start_run(institution=institution, period=MONTH, step=RunStep.ISSUE, by=by)

    def work() -> None:
        while running._next_item(run.pk):
            pass

    outcome = at_once([work, work, partial(cancel_run, run=run, by=by)])

    assert outcome.errors == []
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert set(run.items.values_list("state", flat=True)) <= {ItemState.DONE, ItemState.SKIPPED}
    assert_billed_once(run.items.filter(state=ItemState.DONE).count())


PROGRAM = """
import os, sys
import django
django.setup()
from invoices.actions import papers, running
from invoices.actions import invoices as actions

run, where, after = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
done = 0

def die():
    os.kill(os.getpid(), 9)

tell = actions._tell_customer
def midway(invoice):  # the number is given, nothing is committed
    tell(invoice)
    if where == "midway" and done == after:
        die()
actions._tell_customer = midway
while running._next_item(run):
    done += 1
    if where == "between" and done == after:
        die()
"""


def killed(run: InvoiceRun, where: str, after: int) -> None:
    """Another process works on the run and is killed."""
    known = connection.settings_dict
    url = f"sqlite:///{known['NAME']}"
    if connection.vendor == "postgresql":
        url = f"postgres://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT']}/{known['NAME']}"
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(run.pk), where, str(after)],
        env={**os.environ, "DATABASE_URL": url},
        cwd=Path(settings.BASE_DIR),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def test_a_run_killed_anywhere_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "render", lambda html: b"%PDF-1.7")
    institution, by = make_ledger(12)
    draft_all(institution, by)
    run = start_run(institution=institution, period=MONTH, step=RunStep.ISSUE, by=by)

    killed(run, "midway", 3)
    assert_billed_once(3)
    killed(run, "between", 2)
    assert_billed_once(5)
    killed(run, "midway", 0)
    assert_billed_once(5)
    work_on_run(run_id=run.pk)

    run.refresh_from_db()
    assert run.state == RunState.DONE
    assert set(run.items.values_list("state", flat=True)) == {ItemState.DONE}
    assert not Invoice.objects.filter(status=InvoiceStatus.DRAFT).exists()
    assert_billed_once(12)
