"""The figures of the finance desk as a table, one breakdown at a time."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from backend.core.export import Cell, Format, table_response
from invoices.exports.tables import Download
from invoices.queries.figures import BREAKDOWNS, Figure, Figures


def breakdown_labels() -> dict[str, str]:
    return dict(zip(BREAKDOWNS, (_("Month"), _("Instrument"), _("Customer"), _("Days past due")), strict=True))


def export_figures(figures: Figures, by: str, form: Format) -> Download:
    """``by``: one of `BREAKDOWNS`."""
    header = [
        breakdown_labels()[by],
        _("Lines") if by == "instrument" else _("Invoices"),
        _("Currency"),
        _("Invoiced"),
        _("Paid"),
        _("Open balance"),
    ]
    name = f"figures-{by}-{figures.first}-{figures.last}"
    return table_response(form, name, header, _cells(figures.by(by), figures.currency))


def _cells(rows: list[Figure], currency: str) -> Iterator[list[Cell]]:
    for row in rows:
        yield [row.label, row.number, currency, row.invoiced, row.paid, row.open]
