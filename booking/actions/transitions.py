"""What every change of a booking shares: locks, compare-and-swap, audit row, message."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Membership, Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import Act, record_all
from backend.core.db import read_anew
from backend.core.errors import Stale, refuse
from backend.core.periods import clock_words
from backend.core.prepared import ID, Given, Prepared, among
from backend.outbox.actions import Post, post_all
from backend.outbox.queries.inbox import switched_off_ahead
from backend.outbox.rules import topic_of
from booking.actions.freeing import mark_freed
from booking.models import OCCUPYING, Booking, SpendingRequest, SpendingState, Status
from booking.queries.scope import OWN_DESKS
from instruments.actions.occupancy import lock_instruments, vacate
from instruments.models import Instrument

_untold: ContextVar[bool] = ContextVar("untold", default=False)


@contextmanager
def untold() -> Iterator[None]:
    """Bookings change within without a message for each: the caller tells of all of them at once."""
    token = _untold.set(True)
    try:
        yield
    finally:
        _untold.reset(token)


def lock_booking(booking: Booking, *, version: int | None = None) -> Booking:
    """Lock the instrument, then read the booking anew; `Stale` when the caller saw another version."""
    lock_instruments([booking.instrument_id])
    rows = Booking.objects.select_for_update(of=("self",), no_key=True).select_related(
        "instrument__institution", "organisation", "user", "made_by", "project", "group", "price_list", "occupancy"
    )
    return read_anew(rows, booking, version=version)


def require_status(booking: Booking, allowed: Collection[str]) -> None:
    if booking.status not in allowed:
        raise refuse(
            "wrong_status",
            _("This is not possible any more: the booking is “%(status)s”.") % {"status": booking.get_status_display()},
            params={"status": booking.status},
        )


def move(booking: Booking, to: str, *, at: datetime, **changes: Any) -> Booking:
    """Compare-and-swap to another status; gives the time back when the new status takes none."""
    freed = booking.occupancy_id if to not in OCCUPYING else None
    if freed:
        changes["occupancy"] = None
    if booking.awaits_customer and to != Status.REQUESTED:
        changes["awaits_customer"] = False
        SpendingRequest.objects.filter(booking=booking, state=SpendingState.OPEN).update(state=SpendingState.LAPSED)
    changed = Booking.objects.filter(pk=booking.pk, status=booking.status, version=booking.version).update(
        status=to,
        version=models.F("version") + 1,
        sequence=models.F("sequence") + 1,
        changed_at=at,
        **changes,
    )
    if not changed:
        raise Stale
    if freed:
        vacate(occupancy_ids=[freed])
    if freed or changes.keys() & {"start", "end"}:
        mark_freed(booking.instrument, booking.start, booking.end)
    booking.status, booking.changed_at = to, at
    booking.version += 1
    booking.sequence += 1
    for name, value in changes.items():
        setattr(booking, name, value)
    return booking


def note(booking: Booking, action: str, *, by: User | None, before: str = "", reason: str = "", **after: Any) -> None:
    """The audit row, in the chain of the institution that hosts the instrument."""
    act = act_of(booking, action, by=by, before=before, reason=reason, after=after)
    record_all(organisation_id=booking.instrument.institution_id, acts=[act])


def act_of(
    booking: Booking, action: str, *, by: User | None, before: str = "", reason: str = "", after: Mapping[str, Any]
) -> Act:
    return Act(
        actor_id=by.pk if by else None,
        action=action,
        object_type="booking",
        object_id=booking.pk,
        before={"status": before} if before else {},
        after={"status": booking.status, "version": booking.version, "organisation": booking.organisation_id, **after},
        reason=reason,
    )


def tell(booking: Booking, kind: str, *, to: Iterable[int], key: str = "", **more: Any) -> None:
    """A message about the booking; one per event, because the version is part of its key unless it has its own."""
    tell_all(booking, {kind: set(to)}, key=key, **more)


def tell_all(booking: Booking, kinds: Mapping[str, set[int]], *, key: str = "", **more: Any) -> None:
    """The same for several kinds at once, each to its own people."""
    if _untold.get():
        return
    zone = booking.instrument.zone
    context = {
        "instrument": booking.instrument.name,
        "instrument_en": booking.instrument.name_en or booking.instrument.name,
        "organisation": booking.organisation.name,
        "person": booking.user.name,
        "when": clock_words(booking.start, booking.end, zone),
        "zone": booking.instrument.timezone,
        "total": booking.quote.get("total", ""),
        "currency": booking.quote.get("currency", ""),
        "reason": booking.reason,
        "awaits_customer": booking.awaits_customer,
        "made_by": booking.made_by.name if booking.made_by_id != booking.user_id else "",
        "hold": booking.hold_expires_at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if booking.hold_expires_at else "",
        **more,
    }
    everybody = _everybody(kinds)
    belong = who_belongs(everybody, booking)
    post_all(
        Post(
            key=key or f"{kind}:{booking.uid}:{booking.version}",
            kind=kind,
            recipients=(belong if booking.user_id in to else belong & to) - (everybody - to),
            context=context,
            path=f"/bookings/{booking.pk}/",
        )
        for kind, to in kinds.items()
    )


def recipients_ahead(booking: Booking, kinds: Mapping[str, set[int]]) -> None:
    """Send what `tell_all` will ask."""
    everybody = _everybody(kinds)
    _BELONG.ahead(people=sorted(everybody), parties=_parties(booking))
    switched_off_ahead(everybody, {topic_of(kind) for kind in kinds})


def _everybody(kinds: Mapping[str, set[int]]) -> set[int]:
    return {user for to in kinds.values() for user in to}


def _parties(booking: Booking) -> tuple[int, int]:
    return booking.organisation_id, booking.instrument.institution_id


def who_belongs(people: set[int], booking: Booking) -> set[int]:
    """Those of the people who still belong to the customer or the lab; others may not read of it any more.

    The administrators of the customer hear in the place of a user who left.
    """
    belong = {user for (user,) in _BELONG.rows(people=sorted(people), parties=_parties(booking))}
    if booking.user_id in people - belong:
        belong |= set(people_with(booking.organisation_id, [Role.ADMIN]))
    return belong


_BELONG = Prepared(
    lambda: (
        Membership.objects.current()
        .filter(among("user", "people"), among("organisation", "parties"))
        .values_list("user_id")
    )
)


def customers(booking: Booking) -> set[int]:
    """Who hears of it on the customer's side: the user and whoever made it for them."""
    return {booking.user_id, booking.made_by_id}


