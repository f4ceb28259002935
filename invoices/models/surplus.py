"""Money of a customer that the institution holds: paid too much, or paid on what was credited afterwards."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation
from backend.core import constraints
from invoices.models.documents import Invoice
from invoices.models.payments import Payment, Transfer


class Surplus(models.Model):
    """A customer's credit at an institution in one currency: the sum of its entries, never below zero."""

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="surpluses_held")
    customer = models.ForeignKey(Organisation, models.PROTECT, related_name="surpluses")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(_("credit"), max_digits=14, decimal_places=2, default=0)

    class Meta:
        ordering = ["customer", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["institution", "customer", "currency"], name="surplus_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="surplus_not_below_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.currency} {self.amount}"


class SurplusKind(models.TextChoices):
    OVERPAID = "overpaid", _("Paid too much")
    CREDITED = "credited", _("Paid, then credited")
    RETURNED = "returned", _("Taken off an invoice again")
    APPLIED = "applied", _("Used for an invoice")
    REFUNDED = "refunded", _("Paid back")
    TAKEN_BACK = "taken_back", _("Payment reversed")


class SurplusEntry(models.Model):
    """One change of a customer's credit; never edited. What comes in is above zero, what goes out below."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    surplus = models.ForeignKey(Surplus, models.PROTECT, related_name="entries")
    kind = models.CharField(_("kind"), max_length=10, choices=SurplusKind.choices)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    date = models.DateField(_("date"))
    reference = models.CharField(_("reference"), max_length=100)
    note = models.CharField(_("note"), max_length=500, blank=True)
    transfer = models.ForeignKey(Transfer, models.PROTECT, null=True, related_name="surplus_entries")
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="surplus_entries")
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="surplus_entries")
    recorded_at = models.DateTimeField(auto_now_add=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["recorded_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["overpaid", "credited", "returned"], amount__gt=0)
                | Q(kind__in=["applied", "refunded", "taken_back"], amount__lt=0),
                name="surplus_entry_sign",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"


_ENTRY_COLUMNS = (
    *("uid", "surplus_id", "kind", "amount", "date", "reference", "note", "transfer_id", "payment_id", "invoice_id"),
    *("recorded_at", "recorded_by_id"),
)

constraints.register(
    constraints.Immutable("invoices_surplus", ("institution_id", "customer_id", "currency")),
    constraints.Immutable("invoices_surplusentry", _ENTRY_COLUMNS),
)
