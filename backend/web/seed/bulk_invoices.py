"""Statements of some institutions' months: issued, the last ones drafted, all by the ledger's own rules."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db.models import Prefetch
from django.utils import timezone

from backend.accounts.models import Membership, Organisation, Role
from backend.core.money import ZERO
from backend.web.seed.bulk_money import made_uid
from invoices import rules
from invoices.actions.papers import printed_line
from invoices.models import (
    Charge,
    ChargeLine,
    ChargeState,
    Counter,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Stage,
    TaxRate,
)

# One institution of so many writes statements.
WRITING = 4
# On this day of the next month.
ISSUE_DAY, ISSUE_HOUR = 5, 10
RATE = {"name": "研发和技术服务", "code": "3040105000000000000", "percent": Decimal("6.00"), "included": True}


def make_invoices(hosts: Sequence[Organisation], rng: random.Random) -> int:
    if not TaxRate.objects.filter(institution=None).exists():
        TaxRate.objects.create(**RATE, valid_from=date(2020, 1, 1))
    finance = Membership.objects.filter(organisation__in=hosts, role=Role.FINANCE).order_by("-pk")
    by = dict(finance.values_list("organisation_id", "user_id"))
    writing = [host for host in hosts[::WRITING] if host.pk in by]
    return sum(_make_for(host, by[host.pk], rng) for host in writing)


def _make_for(host: Organisation, by: int, rng: random.Random) -> int:
    """Every month before the last one is issued, most of the last one is a draft; this month stays open."""
    last = rules.neighbour(rules.period_of(rules.day_at(host, timezone.now())), -1)
    numbers: defaultdict[int, int] = defaultdict(int)
    invoices, lines, standing = [], [], []
    for (period, _customer), group in groupby(_billable(host, last), key=_document):
        charges = list(group)
        if period == last and not rng.randrange(3):
            continue
        printed = [line for charge in charges for line in charge.printed]  # type: ignore[attr-defined]
        invoice = _draft(host, period, charges[0], by, rng)
        if period != last:
            _issue(invoice, printed, numbers)
            lines += [printed_line(invoice, position, line) for position, line in enumerate(printed, 1)]
        invoices.append(invoice)
        standing.append([charge.pk for charge in charges])
    Invoice.objects.bulk_create(invoices)
    InvoiceLine.objects.bulk_create(lines)
    for invoice, pks in zip(invoices, standing, strict=True):
        state = ChargeState.FINAL if invoice.status == InvoiceStatus.DRAFT else ChargeState.INVOICED
        Charge.objects.filter(pk__in=pks).update(invoice=invoice, state=state)
    Counter.objects.bulk_create(
        Counter(institution=host, series=Invoice().series, year=year, last=number) for year, number in numbers.items()
    )
    return len(invoices)


def _billable(host: Organisation, last: str) -> list[Charge]:
    """By document, each charge with the lines that it prints."""
    rows = Charge.objects.billable().filter(institution=host, service_date__lte=rules.last_day(last))
    lines = Prefetch("lines", ChargeLine.objects.filter(stage=Stage.FINAL).order_by("position"), to_attr="printed")
    fetched = rows.select_related("customer", "user", "project").prefetch_related(lines)
    return sorted(fetched, key=lambda row: (*_document(row), row.service_date, row.pk))


def _document(row: Charge) -> tuple[str, int]:
    return rules.period_of(row.service_date), row.customer_id


def _draft(host: Organisation, period: str, charge: Charge, by: int, rng: random.Random) -> Invoice:
    return Invoice(
        uid=made_uid(rng),
        institution=host,
        customer=charge.customer,
        period=period,
        currency=charge.currency,
        created_by_id=by,
    )


def _issue(invoice: Invoice, printed: Sequence[ChargeLine], numbers: dict[int, int]) -> None:
    """Early in the next month, with the next number of that year."""
    day = rules.first_day(rules.neighbour(invoice.period, 1)) + timedelta(days=ISSUE_DAY - 1)
    rate = _rate(day)
    numbers[day.year] += 1
    invoice.year, invoice.sequence = day.year, numbers[day.year]
    invoice.number = rules.invoice_number(invoice.series, invoice.institution.code, invoice.year, invoice.sequence)
    snapshot = rules.make_snapshot(invoice, printed, rate, day)
    invoice.tax_percent = rate.percent if rate else ZERO
    invoice.net, invoice.tax, invoice.total = (Decimal(snapshot[key]) for key in ("net", "tax_amount", "total"))
    invoice.snapshot, invoice.snapshot_sha256 = snapshot, rules.digest(snapshot)
    invoice.issued_at = datetime.combine(day, time(ISSUE_HOUR), ZoneInfo(invoice.institution.timezone))
    invoice.issued_by_id, invoice.due_date = invoice.created_by_id, rules.due_date(day)
    invoice.status = InvoiceStatus.ISSUED


def _rate(day: date) -> TaxRate | None:
    """The network's; these institutions have none of their own."""
    return TaxRate.objects.filter(institution=None, valid_from__lte=day).order_by("-valid_from").first()
