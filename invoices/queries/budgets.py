"""What projects have been charged with, against their budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from backend.accounts.models import Organisation, Project, Role
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden
from backend.core.money import ZERO
from invoices.models import Budget, BudgetPeriod, Charge, ChargeState


@dataclass(frozen=True, slots=True)
class ProjectMoney:
    """A project's year (or all of its time where its budget counts that), in one currency."""

    project: Project
    budget: Budget | None
    currency: str
    reserved: Decimal
    final: Decimal
    invoiced: Decimal

    @property
    def used(self) -> Decimal:
        return self.reserved + self.final + self.invoiced

    @property
    def left(self) -> Decimal:
        return self.budget.amount - self.used if self.budget else ZERO

    @property
    def over(self) -> Decimal:
        return max(-self.left, ZERO)

    @property
    def percent(self) -> int:
        return int(self.used * 100 / self.budget.amount) if self.budget else 0

    @property
    def tone(self) -> str:
        if self.budget is None or self.percent < self.budget.warn_percent:
            return "good"
        return "bad" if self.used > self.budget.amount else "wait"


def counted(project_ids: Sequence[int], today: date) -> QuerySet[Charge]:
    """Charges that count against the budgets of these projects now, without those that are released."""
    year = Q(service_date__gte=date(today.year, 1, 1), service_date__lte=date(today.year, 12, 31))
    ever = Q(project__budget__period=BudgetPeriod.EVER)
    return Charge.objects.filter(year | ever, project__in=project_ids).exclude(state=ChargeState.RELEASED)


def used_of(budget: Budget, today: date) -> Decimal:
    rows = counted([budget.project_id], today).filter(currency=budget.currency)
    return rows.aggregate(sum=Sum("total"))["sum"] or ZERO


def visible_projects(access: Access, organisation: Organisation) -> QuerySet[Project]:
    """All for administrators and finance, else those that the person leads."""
    rows = Project.objects.filter(organisation=organisation).select_related("organisation", "leader", "budget")
    if not access.has(organisation.pk, Role.ADMIN, Role.FINANCE):
        rows = rows.filter(leader=access.user_id)
    return rows.order_by("-active", "code")


def may_budget(access: Access, project: Project) -> bool:
    here = access.has(project.organisation_id)
    return access.has(project.organisation_id, Role.ADMIN) or (here and project.leader_id == access.user_id)


def get_project_to_budget(access: Access, pk: int) -> Project:
    """`Forbidden` for others of the organisation, `NotFound` for strangers."""
    rows = Project.objects.filter(organisation__in=access.where()).select_related("organisation", "leader", "budget")
    found = one(rows, pk)
    if not may_budget(access, found):
        raise Forbidden
    return found


def money_of_projects(projects: Sequence[Project], currency: str, today: date) -> list[ProjectMoney]:
    """Two queries; the active ones and those that have been charged."""
    rows = counted([project.pk for project in projects], today).filter(currency=currency).order_by()
    sums = {
        (project, state): total
        for project, state, total in rows.values_list("project", "state").annotate(sum=Sum("total"))
    }
    return [
        ProjectMoney(
            project,
            getattr(project, "budget", None),
            currency,
            *(sums.get((project.pk, state), ZERO) for state in ("reserved", "final", "invoiced")),
        )
        for project in projects
    ]
