"""What waits for the agreement of the reader's organisation: one by one, or several at once."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import NotFound
from backend.core.fields import Text, checked
from backend.core.text import whole_number
from booking.actions.spending import approve_spending, decide_spending, reject_spending
from booking.models import SpendingRequest, SpendingState
from booking.queries.spending import approves_any, get_request, open_requests, requests_to_see
from booking.views import show

PER_PAGE, MOST_OPEN = 30, 100


class WhyForm(forms.Form):
    reason = Text(label=gettext_lazy("Reason"), max_length=500, required=False)


@page
@require_GET
def spending(request: HttpRequest) -> HttpResponse:
    """Open ones with their price lines, and what became of the others."""
    mine = access(request)
    if not approves_any(mine):
        raise NotFound
    waiting = list(open_requests(mine)[:MOST_OPEN])
    past = requests_to_see(mine).exclude(state=SpendingState.OPEN).order_by("-asked_at")
    context = {
        "requests": [(row, show.lines(row.booking.quote)) for row in waiting],
        "page_obj": Paginator(past, PER_PAGE).get_page(request.GET.get("page")),
        "nav": "invoices:mine",
    }
    return render(request, "booking/spending.html", context)


@page
@require_POST
def decide(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    found = get_request(access(request), pk)
    reason = checked(WhyForm(request.POST))["reason"]
    if what == "approve":
        approve_spending(request=found, by=person(request), reason=reason)
        messages.success(request, _("Agreed."))
    else:
        reject_spending(request=found, by=person(request), reason=reason)
        messages.success(request, _("Rejected. The time is free again."))
    return redirect("booking:spending")


@page
@require_POST
def decide_several(request: HttpRequest, what: str) -> HttpResponse:
    """The marked ones; each is decided by itself."""
    mine = access(request)
    picked = [pk for pk in map(whole_number, request.POST.getlist("pick")) if pk is not None]
    rows: list[SpendingRequest] = [get_request(mine, pk) for pk in picked[:MOST_OPEN]]
    reason = checked(WhyForm(request.POST))["reason"]
    results = list(decide_spending(requests=rows, by=person(request), approve=what == "approve", reason=reason))
    done = sum(not result.refusals for result in results)
    if done:
        words = ngettext("%(number)s decided.", "%(number)s decided.", done)
        messages.success(request, words % {"number": done})
    for result in results:
        for refusal in result.refusals:
            messages.error(request, f"{result.request.booking.instrument.name}: {refusal.detail}")
    return redirect("booking:spending")
