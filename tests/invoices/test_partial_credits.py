"""Credit notes of chosen lines and parts of lines: exact to the cent, never above the whole, payments become credit."""

from __future__ import annotations

import io
import random
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.db.models import Sum
from django.utils import timezone
from pypdf import PdfReader

from backend.audit.actions import faults
from backend.core.errors import Invalid, Refused
from backend.core.money import add_up
from invoices import credit_rules, rules
from invoices.actions.charges import SETTLED
from invoices.actions.corrections import correct_charges
from invoices.actions.credits import Chosen, credit_invoice
from invoices.actions.documents import ensure_pdf
from invoices.actions.payments import record_payment
from invoices.models import Charge, Invoice, InvoiceLine, InvoiceStatus, Surplus, TaxRate
from invoices.queries.ageing import ageing_of
from invoices.queries.credits import creditable_lines
from invoices.queries.papers import show
from tests.factories import make_line
from tests.invoices.ledger import Ledger, code_of

CENT = Decimal("0.01")


def credit(ledger: Ledger, invoice: Invoice, lines: Chosen | None = None, *, rebill: bool = False) -> Invoice:
    return credit_invoice(invoice=invoice, reason="Wrong", by=ledger.finance, lines=lines, rebill=rebill)


def owed() -> Decimal:
    return add_up(Charge.objects.filter(state__in=SETTLED).values_list("total", flat=True))


@pytest.mark.django_db
def test_a_line_is_credited_and_the_rest_stays_owed() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00", "6.00")

    note = credit(ledger, invoice, [2])

    invoice.refresh_from_db()
    [line] = note.lines.all()
    assert (note.total, line.amount, line.credits) == (
        Decimal("-6.00"),
        Decimal("-6.00"),
        invoice.lines.get(position=2),
    )
    assert line.charge_line.corrects == invoice.lines.get(position=2).charge_line
    assert (invoice.status, invoice.credited, invoice.balance) == ("issued", Decimal("6.00"), Decimal("100.00"))
    assert show([invoice])[0].status == "open"
    assert ageing_of(ledger.institution).rows[0].total == Decimal("100.00")
    assert note.snapshot["credits"]["part"] is True
    assert rules.digest(note.snapshot) == note.snapshot_sha256


@pytest.mark.django_db
def test_parts_of_a_line_add_up_to_it_and_the_ledger_to_zero() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00", "6.00")

    notes = [credit(ledger, invoice, {1: Decimal("33.33")}), credit(ledger, invoice, {1: Decimal("33.33"), 2: None})]
    notes.append(credit(ledger, invoice))

    invoice.refresh_from_db()
    assert (invoice.status, invoice.credited, owed()) == (InvoiceStatus.CREDITED, invoice.total, Decimal("0.00"))
    assert [line["amount"] for line in notes[0].snapshot["lines"]] == ["-33.33"]
    assert [line["amount"] for line in notes[2].snapshot["lines"]] == ["-100.00", "33.33", "33.33"]
    for name in ("net", "tax", "total"):
        assert sum(getattr(note, name) for note in notes) == -getattr(invoice, name)
    first = invoice.lines.get(position=1)
    assert InvoiceLine.objects.filter(credits=first).aggregate(sum=Sum("amount"))["sum"] == -first.amount
    assert list(faults(organisation_id=ledger.institution.pk)) == []
    with pytest.raises(Refused) as raised:
        credit(ledger, invoice)
    assert code_of(raised) == "already_credited"


@pytest.mark.django_db
def test_never_more_than_is_left_of_a_line() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00", "6.00")
    credit(ledger, invoice, {1: Decimal("60.00"), 2: Decimal("6.00")})
    codes = []

    for lines in ({1: Decimal("40.01")}, [2], {2: Decimal("0.01")}):
        with pytest.raises(Refused) as raised:
            credit(ledger, invoice, lines)
        codes.append(code_of(raised))
    credit(ledger, invoice, {1: Decimal("40.00")})

    invoice.refresh_from_db()
    assert codes == ["more_than_left", "line_credited", "line_credited"]
    assert invoice.status == InvoiceStatus.CREDITED


@pytest.mark.django_db
@pytest.mark.parametrize("lines", [[], [3], [0], {1: Decimal(0)}, {1: Decimal("-1.00")}, {1: Decimal("1.001")}])
def test_lines_that_cannot_be_credited(lines: Chosen) -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00", "6.00")

    with pytest.raises(Invalid) as raised:
        credit(ledger, invoice, lines)

    assert raised.value.refusals[0].field == "lines"
    assert Invoice.objects.count() == 1


@pytest.mark.django_db
def test_all_positions_are_the_whole() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00", "6.00")

    note = credit(ledger, invoice, [2, 1])

    invoice.refresh_from_db()
    assert (note.total, invoice.status, "part" in note.snapshot["credits"]) == (-invoice.total, "credited", False)


