"""All instruments of an experiment at once, over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.queries import Access
from booking.actions.several import book_several, cancel_bundle
from booking.api.bookings import choose_organisation, choose_project
from booking.api.shapes import booking_out, named
from booking.api.together_shapes import (
    BundleOut,
    FindSeveral,
    Found,
    NewSeveral,
    SeveralCancel,
    SeveralCheck,
    SeveralItems,
    currency_of,
    date_out,
    fees_out,
)
from booking.models import Bundle
from booking.queries.series import Planned, changeable, fees_of, total_of
from booking.queries.several import arranged, first_fit, get_bundle, get_own_bundle, plan_several, visible_items
from booking.queries.wishes import Wish, check_shape
from instruments.queries.rights import get_visible_instrument

router = Router(auth=signed_in, tags=["several at once"])


@router.post("/bookings/several/check", response=SeveralCheck, summary="What would happen; writes nothing")
def check(request: HttpRequest, body: SeveralItems) -> dict[str, Any]:
    planned = plan_several(_wishes(request, body), by=person(request), now=timezone.now())
    return {
        "bookable": all(each.bookable for each in planned),
        "items": _items(planned),
        "total": str(total_of(planned)),
        "currency": currency_of(planned),
    }


@router.post("/bookings/several/find", response=Found, summary="The first time within 14 days that fits all")
def find(request: HttpRequest, body: FindSeveral) -> dict[str, Any]:
    now = timezone.now()
    mine = access(request)
    organisation = choose_organisation(mine, body.organisation)
    wishes = [
        Wish(
            instrument=get_visible_instrument(mine, item.instrument),
            start=now,
            end=now + timedelta(minutes=item.minutes),
            mode=item.mode,
            organisation=organisation,
            user=person(request),
        )
        for item in body.items
    ]
    pieces = arranged(wishes, chain=body.arrangement == "chain", gap=timedelta(minutes=body.gap_minutes))
    return {"items": _items(first_fit(pieces, by=person(request), now=now, since=body.since))}


@router.post("/bookings/several", response={201: BundleOut}, summary="Book several instruments, all or none")
def create(request: HttpRequest, body: NewSeveral) -> Status[dict[str, Any]]:
    made = book_several(wishes=_wishes(request, body), by=person(request), purpose=body.purpose, notes=body.notes)
    return Status(201, _shown(access(request), made))


@router.get("/bookings/several/{int:pk}", response=BundleOut, summary="What was booked together")
def several(request: HttpRequest, pk: int) -> dict[str, Any]:
    mine = access(request)
    return _shown(mine, get_bundle(mine, pk))


@router.post("/bookings/several/{int:pk}/cancel", response=BundleOut, summary="Cancel all of it")
def cancel(request: HttpRequest, pk: int, body: SeveralCancel) -> dict[str, Any]:
    mine = access(request)
    found = get_own_bundle(mine, pk)
    cancel_bundle(
        bundle=found,
        rows=changeable(visible_items(mine, found), timezone.now()),
        by=person(request),
        reason=body.reason,
        expected=None if body.expected_fee is None else Decimal(body.expected_fee),
    )
    return _shown(mine, found)


def _wishes(request: HttpRequest, body: SeveralItems) -> list[Wish]:
    mine = access(request)
    organisation = choose_organisation(mine, body.organisation)
    project = choose_project(mine, organisation, body.project)
    for item in body.items:
        check_shape(item.start, item.end)
    return [
        Wish(
            instrument=get_visible_instrument(mine, item.instrument),
            start=item.start,
            end=item.end,
            mode=item.mode,
            organisation=organisation,
            user=person(request),
            samples=item.samples,
            parameters=item.parameters,
            project=project,
        )
        for item in body.items
    ]


def _items(planned: Iterable[Planned]) -> list[dict[str, Any]]:
    return [{**date_out(each), "instrument": each.wish.instrument.pk} for each in planned]


def _shown(mine: Access, found: Bundle) -> dict[str, Any]:
    rows = list(visible_items(mine, found))
    now = timezone.now()
    return {
        "id": found.pk,
        "uid": str(found.uid),
        "purpose": found.purpose,
        "organisation": named(found.organisation),
        "bookings": [booking_out(row) for row in rows],
        "total": str(sum((Decimal(row.quote.get("total", "0")) for row in rows), Decimal("0.00"))),
        "cancelling": fees_out(fees_of(changeable(rows, now), now=now)),
    }
