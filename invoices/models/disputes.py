"""What a customer says against a charge, what both sides write about it, and how it ended."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.core import constraints
from invoices.models.charges import Charge, ChargeLine


class DisputeState(models.TextChoices):
    OPEN = "open", _("Being checked")
    UPHELD = "upheld", _("The charge stands")
    ADJUSTED = "adjusted", _("Adjusted")
    WAIVED = "waived", _("Waived")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Dispute(models.Model):
    """An objection to a charge, or to one ``line`` of it; one at a time. Closed, it never changes.

    ``before`` is the amount in question when it was raised, ``after`` what is owed for it since the decision.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    charge = models.ForeignKey(Charge, models.PROTECT, related_name="disputes")
    line = models.ForeignKey(ChargeLine, models.PROTECT, null=True, blank=True, related_name="disputes")
    state = models.CharField(_("status"), max_length=10, choices=DisputeState.choices, default=DisputeState.OPEN)
    reason = models.TextField(_("reason"))
    before = models.DecimalField(_("disputed amount"), max_digits=14, decimal_places=2)
    after = models.DecimalField(_("amount after the decision"), max_digits=14, decimal_places=2, null=True)
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    answer = models.TextField(_("reason of the decision"), blank=True)

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["charge"], condition=Q(state="open"), name="dispute_one_open"),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | ~Q(state="open") & Q(closed_at__isnull=False),
                name="dispute_closed_has_time",
            ),
        ]
        indexes = [models.Index(fields=["state", "opened_at"], name="dispute_by_state")]

    def __str__(self) -> str:
        return self.reason[:60]


class DisputeSide(models.TextChoices):
    CUSTOMER = "customer", _("Customer")
    INSTITUTION = "institution", _("Institution")


class DisputeNote(models.Model):
    """One message of either side. Never edited; the first one gives the reason."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="notes")
    side = models.CharField(max_length=12, choices=DisputeSide.choices)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    text = models.TextField(_("message"), blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.text[:60]


class DisputeFile(models.Model):
    """A file of a message; ``content`` lies under MEDIA_ROOT and is only ever served as a download."""

    note = models.ForeignKey(DisputeNote, models.PROTECT, related_name="files")
    name = models.CharField(_("name"), max_length=150)
    content = models.FileField(upload_to="disputes/%Y/%m/")
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


_DISPUTE_COLUMNS = (
    *("uid", "charge_id", "line_id", "state", "reason", "before", "after"),
    *("opened_at", "opened_by_id", "closed_at", "closed_by_id", "answer"),
)

constraints.register(
    constraints.Immutable("invoices_dispute", _DISPUTE_COLUMNS, when="OLD.state <> 'open'"),
    constraints.Immutable("invoices_disputenote", ("dispute_id", "side", "author_id", "text", "at")),
    constraints.Immutable("invoices_disputefile", ("note_id", "name", "content", "media_type", "size", "sha256")),
)
