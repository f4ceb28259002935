"""A customer's time on an instrument, and the decisions about it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Group, Organisation, Project, User
from instruments.models import Instrument, Mode, Occupancy, PriceList


class Status(models.TextChoices):
    REQUESTED = "requested", _("Waiting for approval")
    CONFIRMED = "confirmed", _("Confirmed")
    IN_USE = "in_use", _("In use")
    COMPLETED = "completed", _("Completed")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")
    CANCELLED = "cancelled", _("Cancelled")
    NO_SHOW = "no_show", _("No-show")
    DISPLACED = "displaced", _("Displaced")


# Those that take time on the instrument.
OCCUPYING = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE)


# No booking is longer (`booking.queries.wishes.check_shape`).
LONGEST = timedelta(days=92)


class BookingQuerySet(models.QuerySet["Booking"]):
    def overlapping(self, start: datetime, end: datetime) -> BookingQuerySet:
        """The bound on the start is implied; with it an index finds them without reading all that is past."""
        return self.filter(start__lt=end, end__gt=start, start__gt=start - LONGEST - timedelta(days=1))


class Booking(models.Model):
    """A customer's time on one unit of an instrument; ``[start, end)`` without set-up and cleaning.

    ``version`` counts every change (compare-and-swap); ``sequence`` and ``uid`` are those of the calendar
    event. ``policy``, ``price_list``, ``quote`` and ``audience`` are what held when it was requested.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField(default=1)
    sequence = models.PositiveIntegerField(default=0)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="bookings", verbose_name=_("instrument"))
    unit = models.PositiveSmallIntegerField(_("unit"))
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    occupancy = models.OneToOneField(Occupancy, models.SET_NULL, null=True, related_name="booking")
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="bookings")
    user = models.ForeignKey(User, models.PROTECT, related_name="bookings")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    group = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="bookings")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="bookings")
    series = models.ForeignKey("booking.Series", models.PROTECT, null=True, blank=True, related_name="bookings")
    bundle = models.ForeignKey("booking.Bundle", models.PROTECT, null=True, blank=True, related_name="bookings")
    # Time that the laboratory takes for samples; what they cost is charged with their order.
    order = models.ForeignKey("booking.SampleOrder", models.PROTECT, null=True, blank=True, related_name="bookings")
    purpose = models.CharField(_("purpose"), max_length=200)
    notes = models.TextField(_("notes"), blank=True)
    samples = models.PositiveIntegerField(_("samples"), null=True, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    audience = models.CharField(max_length=30)
    price_list = models.ForeignKey(PriceList, models.PROTECT, null=True, related_name="bookings")
    quote = models.JSONField(default=dict)
    policy = models.JSONField(default=list)
    # What was known of the parties then, by dotted names (person.level): rules that count bookings test these.
    facts = models.JSONField(default=dict, blank=True)
    # Roles that must approve, in the policy's words, and what silence until the hold's end means.
    approval_roles = models.JSONField(default=list)
    silence = models.CharField(max_length=10, blank=True)
    # Whose agreement a request waits for first: the laboratory decides once the customer's own spending is approved.
    awaits_customer = models.BooleanField(default=False)
    requested_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    hold_expires_at = models.DateTimeField(null=True, blank=True)
    # Until when the rules want to hear that the customer comes, when they were asked, and when they said so.
    confirm_by = models.DateTimeField(null=True, blank=True)
    confirm_asked_at = models.DateTimeField(null=True, blank=True)
    coming_at = models.DateTimeField(null=True, blank=True)
    # When the customer was reminded of this time; empty again after a move.
    reminded_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    # The lab ended it or forgave it: prices count no cancellation and no no-show here.
    excused = models.BooleanField(default=False)

    objects = BookingQuerySet.as_manager()

    class Meta:
        ordering = ["start", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="booking_end_after_start"),
            models.CheckConstraint(
                condition=Q(status__in=OCCUPYING, occupancy__isnull=False)
                | ~Q(status__in=OCCUPYING) & Q(occupancy=None),
                name="booking_occupies_while_live",
            ),
        ]
        indexes = [
            models.Index(fields=["instrument", "start"], name="booking_by_instrument"),
            models.Index(fields=["organisation", "start"], name="booking_by_organisation"),
            models.Index(fields=["user", "start"], name="booking_by_user"),
            models.Index(fields=["status", "hold_expires_at"], name="booking_by_hold"),
            models.Index(fields=["status", "start"], name="booking_by_status"),
            models.Index(fields=["confirm_by"], condition=Q(confirm_by__isnull=False), name="booking_to_confirm"),
            # SQLite counts nulls as one value and would not use the unique index.
            models.Index(fields=["occupancy"], condition=Q(occupancy__isnull=False), name="booking_that_occupies"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.start:%F %R}"


class Decision(models.TextChoices):
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")


class Approval(models.Model):
    """One decision about a request, for one of the roles that must approve."""

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="approvals")
    role = models.CharField(_("role"), max_length=30)
    decision = models.CharField(_("decision"), max_length=10, choices=Decision.choices)
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["booking", "role"], name="approval_once_per_role")]

    def __str__(self) -> str:
        return f"{self.role}: {self.get_decision_display()}"
