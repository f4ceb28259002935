"""Time that becomes free goes to whoever is first on the waitlist and may have it: offered, held, passed on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import refuse
from backend.core.periods import clock_words
from booking.actions.locks import lock_parties_of
from booking.actions.requesting import place_booking, require_member
from booking.actions.waiting import NO_OFFER, change, let_go, lock_wait, note, renumber, require_offer, tell
from booking.models import Booking, Wait, WaitStatus
from booking.queries.offers import free_time_for, offer_until
from booking.queries.waitlist import belonging, open_waits, standings, wish_of_wait
from booking.queries.wishes import Wish
from instruments.actions.occupancy import lock_instruments, occupy
from instruments.models import Instrument, OccupancyKind

log = logging.getLogger(__name__)

# Rules and opening hours change without telling: whoever waits is looked at this often in any case.
AGAIN = timedelta(minutes=30)
MOST_AT_ONCE = 200


@atomic_action
def offer_free_time(*, instrument: Instrument) -> int:
    """Offer what is free to those who wait, in their order; each gets one time, and the next what is left.

    Returns how many got an offer.
    """
    instrument = lock_instruments([instrument.pk])[instrument.pk]
    now = timezone.now()
    rows = list(open_waits(instrument).filter(status=WaitStatus.WAITING))
    here = belonging(rows)
    made = 0
    for standing in standings(instrument, rows, now):
        wait = standing.wait
        wait.instrument = instrument
        wish = free_time_for(wait, now) if wait.pk in here else None
        if wish is not None:
            _offer(wait, wish, now)
            made += 1
    Wait.objects.filter(instrument=instrument, status=WaitStatus.WAITING).update(due_at=now + AGAIN)
    renumber(instrument, now)
    return made


def _offer(wait: Wait, wish: Wish, now: datetime) -> None:
    until = offer_until(wish, now)
    occupancy = occupy(instrument=wait.instrument, start=wish.start, end=wish.end, kind=OccupancyKind.OFFER)
    held = {"offer_start": wish.start, "offer_end": wish.end, "offer_until": until, "occupancy": occupancy}
    change(wait, WaitStatus.OFFERED, now, **held)
    zone = wait.instrument.zone
    tell(
        wait,
        "wait_offered",
        when=clock_words(wish.start, wish.end, zone),
        until=until.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
    )
    note(wait, "wait.offer", by=None, start=wish.start, end=wish.end, until=until)


@atomic_action
def accept_offer(*, wait: Wait, by: User, version: int | None = None) -> Booking:
    """Book the time that is held for them. `Refused` once the offer is over, and where a rule says no by now."""
    now = timezone.now()
    rules = lock_parties_of(wait, now=now)
    wait = lock_wait(wait, version=version)
    require_offer(wait)
    require_member(wait.user, wait.organisation)
    start, end, until, held = wait.offer_start, wait.offer_end, wait.offer_until, wait.occupancy
    if start is None or end is None or until is None or until <= now:
        raise refuse("offer_over", _("This offer has ended; the time has passed on to the next."), until=until)
    change(wait, WaitStatus.ACCEPTED, now, **NO_OFFER)
    wish = wish_of_wait(wait, start, end)
    booking = place_booking(wish, by=by, purpose=wait.purpose, notes=wait.notes, now=now, replacing=held, rules=rules)
    Wait.objects.filter(pk=wait.pk).update(booking=booking)
    renumber(wait.instrument, now)
    note(wait, "wait.accept", by=by, booking=booking.pk)
    return booking


@atomic_action
def decline_offer(*, wait: Wait, by: User, version: int | None = None) -> Wait:
    """Not this time: it passes on to the next, and they go on waiting for another."""
    wait = lock_wait(wait, version=version)
    require_offer(wait)
    now = timezone.now()
    let_go(wait, WaitStatus.WAITING, now, why="declined")
    renumber(wait.instrument, now)
    note(wait, "wait.decline", by=by)
    return wait


@atomic_action
def expire_offer(*, wait: Wait) -> Wait:
    """What silence means: the time passes on to the next. Unchanged where it was answered meanwhile."""
    wait = lock_wait(wait)
    now = timezone.now()
    if wait.status != WaitStatus.OFFERED or wait.offer_until is None or wait.offer_until > now:
        return wait
    when = _offered(wait)
    let_go(wait, WaitStatus.WAITING, now, why="expired")
    renumber(wait.instrument, now)
    tell(wait, "wait_offer_over", when=when)
    note(wait, "wait.expire", by=None)
    return wait


def _offered(wait: Wait) -> str:
    if wait.offer_start is None or wait.offer_end is None:
        return ""
    return clock_words(wait.offer_start, wait.offer_end, wait.instrument.zone)


def withdraw_offers(*, instrument: Instrument, start: datetime, end: datetime, reason: str) -> int:
    """Within an outage's transaction: what it hits is not offered any more; how many offers.

    They keep their place and may be offered the time again once it is free.
    """
    hit = Wait.objects.filter(instrument=instrument, occupancy__start__lt=end, occupancy__end__gt=start)
    now = timezone.now()
    rows = list(hit.select_related("organisation", "user", "occupancy"))
    for wait in rows:
        wait.instrument = instrument
        when = _offered(wait)
        let_go(wait, WaitStatus.WAITING, now)
        tell(wait, "wait_offer_over", when=when, reason=reason)
        note(wait, "wait.withdraw", by=None)
    return len(rows)


@atomic_action
def end_wait(*, wait: Wait) -> Wait:
    """The times that they could use are over."""
    wait = lock_wait(wait)
    now = timezone.now()
    if wait.status != WaitStatus.WAITING or now <= wait.last_start:
        return wait
    change(wait, WaitStatus.ENDED, now)
    renumber(wait.instrument, now)
    tell(wait, "wait_ended")
    note(wait, "wait.end", by=None)
    return wait


# --- every minute ----------------------------------------------------------------------------------------------------


def tend_waitlists() -> int:
    """Offers nobody answered, waits whose time is over, and whoever is due to be looked at; how many steps."""
    now = timezone.now()
    unanswered = Wait.objects.filter(status=WaitStatus.OFFERED, offer_until__lte=now).order_by("offer_until")
    waiting = Wait.objects.filter(status=WaitStatus.WAITING)
    late = waiting.filter(last_start__lt=now).order_by("last_start")
    done = _each(expire_offer, unanswered) + _each(end_wait, late)
    return done + offer_due()


def offer_due() -> int:
    """Each instrument in a transaction of its own; the order of its waitlist decides among its people."""
    due = Wait.objects.filter(status=WaitStatus.WAITING, due_at__lte=timezone.now())
    instruments = Instrument.objects.filter(pk__in=due.values("instrument")).order_by("pk")[:MOST_AT_ONCE]
    made = 0
    for instrument in list(instruments):
        try:
            made += offer_free_time(instrument=instrument)
        except Exception:
            # One that cannot be served must not hold up the others; the next minute tries again.
            log.exception("the waitlist of instrument %s could not be served", instrument.pk)
    return made


def _each(work: Callable[..., Wait], rows: Iterable[Wait]) -> int:
    done = 0
    for wait in list(rows)[:MOST_AT_ONCE]:
        try:
            work(wait=wait)
            done += 1
        except Exception:
            log.exception("wait %s could not be ended", wait.pk)
    return done
