"""What a customer decides about its own spending: whose agreement it wants, and budgets of projects."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Group, Organisation, Project


class SpendingKind(models.TextChoices):
    ALWAYS = "always", _("Always")
    OVER = "over", _("Above an amount")
    NEVER = "never", _("Never")


class Approver(models.TextChoices):
    """Who may agree, in the customer's own house."""

    ADMIN = "admin", _("Administrator")
    FINANCE = "finance", _("Finance")
    LEADER = "leader", _("Project leader")


class SpendingRule(models.Model):
    """When an organisation wants to agree to what its people book. The narrowest holds: person, project, group, all.

    ``amount`` is that of one booking, in the organisation's currency; ``approvers`` are values of `Approver`.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="spending_rules")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="spending_rules"
    )
    project = models.ForeignKey(Project, models.CASCADE, null=True, blank=True, related_name="spending_rules")
    group = models.ForeignKey(Group, models.CASCADE, null=True, blank=True, related_name="spending_rules")
    kind = models.CharField(_("ask"), max_length=6, choices=SpendingKind.choices)
    amount = models.DecimalField(
        _("amount"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.00"))],
    )
    approvers = models.JSONField(default=list)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="over", amount__gte=0) | ~Q(kind="over") & Q(amount=None),
                name="spending_rule_over_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(person=None, project=None) | Q(person=None, group=None) | Q(project=None, group=None),
                name="spending_rule_of_one_kind",
            ),
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(person=None, project=None, group=None),
                name="spending_rule_for_all_once",
            ),
            models.UniqueConstraint(
                fields=["organisation", "person"], condition=Q(person__isnull=False), name="spending_rule_person_once"
            ),
            models.UniqueConstraint(
                fields=["project"], condition=Q(project__isnull=False), name="spending_rule_project_once"
            ),
            models.UniqueConstraint(
                fields=["group"], condition=Q(group__isnull=False), name="spending_rule_group_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.kind} {self.amount or ''}"

    @property
    def approver_words(self) -> list[str]:
        return [str(Approver(name).label) for name in self.approvers]


class BudgetPeriod(models.TextChoices):
    YEAR = "year", _("Per calendar year")
    EVER = "ever", _("Altogether")


class Budget(models.Model):
    """What a project may cost, by the date of service. ``stop`` refuses what would go beyond it, else it warns.

    ``told`` is the period for which the warning has been sent.
    """

    project = models.OneToOneField(Project, models.CASCADE, related_name="budget")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(
        _("amount"), max_digits=14, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    period = models.CharField(_("period"), max_length=4, choices=BudgetPeriod.choices, default=BudgetPeriod.YEAR)
    warn_percent = models.PositiveSmallIntegerField(
        _("warn at percent"), default=80, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    stop = models.BooleanField(_("refuse what goes beyond"), default=False)
    told = models.CharField(max_length=4, blank=True)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="budget_above_zero"),
            models.CheckConstraint(
                condition=Q(warn_percent__gte=1, warn_percent__lte=100), name="budget_warns_within_it"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project_id} {self.amount} {self.currency}"
