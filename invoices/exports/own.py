"""An organisation's own figures and budgets as tables."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from backend.core.export import Cell, Format, table_response
from invoices.exports.tables import Download
from invoices.models import ChargeState
from invoices.queries.budgets import ProjectMoney
from invoices.queries.own import STATES, OwnYear


def export_year(year: OwnYear, form: Format) -> Download:
    """By month, then by project."""
    header = [_("Month or project"), *(str(ChargeState(state).label) for state in STATES), _("Total"), _("Currency")]
    lines = [(line.label, line) for line in year.months]
    lines += [(str(line.project) if line.project else _("Without project"), line) for line in year.projects]
    rows: Iterable[list[Cell]] = (
        [label, *(line.sums.get(state) for state in STATES), line.total, year.customer.currency]
        for label, line in lines
    )
    return table_response(form, f"costs-{year.wanted.year}", header, rows)


def export_budgets(rows: Iterable[ProjectMoney], form: Format) -> Download:
    header = [
        _("Project number"),
        _("Project"),
        _("Budget"),
        _("Counts"),
        _("Quoted"),
        _("To be invoiced"),
        _("Invoiced"),
        _("Used"),
        _("Left"),
        _("Used %"),
        _("Currency"),
    ]
    return table_response(form, "budgets", header, map(_budget, rows))


def _budget(row: ProjectMoney) -> list[Cell]:
    budget = row.budget
    return [
        row.project.code,
        row.project.name,
        budget.amount if budget else None,
        str(budget.get_period_display()) if budget else "",
        row.reserved,
        row.final,
        row.invoiced,
        row.used,
        row.left if budget else None,
        row.percent if budget else None,
        row.currency,
    ]
