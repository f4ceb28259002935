"""The waitlist over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.core.api import page_of
from booking.actions import offering, waiting
from booking.api.bookings import asked_party, choose_organisation, choose_project
from booking.api.shapes import booking_out, named
from booking.models import OPEN_WAITS, Wait
from booking.queries import waitlist
from booking.schemas import BookingOut
from booking.waiting_schemas import NewWait, RankedWait, WaitAnswer, WaitFilter, WaitOut, WaitPage
from instruments.queries.rights import get_managed_instrument, get_visible_instrument

router = Router(auth=signed_in, tags=["waitlist"])


def wait_out(wait: Wait) -> dict[str, Any]:
    zone = wait.instrument.zone
    is_open = wait.status in OPEN_WAITS
    offer = None
    if wait.offer_start and wait.offer_end and wait.offer_until:
        times = {"start": wait.offer_start, "end": wait.offer_end, "until": wait.offer_until}
        offer = {name: at.astimezone(zone).isoformat() for name, at in times.items()}
    return {
        "id": wait.pk,
        "version": wait.version,
        "status": wait.status,
        "instrument": named(wait.instrument),
        "organisation": named(wait.organisation),
        "user": named(wait.user),
        "from": wait.start.astimezone(zone).isoformat(),
        "to": wait.end.astimezone(zone).isoformat(),
        "duration_minutes": wait.minutes,
        "timezone": wait.instrument.timezone,
        "mode": wait.mode,
        "purpose": wait.purpose,
        "joined_at": wait.joined_at.astimezone(zone).isoformat(),
        "place": wait.place if is_open else None,
        "queue": wait.queue if is_open else None,
        "offer": offer,
        "booking": wait.booking_id,
    }


@router.post("/waitlist", response={201: WaitOut}, by_alias=True, summary="Wait for time that is taken")
def join(request: HttpRequest, body: NewWait) -> Status[dict[str, Any]]:
    mine, user = access(request), person(request)
    instrument = get_visible_instrument(mine, body.instrument)
    party = asked_party(mine, instrument, body)
    organisation = party.organisation if party else choose_organisation(mine, body.organisation)
    wait = waiting.join_waitlist(
        by=user,
        user=party.user if party else user,
        organisation=organisation,
        instrument=instrument,
        start=body.start,
        end=body.end,
        minutes=body.duration_minutes,
        mode=body.mode,
        purpose=body.purpose or _("From the waitlist"),
        notes=body.notes,
        samples=body.samples,
        parameters=body.parameters,
        project=choose_project(mine, organisation, body.project),
    )
    return Status(201, wait_out(wait))


@router.get("/waitlist", response=WaitPage, by_alias=True, summary="What you wait for, the latest first")
def waits(request: HttpRequest, filters: Query[WaitFilter]) -> dict[str, Any]:
    rows = waitlist.own_waits(access(request))
    return page_of(rows.filter(status=filters.status) if filters.status else rows, filters, wait_out)


@router.get("/waitlist/{int:pk}", response=WaitOut, by_alias=True, summary="One of them")
def wait(request: HttpRequest, pk: int) -> dict[str, Any]:
    return wait_out(waitlist.get_wait(access(request), pk))


@router.post("/waitlist/{int:pk}/accept", response={201: BookingOut}, summary="Book the time that is offered")
def accept(request: HttpRequest, pk: int, body: WaitAnswer) -> Status[dict[str, Any]]:
    found = waitlist.get_own_wait(access(request), pk)
    return Status(201, booking_out(offering.accept_offer(wait=found, by=person(request), version=body.version)))


@router.post("/waitlist/{int:pk}/decline", response=WaitOut, by_alias=True, summary="Not this time; wait on")
def decline(request: HttpRequest, pk: int, body: WaitAnswer) -> dict[str, Any]:
    found = waitlist.get_own_wait(access(request), pk)
    return wait_out(offering.decline_offer(wait=found, by=person(request), version=body.version))


@router.post("/waitlist/{int:pk}/leave", response=WaitOut, by_alias=True, summary="Wait no longer")
def leave(request: HttpRequest, pk: int, body: WaitAnswer) -> dict[str, Any]:
    found = waitlist.get_own_wait(access(request), pk)
    return wait_out(waiting.leave_waitlist(wait=found, by=person(request), version=body.version))


@router.get(
    "/instruments/{int:pk}/waitlist",
    response=list[RankedWait],
    by_alias=True,
    summary="Who waits for it, in their order",
)
def of_instrument(request: HttpRequest, pk: int) -> list[dict[str, Any]]:
    instrument = get_managed_instrument(access(request), pk)
    ranked = waitlist.standings(instrument, waitlist.open_waits(instrument), timezone.now(), explain=True)
    return [{**wait_out(each.wait), "why": list(each.why)} for each in ranked]
