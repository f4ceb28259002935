"""Managing instruments: the list, creating, the fields of one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.accounts.auth import access, page, person
from backend.accounts.queries import Access
from backend.core.errors import NotFound
from backend.core.http import go
from backend.core.text import has_control_characters, whole_number
from instruments.actions import catalogue
from instruments.forms.details import NECESSARY, SECTIONS, InstrumentForm
from instruments.forms.sections import sections_of
from instruments.models import Condition, Instrument, Sharing
from instruments.queries.managed import gaps, managed_list
from instruments.queries.plain_words import in_plain_words
from instruments.queries.rights import (
    get_managed_instrument,
    importable,
    institution_to_manage,
    institutions_of_desks,
    manages_any,
    manages_everything,
)

PAGE_SIZE = 50


@page
@require_safe
def manage(request: HttpRequest) -> HttpResponse:
    """Managers and administrators of institutions only."""
    mine = access(request)
    if not manages_any(mine):
        raise NotFound
    q = request.GET.get("q", "")[:200]
    chosen = request.GET.get("institution", "")
    rows = managed_list(
        mine,
        q="" if has_control_characters(q) else q,
        missing=request.GET.get("missing", ""),
        state=request.GET.get("state", ""),
        institution=whole_number(chosen) or 0,
    )
    institutions = institutions_of_desks(mine)
    context = {
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "may_import": bool(importable(mine)),
        "several": len(institutions) > 1,
        "institutions": [(one.pk, one.name) for one in institutions],
        "states": [*Condition.choices, *((v, w) for v, w in Sharing.choices if v != Sharing.EXTERNAL)],
        "figures": _figures(gaps(mine)),
        "filtered": bool(set(request.GET) & {"q", "missing", "state", "institution"}),
    }
    return render(request, "instruments/manage.html", context)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    mine = access(request)
    institutions = institutions_of_desks(mine)
    chosen = request.POST.get("institution") or request.GET.get("institution") or ""
    named = whole_number(chosen)
    if named is None and institutions:
        named = institutions[0].pk
    institution = institution_to_manage(mine, named)
    blank = Instrument(institution=institution, region=institution.region, timezone=institution.timezone)
    form = InstrumentForm(request.POST or None, institution=institution, only=NECESSARY, instance=blank)
    if request.method == "POST" and form.is_valid():
        made = catalogue.create_instrument(institution=institution, by=person(request), values=form.values())
        messages.success(request, _("The instrument is in the list. Now give its opening hours and prices."))
        return saved(request, "instruments:hours", made)
    context = {"form": form, "institution": institution, "institutions": institutions}
    return shown(request, "instruments/create.html", "instruments/_create.html", context, form.is_bound)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, pk: int) -> HttpResponse:
    """What is said of an instrument, in sections; the one named in the address is open as a form."""
    instrument = get_managed_instrument(access(request), pk)
    section = request.GET.get("section", "")
    form = None
    if section in SECTIONS:
        form = InstrumentForm(
            request.POST or None,
            institution=instrument.institution,
            only=_fields_for(access(request), instrument, section),
            instance=instrument,
        )
    elif request.method == "POST":
        raise NotFound
    if form is not None and request.method == "POST" and form.is_valid():
        _save(request, instrument, form)
        messages.success(request, _("Saved."))
        return saved(request, "instruments:settings", instrument)
    # A form that was filled in has already changed the object; what is shown beside it is what is stored.
    stored = get_managed_instrument(access(request), pk)
    context = {
        "instrument": stored,
        "sections": sections_of(stored),
        "section": section,
        "form": form,
        "version": request.POST.get("version") or stored.version,
        "photos": list(stored.photos.all()),
        "summary": in_plain_words(stored),
        "tab": "settings",
    }
    refused = form is not None and form.is_bound
    return shown(request, "instruments/settings.html", "instruments/_sections.html", context, refused)


def _fields_for(mine: Access, instrument: Instrument, section: str) -> list[str]:
    """Who else manages it is said by those who manage every instrument of the institution."""
    names = manages_everything(mine, instrument.institution_id)
    return [name for name in SECTIONS[section][1] if names or name != "managers"]


def _save(request: HttpRequest, instrument: Instrument, form: InstrumentForm) -> None:
    version = request.POST.get("version", "")
    catalogue.update_instrument(
        instrument=instrument,
        by=person(request),
        values=form.values(),
        techniques=form.cleaned_data.get("techniques"),
        managers=form.cleaned_data.get("managers"),
        version=whole_number(version),
    )


def saved(request: HttpRequest, name: str, instrument: Instrument) -> HttpResponse:
    """Show the page anew, with its message."""
    return go(request, reverse(name, args=[instrument.pk]))


def shown(request: HttpRequest, whole: str, part: str, context: dict[str, Any], refused: bool) -> HttpResponse:
    """The page, or for HTMX the form alone; 422 where something in it is wrong."""
    template = part if request.headers.get("HX-Request") else whole
    return render(request, template, context, status=422 if refused else 200)


def _figures(counts: Any) -> list[dict[str, Any]]:
    return [
        {
            "label": _("Without opening hours"),
            "value": counts["hours"],
            "url": "?missing=hours",
            "tone": "wait" if counts["hours"] else "",
        },
        {
            "label": _("Without prices"),
            "value": counts["prices"],
            "url": "?missing=prices",
            "tone": "wait" if counts["prices"] else "",
        },
    ]
