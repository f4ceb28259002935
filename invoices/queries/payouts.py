"""What the network owes institutions for redeemed vouchers, and what it has paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Count, F, Min, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone
from django.utils.translation import get_language

from backend.core.db import one
from backend.core.money import ZERO
from invoices.models import Invoice, UseState, VoucherPayout, VoucherUse
from invoices.queries.evidence import Pack, pack_of

_DUE = F("amount") + F("bonus") - F("paid_out")


def due_uses() -> QuerySet[VoucherUse]:
    """Redeemed, and paid out with another sum than is due now; each with ``due``."""
    return VoucherUse.objects.filter(state=UseState.REDEEMED).annotate(due=_DUE).exclude(due=0)


def unpaid_uses(institution_id: int, scheme_id: int) -> QuerySet[VoucherUse]:
    rows = due_uses().filter(charge__institution=institution_id, grant__scheme=scheme_id)
    return rows.order_by("pk")


def in_language(owner: str) -> Coalesce:
    """The name of what a path leads to in the reader's language, if it has one."""
    names = (f"{owner}__name_en", f"{owner}__name") if get_language() == "en" else (f"{owner}__name",)
    return Coalesce(*(NullIf(name, Value("")) for name in names), Value(""))


@dataclass(frozen=True, slots=True)
class ToPay:
    """What is due to one institution under one scheme; ``first`` is when the oldest of it was redeemed."""

    institution_id: int
    institution: str
    scheme_id: int
    scheme: str
    currency: str
    uses: int
    amount: Decimal
    bonus: Decimal
    due: Decimal
    first: date
    payout_id: int | None


def to_pay_out(rows: QuerySet[VoucherUse] | None = None) -> list[ToPay]:
    """By institution and scheme, the largest first; two queries."""
    due = due_uses() if rows is None else rows
    keys = ("charge__institution", "host", "grant__scheme", "title", "grant__scheme__currency")
    grouped = (
        due.order_by()
        .annotate(host=in_language("charge__institution"), title=in_language("grant__scheme"))
        .values_list(*keys)
        .annotate(
            count=Count("pk"),
            sum=Sum("amount"),
            extra=Sum("bonus"),
            owed=Sum(_DUE),
            first=Min("redeemed_at"),
        )
    )
    waiting = {
        (institution, scheme): pk
        for pk, institution, scheme in VoucherPayout.objects.filter(state="prepared").values_list(
            "pk", "institution_id", "scheme_id"
        )
    }
    found = [
        ToPay(
            institution_id=institution,
            institution=name,
            scheme_id=scheme,
            scheme=title,
            currency=currency,
            uses=uses,
            amount=amount,
            bonus=bonus,
            due=due,
            first=timezone.localdate(first),
            payout_id=waiting.get((institution, scheme)),
        )
        for institution, name, scheme, title, currency, uses, amount, bonus, due, first in grouped
    ]
    return sorted(found, key=lambda row: (-row.due, row.institution))


def invoice_of(use: VoucherUse) -> Invoice:
    """Of a redeemed use, with its snapshot; `NotFound` for others."""
    return one(Invoice.objects.select_related("institution", "customer"), use.charge.invoice_id or 0)


def pack_of_use(use: VoucherUse) -> Pack:
    """The evidence of one use that was redeemed."""
    return pack_of(f"{use.grant.number}-{use.charge.invoice}", [use])


def pack_of_payout(payout: VoucherPayout) -> Pack:
    """The evidence of all that a batch pays."""
    rows = VoucherUse.objects.filter(payout_lines__payout=payout).select_related("grant__scheme", "charge")
    return pack_of(payout.number, list(rows.order_by("pk")))


def sum_due(rows: QuerySet[VoucherUse]) -> Decimal:
    return rows.aggregate(sum=Sum(_DUE))["sum"] or ZERO
