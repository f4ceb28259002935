"""Who is qualified for what: the lab's list, giving and taking away, the table."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import NotFound
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions import qualifying as actions
from booking.exports import export_qualifications
from booking.queries import training as queries
from booking.training_forms import GrantForm, SayForm
from booking.views.teaching import desk_tabs
from booking.views.training import shown, standing_words
from instruments.queries.rights import get_managed_instrument, managed_instruments


@require_GET
@page
def people(request: HttpRequest) -> HttpResponse:
    """Qualified people of the instruments that the person manages."""
    tabs = desk_tabs(request, "people")
    mine = access(request)
    filters = _filters(request)
    rows = _rows(request, filters)
    part = Paginator(rows, 50).get_page(request.GET.get("page"))
    context = {
        **tabs,
        **filters,
        "rows": shown(part.object_list),
        "page_obj": part,
        "instruments": managed_instruments(mine).order_by("name", "pk"),
        "courses": queries.managed_courses(mine).order_by("name", "pk"),
        "states": [("", _("Valid and ended")), ("ending", _("Ends soon")), ("all", _("Also withdrawn and renewed"))],
        "words": standing_words(),
        "query": request.GET.urlencode(),
        "may_end_form": SayForm(),
    }
    return render(request, "booking/qualified.html", context)


def _filters(request: HttpRequest) -> dict[str, Any]:
    return {
        "instrument": whole_number(request.GET.get("instrument", "")),
        "course": whole_number(request.GET.get("course", "")),
        "state": request.GET.get("state", ""),
        "q": request.GET.get("q", "").strip()[:80],
    }


def _rows(request: HttpRequest, filters: dict[str, Any]) -> Any:
    mine = access(request)
    instrument = get_managed_instrument(mine, filters["instrument"]) if filters["instrument"] else None
    return queries.filtered_qualifications(
        mine,
        instrument=instrument,
        course=filters["course"],
        text=filters["q"],
        ended=filters["state"] == "all",
        ending_by=queries.soon(timezone.now()) if filters["state"] == "ending" else None,
    )


@require_GET
@page
def export(request: HttpRequest, form: Format) -> HttpResponseBase:
    """The list as it is filtered."""
    desk_tabs(request, "people")
    if form not in ("csv", "xlsx"):
        raise NotFound
    return export_qualifications(_rows(request, _filters(request)), form)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def grant(request: HttpRequest) -> HttpResponse:
    """A qualification without a training: for people whom the lab knows."""
    tabs = desk_tabs(request, "people")
    mine = access(request)
    form = GrantForm(
        request.POST or None,
        initial={"email": request.GET.get("email", "")[:254], "what": request.GET.get("what", "")[:40]},
        courses=queries.managed_courses(mine).filter(active=True).order_by("name", "pk"),
        instruments=managed_instruments(mine).select_related("institution").order_by("name", "pk"),
        language=get_language() or "",
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        user = queries.person_by_email(data["email"])
        names = ("course", "instrument", "level", "valid_until", "reason")
        actions.grant_qualification(user=user, by=person(request), **{name: data[name] for name in names})
        messages.success(request, _("%(person)s is qualified and has been told.") % {"person": user.name})
        return redirect("booking:qualified")
    return render(request, "booking/grant.html", {**tabs, "form": form}, status=422 if form.errors else 200)


@require_POST
@page
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_qualification(access(request), pk)
    data = checked(SayForm(request.POST))
    actions.revoke_qualification(
        qualification=found, by=person(request), reason=data["reason"], version=data["version"]
    )
    messages.success(request, _("Withdrawn. The person has been told."))
    return go(request, reverse("booking:qualified"))
