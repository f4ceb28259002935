"""What happened to bookings against the rules: the stored events that ladders count."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Group, Organisation, Project, User
from booking.models.bookings import Booking
from instruments.models import Instrument


class Violation(models.Model):
    """A named event of a booking, found by a rule of kind ``event``; or one of a party alone, such as ``lifted``.

    ``rule`` is the id of that rule; on an event without a booking it names the ladder that it ends (empty: all).
    ``cause`` is what was observed: checkin, checkout, cancel, never, unconfirmed. ``at`` is when it happened.
    Nobody counts it any more from ``struck_out_at`` on: an appeal was upheld, or the observation was wrong.
    """

    name = models.CharField(_("name"), max_length=80)
    rule = models.CharField(max_length=120, blank=True)
    cause = models.CharField(max_length=20, blank=True)
    at = models.DateTimeField(_("time"))
    booking = models.ForeignKey(Booking, models.PROTECT, null=True, blank=True, related_name="violations")
    person = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="violations")
    group = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="+")
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="violations")
    instrument = models.ForeignKey(Instrument, models.PROTECT, null=True, blank=True, related_name="violations")
    # In whose house it happened; without one it counts for the network's rules only.
    institution = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="+")
    # What the rule says of it (``with`` and ``dates``), as JSON.
    values = models.JSONField(default=dict, blank=True)
    # Who did what led to it; empty for the system.
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField(auto_now_add=True)
    struck_out_at = models.DateTimeField(null=True, blank=True)
    struck_out_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["booking", "rule", "name"], name="violation_once_per_booking"),
            models.CheckConstraint(
                condition=Q(booking__isnull=False) | Q(person__isnull=False) | Q(organisation__isnull=False),
                name="violation_of_a_party",
            ),
        ]
        indexes = [
            models.Index(fields=["person", "at"], condition=Q(struck_out_at=None), name="violation_by_person"),
            models.Index(fields=["organisation", "at"], condition=Q(struck_out_at=None), name="violation_by_customer"),
            models.Index(fields=["group", "at"], condition=Q(struck_out_at=None), name="violation_by_group"),
            models.Index(fields=["instrument", "at"], condition=Q(struck_out_at=None), name="violation_by_instrument"),
            models.Index(F("institution"), F("at").desc(), name="violation_by_institution"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%F %R}"
