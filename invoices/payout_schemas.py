"""Shapes of what the network pays for vouchers, of its evidence, and of the papers beside an invoice."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, Day, In, Page
from backend.core.money import format_amount
from invoices.models import InvoiceFile, PayoutState, VoucherPayout
from invoices.queries.evidence import Pack
from invoices.queries.payouts import ToPay
from invoices.queries.vouchers import CapRow
from invoices.schemas import Id, Named
from invoices.voucher_schemas import StoredFileOut, file_out


class EvidenceOut(Schema):
    """What is missing before the pack is downloaded."""

    missing: list[dict[str, str]]
    invoices: list[str]


def evidence_out(pack: Pack) -> dict[str, Any]:
    return {
        "missing": [{"invoice": number, "what": word} for number, word in pack.missing],
        "invoices": [str(papers.invoice.number) for papers in pack.papers],
    }


class DueOut(Schema):
    institution: Named
    scheme: Named
    currency: str
    uses: int
    due: str
    batch: int | None


def due_out(row: ToPay) -> dict[str, Any]:
    return {
        "institution": {"id": row.institution_id, "name": row.institution},
        "scheme": {"id": row.scheme_id, "name": row.scheme},
        "currency": row.currency,
        "uses": row.uses,
        "due": format_amount(row.due),
        "batch": row.payout_id,
    }


class PrepareIn(In):
    institution: Id
    scheme: Id


class PaidIn(In):
    paid_on: Day
    reference: Annotated[str, Field(min_length=1, max_length=100), LINE]


class PayoutFilter(Page):
    status: PayoutState | None = None


class PayoutOut(Schema):
    id: int
    number: str
    status: str
    institution: Named
    scheme: Named
    currency: str
    total: str
    paid_on: date | None
    reference: str


class PayoutList(Schema):
    items: list[PayoutOut]
    count: int


def payout_out(payout: VoucherPayout) -> dict[str, Any]:
    return {
        "id": payout.pk,
        "number": payout.number,
        "status": payout.state,
        "institution": {"id": payout.institution_id, "name": payout.institution.name},
        "scheme": {"id": payout.scheme_id, "name": payout.scheme.name},
        "currency": payout.scheme.currency,
        "total": format_amount(payout.total),
        "paid_on": payout.paid_on,
        "reference": payout.reference,
    }


class CapOut(Schema):
    scheme: Named
    uscc: str
    enterprises: str
    year: int
    cap: str | None
    used: str
    left: str | None


def cap_out(row: CapRow) -> dict[str, Any]:
    cap, left = row.account.scheme.cap, row.left
    return {
        "scheme": {"id": row.account.scheme_id, "name": row.account.scheme.name},
        "uscc": row.account.holder,
        "enterprises": row.names,
        "year": row.account.year,
        "cap": None if cap is None else format_amount(cap),
        "used": format_amount(row.account.used),
        "left": None if left is None else format_amount(left),
    }


class FileIn(In):
    kind: Literal["contract", "payment", "fapiao"]


class InvoiceFileOut(StoredFileOut):
    kind: str


def invoice_file_out(file: InvoiceFile) -> dict[str, Any]:
    return {**file_out(file), "kind": file.kind}
