"""The usage log."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation, User
from backend.core import constraints
from booking.models.bookings import Booking
from instruments.models import Instrument


class UsageState(models.TextChoices):
    RECORDED = "recorded", _("Running")
    SUBMITTED = "submitted", _("To be verified")
    VERIFIED = "verified", _("Verified")


class Usage(models.Model):
    """What really happened on an instrument. Immutable once verified; a correction is a new linked record."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    source_ref = models.CharField(_("reference"), max_length=80)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="usages")
    booking = models.ForeignKey(Booking, models.PROTECT, null=True, blank=True, related_name="usages")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="usages")
    user = models.ForeignKey(User, models.PROTECT, related_name="usages")
    state = models.CharField(_("status"), max_length=10, choices=UsageState.choices)
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"), null=True, blank=True)
    samples = models.PositiveIntegerField(_("samples"), null=True, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    comment = models.TextField(_("comment"), blank=True)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    verified_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    verified_at = models.DateTimeField(null=True, blank=True)
    corrects = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="corrected_by")
    # Why it corrects the other record.
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        ordering = ["-start", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["instrument", "source_ref"], name="usage_reference_once"),
            models.CheckConstraint(condition=Q(end=None) | Q(end__gt=F("start")), name="usage_end_after_start"),
            models.CheckConstraint(
                condition=Q(state="recorded") | Q(end__isnull=False), name="usage_end_when_submitted"
            ),
        ]
        indexes = [
            models.Index(fields=["instrument", "start"], name="usage_by_instrument"),
            models.Index(fields=["organisation", "start"], name="usage_by_organisation"),
            models.Index(fields=["state", "start"], name="usage_by_state"),
            # SQLite counts nulls as one value: beside this, it thinks the unique index useless and reads every row.
            models.Index(fields=["corrects"], condition=Q(corrects__isnull=False), name="usage_that_corrects"),
        ]

    def __str__(self) -> str:
        return self.source_ref


constraints.register(
    constraints.Immutable(
        "booking_usage",
        ("uid", "source_ref", "instrument_id", "booking_id", "organisation_id", "user_id", "start", "end")
        + ("samples", "parameters", "verified_by_id", "verified_at", "corrects_id", "reason", "state"),
        when="OLD.state = 'verified'",
    )
)
