"""The organisation that the person acts for: its data, groups, projects and record."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.accounts.auth import access, current_organisation, page, person
from backend.accounts.forms import (
    GroupChangeForm,
    GroupForm,
    OrganisationForm,
    ProjectChangeForm,
    ProjectForm,
)
from backend.accounts.models import Organisation, Role
from backend.accounts.own_actions.members import end_membership
from backend.accounts.own_actions.organisations import (
    change_group,
    change_organisation,
    change_project,
    create_group,
    create_project,
)
from backend.accounts.queries import (
    administers,
    agreements_of,
    get_administered,
    get_group,
    get_own_organisation,
    get_project,
    groups_of,
    members_of,
    own_registrations,
    projects_of,
)
from backend.accounts.views.going import again
from backend.core.errors import NotFound
from backend.core.fields import checked
from backend.core.http import go


def administered_now(request: HttpRequest) -> Organisation:
    """The current organisation, for those who run it."""
    organisation = current_organisation(request)
    if organisation is None:
        raise NotFound
    return get_administered(access(request), organisation.pk)


@page
@require_safe
def organisation(request: HttpRequest) -> HttpResponse:
    """What every member may see. Who has none yet sees what became of their registration."""
    found = current_organisation(request)
    waiting = own_registrations(person(request))
    if found is None:
        only = waiting.first() if waiting.count() == 1 else None
        if only:
            return redirect("accounts:registration", only.pk)
        return render(request, "accounts/no_organisation.html", {"registrations": waiting})
    mine = access(request)
    runs = administers(mine, found.pk)
    agreements = agreements_of(found)
    context = {
        "organisation": found,
        "tab": "organisation",
        "runs": runs,
        "my_roles": [Role(role).label for role in Role.values if role in mine.roles[found.pk]],
        "people": members_of(found).count(),
        # Who the customers are is not for every member to know.
        "agreements": agreements if runs else agreements.filter(customer=found),
        "today": timezone.localdate(),
        "registrations": waiting,
    }
    return render(request, "accounts/organisation.html", context)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, organisation: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    data = request.POST if request.method == "POST" else None
    form = OrganisationForm(data, organisation=found)
    context = {"organisation": found, "form": form, "tab": "organisation", "runs": True}
    if data is None:
        return render(request, "accounts/edit_organisation.html", context)
    if not form.is_valid():
        return again(request, "accounts/edit_organisation.html", "accounts/_organisation_form.html", context)
    change_organisation(organisation=found, values=form.cleaned_data, by=person(request))
    messages.success(request, _("Saved."))
    return go(request, reverse("accounts:organisation"))


@page
@require_POST
def leave(request: HttpRequest, organisation: int) -> HttpResponse:
    """A member goes on their own; who has no other organisation is signed out by it."""
    found = get_own_organisation(access(request), organisation)
    end_membership(organisation=found, user=person(request), by=person(request), reason=_("Left on their own."))
    messages.success(request, _("You have left %(organisation)s.") % {"organisation": found.name})
    return go(request, "/")


@page
@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """Groups and projects; everybody sees them, administrators change them."""
    found = current_organisation(request)
    if found is None:
        raise NotFound
    context = {
        "organisation": found,
        "tab": "projects",
        "runs": administers(access(request), found.pk),
        "groups": groups_of(found),
        "projects": projects_of(found),
        "group_form": GroupForm(prefix="group"),
        "project_form": ProjectForm(organisation=found, prefix="project"),
    }
    return render(request, "accounts/projects.html", context)


@page
@require_POST
def new_group(request: HttpRequest, organisation: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    data = checked(GroupForm(request.POST, prefix="group"))
    group = create_group(organisation=found, name=data["name"], by=person(request))
    messages.success(request, _("Group “%(name)s” made.") % {"name": group.name})
    return go(request, reverse("accounts:projects"))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def edit_group(request: HttpRequest, organisation: int, pk: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    group = get_group(found, pk)
    people = [(one.pk, str(one)) for one in members_of(found)]
    initial = {"name": group.name, "active": group.active, "members": [one.pk for one in group.members.all()]}
    form = GroupChangeForm(request.POST if request.method == "POST" else None, members=people, initial=initial)
    if request.method != "POST":
        context = {"organisation": found, "form": form, "tab": "projects", "runs": True, "title": group.name}
        return render(request, "accounts/edit_part.html", context)
    change_group(group=group, by=person(request), **checked(form))
    messages.success(request, _("Saved."))
    return go(request, reverse("accounts:projects"))


@page
@require_POST
def new_project(request: HttpRequest, organisation: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    data = checked(ProjectForm(request.POST, organisation=found, prefix="project"))
    project = create_project(organisation=found, by=person(request), **data)
    messages.success(request, _("Project “%(name)s” made.") % {"name": str(project)})
    return go(request, reverse("accounts:projects"))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def edit_project(request: HttpRequest, organisation: int, pk: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    project = get_project(found, pk)
    initial = {"code": project.code, "name": project.name, "group": project.group_id, "active": project.active}
    data = request.POST if request.method == "POST" else None
    form = ProjectChangeForm(data, organisation=found, initial=initial)
    if data is None:
        context = {"organisation": found, "form": form, "tab": "projects", "runs": True, "title": str(project)}
        return render(request, "accounts/edit_part.html", context)
    change_project(project=project, by=person(request), **checked(form))
    messages.success(request, _("Saved."))
    return go(request, reverse("accounts:projects"))
