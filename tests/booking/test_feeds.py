"""Calendar feeds: what a subscriber's reader sees, and who can read them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import recurring_ical_events
import vobject
from django.utils import timezone
from icalendar import Calendar

from backend.accounts.models import Membership, Role
from backend.core.errors import Forbidden, NotFound
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.feeds import create_feed, replace_feed, revoke_feed
from booking.feeds import render_feed
from booking.models import Booking, Feed
from tests.booking.test_requesting import book
from tests.factories import at, make_instrument, make_manager, make_member, make_price_list

pytestmark = pytest.mark.django_db


@pytest.fixture
def booking(clock: Any) -> Any:
    instrument = make_instrument(name="扫描电镜，带很长的名字以便折行：场发射扫描电子显微镜与能谱仪联用系统")
    make_price_list(instrument)
    return book(instrument)


def events(content: bytes) -> list[Any]:
    return list(Calendar.from_ical(content).walk("VEVENT"))


def test_feed_is_read_the_same_by_three_libraries(booking: Any) -> None:
    _, secret = create_feed(user=booking.user, scope="mine")

    content, _ = render_feed(secret)

    one = events(content)[0]
    assert (one["UID"], one["DTSTART"].dt, one["DTEND"].dt) == (str(booking.uid), at(9), at(12))
    assert vobject.readOne(content.decode()).vevent.dtstart.value == at(9)
    assert len(recurring_ical_events.of(Calendar.from_ical(content)).at((2026, 12, 1))) == 1


def test_feed_lines_are_short_and_times_have_a_zone(booking: Any) -> None:
    _, secret = create_feed(user=booking.user, scope="mine")

    content, _ = render_feed(secret)

    assert max(len(line) for line in content.split(b"\r\n")) <= 75
    assert b"DTSTART;TZID=Asia/Shanghai:20261201T090000" in content
    assert b"BEGIN:VTIMEZONE" in content
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT15M" in content


def test_etag_is_stable_until_something_changes(booking: Any, clock: Any) -> None:
    _, secret = create_feed(user=booking.user, scope="mine")

    _, first = render_feed(secret)
    clock.shift(timedelta(hours=1))
    _, later = render_feed(secret)
    reschedule_booking(booking=booking, by=booking.user, start=at(10), end=at(13))
    _, changed = render_feed(secret)

    assert first == later != changed


def test_change_keeps_the_uid_and_raises_the_sequence(booking: Any) -> None:
    _, secret = create_feed(user=booking.user, scope="mine")
    before = events(render_feed(secret)[0])[0]

    reschedule_booking(booking=booking, by=booking.user, start=at(10), end=at(13))

    after = events(render_feed(secret)[0])[0]
    assert after["UID"] == before["UID"]
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (0, 1)


def test_cancelled_booking_stays_fourteen_days_after_its_end(booking: Any, clock: Any) -> None:
    _, secret = create_feed(user=booking.user, scope="mine")
    cancel_booking(booking=booking, by=booking.user)

    now = [str(e["STATUS"]) for e in events(render_feed(secret)[0])]
    clock.move_to(at(12) + timedelta(days=14, seconds=-1))
    last = len(events(render_feed(secret)[0]))
    clock.shift(timedelta(seconds=2))
    gone = len(events(render_feed(secret)[0]))

    assert (now, last, gone) == (["CANCELLED"], 1, 0)


def test_control_characters_are_stripped(booking: Any) -> None:
    Booking.objects.update(purpose="a\x0bb\x1f")
    _, secret = create_feed(user=booking.user, scope="mine")

    content, _ = render_feed(secret)

    assert not [b for b in content if b < 32 and b not in (10, 13)]


def test_busy_feed_of_an_instrument_says_neither_who_nor_what(booking: Any) -> None:
    watcher = make_member(booking.organisation)
    _, secret = create_feed(user=watcher, scope="instrument", detail="busy", instrument=booking.instrument)

    content = render_feed(secret)[0].decode()

    assert len(events(content.encode())) == 1
    assert "SUMMARY:Busy" in content.replace("\r\n ", "")
    for secret_text in (booking.user.name, booking.organisation.name, booking.purpose):
        assert secret_text not in content


def test_full_feed_of_an_instrument_is_for_its_managers(booking: Any) -> None:
    with pytest.raises(Forbidden):
        create_feed(user=booking.user, scope="instrument", instrument=booking.instrument)
    manager = make_manager(booking.instrument.institution)
    _, secret = create_feed(user=manager, scope="instrument", instrument=booking.instrument)

    assert booking.organisation.name in render_feed(secret)[0].decode().replace("\r\n ", "")


def test_organisation_feed_shows_all_to_its_admin_and_own_to_a_member(booking: Any) -> None:
    company = booking.organisation
    admin, member = make_member(company, Role.ADMIN), make_member(company)

    counts = [
        len(events(render_feed(create_feed(user=u, scope="organisation", organisation=company)[1])[0]))
        for u in (admin, member)
    ]

    assert counts == [1, 0]


def test_revoked_replaced_and_unknown_addresses_are_dead(booking: Any) -> None:
    feed, secret = create_feed(user=booking.user, scope="mine")
    _, second = replace_feed(feed=feed, by=booking.user)
    alive = len(render_feed(second)[0])
    revoke_feed(feed=feed, by=booking.user)

    for dead in (secret, second, "x" * 43):
        with pytest.raises(NotFound):
            render_feed(dead)
    assert alive > 0


def test_feed_dies_with_the_membership(booking: Any) -> None:
    _, secret = create_feed(user=booking.user, scope="mine")
    Membership.objects.update(ended_at=timezone.now())

    with pytest.raises(NotFound):
        render_feed(secret)


def test_secret_is_not_stored(booking: Any) -> None:
    feed, secret = create_feed(user=booking.user, scope="mine")

    assert secret not in str(Feed.objects.values().get())
    assert len(secret) >= 43
    assert feed.digest != secret
