"""Which topic a message belongs to. People switch topics on and off, not single kinds of messages."""

from __future__ import annotations

from backend.outbox.models import Topic

_KINDS: dict[Topic, str] = {
    Topic.REQUESTS: "samples_submitted samples_note_lab "
    "booking_requested bookings_requested spending_asked booking_withdrawn booking_note_lab usage_submitted "
    "outage_created outage_changed outage_ended outage_extended standing_changed_lab appeal_made "
    "training_requested training_withdrawn",
    Topic.BOOKINGS: "samples_ordered samples_accepted samples_received samples_started samples_done samples_results "
    "samples_returned samples_note booking_received booking_confirmed booking_rejected booking_note "
    "booking_completed bookings_made bookings_decided usage_verified usage_corrected training_enrolled "
    "training_rejected training_result spending_approved spending_rejected",
    Topic.CHANGES: "samples_rejected samples_cancelled "
    "booking_cancelled booking_rescheduled booking_resized booking_transferred booking_displaced "
    "bookings_cancelled bookings_moved "
    "training_changed training_cancelled qualification_granted qualification_revoked "
    "booking_time_free booking_expired booking_no_show booking_unconfirmed "
    "violation_recorded violation_struck_out standing_changed standing_lifted appeal_decided "
    "wait_joined wait_offered wait_offer_over wait_ended replacements_proposed",
    Topic.REMINDERS: "booking_reminder booking_to_confirm qualification_expiring qualification_disuse agreement_ending",
    Topic.MONEY: "voucher_applied voucher_granted voucher_refused voucher_revoked voucher_ending voucher_paid_out "
    "prepaid_recorded prepaid_low budget_near "
    "invoice_issued invoice_credited payment_recorded payment_reversed "
    "dispute_opened dispute_reply dispute_withdrawn dispute_decided invoice_reminder surplus_changed "
    "invoice_run_done tax_data_missing",
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
