"""Issuing: number, frozen content, tax, message, fapiao."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from backend.accounts.models import Organisation, Role
from backend.audit.actions import faults
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from backend.outbox.queries.words import render
from invoices import rules
from invoices.actions.charges import finalise_charges
from invoices.actions.invoices import draft_invoice, issue_invoice, write_fapiao_number
from invoices.models import Charge, ChargeState, Counter, Invoice, InvoiceLine, InvoiceStatus, Stage, TaxRate
from invoices.queries.papers import document_of, listed, show
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member
from tests.invoices.ledger import FAPIAO, Ledger, code_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_issuing_freezes_the_document(ledger: Ledger) -> None:
    charge = ledger.charge("106.00")
    with time_machine.travel("2027-01-03T02:00:00Z", tick=False):
        invoice = ledger.issue()

    stored = Invoice.objects.get(pk=invoice.pk)
    charge.refresh_from_db()
    assert (stored.number, stored.status, stored.year, stored.sequence) == ("JS-kx-2027-000001", "issued", 2027, 1)
    assert (stored.net, stored.tax, stored.total) == (Decimal("100.00"), Decimal("6.00"), Decimal("106.00"))
    assert (stored.tax_percent, stored.due_date) == (Decimal("6.00"), date(2027, 2, 2))
    assert (charge.state, charge.invoice) == (ChargeState.INVOICED, stored)
    assert stored.snapshot["institution"]["bank_account"] == "0602"
    assert stored.snapshot["customer"]["uscc"] == "91350100M000100Y43"
    assert stored.snapshot["total_in_capitals"] == "人民币壹佰零陆元整"
    assert stored.snapshot["lines"][0]["why"] == "1 × 106.00 = 106.00"
    assert rules.digest(stored.snapshot) == stored.snapshot_sha256
    [line] = InvoiceLine.objects.filter(invoice=stored)
    assert (line.amount, line.charge_line.stage, line.service_date) == (
        Decimal("106.00"),
        Stage.FINAL,
        date(2026, 12, 1),
    )


def test_the_year_is_that_of_the_institutions_clock(ledger: Ledger) -> None:
    ledger.charge()

    with time_machine.travel("2026-12-31T16:30:00Z", tick=False):
        invoice = ledger.issue()

    assert invoice.number == "JS-kx-2027-000001"


def test_a_draft_is_dated_and_taxed_by_the_institutions_clock(ledger: Ledger) -> None:
    """At 16:30 UTC it is 2027 in Shanghai but not in New York, whatever the site's zone is."""
    TaxRate.objects.create(name="New", percent=Decimal(13), valid_from=date(2027, 1, 1))
    west = make_institution(code="ny", timezone="America/New_York")
    for institution in (ledger.institution, west):
        make_charge(ledger.customer, make_line("113.00"), institution=institution)
        by = make_member(institution, Role.FINANCE)
        draft_invoice(institution_id=institution.pk, customer_id=ledger.customer.pk, period="2026-12", by=by)
    drafts = listed(Invoice.objects.order_by("pk"))

    with time_machine.travel("2026-12-31T16:30:00Z", tick=False), timezone.override("UTC"):
        shown = show(list(drafts))
        papers = [document_of(draft) for draft in drafts]
        issued = [issue_invoice(invoice=draft, by=by) for draft in drafts]

    assert [row.tax for row in shown] == [Decimal("13.00"), Decimal("6.40")]
    assert [paper["issue_date"] for paper in papers] == ["2027-01-01", "2026-12-31"]
    for row, paper, invoice in zip(shown, papers, issued, strict=True):
        assert invoice.tax == row.tax == Decimal(paper["tax_amount"])
        assert invoice.snapshot["issue_date"] == paper["issue_date"]


