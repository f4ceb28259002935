"""What is charged, as price lists see it: each use, cancellation, no-show, sample order and end of a period."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from backend.core.periods import local_boundary
from booking.models import Booking, PeriodClosing, SampleOrder, Status, Usage
from booking.queries.records import Customer, price_record, records_of, tested
from booking.queries.wishes import Wish, wish_of
from instruments.models import Mode, PriceList
from instruments.pricing.reach import PERIOD_END

EVENTS = {Status.CANCELLED: "cancel", Status.NO_SHOW: "no_show"}
LIVE = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE)
BOOKING, USAGE, SAMPLES, PERIOD = "booking", "usage", "sample_order", "period"
# Records of bookings are found by the time of their use, which may lie a day beside what was booked.
BESIDE = timedelta(days=1)


class Family(NamedTuple):
    """All versions of one price list: an instrument's, or an agreement's for all instruments of the institution."""

    instrument: int | None
    agreement: int | None

    @property
    def lists(self) -> Q:
        return Q(price_list__instrument=self.instrument, price_list__agreement=self.agreement)

    @property
    def own(self) -> Q:
        return Q(instrument=self.instrument, agreement=self.agreement)


def family_of(price_list: PriceList) -> Family:
    return Family(price_list.instrument_id, price_list.agreement_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was charged, or will be; ``order`` says when it became known among the others."""

    source: str
    uid: UUID
    order: tuple[int, datetime, int]
    records: tuple[dict[str, Any], ...]
    version: int
    language: str
    service_date: date


def unbooked_wish(usage: Usage) -> Wish:
    """A use without booking as a wish for its own time."""
    assert usage.end is not None
    return Wish(
        instrument=usage.instrument,
        start=usage.start,
        end=usage.end,
        mode=next(iter(usage.instrument.modes), Mode.OPERATOR.value),
        organisation=usage.organisation,
        user=usage.user,
        samples=usage.samples,
        parameters=usage.parameters,
    )


def wish_of_order(order: SampleOrder) -> Wish:
    """Samples as a wish at the time when they were ordered, by which their price goes."""
    return Wish(
        instrument=order.instrument,
        start=order.submitted_at,
        end=order.submitted_at + timedelta(minutes=1),
        mode=Mode.SAMPLE.value,
        organisation=order.organisation,
        user=order.user,
        project=order.project,
    )


def local_day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def entry_of_use(usage: Usage, first: Usage, audience: str, version: int) -> Entry:
    booking = usage.booking
    assert usage.end is not None
    wish = wish_of(booking) if booking else unbooked_wish(usage)
    wish = replace(wish, instrument=usage.instrument, samples=usage.samples, parameters=usage.parameters)
    known = first.verified_at or usage.end
    record = price_record(
        wish,
        booking.audience if booking else audience,
        event="use",
        at=usage.start,
        used=(usage.start, usage.end),
        uid=str(booking.uid if booking else first.uid),
    )
    return Entry(
        BOOKING if booking else USAGE,
        booking.uid if booking else first.uid,
        (0 if first.verified_at else 1, known, first.pk),
        (record,),
        version,
        usage.user.language,
        local_day(usage.start, usage.instrument.zone),
    )


def entry_of_booking(booking: Booking) -> Entry:
    event = EVENTS.get(Status(booking.status), "use")
    at = booking.changed_at if event != "use" else booking.start
    if event == "no_show":
        at = booking.start + timedelta(minutes=booking.instrument.no_show_grace)
    assert booking.price_list_id is not None
    return Entry(
        BOOKING,
        booking.uid,
        (0, booking.changed_at, booking.pk) if event != "use" else (2, booking.requested_at, booking.pk),
        (price_record(wish_of(booking), booking.audience, event=event, at=at, uid=str(booking.uid)),),
        booking.price_list_id,
        booking.user.language,
        local_day(booking.start, booking.instrument.zone),
    )


def entry_of_order(order: SampleOrder) -> Entry:
    assert order.done_at is not None
    assert order.price_list is not None
    records = records_of(Customer.of(order), tested(order.items.all()), order.price_list, event="use")
    return Entry(
        SAMPLES,
        order.uid,
        (0, order.done_at, order.pk),
        tuple(records),
        order.price_list.pk,
        order.user.language,
        local_day(order.done_at, order.instrument.zone),
    )


def entry_of_closing(row: PeriodClosing, zone: ZoneInfo) -> Entry:
    """After everything that happened in its month, whenever that became known."""
    end = local_boundary(row.day + timedelta(days=1), time.min, zone) - timedelta(minutes=1)
    record = {
        "id": str(row.uid),
        "event": PERIOD_END,
        "at": end.astimezone(UTC),
        "audience": row.audience,
        "month": row.day.month,
        "quarter_ends": row.day.month % 3 == 0,
        "year_ends": row.day.month == 12,
        **row.party,
    }
    return Entry(PERIOD, row.uid, (3, end, row.pk), (record,), row.price_list_id, row.user.language, row.day)
