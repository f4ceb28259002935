"""Which bookings wait for the agreement of their customer, and who may give it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.db.models.lookups import Contains

from backend.accounts.models import Project, Role
from backend.accounts.queries import Access, people_with
from backend.core.db import one
from booking.models import SpendingRequest, SpendingState
from invoices.models import Approver


def approvers_of(organisation_id: int, project: Project | None, names: Iterable[str]) -> set[int]:
    """Ids of those whom the rule names; the administrators where there is nobody of them."""
    names = set(names)
    roles = [role for role in (Role.ADMIN, Role.FINANCE) if role in names]
    found = set(people_with(organisation_id, roles)) if roles else set()
    if Approver.LEADER in names and project is not None and project.leader_id is not None:
        found.add(project.leader_id)
    return found or set(people_with(organisation_id, [Role.ADMIN]))


def may_approve(access: Access, organisation_id: int, project: Project | None, names: Iterable[str]) -> bool:
    """Administrators always; others where the rule names them. Without a query."""
    names = set(names)
    if access.has(organisation_id, Role.ADMIN):
        return True
    if Approver.FINANCE in names and access.has(organisation_id, Role.FINANCE):
        return True
    leads = project is not None and project.leader_id is not None and project.leader_id == access.user_id
    return Approver.LEADER in names and leads and access.has(organisation_id)


def requests_to_see(access: Access) -> QuerySet[SpendingRequest]:
    """All that the person may decide or could have decided, the one that expires first on top."""
    named = Cast("approvers", TextField())
    finance = Q(booking__organisation__in=access.where(Role.FINANCE)) & Q(Contains(named, f'"{Approver.FINANCE}"'))
    led = Q(booking__organisation__in=access.where(), project__leader=access.user_id)
    mine = Q(booking__organisation__in=access.where(Role.ADMIN)) | finance
    mine |= led & Q(Contains(named, f'"{Approver.LEADER}"'))
    rows = SpendingRequest.objects.filter(mine).select_related(
        "booking__instrument__institution", "booking__organisation", "booking__user", "booking__made_by", "project"
    )
    return rows.select_related("decided_by").order_by("booking__hold_expires_at", "pk")


def open_requests(access: Access) -> QuerySet[SpendingRequest]:
    return requests_to_see(access).filter(state=SpendingState.OPEN)


def get_request(access: Access, pk: int) -> SpendingRequest:
    return one(requests_to_see(access), pk)


def approves_any(access: Access) -> bool:
    """Whether the person is ever asked: administrators and finance of who has rules, and who leads a project."""
    ruled = [pk for pk in access.where(Role.ADMIN, Role.FINANCE) if access.organisations[pk].rules_spending]
    if ruled:
        return True
    return Project.objects.filter(leader=access.user_id, organisation__in=access.where(), active=True).exists()
