"""Bookings as events: for the feeds that people subscribe to."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from backend.accounts.models import Role, digest_secret
from backend.accounts.queries import Access, access_of
from backend.core.errors import NotFound
from booking.models import OCCUPYING, Booking, Feed, FeedDetail, FeedScope, Status
from instruments.models import Outage
from instruments.queries.rights import manages, visible_instruments

# How long a cancelled booking stays in a feed after its end, so that every reader has seen it go.
AFTERLIFE = timedelta(days=14)
PAST = timedelta(days=180)
GONE = (Status.CANCELLED, Status.REJECTED, Status.WITHDRAWN, Status.EXPIRED, Status.DISPLACED, Status.NO_SHOW)


def feed_by_token(token: str) -> tuple[Feed, Access]:
    """The living feed with this secret; `NotFound` when it is unknown, revoked, or its membership ended."""
    feed = (
        Feed.objects.select_related("user", "organisation", "instrument__institution")
        .filter(digest=digest_secret(token), revoked_at=None, user__is_active=True)
        .first()
    )
    if feed is None:
        raise NotFound
    access = access_of(feed.user)
    if feed.scope == FeedScope.ORGANISATION and not access.has(feed.organisation_id or 0):
        raise NotFound
    if feed.scope == FeedScope.INSTRUMENT:
        _check_instrument(feed, access)
    if feed.scope == FeedScope.MINE and not access.roles:
        raise NotFound
    return feed, access


def _check_instrument(feed: Feed, access: Access) -> None:
    instrument = feed.instrument
    if instrument is None or not visible_instruments(access).filter(pk=instrument.pk).exists():
        raise NotFound
    if feed.detail == FeedDetail.FULL and not manages(access, instrument):
        raise NotFound


def feed_bookings(feed: Feed, access: Access, *, now: datetime) -> QuerySet[Booking]:
    """Living bookings since half a year ago, and those that ended otherwise until two weeks after their end."""
    rows = Booking.objects.filter(_scope(feed, access))
    alive = Q(status__in=[*OCCUPYING, Status.COMPLETED], end__gt=now - PAST)
    gone = Q(status__in=GONE, end__gt=now - AFTERLIFE)
    return (
        rows.filter(alive | gone)
        .select_related("instrument__institution", "organisation", "user")
        .order_by("start", "id")
    )


def _scope(feed: Feed, access: Access) -> Q:
    if feed.scope == FeedScope.INSTRUMENT:
        return Q(instrument=feed.instrument_id)
    if feed.scope == FeedScope.ORGANISATION:
        whole = Q(organisation=feed.organisation_id)
        # Only its administrator sees the whole company; a member sees their own part of it.
        return whole if access.has(feed.organisation_id or 0, Role.ADMIN) else whole & Q(user=feed.user_id)
    return Q(user=feed.user_id, organisation__in=access.where())


def feed_outages(feed: Feed, *, now: datetime) -> QuerySet[Outage]:
    """Outages belong to an instrument's feed; to others nothing is added."""
    return Outage.objects.filter(instrument=feed.instrument_id, end__gt=now - PAST).order_by("start", "pk")


def note_use(feed: Feed) -> None:
    """When the address was last read, to the quarter of an hour."""
    now = timezone.now()
    if feed.last_used_at is None or now - feed.last_used_at > timedelta(minutes=15):
        Feed.objects.filter(pk=feed.pk).update(last_used_at=now)
