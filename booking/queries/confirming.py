"""Until when a customer must say that they will come, where the rules want to hear it (event ``unconfirmed``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, QuerySet

from booking.models import Booking, Status
from booking.queries.facts import policy_view
from booking.rules.observe import observe
from booking.rules.rulebook import rulebook_of

UNCONFIRMED = "unconfirmed"


class Unconfirmed(NamedTuple):
    """``at`` is the moment from which it counts; ``forfeits``: the time is then given away."""

    at: datetime
    forfeits: bool


def unconfirmed(policy: Sequence[Mapping[str, Any]], view: Mapping[str, Any], *, tz: str) -> Unconfirmed | None:
    """By the rules of a booking as they see it, without a query; None where they do not ask."""
    events = (rule for document in policy for rule in document.get("rules", ()) if rule.get("kind") == "event")
    if not any(UNCONFIRMED in repr(rule) for rule in events):
        return None  # spares reading the rules at every booking
    found = observe(rulebook_of(policy, tz=tz).rules, view, [(UNCONFIRMED, None)])
    if not found:
        return None
    return Unconfirmed(min(each.at for each in found), any(each.values.get("forfeit") is True for each in found))


def confirm_by(
    policy: Sequence[Mapping[str, Any]], view: Mapping[str, Any], *, tz: str, now: datetime
) -> datetime | None:
    """None also where that moment is over already: who books at short notice has just said that they come."""
    found = unconfirmed(policy, view, tz=tz)
    return found.at if found and now < found.at < view["start"] else None


def of_booking(booking: Booking) -> Unconfirmed | None:
    return unconfirmed(booking.policy, policy_view(booking), tz=booking.instrument.timezone)


def must_confirm(booking: Booking, now: datetime) -> bool:
    """Whether it still waits for that word; what was agreed to only after the moment does not."""
    by = booking.confirm_by
    return (
        booking.status == Status.CONFIRMED
        and by is not None
        and booking.coming_at is None
        and booking.changed_at < by
        and now < booking.start
    )


def waiting_for_word() -> QuerySet[Booking]:
    """Confirmed times whose customers have not said that they come."""
    rows = Booking.objects.filter(status=Status.CONFIRMED, confirm_by__isnull=False, coming_at=None)
    return rows.filter(changed_at__lt=F("confirm_by"))
