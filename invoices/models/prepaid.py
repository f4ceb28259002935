"""Prepaid accounts of customers at institutions, and where institutions ask for them."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.accounts.models import Group, Organisation, Project
from backend.core import constraints
from instruments.models import Instrument


class PrepaidKind(models.TextChoices):
    """What must lie on the account when time is booked."""

    NONE = "none", _("Nothing: billed afterwards")
    FULL = "full", _("The quoted amount")
    PERCENT = "percent", _("A share of the quoted amount")
    FIXED = "fixed", _("A fixed deposit")


class PrepaidTerms(models.Model):
    """What an institution asks of its customers before they book; a row that names an instrument goes before its own.

    ``inside`` holds them for the institution's own people too. Without a row nothing is asked.
    """

    institution = models.ForeignKey(Organisation, models.CASCADE, related_name="prepaid_terms")
    instrument = models.OneToOneField(Instrument, models.CASCADE, null=True, blank=True, related_name="prepaid_terms")
    kind = models.CharField(_("before booking"), max_length=8, choices=PrepaidKind.choices, default=PrepaidKind.NONE)
    percent = models.DecimalField(
        _("percent"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal(100))],
    )
    amount = models.DecimalField(
        _("amount"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
    )
    inside = models.BooleanField(_("also for the institution's own people"), default=False)
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        indexes = [
            models.Index(
                fields=["instrument"], condition=Q(instrument__isnull=False), name="prepaid_terms_by_instrument"
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["institution"], condition=Q(instrument=None), name="prepaid_terms_once_per_institution"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["none", "full"], percent=None, amount=None)
                | Q(kind="percent", percent__gt=0, percent__lte=100, amount=None)
                | Q(kind="fixed", percent=None, amount__gt=0),
                name="prepaid_terms_have_their_number",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.institution_id} {self.kind}"


class PrepaidAccount(models.Model):
    """What a customer has paid ahead at an institution, in one currency; perhaps for one group or project alone.

    ``balance`` is the sum of its entries and ``frozen`` the part that is kept for bookings: both are kept beside the
    entries in one transaction, under the row's lock. What is *available* can be frozen or paid back.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="prepaid_accounts_kept")
    customer = models.ForeignKey(Organisation, models.PROTECT, related_name="prepaid_accounts")
    group = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="prepaid_accounts")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="prepaid_accounts")
    currency = models.CharField(max_length=3)
    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=2, default=Decimal("0.00"))
    frozen = models.DecimalField(_("frozen"), max_digits=14, decimal_places=2, default=Decimal("0.00"))
    # Below this available amount the customer is told, once until it is above again.
    low_at = models.DecimalField(_("tell when below"), max_digits=14, decimal_places=2, null=True, blank=True)
    low_told = models.BooleanField(default=False)
    opened_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["customer__name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(frozen__gte=0, balance__gte=F("frozen")), name="prepaid_never_below_zero"
            ),
            models.CheckConstraint(condition=Q(group=None) | Q(project=None), name="prepaid_for_group_or_project"),
            models.UniqueConstraint(
                fields=["institution", "customer", "currency"],
                condition=Q(group=None, project=None),
                name="prepaid_once_per_customer",
            ),
            models.UniqueConstraint(
                fields=["institution", "group", "currency"],
                condition=Q(group__isnull=False),
                name="prepaid_once_per_group",
            ),
            models.UniqueConstraint(
                fields=["institution", "project", "currency"],
                condition=Q(project__isnull=False),
                name="prepaid_once_per_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}@{self.institution_id} {self.balance} {self.currency}"

    @property
    def available(self) -> Decimal:
        return self.balance - self.frozen


class EntryKind(models.TextChoices):
    TOP_UP = "top_up", _("Top-up")
    REVERSAL = "reversal", _("Reversed")
    FREEZE = "freeze", pgettext_lazy("prepaid", "Frozen")
    SETTLE = "settle", _("Charged")
    RELEASE = "release", pgettext_lazy("prepaid", "Released")
    RETURN = "return", _("Given back")
    REFUND = "refund", _("Paid out")


class PrepaidEntry(models.Model):
    """One movement, never edited: ``amount`` changes the balance, ``held`` what of it is frozen.

    A wrong top-up or refund is reversed by an entry with the opposite amount.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(PrepaidAccount, models.PROTECT, related_name="entries")
    kind = models.CharField(_("kind"), max_length=8, choices=EntryKind.choices)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2, default=Decimal("0.00"))
    held = models.DecimalField(_("frozen"), max_digits=14, decimal_places=2, default=Decimal("0.00"))
    balance_after = models.DecimalField(_("balance"), max_digits=14, decimal_places=2)
    frozen_after = models.DecimalField(_("frozen"), max_digits=14, decimal_places=2)
    charge = models.ForeignKey("invoices.Charge", models.PROTECT, null=True, blank=True, related_name="prepaid_entries")
    date = models.DateField(_("date"))
    reference = models.CharField(_("reference"), max_length=100, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reverses = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="reversal")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["top_up", "return"], amount__gt=0)
                | Q(kind="refund", amount__lt=0, held=0)
                | Q(kind="freeze", amount=0, held__gt=0)
                | Q(kind="release", amount=0, held__lt=0)
                | Q(kind="settle", amount__lt=0)
                | Q(kind="reversal", held=0, reverses__isnull=False),
                name="prepaid_entry_has_the_sign_of_its_kind",
            )
        ]
        indexes = [
            models.Index(fields=["reverses"], condition=Q(reverses__isnull=False), name="prepaid_entry_that_reverses")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} {self.held}"


_ENTRY_COLUMNS = (
    *("uid", "account_id", "kind", "amount", "held", "balance_after", "frozen_after", "charge_id", "date"),
    *("reference", "note", "recorded_at", "recorded_by_id", "reverses_id"),
)
_ACCOUNT_COLUMNS = ("uid", "institution_id", "customer_id", "group_id", "project_id", "currency", "opened_at")

constraints.register(
    constraints.Immutable("invoices_prepaidentry", _ENTRY_COLUMNS),
    constraints.Immutable("invoices_prepaidaccount", _ACCOUNT_COLUMNS),
)
