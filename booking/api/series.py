"""Series of bookings over HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.queries import Access
from backend.core.db import one
from booking.actions import series as acting
from booking.api.bookings import asked_wish
from booking.api.shapes import booking_out
from booking.api.together_shapes import (
    AlternativesOut,
    MadeSeries,
    MovedOut,
    NewSeries,
    SeriesCancel,
    SeriesMove,
    SeriesOut,
    SeriesPreview,
    SeriesSlot,
    TakeUp,
    moved_out,
    preview_out,
    series_out,
)
from booking.models import Booking, Series
from booking.queries import scope
from booking.queries import series as reading
from booking.queries.alternatives import alternatives
from booking.rules.recurrence import in_words, read_rule
from booking.schemas import BookingOut, Reason

router = Router(auth=signed_in, tags=["series"])


@router.post("/bookings/series/preview", response=SeriesPreview, summary="Every date of a series; writes nothing")
def preview(request: HttpRequest, slot: SeriesSlot) -> dict[str, Any]:
    wish = asked_wish(request, slot)
    rule = read_rule(slot.rrule)
    planned = reading.plan_series(wish, reading.dates_of(wish, slot.rrule), by=person(request), now=timezone.now())
    return preview_out(planned, str(rule), in_words(rule, wish.instrument.zone))


@router.post("/bookings/series", response={201: MadeSeries}, summary="Book a series")
def create(request: HttpRequest, slot: NewSeries) -> Status[dict[str, Any]]:
    made = acting.book_series(
        wish=asked_wish(request, slot),
        rrule=slot.rrule,
        on_conflict=slot.on_conflict,
        by=person(request),
        purpose=slot.purpose or _("Series"),
        notes=slot.notes,
    )
    shown = _shown(access(request), made)
    return Status(201, {"series": shown, "created": shown["bookings"], "skipped": shown["skipped"]})


@router.get("/bookings/series/{int:pk}", response=SeriesOut, summary="A series with its dates")
def series(request: HttpRequest, pk: int) -> dict[str, Any]:
    mine = access(request)
    return _shown(mine, reading.get_series(mine, pk))


@router.post("/bookings/series/{int:pk}/cancel", response=SeriesOut, summary="Cancel all dates, or from one on")
def cancel(request: HttpRequest, pk: int, body: SeriesCancel) -> dict[str, Any]:
    mine = access(request)
    found = reading.get_series_to_change(mine, pk)
    acting.cancel_series(
        series=found,
        rows=_chosen(mine, found, body.since),
        by=person(request),
        reason=body.reason,
        by_lab=scope.acts_for_lab(mine, found),
        expected=None if body.expected_fee is None else Decimal(body.expected_fee),
    )
    return _shown(mine, found)


@router.post("/bookings/series/{int:pk}/reschedule", response=MovedOut, summary="Move all dates, or from one on")
def reschedule(request: HttpRequest, pk: int, body: SeriesMove) -> dict[str, Any]:
    return _moved(request, pk, body, only_show=False)


@router.post(
    "/bookings/series/{int:pk}/reschedule/preview", response=MovedOut, summary="What moving would do; writes nothing"
)
def preview_move(request: HttpRequest, pk: int, body: SeriesMove) -> dict[str, Any]:
    return _moved(request, pk, body, only_show=True)


@router.post("/bookings/series/{int:pk}/approve", response=SeriesOut, summary="Agree to all requests of a series")
def approve(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    return _decided(request, pk, body, approve=True)


@router.post("/bookings/series/{int:pk}/reject", response=SeriesOut, summary="Reject all requests of a series")
def reject(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    return _decided(request, pk, body, approve=False)


@router.get(
    "/bookings/series/{int:pk}/skipped/{int:date}/alternatives",
    response=AlternativesOut,
    summary="Other times for a skipped date",
)
def other_times(request: HttpRequest, pk: int, date: int) -> dict[str, Any]:
    found = reading.get_skipped(reading.get_own_series(access(request), pk), date)
    return {"alternatives": alternatives(reading.wish_of_date(found), now=timezone.now(), elsewhere=False)}


@router.post(
    "/bookings/series/{int:pk}/skipped/{int:date}/take-up", response={201: BookingOut}, summary="Book a skipped date"
)
def take_up(request: HttpRequest, pk: int, date: int, body: TakeUp) -> Status[dict[str, Any]]:
    found = reading.get_skipped(reading.get_own_series(access(request), pk), date)
    booking = acting.take_up(date=found, by=person(request), start=body.start, end=body.end)
    return Status(201, booking_out(booking))


def _shown(mine: Access, found: Series) -> dict[str, Any]:
    rows = list(reading.visible_dates(mine, found))
    now = timezone.now()
    fees = reading.fees_of(reading.changeable(rows, now), now=now)
    return series_out(found, rows, [*reading.skipped_dates(found)], fees)


def _chosen(mine: Access, found: Series, since: int | None) -> list[Booking]:
    """The dates that can be changed; ``since`` names the first of them."""
    rows = reading.visible_dates(mine, found)
    first = None if since is None else one(rows, since)
    return reading.changeable(rows, timezone.now(), since=first.start if first else None)


def _moved(request: HttpRequest, pk: int, body: SeriesMove, *, only_show: bool) -> dict[str, Any]:
    mine = access(request)
    found = reading.get_series_to_change(mine, pk)
    moved = acting.move_series(
        series=found,
        rows=_chosen(mine, found, body.since),
        by=person(request),
        start=body.start,
        end=body.end,
        on_conflict=body.on_conflict,
        reason=body.reason,
        by_lab=scope.acts_for_lab(mine, found),
        only_show=only_show,
    )
    return moved_out(moved)


def _decided(request: HttpRequest, pk: int, body: Reason, *, approve: bool) -> dict[str, Any]:
    mine = access(request)
    found = reading.get_managed_series(mine, pk)
    rows = _chosen(mine, found, None)
    acting.decide_series(series=found, rows=rows, by=person(request), approve=approve, reason=body.reason)
    return _shown(mine, found)
