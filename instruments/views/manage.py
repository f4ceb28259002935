"""Managing instruments: the list, creating, the fields of one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from backend.accounts.auth import access, page, person
from backend.core.errors import NotFound
from backend.core.text import has_control_characters
from instruments.actions import catalogue
from instruments.forms.details import InstrumentForm
from instruments.models import Condition, Instrument, Sharing
from instruments.queries.managed import gaps, institutions_of, managed_list
from instruments.queries.rights import get_managed_instrument, institution_to_manage, manages_any

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
        institution=int(chosen) if chosen.isdecimal() and len(chosen) < 18 else 0,
    )
    institutions = institutions_of(mine)
    context = {
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
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
    institutions = institutions_of(mine)
    chosen = request.POST.get("institution") or request.GET.get("institution") or ""
    named = int(chosen) if chosen.isdecimal() and len(chosen) < 18 else institutions[0].pk if institutions else None
    institution = institution_to_manage(mine, named)
    blank = Instrument(institution=institution, region=institution.region, timezone=institution.timezone)
    form = InstrumentForm(request.POST or None, institution=institution, instance=blank)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        made = catalogue.create_instrument(
            institution=institution,
            by=person(request),
            values=form.values(),
            techniques=values["techniques"],
            managers=values.get("managers", []),
        )
        messages.success(request, _("The instrument is in the list. Now give its opening hours and prices."))
        return saved(request, "instruments:hours", made)
    context = {"form": form, "institution": institution, "institutions": institutions}
    return shown(request, "instruments/create.html", "instruments/_details.html", context, form.is_bound)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, pk: int) -> HttpResponse:
    """The fields of an instrument."""
    instrument = get_managed_instrument(access(request), pk)
    seen = instrument.updated_at
    form = InstrumentForm(request.POST or None, institution=instrument.institution, instance=instrument)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        catalogue.update_instrument(
            instrument=instrument,
            by=person(request),
            values=form.values(),
            techniques=values["techniques"],
            managers=values.get("managers"),
            seen=parse_datetime(request.POST.get("seen", "")) or seen,
        )
        messages.success(request, _("Saved."))
        return saved(request, "instruments:settings", instrument)
    context = {"form": form, "instrument": instrument, "seen": seen.isoformat(), "tab": "settings"}
    return shown(request, "instruments/settings.html", "instruments/_details.html", context, form.is_bound)


def saved(request: HttpRequest, name: str, instrument: Instrument) -> HttpResponse:
    """Show the page anew, with its message."""
    response = redirect(name, instrument.pk)
    return HttpResponseClientRedirect(response["Location"]) if request.headers.get("HX-Request") else response


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
