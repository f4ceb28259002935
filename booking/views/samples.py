"""Handing in samples: the form with its live price, one's own orders, the page of an order, giving it up."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from backend.accounts.auth import access, page, person
from backend.core.errors import Forbidden, Invalid, Refusal
from backend.core.fields import checked, named
from backend.core.http import go
from booking.actions.ordering import agree_to_samples, cancel_samples, submit_samples
from booking.actions.requesting import quote_out
from booking.documents import attachment_response, labels_pdf, result_response
from booking.forms import ReasonForm
from booking.queries import mine as own
from booking.queries import sample_orders as queries
from booking.queries.order_wishes import OrderWish, assess_order, pieces_of
from booking.queries.sample_prices import questions
from booking.queries.scope import OWN_DESKS
from booking.rules.samples import MOST_ITEMS
from booking.sample_forms import ROW, ItemForm, OrderForm, StepForm
from booking.views import sample_page, show
from booking.views.instrument import form_arguments
from booking.views.talk import talk_of, talking
from booking.views.when import reader_of
from instruments.models import Instrument, PriceList
from instruments.queries.rights import get_visible_instrument, manages

PER_PAGE = 25


def _price_list(found: Instrument) -> PriceList | None:
    return queries.price_list_today(found, timezone.now().astimezone(found.zone).date())


def _form_arguments(request: HttpRequest, found: Instrument) -> dict[str, Any]:
    """Whom the form may name: the same as for a booking."""
    arguments = form_arguments(request, found, reader_of(request))
    return {name: value for name, value in arguments.items() if name != "instrument"}


def _rows(data: QueryDict, found: Instrument) -> list[ItemForm]:
    """The rows of a sent form, in its order."""
    asked = questions(_price_list(found))
    rows = [row for row in dict.fromkeys(data.getlist("row")) if re.fullmatch(ROW, row)]
    return [ItemForm(data, prefix=f"item-{row}", questions=asked) for row in rows[: MOST_ITEMS + 1]]


def _new_row(found: Instrument) -> ItemForm:
    return ItemForm(prefix=f"item-{secrets.token_hex(3)}", questions=questions(_price_list(found)))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the empty form. POST: submit; with errors the form again."""
    found = get_visible_instrument(access(request), pk)
    if not reader_of(request).may_book:
        raise Forbidden(detail=_("Your account belongs to no organisation that can book."))
    arguments = _form_arguments(request, found)
    if request.method != "POST":
        context = {"instrument": found, "form": OrderForm(**arguments), "rows": [_new_row(found)], "answer": {}}
        return render(request, "booking/sample_new.html", context)
    form, rows = OrderForm(request.POST, **arguments), _rows(request.POST, found)
    _require(form, rows)
    data = form.cleaned_data
    order = submit_samples(
        by=person(request),
        user=data["user"] or person(request),
        organisation=data["organisation"],
        instrument=found,
        items=[row.item() for row in rows],
        purpose=data["purpose"],
        requirements=data["requirements"],
        return_samples=data["return_samples"],
        wished_on=data["wished_on"],
        project=data["project"],
    )
    messages.success(request, _("Submitted. The lab has been told and will answer soon; keep the samples until then."))
    return go(request, reverse("booking:sample_order", args=[order.pk]))


def _require(form: OrderForm, rows: list[ItemForm]) -> None:
    """`Invalid` with every error of the form and of its rows."""
    wrong = [error for one in (form, *rows) for error in _errors(one, rows)]
    if wrong:
        raise Invalid(*wrong)


def _errors(form: Any, rows: list[ItemForm]) -> Iterable[Refusal]:
    place = f"{_('Sample')} {rows.index(form) + 1} · " if form in rows else ""
    for name, errors in form.errors.as_data().items():
        for error in errors:
            for message in error.messages:
                yield Refusal(error.code or "invalid", place + named(form, name, message), field=form.add_prefix(name))


@require_POST
@page
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """The price and what the rules say, while it is typed; writes nothing."""
    found = get_visible_instrument(access(request), pk)
    reader = reader_of(request)
    if not reader.may_book:
        raise Forbidden
    form, rows = OrderForm(request.POST, **_form_arguments(request, found)), _rows(request.POST, found)
    form.is_valid()
    complete = [row.item() for row in rows if row.is_valid()]
    return render(request, "booking/_sample_answer.html", {"answer": _answer(request, found, form, complete)})


