"""What an institution's accounts take over of a month: documents and movements of money, as vouchers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, OrganisationKind
from backend.core.money import ZERO
from invoices import rules
from invoices.books.entries import Event, Gaps, Movement, Party, Sale, Voucher, digest, voucher_of
from invoices.books.mapping import AccountMapping, read_mapping
from invoices.models import (
    BookKind,
    Charge,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    JournalExport,
    Payment,
    PrepaidEntry,
    SurplusEntry,
    VoucherPayout,
)
from invoices.queries.fapiao import setting_of

CHUNK = 200


def kind_words() -> dict[str, str]:
    return {
        "invoice": _("Invoice"),
        "credit_note": _("Credit note"),
        "payment": _("Payment"),
        "surplus": _("Customer's credit"),
        "prepaid": _("Prepaid account"),
        "payout": _("Voucher payout"),
    }


@dataclass(frozen=True, slots=True)
class Summary:
    """A month at a glance. ``changed``: other entries than in the last export."""

    vouchers: int
    debit: dict[str, Decimal]
    gaps: Gaps
    sha256: str
    exports: list[JournalExport]

    @property
    def last(self) -> JournalExport | None:
        return self.exports[0] if self.exports else None

    @property
    def changed(self) -> bool:
        return self.last is not None and self.last.sha256 != self.sha256


def mapping_of(institution_id: int) -> AccountMapping | None:
    """None until finance has set one up."""
    setting = setting_of(institution_id, BookKind.ACCOUNTS)
    return read_mapping(setting.content) if setting else None


def vouchers_of(institution: Organisation, period: str, mapping: AccountMapping, gaps: Gaps) -> Iterator[Voucher]:
    """In the order in which things were recorded: what comes later gets the later number. What has gaps is left out."""
    number = 0
    for event in events_of(institution, period):
        voucher = voucher_of(event, mapping, gaps)
        if voucher is not None:
            number += 1
            yield replace(voucher, number=number)


def summary_of(institution: Organisation, period: str, mapping: AccountMapping) -> Summary:
    """Goes through the whole month once."""
    gaps, debit, count = Gaps(), dict[str, Decimal](), 0

    def counted() -> Iterator[Voucher]:
        nonlocal count
        for voucher in vouchers_of(institution, period, mapping, gaps):
            count += 1
            currency = voucher.event.currency
            debit[currency] = debit.get(currency, ZERO) + voucher.debit
            yield voucher

    sha256 = digest(counted())
    return Summary(count, debit, gaps, sha256, exports_of(institution, period))


def exports_of(institution: Organisation, period: str) -> list[JournalExport]:
    rows = JournalExport.objects.filter(institution=institution, period=period)
    return list(rows.select_related("exported_by").order_by("-exported_at", "-pk")[:20])


# --- what happened in a month --------------------------------------------------------------------------------------


def events_of(institution: Organisation, period: str) -> Iterator[Event]:
    """By the instant of recording. Documents belong to the month of their date, money to that of its day."""
    days = (rules.first_day(period), rules.last_day(period))
    movements = sorted(_movements(institution, days), key=_order)
    sales = _sales(institution, days)
    move = next(rest := iter(movements), None)
    for sale in sales:
        while move is not None and _order(move) < _order(sale):
            yield move
            move = next(rest, None)
        yield sale
    if move is not None:
        yield move
        yield from rest


def _order(event: Event) -> tuple[datetime, str, int]:
    return (event.at, event.kind, event.key)


def _instants(institution: Organisation, days: tuple[date, date]) -> tuple[datetime, datetime]:
    """Half-open, of the institution's clock."""
    zone = ZoneInfo(institution.timezone)
    return (
        datetime.combine(days[0], time(), zone),
        datetime.combine(days[1] + timedelta(days=1), time(), zone),
    )


def _sales(institution: Organisation, days: tuple[date, date]) -> Iterator[Sale]:
    """Two queries for each chunk of documents."""
    start, end = _instants(institution, days)
    papers = Invoice.objects.filter(institution=institution, issued_at__gte=start, issued_at__lt=end)
    papers = papers.exclude(status=InvoiceStatus.DRAFT).select_related("customer").defer("snapshot")
    chunk: list[Invoice] = []
    for paper in papers.order_by("issued_at", "kind", "pk").iterator(chunk_size=CHUNK):
        chunk.append(paper)
        if len(chunk) == CHUNK:
            yield from _with_lines(institution, chunk)
            chunk = []
    yield from _with_lines(institution, chunk)


