"""How an institution handles its money: time to dispute, reminders, the columns of its bank's statements."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation
from backend.core import constraints
from invoices.models.documents import Invoice


class MoneyTerms(models.Model):
    """The settings of one institution; without a row those of `invoices.rules.terms` hold.

    ``reminders``: a list of ``{"days", "text"}``, days after the due date, rising; empty: none are sent.
    ``columns``: which heading of the bank's statement holds what.
    """

    institution = models.OneToOneField(Organisation, models.CASCADE, related_name="money_terms")
    dispute_days = models.PositiveSmallIntegerField(_("days to dispute"), default=7)
    reminders = models.JSONField(default=list)
    columns = models.JSONField(default=dict)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.institution_id}"


class Reminder(models.Model):
    """A reminder that was sent: once for each level of an invoice."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="reminders")
    level = models.PositiveSmallIntegerField()
    day = models.DateField()
    balance = models.DecimalField(max_digits=14, decimal_places=2)
    text = models.CharField(max_length=500, blank=True)
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["level"]
        constraints = [models.UniqueConstraint(fields=["invoice", "level"], name="reminder_once")]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.level}"


constraints.register(
    constraints.Immutable("invoices_reminder", ("invoice_id", "level", "day", "balance", "text", "sent_at"))
)
