"""What was invoiced, paid and is open: by month, instrument and customer, and by age; constant query counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Case, Count, F, Q, Sum, When
from django.utils import timezone

from backend.accounts.models import Organisation
from backend.core.money import ZERO, add_up
from invoices import rules
from invoices.models import Invoice, InvoiceKind, InvoiceLine, InvoiceQuerySet, InvoiceStatus
from invoices.queries.ageing import band_labels

MOST_MONTHS = 60
# The names of what one can break the figures down by.
BREAKDOWNS = ("month", "instrument", "customer", "age")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Months, both included; the currency of the institution if none is named."""

    first: str = ""
    last: str = ""
    customer: int | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """``number`` counts invoices, for an instrument the lines. Credit notes reduce ``invoiced``.

    ``paid`` and ``open`` are unknown of an instrument, because people pay invoices.
    """

    key: str
    label: str
    number: int
    invoiced: Decimal
    paid: Decimal | None = None
    open: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    institution: Organisation
    first: str
    last: str
    customer: int | None
    currency: str
    currencies: list[str]
    months: list[Figure]
    instruments: list[Figure]
    customers: list[Figure]
    ages: list[Figure]

    def by(self, breakdown: str) -> list[Figure]:
        kinds = (self.months, self.instruments, self.customers, self.ages)
        return dict(zip(BREAKDOWNS, kinds, strict=True))[breakdown]

    @property
    def total(self) -> Figure:
        return total_of(self.months)


def total_of(figures: Iterable[Figure]) -> Figure:
    rows = list(figures)
    paid, opened = (
        add_up(value or ZERO for value in values) for values in ((r.paid for r in rows), (r.open for r in rows))
    )
    return Figure("", "", sum(row.number for row in rows), add_up(row.invoiced for row in rows), paid, opened)


def figures_of(institution: Organisation, wanted: Wanted) -> Figures:
    """Of issued documents by the month that they bill; the last twelve months unless others are named."""
    today = rules.day_at(institution, timezone.now())
    last = wanted.last or rules.period_of(today)
    first = wanted.first or rules.neighbour(last, -11)
    first = max(first, rules.neighbour(last, 1 - MOST_MONTHS))
    currency = wanted.currency or institution.currency
    issued = Invoice.objects.filter(institution=institution).exclude(status=InvoiceStatus.DRAFT)
    currencies = sorted({institution.currency, *issued.order_by().values_list("currency", flat=True).distinct()})
    rows = issued.filter(currency=currency, period__gte=first, period__lte=last)
    if wanted.customer is not None:
        rows = rows.filter(customer=wanted.customer)
    by_month = {figure.key: figure for figure in _figures(rows, "period", "period")}
    return Figures(
        institution=institution,
        first=first,
        last=last,
        customer=wanted.customer,
        currency=currency,
        currencies=currencies,
        months=[by_month.get(month) or Figure(month, month, 0, ZERO, ZERO, ZERO) for month in _months(first, last)],
        instruments=_instruments(rows),
        customers=sorted(_figures(rows, "customer_id", "customer__name"), key=lambda row: (-row.invoiced, row.label)),
        ages=_ages(rows, institution),
    )


def _months(first: str, last: str) -> list[str]:
    out = []
    while first <= last:
        out.append(first)
        first = rules.neighbour(first, 1)
    return out


_OWING = Q(status=InvoiceStatus.ISSUED, kind=InvoiceKind.INVOICE)


def _figures(rows: InvoiceQuerySet, key: str, label: str) -> list[Figure]:
    grouped = rows.with_owed().order_by().values_list(key, label)
    sums = grouped.annotate(
        number=Count("pk", filter=Q(kind=InvoiceKind.INVOICE)),
        invoiced=Sum("total"),
        money=Sum("paid"),
        open=Sum(Case(When(_OWING, then=F("owed")), default=ZERO)),
    )
    return [Figure(str(one), name, number, *map(_two, amounts)) for one, name, number, *amounts in sums]


def _instruments(rows: InvoiceQuerySet) -> list[Figure]:
    """What the lines say, before tax where it is added to them."""
    lines = InvoiceLine.objects.filter(invoice__in=rows.order_by().values("pk")).order_by().values_list("subject")
    sums = lines.annotate(number=Count("pk"), amount=Sum("amount"))
    figures = [Figure(name, name, number, _two(amount)) for name, number, amount in sums]
    return sorted(figures, key=lambda row: (-row.invoiced, row.label))


def _ages(rows: InvoiceQuerySet, institution: Organisation) -> list[Figure]:
    today = rules.day_at(institution, timezone.now())
    bands = [Figure(str(index), label, 0, ZERO, ZERO, ZERO) for index, label in enumerate(band_labels())]
    needed = ("due_date", "total", "paid", "credited", "settled", "status", "kind")
    for invoice in rows.owing().order_by().only(*needed):
        place = rules.age_band(invoice.due_date, today)
        band = bands[place]
        paid, opened = (band.paid or ZERO) + invoice.paid, (band.open or ZERO) + invoice.balance
        bands[place] = Figure(band.key, band.label, band.number + 1, band.invoiced + invoice.total, paid, opened)
    return bands


def _two(amount: Decimal | None) -> Decimal:
    """SQLite forgets decimals when it adds up."""
    return (amount or ZERO).quantize(Decimal("0.01"))
