"""Shapes of the invoices API: input refuses what it does not know; money is text with two decimals."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, PLAIN, Day, In, Page
from backend.core.money import format_amount
from invoices.models import Charge, ChargeLine, ChargeState, InvoiceKind, Payment, Reminder, VoucherUse
from invoices.queries.charges import standing_lines
from invoices.queries.papers import Shown
from invoices.rules import plain_number, plain_price

Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
Period = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2026-03"])]


class InvoiceFilterStatus(StrEnum):
    """``issued``: all that have a number; ``owing``: all on which something is to be paid; ``not_due``: not overdue."""

    DRAFT = "draft"
    ISSUED = "issued"
    OWING = "owing"
    NOT_DUE = "not_due"
    OPEN = "open"
    PART_PAID = "part_paid"
    PAID = "paid"
    OVERDUE = "overdue"
    CREDITED = "credited"


class ExportFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"


class ChargeFilter(Page):
    from_: date | None = Field(None, alias="from", description="First date of service")
    to: date | None = Field(None, description="Last date of service")
    organisation: Id | None = Field(None, description="The customer")
    project: Id | None = None
    status: ChargeState | None = None


class InvoiceFilter(Page):
    status: InvoiceFilterStatus | None = None
    kind: InvoiceKind | None = None
    period: Period | None = None
    institution: Id | None = None
    enterprise: Id | None = None


class ExportFilter(Schema):
    period: Period | None = None
    institution: Id | None = None


class LedgerFilter(Schema):
    institution: Id | None = None


class DraftIn(In):
    institution: Id
    enterprise: Id
    period: Period
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["CNY"])] | None = Field(
        None, description="Only charges in this currency; without it one in which something is owed"
    )


class FapiaoIn(In):
    number: str = Field(max_length=60, examples=["26152000000012345678"])


class PaymentIn(In):
    """In the invoice's currency; ``date`` is the day on which the money came in."""

    amount: Decimal = Field(max_digits=14, decimal_places=2, gt=0, examples=["1200.00"])
    date: Day
    reference: Annotated[str, Field(min_length=1, max_length=100), LINE]
    note: Annotated[str, Field(max_length=500), PLAIN] = ""
    keep_rest: bool = Field(False, description="Keep what is over as the customer's credit")


class ReverseIn(In):
    reason: Annotated[str, Field(min_length=1, max_length=500), PLAIN]


class ReversePaymentIn(ReverseIn):
    to_credit: bool = Field(False, description="The money is there: keep it as the customer's credit")


class CreditLineIn(In):
    """``amount``: a part of the line."""

    position: Id
    amount: Decimal = Field(max_digits=14, decimal_places=2, gt=0, examples=["40.00"])


class CreditIn(In):
    """``rebill`` makes what is credited billable again. ``lines``: positions, or parts of lines; all without them."""

    reason: Annotated[str, Field(min_length=1, max_length=500), PLAIN]
    rebill: bool = False
    lines: list[Id | CreditLineIn] | None = Field(None, max_length=1000)

    def chosen(self) -> dict[int, Decimal | None] | None:
        if self.lines is None:
            return None
        return {
            one if isinstance(one, int) else one.position: None if isinstance(one, int) else one.amount
            for one in self.lines
        }


class Named(Schema):
    id: int
    name: str


class ChargeLineOut(Schema):
    id: int
    code: str
    description: str
    quantity: str | None
    unit: str
    unit_price: str | None
    amount: str
    why: str


class ChargeVoucher(Schema):
    """What a voucher covers of the charge; the rest is the customer's own part."""

    number: str
    scheme: str
    status: str
    amount: str


class ChargeOut(Schema):
    id: int
    uid: str
    status: str
    disputed: bool
    source: str
    source_uid: str
    subject: str
    service_date: date
    institution: Named
    customer: Named
    project: str | None
    user: Named
    price_list: str
    currency: str
    reserved_total: str
    total: str
    differences: list[str]
    invoice: str | None
    voucher: ChargeVoucher | None
    lines: list[ChargeLineOut]


class ChargeList(Schema):
    items: list[ChargeOut]
    count: int


class InvoiceOut(Schema):
    id: int
    uid: str
    kind: str
    number: str | None
    credits: str | None
    status: str
    period: str
    institution: Named
    enterprise: Named
    currency: str
    net: str
    tax: str
    total: str
    settled: str
    credited: str
    paid: str
    balance: str
    tax_percent: str | None
    issued_at: datetime | None
    due_date: date | None
    fapiao_number: str
    sha256: str


