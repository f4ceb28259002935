"""Another time for those whom an outage displaced: proposed by the system, taken with one click."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import after_commit, atomic_action
from backend.core.errors import NotFound, Refusal, Refused, refuse
from backend.core.periods import clock_words
from booking.actions.locks import lock_parties
from booking.actions.requesting import place_booking, require_member
from booking.actions.transitions import customers, note, tell
from booking.models import Booking, Displacement, DisplacementState, Replacement, ReplacementState
from booking.queries.alternatives import others
from booking.queries.assess import assess
from booking.queries.wishes import wish_of
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument, Outage

log = logging.getLogger(__name__)

# After this long, proposals that were all over or none are looked for again.
AGAIN = timedelta(hours=1)
MOST_AT_ONCE = 100


def note_displaced(booking: Booking, now: datetime) -> None:
    """Within the transaction that displaces it; replacements are looked for right after the commit."""
    Displacement.objects.update_or_create(
        booking=booking, defaults={"at": now, "proposed_at": None, "state": DisplacementState.OPEN}
    )
    after_commit(propose_due)


def blame(outage: Outage, bookings: Sequence[int]) -> None:
    """Which outage displaced the bookings."""
    Displacement.objects.filter(booking__in=bookings).update(outage=outage)


def look_again(bookings: Sequence[Booking]) -> None:
    """Time has become free again: propose anew, within the caller's transaction."""
    rows = Displacement.objects.filter(booking__in=bookings, state=DisplacementState.OPEN)
    if rows.update(proposed_at=None):
        after_commit(propose_due)


@atomic_action
def propose_replacements(*, displacement: Displacement) -> list[Replacement]:
    """The nearest equivalent times with their prices in the place of what was proposed before; told once each."""
    fresh = _lock(displacement)
    if fresh.state != DisplacementState.OPEN:
        return []
    now, booking = timezone.now(), fresh.booking
    known = {(row.instrument_id, row.start, row.end) for row in fresh.replacements.all()}
    found = _look(booking, now)
    fresh.replacements.filter(state=ReplacementState.PROPOSED).update(state=ReplacementState.GONE)
    rows = Replacement.objects.bulk_create(
        Replacement(displacement=fresh, at=now, instrument=instrument, **fields) for instrument, fields in found
    )
    Displacement.objects.filter(pk=fresh.pk).update(proposed_at=now)
    if {(row.instrument_id, row.start, row.end) for row in rows} - known:
        key = f"replacements_proposed:{booking.uid}:{now:%Y%m%d%H%M%S}"
        tell(booking, "replacements_proposed", to=customers(booking), key=key, proposals=_words(rows), reason="")
    return rows


def _look(booking: Booking, now: datetime) -> list[tuple[Instrument, dict[str, Any]]]:
    """Their own time first, where it is free again; then what comes nearest to it, also elsewhere."""
    wish = wish_of(booking)
    with translation.override(booking.user.language):
        own = assess(wish, now=now)
        found = [(wish, own)] if own.bookable else []
        found += [(other.wish, other.answer) for other in others(wish, now=now)]
    return [
        (
            there.instrument,
            {"start": there.start, "end": there.end, "total": answer.quote.total, "currency": answer.quote.currency},
        )
        for there, answer in found
        if there.start > now
    ]


def _words(rows: Sequence[Replacement]) -> list[str]:
    """Each proposal on a line; names as they are written in Chinese, as in every mail's facts."""
    return [
        f"{row.instrument.name} · {clock_words(row.start, row.end, row.instrument.zone)} · {row.total} {row.currency}"
        for row in rows
    ]


def accept_replacement(*, replacement: Replacement, by: User) -> Booking:
    """Book the proposal; where it cannot be had any more, look for new ones and say so (`Refused`)."""
    try:
        return _take(replacement=replacement, by=by)
    except Refused as refused:
        if any(refusal.code in ("answered", "left") for refusal in refused.refusals):
            raise
        # What was refused is undone; the search for others has a transaction of its own.
        propose_replacements(displacement=replacement.displacement)
        gone = Refusal(
            "replacement_gone",
            _("This time cannot be had any more. Other times are proposed now, as far as there are any."),
        )
        raise Refused(gone, *refused.refusals) from refused