@pytest.mark.django_db
def test_what_was_paid_beyond_the_rest_becomes_the_customers_credit() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00", "6.00")
    paid = {"date": timezone.localdate(), "reference": "R1", "by": ledger.finance}
    record_payment(invoice=invoice, amount=Decimal("103.00"), **paid)  # type: ignore[arg-type]

    credit(ledger, invoice, [2])
    invoice.refresh_from_db()
    after_part = (invoice.paid, invoice.balance, Surplus.objects.get().amount)
    credit(ledger, invoice)
    invoice.refresh_from_db()

    assert after_part == (Decimal("100.00"), Decimal("0.00"), Decimal("3.00"))
    assert (invoice.paid, invoice.status, Surplus.objects.get().amount) == (Decimal(0), "credited", Decimal("103.00"))
    assert [payment.amount for payment in invoice.payments.order_by("pk")] == [103, -3, -100]


@pytest.mark.django_db
def test_what_is_billed_anew_is_exactly_what_was_credited() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00", "6.00")
    credit(ledger, invoice, {1: Decimal("40.00"), 2: None}, rebill=True)

    again = ledger.issue()

    assert [line["amount"] for line in again.snapshot["lines"]] == ["40.00", "6.00"]
    assert owed() == Decimal("106.00")
    credit(ledger, again)
    credit(ledger, invoice)
    assert owed() == Decimal("0.00")


@pytest.mark.django_db
def test_a_part_waits_for_a_correction_and_a_later_correction_counts_it() -> None:
    ledger = Ledger()
    charge = ledger.charge("100.00", "6.00")
    invoice = ledger.issue()
    credit(ledger, invoice, {1: Decimal("30.00")})
    correct_charges(
        source=charge.source, source_uid=charge.source_uid, correction_uid=charge.uid, lines=[make_line("90.00")],
        differences=[], service_date=charge.service_date, by_id=None,
    )  # fmt: skip

    assert owed() == Decimal("90.00")
    with pytest.raises(Refused) as raised:
        credit(ledger, invoice, [2])
    assert code_of(raised) == "correction_waits"
    second = ledger.issue()
    assert second.total == Decimal("14.00")
    with pytest.raises(Refused) as raised:
        credit(ledger, invoice, [2])
    assert code_of(raised) == "corrected_later"
    credit(ledger, second)
    credit(ledger, invoice)
    assert owed() == Decimal("0.00")


@pytest.mark.django_db
def test_the_database_refuses_more_credit_than_the_invoice() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00")

    for change in (
        {"credited": Decimal("100.01")},
        {"credited": Decimal(60), "paid": Decimal("40.01")},
        {"settled": 1},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            Invoice.objects.filter(pk=invoice.pk).update(**change)
    note = credit(ledger, invoice)
    with pytest.raises(DatabaseError), transaction.atomic():
        note.lines.update(credits=None)


@pytest.mark.django_db
def test_the_pdf_of_a_part_says_that_the_rest_stands() -> None:
    ledger = Ledger()
    note = credit(ledger, ledger.issued("100.00", "6.00"), [2])

    text = "".join(PdfReader(io.BytesIO(bytes(ensure_pdf(invoice=note).content))).pages[0].extract_text().split())

    assert "本单红冲上述结算单的一部分" in text
    assert "-100.00" not in text
    assert "人民币负陆元整" in text


@pytest.mark.django_db
@pytest.mark.parametrize("included", [True, False])
def test_random_parts_net_to_zero(included: bool) -> None:
    dice = random.Random(20261)
    ledger = Ledger()
    TaxRate.objects.update(included=included)
    for _round in range(4):
        invoice = ledger.issued(*(f"{dice.randint(1, 99999) / 100:.2f}" for _ in range(4)))
        while invoice.status != InvoiceStatus.CREDITED:
            left = [line for line in creditable_lines(invoice) if not line.done]
            some = dice.sample(left, dice.randint(1, len(left)))
            cents = {line.row.position: Decimal(dice.randint(1, int(line.left * 100))) * CENT for line in some}
            credit(ledger, invoice, {pk: part if dice.random() < 0.6 else None for pk, part in cents.items()})
            invoice.refresh_from_db()
            assert invoice.balance >= 0
        for name in ("net", "tax", "total"):
            assert sum(getattr(note, name) for note in invoice.credit_notes.all()) == -getattr(invoice, name)
        assert owed() == Decimal("0.00")


def test_the_figures_of_parts_add_up_for_any_partition() -> None:
    dice = random.Random(7)
    for _round in range(2000):
        cents = dice.randint(1, 10**7)
        percent, included = Decimal(dice.choice(["0", "1", "3", "6", "9", "13", "7.5"])), dice.random() < 0.5
        whole = rules.split_tax(Decimal(cents) * CENT, percent, included=included)
        before, sums = 0, [Decimal(0)] * 3
        while before < cents:
            part = dice.randint(1, cents - before)
            split = credit_rules.split_of_part(Decimal(before) * CENT, Decimal(part) * CENT, percent, included=included)
            assert split.net + split.tax == split.total
            sums, before = [a + b for a, b in zip(sums, split, strict=True)], before + part
        assert tuple(sums) == tuple(whole)
