"""What left for other programs: batches for the tax platform, journals for the accounts, and how both are set up."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation
from backend.core import constraints
from invoices.models.documents import Invoice


class BookKind(models.TextChoices):
    FAPIAO = "fapiao", _("Fapiao template")
    ACCOUNTS = "accounts", _("Account mapping")


class BookSetting(models.Model):
    """How an institution's exports are filled, as the JSON that `invoices.rules` reads; one row for each kind."""

    institution = models.ForeignKey(Organisation, models.CASCADE, related_name="book_settings")
    kind = models.CharField(max_length=10, choices=BookKind.choices)
    content = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["institution", "kind"], name="book_setting_once")]

    def __str__(self) -> str:
        return f"{self.institution_id} {self.kind} v{self.version}"


class FapiaoBatch(models.Model):
    """One workbook made for the tax platform; ``content`` are its cells, so that the file can be had again as it was.

    A batch that the platform refused is discarded: then its invoices may go into another without a question.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="fapiao_batches")
    number = models.PositiveIntegerField(_("number"))
    layout = models.CharField(_("layout"), max_length=10)
    content = models.JSONField(default=dict)
    size = models.PositiveIntegerField(_("fapiao"))
    total = models.DecimalField(_("total"), max_digits=16, decimal_places=2)
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    discarded_at = models.DateTimeField(null=True, blank=True)
    discarded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["institution", "number"], name="fapiao_batch_number")]

    def __str__(self) -> str:
        return f"{self.institution_id} {self.number}"


class FapiaoPart(models.Model):
    """One tax invoice asked for in a batch; an invoice above the platform's limits has several.

    ``number`` is empty until the 20 digits are written back.
    """

    batch = models.ForeignKey(FapiaoBatch, models.PROTECT, related_name="parts")
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="fapiao_parts")
    serial = models.CharField(_("serial number"), max_length=20)
    part = models.PositiveSmallIntegerField(default=1)
    parts = models.PositiveSmallIntegerField(default=1)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, default=Decimal(0))
    number = models.CharField(_("fapiao number"), max_length=20, blank=True)
    noted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["batch", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "serial"], name="fapiao_part_serial"),
            models.UniqueConstraint(
                fields=["institution", "number"], condition=~Q(number=""), name="fapiao_part_number_once"
            ),
        ]

    def __str__(self) -> str:
        return self.serial


class JournalExport(models.Model):
    """That the entries of a month left for the accounts: who, when, and what they were (``sha256`` of the rows)."""

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="journal_exports")
    period = models.CharField(_("period"), max_length=7)
    exported_at = models.DateTimeField(auto_now_add=True)
    exported_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    vouchers = models.PositiveIntegerField()
    debit = models.DecimalField(max_digits=16, decimal_places=2)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["-exported_at", "-pk"]
        indexes = [models.Index(fields=["institution", "period"], name="journal_export_by_period")]

    def __str__(self) -> str:
        return f"{self.institution_id} {self.period}"


_BATCH_FROZEN = ("uid", "institution_id", "number", "layout", "content", "size", "total", "made_at", "made_by_id")
_PART_FROZEN = ("batch_id", "institution_id", "invoice_id", "serial", "part", "parts", "total")
_JOURNAL_COLUMNS = ("institution_id", "period", "exported_at", "exported_by_id", "vouchers", "debit", "sha256")

constraints.register(
    constraints.Immutable("invoices_fapiaobatch", _BATCH_FROZEN),
    constraints.Immutable("invoices_fapiaopart", _PART_FROZEN),
    constraints.Immutable("invoices_journalexport", _JOURNAL_COLUMNS),
)
