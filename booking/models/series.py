"""Bookings that were made together: the dates of a series, the instruments of an experiment."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Group, Organisation, Project, User
from booking.models.bookings import Booking
from instruments.models import Instrument, Mode


class OnConflict(models.TextChoices):
    FAIL = "fail", _("Book all dates or none")
    SKIP = "skip", _("Book what is possible and keep the rest for later")


class Series(models.Model):
    """The same time again and again; ``[start, end)`` is its first date, ``rrule`` by the instrument's clock."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="+", verbose_name=_("instrument"))
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    group = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="+")
    rrule = models.CharField(max_length=200)
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices)
    on_conflict = models.CharField(max_length=4, choices=OnConflict.choices)
    purpose = models.CharField(_("purpose"), max_length=200)
    notes = models.TextField(_("notes"), blank=True)
    samples = models.PositiveIntegerField(_("samples"), null=True, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.start:%F %R} {self.rrule}"


class SkippedDate(models.Model):
    """A date of a series that could not be booked, and why; ``taken_up`` is the booking made for it later.

    Where the clock skips the time of the date, ``start`` is the first instant after the gap.
    """

    series = models.ForeignKey(Series, models.CASCADE, related_name="skipped")
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    refusals = models.JSONField(default=list)
    taken_up = models.OneToOneField(Booking, models.PROTECT, null=True, blank=True, related_name="skipped_date")

    class Meta:
        ordering = ["start"]
        # SQLite counts nulls as one value and would not use the unique index.
        indexes = [models.Index(fields=["taken_up"], condition=Q(taken_up__isnull=False), name="skipped_date_taken_up")]
        constraints = [models.UniqueConstraint(fields=["series", "start"], name="skipped_date_once")]

    def __str__(self) -> str:
        return f"{self.start:%F %R}"


class Bundle(models.Model):
    """Several instruments booked at once for one experiment."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    purpose = models.CharField(_("purpose"), max_length=200)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return self.purpose