def _answer(request: HttpRequest, found: Instrument, form: OrderForm, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Empty where nothing is complete yet."""
    data = form.cleaned_data
    organisation = data.get("organisation")
    if not items or organisation is None or "wished_on" in form.errors:
        return {}
    now = timezone.now()
    who = data.get("user") or person(request)
    wish = OrderWish(found, organisation, who, pieces_of(items), data.get("project"), data.get("wished_on"))
    answer = assess_order(wish, now=now)
    return {
        "refusals": [
            {"detail": one.detail, "fix_text": one.fix_text, "fix": one.fix if one.field != "items" else None}
            for one in answer.refusals
        ],
        "notices": answer.notices,
        "roles": show.roles_words(role for role in answer.approval.roles if role in OWN_DESKS),
        "lines": show.lines(quote_out(answer.quote)),
        "quote": answer.quote,
        "zone": found.timezone,
        "samples": wish.samples,
    }


@page
@require_safe
def row(request: HttpRequest, pk: int) -> HttpResponse:
    """One more row for the form; with ``remove`` only the news that one went, so that the price is asked again."""
    found = get_visible_instrument(access(request), pk)
    if "remove" in request.GET:
        return HttpResponse("", headers={"HX-Trigger": "rows-changed"})
    return render(request, "booking/_sample_row.html", {"instrument": found, "row": _new_row(found), "focus": True})


@require_GET
@page
def mine(request: HttpRequest) -> HttpResponse:
    me = access(request)
    whole = own.sees_whole(me)
    rows = queries.own_orders(me)
    everybody = whole and request.GET.get("who") == "all"
    if not everybody:
        rows = rows.filter(user=me.user_id)
    found = Paginator(queries.listed(rows), PER_PAGE).get_page(request.GET.get("page"))
    orders = list(found.object_list)
    owed = queries.owed_for_orders(orders)
    context = {
        "tab": "samples",
        "page_obj": found,
        "rows": [(order, sample_page.tone(order), owed.get(order.pk)) for order in orders],
        "whole": whole,
        "show_person": everybody,
    }
    return render(request, "booking/samples.html", context)


@require_GET
@page
def order(request: HttpRequest, pk: int) -> HttpResponse:
    me = access(request)
    found = queries.get_visible_order(me, pk)
    context = sample_page.context_of(me, found, timezone.now(), item=request.GET.get("item", ""))
    takes_part = context["customer"] or manages(me, found.instrument)
    context["talk"] = talk_of(me, found) if takes_part else None
    return render(request, "booking/sample_order.html", context)


@require_POST
@page
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    me = access(request)
    found = queries.get_order(me, pk)
    data = checked(ReasonForm(request.POST))
    cancel_samples(
        order=found,
        by=person(request),
        reason=data["reason"],
        version=data["version"],
        by_lab=queries.acts_for_lab(me, found),
    )
    messages.success(request, _("The order has been cancelled."))
    return go(request, reverse("booking:sample_order", args=[pk]))


@require_POST
@page
def agree(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_order_to_agree(access(request), pk)
    data = checked(StepForm(request.POST))
    agree_to_samples(order=found, by=person(request), version=data["version"])
    messages.success(request, _("You have agreed."))
    return go(request, reverse("booking:sample_order", args=[pk]))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def talk(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the messages as a fragment. POST: one more, with ``text`` and ``files``."""
    found = queries.get_order(access(request), pk)
    return talking(request, found, reverse("booking:sample_order", args=[pk]))


@page
@require_safe
def file(request: HttpRequest, pk: int, file: int) -> HttpResponseBase:
    return attachment_response(queries.get_order_attachment(access(request), pk, file))


@page
@require_safe
def result(request: HttpRequest, pk: int, file: int) -> HttpResponseBase:
    return result_response(queries.get_result(access(request), pk, file))


@page
@require_safe
def labels(request: HttpRequest, pk: int) -> HttpResponse:
    return labels_pdf(queries.get_order(access(request), pk))
