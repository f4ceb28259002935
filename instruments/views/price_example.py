"""What the price form says so far: in sentences, and tried out."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from backend.accounts.auth import access, page
from instruments.forms.preset import preset_values
from instruments.forms.prices import PricePresetForm
from instruments.pricing.reading import parse_price_list
from instruments.pricing.sentences import describe
from instruments.queries.detail import audience_labels, price_labels, price_list_in_force
from instruments.queries.examples import worked_examples
from instruments.queries.rights import get_managed_instrument


@page
@require_POST
def price_example(request: HttpRequest, pk: int) -> HttpResponse:
    """Reads only; a form that is not complete yet gives a hint instead."""
    instrument = get_managed_instrument(access(request), pk)
    current = price_list_in_force(instrument)
    base = current.document if current is not None and preset_values(current.document) is not None else None
    form = PricePresetForm(request.POST, modes=instrument.modes, base=base)
    context: dict[str, object] = {}
    if form.is_valid():
        document = form.document(instrument.institution.currency)
        day = form.cleaned_data["valid_from"] or timezone.localdate(timezone=instrument.zone)
        context = {
            "sentences": [sentence for _code, sentence in describe(parse_price_list(document), price_labels())],
            "examples": worked_examples(document, instrument, audience_labels(), day),
            "currency": instrument.institution.currency,
        }
    return render(request, "instruments/_price_example.html", context)
