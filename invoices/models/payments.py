"""Money that came in."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.core import constraints
from invoices.models.documents import Invoice


class Payment(models.Model):
    """Money that came in for an invoice; never edited. A wrong one is reversed by one with the opposite amount."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="payments")
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    date = models.DateField(_("date"))
    reference = models.CharField(_("reference"), max_length=100)
    note = models.CharField(_("note"), max_length=500, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reverses = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="reversal")

    class Meta:
        ordering = ["date", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reverses=None, amount__gt=0) | Q(reverses__isnull=False, amount__lt=0),
                name="payment_negative_when_reversing",
            )
        ]
        indexes = [models.Index(fields=["reverses"], condition=Q(reverses__isnull=False), name="payment_that_reverses")]

    def __str__(self) -> str:
        return f"{self.reference} {self.amount}"


_PAYMENT_COLUMNS = (
    *("uid", "invoice_id", "amount", "date", "reference", "note", "recorded_at", "recorded_by_id", "reverses_id"),
)

constraints.register(constraints.Immutable("invoices_payment", _PAYMENT_COLUMNS))
