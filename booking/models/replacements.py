"""What is proposed to somebody whose booking an outage displaced."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import User
from booking.models.bookings import Booking
from instruments.models import Instrument, Outage


class DisplacementState(models.TextChoices):
    OPEN = "open", _("Not answered yet")
    ACCEPTED = "accepted", _("Replacement accepted")
    DECLINED = "declined", _("No replacement wanted")


class Displacement(models.Model):
    """A booking that an outage displaced, and whether its customer has another time by now.

    ``proposed_at`` is empty while replacements must be looked for (anew).
    """

    booking = models.OneToOneField(Booking, models.CASCADE, related_name="displacement")
    outage = models.ForeignKey(Outage, models.SET_NULL, null=True, blank=True, related_name="displacements")
    state = models.CharField(
        _("status"), max_length=10, choices=DisplacementState.choices, default=DisplacementState.OPEN
    )
    at = models.DateTimeField()
    proposed_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    replaced_by = models.OneToOneField(Booking, models.SET_NULL, null=True, blank=True, related_name="replaces")

    class Meta:
        ordering = ["at", "id"]
        indexes = [
            models.Index(fields=["state", "proposed_at"], name="displacement_by_due"),
            # SQLite counts nulls as one value and would not use the unique index.
            models.Index(fields=["replaced_by"], condition=Q(replaced_by__isnull=False), name="displacement_replaced"),
        ]

    def __str__(self) -> str:
        return f"{self.booking_id}: {self.get_state_display()}"


class ReplacementState(models.TextChoices):
    PROPOSED = "proposed", _("Proposed")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    GONE = "gone", _("Not available any more")


class Replacement(models.Model):
    """One proposal: ``[start, end)`` on an instrument at ``total``, as it would have cost when it was found."""

    displacement = models.ForeignKey(Displacement, models.CASCADE, related_name="replacements")
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="+")
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    total = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(
        _("status"), max_length=10, choices=ReplacementState.choices, default=ReplacementState.PROPOSED
    )
    at = models.DateTimeField()

    class Meta:
        ordering = ["start", "id"]
        constraints = [models.CheckConstraint(condition=Q(end__gt=F("start")), name="replacement_end_after_start")]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.start:%F %R}"
