"""The vouchers of a month as a table that accounting programs read."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from backend.accounts.models import Organisation
from backend.core.export import Cell, Format, table_response
from invoices.actions.journals import checked_summary
from invoices.books.entries import Gaps
from invoices.exports.tables import Download
from invoices.queries.books import kind_words, mapping_of, vouchers_of


def export_journal(institution: Organisation, period: str, form: Format) -> Download:
    """One row for each posting. `Refused` before anything is written where an account is missing."""
    checked_summary(institution, period)
    header = [
        _("Date"),
        _("Voucher type"),
        _("Voucher number"),
        _("Entry"),
        _("Summary"),
        pgettext("bookkeeping", "Account"),
        _("Account name"),
        _("Debit"),
        pgettext("bookkeeping", "Credit"),
        _("Currency"),
        _("Customer code"),
        _("Customer"),
        _("Cost centre"),
        _("Document type"),
        _("Document number"),
    ]
    return table_response(form, f"journal-{period}", header, _rows(institution, period))


def _rows(institution: Organisation, period: str) -> Iterator[list[Cell]]:
    mapping = mapping_of(institution.pk)
    assert mapping is not None  # it has been looked at
    words = kind_words()
    for voucher in vouchers_of(institution, period, mapping, Gaps()):
        event = voucher.event
        for index, posting in enumerate(voucher.postings, 1):
            yield [
                event.day,
                mapping.word,
                voucher.number,
                index,
                voucher.summary,
                posting.account.code,
                posting.account.name,
                posting.debit or None,
                posting.credit or None,
                event.currency,
                event.party.code,
                event.party.name,
                posting.account.centre,
                words[event.kind],
                event.number,
            ]
