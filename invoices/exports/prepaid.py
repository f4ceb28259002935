"""Prepaid accounts and their entries as tables."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from backend.core.export import Cell, Format, table_response
from invoices.exports.tables import Download
from invoices.models import PrepaidAccount, PrepaidEntry
from invoices.queries.prepaid import entries_of


def export_accounts(rows: QuerySet[PrepaidAccount], form: Format) -> Download:
    header = [
        _("Institution"),
        _("Customer"),
        _("Unified social credit code"),
        _("Project"),
        _("Group"),
        _("Currency"),
        pgettext("prepaid", "Balance"),
        pgettext("prepaid", "Frozen"),
        pgettext("prepaid", "Available"),
    ]
    return table_response(form, "prepaid-accounts", header, map(_account, rows))


def _account(row: PrepaidAccount) -> list[Cell]:
    return [
        row.institution.name,
        row.customer.name,
        row.customer.uscc,
        row.project.code if row.project else "",
        row.group.name if row.group else "",
        row.currency,
        row.balance,
        row.frozen,
        row.available,
    ]


def export_entries(account: PrepaidAccount, form: Format) -> Download:
    """The oldest first, with the balance after each."""
    header = [
        _("Date"),
        _("Kind"),
        _("Amount"),
        pgettext("prepaid", "Frozen"),
        pgettext("prepaid", "Balance"),
        _("Frozen after it"),
        _("Currency"),
        _("For"),
        _("Person"),
        _("Reference"),
        _("Note"),
        _("Invoice"),
    ]
    return table_response(form, f"prepaid-{account.pk}", header, _entries(account))


def _entries(account: PrepaidAccount) -> Iterator[list[Cell]]:
    for row in entries_of(account).order_by("pk").iterator(chunk_size=500):
        yield _entry(account, row)


def _entry(account: PrepaidAccount, row: PrepaidEntry) -> list[Cell]:
    charge = row.charge
    return [
        row.date,
        row.get_kind_display(),
        row.amount,
        row.held,
        row.balance_after,
        row.frozen_after,
        account.currency,
        charge.subject if charge else "",
        charge.user.name if charge else "",
        row.reference,
        row.note,
        charge.invoice.number if charge and charge.invoice else "",
    ]
