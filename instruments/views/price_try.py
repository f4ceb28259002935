"""A use tried on a price list: beside its rules, saved or not, and as a calculator for whoever reads it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from backend.accounts.auth import access, page
from backend.core.errors import Invalid
from instruments.price_forms.editor import sent
from instruments.price_forms.trying import TrialForm, usual_trial
from instruments.pricing.reading import parse_price_list
from instruments.queries.price_holders import Kind, get_price_holder
from instruments.queries.trials import try_prices
from instruments.views.price_draft import PriceDesk, open_desk


def trial(request: HttpRequest, desk: PriceDesk) -> dict[str, Any]:
    """The panel as it is first shown; with nothing to try before there is a rule."""
    document = desk.document
    if not document.get("rules"):
        return {"can_try": False}
    return {"try_form": trial_form(desk, document), "can_try": True}


def trial_form(desk: PriceDesk, document: dict[str, Any], data: Any = None) -> TrialForm:
    holder = desk.holder
    return TrialForm(
        data,
        price_list=parse_price_list(document),
        document=document,
        modes=holder.modes,
        whole=True,
        initial=usual_trial(holder.today, holder.modes, "enterprise"),
    )


@page
@require_POST
def try_it(request: HttpRequest, pk: int, kind: Kind = "instrument") -> HttpResponse:
    """With a rule's form in it the rule is tried as it stands there; writes nothing."""
    desk = open_desk(request, get_price_holder(access(request), kind, pk))
    document, left = desk.document, False
    if request.POST.get("state"):
        editor = sent(desk.document, request.POST)
        left = not editor.check()
        document = desk.document if left else editor.written
    if not document.get("rules"):
        return render(request, "instruments/_price_tried.html", {"tried": None})
    form = trial_form(desk, document, request.POST)
    return render(request, "instruments/_price_tried.html", {"left": left, **answer_of(form, desk)})


def answer_of(form: TrialForm, desk: PriceDesk) -> dict[str, Any]:
    if not form.is_valid():
        return {"tried": None, "errors": form.errors.values()}
    try:
        return {"tried": try_prices(form.price_list, form.records(desk.holder.local_no), desk.holder.zone)}
    except Invalid as error:
        return {"tried": None, "errors": [[str(each.detail) for each in error.refusals]]}
