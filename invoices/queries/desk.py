"""The desk of an institution's finance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Count, Max, Min, Q, Sum, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone
from django.utils.translation import get_language

from backend.accounts.models import Organisation
from backend.core.money import ZERO, add_up
from invoices import rules
from invoices.models import (
    Charge,
    ChargeState,
    Invoice,
    InvoiceStatus,
    ShownStatus,
)
from invoices.queries.papers import Shown, listed, show


@dataclass(frozen=True, slots=True)
class ToDraft:
    """What one customer can be invoiced for."""

    customer_id: int
    customer: str
    currency: str
    charges: int
    total: Decimal
    first: date
    last: date


def _customer_name() -> Coalesce:
    """In the reader's language, if the customer has a name in it."""
    names = ("customer__name_en", "customer__name") if get_language() == "en" else ("customer__name",)
    return Coalesce(*(NullIf(name, Value("")) for name in names), Value(""))


def billable(institution_id: int, period: str) -> list[ToDraft]:
    """Billable charges of the month or before, by customer; the largest first. Credits can be below zero."""
    rows = Charge.objects.billable().filter(institution=institution_id, service_date__lte=rules.last_day(period))
    grouped = (
        rows.order_by()
        .values("customer_id", "currency", customer_name=_customer_name())
        .annotate(count=Count("pk"), sum=Sum("total"), first=Min("service_date"), last=Max("service_date"))
    )
    out = [
        ToDraft(r["customer_id"], r["customer_name"], r["currency"], r["count"], r["sum"], r["first"], r["last"])
        for r in grouped
    ]
    return sorted(out, key=lambda row: (-row.total, row.customer))


def to_draft(institution_id: int, period: str) -> list[ToDraft]:
    """What can be drafted: a sum that is not above zero waits for a month in which more is owed."""
    return [row for row in billable(institution_id, period) if row.total > 0]


@dataclass(frozen=True, slots=True)
class Desk:
    """A month of an institution's ledger."""

    institution: Organisation
    period: str
    reserved: int
    to_draft: list[ToDraft]
    waiting: list[ToDraft]
    drafts: list[Shown]
    issued: list[Shown]
    overdue: list[Shown]
    open_count: int
    open_sum: Decimal

    def sum_to_draft(self) -> Decimal:
        return self._sum((row.currency, row.total) for row in self.to_draft)

    def customers_to_draft(self) -> int:
        """Each once, in however many currencies they owe."""
        return len({row.customer_id for row in self.to_draft})

    def sum_drafts(self) -> Decimal:
        return self._sum((row.invoice.currency, row.total) for row in self.drafts)

    def sum_overdue(self) -> Decimal:
        return self._sum((row.invoice.currency, row.balance) for row in self.overdue)

    def sum_paid(self) -> Decimal:
        return self._sum((row.invoice.currency, row.invoice.paid) for row in self.issued)

    def paid_count(self) -> int:
        """Of statements on which something was paid, as `sum_paid` adds up."""
        return sum(row.invoice.paid > 0 for row in self.issued)

    def _sum(self, amounts: Iterable[tuple[str, Decimal]]) -> Decimal:
        """Of the institution's own currency; others are only listed."""
        return add_up(amount for currency, amount in amounts if currency == self.institution.currency)


def month_of(institution: Organisation, period: str, today: date | None = None) -> Desk:
    """The month's issued papers, all drafts, everything overdue; what is open in one figure."""
    day = today or timezone.localdate()
    mine = listed(Invoice.objects.filter(institution=institution))
    owing = Invoice.objects.filter(institution=institution).owing()
    late = Q(pk__in=owing.filter(due_date__lt=day).values("pk"))
    shown = show(list(mine.filter(Q(status=InvoiceStatus.DRAFT) | Q(period=period) | late)), day)
    on_time = owing.exclude(due_date__lt=day).filter(currency=institution.currency).order_by()
    opened = on_time.aggregate(count=Count("pk"), left=Sum("owed"))
    coming = Charge.objects.filter(institution=institution, state=ChargeState.RESERVED)
    waiting = billable(institution.pk, period)
    return Desk(
        institution=institution,
        period=period,
        reserved=coming.filter(service_date__lte=rules.last_day(period)).count(),
        to_draft=[row for row in waiting if row.total > 0],
        waiting=[row for row in waiting if row.total < 0],
        drafts=[row for row in shown if row.status == ShownStatus.DRAFT],
        issued=[row for row in shown if row.status != ShownStatus.DRAFT and row.invoice.period == period],
        overdue=[row for row in shown if row.status == ShownStatus.OVERDUE],
        open_count=opened["count"],
        open_sum=opened["left"] or ZERO,
    )