@atomic_action
def _take(*, replacement: Replacement, by: User) -> Booking:
    now = timezone.now()
    booking = replacement.displacement.booking
    rules = lock_parties(
        user=booking.user,
        group=booking.group,
        project=booking.project,
        organisation=booking.organisation,
        instrument=replacement.instrument,
        now=now,
    )
    instruments = lock_instruments([replacement.instrument_id, booking.instrument_id])
    displacement = _lock(replacement.displacement)
    proposal = Replacement.objects.filter(pk=replacement.pk).first()
    if proposal is None:
        raise NotFound
    if displacement.state != DisplacementState.OPEN or proposal.state == ReplacementState.ACCEPTED:
        raise _answered(displacement)
    if proposal.state != ReplacementState.PROPOSED:
        raise refuse("not_proposed", _("This is not proposed any more."))
    old = displacement.booking
    require_member(old.user, old.organisation)
    wish = wish_of(old).at(proposal.start, proposal.end)
    there = dataclasses.replace(wish, instrument=instruments[proposal.instrument_id])
    made = place_booking(there, by=by, purpose=old.purpose, notes=old.notes, now=now, rules=rules)
    if Decimal(made.quote["total"]) > proposal.total:
        raise refuse("dearer", _("By now it would cost more than was proposed."))
    _answer(displacement, DisplacementState.ACCEPTED, now, by=by, replaced_by=made)
    Replacement.objects.filter(pk=proposal.pk).update(state=ReplacementState.ACCEPTED)
    note(old, "booking.replace", by=by, replaced_by=made.pk)
    return made


@atomic_action
def decline_replacement(*, replacement: Replacement, by: User) -> Displacement:
    """Not this one; with the last of them none is wanted."""
    displacement = _lock(replacement.displacement)
    if displacement.state != DisplacementState.OPEN:
        raise _answered(displacement)
    proposed = displacement.replacements.filter(state=ReplacementState.PROPOSED)
    if not proposed.filter(pk=replacement.pk).update(state=ReplacementState.DECLINED):
        raise refuse("not_proposed", _("This is not proposed any more."))
    if not proposed.exists():
        _answer(displacement, DisplacementState.DECLINED, timezone.now(), by=by)
    note(displacement.booking, "booking.decline_replacement", by=by, replacement=replacement.pk)
    return displacement


@atomic_action
def decline_all(*, displacement: Displacement, by: User) -> Displacement:
    """None of them; nothing more is proposed."""
    displacement = _lock(displacement)
    if displacement.state != DisplacementState.OPEN:
        raise _answered(displacement)
    displacement.replacements.filter(state=ReplacementState.PROPOSED).update(state=ReplacementState.DECLINED)
    _answer(displacement, DisplacementState.DECLINED, timezone.now(), by=by)
    note(displacement.booking, "booking.decline_replacement", by=by)
    return displacement


def _answer(
    displacement: Displacement, state: str, now: datetime, *, by: User, replaced_by: Booking | None = None
) -> None:
    displacement.state, displacement.answered_at, displacement.answered_by = state, now, by
    displacement.replaced_by = replaced_by
    displacement.save(update_fields=["state", "answered_at", "answered_by", "replaced_by"])
    displacement.replacements.filter(state=ReplacementState.PROPOSED).update(state=ReplacementState.GONE)


def _answered(displacement: Displacement) -> Refused:
    return refuse(
        "answered",
        _("This has been answered already: %(state)s.") % {"state": displacement.get_state_display()},
        params={"state": displacement.state, "booking": displacement.replaced_by_id},
    )


def _lock(displacement: Displacement) -> Displacement:
    fresh = (
        Displacement.objects.select_for_update(of=("self",), no_key=True)
        .select_related(
            "booking__instrument__institution", "booking__organisation", "booking__user", "booking__made_by",
            "booking__project", "booking__group", "booking__price_list",
        )
        .filter(pk=displacement.pk)
        .first()
    )  # fmt: skip
    if fresh is None:
        raise NotFound
    return fresh


def propose_due() -> int:
    """Every minute: whoever has no proposals yet, or only such as are over; each in a transaction of its own."""
    now = timezone.now()
    ahead = Replacement.objects.filter(displacement=OuterRef("pk"), state=ReplacementState.PROPOSED, start__gt=now)
    over = Q(proposed_at__lte=now - AGAIN) & ~Exists(ahead)
    recent = Displacement.objects.filter(state=DisplacementState.OPEN, at__gt=now - timedelta(days=30))
    due = recent.filter(Q(proposed_at=None) | over).order_by("at", "pk")
    done = 0
    for displacement in list(due[:MOST_AT_ONCE]):
        try:
            done += len(propose_replacements(displacement=displacement))
        except Exception:
            log.exception("no replacement could be looked for, displacement %s", displacement.pk)
    return done
