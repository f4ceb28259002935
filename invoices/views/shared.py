"""What the pages of money have in common."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from backend.accounts.auth import access, current_organisation
from backend.accounts.models import Organisation
from backend.core.errors import Forbidden
from invoices import rules
from invoices.queries.scope import finance_of


def ledger_of(request: HttpRequest) -> Organisation | None:
    """The institution to keep the ledger of: the current organisation, else the first that one may."""
    ledgers = finance_of(access(request))
    current = current_organisation(request)
    if current is not None and current.pk in ledgers:
        return current
    return access(request).organisations[min(ledgers)] if ledgers else None


def kept_ledger(request: HttpRequest) -> Organisation:
    """The same; `Forbidden` for those who keep none."""
    institution = ledger_of(request)
    if institution is None:
        raise Forbidden
    return institution


def period_of(request: HttpRequest) -> str:
    wanted = request.GET.get("period", "")
    return wanted if rules.is_period(wanted) else rules.period_of(timezone.localdate())


def months(period: str) -> dict[str, Any]:
    return {"this": period, "before": rules.neighbour(period, -1), "after": rules.neighbour(period, 1)}
