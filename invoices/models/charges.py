"""The ledger: charges and their lines. It does not know what it charges for."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation, Project
from backend.core import constraints


class ChargeState(models.TextChoices):
    RESERVED = "reserved", _("Reserved")
    FINAL = "final", _("To be invoiced")
    INVOICED = "invoiced", _("Invoiced")
    RELEASED = "released", _("Released")


class ChargeQuerySet(models.QuerySet["Charge"]):
    def billable(self) -> ChargeQuerySet:
        """Final, on no invoice, not even a draft, and not disputed."""
        return self.filter(state=ChargeState.FINAL, invoice=None, disputed=False)


class Charge(models.Model):
    """What one customer owes for one thing that happened.

    ``source`` and ``source_uid`` name that thing (text: the ledger does not know what it is) and are
    unique, so that nothing is charged twice. ``reserved_total`` was quoted, ``total`` is final.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="charges_made")
    customer = models.ForeignKey(Organisation, models.PROTECT, related_name="charges")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="charges")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="charges")
    source = models.CharField(max_length=20)
    source_uid = models.UUIDField()
    subject = models.CharField(_("for"), max_length=200)
    service_date = models.DateField(_("date of service"))
    price_list = models.CharField(_("price list"), max_length=100)
    currency = models.CharField(max_length=3)
    state = models.CharField(_("status"), max_length=10, choices=ChargeState.choices, default=ChargeState.RESERVED)
    reserved_total = models.DecimalField(_("quoted"), max_digits=14, decimal_places=2)
    total = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    # What kind of use it is, for vouchers: the mode, the instrument's category.
    service = models.JSONField(default=dict)
    # One sentence for each reason why the final total differs from the quoted one.
    differences = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    finalised_at = models.DateTimeField(null=True, blank=True)
    invoice = models.ForeignKey("Invoice", models.SET_NULL, null=True, blank=True, related_name="charges")
    # While the customer disputes it. On the row itself, so that who locks the charge sees it.
    disputed = models.BooleanField(_("disputed"), default=False)
    # The prepaid account that it draws on: ``frozen`` of it while reserved, ``prepaid`` of it once final. What is not
    # prepaid is to be paid by the invoice; both have the sign of the total, and prepaid never exceeds it.
    account = models.ForeignKey("PrepaidAccount", models.PROTECT, null=True, blank=True, related_name="charges")
    frozen = models.DecimalField(_("frozen"), max_digits=14, decimal_places=2, default=Decimal("0.00"))
    prepaid = models.DecimalField(_("prepaid"), max_digits=14, decimal_places=2, default=Decimal("0.00"))
    # The charge that this one corrects, credits or bills anew: always the first of the family.
    original = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="successors")

    objects = ChargeQuerySet.as_manager()

    class Meta:
        ordering = ["service_date", "id"]
        constraints = [
            models.UniqueConstraint(fields=["source", "source_uid"], name="charge_each_source_once"),
            models.CheckConstraint(
                condition=Q(disputed=False) | ~Q(state="invoiced"), name="charge_disputed_is_not_invoiced"
            ),
        ]
        indexes = [
            models.Index(fields=["institution", "state", "service_date"], name="charge_by_institution"),
            models.Index(fields=["customer", "state", "service_date"], name="charge_by_customer"),
            models.Index(
                fields=["project", "service_date"], condition=Q(project__isnull=False), name="charge_by_project"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.total}"


class Stage(models.TextChoices):
    RESERVED = "reserved", _("Quoted")
    FINAL = "final", _("Final")


class ChargeLine(models.Model):
    """One line of a charge, never edited: a correction is a line that points to the old one."""

    charge = models.ForeignKey(Charge, models.PROTECT, related_name="lines")
    stage = models.CharField(max_length=10, choices=Stage.choices)
    position = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=40)
    name = models.CharField(_("item"), max_length=120)
    quantity = models.DecimalField(_("quantity"), max_digits=14, decimal_places=4, null=True)
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    unit_price = models.DecimalField(_("unit price"), max_digits=14, decimal_places=4, null=True)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    why = models.TextField(_("calculation"), blank=True)
    corrects = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="corrections")

    class Meta:
        ordering = ["stage", "position"]
        constraints = [models.UniqueConstraint(fields=["charge", "stage", "position"], name="charge_line_position")]

    def __str__(self) -> str:
        return f"{self.name} {self.amount}"


_CHARGE_LINE_COLUMNS = (
    *("charge_id", "stage", "position", "code", "name", "quantity", "unit", "unit_price", "amount", "why"),
    "corrects_id",
)
_CHARGE_FROZEN = (
    *("uid", "institution_id", "customer_id", "project_id", "user_id", "source", "source_uid", "subject"),
    *("service_date", "price_list", "currency", "reserved_total", "total", "differences", "invoice_id", "state"),
    *("original_id", "account_id", "frozen", "prepaid"),
)

constraints.register(
    constraints.Immutable("invoices_charge", _CHARGE_FROZEN, when="OLD.state = 'invoiced'"),
    constraints.Immutable("invoices_chargeline", _CHARGE_LINE_COLUMNS),
)
