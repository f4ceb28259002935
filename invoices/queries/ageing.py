"""Open balances by how long they are past due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation
from backend.core.money import ZERO, add_up
from invoices import rules
from invoices.models import (
    Invoice,
)


def band_labels() -> list[str]:
    return [_("Not due yet"), _("1–30 days"), _("31–60 days"), _("61–90 days"), _("Over 90 days")]


@dataclass(slots=True)
class AgeingRow:
    """What one customer still owes in one currency, by days past due (`rules.age_band`)."""

    customer_id: int
    customer: str
    uscc: str
    currency: str
    bands: list[Decimal]
    invoices: int = 0
    oldest: date | None = None

    @property
    def total(self) -> Decimal:
        return add_up(self.bands)

    @property
    def late(self) -> bool:
        return any(self.bands[1:])


@dataclass(frozen=True, slots=True)
class Ageing:
    """Open balances of a day. Currencies are never added up."""

    institution: Organisation
    day: date
    rows: list[AgeingRow]
    totals: list[AgeingRow]


def ageing_of(institution: Organisation, today: date | None = None) -> Ageing:
    """One query; those who have owed most for longest come first, the institution's own currency before others."""
    day = today or rules.day_at(institution, timezone.now())
    owing = Invoice.objects.filter(institution=institution).owing().order_by()
    by_customer: dict[tuple[int, str], AgeingRow] = {}
    by_currency: dict[str, AgeingRow] = {}
    fields = ("customer_id", "customer__name", "customer__uscc", "currency", "due_date", "owed")
    for customer, name, uscc, currency, due, owed in owing.values_list(*fields):
        row = by_customer.setdefault((customer, currency), AgeingRow(customer, name, uscc, currency, [ZERO] * 5))
        whole = by_currency.setdefault(currency, AgeingRow(0, "", "", currency, [ZERO] * 5))
        for each in (row, whole):
            each.bands[rules.age_band(due, day)] += owed
            each.invoices += 1
            each.oldest = min(filter(None, (each.oldest, due)), default=None)

    def order(row: AgeingRow) -> tuple[Any, ...]:
        return (
            row.currency != institution.currency,
            row.currency,
            [-amount for amount in row.bands[::-1]],
            row.customer,
        )

    return Ageing(institution, day, sorted(by_customer.values(), key=order), sorted(by_currency.values(), key=order))
