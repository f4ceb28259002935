"""Bookings by the thousand: most of them used, verified and charged, the others ahead."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from django.utils import timezone

from backend.accounts.models import Membership, Role, User
from booking.models import Booking, Status, Usage, UsageState
from instruments.models import Instrument, Mode, Occupancy, OccupancyKind, PriceList
from invoices.models import Charge, ChargeLine, ChargeState, Stage

# Two hours each, from these hours of the local day (Shanghai, which knows no summer time).
SLOTS, LENGTH, OFFSET = (8, 10, 13, 15, 17), timedelta(hours=2), timedelta(hours=8)
# One of so many lies ahead.
AHEAD = 5
BATCH = 1000
AMOUNT = Decimal("200.00")


def make_bookings(count: int, instruments: Sequence[Instrument], rng: random.Random) -> None:
    """Instrument by instrument in turn, each going back from yesterday and on from tomorrow without overlap."""
    timed = [one for one in instruments if one.mode_self or one.mode_operator]
    people = list(Membership.objects.filter(role=Role.MEMBER).values_list("user_id", "organisation_id")[:20_000])
    if not timed or not people or not count:
        return
    lists = dict(PriceList.objects.filter(instrument__in=timed).values_list("instrument_id", "pk"))
    managers = dict(
        Membership.objects.filter(role=Role.MANAGER).order_by("-pk").values_list("organisation_id", "user_id")
    )
    fallback = User.objects.order_by("pk").values_list("pk", flat=True)[0]
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - OFFSET
    numbers = iter(range(count))
    while batch := list(islice(numbers, BATCH)):
        rows = []
        for n in batch:
            instrument = timed[n % len(timed)]
            user, organisation = rng.choice(people)
            start = _start(n // len(timed), ahead=n % AHEAD == 0, midnight=midnight)
            mode = Mode.SELF if instrument.mode_self else Mode.OPERATOR
            rows.append(_booking(instrument, user, organisation, start, mode, lists.get(instrument.pk)))
        _store(rows, managers, fallback)


def _start(turn: int, *, ahead: bool, midnight: datetime) -> datetime:
    day, slot = divmod(turn, len(SLOTS))
    days = timedelta(days=day + 2 if ahead else -(day + 2))
    return midnight + days + timedelta(hours=SLOTS[slot])


def _booking(
    instrument: Instrument, user: int, organisation: int, start: datetime, mode: str, price_list: int | None
) -> Booking:
    past = start < timezone.now()
    made = start - timedelta(days=3)
    return Booking(
        status=Status.COMPLETED if past else Status.CONFIRMED,
        version=3 if past else 1,
        instrument=instrument,
        unit=1,
        start=start,
        end=start + LENGTH,
        mode=mode,
        organisation_id=organisation,
        user_id=user,
        made_by_id=user,
        purpose="示例预约",
        audience="enterprise",
        price_list_id=price_list,
        quote={"currency": "CNY", "total": str(AMOUNT), "lines": [_quoted()], "price_list": "示例收费标准"},
        requested_at=made,
        changed_at=start + LENGTH if past else made,
    )


def _quoted() -> dict[str, Any]:
    parts = {"code": "time", "description": "机时费", "quantity": "2", "unit": "hour", "unit_price": "100"}
    return {**parts, "amount": str(AMOUNT), "why": ""}


def _store(rows: list[Booking], managers: dict[int, int], fallback: int) -> None:
    ahead = [row for row in rows if row.status == Status.CONFIRMED]
    taken = Occupancy.objects.bulk_create(
        Occupancy(instrument_id=row.instrument_id, unit=1, start=row.start, end=row.end, kind=OccupancyKind.BOOKING)
        for row in ahead
    )
    for row, occupancy in zip(ahead, taken, strict=True):
        row.occupancy = occupancy
    Booking.objects.bulk_create(rows)
    past = [row for row in rows if row.status == Status.COMPLETED]
    Usage.objects.bulk_create(_usage(row, managers.get(row.instrument.institution_id, fallback)) for row in past)
    charges = Charge.objects.bulk_create(_charge(row) for row in rows)
    ChargeLine.objects.bulk_create(
        _line(charge, stage)
        for charge in charges
        for stage in (Stage.RESERVED, Stage.FINAL)
        if stage == Stage.RESERVED or charge.state == ChargeState.FINAL
    )


def _usage(row: Booking, manager: int) -> Usage:
    return Usage(
        source_ref=f"booking:{row.uid}",
        instrument_id=row.instrument_id,
        booking=row,
        organisation_id=row.organisation_id,
        user_id=row.user_id,
        state=UsageState.VERIFIED,
        start=row.start,
        end=row.end,
        recorded_by_id=row.user_id,
        verified_by_id=manager,
        verified_at=row.end + timedelta(hours=20),
    )


def _charge(row: Booking) -> Charge:
    past = row.status == Status.COMPLETED
    return Charge(
        institution_id=row.instrument.institution_id,
        customer_id=row.organisation_id,
        user_id=row.user_id,
        source="booking",
        source_uid=row.uid,
        subject=row.instrument.name,
        service_date=(row.start + OFFSET).date(),
        price_list="示例收费标准",
        currency="CNY",
        state=ChargeState.FINAL if past else ChargeState.RESERVED,
        reserved_total=AMOUNT,
        total=AMOUNT,
        finalised_at=row.end + timedelta(hours=20) if past else None,
    )


def _line(charge: Charge, stage: str) -> ChargeLine:
    numbers = {"quantity": Decimal(2), "unit": "hour", "unit_price": Decimal(100), "amount": AMOUNT}
    return ChargeLine(charge=charge, stage=stage, position=1, code="time", name="机时费", why="", **numbers)
