"""Money that came in: what the bank says, and the payments on invoices made from it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation
from backend.core import constraints
from invoices.models.documents import Invoice


class Transfer(models.Model):
    """One transfer of a customer, split over invoices; what they do not take up is the customer's credit.

    Never edited. A reference stands once for each customer of an institution.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="transfers_received")
    customer = models.ForeignKey(Organisation, models.PROTECT, related_name="transfers")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    date = models.DateField(_("date"))
    reference = models.CharField(_("reference"), max_length=100)
    note = models.CharField(_("note"), max_length=500, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-date", "-pk"]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_above_zero")]
        indexes = [models.Index(fields=["institution", "customer", "date"], name="transfer_by_customer")]

    def __str__(self) -> str:
        return f"{self.reference} {self.amount}"


class Payment(models.Model):
    """Money that came in for an invoice; never edited. A wrong one is reversed by one with the opposite amount.

    ``surplus``: it came out of the customer's credit, or, below zero, went there.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="payments")
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    date = models.DateField(_("date"))
    reference = models.CharField(_("reference"), max_length=100)
    note = models.CharField(_("note"), max_length=500, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    transfer = models.ForeignKey(Transfer, models.PROTECT, null=True, blank=True, related_name="payments")
    surplus = models.BooleanField(_("from the customer's credit"), default=False)
    reverses = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="reversal")

    class Meta:
        ordering = ["date", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reverses=None, amount__gt=0)
                | Q(reverses__isnull=False, amount__lt=0)
                | Q(reverses=None, surplus=True, amount__lt=0),
                name="payment_negative_when_reversing",
            )
        ]
        indexes = [models.Index(fields=["reverses"], condition=Q(reverses__isnull=False), name="payment_that_reverses")]

    def __str__(self) -> str:
        return f"{self.reference} {self.amount}"


_PAYMENT_COLUMNS = (
    *("uid", "invoice_id", "amount", "date", "reference", "note", "recorded_at", "recorded_by_id", "reverses_id"),
    *("transfer_id", "surplus"),
)
_TRANSFER_COLUMNS = (
    *("uid", "institution_id", "customer_id", "currency", "amount", "date", "reference", "note"),
    *("recorded_at", "recorded_by_id"),
)

constraints.register(
    constraints.Immutable("invoices_payment", _PAYMENT_COLUMNS),
    constraints.Immutable("invoices_transfer", _TRANSFER_COLUMNS),
)
