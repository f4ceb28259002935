"""Recording what happened to a booking against the rules that it was made under, and taking it back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from backend.accounts.models import User
from booking.actions.consequences import follow_up
from booking.models import Appeal, AppealState, Booking, Violation
from booking.queries.facts import policy_view
from booking.queries.parties import facts_now
from booking.rules.observe import observe
from booking.rules.results import Violation as Observed
from booking.rules.results import as_json
from booking.rules.rulebook import rulebook_of

STORED = ("person", "organisation", "instrument__institution", "booking")
Happened = tuple[str, datetime | None]


def record_violations(booking: Booking, happened: Sequence[Happened], *, by: User | None) -> list[str]:
    """Store the events that the booking's rules make of what happened: ``(cause, when)``; returns their names.

    Causes are cancel, checkin, checkout, unconfirmed, and never, for which None means: never at all. Part of the action
    that did it, after `booking.actions.locks.lock_to_record` and the instrument's lock. The same event of the
    same booking is stored once, however often it is observed; where no rule watches this costs no query.
    """
    book = rulebook_of(booking.policy, tz=booking.instrument.timezone)
    watched = [(cause, at) for cause, at in happened if book.watches(cause)]
    if not watched:
        return []
    view, facts = policy_view(booking), facts_now(booking, book.facts)
    found = [
        _row(booking, cause, each, by)
        for cause, at in watched
        for each in observe(book.rules, view, [(cause, at)], facts=facts)
    ]
    Violation.objects.bulk_create(found, ignore_conflicts=True)
    names = [row.name for row in found]
    if names:
        stored = booking.violations.filter(name__in=names, struck_out_at=None).select_related(*STORED)
        follow_up(stored, by=by)
    return names


def _row(booking: Booking, cause: str, seen: Observed, by: User | None) -> Violation:
    return Violation(
        name=seen.name,
        rule=seen.rule_id,
        cause=cause,
        at=seen.at,
        booking=booking,
        person_id=booking.user_id,
        group_id=booking.group_id,
        project_id=booking.project_id,
        organisation_id=booking.organisation_id,
        instrument_id=booking.instrument_id,
        institution_id=booking.instrument.institution_id,
        values=as_json(dict(seen.values)),
        recorded_by=by,
    )


def strike_out(booking: Booking, *causes: str, by: User | None, reason: str = "", but: Collection[str] = ()) -> int:
    """What was observed turned out to be wrong, ``but`` for some names: it counts no more; returns how many events.

    An open appeal about it is thereby upheld.
    """
    now = timezone.now()
    standing = booking.violations.filter(cause__in=causes, struck_out_at=None).exclude(name__in=but)
    open_ = Appeal.objects.filter(violation__in=list(standing), state=AppealState.OPEN)
    open_.update(state=AppealState.UPHELD, decided_by=by, decided_at=now, answer=reason)
    return standing.update(struck_out_at=now, struck_out_by=by, reason=reason)


def told(names: Sequence[str]) -> dict[str, Any]:
    """For the audit row of the act."""
    return {"violations": list(names)} if names else {}
