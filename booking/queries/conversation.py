"""The messages about a booking, for those who take part in it."""

from __future__ import annotations

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from backend.accounts.queries import Access
from backend.core.db import one
from booking.models import Attachment, Booking, Note, SampleOrder, Side
from booking.queries.scope import get_booking, is_customer


def conversation(about: Booking | SampleOrder) -> QuerySet[Note]:
    """Oldest first, with authors and files: two queries."""
    return about.conversation.select_related("author").prefetch_related("attachments").order_by("at", "pk")


def side_of(access: Access, booking: Booking | SampleOrder) -> Side:
    """For whom the person speaks. Whoever takes part and is not the customer is the laboratory."""
    return Side.CUSTOMER if is_customer(access, booking) else Side.LAB


def get_attachment(access: Access, booking_id: int, pk: int) -> Attachment:
    """A file of a booking that the person takes part in."""
    booking = get_booking(access, booking_id)
    return one(Attachment.objects.filter(note__booking=booking), pk)


def with_talk(rows: QuerySet[Booking]) -> QuerySet[Booking]:
    """Each booking with ``notes_count`` and ``last_side``: who wrote last, None where nobody did."""
    notes = Note.objects.filter(booking=OuterRef("pk"))
    counted = notes.order_by().values("booking").annotate(number=Count("pk")).values("number")
    return rows.annotate(
        notes_count=Coalesce(Subquery(counted, output_field=IntegerField()), Value(0)),
        last_side=Subquery(notes.order_by("-at", "-pk").values("side")[:1]),
    )
