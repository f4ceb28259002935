"""Booking time that somebody has who comes later by the rules of priority."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import Group, Organisation, Project, User
from backend.core.db import atomic_action
from backend.core.errors import Refusal, Refused
from booking.actions.displacing import displace_locked
from booking.actions.locks import lock_parties
from booking.actions.requesting import SOURCE, request_booking
from booking.actions.transitions import lock_booking, note
from booking.models import Booking
from booking.queries.assess import judge
from booking.queries.outranked import outranked
from booking.queries.reads import read_for
from booking.queries.wishes import Wish, check_shape
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument
from invoices.actions.covering import cover_charge
from invoices.models import VoucherGrant


@atomic_action
def book_first(
    *,
    by: User,
    user: User,
    organisation: Organisation,
    instrument: Instrument,
    start: datetime,
    end: datetime,
    mode: str,
    displaces: Collection[int] = (),
    samples: int | None = None,
    parameters: dict[str, Any] | None = None,
    project: Project | None = None,
    group: Group | None = None,
    purpose: str,
    notes: str = "",
    voucher: VoucherGrant | None = None,
    voucher_declared: bool = False,
) -> Booking:
    """Book like `request_booking`, displacing exactly the bookings ``displaces``; without any it is the same.

    Their customers pay nothing, are told and are proposed other times, as after an outage. `Refused` where others
    stand in the way than the person was shown; whatever is refused leaves everything as it was. ``voucher`` is reserved
    for the price; ``voucher_declared``: the person says what its scheme wants to hear.
    """
    parties: dict[str, Any] = {"user": user, "organisation": organisation, "project": project, "group": group}
    wanted: dict[str, Any] = {"start": start, "end": end, "mode": mode, "samples": samples}
    wanted["parameters"] = parameters or {}
    if displaces:
        check_shape(start, end)
        now = timezone.now()
        rules = lock_parties(**parties, instrument=instrument, now=now)
        wish = Wish(instrument=lock_instruments([instrument.pk])[instrument.pk], **parties, **wanted)
        reads = read_for([wish], now=now, rules=rules)
        _make_room(outranked(wish, judge(wish, reads), reads), displaces)
    booking = request_booking(by=by, instrument=instrument, purpose=purpose, notes=notes, **parties, **wanted)
    if displaces:
        note(booking, "booking.overtake", by=by, displaced=sorted(displaces))
    if voucher is not None:
        cover_charge(source=SOURCE, source_uid=booking.uid, grant=voucher, declared=voucher_declared, by=by)
    return booking


def _make_room(found: Collection[Booking], displaces: Collection[int]) -> None:
    if {row.pk for row in found} != set(displaces):
        raise Refused(
            Refusal(
                "displaces_changed",
                _("Meanwhile this time is taken otherwise than you were shown. Please look again."),
                params={"displaces": sorted(row.pk for row in found)},
            )
        )
    for row in found:
        booking = lock_booking(row)
        with translation.override(booking.user.language):
            reason = _("By the rules of the instrument another booking comes before this one.")
        displace_locked(booking, by=None, reason=reason, overtaken=True)
