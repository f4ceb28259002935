"""Credit notes: exact negatives with a number of their own; what is owed afterwards."""

from __future__ import annotations

import io
import uuid
from decimal import Decimal

import pytest
import time_machine
from django.db import DatabaseError, transaction
from django.db.models import Sum
from django.utils import timezone
from pypdf import PdfReader

from backend.accounts.models import Organisation, Role
from backend.audit.actions import faults
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from backend.outbox.queries.words import render
from invoices import rules
from invoices.actions.charges import SETTLED
from invoices.actions.corrections import correct_charges
from invoices.actions.credits import credit_invoice
from invoices.actions.documents import ensure_pdf
from invoices.models import Charge, ChargeState, Invoice, InvoiceKind, InvoiceStatus
from tests.factories import DAY, make_line, make_member
from tests.invoices.ledger import Ledger, code_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def credit(ledger: Ledger, invoice: Invoice, *, rebill: bool = False, reason: str = "Wrong customer data.") -> Invoice:
    return credit_invoice(invoice=invoice, reason=reason, by=ledger.finance, rebill=rebill)


def correct(charge: Charge, amount: str) -> Charge:
    return correct_charges(
        source=charge.source,
        source_uid=charge.source_uid,
        correction_uid=uuid.uuid4(),
        lines=[make_line(amount)],
        differences=["Corrected."],
        service_date=DAY,
        by_id=None,
    )


def owed() -> Decimal:
    """The whole ledger: what was ever charged, less what was taken back."""
    return Charge.objects.filter(state__in=SETTLED).aggregate(sum=Sum("total"))["sum"] or Decimal("0.00")


def test_a_credit_note_is_the_original_with_the_opposite_sign(ledger: Ledger) -> None:
    invoice = ledger.issued("100.00", "6.00")

    note = credit(ledger, invoice)

    stored, original = Invoice.objects.get(pk=note.pk), Invoice.objects.get(pk=invoice.pk)
    assert (stored.kind, stored.credits, stored.status) == (InvoiceKind.CREDIT_NOTE, original, InvoiceStatus.ISSUED)
    assert stored.number == f"HC-kx-{timezone.localdate().year}-000001"
    assert (stored.net, stored.tax, stored.total) == (-original.net, -original.tax, -original.total)
    assert (stored.due_date, stored.period, stored.reason) == (None, original.period, "Wrong customer data.")
    assert original.status == InvoiceStatus.CREDITED
    assert [line.amount for line in stored.lines.all()] == [Decimal("-100.00"), Decimal("-6.00")]
    assert stored.snapshot["credits"]["number"] == original.number
    assert stored.snapshot["credits"]["sha256"] == original.snapshot_sha256
    assert [line["amount"] for line in stored.snapshot["lines"]] == ["-100.00", "-6.00"]
    assert stored.snapshot["total_in_capitals"] == "人民币负壹佰零陆元整"
    assert rules.digest(stored.snapshot) == stored.snapshot_sha256


def test_the_original_keeps_what_was_printed(ledger: Ledger) -> None:
    invoice = ledger.issued()
    before = Invoice.objects.values("snapshot_sha256", "number", "total", "net").get(pk=invoice.pk)

    credit(ledger, invoice)

    assert Invoice.objects.values("snapshot_sha256", "number", "total", "net").get(pk=invoice.pk) == before


def test_mirrors_take_every_charge_back(ledger: Ledger) -> None:
    first, second = ledger.charge("100.00"), ledger.charge("20.00", "3.00")
    note = credit(ledger, ledger.issue())

    mirrors = list(note.charges.order_by("pk"))

    assert [(mirror.source, mirror.state, mirror.original) for mirror in mirrors] == [
        ("credit", ChargeState.INVOICED, first),
        ("credit", ChargeState.INVOICED, second),
    ]
    assert [mirror.total for mirror in mirrors] == [Decimal("-100.00"), Decimal("-23.00")]
    for mirror in mirrors:
        assert mirror.original is not None
        taken = list(mirror.original.lines.filter(stage="final"))
        assert [(line.corrects, line.amount) for line in mirror.lines.all()] == [(old, -old.amount) for old in taken]
    assert owed() == Decimal("0.00")


def test_without_billing_anew_nothing_is_owed(ledger: Ledger) -> None:
    credit(ledger, ledger.issued())

    with pytest.raises(Refused) as raised:
        ledger.draft()

    assert code_of(raised) == "nothing_to_invoice"


def test_billed_anew_it_is_drafted_with_the_customers_new_data(ledger: Ledger) -> None:
    invoice = ledger.issued("100.00", "6.00")
    credit(ledger, invoice, rebill=True)
    Organisation.objects.filter(pk=ledger.customer.pk).update(name="Right name")

    again = ledger.issue()

    assert (again.total, again.snapshot["customer"]["name"]) == (invoice.total, "Right name")
    assert [line.name for line in again.lines.all()] == [line.name for line in invoice.lines.all()]
    assert owed() == invoice.total


def test_what_was_billed_anew_can_be_credited_and_billed_again(ledger: Ledger) -> None:
    invoice = ledger.issued()
    credit(ledger, invoice, rebill=True)
    second = ledger.issue()

    credit(ledger, second, rebill=True)
    third = ledger.issue()

    assert (third.total, owed()) == (invoice.total, invoice.total)


