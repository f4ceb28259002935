"""Invoices and credit notes as people see them, and what they print; constant query counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.core.money import ZERO, add_up
from invoices import rules
from invoices.models import (
    Charge,
    ChargeLine,
    Invoice,
    InvoiceQuerySet,
    InvoiceStatus,
    Payment,
    ShownStatus,
    Stage,
    TaxRate,
)
from invoices.queries.billing import with_logo
from invoices.queries.covering import uses_on
from invoices.voucher_rules import voucher_block


@dataclass(frozen=True, slots=True)
class Shown:
    """An invoice as people see it: derived status, and amounts also while it is a draft."""

    invoice: Invoice
    status: str
    net: Decimal
    tax: Decimal
    total: Decimal

    @property
    def status_label(self) -> str:
        return str(ShownStatus(self.status).label)

    @property
    def tone(self) -> str:
        """To the eye, as in docs/frontend.md."""
        tones = {"draft": "wait", "open": "busy", "part_paid": "busy", "paid": "good", "overdue": "bad"}
        return tones.get(self.status, "off")

    @property
    def balance(self) -> Decimal:
        return self.invoice.balance


def show(invoices: Sequence[Invoice], today: date | None = None) -> list[Shown]:
    """At most one query, for the tax rates of drafts: those of the institution's own day, as when it is issued.

    The institution has been fetched, and drafts carry ``charged`` (`InvoiceQuerySet.with_charged`).
    """
    day, now = today or timezone.localdate(), timezone.now()
    drafts = [invoice for invoice in invoices if invoice.status == InvoiceStatus.DRAFT]
    rates = TaxRate.objects.in_force_for({row.institution_id: rules.day_at(row.institution, now) for row in drafts})
    return [_shown(invoice, rates.get(invoice.institution_id), day) for invoice in invoices]


def _shown(invoice: Invoice, rate: TaxRate | None, today: date) -> Shown:
    total = invoice.total if invoice.total < 0 else invoice.payable
    status = rules.status_of(invoice.status, invoice.due_date, today, total=total, paid=invoice.paid)
    if invoice.status != InvoiceStatus.DRAFT:
        return Shown(invoice, status, invoice.net, invoice.tax, invoice.total)
    charged = getattr(invoice, "charged", None) or ZERO
    split = rules.split_tax(charged, rate.percent if rate else ZERO, included=rate.included if rate else True)
    return Shown(invoice, status, *split)


def listed(rows: InvoiceQuerySet) -> InvoiceQuerySet:
    """With all that a row of a list shows; without the snapshot, which is large."""
    rows = rows.with_charged().select_related("institution", "customer", "credits")
    return rows.defer("snapshot", "credits__snapshot")


def printed_lines(invoice: Invoice) -> list[ChargeLine]:
    """The final lines of its charges by date, without those that were taken back on the same document.

    A line that takes back one of an earlier invoice is printed: that is how a correction is billed.
    """
    rows = ChargeLine.objects.filter(charge__invoice=invoice, stage=Stage.FINAL)
    rows = rows.select_related("charge__user", "charge__project", "corrects__charge__invoice")
    rows = rows.defer("corrects__charge__invoice__snapshot")
    lines = list(rows.order_by("charge__service_date", "charge_id", "position"))
    return rules.without_pairs(lines)


def line_counts(charge_ids: Sequence[int]) -> dict[int, int]:
    """How many lines each charge prints, if no other charge on the same document takes any of them back."""
    own_pair = Q(corrects__charge=F("charge")) | Q(corrections__charge=F("charge"))
    rows = ChargeLine.objects.filter(charge__in=charge_ids, stage=Stage.FINAL).exclude(
        Exists(ChargeLine.objects.filter(own_pair, pk=OuterRef("pk")))
    )
    return dict(rows.order_by().values_list("charge_id").annotate(Count("pk")))


def document_of(invoice: Invoice) -> dict[str, Any]:
    """What the document shows; for a draft what it would show if it were issued today."""
    if invoice.status != InvoiceStatus.DRAFT:
        return dict(invoice.snapshot)
    today = rules.day_at(invoice.institution, timezone.now())
    rate = TaxRate.objects.in_force(invoice.institution_id, today)
    made = with_logo(rules.make_snapshot(invoice, printed_lines(invoice), rate, today), invoice.institution_id)
    uses = uses_on(invoice)
    return {**made, "voucher": voucher_block(uses, Decimal(made["total"]))} if uses else made


def payments_of(invoice: Invoice) -> list[Payment]:
    """With what became of each."""
    return list(invoice.payments.select_related("recorded_by", "reverses", "reversal").order_by("date", "pk"))


# --- before a draft is issued --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Review:
    """What finance looks at before issuing: sums by what was used, and what is not as it was quoted."""

    subjects: list[tuple[str, int, Decimal]]
    differing: list[Charge]
    blockers: list[str]


def review(draft: Invoice, snapshot: Mapping[str, Any]) -> Review:
    """Two queries. ``snapshot`` is what `document_of` says; a subject comes with its uses and its sum."""
    charges = list(draft.charges.select_related("user", "original").order_by("service_date", "pk"))
    numbers = Counter(charge.subject for charge in charges)
    sums: dict[str, Decimal] = {}
    for charge in charges:
        sums[charge.subject] = sums.get(charge.subject, ZERO) + charge.total
    blockers = []
    if add_up(sums.values()) <= 0:
        blockers.append(
            _("The sum is not above zero. Delete the draft: its charges wait for the next month and are set off then.")
        )
    if len(snapshot["lines"]) > rules.MAX_LINES:
        blockers.append(_("This has more lines than a document may have. Delete the draft and draft it again."))
    subjects = sorted(((name, numbers[name], total) for name, total in sums.items()), key=lambda row: (-row[2], row[0]))
    return Review(subjects, [charge for charge in charges if charge.differences], blockers)
