"""Messages about prepaid accounts and budgets."""

from __future__ import annotations

from typing import Any

from backend.accounts.models import Role
from backend.accounts.queries import people_with
from backend.core.money import format_amount
from backend.outbox.actions import post
from invoices.models import PrepaidAccount, PrepaidEntry

PAYERS = (Role.ADMIN, Role.FINANCE)


def tell_account(account: PrepaidAccount, kind: str, key: str, context: dict[str, Any]) -> None:
    """To those of the customer who keep its money."""
    words = {
        "institution": account.institution.name,
        "institution_en": account.institution.name_en or account.institution.name,
        "currency": account.currency,
        "balance": format_amount(account.balance),
        "available": format_amount(account.available),
        **context,
    }
    people = people_with(account.customer_id, PAYERS)
    post(key=key, kind=kind, recipients=people, context=words, path=f"/prepaid/{account.pk}/")


def tell_entry(account: PrepaidAccount, entry: PrepaidEntry) -> None:
    """Of money that finance recorded."""
    context = {
        "what": entry.kind if entry.reverses is None else f"{entry.reverses.kind}_reversed",
        "amount": format_amount(abs(entry.amount)),
        "date": str(entry.date),
        "reference": entry.reference,
        "reason": entry.note,
    }
    tell_account(account, "prepaid_recorded", f"prepaid-recorded-{entry.uid}", context)


def tell_low(account: PrepaidAccount) -> None:
    """Once when less is available than was asked to be told of, and again after it was more."""
    if account.low_at is None:
        return
    low = account.available < account.low_at
    if low == account.low_told:
        return
    account.low_told = low
    account.save(update_fields=["low_told"])
    if low:
        latest = account.entries.order_by("-pk").values_list("uid", flat=True).first()
        tell_account(account, "prepaid_low", f"prepaid-low-{latest}", {"low_at": format_amount(account.low_at)})
