"""The laboratory's work with samples: its list by state, and each step."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import Forbidden, invalid
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions import results, sampling
from booking.forms import ReasonForm
from booking.models import OPEN_ORDERS, OrderStatus, SampleOrder
from booking.queries import sample_orders as queries
from booking.queries.sample_prices import questions
from booking.sample_forms import AcceptForm, ReceivedForm, ReportForm, StepForm, TestedForm, TimeForm
from booking.views import sample_page
from instruments.queries.rights import manages_any

PER_PAGE = 25


@require_GET
@page
def desk(request: HttpRequest) -> HttpResponse:
    me = access(request)
    if not manages_any(me):
        raise Forbidden
    status = request.GET.get("status", "")
    status = status if status in OrderStatus.values else ""
    instrument = whole_number(request.GET.get("instrument", ""))
    text = request.GET.get("q", "").strip()[:80]
    rows = queries.work_of(me, status=status, instrument=instrument, text=text)
    found = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    counts = queries.counts_by_state(me, instrument=instrument)
    context = {
        "page_obj": found,
        "rows": [(order, sample_page.tone(order)) for order in found.object_list],
        "status": status,
        "tabs": [(state.value, state.label, counts.get(state.value, 0)) for state in OrderStatus],
        "open_count": sum(counts.get(state.value, 0) for state in OPEN_ORDERS),
        "instruments": queries.instruments_for_samples(me),
        "instrument": instrument,
        "q": text,
        "today": timezone.localdate(),
    }
    return render(request, "booking/sample_desk.html", context)


def _managed(request: HttpRequest, pk: int) -> SampleOrder:
    return queries.get_managed_order(access(request), pk)


def _on(request: HttpRequest, pk: int, said: str) -> HttpResponse:
    messages.success(request, said)
    return go(request, reverse("booking:sample_order", args=[pk]))


@require_POST
@page
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    found, data = _managed(request, pk), checked(AcceptForm(request.POST))
    sampling.accept_samples(order=found, by=person(request), **data)
    return _on(request, pk, _("Accepted. The customer has been told where to send the samples."))


@require_POST
@page
def reject(request: HttpRequest, pk: int) -> HttpResponse:
    found, data = _managed(request, pk), checked(ReasonForm(request.POST))
    sampling.reject_samples(order=found, by=person(request), reason=data["reason"], version=data["version"])
    return _on(request, pk, _("Rejected. The customer has been told why."))


@require_POST
@page
def receive(request: HttpRequest, pk: int) -> HttpResponse:
    found, data = _managed(request, pk), checked(StepForm(request.POST))
    forms = [ReceivedForm(request.POST, item=item) for item in found.items.all()]
    told: dict[int, Any] = {form.sample.pk: checked(form) for form in forms}
    sampling.receive_samples(order=found, by=person(request), items=told, version=data["version"])
    return _on(request, pk, _("Received. The customer has been told."))


@require_POST
@page
def start(request: HttpRequest, pk: int) -> HttpResponse:
    found, data = _managed(request, pk), checked(StepForm(request.POST))
    sampling.start_testing(order=found, by=person(request), version=data["version"])
    return _on(request, pk, _("Testing has begun."))


@require_POST
@page
def machine_time(request: HttpRequest, pk: int) -> HttpResponse:
    found = _managed(request, pk)
    data = checked(TimeForm(request.POST, zone=found.instrument.zone))
    sampling.take_machine_time(
        order=found, by=person(request), start=data["start"], end=data["end"], version=data["version"]
    )
    return _on(request, pk, _("The time is on the calendar. It is not charged besides the samples."))


@require_POST
@page
def finish(request: HttpRequest, pk: int) -> HttpResponse:
    found, data = _managed(request, pk), checked(ReportForm(request.POST))
    asked = questions(found.price_list)
    told: dict[int, Any] = {}
    for item in found.items.all():
        form = TestedForm(request.POST, item=item, questions=asked)
        checked(form)
        told[item.pk] = form.told()
    sampling.finish_testing(order=found, by=person(request), items=told, report=data["report"], version=data["version"])
    return _on(request, pk, _("Done. The customer has the results and the price."))


@require_POST
@page
def give_back(request: HttpRequest, pk: int) -> HttpResponse:
    found, data = _managed(request, pk), checked(ReasonForm(request.POST))
    chosen = [whole_number(text) for text in request.POST.getlist("item")]
    if not chosen:
        raise invalid("item", _("Please choose what goes back."), "required")
    sampling.give_samples_back(
        order=found,
        by=person(request),
        items=[pk for pk in chosen if pk],
        note=data["reason"][:200],
        version=data["version"],
    )
    return _on(request, pk, _("Noted. The customer has been told."))


@require_POST
@page
def deliver(request: HttpRequest, pk: int) -> HttpResponse:
    found = _managed(request, pk)
    results.deliver_results(order=found, by=person(request), files=request.FILES.getlist("files"))
    text = _("Added. The customer is given the files when the order is done.")
    return _on(request, pk, _("Added. The customer has been told.") if found.status == OrderStatus.DONE else text)


@require_POST
@page
def withdraw(request: HttpRequest, pk: int, file: int) -> HttpResponse:
    found = queries.get_managed_result(access(request), pk, file)
    results.withdraw_result(result=found, by=person(request))
    return _on(request, pk, _("The file was taken back."))
