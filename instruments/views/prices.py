"""Price lists: the rules of one as cards, its versions, the short form, and the JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.accounts.auth import access, page, person
from backend.core.errors import Refusal
from backend.core.http import go
from backend.core.text import whole_number
from instruments.actions.agreed_prices import save_agreed_prices
from instruments.actions.prices import save_price_list
from instruments.forms.preset import preset_values
from instruments.forms.prices import PriceDocumentForm, PricePresetForm, SaveVersionForm
from instruments.models import PriceList
from instruments.price_forms.kinds import ABOUT
from instruments.price_forms.starting import PriceStart, starting_forms
from instruments.pricing.reading import parse_price_list
from instruments.queries.price_cards import changed_sentences, show_price_list
from instruments.queries.price_holders import Kind, PriceHolder, get_price_holder
from instruments.views.manage import shown
from instruments.views.price_draft import PriceDesk, addresses, drop, empty, open_desk, other_language, shown_holder
from instruments.views.price_public import board_of
from instruments.views.price_try import trial


@page
@require_http_methods(["GET", "HEAD", "POST"])
def prices(request: HttpRequest, pk: int, kind: Kind = "instrument") -> HttpResponse:
    """The rules as cards, the versions, and the short form, which makes the next version at once."""
    holder = get_price_holder(access(request), kind, pk)
    desk = open_desk(request, holder)
    preset, _is_preset = _short_form(request, desk)
    if request.method == "POST" and preset.is_valid():
        document = preset.document(holder.institution.currency)
        return save_version(request, holder, document, preset.cleaned_data["valid_from"])
    return prices_page(request, desk, preset=preset if preset.is_bound else None)


def prices_page(
    request: HttpRequest,
    desk: PriceDesk,
    *,
    preset: PricePresetForm | None = None,
    starting: PriceStart | None = None,
    refusals: Sequence[Refusal] = (),
) -> HttpResponse:
    """``starting`` is the card that was sent with something wrong in it; ``refusals`` speak against saving."""
    holder = desk.holder
    short, is_preset = _short_form(request, desk)
    rules = parse_price_list(desk.document)
    shown_rules = show_price_list(rules, other_language())
    told = {str(each.detail) for each in (*shown_rules.problems, *_told(shown_rules))}
    context: dict[str, Any] = {
        **shown_holder(holder),
        **trial(request, desk),
        "shown": shown_rules,
        "document_name": rules.name if "name" in desk.document else "",
        "holidays": sorted(rules.holidays),
        "refusals": [each for each in refusals if str(each.detail) not in told],
        "refused": bool(refusals),
        "other_language": other_language(),
        "desk": desk,
        "preset": preset or short,
        "is_preset": is_preset,
        "document_form": PriceDocumentForm(initial={"valid_from": holder.today}),
        "versions": holder.versions(),
        "current": holder.in_force(),
        "today": holder.today,
        "version": _chosen(request, holder) or desk.current,
        "kinds": [(kind, *about) for kind, about in ABOUT.items()],
        "starters": [starting if starting and each.code == starting.code else each for each in starting_forms()],
        "started": starting.code if starting else "",
    }
    if context["version"]:
        context["board"] = board_of(context["version"])
    if desk.changed:
        gone, come = changed_sentences(desk.current.document if desk.current else None, rules)
        context |= {"gone": gone, "come": come, "save_form": SaveVersionForm(holder.today if desk.base else None)}
    wrong = bool(refusals) or starting is not None or preset is not None
    return shown(request, "instruments/prices.html", "instruments/_preset.html", context, wrong) if preset else render(
        request, "instruments/prices.html", context, status=422 if wrong else 200
    )  # fmt: skip


def _told(found: Any) -> list[Refusal]:
    return [each for one in (*found.cards, *found.parts) for each in one.problems]


@page
@require_POST
def import_prices(request: HttpRequest, pk: int, kind: Kind = "instrument") -> HttpResponse:
    """A new version from JSON."""
    holder = get_price_holder(access(request), kind, pk)
    form = PriceDocumentForm(request.POST, request.FILES)
    if form.is_valid():
        return save_version(request, holder, form.cleaned_data["document"], form.cleaned_data["valid_from"])
    context = {**shown_holder(holder), "document_form": form}
    return shown(request, "instruments/import_prices.html", "instruments/_price_document.html", context, True)


@page
@require_safe
def export_prices(request: HttpRequest, pk: int, version: int, kind: Kind = "instrument") -> HttpResponse:
    """The document of a version, as a file."""
    holder = get_price_holder(access(request), kind, pk)
    found = get_object_or_404(holder.versions(), version=version)
    text = json.dumps(found.document, ensure_ascii=False, indent=2)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="prices-{holder.pk}-v{found.version}.json"'
    return response


def save_version(
    request: HttpRequest,
    holder: PriceHolder,
    document: dict[str, Any],
    valid_from: date | None,
    *,
    base: int | None = None,
) -> HttpResponse:
    """A new version of the holder's list, after which nothing is left to change."""
    values: dict[str, Any] = {"by": person(request), "document": document, "valid_from": valid_from, "base": base}
    if holder.agreement:
        made = save_agreed_prices(agreement=holder.agreement, **values)
    else:
        assert holder.instrument is not None
        made = save_price_list(instrument=holder.instrument, **values)
    drop(request, holder)
    messages.success(request, _("Version %(version)s is saved.") % {"version": made.version})
    return go(request, addresses(holder)["page_url"])


def _short_form(request: HttpRequest, desk: PriceDesk) -> tuple[PricePresetForm, bool]:
    """The form and whether it can say all that the list in force says."""
    current = desk.current
    known = preset_values(current.document) if current else {}
    first = {"valid_from": desk.holder.today, "name": empty(desk.holder)["name"], "clock": "booked"}
    form = PricePresetForm(
        request.POST if request.method == "POST" and request.POST.get("valid_from") is not None else None,
        modes=list(desk.holder.modes),
        initial={**first, **(known or {})},
        base=current.document if current is not None and known is not None else None,
    )
    return form, known is not None


def _chosen(request: HttpRequest, holder: PriceHolder) -> PriceList | None:
    number = whole_number(request.GET.get("version", ""), digits=8)
    return holder.versions().filter(version=number).first() if number is not None else None
