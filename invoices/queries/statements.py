"""Bank statements, their rows, and what each may pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet
from django.utils import timezone

from backend.accounts.models import Organisation
from backend.accounts.queries import Access
from backend.core.db import one
from invoices import matching, rules
from invoices.matching import Entry, Owed, Suggestion
from invoices.models import BankRow, BankStatement, Invoice, RowState
from invoices.queries.scope import finance_of


def visible_rows(access: Access) -> QuerySet[BankRow]:
    rows = BankRow.objects.filter(institution__in=finance_of(access))
    return rows.select_related("institution", "statement", "transfer", "decided_by")


def get_row(access: Access, pk: int) -> BankRow:
    return one(visible_rows(access), pk)


def get_statement(access: Access, pk: int) -> BankStatement:
    rows = BankStatement.objects.filter(institution__in=finance_of(access)).select_related("institution")
    return one(rows, pk)


@dataclass(frozen=True, slots=True)
class Matching:
    """A row with what it may pay, the best first."""

    row: BankRow
    suggestions: list[Suggestion]

    @property
    def sure(self) -> bool:
        return matching.is_sure(self.suggestions)


def matches(institution: Organisation, rows: Sequence[BankRow], today: date | None = None) -> list[Matching]:
    """Three queries, however many rows."""
    day = today or rules.day_at(institution, timezone.now())
    open_, known = owed_to(institution, day), known_payers(institution)
    return [Matching(row, _suggested(row, open_, known)) for row in rows]


def _suggested(row: BankRow, open_: Sequence[tuple[str, Owed]], known: dict[str, int]) -> list[Suggestion]:
    if row.state != RowState.WAITING:
        return []
    entry = Entry(row.line, row.date, row.amount, row.payer, row.account, row.reference, row.text)
    return matching.suggest(entry, [owed for code, owed in open_ if code == row.currency], known, row.currency)


def owed_to(institution: Organisation, day: date) -> list[tuple[str, Owed]]:
    """With the currency of each."""
    rows = Invoice.objects.filter(institution=institution).owing().select_related("customer").defer("snapshot")
    return [
        (
            invoice.currency,
            Owed(
                invoice.pk,
                str(invoice.number),
                invoice.balance,
                invoice.customer_id,
                (invoice.customer.name, invoice.customer.name_en),
                invoice.customer.bank_account,
                (day - invoice.due_date).days if invoice.due_date else 0,
            ),
        )
        for invoice in rows
    ]


def known_payers(institution: Organisation) -> dict[str, int]:
    """Account or bare name → the customer whose transfer it was; a payer of several customers says nothing."""
    rows = BankRow.objects.filter(institution=institution, state=RowState.MATCHED)
    found: dict[str, set[int]] = {}
    for account, payer, customer in rows.values_list("account", "payer", "transfer__customer"):
        for key in filter(None, (matching.account_key(account), matching.bare_name(payer))):
            found.setdefault(key, set()).add(customer)
    return {key: customers.pop() for key, customers in found.items() if len(customers) == 1}
