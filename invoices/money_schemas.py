"""Shapes of the API about disputes, transfers, credit, bank statements and terms; money is text with two decimals."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, PLAIN, Day, In, Page
from backend.core.money import format_amount
from invoices.actions.disputes import MOST_TEXT
from invoices.models import (
    Dispute,
    DisputeNote,
    DisputeState,
    MoneyTerms,
    Payment,
    Surplus,
    SurplusEntry,
    Transfer,
)
from invoices.schemas import Id, Named

Amount = Annotated[Decimal, Field(max_digits=14, decimal_places=2, gt=0, examples=["1200.00"])]
Reason = Annotated[str, Field(min_length=1, max_length=MOST_TEXT), PLAIN]


class Decision(StrEnum):
    """``uphold``: the charge stands; ``adjust``: ``amount`` is owed instead; ``waive``: nothing is."""

    UPHOLD = "uphold"
    ADJUST = "adjust"
    WAIVE = "waive"


class DisputeIn(In):
    """``line`` is the id of one line of the charge; without it the whole charge is disputed."""

    reason: Reason
    line: Id | None = None


class DisputeDecisionIn(In):
    decision: Decision
    reason: Reason
    amount: Amount | None = None


class ReplyIn(In):
    text: Reason


class ReplyForm(In):
    text: Annotated[str, Field(max_length=MOST_TEXT), PLAIN] = ""


class DisputeFilter(Page):
    status: DisputeState | None = None
    institution: Id | None = None
    enterprise: Id | None = None


class DisputeExportFilter(Schema):
    status: DisputeState | None = None
    institution: Id | None = None


class DisputeFileOut(Schema):
    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    url: str


class DisputeNoteOut(Schema):
    id: int
    side: str
    author: Named
    text: str
    at: datetime
    files: list[DisputeFileOut]


class DisputeOut(Schema):
    """``before`` is the amount in question, ``after`` what is owed for it since the decision."""

    id: int
    uid: str
    status: str
    charge: int
    line: int | None
    subject: str
    service_date: date
    institution: Named
    enterprise: Named
    currency: str
    before: str
    after: str | None
    reason: str
    answer: str
    opened_at: datetime
    opened_by: Named
    closed_at: datetime | None


class DisputeDetail(DisputeOut):
    notes: list[DisputeNoteOut]


class DisputeList(Schema):
    items: list[DisputeOut]
    count: int


class PartIn(In):
    invoice: Id
    amount: Amount


class TransferIn(In):
    """One transfer of a customer; what ``parts`` leave is kept as its credit with ``keep_rest``."""

    institution: Id
    enterprise: Id
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = Field(None, description="The institution's own")
    amount: Amount
    date: Day
    reference: Annotated[str, Field(min_length=1, max_length=100), LINE]
    note: Annotated[str, Field(max_length=500), PLAIN] = ""
    parts: list[PartIn] = Field(default_factory=list, max_length=100)
    keep_rest: bool = False


class TransferFilter(Page):
    institution: Id | None = None
    enterprise: Id | None = None


class TransferPartOut(Schema):
    invoice: int
    number: str
    amount: str
    reversed: bool


class TransferOut(Schema):
    id: int
    uid: str
    institution: Named
    enterprise: Named
    currency: str
    amount: str
    date: date
    reference: str
    note: str
    parts: list[TransferPartOut]


class TransferList(Schema):
    items: list[TransferOut]
    count: int


class CreditUseIn(In):
    amount: Amount


class RefundIn(In):
    amount: Amount
    date: Day
    reference: Annotated[str, Field(min_length=1, max_length=100), LINE]
    note: Annotated[str, Field(max_length=500), PLAIN] = ""


class SurplusEntryOut(Schema):
    id: int
    kind: str
    amount: str
    date: date
    reference: str
    note: str
    invoice: str | None


class SurplusOut(Schema):
    id: int
    institution: Named
    enterprise: Named
    currency: str
    amount: str


class CreditDetail(SurplusOut):
    entries: list[SurplusEntryOut]


class CreditList(Schema):
    items: list[SurplusOut]
    count: int


class ReminderLevel(In):
    """``days`` after the due date, below zero before it; ``text`` is added to the message."""

    days: int = Field(ge=-30, le=730)
    text: Annotated[str, Field(max_length=500), PLAIN] = ""


class MoneyTermsIn(In):
    institution: Id | None = None
    dispute_days: int = Field(ge=0, le=365)
    reminders: list[ReminderLevel] = Field(default_factory=list, max_length=5)


class MoneyTermsOut(Schema):
    institution: int
    dispute_days: int
    reminders: list[ReminderLevel]
    columns: dict[str, str]


class HoldIn(In):
    """An empty reason sends reminders again."""

    reason: Annotated[str, Field(max_length=200), LINE] = ""


class GenuineOut(Schema):
    number: str
    issued: date
    total: str
    currency: str
    sha256: str


def _named(one: Any) -> dict[str, Any]:
    return {"id": one.pk, "name": one.name}


def dispute_out(dispute: Dispute) -> dict[str, Any]:
    charge = dispute.charge
    return {
        "id": dispute.pk,
        "uid": str(dispute.uid),
        "status": dispute.state,
        "charge": charge.pk,
        "line": dispute.line_id,
        "subject": charge.subject,
        "service_date": charge.service_date,
        "institution": _named(charge.institution),
        "enterprise": _named(charge.customer),
        "currency": charge.currency,
        "before": format_amount(dispute.before),
        "after": None if dispute.after is None else format_amount(dispute.after),
        "reason": dispute.reason,
        "answer": dispute.answer,
        "opened_at": dispute.opened_at,
        "opened_by": _named(dispute.opened_by),
        "closed_at": dispute.closed_at,
    }


def note_out(note: DisputeNote) -> dict[str, Any]:
    return {
        "id": note.pk,
        "side": note.side,
        "author": _named(note.author),
        "text": note.text,
        "at": note.at,
        "files": [
            {
                "id": file.pk,
                "name": file.name,
                "media_type": file.media_type,
                "size": file.size,
                "sha256": file.sha256,
                "url": f"/api/v1/disputes/{note.dispute_id}/files/{file.pk}",
            }
            for file in note.files.all()
        ],
    }


def transfer_out(transfer: Transfer) -> dict[str, Any]:
    return {
        "id": transfer.pk,
        "uid": str(transfer.uid),
        "institution": _named(transfer.institution),
        "enterprise": _named(transfer.customer),
        "currency": transfer.currency,
        "amount": format_amount(transfer.amount),
        "date": transfer.date,
        "reference": transfer.reference,
        "note": transfer.note,
        "parts": [_paid_part(payment) for payment in transfer.payments.all() if payment.reverses_id is None],
    }


def _paid_part(payment: Payment) -> dict[str, Any]:
    return {
        "invoice": payment.invoice_id,
        "number": payment.invoice.number,
        "amount": format_amount(payment.amount),
        "reversed": hasattr(payment, "reversal"),
    }


def credit_out(surplus: Surplus) -> dict[str, Any]:
    return {
        "id": surplus.pk,
        "institution": _named(surplus.institution),
        "enterprise": _named(surplus.customer),
        "currency": surplus.currency,
        "amount": format_amount(surplus.amount),
    }


def entry_out(entry: SurplusEntry) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "kind": entry.kind,
        "amount": format_amount(entry.amount),
        "date": entry.date,
        "reference": entry.reference,
        "note": entry.note,
        "invoice": entry.invoice.number if entry.invoice else None,
    }


def terms_out(terms: MoneyTerms) -> dict[str, Any]:
    return {
        "institution": terms.institution_id,
        "dispute_days": terms.dispute_days,
        "reminders": terms.reminders,
        "columns": terms.columns,
    }
