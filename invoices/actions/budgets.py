"""Budgets of projects: set by those who run the customer or lead the project. Locks: the project."""

from __future__ import annotations

from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Membership, Organisation, Project, Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal, invalid
from backend.core.money import format_amount
from backend.outbox.actions import post
from invoices.actions.spending import keep_flag
from invoices.models import Budget, BudgetPeriod
from invoices.queries.budgets import used_of


@atomic_action
def set_budget(
    *, project: Project, amount: Decimal | None, period: str, warn_percent: int, stop: bool, by: User
) -> Budget | None:
    """In the organisation's currency; without an amount the project has no budget any more.

    `Invalid` for an amount that is not above zero and a warning outside 1 to 100 percent.
    """
    locked = (
        Project.objects.select_for_update(of=("self",), no_key=True).select_related("organisation").get(pk=project.pk)
    )
    _check(amount, period, warn_percent)
    before = Budget.objects.filter(project=locked).first()
    was = _shown(before)
    if amount is None:
        Budget.objects.filter(project=locked).delete()
        found = None
    else:
        found, _created = Budget.objects.update_or_create(
            project=locked,
            defaults={
                "currency": locked.organisation.currency,
                "amount": amount,
                "period": period,
                "warn_percent": warn_percent,
                "stop": stop,
                "told": "",
                "changed_by": by,
            },
        )
    keep_flag(locked.organisation_id)
    record(
        organisation_id=locked.organisation_id,
        actor_id=by.pk,
        action="project.budget",
        object_type="project",
        object_id=locked.pk,
        before=was,
        after=_shown(found),
    )
    return found


def _check(amount: Decimal | None, period: str, warn_percent: int) -> None:
    problems = []
    if amount is not None and (not amount.is_finite() or amount <= 0):
        problems.append(Refusal("not_positive", _("The amount must be above zero."), field="amount"))
    elif amount is not None and amount != amount.quantize(Decimal("0.01")):
        problems.append(Refusal("too_precise", _("An amount has at most two decimals."), field="amount"))
    if period not in BudgetPeriod.values:
        problems.append(Refusal("unknown", _("Choose a period."), field="period"))
    if not 1 <= warn_percent <= 100:
        problems.append(Refusal("out_of_range", _("Between 1 and 100 percent."), field="warn_percent"))
    if problems:
        raise Invalid(*problems)


def _shown(budget: Budget | None) -> dict[str, object]:
    if budget is None:
        return {}
    return {"amount": budget.amount, "period": budget.period, "warn": budget.warn_percent, "stop": budget.stop}


def tell_near_budget(project_id: int) -> None:
    """Once for a period, to the administrators and the leader: the budget has come to its warning."""
    rows = Budget.objects.select_related("project__organisation").filter(project=project_id)
    budget = rows.first()
    if budget is None:
        return
    today = timezone.localdate()
    period = str(today.year) if budget.period == BudgetPeriod.YEAR else BudgetPeriod.EVER.value
    if budget.told == period:
        return
    Budget.objects.filter(pk=budget.pk).update(told=period)
    organisation: Organisation = budget.project.organisation
    people = set(people_with(organisation.pk, [Role.ADMIN]))
    people |= {budget.project.leader_id} if budget.project.leader_id else set()
    used = used_of(budget, today)
    post(
        key=f"budget-near-{budget.pk}-{period}-{budget.changed_at.timestamp():.0f}",
        kind="budget_near",
        recipients=people,
        context={
            "project": str(budget.project),
            "currency": budget.currency,
            "budget": format_amount(budget.amount),
            "used": format_amount(used),
            "percent": int(used * 100 / budget.amount),
            "stop": budget.stop,
        },
        path="/money/budgets/",
    )


@atomic_action
def set_leader(*, project: Project, leader: User | None, by: User) -> Project:
    """Who leads a project: may set its budget, is told when it runs out, and agrees to spending where rules say so.

    `Invalid` for who does not belong to the organisation.
    """
    locked = Project.objects.select_for_update(of=("self",), no_key=True).get(pk=project.pk)
    here = Membership.objects.current().filter(organisation=locked.organisation_id)
    if leader is not None and not here.filter(user=leader).exists():
        raise invalid("leader", _("This person is no colleague of your organisation."), "foreign")
    before = {"leader": locked.leader_id}
    locked.leader = leader
    locked.save(update_fields=["leader"])
    record(
        organisation_id=locked.organisation_id,
        actor_id=by.pk,
        action="project.leader",
        object_type="project",
        object_id=locked.pk,
        before=before,
        after={"leader": locked.leader_id},
    )
    return locked
