"""The settings of exports, the journal of a month, and the page that leads to every export."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.core.export import Format, attachment
from backend.core.http import go
from invoices import export_forms as shapes
from invoices import rules
from invoices.actions.journals import mark_exported
from invoices.actions.settings import save_setting
from invoices.books.entries import Gaps
from invoices.books.mapping import presets
from invoices.exports import tables
from invoices.exports.journal import export_journal
from invoices.exports.ubl import ubl_response
from invoices.fapiao.layout import layout_for
from invoices.models import BookKind, BookSetting
from invoices.queries.books import gap_sentences, mapping_of, role_words, summary_of, vouchers_of
from invoices.queries.fapiao import setting_of, today_of
from invoices.queries.scope import RECEIVERS, charges_to_export, finance_of, get_visible_invoice, visible_invoices
from invoices.views.shared import kept_ledger, ledger_of, months, period_of

# Vouchers on the page of a month; the files have all.
MOST_SHOWN = 50


def _version(request: HttpRequest) -> int | None:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _pasted(request: HttpRequest) -> dict[str, Any]:
    file = request.FILES.get("file")
    text = file.read(shapes.LARGEST_JSON + 1).decode("utf-8-sig", "replace") if file else request.POST.get("json", "")
    return shapes.json_content(text)


def _save(
    request: HttpRequest, institution: Organisation, kind: BookKind, content: dict[str, Any], to: str
) -> HttpResponse:
    save_setting(institution=institution, kind=kind, content=content, version=_version(request), by=person(request))
    messages.success(request, _("Saved."))
    return go(request, reverse(to))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def fapiao_settings(request: HttpRequest) -> HttpResponse:
    institution = kept_ledger(request)
    if request.method == "POST":
        if request.POST.get("do") == "json":
            content = _pasted(request)
        else:
            content = shapes.filling_content(shapes.FillingForm(request.POST), shapes.ClassRows(request.POST))
        return _save(request, institution, BookKind.FAPIAO, content, "invoices:fapiao_settings")
    setting = setting_of(institution.pk, BookKind.FAPIAO)
    content = setting.content if setting else {}
    context = {
        **_setting(institution, setting),
        "form": shapes.FillingForm(initial=shapes.filling_initial(content)),
        "rows": shapes.ClassRows(initial=content.get("classes", [])),
        "layout": layout_for(today_of(institution)),
    }
    return render(request, "invoices/fapiao_settings.html", context)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def accounts(request: HttpRequest) -> HttpResponse:
    """Which account takes what; a preset fills an empty mapping."""
    institution = kept_ledger(request)
    if request.method == "POST":
        if request.POST.get("do") == "json":
            content = _pasted(request)
        elif request.POST.get("do") in presets():
            content = presets()[request.POST["do"]]
        else:
            rows = shapes.RoleRows(request.POST, prefix="role"), shapes.RevenueRows(request.POST, prefix="revenue")
            content = shapes.mapping_content(shapes.MappingForm(request.POST), *rows)
        return _save(request, institution, BookKind.ACCOUNTS, content, "invoices:accounts")
    setting = setting_of(institution.pk, BookKind.ACCOUNTS)
    content = setting.content if setting else {"word": "记", "summary": "{customer} {number}"}
    roles, revenue = shapes.mapping_rows(content)
    forms = shapes.RoleRows(initial=roles, prefix="role")
    words = role_words()
    context = {
        **_setting(institution, setting),
        "form": shapes.MappingForm(initial=content),
        "roles": forms,
        "named_roles": [(form, words[form["role"].value()]) for form in forms],
        "revenue": shapes.RevenueRows(initial=revenue, prefix="revenue"),
    }
    return render(request, "invoices/accounts.html", context)


def _setting(institution: Organisation, setting: BookSetting | None) -> dict[str, Any]:
    return {
        "institution": institution,
        "setting": setting,
        "version": setting.version if setting else 0,
        "content": setting.content if setting else {},
        "nav": "invoices:desk",
    }


@page
@require_GET
def setting_json(request: HttpRequest, kind: str) -> HttpResponse:
    """What was saved, as a file to keep or to use elsewhere."""
    setting = setting_of(kept_ledger(request).pk, BookKind(kind))
    response = JsonResponse(setting.content if setting else {}, json_dumps_params={"ensure_ascii": False, "indent": 2})
    response["Content-Disposition"] = attachment(f"{kind}.json")
    response["Cache-Control"] = "private, no-store"
    return response


@page
@require_http_methods(["GET", "HEAD", "POST"])
def journal(request: HttpRequest) -> HttpResponse:
    """The month's entries: what is missing, what was exported, and the files."""
    institution = kept_ledger(request)
    if request.method == "POST":
        period = request.POST.get("period", "")
        mark_exported(institution=institution, period=period, again="again" in request.POST, by=person(request))
        messages.success(request, _("Noted as exported. The files are below."))
        return go(request, f"{reverse('invoices:journal')}?period={period}")
    period = period_of(request)
    mapping = mapping_of(institution.pk)
    summary = summary_of(institution, period, mapping) if mapping else None
    context = {
        "institution": institution,
        "months": months(period),
        "summary": summary,
        "gaps": gap_sentences(summary.gaps) if summary else [],
        "vouchers": list(islice(vouchers_of(institution, period, mapping, Gaps()), MOST_SHOWN)) if mapping else [],
        "nav": "invoices:desk",
    }
    return render(request, "invoices/journal.html", context)


