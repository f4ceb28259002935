"""Try it: what the rules, saved or not, would say to somebody's wish, and to the bookings that stand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from backend.accounts.auth import access, page
from backend.core.errors import Invalid
from backend.core.fields import checked
from backend.core.text import whole_number
from booking.actions.requesting import quote_out
from booking.models import Layer
from booking.policy_forms.editor import sent
from booking.policy_forms.trying import TryForm
from booking.queries.behalf import party_by_email
from booking.queries.holders import Holder, get_holder
from booking.queries.trying import Tried, try_rules, typical
from booking.queries.wishes import Assessment, Wish
from booking.views import show
from booking.views.policy_draft import addresses, open_desk
from instruments.models import Instrument

MOST = 300


def trial(request: HttpRequest, holder: Holder) -> dict[str, Any]:
    """The panel as it is first shown: tomorrow morning, on the layer's first instrument."""
    instruments = _instruments(holder)
    morning = (timezone.now().astimezone(holder.zone) + timedelta(days=1)).date()
    times = {"start": f"{morning}T09:00", "end": f"{morning}T11:00"}
    form = TryForm(zone=holder.zone, instruments=instruments, initial={**times, "audience": "enterprise"})
    return {"try_form": form, "can_try": bool(instruments)}


def _instruments(holder: Holder) -> list[Instrument]:
    if holder.instrument:
        return [holder.instrument]
    return list(holder.instruments().select_related("institution").order_by("name", "pk")[:MOST])


@page
@require_POST
def try_it(request: HttpRequest, pk: int = 0, layer: Layer = Layer.INSTRUMENT) -> HttpResponse:
    """With a rule's form in it the rule is tried as it stands there; writes nothing."""
    holder = get_holder(access(request), layer, pk)
    instruments = _instruments(holder)
    number = whole_number(request.POST.get("instrument", ""), digits=12)
    chosen = next((each for each in instruments if each.pk == number), None)
    zone = chosen.zone if chosen else ZoneInfo("UTC")
    form = TryForm(request.POST, zone=zone, instruments=instruments)
    data = checked(form)
    assert chosen is not None  # the form's choices are the same instruments
    user, organisation = typical(data["audience"], chosen)
    if data["email"]:
        party = party_by_email(access(request), chosen, data["email"], None)
        user, organisation = party.user, party.organisation
    wish = Wish(chosen, data["start"], data["end"], data["mode"], organisation, user, samples=data["samples"])
    desk = open_desk(request, holder)
    document = _written(request, desk.document) if request.POST.get("state") else desk.document
    changed = desk.changed or document != desk.document
    tried = try_rules(wish, layer=holder.layer, document=document if changed else None, now=timezone.now())
    return render(request, "booking/_tried.html", _shown(tried, changed) | addresses(holder))


def _written(request: HttpRequest, document: dict[str, Any]) -> dict[str, Any]:
    """The draft with the rule in the form; `Invalid` names what is wrong in it."""
    editor = sent(document, request.POST)
    if not editor.is_current or not editor.check():
        raise Invalid(*editor.refusals)
    return editor.written


def _shown(tried: Tried, changed: bool) -> dict[str, Any]:
    return {
        "tried": tried,
        "changed": changed,
        "zone": tried.wish.instrument.zone,
        "answer": _answer(tried.answer),
        "before": _answer(tried.before) if tried.before else None,
    }


def _answer(answer: Assessment) -> dict[str, Any]:
    return {
        "assessed": answer,
        "roles": show.roles_words(answer.approval.roles),
        "lines": show.lines(quote_out(answer.quote)),
    }
