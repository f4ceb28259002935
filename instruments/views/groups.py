"""Instrument groups: the list, one group, its end."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.core.errors import NotFound
from instruments.actions import groups as actions
from instruments.forms.groups import GroupForm
from instruments.queries import groups as queries
from instruments.queries.rights import institutions_of_desks, manages_any, manages_everything


@page
@require_safe
def groups(request: HttpRequest) -> HttpResponse:
    """For those who manage instruments somewhere; each sees the groups of the institution and runs their own."""
    mine = access(request)
    if not manages_any(mine):
        raise NotFound
    desks = institutions_of_desks(mine)
    context = {
        "groups": list(queries.groups_at_desks(mine)),
        "runs": set(queries.groups_to_run(mine).values_list("pk", flat=True)),
        "institutions": [one for one in desks if manages_everything(mine, one.pk)],
        "several": len(desks) > 1,
    }
    return render(request, "instruments/groups.html", context)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, institution: int) -> HttpResponse:
    home = queries.get_institution_to_group(access(request), institution)
    form = _form(request, home, None, {})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        actions.create_group(institution=home, name=data["name"], instruments=data["instruments"], by=person(request))
        messages.success(request, _("The group is there. Now give its rules, if it needs any."))
        return redirect("instruments:groups")
    context = {"form": form, "institution": home}
    return render(request, "instruments/group.html", context, status=422 if form.errors else 200)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def group(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_group_to_run(access(request), pk)
    inside = sorted(str(one) for one in found.instruments.values_list("pk", flat=True))
    form = _form(request, found.institution, pk, {"name": found.name, "instruments": inside, "seen": ",".join(inside)})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        actions.change_group(
            group=found, name=data["name"], instruments=data["instruments"], seen=data["seen"], by=person(request)
        )
        messages.success(request, _("Saved."))
        return redirect("instruments:groups")
    context = {"form": form, "institution": found.institution, "group": found, "size": len(inside)}
    return render(request, "instruments/group.html", context, status=422 if form.errors else 200)


def _form(request: HttpRequest, institution: Organisation, group: int | None, initial: dict[str, object]) -> GroupForm:
    return GroupForm(
        request.POST or None,
        initial=initial,
        instruments=queries.instruments_to_group(access(request), institution),
        group=group,
        language=get_language() or "",
    )


@page
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    actions.delete_group(group=queries.get_group_to_run(access(request), pk), by=person(request))
    messages.success(request, _("The group is deleted."))
    return redirect("instruments:groups")