@page
@require_GET
def journal_export(request: HttpRequest, form: Format) -> tables.Download:
    return export_journal(kept_ledger(request), period_of(request), form)


@page
@require_GET
def ubl(request: HttpRequest, pk: int) -> HttpResponse:
    return ubl_response(get_visible_invoice(access(request), pk))


# --- every export on one page --------------------------------------------------------------------------------------


@page
@require_GET
def charges_export(request: HttpRequest, form: Format) -> tables.Download:
    asked = _asked(request)
    rows = charges_to_export(access(request), asked["period"], asked["institution"], asked["state"])
    return tables.export_charges(rows, form, "-".join(filter(None, ["charges", asked["period"]])))


@page
@require_GET
def centre(request: HttpRequest) -> HttpResponse:
    """All tables that the person may have, with the filters that they share."""
    may = access(request)
    keeps, receives = bool(finance_of(may)), bool(may.where(*RECEIVERS))
    asked = _asked(request)
    choices = shapes.CentreForm()
    parties = visible_invoices(may).order_by().values("institution")
    ledger = ledger_of(request)
    context = {
        "sections": _sections(asked, keeps=keeps, receives=receives),
        "asked": asked,
        "statuses": choices.fields["status"].choices,  # type: ignore[attr-defined]  # a ChoiceField
        "states": choices.fields["state"].choices,  # type: ignore[attr-defined]  # a ChoiceField
        "institutions": list(Organisation.objects.filter(pk__in=parties).order_by("name")[:300]),
        "keeps": keeps,
        "month": asked["period"] or rules.period_of(timezone.localdate()),
        "ledger": ledger,
        "nav": "invoices:desk" if keeps else "invoices:mine",
    }
    return render(request, "invoices/centre.html", context)


def _asked(request: HttpRequest) -> dict[str, Any]:
    form = shapes.CentreForm(request.GET)
    form.is_valid()
    return {key: form.cleaned_data.get(key) or "" for key in form.fields}


def _sections(asked: dict[str, Any], *, keeps: bool, receives: bool) -> list[dict[str, Any]]:
    """Name, what it is for, and the addresses of the two files, as filtered."""
    papers = ("period", "institution", "status")
    rows: list[tuple[str, str, str, Sequence[Any], Sequence[str], bool]] = [
        (_("Invoices"), _("One row for each invoice and credit note: parties, totals, what is paid and open."),
         "invoices:export", ["invoices"], papers, keeps or receives),
        (_("Invoice lines"), _("Every line with date, instrument, person, project and calculation."),
         "invoices:export", ["lines"], papers, keeps or receives),
        (_("Payments"), _("Money that came in, with reversals below zero."),
         "invoices:export", ["payments"], papers, keeps or receives),
        (_("Charges"), _("What was used and quoted, also what stands on no invoice yet."),
         "invoices:charges_export", [], ("period", "institution", "state"), True),
        (_("Open balances"), _("Who owes how much for how long."), "invoices:ageing_export", [], (), keeps),
        (_("Usage log"), _("Times, samples and results of use, to check bills against."),
         "booking:usage_export", ["usage"], ("period", "institution"), True),
        (_("Service records"), _("Verified uses in the form of the national record."),
         "booking:usage_export", ["service-records"], ("period", "institution"), keeps),
    ]  # fmt: skip
    return [
        {"name": name, "text": text, "files": _files(view, args, {key: asked[key] for key in keys if asked[key]})}
        for name, text, view, args, keys, shown in rows
        if shown and _files(view, args, {})
    ]


def _files(view: str, args: Sequence[Any], query: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and address; nothing where another room does not have the page."""
    try:
        urls = [(word, reverse(view, args=[*args, form])) for word, form in (("Excel", "xlsx"), ("CSV", "csv"))]
    except NoReverseMatch:
        return []
    return [(word, f"{url}?{urlencode(query)}" if query else url) for word, url in urls]
