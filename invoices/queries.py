"""Reads of the ledger and its documents, shaped for pages, API and actions; constant query counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Max, Min, Prefetch, Q, Sum
from django.utils import timezone

from backend.accounts.models import Organisation, OrganisationKind, Project, Role
from backend.accounts.queries import Access
from backend.core.errors import Forbidden, NotFound
from backend.core.money import ZERO, add_up
from invoices import rules
from invoices.models import (
    Charge,
    ChargeLine,
    ChargeQuerySet,
    ChargeState,
    Invoice,
    InvoiceQuerySet,
    InvoiceStatus,
    ShownStatus,
    Stage,
    TaxRate,
)

# --- who sees what -------------------------------------------------------------------------------------------------


def finance_of(access: Access) -> list[int]:
    """Institutions whose ledger the person keeps."""
    mine = access.where(Role.FINANCE)
    return [pk for pk in mine if access.organisations[pk].kind == OrganisationKind.INSTITUTION]


# Who reads what the organisation receives. An invoice names everybody's use, so other members do not.
RECEIVERS = (Role.ADMIN, Role.FINANCE)


def may_receive(access: Access, customer_id: int) -> bool:
    return access.has(customer_id, *RECEIVERS)


def visible_invoices(access: Access) -> InvoiceQuerySet:
    """All of one's institution for finance; the issued ones to their organisation for those who `may_receive`."""
    received = Q(customer__in=access.where(*RECEIVERS)) & ~Q(status=InvoiceStatus.DRAFT)
    return Invoice.objects.filter(Q(institution__in=finance_of(access)) | received)


def visible_charges(access: Access) -> ChargeQuerySet:
    """All of one's institution for finance; all of their customer for its administrators; one's own use."""
    customers = access.where(*RECEIVERS)
    own = Q(customer__in=access.where(), user=access.user_id)
    return Charge.objects.filter(Q(institution__in=finance_of(access)) | Q(customer__in=customers) | own)


def get_visible_invoice(access: Access, pk: int) -> Invoice:
    """`NotFound` if it does not exist or is not for the caller's eyes."""
    found = visible_invoices(access).with_charged().select_related("institution", "customer").filter(pk=pk).first()
    if found is None:
        raise NotFound
    return found


def get_managed_invoice(access: Access, pk: int) -> Invoice:
    """For finance; `Forbidden` for those who may only read it, `NotFound` for all others."""
    found = get_visible_invoice(access, pk)
    if found.institution_id not in finance_of(access):
        raise Forbidden
    return found


def get_ledger(access: Access, institution_id: int) -> Organisation:
    """An institution whose ledger the caller keeps; `Forbidden` inside it without the role, else `NotFound`."""
    if institution_id in finance_of(access):
        return access.organisations[institution_id]
    raise Forbidden if access.has(institution_id) else NotFound


def get_charged_customer(institution_id: int, customer_id: int) -> Organisation:
    """A customer that the institution has charged at least once: it may not learn of any other."""
    charged = Charge.objects.filter(institution=institution_id, customer=customer_id)
    found = Organisation.objects.filter(pk__in=charged.values("customer")).first()
    if found is None:
        raise NotFound
    return found


# --- invoices ------------------------------------------------------------------------------------------------------


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
        return {"draft": "wait", "open": "busy", "overdue": "bad"}.get(self.status, "off")


def show(invoices: Sequence[Invoice], today: date | None = None) -> list[Shown]:
    """At most one query, for the tax rates of drafts: those of the institution's own day, as when it is issued.

    The institution has been fetched, and drafts carry ``charged`` (`InvoiceQuerySet.with_charged`).
    """
    day, now = today or timezone.localdate(), timezone.now()
    drafts = [invoice for invoice in invoices if invoice.status == InvoiceStatus.DRAFT]
    rates = TaxRate.objects.in_force_for({row.institution_id: rules.day_at(row.institution, now) for row in drafts})
    return [_shown(invoice, rates.get(invoice.institution_id), day) for invoice in invoices]


