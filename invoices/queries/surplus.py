"""Customers' credit and transfers: who sees which."""

from __future__ import annotations

from django.db.models import Prefetch, Q, QuerySet

from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden
from invoices.models import Invoice, InvoiceQuerySet, Payment, Surplus, SurplusEntry, Transfer
from invoices.queries.scope import RECEIVERS, finance_of


def visible_surpluses(access: Access) -> QuerySet[Surplus]:
    """Those that one's institution holds, and those of one's organisation for who receives its invoices."""
    mine = Q(institution__in=finance_of(access)) | Q(customer__in=access.where(*RECEIVERS))
    return Surplus.objects.filter(mine).select_related("institution", "customer")


def get_visible_surplus(access: Access, pk: int) -> Surplus:
    return one(visible_surpluses(access), pk)


def get_managed_surplus(access: Access, pk: int) -> Surplus:
    """`Forbidden` for the customer, who may only read it."""
    found = get_visible_surplus(access, pk)
    if found.institution_id not in finance_of(access):
        raise Forbidden
    return found


def entries_of(surplus: Surplus) -> QuerySet[SurplusEntry]:
    """The newest first."""
    rows = SurplusEntry.objects.filter(surplus=surplus).select_related("invoice", "recorded_by")
    return rows.defer("invoice__snapshot").order_by("-pk")


def surplus_for(invoice: Invoice) -> Surplus | None:
    """What could pay for it."""
    same = Surplus.objects.filter(institution=invoice.institution_id, customer=invoice.customer_id)
    return same.filter(currency=invoice.currency, amount__gt=0).first()


def visible_transfers(access: Access) -> QuerySet[Transfer]:
    mine = Q(institution__in=finance_of(access)) | Q(customer__in=access.where(*RECEIVERS))
    payments = Prefetch("payments", Payment.objects.select_related("invoice", "reversal").defer("invoice__snapshot"))
    return Transfer.objects.filter(mine).select_related("institution", "customer").prefetch_related(payments)


def get_managed_transfer(access: Access, pk: int) -> Transfer:
    found = one(visible_transfers(access), pk)
    if found.institution_id not in finance_of(access):
        raise Forbidden
    return found


def open_invoices(institution_id: int, customer_id: int, currency: str) -> InvoiceQuerySet:
    """The oldest first."""
    rows = Invoice.objects.filter(institution=institution_id, customer=customer_id, currency=currency).owing()
    return rows.defer("snapshot").order_by("due_date", "pk")