def _with_lines(institution: Organisation, papers: Sequence[Invoice]) -> Iterator[Sale]:
    keys = [paper.pk for paper in papers]
    charges = Charge.objects.filter(invoice__in=keys).order_by()
    prepaid = dict(charges.values_list("invoice").annotate(Sum("prepaid")))
    fields = ("code", "name", "charge__subject", "charge__service", "charge__source", "charge__price_list")
    rows = InvoiceLine.objects.filter(invoice__in=keys).order_by("invoice", "position")
    lines: dict[int, list[tuple[dict[str, str], Decimal]]] = {}
    by_id = {paper.pk: paper for paper in papers}
    for pk, amount, code, name, subject, service, source, price_list in rows.values_list(
        "invoice", "amount", *(f"charge_line__{field}" for field in fields)
    ):
        facts = {
            "code": code,
            "name": name,
            "subject": subject,
            "mode": str((service or {}).get("mode", "")),
            "category": str((service or {}).get("category", "")),
            "source": source,
            "price_list": price_list,
            "customer": _customer_kind(institution, by_id[pk].customer),
            "tax": rules.plain_number(by_id[pk].tax_percent) or "0",
        }
        lines.setdefault(pk, []).append((facts, amount))
    for paper in papers:
        paid_ahead = prepaid.get(paper.pk) or ZERO
        assert paper.issued_at is not None  # it is no draft
        yield Sale(
            kind=str(InvoiceKind(paper.kind)),
            at=paper.issued_at,
            key=paper.pk,
            day=rules.day_at(institution, paper.issued_at),
            number=str(paper.number),
            period=paper.period,
            party=_party(paper.customer),
            currency=paper.currency,
            net=paper.net,
            tax=paper.tax,
            total=paper.total,
            prepaid=paid_ahead,
            voucher=paper.settled - paid_ahead,
            lines=lines.get(paper.pk, []),
        )


def _customer_kind(institution: Organisation, customer: Organisation) -> str:
    if customer.pk == institution.pk:
        return "internal"
    return "institution" if customer.kind == OrganisationKind.INSTITUTION else "enterprise"


def _party(customer: Organisation) -> Party:
    return Party(customer.uscc or customer.vat_id or customer.code, customer.name)


def _movements(institution: Organisation, days: tuple[date, date]) -> Iterator[Movement]:
    yield from _payments(Payment.objects.filter(invoice__institution=institution, date__range=days))
    yield from _credits(SurplusEntry.objects.filter(surplus__institution=institution, date__range=days))
    yield from _top_ups(PrepaidEntry.objects.filter(account__institution=institution, date__range=days))
    yield from _payouts(institution, VoucherPayout.objects.filter(institution=institution, paid_on__range=days))


def _payments(rows: QuerySet[Payment]) -> Iterator[Movement]:
    """What came out of the customer's credit moves from there, not from the bank."""
    for row in rows.select_related("invoice__customer").defer("invoice__snapshot"):
        yield Movement(
            "payment", row.recorded_at, row.pk, row.date, str(row.invoice.number), row.invoice.period,
            _party(row.invoice.customer), row.invoice.currency, amount=row.amount,
            debit="surplus" if row.surplus else "bank",
        )  # fmt: skip


def _credits(rows: QuerySet[SurplusEntry]) -> Iterator[Movement]:
    """What mirrors a payment from or to the credit is booked with that; all else comes from the bank or goes there."""
    for row in rows.exclude(payment__surplus=True).select_related("surplus__customer"):
        yield Movement(
            "surplus", row.recorded_at, row.pk, row.date, row.reference, rules.period_of(row.date),
            _party(row.surplus.customer), row.surplus.currency, amount=row.amount, credit="surplus",
        )  # fmt: skip


def _top_ups(rows: QuerySet[PrepaidEntry]) -> Iterator[Movement]:
    """What is charged to the account is booked with the invoice."""
    rows = rows.filter(kind__in=("top_up", "refund", "reversal"))
    for row in rows.select_related("account__customer"):
        yield Movement(
            "prepaid", row.recorded_at, row.pk, row.date, row.reference, rules.period_of(row.date),
            _party(row.account.customer), row.account.currency, amount=row.amount, credit="prepaid",
        )  # fmt: skip


def _payouts(institution: Organisation, rows: QuerySet[VoucherPayout]) -> Iterator[Movement]:
    """What the network pays for vouchers; what is above the amounts covered is the institution's bonus."""
    for row in rows.filter(state="paid").select_related("scheme"):
        covered = row.lines.aggregate(sum=Sum("use__amount"))["sum"] or ZERO
        bonus = max(row.total - covered, ZERO)
        day = row.paid_on or row.created_at.date()
        yield Movement(
            "payout", row.created_at, row.pk, day, row.reference, rules.period_of(day),
            Party("", str(row.scheme)), institution.currency, amount=row.total, credit="voucher",
            other=bonus, other_credit="voucher_bonus",
        )  # fmt: skip


def gap_sentences(gaps: Gaps) -> list[str]:
    """One for each account that is missing."""
    lines = [
        _("No account for “%(name)s” (%(code)s, %(subject)s), %(count)s lines.")
        % {"name": name, "code": code, "subject": subject, "count": count}
        for (code, name, subject), count in sorted(gaps.lines.items())
    ]
    words = role_words()
    return [_("The account for %(what)s is not set.") % {"what": words[role]} for role in sorted(gaps.roles)] + lines


def role_words() -> dict[str, str]:
    return {
        "receivable": _("receivables"),
        "bank": _("the bank"),
        "tax": _("the tax"),
        "prepaid": _("prepaid amounts"),
        "surplus": _("customers' credit"),
        "voucher": _("vouchers to be paid out"),
        "voucher_bonus": _("the bonus for vouchers"),
    }


def flat(vouchers: Iterable[Voucher]) -> Iterator[tuple[Voucher, int]]:
    """Each posting by its index from 1."""
    for voucher in vouchers:
        for index in range(1, len(voucher.postings) + 1):
            yield voucher, index
