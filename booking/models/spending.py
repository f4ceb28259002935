"""The customer's own agreement to what a booking costs, before the laboratory is asked."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Project, User
from booking.models.bookings import Booking


class SpendingState(models.TextChoices):
    OPEN = "open", _("Waiting")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")
    LAPSED = "lapsed", _("No longer needed")


class SpendingRequest(models.Model):
    """One question to the customer's approvers; at most one is open for a booking. Kept as the record of who agreed.

    ``approvers`` and ``why`` are those of the rule at that time.
    """

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="spending_requests")
    state = models.CharField(_("status"), max_length=8, choices=SpendingState.choices, default=SpendingState.OPEN)
    project = models.ForeignKey(Project, models.PROTECT, null=True, related_name="+")
    total = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    approvers = models.JSONField(default=list)
    limit = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=500, blank=True)

    class Meta:
        ordering = ["asked_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["booking"], condition=Q(state="open"), name="spending_asked_once"),
        ]

    def __str__(self) -> str:
        return f"{self.booking_id} {self.state}"
