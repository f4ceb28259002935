"""Members, their roles, and invitations; for those who run the organisation."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backend.accounts.auth import access, page, person, throttle
from backend.accounts.forms import InviteForm, RolesForm, ScopeForm
from backend.accounts.models import Invitation, Organisation, Role, User
from backend.accounts.own_actions.inviting import invite, resend_invitation, revoke_invitation
from backend.accounts.own_actions.members import end_membership, set_manager_scope, set_roles
from backend.accounts.queries import get_administered, get_invitation, get_member, members_of, open_invitations
from backend.accounts.views.organisation import administered_now
from backend.core.fields import checked
from backend.core.http import go

PER_PAGE = 30


@page
@require_safe
def members(request: HttpRequest) -> HttpResponse:
    found = administered_now(request)
    text = request.GET.get("q", "").strip()[:80].replace("\0", "")
    rows = Paginator(members_of(found, text), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "organisation": found,
        "tab": "members",
        "runs": True,
        "page_obj": rows,
        "people": [(one, _roles(one)) for one in rows],
        "text": text,
        "invitations": [(one, [Role(role).label for role in one.roles]) for one in open_invitations(found)],
        "form": InviteForm(kind=found.kind),
    }
    return render(request, "accounts/members.html", context)


def _roles(user: User) -> list[str]:
    return [row.get_role_display() for row in user.here]  # type: ignore[attr-defined]  # prefetched by members_of


@page
@require_safe
def member(request: HttpRequest, organisation: int, user: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    someone = get_member(found, user)
    here = {row.role: row for row in someone.here}  # type: ignore[attr-defined]  # prefetched by get_member
    manager = here.get(Role.MANAGER)
    context = {
        "organisation": found,
        "tab": "members",
        "runs": True,
        "member": someone,
        "since": min(row.since for row in here.values()),
        "form": RolesForm(kind=found.kind, initial={"roles": list(here)}),
        "scope": _scope_form(found, someone, all_instruments=manager.all_instruments) if manager else None,
        "is_me": someone.pk == person(request).pk,
    }
    return render(request, "accounts/member.html", context)


def _scope_form(found: Organisation, someone: User, *, all_instruments: bool) -> ScopeForm:
    named = someone.managed_instruments.filter(institution=found).values_list("pk", flat=True)
    initial = {"scope": "all" if all_instruments else "some", "instruments": list(named)}
    return ScopeForm(instruments=_instruments(found), initial=initial)


def _instruments(found: Organisation) -> list[tuple[int, str]]:
    rows = found.instruments.order_by("name", "pk").values_list("pk", "name", "local_no")
    return [(pk, f"{name} ({number})") for pk, name, number in rows]


@page
@require_POST
def change_roles(request: HttpRequest, organisation: int, user: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    someone = get_member(found, user)
    roles = checked(RolesForm(request.POST, kind=found.kind))["roles"]
    set_roles(organisation=found, user=someone, roles=roles, by=person(request))
    messages.success(request, _("The roles of %(name)s are saved.") % {"name": str(someone)})
    return go(request, reverse("accounts:members"))


@page
@require_POST
def change_scope(request: HttpRequest, organisation: int, user: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    someone = get_member(found, user)
    data = checked(ScopeForm(request.POST, instruments=_instruments(found)))
    set_manager_scope(
        organisation=found,
        user=someone,
        everything=data["scope"] == "all",
        instruments=data["instruments"],
        by=person(request),
    )
    messages.success(request, _("Saved."))
    return go(request, reverse("accounts:member", args=[found.pk, someone.pk]))


@page
@require_POST
def end(request: HttpRequest, organisation: int, user: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    someone = get_member(found, user)
    end_membership(organisation=found, user=someone, by=person(request))
    messages.success(request, _("%(name)s no longer belongs to the organisation.") % {"name": str(someone)})
    return go(request, "/" if someone.pk == person(request).pk else reverse("accounts:members"))


@page
@require_POST
def new_invitation(request: HttpRequest, organisation: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    throttle(request, "invite")
    data = checked(InviteForm(request.POST, kind=found.kind))
    return _sent(request, invite(organisation=found, by=person(request), **data))


@page
@require_POST
def resend(request: HttpRequest, organisation: int, pk: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    throttle(request, "invite")
    return _sent(request, resend_invitation(invitation=get_invitation(found, pk), by=person(request)))


@page
@require_POST
def revoke(request: HttpRequest, organisation: int, pk: int) -> HttpResponse:
    found = get_administered(access(request), organisation)
    revoke_invitation(invitation=get_invitation(found, pk), by=person(request))
    messages.success(request, _("The invitation was withdrawn."))
    return go(request, reverse("accounts:members"))


def _sent(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    invitation.refresh_from_db(fields=["sent_at"])
    words: dict[str, Any] = {"address": invitation.email}
    if invitation.sent_at:
        messages.success(request, _("The invitation is on its way to %(address)s.") % words)
    else:
        messages.warning(request, _("The mail to %(address)s could not be sent. Send it again in a while.") % words)
    return go(request, reverse("accounts:members"))
