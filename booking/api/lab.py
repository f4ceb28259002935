"""What the lab does with an instrument's time and rules."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.core.api import Page, page_of
from booking.actions import outages
from booking.api.shapes import outage_out
from booking.queries.outages import get_outage, outages_of
from booking.schemas import (
    Outage,
    OutageChange,
    OutageOut,
    OutagePage,
)
from instruments.queries.rights import get_managed_instrument

router = Router(auth=signed_in, tags=["instruments"])


@router.post("/instruments/{int:pk}/outages", response={201: OutageOut}, summary="Take out of service")
def outage(request: HttpRequest, pk: int, body: Outage) -> Status[dict[str, Any]]:
    instrument = get_managed_instrument(access(request), pk)
    made = outages.create_outage(
        instrument=instrument,
        start=body.start,
        end=body.end,
        reason=body.reason,
        by=person(request),
        displace=body.displace,
        expected=body.hits,
        open_ended=body.open_ended,
        displaces=body.displaces,
    )
    return Status(201, outage_out(made))


@router.get("/instruments/{int:pk}/outages", response=OutagePage, summary="Outages, the latest first")
def list_outages(request: HttpRequest, pk: int, part: Query[Page]) -> dict[str, Any]:
    instrument = get_managed_instrument(access(request), pk)
    return page_of(outages_of(instrument).select_related("instrument"), part, outage_out)


@router.patch("/instruments/{int:pk}/outages/{int:outage}", response=OutageOut, summary="Another time or reason")
def change_outage(request: HttpRequest, pk: int, outage: int, body: OutageChange) -> dict[str, Any]:
    found = get_outage(get_managed_instrument(access(request), pk), outage)
    changed = outages.change_outage(
        outage=found,
        by=person(request),
        start=body.start,
        end=body.end,
        reason=body.reason,
        displace=body.displace,
        expected=body.hits,
        sequence=body.sequence,
        open_ended=body.open_ended,
        displaces=body.displaces,
    )
    return outage_out(changed)


@router.post("/instruments/{int:pk}/outages/{int:outage}/end", response=OutageOut, summary="In service again from now")
def end_outage(request: HttpRequest, pk: int, outage: int) -> dict[str, Any]:
    found = get_outage(get_managed_instrument(access(request), pk), outage)
    return outage_out(outages.end_outage(outage=found, by=person(request)))


@router.delete("/instruments/{int:pk}/outages/{int:outage}", response={204: None}, summary="It does not take place")
def delete_outage(request: HttpRequest, pk: int, outage: int) -> Status[None]:
    found = get_outage(get_managed_instrument(access(request), pk), outage)
    outages.delete_outage(outage=found, by=person(request))
    return Status(204, None)
