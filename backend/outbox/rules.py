"""Which topic a message belongs to. People switch topics on and off, not single kinds of messages."""

from __future__ import annotations

from backend.outbox.models import Topic

_KINDS: dict[Topic, str] = {
    Topic.REQUESTS: "booking_requested booking_withdrawn booking_note_lab usage_submitted "
    "outage_created outage_changed outage_ended",
    Topic.BOOKINGS: "booking_received booking_confirmed booking_rejected booking_note booking_completed "
    "usage_verified usage_corrected",
    Topic.CHANGES: "booking_cancelled booking_rescheduled booking_displaced booking_time_free booking_expired "
    "booking_no_show",
    Topic.REMINDERS: "booking_reminder",
    Topic.MONEY: "invoice_issued invoice_credited payment_recorded payment_reversed",
    Topic.ACCOUNT: "registration_received registration_confirmed registration_refused",
}
TOPIC_OF: dict[str, Topic] = {kind: topic for topic, kinds in _KINDS.items() for kind in kinds.split()}
# Whoever could switch these off would not learn that somebody else uses their account.
ALWAYS = Topic.ACCOUNT


def topic_of(kind: str) -> Topic:
    """A kind that no topic names is always delivered."""
    return TOPIC_OF.get(kind, ALWAYS)


def kinds_of(topic: Topic) -> frozenset[str]:
    return frozenset(kind for kind, its in TOPIC_OF.items() if its == topic)
