"""The customer's own rules for its spending. Locks: the organisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from backend.accounts.models import Group, Organisation, Project, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal
from invoices.models import Approver, Budget, SpendingKind, SpendingRule


@dataclass(frozen=True, slots=True)
class WantedRule:
    """At most one of person, project and group; without any it is for everybody."""

    kind: str
    amount: Decimal | None
    approvers: Sequence[str]
    person: User | None = None
    project: Project | None = None
    group: Group | None = None


@atomic_action
def set_spending_rule(*, organisation: Organisation, wanted: WantedRule, by: User) -> SpendingRule:
    """Write the rule for whom it is about, in place of the one that held. What was booked before stays as it is."""
    Organisation.objects.select_for_update(of=("self",), no_key=True).get(pk=organisation.pk)
    _check(organisation, wanted)
    about: dict[str, Any] = {"person": wanted.person, "project": wanted.project, "group": wanted.group}
    old = SpendingRule.objects.filter(organisation=organisation, **about).first()
    before = shown_rule(old) if old else {}
    rule, _created = SpendingRule.objects.update_or_create(
        organisation=organisation,
        **about,
        defaults={
            "kind": wanted.kind,
            "amount": wanted.amount,
            "approvers": [each for each in Approver.values if each in wanted.approvers],
            "changed_by": by,
        },
    )
    keep_flag(organisation.pk)
    _note(rule, "spending.rule_set", by, before, shown_rule(rule))
    return rule


@atomic_action
def delete_spending_rule(*, rule: SpendingRule, by: User) -> None:
    Organisation.objects.select_for_update(of=("self",), no_key=True).get(pk=rule.organisation_id)
    before = shown_rule(rule)
    SpendingRule.objects.filter(pk=rule.pk).delete()
    keep_flag(rule.organisation_id)
    _note(rule, "spending.rule_deleted", by, before, {})


def keep_flag(organisation_id: int) -> None:
    """Whether booking must ask for rules and budgets at all, kept beside them."""
    ruled = SpendingRule.objects.filter(organisation=organisation_id).exists()
    budgeted = Budget.objects.filter(project__organisation=organisation_id).exists()
    Organisation.objects.filter(pk=organisation_id).update(rules_spending=ruled or budgeted)


def shown_rule(rule: SpendingRule) -> dict[str, object]:
    about = {"person": rule.person_id, "project": rule.project_id, "group": rule.group_id}
    named = {name: pk for name, pk in about.items() if pk is not None}
    return {"kind": rule.kind, "amount": rule.amount, "approvers": rule.approvers, **named}


def _check(organisation: Organisation, wanted: WantedRule) -> None:
    problems = []
    if wanted.kind not in SpendingKind.values:
        problems.append(Refusal("unknown", _("Choose when to ask."), field="kind"))
    if wanted.kind == SpendingKind.OVER and wanted.amount is None:
        problems.append(Refusal("required", _("Give the amount above which is asked."), field="amount"))
    if wanted.kind != SpendingKind.OVER and wanted.amount is not None:
        problems.append(Refusal("not_expected", _("An amount is only given for “above an amount”."), field="amount"))
    if wanted.amount is not None and (
        not wanted.amount.is_finite() or wanted.amount < 0 or wanted.amount != wanted.amount.quantize(Decimal("0.01"))
    ):
        problems.append(
            Refusal("not_an_amount", _("An amount is not below zero and has at most two decimals."), field="amount")
        )
    if wanted.kind != SpendingKind.NEVER and not set(wanted.approvers) & set(Approver.values):
        problems.append(Refusal("required", _("Say who may agree."), field="approvers"))
    if sum(each is not None for each in (wanted.person, wanted.project, wanted.group)) > 1:
        problems.append(Refusal("one_of", _("A rule is about a person, a project or a group."), field="project"))
    if problems:
        raise Invalid(*problems)


def _note(rule: SpendingRule, action: str, by: User, before: dict[str, object], after: dict[str, object]) -> None:
    record(
        organisation_id=rule.organisation_id,
        actor_id=by.pk,
        action=action,
        object_type="organisation",
        object_id=rule.organisation_id,
        before=before,
        after=after,
    )
