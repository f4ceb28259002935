"""For the demo: time offered by a waitlist, somebody who waits, and a booking that an outage without end displaced."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from backend.web.seed.story import Story
from booking.actions.changing import cancel_booking
from booking.actions.deciding import reject_booking
from booking.actions.offering import offer_free_time
from booking.actions.outages import create_outage
from booking.actions.replacing import propose_replacements
from booking.actions.waiting import join_waitlist
from booking.models import Booking, Status
from instruments.models import Instrument

CUSTOMER, OTHER = "enterprise@demo.example", "other@demo.example"


def plan_waiting(story: Story) -> None:
    """At the time of the demo: `enterprise@` has an offer, a place on a list, and proposals to choose from."""
    by_number = {one.local_no: one for one in story.world.instruments}
    moment = story.now - timedelta(minutes=50)
    story.later(moment, partial(_wait, story, by_number["32"], is_freed=True))
    story.later(moment, partial(_wait, story, by_number["25"], is_freed=False))
    story.later(moment, partial(_break_down, story, by_number["33"]))


def _wait(story: Story, instrument: Instrument, *, is_freed: bool) -> None:
    user = story.world.users[CUSTOMER]
    booking = story.book_first_fit(instrument, OTHER, after=story.now + timedelta(hours=30), minutes=180)
    if booking is None:
        return
    organisation = next(place for person, place in story.world.belongs() if person == user)
    join_waitlist(
        by=user,
        user=user,
        organisation=organisation,
        instrument=instrument,
        start=booking.start,
        end=booking.end,
        minutes=180,
        mode=booking.mode,
        purpose="断口形貌观察",
    )
    if is_freed:
        _give_back(story, booking)
        offer_free_time(instrument=instrument)


def _give_back(story: Story, booking: Booking) -> None:
    manager = story.world.managers[booking.instrument.institution.code]
    if booking.status == Status.CONFIRMED:
        cancel_booking(booking=booking, by=manager, by_lab=True, reason="样品推迟送达")
    else:
        reject_booking(booking=booking, by=manager, reason="样品推迟送达")


def _break_down(story: Story, instrument: Instrument) -> None:
    """The vacuum pump failed this morning; nobody knows until when."""
    lost = story.book_first_fit(instrument, CUSTOMER, after=story.now + timedelta(hours=20), minutes=120)
    if lost is None:
        return
    create_outage(
        instrument=instrument,
        start=(story.now - timedelta(minutes=50)).replace(second=0, microsecond=0),
        end=lost.end + timedelta(hours=12),
        reason="真空泵故障，等待配件",
        by=story.world.managers[instrument.institution.code],
        displace=True,
        open_ended=True,
    )
    propose_replacements(displacement=lost.displacement)
