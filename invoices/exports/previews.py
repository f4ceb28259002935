"""What the monthly run would bill, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from backend.core.export import Cell, Format, table_response
from invoices.exports.tables import Download
from invoices.queries.preview import Preview, PreviewRow


def export_preview(preview: Preview, rows: Sequence[PreviewRow], form: Format) -> Download:
    """``rows`` are those that the page shows."""
    header = [
        _("Customer"),
        _("Unified social credit code"),
        _("Currency"),
        _("Charges"),
        _("Amount"),
        _("First date"),
        _("Last date"),
        _("Notes"),
    ]
    return table_response(form, f"to-bill-{preview.period}", header, _cells(rows))


def _cells(rows: Sequence[PreviewRow]) -> Iterator[list[Cell]]:
    for row in rows:
        notes = " ".join(trouble.text for trouble in row.troubles)
        facts: list[Cell] = [row.charges, row.total, row.first, row.last, notes]
        yield [row.customer.name, row.customer.uscc, row.currency, *facts]