def test_later_changes_of_the_parties_do_not_show(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()
    name = ledger.customer.name

    Organisation.objects.filter(pk=ledger.customer.pk).update(name="Renamed")

    invoice.refresh_from_db()
    assert invoice.snapshot["customer"]["name"] == name


def test_numbers_are_gapless_per_institution_and_year(ledger: Ledger) -> None:
    other = Ledger.__new__(Ledger)
    other.institution, other.customer = make_institution(code="ot"), ledger.customer
    other.finance = make_member(other.institution, Role.FINANCE)
    numbers = []
    for month, owner in ((10, ledger), (11, other), (11, ledger), (12, ledger)):
        owner.charge(service_date=date(2026, month, 1))
        numbers.append(owner.issue(f"2026-{month}").number)

    year = timezone.localdate().year
    assert numbers == [f"JS-{code}-{year}-{n:06d}" for code, n in (("kx", 1), ("ot", 1), ("kx", 2), ("kx", 3))]


def test_a_rolled_back_issue_leaves_no_gap(ledger: Ledger) -> None:
    ledger.charge()
    draft = ledger.draft()

    class Stop(Exception):
        pass

    with pytest.raises(Stop), transaction.atomic():
        assert issue_invoice(invoice=draft, by=ledger.finance).sequence == 1
        raise Stop

    assert Invoice.objects.get().status == InvoiceStatus.DRAFT
    assert Charge.objects.get().state == ChargeState.FINAL
    assert not Counter.objects.exists()
    assert issue_invoice(invoice=draft, by=ledger.finance).sequence == 1


def test_issuing_twice_is_refused(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()

    with pytest.raises(Refused) as raised:
        issue_invoice(invoice=invoice, by=ledger.finance)

    assert code_of(raised) == "already_issued"
    assert Counter.objects.get().last == 1


def test_only_standing_lines_are_printed(ledger: Ledger) -> None:
    charge = ledger.charge("100.00")
    finalise_charges(
        source=charge.source, source_uid=charge.source_uid, lines=[make_line("90.00")], differences=["Shorter."]
    )

    invoice = ledger.issue()

    assert [line.amount for line in invoice.lines.all()] == [Decimal("90.00")]
    assert invoice.total == Decimal("90.00")


def test_the_institutions_own_rate_goes_before_the_networks(ledger: Ledger) -> None:
    for institution, percent, valid in (
        (ledger.institution, 1, date(2021, 1, 1)),
        (ledger.institution, 3, date(2099, 1, 1)),
        (None, 13, date(2025, 1, 1)),
        (make_institution(), 9, date(2025, 1, 1)),
    ):
        TaxRate.objects.create(
            institution=institution, name="x", percent=percent, valid_from=valid, included=institution is None
        )
    ledger.charge("100.00")

    invoice = ledger.issue()

    assert (invoice.tax_percent, invoice.net, invoice.total) == (Decimal(1), Decimal("100.00"), Decimal("101.00"))


def test_without_a_rate_there_is_no_tax(ledger: Ledger) -> None:
    TaxRate.objects.all().delete()
    ledger.charge("100.00")

    invoice = ledger.issue()

    assert (invoice.net, invoice.tax, invoice.total) == (Decimal("100.00"), Decimal("0.00"), Decimal("100.00"))


def test_the_customers_administrators_hear_of_it_in_their_language(ledger: Ledger) -> None:
    admin = make_member(ledger.customer, Role.ADMIN)
    make_member(ledger.customer)
    ledger.charge("1234.00")

    invoice = ledger.issue()

    messages = Message.objects.filter(kind="invoice_issued")
    assert {message.recipient for message in messages} == {admin}
    subject, body = render(messages[0])
    assert subject == f"Invoice {invoice.number}: ¥1,234.00"
    assert f"/invoices/{invoice.pk}/" in body
    assert ledger.institution.name in body


def test_every_step_is_in_the_chain(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()
    write_fapiao_number(invoice=invoice, number=FAPIAO, by=ledger.finance)

    entries = Entry.objects.filter(organisation=ledger.institution, object_type="invoice").order_by("sequence")

    assert [entry.action for entry in entries] == ["invoice.drafted", "invoice.issued", "invoice.fapiao_noted"]
    assert {entry.actor for entry in entries} == {ledger.finance}
    assert entries[1].after["sha256"] == invoice.snapshot_sha256
    assert list(faults(organisation_id=ledger.institution.pk)) == []


def test_a_fapiao_number_can_be_noted_and_put_right(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()

    write_fapiao_number(invoice=invoice, number=FAPIAO, by=ledger.finance)
    write_fapiao_number(invoice=invoice, number=FAPIAO, by=ledger.finance)
    write_fapiao_number(invoice=invoice, number=FAPIAO[::-1], by=ledger.finance)

    assert Invoice.objects.get().fapiao_number == FAPIAO[::-1]
    assert Entry.objects.filter(action="invoice.fapiao_noted").count() == 2


def test_a_wrong_fapiao_number_is_invalid(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()

    with pytest.raises(Invalid) as raised:
        write_fapiao_number(invoice=invoice, number="123", by=ledger.finance)

    assert raised.value.refusals[0].field == "number"


def test_a_draft_has_no_fapiao(ledger: Ledger) -> None:
    ledger.charge()

    with pytest.raises(Refused) as raised:
        write_fapiao_number(invoice=ledger.draft(), number=FAPIAO, by=ledger.finance)

    assert code_of(raised) == "not_issued"


def test_a_fapiao_has_one_buyer(ledger: Ledger) -> None:
    first, second = ledger.issued(), ledger.issued()
    make_charge(other := make_enterprise(), institution=ledger.institution)
    draft = draft_invoice(
        institution_id=ledger.institution.pk, customer_id=other.pk, period="2026-12", by=ledger.finance
    )
    foreign = issue_invoice(invoice=draft, by=ledger.finance)
    for one in (first, second):  # one tax invoice for several statements
        write_fapiao_number(invoice=one, number=FAPIAO, by=ledger.finance)

    with pytest.raises(Refused) as raised:
        write_fapiao_number(invoice=foreign, number=FAPIAO, by=ledger.finance)

    assert code_of(raised) == "fapiao_of_another"
    foreign.refresh_from_db()
    assert foreign.fapiao_number == ""
