"""What is proposed in the place of a displaced booking, over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from backend.accounts.auth import access, person, signed_in
from booking.actions import extending, replacing
from booking.api.shapes import booking_out, local, named, outage_out
from booking.models import Booking, Displacement
from booking.queries.outages import get_outage
from booking.queries.replacements import displaced_by, get_displacement, get_replacement
from booking.queries.scope import get_own_booking
from booking.schemas import BookingOut, OutageOut
from booking.waiting_schemas import DisplacedOut, Extend, ReplacementsOut
from instruments.models import Outage
from instruments.queries.rights import get_managed_instrument

router = Router(auth=signed_in, tags=["replacements"])


def replacements_out(displacement: Displacement) -> dict[str, Any]:
    return {
        "booking": displacement.booking_id,
        "state": displacement.state,
        "replaced_by": displacement.replaced_by_id,
        "proposals": [
            {
                "id": row.pk,
                "instrument": named(row.instrument),
                "institution": named(row.instrument.institution),
                "start": row.start.astimezone(row.instrument.zone).isoformat(),
                "end": row.end.astimezone(row.instrument.zone).isoformat(),
                "total": str(row.total),
                "currency": row.currency,
                "state": row.state,
            }
            for row in displacement.replacements.all()
        ],
    }


def _displaced_out(displacement: Displacement) -> dict[str, Any]:
    booking: Booking = displacement.booking
    return {
        **replacements_out(displacement),
        "organisation": named(booking.organisation),
        "user": named(booking.user),
        "start": local(booking.start, booking),
        "end": local(booking.end, booking),
    }


@router.get("/bookings/{int:pk}/replacements", response=ReplacementsOut, summary="What is proposed instead")
def replacements(request: HttpRequest, pk: int) -> dict[str, Any]:
    return replacements_out(get_displacement(access(request), pk))


@router.post(
    "/bookings/{int:pk}/replacements/{int:rid}/accept", response={201: BookingOut}, summary="Book it instead, at once"
)
def accept(request: HttpRequest, pk: int, rid: int) -> Status[dict[str, Any]]:
    get_own_booking(access(request), pk)
    found = get_replacement(get_displacement(access(request), pk), rid)
    return Status(201, booking_out(replacing.accept_replacement(replacement=found, by=person(request))))


@router.post("/bookings/{int:pk}/replacements/{int:rid}/decline", response=ReplacementsOut, summary="Not this one")
def decline(request: HttpRequest, pk: int, rid: int) -> dict[str, Any]:
    get_own_booking(access(request), pk)
    found = get_replacement(get_displacement(access(request), pk), rid)
    replacing.decline_replacement(replacement=found, by=person(request))
    return replacements_out(get_displacement(access(request), pk))


@router.post("/bookings/{int:pk}/replacements/decline", response=ReplacementsOut, summary="None of them")
def decline_all(request: HttpRequest, pk: int) -> dict[str, Any]:
    get_own_booking(access(request), pk)
    replacing.decline_all(displacement=get_displacement(access(request), pk), by=person(request))
    return replacements_out(get_displacement(access(request), pk))


def _outage(request: HttpRequest, pk: int, outage: int) -> Outage:
    return get_outage(get_managed_instrument(access(request), pk), outage)


@router.get(
    "/instruments/{int:pk}/outages/{int:outage}/displaced",
    response=list[DisplacedOut],
    summary="Whom it displaced, and what they have taken instead",
)
def displaced(request: HttpRequest, pk: int, outage: int) -> list[dict[str, Any]]:
    return [_displaced_out(row) for row in displaced_by(_outage(request, pk, outage))]


@router.post(
    "/instruments/{int:pk}/outages/{int:outage}/extend",
    response=OutageOut,
    summary="Displace what lies in the way of an outage without a known end",
)
def extend(request: HttpRequest, pk: int, outage: int, body: Extend) -> dict[str, Any]:
    found = _outage(request, pk, outage)
    by = person(request)
    return outage_out(extending.extend_outage(outage=found, by=by, expected=body.hits, sequence=body.sequence))
