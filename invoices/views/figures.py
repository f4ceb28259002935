"""The months in figures and charts, narrowed and exported as seen."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from backend.accounts.auth import page
from backend.accounts.models import Organisation
from backend.core.export import Format
from backend.core.money import format_amount
from invoices.exports import tables
from invoices.exports.figures import breakdown_labels, export_figures
from invoices.forms import MOST, period_field
from invoices.models import Invoice, InvoiceStatus
from invoices.queries.figures import BREAKDOWNS, Figure, Figures, Wanted, figures_of, total_of
from invoices.views.shared import kept_ledger

# A pie with more pieces cannot be read.
PIECES = 10


class FiguresForm(forms.Form):
    """What is not understood is ignored, as in any address somebody shortened."""

    first = period_field(required=False)
    last = period_field(required=False)
    customer = forms.IntegerField(label=gettext_lazy("Customer"), required=False, min_value=1, max_value=MOST)
    currency = forms.RegexField("^[A-Z]{3}$", required=False)
    by = forms.ChoiceField(required=False, choices=[(name, name) for name in BREAKDOWNS])


def _figures(request: HttpRequest) -> tuple[Figures, str]:
    form = FiguresForm(request.GET)
    form.is_valid()
    data = form.cleaned_data
    wanted = Wanted(data.get("first", ""), data.get("last", ""), data.get("customer"), data.get("currency", ""))
    return figures_of(kept_ledger(request), wanted), data.get("by") or "month"


@page
@require_GET
def figures(request: HttpRequest) -> HttpResponse:
    found, by = _figures(request)
    context = {
        "figures": found,
        "by": by,
        "rows": found.by(by),
        "sum": total_of(found.by(by)),
        "breakdowns": breakdown_labels(),
        "label": breakdown_labels()[by],
        "customers": _customers(found.institution),
        "chart": _chart(found, by),
        "query": request.GET.urlencode(),
        "nav": "invoices:desk",
    }
    return render(request, "invoices/figures.html", context)


@page
@require_GET
def figures_export(request: HttpRequest, form: Format) -> tables.Download:
    found, by = _figures(request)
    return export_figures(found, by, form)


def _customers(institution: Organisation) -> list[tuple[int, str]]:
    """Everybody who was ever billed, by the name in the reader's language."""
    issued = Invoice.objects.filter(institution=institution).exclude(status=InvoiceStatus.DRAFT)
    language = get_language() or ""
    found = Organisation.objects.filter(pk__in=issued.order_by().values("customer"))
    return sorted(((one.pk, one.label(language)) for one in found), key=lambda each: each[1])


def _chart(figures: Figures, by: str) -> dict[str, Any]:
    rows = figures.by(by)
    if by == "instrument":
        return {"kind": "pie", "labels": [row.label for row in rows[:PIECES]], "series": [_series(rows[:PIECES])]}
    shown = rows[:PIECES] if by == "customer" else rows
    paid = {"name": _("Paid"), "data": [format_amount(row.paid) for row in shown if row.paid is not None]}
    opened = {"name": _("Open balance"), "data": [format_amount(row.open) for row in shown if row.open is not None]}
    series = [opened] if by == "age" else [_series(shown), paid, opened]
    return {"kind": "bar", "labels": [row.label for row in shown], "series": series, "unit": figures.currency}


def _series(rows: list[Figure]) -> dict[str, Any]:
    return {"name": _("Invoiced"), "data": [format_amount(row.invoiced) for row in rows]}
