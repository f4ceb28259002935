"""Shapes of series and of several bookings at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, Id, In, Instant
from backend.core.http import refusal_out
from booking.actions.requesting import quote_out
from booking.actions.series import Moved
from booking.api.shapes import approval_out, booking_out, named
from booking.models import Booking, Series, SkippedDate
from booking.queries.series import Fees, Planned, total_of
from booking.queries.times import unknown_years
from booking.schemas import (
    MODES,
    Alternative,
    ApprovalOut,
    BookingOut,
    Named,
    Parameters,
    Purpose,
    QuoteOut,
    RefusalOut,
    Samples,
    Slot,
    Words,
)

Rule = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="RFC 5545 by the clock at the instrument: FREQ=DAILY, WEEKLY or MONTHLY with COUNT or UNTIL; "
        "at most 100 dates within two years. The series begins with the first such date on or after `start`.",
        examples=["FREQ=WEEKLY;BYDAY=MO;COUNT=10"],
    ),
    LINE,
]
Conflict = Literal["fail", "skip"]


class SeriesSlot(Slot):
    rrule: Rule


class NewSeries(SeriesSlot):
    purpose: Annotated[str, Field(max_length=200), LINE] = ""
    notes: Words = ""
    on_conflict: Conflict = Field("fail", description="`fail`: all dates or none; `skip`: what is possible")


class SeriesChange(In):
    """``from`` is the first booking that it concerns: this and following; all that can be changed without it."""

    since: Id | None = Field(None, alias="from")
    reason: Words = ""


class SeveralCancel(In):
    reason: Words = ""
    expected_fee: Annotated[str, Field(pattern=r"^\d{1,10}(\.\d{1,2})?$")] | None = Field(
        None, description="The fee that was shown; refused when it is more by now"
    )


class SeriesCancel(SeveralCancel, SeriesChange):
    pass


class SeriesMove(SeriesChange):
    start: Instant = Field(description="The new time of the first booking; the others move by the same days and hours")
    end: Instant
    on_conflict: Conflict = "fail"


class TakeUp(In):
    start: Instant | None = Field(None, description="Another time than that of the skipped date")
    end: Instant | None = None


class DateOut(Schema):
    start: str
    end: str
    bookable: bool
    refusals: list[RefusalOut]
    approval: ApprovalOut | None
    quote: QuoteOut | None


class SeriesPreview(Schema):
    rrule: str
    words: str
    dates: list[DateOut]
    bookable: int
    total: str
    currency: str
    unknown_years: list[int] = Field(description="Years whose public holidays are not announced yet")


class SkippedOut(Schema):
    id: int
    start: str
    end: str
    refusals: list[RefusalOut]
    booking: int | None


class FeesOut(Schema):
    count: int
    total: str
    currency: str
    refusals: list[RefusalOut]


class SeriesOut(Schema):
    id: int
    uid: str
    instrument: Named
    organisation: Named
    user: Named
    rrule: str
    on_conflict: str
    mode: str
    purpose: str
    start: str
    end: str
    bookings: list[BookingOut]
    skipped: list[SkippedOut]
    cancelling: FeesOut = Field(description="What cancelling all that can be changed would cost the customer now")


class MadeSeries(Schema):
    series: SeriesOut
    created: list[BookingOut]
    skipped: list[SkippedOut]


class KeptOut(Schema):
    booking: int
    start: str
    end: str
    refusals: list[RefusalOut]


class MovedOut(Schema):
    moved: list[BookingOut]
    kept: list[KeptOut]


class AlternativesOut(Schema):
    alternatives: list[Alternative]


class Item(In):
    instrument: Id
    start: Instant
    end: Instant
    mode: MODES
    samples: Samples | None = None
    parameters: Parameters = Field(default_factory=dict)


class SeveralItems(In):
    items: Annotated[list[Item], Field(min_length=1, max_length=20)]
    organisation: Id | None = Field(None, description="Needed when you belong to several organisations")
    project: Id | None = None


class NewSeveral(SeveralItems):
    purpose: Purpose
    notes: Words = ""


class Length(In):
    instrument: Id
    minutes: Annotated[int, Field(ge=5, le=14 * 24 * 60)]
    mode: MODES


class FindSeveral(In):
    """``chain``: one after another with a gap between; ``together``: all begin at the same time."""

    items: Annotated[list[Length], Field(min_length=1, max_length=20)]
    arrangement: Literal["chain", "together"] = "chain"
    gap_minutes: Annotated[int, Field(ge=0, le=24 * 60)] = 0
    since: Instant | None = Field(None, alias="from")
    organisation: Id | None = None


class SeveralDate(DateOut):
    instrument: int


class SeveralCheck(Schema):
    bookable: bool
    items: list[SeveralDate]
    total: str
    currency: str


class Found(Schema):
    items: list[SeveralDate] = Field(description="Empty when nothing within 14 days fits all")


class BundleOut(Schema):
    id: int
    uid: str
    purpose: str
    organisation: Named
    bookings: list[BookingOut]
    total: str
    cancelling: FeesOut


def date_out(planned: Planned) -> dict[str, Any]:
    zone = planned.wish.instrument.zone
    answer = planned.answer
    return {
        "start": planned.start.astimezone(zone).isoformat(),
        "end": planned.end.astimezone(zone).isoformat(),
        "bookable": planned.bookable,
        "refusals": [refusal_out(each) for each in planned.refusals],
        "approval": approval_out(answer) if answer else None,
        "quote": quote_out(answer.quote) if answer else None,
    }


def preview_out(planned: list[Planned], rrule: str, words: str) -> dict[str, Any]:
    zone = planned[0].wish.instrument.zone
    return {
        "rrule": rrule,
        "words": words,
        "dates": [date_out(each) for each in planned],
        "bookable": sum(each.bookable for each in planned),
        "total": str(total_of(planned)),
        "currency": currency_of(planned),
        "unknown_years": unknown_years(
            planned[0].start.astimezone(zone).date(), planned[-1].end.astimezone(zone).date()
        ),
    }


def currency_of(planned: Iterable[Planned]) -> str:
    return next((each.answer.quote.currency for each in planned if each.answer), "CNY")


def skipped_out(date: SkippedDate) -> dict[str, Any]:
    zone = date.series.instrument.zone
    return {
        "id": date.pk,
        "start": date.start.astimezone(zone).isoformat(),
        "end": date.end.astimezone(zone).isoformat(),
        "refusals": date.refusals,
        "booking": date.taken_up_id,
    }


def fees_out(fees: Fees) -> dict[str, Any]:
    refusals = [refusal_out(each) for each in fees.refusals]
    return {"count": fees.count, "total": str(fees.total), "currency": fees.currency, "refusals": refusals}


def series_out(series: Series, rows: Iterable[Booking], skipped: Iterable[SkippedDate], fees: Fees) -> dict[str, Any]:
    zone = series.instrument.zone
    return {
        "id": series.pk,
        "uid": str(series.uid),
        "instrument": named(series.instrument),
        "organisation": named(series.organisation),
        "user": named(series.user),
        "rrule": series.rrule,
        "on_conflict": series.on_conflict,
        "mode": series.mode,
        "purpose": series.purpose,
        "start": series.start.astimezone(zone).isoformat(),
        "end": series.end.astimezone(zone).isoformat(),
        "bookings": [booking_out(row) for row in rows],
        "skipped": [skipped_out(date) for date in skipped],
        "cancelling": fees_out(fees),
    }


def moved_out(moved: Moved) -> dict[str, Any]:
    zone = (moved.done or [row for row, _planned in moved.kept])[0].instrument.zone
    return {
        "moved": [booking_out(row) for row in moved.done],
        "kept": [
            {
                "booking": row.pk,
                "start": planned.start.astimezone(zone).isoformat(),
                "end": planned.end.astimezone(zone).isoformat(),
                "refusals": [refusal_out(each) for each in planned.refusals],
            }
            for row, planned in moved.kept
        ],
    }
