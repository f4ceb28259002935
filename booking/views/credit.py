"""How credit is counted: dated versions of an institution's rules, and of the network's."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backend.accounts.auth import access, page, person
from booking.actions.credit import save_credit_rules
from booking.queries.credit import counting_of, default_rules, get_credit_holder, versions_of
from booking.rules.credit import ANY
from booking.rules.violation_names import USUAL
from booking.violation_forms import CreditForm

NAMES = ("start", "floor", "ceiling", "completed", "recovery", "recovery_days", "months", "appeal_days")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def rules(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """The version in force as a form; saving makes a new one."""
    holder = get_credit_holder(access(request), pk)
    current = versions_of(pk).filter(valid_from__lte=timezone.localdate()).first()
    usual = current or (counting_of(None) if pk else default_rules())
    initial = {name: getattr(usual, name) for name in NAMES}
    form = CreditForm(request.POST or None, initial=initial, points=usual.points)
    if request.method == "POST" and form.is_valid():
        made = save_credit_rules(holder=holder, by=person(request), values=form.values(), valid_from=form.day)
        messages.success(request, _("Version %(version)s is saved.") % {"version": made.version})
        return redirect(request.path)
    context: dict[str, Any] = {
        "holder": holder,
        "network": pk is None,
        "form": form,
        "lost": [form[f"lost_{name}"] for name in (*USUAL, ANY)],
        "current": current,
        "versions": list(versions_of(pk)[:30]),
        "today": timezone.localdate(),
    }
    return render(request, "booking/credit.html", context, status=422 if form.errors else 200)
