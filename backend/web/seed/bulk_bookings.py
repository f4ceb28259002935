"""Bookings by the thousand, over the past year and the coming three weeks, in every state that a booking can have."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate, islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.utils import timezone

from backend.accounts.models import Membership, Organisation, OrganisationKind, Role
from backend.web.seed.bulk_money import Prices, made_uid, store_charges
from booking.models import OCCUPYING, Approval, Booking, Decision, Status, Usage, UsageState
from instruments.models import Instrument, Mode, Occupancy, OccupancyKind, PriceList
from instruments.queries.calendar import days_around
from instruments.rules import Hours, open_periods

ZONE = ZoneInfo("Asia/Shanghai")
OPENS, CLOSES, WORKDAYS = time(8), time(20), range(1, 6)
# A booking begins with one of these hours and ends before the next, so that nothing can overlap.
SLOTS = (8, 10, 13, 15, 17)
MINUTES = (60, 90, 120)
WEEKS_BACK, WEEKS_AHEAD = 52, 3
# One of so many lies ahead.
AHEAD = 10
# Of fifty instruments, one is booked much, nine are booked often.
POPULAR = (15, *(3,) * 9, *(1,) * 40)
# One booking of so many is the large customer's.
LARGE = 20
BATCH = 1000
PURPOSES = ("形貌观察", "成分分析", "物相鉴定", "表面元素分析", "力学性能测试", "失效分析", "方法验证", "批次抽检")

# Every state and how many of a hundred have it.
_LONG_AGO = {
    Status.COMPLETED: 83, Status.CANCELLED: 8, Status.NO_SHOW: 2, Status.WITHDRAWN: 2, Status.REJECTED: 2,
    Status.EXPIRED: 2, Status.DISPLACED: 1,
}  # fmt: skip
_LATELY = {Status.COMPLETED: 80, Status.CONFIRMED: 10, Status.CANCELLED: 8, Status.NO_SHOW: 2}
_COMING = {
    Status.CONFIRMED: 65, Status.REQUESTED: 22, Status.CANCELLED: 8, Status.REJECTED: 3, Status.WITHDRAWN: 2,
}  # fmt: skip
LATELY = timedelta(days=5)
# What only happens to a request that somebody must approve; who books at home needs nobody's approval.
_ASKED = {Status.REQUESTED: Status.CONFIRMED, **dict.fromkeys((Status.WITHDRAWN, Status.REJECTED), Status.CANCELLED)}
_ASKED[Status.EXPIRED] = Status.CANCELLED
_REASONS = {
    Status.REJECTED: "样品与仪器不匹配，请改约其他仪器。",
    Status.CANCELLED: "样品未准备好。",
    Status.DISPLACED: "仪器停机检修。",
}
# Submitted, not yet verified, of a hundred uses of the last days.
UNVERIFIED = 60


class Customer(NamedTuple):
    user: int
    organisation: int
    kind: str


class Plan(NamedTuple):
    """Who books what, and when."""

    start: datetime
    end: datetime
    instrument: Instrument
    customer: Customer


@dataclass(frozen=True, slots=True)
class Lab:
    """What the bookings of a lot of instruments have in common."""

    now: datetime
    price_lists: dict[int, PriceList]
    managers: dict[int, int]
    policy: dict[str, object]
    prices: Prices


def make_bookings(
    count: int,
    instruments: Sequence[Instrument],
    places: Sequence[Organisation],
    policy: dict[str, object],
    rng: random.Random,
) -> int:
    """How many were made: none without people or instruments that are booked by the hour."""
    timed = [one for one in instruments if one.mode_self or one.mode_operator]
    pools = _Pools(places)
    if not timed or not pools.everybody or not count:
        return 0
    lists = PriceList.objects.filter(instrument__in=timed).order_by("version")
    lab = Lab(
        timezone.now().replace(second=0, microsecond=0), {row.instrument_id or 0: row for row in lists},
        pools.managers, policy, Prices(),
    )  # fmt: skip
    plans = iter(sorted(_plans(count, timed, pools, lab.now, rng), key=lambda plan: plan.start))
    while part := list(islice(plans, BATCH)):
        _store([_booking(plan, lab, rng) for plan in part], lab, rng)
    return count


class _Pools:
    """The customers of each institution: its own people, and those of the enterprises that were made after it."""

    def __init__(self, places: Sequence[Organisation]) -> None:
        kinds = {place.pk: place.kind for place in places}
        rows = Membership.objects.filter(organisation__in=list(kinds)).order_by("pk")
        self.everybody: list[Customer] = []
        self.managers: dict[int, int] = {}
        at: dict[int, list[Customer]] = {}
        for user, organisation, role in rows.values_list("user_id", "organisation_id", "role"):
            if role == Role.MANAGER:
                self.managers.setdefault(organisation, user)
            elif role != Role.FINANCE:
                at.setdefault(organisation, []).append(Customer(user, organisation, kinds[organisation]))
        self.near: dict[int, list[Customer]] = {}
        host = 0
        for place in places:
            host = place.pk if place.kind == OrganisationKind.INSTITUTION else host
            self.near.setdefault(host, []).extend(at.get(place.pk, ()))
            self.everybody += at.get(place.pk, ())
        firms = [place.pk for place in places if place.kind == OrganisationKind.ENTERPRISE]
        self.large = at.get(firms[0], []) if firms else []

    def choose(self, institution: int, rng: random.Random) -> Customer:
        if self.large and not rng.randrange(LARGE):
            return rng.choice(self.large)
        return rng.choice(self.near.get(institution) or self.everybody)


def _plans(count: int, timed: Sequence[Instrument], pools: _Pools, now: datetime, rng: random.Random) -> Iterator[Plan]:
    """More than a year back where the bookings would not fit in."""
    numbers = _shares(count, len(timed))
    weeks = max(WEEKS_BACK, max(numbers) // (len(SLOTS) * 3))
    days = open_days(now - timedelta(weeks=weeks), now + timedelta(weeks=WEEKS_AHEAD))
    slots = [datetime.combine(day, time(hour), ZONE) for day in days for hour in SLOTS]
    past, coming = [at for at in slots if at <= now], [at for at in slots if at > now]
    for instrument, number in zip(timed, numbers, strict=True):
        ahead = min(number // AHEAD + (rng.randrange(AHEAD) < number % AHEAD), len(coming))
        for start in (*rng.sample(past, number - ahead), *rng.sample(coming, ahead)):
            end = start + timedelta(minutes=rng.choice(MINUTES))
            yield Plan(start, end, instrument, pools.choose(instrument.institution_id, rng))


def _shares(count: int, instruments: int) -> list[int]:
    """How many bookings each instrument has: few have many, unless there are few instruments."""
    weights = [POPULAR[n % len(POPULAR)] if instruments >= len(POPULAR) else 1 for n in range(instruments)]
    ends = [count * upto // sum(weights) for upto in accumulate(weights)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def open_days(start: datetime, end: datetime) -> list[date]:
    """Days on which an instrument with the usual hours is open: no weekends, no public holidays."""
    hours = [Hours(day, OPENS, CLOSES) for day in WORKDAYS]
    found = open_periods(hours, zone=ZONE, start=start, end=end, public=days_around(start, end))
    return [period.start.astimezone(ZONE).date() for period in found]


def _booking(plan: Plan, lab: Lab, rng: random.Random) -> Booking:
    instrument, customer = plan.instrument, plan.customer
    audience = _audience(customer, instrument)
    mode = Mode.SELF if instrument.mode_self and (not instrument.mode_operator or rng.random() < 0.6) else Mode.OPERATOR
    minutes = int((plan.end - plan.start).total_seconds()) // 60
    status = _status(plan, lab.now, audience, rng)
    asked = plan.start - timedelta(days=rng.randint(2, 20), minutes=rng.randrange(600))
    if status == Status.REQUESTED or asked > lab.now:
        asked = lab.now - timedelta(minutes=rng.randint(30, 20 * 60))
    approval = "manager" if audience != "internal" else ""
    return Booking(
        uid=made_uid(rng),
        status=status,
        version=1 if status == Status.REQUESTED or not approval else 2 + (status == Status.COMPLETED),
        instrument=instrument,
        unit=1,
        start=plan.start,
        end=plan.end,
        mode=mode,
        organisation_id=customer.organisation,
        user_id=customer.user,
        made_by_id=customer.user,
        purpose=rng.choice(PURPOSES),
        audience=audience,
        price_list=lab.price_lists[instrument.pk],
        quote=lab.prices.quote(lab.price_lists[instrument.pk], instrument, mode, audience, minutes),
        policy=[lab.policy],
        approval_roles=[approval] if approval else [],
        requested_at=asked,
        changed_at=_changed(status, asked, plan, lab.now),
        hold_expires_at=min(asked + timedelta(hours=24), plan.start) if status == Status.REQUESTED else None,
        reason=_REASONS.get(status, ""),
    )


def _audience(customer: Customer, instrument: Instrument) -> str:
    if customer.organisation == instrument.institution_id:
        return "internal"
    return "academic" if customer.kind == OrganisationKind.INSTITUTION else "enterprise"


def _status(plan: Plan, now: datetime, audience: str, rng: random.Random) -> Status:
    if plan.start <= now < plan.end:
        return Status.IN_USE
    chances = _COMING if plan.end > now else _LATELY if now - plan.end < LATELY else _LONG_AGO
    (status,) = rng.choices(list(chances), list(chances.values()))
    return _ASKED.get(status, status) if audience == "internal" else status


def _changed(status: Status, asked: datetime, plan: Plan, now: datetime) -> datetime:
    if status == Status.REQUESTED:
        return asked
    if status in (Status.COMPLETED, Status.NO_SHOW):
        return min(plan.end + timedelta(minutes=10), now)
    return min(asked + timedelta(hours=3), plan.start, now)


def _store(rows: list[Booking], lab: Lab, rng: random.Random) -> None:
    held = [row for row in rows if row.status in OCCUPYING]
    taken = Occupancy.objects.bulk_create(
        Occupancy(instrument_id=row.instrument_id, unit=row.unit, start=row.start, end=row.end, kind=_kind(row))
        for row in held
    )
    for row, occupancy in zip(held, taken, strict=True):
        row.occupancy = occupancy
    Booking.objects.bulk_create(rows)
    Approval.objects.bulk_create(_approval(row, lab) for row in rows if row.approval_roles and _was_approved(row))
    used = [_usage(row, lab, rng) for row in rows if row.status in (Status.COMPLETED, Status.IN_USE)]
    Usage.objects.bulk_create(used)
    store_charges(rows, {row.booking.pk: row for row in used if row.booking}, lab.prices, rng)


def _kind(row: Booking) -> str:
    return OccupancyKind.HOLD if row.status == Status.REQUESTED else OccupancyKind.BOOKING


def _was_approved(row: Booking) -> bool:
    return row.status not in (Status.REQUESTED, Status.REJECTED, Status.WITHDRAWN, Status.EXPIRED)


def _approval(row: Booking, lab: Lab) -> Approval:
    by = lab.managers.get(row.instrument.institution_id)
    return Approval(
        booking=row,
        role=Role.MANAGER,
        decision=Decision.APPROVED,
        by_id=by,
        at=row.requested_at + timedelta(minutes=20),
    )


def _usage(row: Booking, lab: Lab, rng: random.Random) -> Usage:
    """Used as booked, one in ten half an hour longer where the slot allows it; old records are verified."""
    manager = lab.managers.get(row.instrument.institution_id, row.user_id)
    end = row.end
    if not rng.randrange(10) and row.end - row.start < timedelta(minutes=MINUTES[-1]):
        end = min(end + timedelta(minutes=30), lab.now)
    state = UsageState.VERIFIED
    if row.status == Status.IN_USE:
        state = UsageState.RECORDED
    elif lab.now - end < timedelta(hours=20) or (lab.now - end < LATELY and rng.randrange(100) < UNVERIFIED):
        state = UsageState.SUBMITTED
    verified = state == UsageState.VERIFIED
    return Usage(
        uid=made_uid(rng),
        source_ref=f"booking:{row.uid}",
        instrument_id=row.instrument_id,
        booking=row,
        organisation_id=row.organisation_id,
        user_id=row.user_id,
        state=state,
        start=row.start,
        end=None if state == UsageState.RECORDED else end,
        recorded_by_id=row.user_id,
        verified_by_id=manager if verified else None,
        verified_at=end + timedelta(hours=20) if verified else None,
    )
