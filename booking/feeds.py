"""iCalendar (RFC 5545): bookings as events whose UID never changes.

DTSTAMP and LAST-MODIFIED are the last change, SEQUENCE counts changes, so a reader replaces what it has.
The bytes depend on the data alone: their hash is the ETag.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from icalendar import Calendar, Event, vDuration, vText

from booking.models import Booking, Feed, FeedDetail, Status, TrainingSession
from booking.queries.calendar import GONE, feed_bookings, feed_by_token, feed_outages, note_use
from instruments.models import Instrument, Outage

REFRESH = timedelta(minutes=15)
# Control characters are not allowed in text; icalendar lets them pass.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_STATES = {
    Status.REQUESTED: "TENTATIVE",
    **dict.fromkeys(GONE, "CANCELLED"),
}


def render_feed(token: str) -> tuple[bytes, str]:
    """The calendar and its ETag; `NotFound` for an address that is not alive."""
    feed, access = feed_by_token(token)
    now = timezone.now()
    note_use(feed)
    with translation.override(feed.user.language):
        calendar = _calendar(feed)
        _add_bookings(calendar, feed_bookings(feed, access, now=now), busy_only=feed.detail == FeedDetail.BUSY)
        if feed.instrument is not None:
            _add_outages(calendar, feed_outages(feed, now=now), feed.instrument)
    calendar.add_missing_timezones()
    content = bytes(calendar.to_ical())
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def render_booking(booking: Booking) -> bytes:
    """One booking as a file to add to a calendar by hand."""
    calendar = _empty(str(booking.instrument))
    _add_bookings(calendar, [booking], busy_only=False)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def render_session(session: TrainingSession) -> bytes:
    """A session of a training as a file to add to a calendar by hand."""
    language = translation.get_language() or ""
    name, zone = session.course.label(language), session.zone
    calendar = _empty(name)
    event = _event(
        str(session.uid),
        session.start.astimezone(zone),
        session.end.astimezone(zone),
        stamp=session.changed_at,
        sequence=session.version,
    )
    event.add("summary", _clean(name))
    event.add("status", "CANCELLED" if session.cancelled_at else "CONFIRMED")
    url = f"{settings.SITE_URL}/trainings/{session.course_id}/"
    lines = [session.course.institution.label(language), session.trainer, url]
    event.add("description", _clean("\n".join(line for line in lines if line)))
    if session.place:
        event.add("location", _clean(session.place))
    event.add("url", url)
    calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _calendar(feed: Feed) -> Calendar:
    calendar = _empty(f"{feed.name} · 仪享")
    calendar.add("refresh-interval", vDuration(REFRESH), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    return calendar


def _empty(name: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//Yixiang//Instrument bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", vText(_clean(name)))
    calendar.add("x-wr-timezone", vText(settings.TIME_ZONE))
    return calendar


def _add_bookings(calendar: Calendar, bookings: Iterable[Booking], *, busy_only: bool) -> None:
    for booking in bookings:
        zone = booking.instrument.zone
        event = _event(
            str(booking.uid),
            booking.start.astimezone(zone),
            booking.end.astimezone(zone),
            stamp=booking.changed_at,
            sequence=booking.sequence,
        )
        event.add("status", _STATES.get(Status(booking.status), "CONFIRMED"))
        event.add("transp", "TRANSPARENT" if booking.status in GONE else "OPAQUE")
        if busy_only:
            event.add("summary", _clean(_("Busy")))
        else:
            _describe(event, booking)
        calendar.add_component(event)


def _describe(event: Event, booking: Booking) -> None:
    instrument = booking.instrument
    name = instrument.label(translation.get_language() or "")
    url = f"{settings.SITE_URL}/bookings/{booking.pk}/"
    event.add("summary", _clean(f"{name} · {booking.get_status_display()}"))
    lines = [
        instrument.institution.label(translation.get_language() or ""),
        f"{booking.organisation.name} · {booking.user.name}",
        booking.purpose,
        url,
    ]
    event.add("description", _clean("\n".join(line for line in lines if line)))
    place = instrument.address or instrument.institution.address
    if place:
        event.add("location", _clean(place))
    event.add("url", url)


def _add_outages(calendar: Calendar, outages: Iterable[Outage], instrument: Instrument) -> None:
    zone = instrument.zone
    for outage in outages:
        start, end = outage.start.astimezone(zone), outage.end.astimezone(zone)
        event = _event(str(outage.uid), start, end, stamp=outage.changed_at, sequence=outage.sequence)
        event.add("summary", _clean(_("Out of service")))
        event.add("status", "CONFIRMED")
        calendar.add_component(event)


def _event(uid: str, start: datetime, end: datetime, *, stamp: datetime, sequence: int) -> Event:
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", stamp)
    event.add("last-modified", stamp)
    event.add("sequence", sequence)
    if start.fold or end.fold:
        # A local time that comes twice is read as the first of the two (RFC 5545, 3.3.5).
        start, end = start.astimezone(UTC), end.astimezone(UTC)
    event.add("dtstart", start)
    event.add("dtend", end)
    return event


def _clean(text: str) -> str:
    return _CONTROL.sub("", text)
