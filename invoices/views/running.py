"""The monthly run: what it would bill, how far it has come, the drafts to review."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from invoices.actions.billing import ask_for_tax_data, word_draft
from invoices.actions.running import cancel_run, start_run
from invoices.exports import tables
from invoices.exports.previews import export_preview
from invoices.forms import MOST, period_field
from invoices.models import Invoice, InvoiceStatus, RunStep
from invoices.queries.billing import billing_of
from invoices.queries.papers import listed, show
from invoices.queries.preview import Preview, PreviewRow, preview_of
from invoices.queries.runs import get_run, progress_of, runs_of
from invoices.queries.scope import get_charged_customer, get_ledger, get_managed_invoice
from invoices.views.shared import kept_ledger, months, period_of
from invoices.wording_forms import WordingForm

PER_PAGE = 50
# What the list of customers can be narrowed to.
SHOWN = ("", "ready", "trouble", "blocked")


class RunForm(forms.Form):
    institution = forms.IntegerField(min_value=1, max_value=MOST)
    period = period_field()
    step = forms.ChoiceField(choices=RunStep.choices)
    only = forms.TypedMultipleChoiceField(required=False, coerce=int)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        # Ids that are not there choose nothing, as those of others do.
        given = [one for one in data.getlist("only") if one.isascii() and one.isdigit()]
        self.fields["only"].choices = [(one, one) for one in given]  # type: ignore[attr-defined]  # a ChoiceField


@page
@require_GET
def run(request: HttpRequest) -> HttpResponse:
    """What the month's run would bill, by customer, with what blocks it."""
    institution, period = kept_ledger(request), period_of(request)
    preview, shown = preview_of(institution, period), _shown(request)
    active = runs_of(institution.pk).filter(state="active").first()
    context = {
        "preview": preview,
        "page_obj": Paginator(_narrowed(preview, shown), PER_PAGE).get_page(request.GET.get("page")),
        "shown": shown,
        "filters": _choices(preview),
        "months": months(period),
        "progress": progress_of(active) if active else None,
        "runs": runs_of(institution.pk)[:6],
        "totals": preview.totals(),
        "drafts": Invoice.objects.filter(institution=institution, period=period, status=InvoiceStatus.DRAFT).count(),
        "query": request.GET.urlencode(),
        "nav": "invoices:desk",
    }
    return render(request, "invoices/run.html", context)


@page
@require_GET
def preview_export(request: HttpRequest, form: Format) -> tables.Download:
    """The list as seen."""
    preview = preview_of(kept_ledger(request), period_of(request))
    return export_preview(preview, _narrowed(preview, _shown(request)), form)


def _shown(request: HttpRequest) -> str:
    wanted = request.GET.get("show", "")
    return wanted if wanted in SHOWN else ""


def _narrowed(preview: Preview, shown: str) -> list[PreviewRow]:
    return [row for row in preview.rows if not shown or _belongs(row, shown)]


def _belongs(row: PreviewRow, shown: str) -> bool:
    if shown == "ready":
        return row.can_be_drafted and not row.troubles
    return bool(row.troubles) if shown == "trouble" else row.blocked or not row.can_be_drafted


def _choices(preview: Preview) -> list[tuple[str, str, int]]:
    words = (_("All"), _("Ready"), _("With notes"), _("Not billed now"))
    return [(key, word, len(_narrowed(preview, key))) for key, word in zip(SHOWN, words, strict=True)]


@page
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    data = checked(RunForm(request.POST))
    institution = get_ledger(access(request), data["institution"])
    begun = start_run(
        institution=institution,
        period=data["period"],
        step=data["step"],
        by=person(request),
        only=None if "all" in request.POST else data["only"],
    )
    return go(request, reverse("invoices:progress", args=[begun.pk]))


@page
@require_GET
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The page of a run; asked by itself it draws only what changes."""
    found = get_run(access(request), pk)
    template = "invoices/_progress.html" if request.headers.get("HX-Request") else "invoices/progress.html"
    return render(request, template, {"progress": progress_of(found), "nav": "invoices:desk"})


@page
@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    found = cancel_run(run=get_run(access(request), pk), by=person(request))
    messages.success(request, _("The run was stopped; what is done stays."))
    return go(request, reverse("invoices:progress", args=[found.pk]))


@page
@require_GET
def drafts(request: HttpRequest) -> HttpResponse:
    """All drafts of the month, to look through and to issue at once or some of them."""
    institution, period = kept_ledger(request), period_of(request)
    mine = Invoice.objects.filter(institution=institution, period=period, status=InvoiceStatus.DRAFT)
    page_obj = Paginator(listed(mine).order_by("customer__name", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "institution": institution,
        "page_obj": page_obj,
        "rows": show(list(page_obj.object_list)),
        "months": months(period),
        "billing": billing_of(institution.pk),
        "query": f"institution={institution.pk}&period={period}&status=draft",
        "nav": "invoices:desk",
    }
    return render(request, "invoices/drafts.html", context)


@page
@require_http_methods(["GET", "POST"])
def words(request: HttpRequest, pk: int) -> HttpResponse:
    """What finance may write on a draft; amounts come from the charges alone."""
    draft = get_managed_invoice(access(request), pk)
    form = WordingForm(request.POST if request.method == "POST" else None, initial=draft.wording)
    if request.method == "POST" and form.is_valid():
        word_draft(invoice=draft, wording=form.cleaned_data, by=person(request))
        messages.success(request, _("The words are saved."))
        return go(request, reverse("invoices:invoice", args=[pk]))
    context = {"invoice": draft, "form": form, "nav": "invoices:desk"}
    return render(request, "invoices/words.html", context, status=422 if form.is_bound else 200)


@page
@require_POST
def ask(request: HttpRequest, institution: int, customer: int) -> HttpResponse:
    """Ask a customer for the tax data that its invoices lack."""
    ledger = get_ledger(access(request), institution)
    asked = get_charged_customer(ledger.pk, customer)
    ask_for_tax_data(institution=ledger, customer=asked, by=person(request))
    messages.success(request, _("%(customer)s was asked.") % {"customer": asked.name})
    return go(request, reverse("invoices:run"))
