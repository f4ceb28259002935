"""The published prices of an instrument: a page to read and print, and a calculator."""

from __future__ import annotations

from itertools import groupby
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, current_organisation
from backend.core.errors import Invalid, NotFound
from instruments.models import Instrument, PriceList
from instruments.price_forms.trying import TrialForm, usual_trial
from instruments.pricing.board import BoardItem, price_board
from instruments.pricing.reading import parse_price_list
from instruments.pricing.units import unit_label
from instruments.queries.detail import price_labels, price_list_in_force
from instruments.queries.rights import get_visible_instrument
from instruments.queries.trials import try_prices
from instruments.queries.viewers import viewer_of


@require_GET
def price_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The list in force today and the next one that is planned; open to whoever sees the instrument."""
    instrument, current = _priced(request, pk)
    today = timezone.localdate(timezone=instrument.zone)
    planned = instrument.price_lists.filter(valid_from__gt=today).order_by("valid_from", "-version").first()
    context = {
        "instrument": instrument,
        "version": current,
        "board": board_of(current),
        "planned": planned,
        "planned_board": board_of(planned) if planned else None,
        "form": _form(request, instrument, current),
    }
    return render(request, "instruments/price_page.html", context)


@require_GET
def calculator(request: HttpRequest, pk: int) -> HttpResponse:
    """The form alone, for the page of the instrument."""
    instrument, current = _priced(request, pk)
    context = {"instrument": instrument, "form": _form(request, instrument, current)}
    return render(request, "instruments/_calculator.html", context)


@require_POST
def calculate(request: HttpRequest, pk: int) -> HttpResponse:
    """What a use would cost, line by line; writes nothing."""
    instrument, current = _priced(request, pk)
    form = _form(request, instrument, current, request.POST)
    if not form.is_valid():
        return render(request, "instruments/_price_tried.html", {"tried": None, "errors": form.errors.values()})
    try:
        tried = try_prices(form.price_list, form.records(instrument.local_no), instrument.zone)
    except Invalid as error:
        errors = [[str(each.detail) for each in error.refusals]]
        return render(request, "instruments/_price_tried.html", {"tried": None, "errors": errors})
    return render(request, "instruments/_price_tried.html", {"tried": tried})


def _priced(request: HttpRequest, pk: int) -> tuple[Instrument, PriceList]:
    instrument = get_visible_instrument(access(request), pk)
    current = price_list_in_force(instrument)
    if current is None:
        raise NotFound
    return instrument, current


def _form(request: HttpRequest, instrument: Instrument, current: PriceList, data: Any = None) -> TrialForm:
    viewer = viewer_of(access(request), current_organisation(request))
    today = timezone.localdate(timezone=instrument.zone)
    return TrialForm(
        data,
        price_list=parse_price_list(current.document),
        document=current.document,
        modes=instrument.modes,
        whole=False,
        initial=usual_trial(today, instrument.modes, viewer.audience(instrument.institution_id)),
    )


def board_of(version: PriceList) -> dict[str, Any]:
    """The list as it is put up, with the words of its units."""
    board = price_board(parse_price_list(version.document), price_labels())
    items: list[dict[str, Any]] = [{"item": item, "unit": unit_label(item.unit)} for item in board.items]
    tables = [
        {"columns": columns, "entries": list(entries), "span": max(1, len(columns)) + 1}
        for columns, entries in groupby(items, lambda entry: cast("BoardItem", entry["item"]).columns)
    ]
    return {"tables": tables, "terms": board.terms, "bands": board.bands, "currency": version.currency}
