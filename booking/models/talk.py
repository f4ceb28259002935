"""What the customer and the laboratory write to each other about a booking or about samples."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import User
from backend.core import constraints
from booking.models.bookings import Booking
from booking.models.samples import SampleOrder


class Side(models.TextChoices):
    CUSTOMER = "customer", _("Customer")
    LAB = "lab", _("Laboratory")


class Note(models.Model):
    """One message between the customer and the laboratory about a booking or a sample order. Never edited."""

    booking = models.ForeignKey(Booking, models.PROTECT, null=True, related_name="conversation")
    order = models.ForeignKey(SampleOrder, models.PROTECT, null=True, related_name="conversation")
    side = models.CharField(max_length=10, choices=Side.choices)
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    text = models.TextField(_("message"), blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(booking=None, order__isnull=False) | Q(booking__isnull=False, order=None),
                name="note_about_one_thing",
            )
        ]
        indexes = [
            models.Index(fields=["booking", "at"], name="note_by_booking"),
            models.Index(fields=["order", "at"], name="note_by_order"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Attachment(models.Model):
    """A file of a message; ``content`` lies under MEDIA_ROOT and is only ever served as a download."""

    note = models.ForeignKey(Note, models.PROTECT, related_name="attachments")
    name = models.CharField(_("name"), max_length=150)
    content = models.FileField(upload_to="bookings/%Y/%m/")
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


constraints.register(
    constraints.Immutable("booking_note", ("booking_id", "order_id", "side", "author_id", "text", "at")),
    constraints.Immutable("booking_attachment", ("note_id", "name", "content", "media_type", "size", "sha256")),
)
