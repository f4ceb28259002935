"""Batches for the tax platform: choose, download, discard, and write the numbers back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import invalid
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from backend.core.money import add_up
from instruments.actions.import_table import LARGEST_FILE, read_table
from invoices import rules
from invoices.actions.batches import discard_batch, judge_results, make_batches, write_results
from invoices.export_forms import BatchForm, ResultsForm
from invoices.exports import batch
from invoices.fapiao.layout import layout_for
from invoices.fapiao.results import as_text, read_results
from invoices.queries.fapiao import (
    batches_of,
    get_batch,
    parts_of,
    plan_of,
    red_wanted,
    today_of,
    without_earlier,
)
from invoices.views.shared import kept_ledger


def _period(request: HttpRequest) -> str:
    period = request.GET.get("period", "")
    return period if rules.is_period(period) else ""


@page
@require_http_methods(["GET", "HEAD", "POST"])
def fapiao_batch(request: HttpRequest) -> HttpResponse:
    """What can go into a batch and what must be mended before; the batches made so far."""
    institution = kept_ledger(request)
    if request.method == "POST":
        chosen = checked(BatchForm(request.POST))
        made = make_batches(institution=institution, by=person(request), **chosen)
        text = ngettext("Batch %(numbers)s made.", "Batches %(numbers)s made.", len(made))
        messages.success(request, text % {"numbers": ", ".join(str(one.number) for one in made)})
        if len(made) == 1:
            return go(request, reverse("invoices:batch_page", args=[made[0].pk]))
        return go(request, reverse("invoices:batch"))
    plan = plan_of(institution, today_of(institution), _period(request))
    ready = plan.ready
    context = {
        "plan": plan,
        "fresh": [paper for paper in ready if paper.invoice.pk not in plan.earlier],
        "earlier": [(paper, plan.earlier[paper.invoice.pk]) for paper in ready if paper.invoice.pk in plan.earlier],
        "total": add_up(paper.invoice.total for paper in ready if paper.invoice.pk not in plan.earlier),
        "red": red_wanted(institution),
        "batches": batches_of(institution),
        "institution": institution,
        "period": _period(request),
        "nav": "invoices:desk",
    }
    return render(request, "invoices/batch.html", context)


@page
@require_GET
def fapiao_batch_export(request: HttpRequest, form: Format) -> HttpResponse:
    """What the next batch would hold; remembers nothing."""
    institution, period = kept_ledger(request), _period(request)
    plan = plan_of(institution, today_of(institution), period)
    plan = plan if request.GET.get("again") else without_earlier(plan)
    return batch.plan_response(plan, form, "-".join(filter(None, ["fapiao-batch", period])))


@page
@require_GET
def batch_page(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_batch(access(request), pk)
    parts = parts_of(found)
    context = {
        "batch": found,
        "parts": parts,
        "noted": sum(bool(part.number) for part in parts),
        "nav": "invoices:desk",
    }
    return render(request, "invoices/batch_page.html", context)


@page
@require_GET
def batch_file(request: HttpRequest, pk: int) -> HttpResponse:
    return batch.batch_response(get_batch(access(request), pk))


@page
@require_POST
def batch_discard(request: HttpRequest, pk: int) -> HttpResponse:
    discard_batch(batch=get_batch(access(request), pk), by=person(request))
    messages.success(request, _("The batch was discarded; its invoices can go into another."))
    return go(request, reverse("invoices:batch"))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def fapiao_results(request: HttpRequest) -> HttpResponse:
    """Upload, look at every row, confirm. What is confirmed is judged again before anything is written."""
    institution = kept_ledger(request)
    form = ResultsForm(request.POST or None, request.FILES or None)
    context = {"institution": institution, "form": form, "nav": "invoices:desk"}
    if request.method != "POST":
        return render(request, "invoices/results.html", context)
    data = checked(form)
    file = data["file"]
    content = file.read(LARGEST_FILE + 1) if file else data["text"].encode()
    if not content.strip():
        raise invalid("file", _("Choose a file."), code="required")
    pairs = read_results(read_table(content), layout_for(today_of(institution)))
    if data["confirmed"]:
        results = write_results(institution=institution, pairs=pairs, by=person(request))
        written = sum(not result.problem and not result.same for result in results)
        text = ngettext("%(count)s fapiao number noted.", "%(count)s fapiao numbers noted.", written)
        messages.success(request, text % {"count": written})
        return go(request, reverse("invoices:batch"))
    results = judge_results(institution=institution, pairs=pairs)
    context |= {
        "results": results,
        "good": sum(not result.problem and not result.same for result in results),
        "bad": [result for result in results if result.problem],
        "text": as_text(pairs),
    }
    return render(request, "invoices/results_preview.html", context)
