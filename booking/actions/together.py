"""What a series and the bookings of one experiment share: locks for all at once, one message, cancelling with fees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.errors import Refusal, Refused, refuse
from backend.core.money import shown_amount
from backend.core.periods import clock_words
from backend.outbox.actions import post
from booking.actions.changing import cancel_booking, withdraw_booking
from booking.actions.locks import lock_parties_of, lock_rows, lock_to_cancel
from booking.actions.requesting import place_booking
from booking.actions.transitions import who_belongs
from booking.models import Booking, Status
from booking.queries.facts import InForce
from booking.queries.series import Fees, Planned, dated, fees_of
from booking.queries.wishes import Wish, wish_of
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument, Occupancy
from instruments.rules import Taken, first_free_unit
from invoices.actions.holding import lock_accounts


@dataclass(frozen=True, slots=True)
class Locked:
    """The instruments, and the rules by which the locks were chosen."""

    instruments: Mapping[int, Instrument]
    rules: Mapping[int, InForce]


def lock_wishes(wishes: Sequence[Wish], *, now: datetime, act: str = "create") -> Locked:
    """The parties in their order, then every instrument by id; all wishes are of the same parties."""
    first = wishes[0]
    instruments = {wish.instrument.pk: wish.instrument for wish in wishes}
    others = [one for pk, one in instruments.items() if pk != first.instrument.pk]
    rules = lock_parties_of(first, others=others, now=now, act=act)
    locked = Locked(lock_instruments(instruments), rules)
    asking = {row.institution_id for row in locked.instruments.values() if row.institution.asks_prepaid}
    if asking:
        lock_accounts(asking, first.organisation.pk)
    return locked


def lock_changing(rows: Sequence[Booking], *, now: datetime) -> None:
    """What moving or cancelling each of them locks, for all at once, so that the order holds."""
    people = sorted({row.user_id for row in rows})
    for pk in people if len(people) > 1 else ():
        # Dates were handed over: every person comes before any group, project or organisation.
        lock_rows(["person"], person=pk)
    lock_to_cancel(*rows)
    lock_wishes([wish_of(row) for row in rows], now=now, act="change")


def place_planned(
    planned: Planned, *, by: User, now: datetime, **words: Any
) -> tuple[Booking | None, tuple[Refusal, ...]]:
    """The booking, or why there is none; a refused one leaves nothing behind."""
    if planned.refusals:
        return None, planned.refusals
    try:
        with transaction.atomic():
            return place_booking(planned.wish, by=by, now=now, **words), ()
    except Refused as refused:
        return None, refused.refusals


def without_taken(planned: Sequence[Planned], locked: Locked) -> list[Planned]:
    """The plan once the locks are held: what somebody else has taken since is refused, with one query an instrument.

    So whoever comes second under a rush does not hold up the third with questions whose answer is known.
    """
    there = locked.instruments
    planned = [replace(each, wish=replace(each.wish, instrument=there[each.wish.instrument.pk])) for each in planned]
    if not settings.BOOKING_GUARDS:
        return planned
    rows: dict[int, list[Taken]] = {}
    for instrument in {each.wish.instrument.pk for each in planned if each.bookable}:
        mine = [each.wish.with_buffers() for each in planned if each.wish.instrument.pk == instrument and each.bookable]
        start, end = min(each.start for each in mine), max(each.end for each in mine)
        span = Occupancy.objects.filter(instrument=instrument).overlapping(start, end)
        rows[instrument] = [Taken(*row) for row in span.values_list("unit", "start", "end")]
    return [_unless_taken(each, rows) for each in planned]


def _unless_taken(planned: Planned, rows: dict[int, list[Taken]]) -> Planned:
    if not planned.bookable:
        return planned
    start, end = planned.wish.with_buffers()
    near = [row for row in rows[planned.wish.instrument.pk] if row.start < end and start < row.end]
    if first_free_unit(near, units=planned.wish.instrument.units, start=start, end=end) is not None:
        return planned
    refusal = Refusal("taken", _("This time is already taken."), until=max(row.end for row in near))
    return Planned(planned.wish, (refusal,))


def cancel_all(rows: Sequence[Booking], *, by: User, reason: str, by_lab: bool) -> list[Booking]:
    """Withdraw requests and cancel bookings, all or none; `Refused` names each date that cannot be."""
    out: list[Booking] = []
    refusals: list[Refusal] = []
    for row in rows:
        try:
            if row.status == Status.REQUESTED:
                out.append(withdraw_booking(booking=row, by=by, reason=reason))
            else:
                out.append(cancel_booking(booking=row, by=by, reason=reason, by_lab=by_lab))
        except Refused as refused:
            refusals += dated(refused.refusals, row.start, row.instrument)
    if refusals:
        raise Refused(*refusals)
    return out


def expected_fees(rows: Sequence[Booking], *, expected: Decimal | None, now: datetime) -> Fees:
    """What the customer pays now; refused when it is more than what they were shown."""
    fees = fees_of(rows, now=now)
    if expected is not None and fees.total > expected:
        raise refuse(
            "fee_changed",
            _("Cancelling costs %(fee)s by now. Please look again before you cancel.")
            % {"fee": shown_amount(fees.total, fees.currency)},
            params={"total": str(fees.total)},
        )
    return fees


def tell_together(kind: str, rows: Sequence[Booking], *, to: Iterable[int], path: str, key: str, **more: Any) -> None:
    """One message about several bookings."""
    first = rows[0]
    totals = [Decimal(row.quote.get("total", "0")) for row in rows]
    listed = [
        {
            "when": clock_words(row.start, row.end, row.instrument.zone),
            "instrument": row.instrument.name,
            "instrument_en": row.instrument.name_en or row.instrument.name,
            "waits": row.status == Status.REQUESTED,
        }
        for row in rows
    ]
    context = {
        "rows": listed,
        "number": len(rows),
        "purpose": first.purpose,
        "organisation": first.organisation.name,
        "person": first.user.name,
        "made_by": first.made_by.name if first.made_by_id != first.user_id else "",
        "total": str(sum(totals, Decimal("0.00"))),
        "currency": first.quote.get("currency", ""),
        "zone": first.instrument.timezone,
        "waiting": sum(row.status == Status.REQUESTED for row in rows),
        **more,
    }
    post(key=key, kind=kind, recipients=who_belongs(set(to), first), context=context, path=path)
