"""The price lists of an instrument."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.accounts.auth import access, page, person
from instruments.actions.prices import save_price_list
from instruments.forms.preset import preset_values
from instruments.forms.prices import PriceDocumentForm, PricePresetForm
from instruments.models import Instrument, PriceList
from instruments.pricing.reading import parse_price_list
from instruments.pricing.sentences import describe
from instruments.queries.detail import price_labels, price_list_in_force, published
from instruments.queries.rights import get_managed_instrument
from instruments.views.manage import saved, shown


@page
@require_http_methods(["GET", "HEAD", "POST"])
def prices(request: HttpRequest, pk: int) -> HttpResponse:
    """Versions, the chosen one as a table and as sentences, and the form for the next."""
    instrument = get_managed_instrument(access(request), pk)
    current = price_list_in_force(instrument)
    initial, is_preset = _initial(instrument, current)
    base = current.document if current is not None and is_preset else None
    preset = PricePresetForm(request.POST or None, modes=instrument.modes, initial=initial, base=base)
    if request.method == "POST" and preset.is_valid():
        return _save(request, instrument, preset.document(instrument.institution.currency), preset.cleaned_data)
    shown_version = _chosen(request, instrument) or current
    context = {
        "instrument": instrument,
        "tab": "prices",
        "preset": preset,
        "is_preset": is_preset,
        "document_form": PriceDocumentForm(initial={"valid_from": initial["valid_from"]}),
        "versions": instrument.price_lists.select_related("created_by").order_by("-valid_from", "-version"),
        "current": current,
        "today": timezone.localdate(timezone=instrument.zone),
        "version": shown_version,
        **_explained(shown_version),
    }
    refused = preset.is_bound
    return shown(request, "instruments/prices.html", "instruments/_preset.html", context, refused)


@page
@require_POST
def import_prices(request: HttpRequest, pk: int) -> HttpResponse:
    """A new version from JSON."""
    instrument = get_managed_instrument(access(request), pk)
    form = PriceDocumentForm(request.POST, request.FILES)
    if form.is_valid():
        return _save(request, instrument, form.cleaned_data["document"], form.cleaned_data)
    context = {"instrument": instrument, "document_form": form, "tab": "prices"}
    return shown(request, "instruments/import_prices.html", "instruments/_price_document.html", context, True)


@page
@require_safe
def export_prices(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """The document of a version, as a file."""
    instrument = get_managed_instrument(access(request), pk)
    found = get_object_or_404(instrument.price_lists, version=version)
    text = json.dumps(found.document, ensure_ascii=False, indent=2)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="prices-{instrument.pk}-v{found.version}.json"'
    return response


def _save(
    request: HttpRequest, instrument: Instrument, document: dict[str, Any], values: dict[str, Any]
) -> HttpResponse:
    made = save_price_list(
        instrument=instrument, by=person(request), document=document, valid_from=values["valid_from"]
    )
    messages.success(request, _("Version %(version)s is saved.") % {"version": made.version})
    return saved(request, "instruments:prices", instrument)


def _initial(instrument: Instrument, current: PriceList | None) -> tuple[dict[str, Any], bool]:
    """The form's first values, and whether it can say all that the current list says."""
    today = timezone.localdate(timezone=instrument.zone)
    with translation.override(settings.LANGUAGE_CODE):
        name = _("Prices of %(name)s") % {"name": instrument.name[:60]}
    first = {"valid_from": today, "name": name, "clock": "booked"}
    if current is None:
        return first, True
    known = preset_values(current.document)
    return {**first, **(known or {})}, known is not None


def _chosen(request: HttpRequest, instrument: Instrument) -> PriceList | None:
    number = request.GET.get("version", "")
    return (
        instrument.price_lists.filter(version=int(number)).first() if number.isdecimal() and len(number) < 8 else None
    )


def _explained(version: PriceList | None) -> dict[str, Any]:
    if version is None:
        return {"table": None, "sentences": []}
    rules = parse_price_list(version.document)
    names = {rule.code: rule.name for rule in rules.rules}
    units = {
        "hour": _("hour"), "sample": _("sample"), "use": _("use"), "day": _("day"), "percent": "%",
    }  # fmt: skip
    table = published(version)
    for row in table["rows"]:
        row["unit_word"] = units.get(row["unit"], row["unit"])
    sentences = [(names[code], sentence) for code, sentence in describe(rules, price_labels())]
    return {"table": table, "sentences": sentences}