def test_a_correction_after_a_credit_counts_what_stands(ledger: Ledger) -> None:
    charge = ledger.charge("100.00")
    credit(ledger, ledger.issue(), rebill=True)

    posted = correct(charge, "80.00")

    assert (posted.total, owed()) == (Decimal("-20.00"), Decimal("80.00"))
    assert [line["amount"] for line in ledger.issue().snapshot["lines"]] == ["80.00"]


def test_a_waiting_correction_goes_with_the_invoice_it_corrects(ledger: Ledger) -> None:
    charge = ledger.charge("100.00")
    invoice = ledger.issue()
    first, second = correct(charge, "150.00"), correct(charge, "180.00")

    credit(ledger, invoice)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, owed()) == (ChargeState.RELEASED, ChargeState.RELEASED, Decimal("0.00"))


def test_billed_anew_is_what_was_corrected_meanwhile(ledger: Ledger) -> None:
    charge = ledger.charge("100.00")
    invoice = ledger.issue()
    correct(charge, "150.00")
    ledger.draft()

    credit(ledger, invoice, rebill=True)

    assert (ledger.issue().snapshot["lines"][0]["amount"], owed()) == ("150.00", Decimal("150.00"))


def test_a_later_invoice_that_corrects_this_one_is_credited_first(ledger: Ledger) -> None:
    charge = ledger.charge("100.00")
    first = ledger.issue()
    correct(charge, "150.00")
    second = ledger.issue()

    with pytest.raises(Refused) as raised:
        credit(ledger, first)
    credit(ledger, second)
    after_one = owed()
    credit(ledger, first)

    assert code_of(raised) == "corrected_later"
    assert second.number in str(raised.value.detail)
    assert (after_one, owed()) == (Decimal("100.00"), Decimal("0.00"))


def test_a_correction_that_was_credited_and_billed_anew_corrects_again(ledger: Ledger) -> None:
    charge = ledger.charge("100.00")
    ledger.issue()
    correct(charge, "150.00")

    credit(ledger, ledger.issue(), rebill=True)
    again = ledger.issue()

    assert ([line["amount"] for line in again.snapshot["lines"]], owed()) == (["-100.00", "150.00"], Decimal("150.00"))


def test_what_cannot_be_credited(ledger: Ledger) -> None:
    invoice = ledger.issued()
    ledger.charge()
    draft = ledger.draft()
    note = credit(ledger, invoice)
    codes = []

    for paper in (draft, note, invoice):
        with pytest.raises(Refused) as raised:
            credit(ledger, paper)
        codes.append(code_of(raised))

    assert codes == ["not_issued", "is_credit_note", "already_credited"]
    assert Invoice.objects.filter(kind="credit_note").count() == 1


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_credit_needs_a_reason(ledger: Ledger, reason: str) -> None:
    invoice = ledger.issued()

    with pytest.raises(Invalid) as raised:
        credit(ledger, invoice, reason=reason)

    assert raised.value.refusals[0].field == "reason"


def test_credit_notes_count_by_themselves(ledger: Ledger) -> None:
    first, second = ledger.issued(), ledger.issued()

    with time_machine.travel("2027-03-01T02:00:00Z", tick=False):
        notes = [credit(ledger, invoice) for invoice in (second, first)]

    assert [note.number for note in notes] == ["HC-kx-2027-000001", "HC-kx-2027-000002"]


def test_the_payers_hear_of_it_and_the_chain_holds_it(ledger: Ledger) -> None:
    payer = make_member(ledger.customer, Role.FINANCE)
    invoice = ledger.issued()

    note = credit(ledger, invoice)

    message = Message.objects.get(kind="invoice_credited", channel="mail")
    subject, body = render(message)
    assert (message.recipient, subject) == (payer, f"Credit note {note.number} for invoice {invoice.number}")
    assert "Wrong customer data." in body
    assert f"/invoices/{note.pk}/" in body
    entries = Entry.objects.filter(object_id__in=[str(invoice.uid), str(note.uid)]).order_by("sequence")
    assert [entry.action for entry in entries][-2:] == ["invoice.credit_note_issued", "invoice.credited"]
    assert list(faults(organisation_id=ledger.institution.pk)) == []


def test_the_pdf_names_the_original(ledger: Ledger) -> None:
    invoice = ledger.issued()

    document = ensure_pdf(invoice=credit(ledger, invoice))

    text = " ".join(PdfReader(io.BytesIO(bytes(document.content))).pages[0].extract_text().split())
    for expected in (
        "Credit note",
        "非税务发票",
        invoice.number,
        invoice.snapshot["issue_date"],
        "Wrong customer data.",
        "-100.00",
        "人民币负壹佰元整",
    ):
        assert str(expected) in text
    assert "红冲结算单" in text.replace(" ", "")
    assert "Please pay to" not in text


def test_the_database_knows_what_a_credit_note_is(ledger: Ledger) -> None:
    invoice = ledger.issued()
    note = credit(ledger, invoice)

    for change in ({"reason": "x"}, {"credits": None}, {"kind": "invoice"}, {"total": 1}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Invoice.objects.filter(pk=note.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.create(
            kind="credit_note", credits=None, institution=ledger.institution, customer=ledger.customer,
            period="2026-12", status="issued", number="HC-x",
        )  # fmt: skip