def _shown(invoice: Invoice, rate: TaxRate | None, today: date) -> Shown:
    status = rules.status_of(invoice.status, invoice.due_date, today)
    if invoice.status != InvoiceStatus.DRAFT:
        return Shown(invoice, status, invoice.net, invoice.tax, invoice.total)
    charged = getattr(invoice, "charged", None) or ZERO
    split = rules.split_tax(charged, rate.percent if rate else ZERO, included=rate.included if rate else True)
    return Shown(invoice, status, *split)


def invoice_list(rows: InvoiceQuerySet) -> InvoiceQuerySet:
    """With all that a row of a list shows; without the snapshot, which is large."""
    return rows.with_charged().select_related("institution", "customer").defer("snapshot")


def printed_lines(invoice: Invoice) -> list[ChargeLine]:
    """The final lines of its charges that have not been taken back, by date."""
    rows = ChargeLine.objects.filter(charge__invoice=invoice, stage=Stage.FINAL, corrects=None, corrections=None)
    rows = rows.select_related("charge__user", "charge__project")
    return list(rows.order_by("charge__service_date", "charge_id", "position"))


def line_counts(charge_ids: Sequence[int]) -> dict[int, int]:
    """How many lines each charge prints."""
    rows = ChargeLine.objects.filter(charge__in=charge_ids, stage=Stage.FINAL, corrects=None, corrections=None)
    return dict(rows.order_by().values_list("charge_id").annotate(Count("pk")))


def document_of(invoice: Invoice) -> dict[str, Any]:
    """What the document shows; for a draft what it would show if it were issued today."""
    if invoice.status != InvoiceStatus.DRAFT:
        return dict(invoice.snapshot)
    today = rules.day_at(invoice.institution, timezone.now())
    rate = TaxRate.objects.in_force(invoice.institution_id, today)
    return rules.make_snapshot(invoice, printed_lines(invoice), rate, today)


# --- charges -------------------------------------------------------------------------------------------------------


def with_lines(charges: ChargeQuerySet) -> ChargeQuerySet:
    lines = Prefetch("lines", ChargeLine.objects.order_by("stage", "position"))
    related = charges.select_related("institution", "customer", "user", "project", "invoice")
    return related.defer("invoice__snapshot").prefetch_related(lines)


def standing_lines(charge: Charge) -> list[ChargeLine]:
    """Of a charge fetched `with_lines`: what is owed, or quoted while it is only reserved. No query."""
    stage = Stage.RESERVED if charge.state == ChargeState.RESERVED else Stage.FINAL
    lines = [line for line in charge.lines.all() if line.stage == stage]
    taken_back = {line.corrects_id for line in lines}
    return [line for line in lines if line.corrects_id is None and line.pk not in taken_back]


# --- the desk ------------------------------------------------------------------------------------------------------


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


def to_draft(institution_id: int, period: str) -> list[ToDraft]:
    """Billable charges of the month or before, by customer; the largest first."""
    rows = Charge.objects.billable().filter(institution=institution_id, service_date__lte=rules.last_day(period))
    grouped = (
        rows.order_by()
        .values("customer_id", "currency", customer_name=F("customer__name"))
        .annotate(count=Count("pk"), sum=Sum("total"), first=Min("service_date"), last=Max("service_date"))
    )
    out = [
        ToDraft(r["customer_id"], r["customer_name"], r["currency"], r["count"], r["sum"], r["first"], r["last"])
        for r in grouped
        if r["sum"] > 0
    ]
    return sorted(out, key=lambda row: (-row.total, row.customer))


@dataclass(frozen=True, slots=True)
class Desk:
    """A month of an institution's ledger."""

    institution: Organisation
    period: str
    reserved: int
    to_draft: list[ToDraft]
    drafts: list[Shown]
    issued: list[Shown]
    overdue: list[Shown]

    def sum_to_draft(self) -> Decimal:
        return self._sum((row.currency, row.total) for row in self.to_draft)

    def sum_drafts(self) -> Decimal:
        return self._sum((row.invoice.currency, row.total) for row in self.drafts)

    def sum_issued(self) -> Decimal:
        return self._sum((row.invoice.currency, row.total) for row in self.issued)

    def sum_overdue(self) -> Decimal:
        return self._sum((row.invoice.currency, row.total) for row in self.overdue)

    def _sum(self, amounts: Iterable[tuple[str, Decimal]]) -> Decimal:
        """Of the institution's own currency; others are only listed."""
        return add_up(amount for currency, amount in amounts if currency == self.institution.currency)


