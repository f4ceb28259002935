"""The network operator's page of public holidays."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.queries import operated_network
from instruments.actions.calendar import delete_announcement, import_announcement, read_announcement
from instruments.forms.calendar import AnnouncementForm
from instruments.queries.calendar import known_years


@page
@require_http_methods(["GET", "HEAD", "POST"])
def holidays(request: HttpRequest) -> HttpResponse:
    """What is known; an announcement is read first and stored when it is confirmed."""
    network = operated_network(access(request))
    form = AnnouncementForm(request.POST or None, request.FILES or None)
    found = None
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        if request.POST.get("do") == "import":
            found = import_announcement(
                network=network,
                by=person(request),
                text=values["text"],
                year=values["year"],
                source=values["source"],
                seen=request.POST.get("seen", "")[:64],
            )
            messages.success(request, _("The holidays of %(year)s are known now.") % {"year": found.year})
            return redirect("instruments:holidays")
        found = read_announcement(values["text"], values["year"])
    this_year = timezone.localdate().year
    years = known_years(this_year - 1, this_year + 3)
    known = {one.year for one in years}
    context = {
        "form": form,
        "found": found,
        "years": years,
        "unknown_years": [year for year in (this_year, this_year + 1) if year not in known],
    }
    return render(request, "instruments/holidays.html", context, status=422 if form.errors else 200)


@page
@require_POST
def delete_holidays(request: HttpRequest, year: int) -> HttpResponse:
    delete_announcement(network=operated_network(access(request)), by=person(request), year=year)
    messages.success(request, _("The import of %(year)s is taken back.") % {"year": year})
    return redirect("instruments:holidays")
