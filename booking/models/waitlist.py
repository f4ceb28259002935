"""Waiting for time on an instrument that is taken, and the offer that comes of it."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Group, Organisation, Project, User
from booking.models.bookings import Booking
from instruments.models import Instrument, Mode, Occupancy


class WaitStatus(models.TextChoices):
    WAITING = "waiting", _("On the waitlist")
    OFFERED = "offered", _("Time offered")
    ACCEPTED = "accepted", _("Offer accepted")
    LEFT = "left", _("Left the waitlist")
    ENDED = "ended", _("Nothing became free")


# Those that may still get a time.
OPEN_WAITS = (WaitStatus.WAITING, WaitStatus.OFFERED)


class Wait(models.Model):
    """Somebody waits for ``minutes`` of an instrument anywhere within ``[start, end)``.

    While *offered*, ``occupancy`` holds ``[offer_start, offer_end)`` for them alone until ``offer_until``.
    ``passed`` are the times they let go, ``[start, end, why]`` in ISO 8601: they are not offered those again.
    ``place`` of ``queue`` who want the same time is kept when the queue changes; ``due_at`` is when to look for
    time next, ``last_start`` is when it is too late. ``version`` counts every change (compare-and-swap).
    """

    version = models.PositiveIntegerField(default=1)
    status = models.CharField(_("status"), max_length=10, choices=WaitStatus.choices, default=WaitStatus.WAITING)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="waits", verbose_name=_("instrument"))
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    minutes = models.PositiveIntegerField(_("length, minutes"))
    last_start = models.DateTimeField()
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="waits")
    user = models.ForeignKey(User, models.PROTECT, related_name="waits")
    group = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="waits")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="waits")
    purpose = models.CharField(_("purpose"), max_length=200)
    notes = models.TextField(_("notes"), blank=True)
    samples = models.PositiveIntegerField(_("samples"), null=True, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    joined_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    due_at = models.DateTimeField()
    place = models.PositiveIntegerField(default=1)
    queue = models.PositiveIntegerField(default=1)
    offer_start = models.DateTimeField(null=True, blank=True)
    offer_end = models.DateTimeField(null=True, blank=True)
    offer_until = models.DateTimeField(null=True, blank=True)
    occupancy = models.OneToOneField(Occupancy, models.SET_NULL, null=True, related_name="wait")
    passed = models.JSONField(default=list, blank=True)
    booking = models.OneToOneField(Booking, models.SET_NULL, null=True, related_name="wait")

    class Meta:
        ordering = ["joined_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="wait_end_after_start"),
            models.CheckConstraint(
                condition=Q(
                    status="offered",
                    occupancy__isnull=False,
                    offer_start__isnull=False,
                    offer_end__isnull=False,
                    offer_until__isnull=False,
                )
                | ~Q(status="offered") & Q(occupancy=None, offer_start=None, offer_end=None, offer_until=None),
                name="wait_holds_while_offered",
            ),
        ]
        indexes = [
            models.Index(fields=["instrument", "status"], name="wait_by_instrument"),
            models.Index(fields=["user", "status"], name="wait_by_user"),
            models.Index(fields=["status", "due_at"], name="wait_by_due"),
            models.Index(fields=["status", "offer_until"], name="wait_by_offer"),
            # SQLite counts nulls as one value and would not use the unique indexes.
            models.Index(fields=["occupancy"], condition=Q(occupancy__isnull=False), name="wait_that_occupies"),
            models.Index(fields=["booking"], condition=Q(booking__isnull=False), name="wait_that_was_booked"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.start:%F %R}–{self.end:%F %R}"

    @property
    def length(self) -> timedelta:
        return timedelta(minutes=self.minutes)
