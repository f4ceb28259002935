"""Bank statements that were read in, and what became of their rows."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation
from backend.core import constraints
from invoices.models.payments import Transfer


class BankStatement(models.Model):
    """One file that was read in; its rows that were new."""

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="bank_statements")
    name = models.CharField(_("file"), max_length=150)
    sha256 = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    uploaded_at = models.DateTimeField(auto_now_add=True)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    new_rows = models.PositiveIntegerField(default=0)
    known_rows = models.PositiveIntegerField(default=0)
    # Line and reason of each row that could not be read.
    faults = models.JSONField(default=list)

    class Meta:
        ordering = ["-uploaded_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class RowState(models.TextChoices):
    WAITING = "waiting", _("To match")
    MATCHED = "matched", _("Recorded")
    IGNORED = "ignored", _("Set aside")


class BankRow(models.Model):
    """Money that came in according to the bank. ``fingerprint`` keeps it from being read in twice."""

    statement = models.ForeignKey(BankStatement, models.PROTECT, related_name="rows")
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="bank_rows")
    fingerprint = models.CharField(max_length=64)
    line = models.PositiveIntegerField()
    date = models.DateField(_("date"))
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    payer = models.CharField(_("payer"), max_length=200, blank=True)
    account = models.CharField(_("payer's account"), max_length=60, blank=True)
    reference = models.CharField(_("bank reference"), max_length=100, blank=True)
    text = models.CharField(_("purpose"), max_length=500, blank=True)
    state = models.CharField(_("status"), max_length=8, choices=RowState.choices, default=RowState.WAITING)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="bank_row")
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-date", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["institution", "fingerprint"], name="bank_row_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="bank_row_came_in"),
            models.CheckConstraint(
                condition=Q(state="matched", transfer__isnull=False) | ~Q(state="matched") & Q(transfer=None),
                name="bank_row_matched_has_transfer",
            ),
        ]
        indexes = [
            models.Index(fields=["institution", "state", "date"], name="bank_row_by_state"),
            models.Index(fields=["transfer"], condition=Q(transfer__isnull=False), name="bank_row_of_transfer"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.payer} {self.amount}"


_ROW_COLUMNS = (
    *("statement_id", "institution_id", "fingerprint", "line", "date", "amount", "currency", "payer", "account"),
    *("reference", "text"),
)

constraints.register(constraints.Immutable("invoices_bankrow", _ROW_COLUMNS, write_once=("transfer_id",)))
