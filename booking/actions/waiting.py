"""Joining and leaving the waitlist, and what every change of a wait shares."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Group, Organisation, Project, User
from backend.audit.actions import record
from backend.core.db import atomic_action, read_anew
from backend.core.errors import Refusal, Refused, Stale, invalid, refuse
from backend.core.periods import clock_words
from backend.outbox.actions import post
from booking.actions.freeing import mark_freed
from booking.models import OPEN_WAITS, Wait, WaitStatus
from booking.queries.assess import assess
from booking.queries.offers import free_time_for
from booking.queries.waitlist import belonging, open_waits, places, standings, wish_of_wait
from instruments.actions.occupancy import lock_instruments, vacate
from instruments.models import Instrument

LONGEST_WINDOW = timedelta(days=92)
SHORTEST = 5
MOST_OPEN = 20
# What no free time cures: who meets this would wait for nothing.
HOPELESS = {
    "not_active", "not_shared", "mode_needs_no_time", "mode_not_offered", "no_price", "unknown_parameter", "negative",
    "too_far",
}  # fmt: skip


@atomic_action
def join_waitlist(
    *,
    by: User,
    user: User,
    organisation: Organisation,
    instrument: Instrument,
    start: datetime,
    end: datetime,
    minutes: int,
    mode: str,
    purpose: str,
    notes: str = "",
    samples: int | None = None,
    parameters: dict[str, Any] | None = None,
    project: Project | None = None,
    group: Group | None = None,
) -> Wait:
    """Wait for ``minutes`` anywhere within ``[start, end)`` (aware instants).

    `Refused` where some of it is free or waited for already, or where no time could ever be booked.
    """
    now = timezone.now()
    _check_window(start, end, minutes, now)
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    instrument = lock_instruments([instrument.pk])[instrument.pk]
    wait = Wait(
        instrument=instrument,
        start=start,
        end=end,
        minutes=minutes,
        last_start=end - timedelta(minutes=minutes),
        mode=mode,
        organisation=organisation,
        user=user,
        group=group,
        project=project,
        purpose=purpose,
        notes=notes,
        samples=samples,
        parameters=parameters or {},
        joined_at=now,
        changed_at=now,
        due_at=now + timedelta(hours=1),
    )
    _check_use(wait, now)
    wait.save()
    renumber(instrument, now)
    wait.refresh_from_db(fields=["place", "queue"])
    _announce(wait, by)
    return wait


def _announce(wait: Wait, by: User) -> None:
    """Who is put on the list by somebody else is told."""
    if wait.user != by:
        tell(wait, "wait_joined", by=by.name, when=clock_words(wait.start, wait.end, wait.instrument.zone))
    note(wait, "wait.join", by=by, start=wait.start, end=wait.end, minutes=wait.minutes)


def _check_window(start: datetime, end: datetime, minutes: int, now: datetime) -> None:
    if end <= start:
        raise invalid("end", _("The end must be after the start."), "end_before_start")
    if any(t.second or t.microsecond for t in (start, end)):
        raise invalid("start", _("Please give times in whole minutes."), "whole_minutes")
    if end <= now:
        raise invalid("end", _("The end lies in the past."), "past")
    if end - start > LONGEST_WINDOW:
        raise invalid("end", _("One can wait for a time within at most 92 days."), "too_long")
    if minutes < SHORTEST:
        raise invalid("duration_minutes", _("At least %(least)s minutes.") % {"least": SHORTEST}, "too_short")
    if end - max(start, now) < timedelta(minutes=minutes):
        raise invalid("duration_minutes", _("The length does not fit between these times."), "does_not_fit")


def _check_use(wait: Wait, now: datetime) -> None:
    """Whether waiting makes sense: not already waiting, nothing free now, and not refused for good."""
    mine = Wait.objects.filter(user=wait.user, status__in=OPEN_WAITS)
    if mine.filter(instrument=wait.instrument, start__lt=wait.end, end__gt=wait.start).exists():
        raise refuse("already_waiting", _("You are on the waitlist for some of this time already."))
    if mine.count() >= MOST_OPEN:
        raise refuse("too_many_waits", _("One can be on at most %(most)s waitlists at a time.") % {"most": MOST_OPEN})
    begins = max(wait.start, now + timedelta(minutes=1))
    hopeless = assess(wish_of_wait(wait, begins, begins + wait.length), now=now).refusals
    found = [refusal for refusal in hopeless if refusal.code in HOPELESS]
    if found:
        raise Refused(*found)
    free = free_time_for(wait, now)
    if free is not None:
        when = clock_words(free.start, free.end, wait.instrument.zone)
        raise Refused(
            Refusal(
                "free_now",
                _("There is free time in it: %(when)s.") % {"when": when},
                fix=free.start,
                fix_text=_("Book it instead of waiting."),
            )
        )


@atomic_action
def leave_waitlist(*, wait: Wait, by: User, version: int | None = None) -> Wait:
    """Wait no longer; time that is held for them passes on."""
    wait = lock_wait(wait, version=version)
    if wait.status not in OPEN_WAITS:
        raise _no_more(wait)
    now = timezone.now()
    let_go(wait, WaitStatus.LEFT, now)
    renumber(wait.instrument, now)
    note(wait, "wait.leave", by=by)
    return wait


# --- what every change shares ----------------------------------------------------------------------------------------


def lock_wait(wait: Wait, *, version: int | None = None) -> Wait:
    """Lock the instrument, then read the wait anew; `Stale` when the caller saw another version."""
    instrument = lock_instruments([wait.instrument_id])[wait.instrument_id]
    rows = Wait.objects.select_for_update(of=("self",), no_key=True)
    related = rows.select_related("organisation", "user", "group", "project", "occupancy")
    fresh = read_anew(related, wait, version=version)
    fresh.instrument = instrument
    return fresh


def require_offer(wait: Wait) -> None:
    if wait.status != WaitStatus.OFFERED:
        raise _no_more(wait)


def _no_more(wait: Wait) -> Refused:
    return refuse(
        "wrong_status",
        _("This is not possible any more: “%(status)s”.") % {"status": wait.get_status_display()},
        params={"status": wait.status},
    )


def change(wait: Wait, to: str, at: datetime, **changes: Any) -> Wait:
    """Compare-and-swap to another status."""
    same = Wait.objects.filter(pk=wait.pk, status=wait.status, version=wait.version)
    if not same.update(status=to, version=models.F("version") + 1, changed_at=at, **changes):
        raise Stale
    wait.status, wait.changed_at = to, at
    wait.version += 1
    for name, value in changes.items():
        setattr(wait, name, value)
    return wait


NO_OFFER: dict[str, None] = {"offer_start": None, "offer_end": None, "offer_until": None, "occupancy": None}


def let_go(wait: Wait, to: str, at: datetime, *, why: str = "") -> None:
    """To another status without the offer, whose time is free for the next; ``why`` it is not offered them again."""
    held, start, end = wait.occupancy_id, wait.offer_start, wait.offer_end
    passed = wait.passed
    if why and start and end:
        passed = [*passed, [start.isoformat(), end.isoformat(), why]]
    change(wait, to, at, passed=passed, **NO_OFFER)
    if held and start and end:
        vacate(occupancy_ids=[held])
        mark_freed(wait.instrument, start, end)


def renumber(instrument: Instrument, now: datetime) -> None:
    """Keep each one's place, after the queue has changed; in the caller's transaction, which holds the instrument."""
    rows = [each.wait for each in standings(instrument, open_waits(instrument), now)]
    numbers = places(rows)
    moved = [wait for wait in rows if (wait.place, wait.queue) != numbers[wait.pk]]
    for wait in moved:
        wait.place, wait.queue = numbers[wait.pk]
    Wait.objects.bulk_update(moved, ["place", "queue"])


def tell(wait: Wait, kind: str, **more: Any) -> None:
    """A message to the person, as long as they belong to the organisation for which they wait."""
    if wait.pk not in belonging([wait]):
        return
    zone = wait.instrument.zone
    post(
        key=f"{kind}:{wait.pk}:{wait.version}",
        kind=kind,
        recipients=[wait.user_id],
        context={
            "instrument": wait.instrument.name,
            "instrument_en": wait.instrument.name_en or wait.instrument.name,
            "organisation": wait.organisation.name,
            "person": wait.user.name,
            "window": clock_words(wait.start, wait.end, zone),
            "zone": wait.instrument.timezone,
            **more,
        },
        path="/bookings/waiting/",
    )


def note(wait: Wait, action: str, *, by: User | None, **after: Any) -> None:
    record(
        organisation_id=wait.instrument.institution_id,
        actor_id=by.pk if by else None,
        action=action,
        object_type="wait",
        object_id=wait.pk,
        after={"status": wait.status, "instrument": wait.instrument_id, "organisation": wait.organisation_id, **after},
    )