def managers(instrument: Instrument) -> set[int]:
    """Who hears of it at the lab: those whom the instrument names, else all managers of the institution."""
    rows = _MANAGERS.rows(institution=instrument.institution_id, instrument=instrument.pk)
    named = {user for user, _all, is_named in rows if is_named}
    everywhere = {user for user, manages_all, _named in rows if manages_all}
    # Where nobody is a manager, the administrators run the instruments.
    return named or everywhere or set(people_with(instrument.institution_id, [Role.ADMIN]))


def managers_ahead(instrument: Instrument) -> None:
    """Send what `managers` will ask."""
    _MANAGERS.ahead(institution=instrument.institution_id, instrument=instrument.pk)


_MANAGERS = Prepared(
    lambda: (
        Membership.objects.current()
        .filter(organisation=Given("institution", ID), role=Role.MANAGER)
        .annotate(
            named=Exists(
                Instrument.managers.through.objects.filter(instrument=Given("instrument", ID), user=OuterRef("user"))
            )
        )
        .values_list("user_id", "all_instruments", "named")
    )
)


def deciders(booking: Booking, agreed: Collection[str] | None = None) -> set[int]:
    """Who must still say yes or no: for each role that has not ``agreed`` those who hold it, never the customers.

    Nobody at the lab while the customer itself has not agreed to the price.
    """
    if booking.awaits_customer:
        return set()
    given = set(booking.approvals.values_list("role", flat=True) if agreed is None else agreed)
    waiting = set(booking.approval_roles) - given
    told: set[int] = set()
    for role in waiting & set(OWN_DESKS):
        told |= set(people_with(booking.instrument.institution_id, [role]))
    if waiting - set(OWN_DESKS):
        told |= managers(booking.instrument)
    return told - customers(booking)


def now_in_minutes() -> datetime:
    """The present, cut to the minute: people write times in minutes."""
    return timezone.now().replace(second=0, microsecond=0)