class InvoiceList(Schema):
    items: list[InvoiceOut]
    count: int


class InvoiceLineOut(Schema):
    position: int
    service_date: date
    subject: str
    person: str
    project: str
    code: str
    description: str
    quantity: str
    unit: str
    unit_price: str
    amount: str
    why: str


class PaymentOut(Schema):
    id: int
    uid: str
    amount: str
    date: date
    reference: str
    note: str
    reverses: int | None
    recorded_at: datetime


class ReminderOut(Schema):
    level: int
    day: date
    balance: str


class InvoiceDetail(InvoiceOut):
    reason: str
    credit_note: str | None
    credit_notes: list[str]
    reminders: list[ReminderOut]
    reminders_held: str
    payments: list[PaymentOut]
    lines: list[InvoiceLineOut]


def charge_out(charge: Charge) -> dict[str, Any]:
    """Of a charge fetched with `with_lines`. The number of its invoice shows once that is issued."""
    return {
        "id": charge.pk,
        "uid": str(charge.uid),
        "status": charge.state,
        "disputed": charge.disputed,
        "source": charge.source,
        "source_uid": str(charge.source_uid),
        "subject": charge.subject,
        "service_date": charge.service_date,
        "institution": {"id": charge.institution_id, "name": charge.institution.name},
        "customer": {"id": charge.customer_id, "name": charge.customer.name},
        "project": charge.project.code if charge.project else None,
        "user": {"id": charge.user_id, "name": charge.user.name},
        "price_list": charge.price_list,
        "currency": charge.currency,
        "reserved_total": format_amount(charge.reserved_total),
        "total": format_amount(charge.total),
        "differences": charge.differences,
        "invoice": charge.invoice.number if charge.invoice else None,
        "voucher": _voucher_out(charge),
        "lines": [_line_out(line) for line in standing_lines(charge)],
    }


def _voucher_out(charge: Charge) -> dict[str, str] | None:
    use: VoucherUse | None = getattr(charge, "voucher_use", None)
    if use is None:
        return None
    grant = use.grant
    shown = {"number": grant.number, "scheme": grant.scheme.name, "status": use.state}
    return {**shown, "amount": format_amount(use.amount)}


def _line_out(line: ChargeLine) -> dict[str, Any]:
    return {
        "id": line.pk,
        "code": line.code,
        "description": line.name,
        "quantity": plain_number(line.quantity) or None,
        "unit": line.unit,
        "unit_price": plain_price(line.unit_price) or None,
        "amount": format_amount(line.amount),
        "why": line.why,
    }


def invoice_out(shown: Shown) -> dict[str, Any]:
    invoice = shown.invoice
    return {
        "id": invoice.pk,
        "uid": str(invoice.uid),
        "kind": invoice.kind,
        "number": invoice.number,
        "credits": invoice.credits.number if invoice.credits else None,
        "status": shown.status,
        "period": invoice.period,
        "institution": {"id": invoice.institution_id, "name": invoice.institution.name},
        "enterprise": {"id": invoice.customer_id, "name": invoice.customer.name},
        "currency": invoice.currency,
        "net": format_amount(shown.net),
        "tax": format_amount(shown.tax),
        "total": format_amount(shown.total),
        "settled": format_amount(invoice.settled),
        "credited": format_amount(invoice.credited),
        "paid": format_amount(invoice.paid),
        "balance": format_amount(shown.balance),
        "tax_percent": plain_number(invoice.tax_percent) if invoice.number else None,
        "issued_at": invoice.issued_at,
        "due_date": invoice.due_date,
        "fapiao_number": invoice.fapiao_number,
        "sha256": invoice.snapshot_sha256,
    }


def payment_out(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.pk,
        "uid": str(payment.uid),
        "amount": format_amount(payment.amount),
        "date": payment.date,
        "reference": payment.reference,
        "note": payment.note,
        "reverses": payment.reverses_id,
        "recorded_at": payment.recorded_at,
    }


def reminder_out(reminder: Reminder) -> dict[str, Any]:
    return {"level": reminder.level, "day": reminder.day, "balance": format_amount(reminder.balance)}


def invoice_line_out(line: dict[str, Any]) -> dict[str, Any]:
    """Of a snapshot's line."""
    return {**line, "description": line["name"]}