def desk(institution: Organisation, period: str, today: date | None = None) -> Desk:
    """The month's issued invoices, all drafts, everything overdue."""
    day = today or timezone.localdate()
    mine = invoice_list(Invoice.objects.filter(institution=institution))
    wanted = Q(status=InvoiceStatus.DRAFT) | Q(period=period) | Q(status=InvoiceStatus.ISSUED, due_date__lt=day)
    shown = show(list(mine.filter(wanted)), day)
    coming = Charge.objects.filter(institution=institution, state=ChargeState.RESERVED)
    return Desk(
        institution=institution,
        period=period,
        reserved=coming.filter(service_date__lte=rules.last_day(period)).count(),
        to_draft=to_draft(institution.pk, period),
        drafts=[row for row in shown if row.status == ShownStatus.DRAFT],
        issued=[row for row in shown if row.status != ShownStatus.DRAFT and row.invoice.period == period],
        overdue=[row for row in shown if row.status == ShownStatus.OVERDUE],
    )


# --- the customer's page -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bill:
    """A charge with the lines that stand."""

    charge: Charge
    lines: list[ChargeLine]

    @property
    def tone(self) -> str:
        """To the eye, as in docs/frontend.md."""
        return {"reserved": "wait", "final": "busy", "invoiced": "good"}.get(self.charge.state, "off")


@dataclass(frozen=True, slots=True)
class ProjectBills:
    """A customer's charges of a month on one project (None: on none)."""

    project: Project | None
    bills: list[Bill]
    currency: str

    @property
    def total(self) -> Decimal:
        return add_up(bill.charge.total for bill in self.bills if bill.charge.currency == self.currency)


@dataclass(frozen=True, slots=True)
class Money:
    """A customer's month: what arose, and, to those who may receive it, what has been invoiced so far."""

    customer: Organisation
    period: str
    projects: list[ProjectBills]
    may_receive: bool
    invoices: list[Shown]

    def sum_of(self, *states: str) -> Decimal:
        bills = [bill.charge for part in self.projects for bill in part.bills if bill.charge.state in states]
        return add_up(charge.total for charge in bills if charge.currency == self.customer.currency)

    def sum_in(self, status: str) -> Decimal:
        mine = [row for row in self.invoices if row.status == status]
        return add_up(row.total for row in mine if row.invoice.currency == self.customer.currency)


RECENT = 24


def money_of(access: Access, customer: Organisation, period: str, today: date | None = None) -> Money:
    """The newest invoices, and the month's charges without the released ones."""
    day = today or timezone.localdate()
    month = (rules.first_day(period), rules.last_day(period))
    charges = visible_charges(access).filter(customer=customer, service_date__range=month)
    charges = charges.exclude(state=ChargeState.RELEASED).order_by("service_date", "pk")
    by_project: dict[int | None, list[Charge]] = {}
    for charge in with_lines(charges):
        by_project.setdefault(charge.project_id, []).append(charge)
    projects = [
        ProjectBills(group[0].project, [Bill(charge, standing_lines(charge)) for charge in group], customer.currency)
        for group in by_project.values()
    ]
    receives = may_receive(access, customer.pk)
    issued = invoice_list(visible_invoices(access).filter(customer=customer).exclude(status=InvoiceStatus.DRAFT))
    return Money(
        customer=customer,
        period=period,
        projects=sorted(projects, key=lambda part: (part.project is None, str(part.project))),
        may_receive=receives,
        invoices=show(list(issued.order_by("-issued_at")[:RECENT]), day) if receives else [],
    )
