"""How an organisation wants to bill, or to be billed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation
from backend.core import constraints


class Logo(models.Model):
    """The bytes of a PNG that stands on documents; issued ones name it by its digest, so it stays."""

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["institution", "sha256"], name="logo_once")]

    def __str__(self) -> str:
        return self.sha256


class MissingData(models.TextChoices):
    WARN = "warn", _("Issue all the same, with a warning")
    BLOCK = "block", _("Do not issue until it is there")


class BillingSettings(models.Model):
    """Without a row the defaults hold. Of an institution: ``missing_data``, ``logo``; of a customer: ``attach_pdf``."""

    organisation = models.OneToOneField(Organisation, models.CASCADE, related_name="billing_settings")
    missing_data = models.CharField(
        _("If tax data of a party is missing"), max_length=5, choices=MissingData.choices, default=MissingData.WARN
    )
    logo = models.ForeignKey(Logo, models.PROTECT, null=True, blank=True, related_name="+")
    attach_pdf = models.BooleanField(_("attach the PDF to mails about invoices"), default=False)

    def __str__(self) -> str:
        return str(self.organisation_id)


constraints.register(constraints.Immutable("invoices_logo", ("institution_id", "sha256", "content", "created_at")))
