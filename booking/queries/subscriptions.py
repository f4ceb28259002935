"""A person's calendar subscriptions."""

from __future__ import annotations

from backend.accounts.models import User
from backend.accounts.queries import Access
from backend.core.db import one
from booking.models import Booking, Feed
from instruments.models import Instrument
from instruments.queries.rights import managed_instruments, visible_instruments

MOST_INSTRUMENTS = 100


def living_feeds(user: User) -> list[Feed]:
    rows = Feed.objects.filter(user=user, revoked_at=None).select_related("organisation", "instrument")
    return list(rows.order_by("-created_at", "-pk"))


def get_feed(user: User, pk: int) -> Feed:
    """One's own living subscription; `NotFound` otherwise."""
    return one(Feed.objects.filter(user=user, revoked_at=None), pk)


def instruments_to_follow(access: Access, *, asked: int = 0) -> list[Instrument]:
    """What is worth offering: instruments that the person manages or has booked, and the one asked for; one query."""
    booked = Booking.objects.filter(user=access.user_id).values("instrument")
    near = managed_instruments(access).values("pk")
    rows = visible_instruments(access)
    chosen = rows.filter(pk__in=near) | rows.filter(pk__in=booked) | rows.filter(pk=asked)
    return list(chosen.order_by("name", "pk").distinct()[:MOST_INSTRUMENTS])
